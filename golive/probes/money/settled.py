"""Synthetic payments as Stripe has them now, each asked for again by its id."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from golive.environments import Environment
from golive.probes.money.stripe import asking, writing_key
from golive.probes.money.till import Transaction


def settled(env: Environment, intents: Iterable[str]) -> tuple[Transaction, ...]:
    """What Stripe says of payment intents; of one that it does not know, just that.

    :raises ProbeError: Stripe cannot be asked.
    """
    with asking(env, writing_key(env), "synthetic payments") as client:
        return tuple(_retrieved(client, ident) for ident in intents)


def _retrieved(client: Any, ident: str) -> Transaction:
    import stripe

    try:
        found = client.v1.payment_intents.retrieve(ident, {"expand": ["latest_charge"]})
    except stripe.InvalidRequestError as e:
        if e.code != "resource_missing":
            raise
        return Transaction(ident, 0, 0, "unknown to Stripe")
    charge: Any = found.latest_charge
    if found.status != "succeeded" or charge is None:
        return Transaction(ident, 0, 0, str(found.status))
    return Transaction(ident, charge.amount, charge.amount_refunded, "succeeded")
