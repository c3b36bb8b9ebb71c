"""Synthetic payments asked for again by their ids, on literal answers of Stripe's SDK."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import stripe

from golive.environments import Environment
from golive.probes.money import settled as probes
from golive.probes.money.settled import settled
from golive.probes.money.till import Transaction


def charge(cents: int, returned: int) -> Any:
    return SimpleNamespace(amount=cents, amount_refunded=returned)


INTENTS = {
    "pi_1": SimpleNamespace(status="succeeded", latest_charge=charge(3100, 3100)),
    "pi_2": SimpleNamespace(status="succeeded", latest_charge=charge(3100, 0)),
    "pi_3": SimpleNamespace(status="canceled", latest_charge=None),
    "pi_4": SimpleNamespace(status="processing", latest_charge=charge(3100, 0)),
}


def refused(text: str, code: str) -> Exception:
    made: Exception = stripe.InvalidRequestError(text, "id", code=code)  # type: ignore[no-untyped-call]
    return made


class Intents:
    """What Stripe has of payment intents."""

    def retrieve(self, ident: str, params: dict[str, Any]) -> Any:
        assert params == {"expand": ["latest_charge"]}
        if ident == "pi_locked":
            raise refused("locked", "lock_timeout")
        if ident not in INTENTS:
            raise refused("no such one", "resource_missing")
        return INTENTS[ident]


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> Any:
    @contextmanager
    def asking(*_: object) -> Iterator[Any]:
        yield SimpleNamespace(v1=SimpleNamespace(payment_intents=Intents()))

    monkeypatch.setattr(probes, "asking", asking)
    monkeypatch.setattr(probes, "writing_key", lambda _: None)
    return SimpleNamespace(spec=Environment)


def test_each_payment_is_told_with_what_was_taken_and_given_back(env: Any) -> None:
    found = settled(env, ["pi_1", "pi_2", "pi_3", "pi_4"])
    assert found == (
        Transaction("pi_1", 3100, 3100, "succeeded"),
        Transaction("pi_2", 3100, 0, "succeeded"),
        Transaction("pi_3", 0, 0, "canceled"),
        Transaction("pi_4", 0, 0, "processing"),
    )
    assert [t.is_clean for t in found] == [True, False, True, False]


def test_one_that_stripe_does_not_know_is_not_clean(env: Any) -> None:
    (found,) = settled(env, ["pi_9"])
    assert (found.status, found.is_clean) == ("unknown to Stripe", False)


def test_what_stripe_refuses_for_another_reason_is_no_answer(env: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="locked"):
        settled(env, ["pi_locked"])
