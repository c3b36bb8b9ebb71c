from __future__ import annotations

from pathlib import Path

import pytest

from golive.claims import at_most
from golive.testing import Suites, judged
from golive.verdicts import GoliveError, Pending

CHECKS = '''
from golive.claims import at_most, equal
from golive.items import derived, item
from golive.launch import Limits


@item("D-1.1.1")
def test_the_greeting_is_short(greeting: str, limits: Limits) -> None:
    """The greeting.

    Remedy: shorten it.
    """
    assert at_most("length of the greeting", len(greeting), limits.greeting_characters)


@derived("D-1.1.2")
def test_the_summary_is_there(summary: str) -> None:
    """The summary.

    Remedy: write it.
    """
    assert equal("the summary", summary, "there")
'''


LAUNCH = """[launch]
date = 2026-11-30
candidate = "v2.0.0"
previous = "v1.9.0"

[thresholds]
greeting_characters = 8
"""


@pytest.fixture
def suites(tmp_path: Path) -> Suites:
    (tmp_path / "phase").mkdir()
    (tmp_path / "phase" / "test_day.py").write_text(CHECKS)
    (tmp_path / "launch.toml").write_text(LAUNCH)
    return Suites(tmp_path)


def test_a_check_is_judged_on_literal_facts_by_the_thresholds_of_the_launch(
    suites: Suites,
) -> None:
    assert suites.judged("D-1.1.1", greeting="Welcome") is None
    claim = suites.judged("D-1.1.1", greeting="Welcome back")
    assert claim is not None
    assert (claim.subject, claim.observed, claim.required) == (
        "length of the greeting",
        "12",
        "at most 8",
    )


def test_what_a_check_does_not_ask_for_is_left_out(suites: Suites) -> None:
    assert suites.judged("D-1.1.1", greeting="Welcome", farewell="Bye") is None


def test_a_fact_that_is_not_given_and_an_item_that_is_not_there_are_named(suites: Suites) -> None:
    with pytest.raises(GoliveError, match=r"D-1\.1\.1: asks for greeting"):
        suites.judged("D-1.1.1")
    with pytest.raises(GoliveError, match=r"has no check of D-1\.1\.3"):
        suites.judged("D-1.1.3")


def test_an_item_that_is_there_twice_is_refused(suites: Suites) -> None:
    (suites.folder / "phase" / "test_other.py").write_text(CHECKS)
    with pytest.raises(GoliveError, match=r"test_other.py: D-1.1.1: is there twice"):
        suites.judged("D-1.1.1", greeting="Welcome")


def test_checks_are_found_by_how_they_are_verified(suites: Suites) -> None:
    assert list(suites.checks) == ["D-1.1.1", "D-1.1.2"]
    assert list(suites.of_way("derived")) == ["D-1.1.2"]
    assert suites.of_way("attested") == {}


def test_green_or_red_without_a_claim_is_no_judgement() -> None:
    def looks_at_nothing() -> None:
        pass

    def asserts_by_hand(n: int) -> None:
        assert at_most("numbers", 1, 2)
        assert n == 1

    with pytest.raises(AssertionError, match="looks_at_nothing is green without a claim"):
        judged(looks_at_nothing)
    with pytest.raises(AssertionError):
        judged(asserts_by_hand, n=2)
    assert judged(asserts_by_hand, n=1) is None


def test_what_is_still_to_come_is_not_taken_for_green() -> None:
    def waits() -> None:
        raise Pending("nobody has signed")

    with pytest.raises(Pending, match="nobody has signed"):
        judged(waits)
