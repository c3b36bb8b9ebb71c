from __future__ import annotations

from collections.abc import Callable
from typing import Never

import pytest

from golive.verdicts import (
    GoliveError,
    NotDue,
    NotPermitted,
    Pending,
    ProbeError,
    Verdict,
    of_exception,
)


def raised(name: str) -> BaseException:
    outcome: Callable[[str], Never] = getattr(pytest, name)
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - pytest's own are of no Exception
        outcome("reason")
    return caught.value


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (None, Verdict.PASS),
        (AssertionError("x"), Verdict.FAIL),
        (raised("fail"), Verdict.FAIL),
        (Pending("x"), Verdict.PENDING),
        (NotDue("x"), Verdict.NOT_DUE),
        (ProbeError("db", "refused"), Verdict.UNKNOWN),
        (NotPermitted("db", "spend"), Verdict.UNKNOWN),
        (GoliveError("x"), Verdict.UNKNOWN),
        (raised("skip"), Verdict.UNKNOWN),
        (raised("xfail"), Verdict.UNKNOWN),
        (KeyError("x"), Verdict.UNKNOWN),
        (TimeoutError(), Verdict.UNKNOWN),
        (SystemExit(0), Verdict.UNKNOWN),
    ],
)
def test_only_a_return_is_pass_and_only_a_broken_assertion_is_fail(
    error: BaseException | None, verdict: Verdict
) -> None:
    assert of_exception(error) is verdict


def test_what_is_red_unknown_or_pending_stands_in_the_way() -> None:
    assert {v for v in Verdict if v.is_open} == {Verdict.FAIL, Verdict.UNKNOWN, Verdict.PENDING}


def test_a_probe_error_is_one_line_with_subject_cause_and_next_step() -> None:
    error = ProbeError("standby db-2", OSError("refused\n  by peer"), "start it")
    assert str(error) == "could not look at standby db-2: refused by peer; next: start it"
    assert str(ProbeError("db-1", TimeoutError())) == "could not look at db-1: TimeoutError"
