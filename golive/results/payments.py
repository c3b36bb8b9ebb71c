"""The payment certificate: synthetic transactions by id, the reconciliation, Stripe's version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from golive.claims import Claim, equal, none_of, same_set
from golive.deliverables import Basis, Deliverable, with_tables
from golive.probes.money.reconciliation import Reconciliation
from golive.probes.money.till import Transaction
from golive.reports.documents import Content, Table
from golive.results.recorded import NOT_SEEN, exempt, figure, number, recorded, typed
from golive.verdicts import Unseen, unseen_among

TRANSACTIONS = "Synthetic transactions"
DIFFERENCE, VERSION = "reconciliation difference", "version of Stripe's API"
DRILLS = ("webhook_drill", "payment_drill", "payout_drill", "refund_drill")
"""The probes that take synthetic payments."""


def written(basis: Basis) -> Content:
    """The overview of the items, each synthetic transaction, what Stripe and the ledger differ by,
    and the version that Stripe's events come in."""
    rows: list[list[str | float]] = [
        [str(t["intent"]), item, float(t["taken_cents"]), float(t["returned_cents"]), t["status"]]
        for item, found in _transactions(basis).items()
        if not isinstance(found, Unseen)
        for t in found
    ]
    columns = ["id", "item", "taken cents", "returned cents", "status"]
    return with_tables(
        Table(title=TRANSACTIONS, columns=columns, rows=rows),
        figures=[
            figure("synthetic transactions", len(rows)),
            figure(DIFFERENCE, _difference_cents(basis), "cents"),
            figure(VERSION, _version(basis)),
        ],
    )(basis)


def listed(document: Deliverable) -> list[str]:
    """The ids of the transactions that the certificate lists."""
    return [t.intent for t, _ in _rows(document)]


def judged(
    document: Deliverable, now: tuple[Transaction, ...] | Unseen, api_version: str | Unseen
) -> Iterator[Claim]:
    """Each drill's transactions are listed and given back, Stripe says so now, nothing is unlike
    the ledger, and all of it is of one version of the API.

    :param now: what Stripe has of those that are listed.
    """
    basis, rows, of = document.basis, _rows(document), TRANSACTIONS.lower()
    held = [probe for probe in DRILLS if not exempt(basis, probe)]
    known = _transactions(basis, held)
    unseen = unseen_among(known.values())
    items = {item for _, item in rows}
    subject = "items whose transactions are listed"
    yield same_set(subject, items & set(known) if unseen is None else unseen, known)
    kept = [str(t) for t, _ in rows if not t.is_clean]
    yield none_of("transactions not given back", kept, among=rows, of=of)
    told = now if isinstance(now, Unseen) else _unlike((t for t, _ in rows), now)
    yield none_of("transactions unlike Stripe's now", told, among=rows, of=of)
    if not exempt(basis, "reconciliation"):
        yield equal(DIFFERENCE, number(document, DIFFERENCE, _difference_cents(basis)), 0.0)
    said, version = document.figure(VERSION), _version(basis)
    hidden = isinstance(version, Unseen) and said == NOT_SEEN
    yield equal(VERSION, version if hidden else said, api_version)


def _rows(document: Deliverable) -> list[tuple[Transaction, str]]:
    table = next((t for t in document.document.tables if t.title == TRANSACTIONS), None)
    found = []
    for ident, item, taken, returned, status in table.rows if table else []:
        one = Transaction(str(ident), _cents(taken), _cents(returned), str(status))
        found.append((one, str(item)))
    return found


def _cents(told: float | str) -> int:
    """As a table has them; what is no number is no amount that anything could have."""
    return int(told) if isinstance(told, float) else -1


def _unlike(listed: Iterable[Transaction], now: Iterable[Transaction]) -> list[str]:
    """Those of which Stripe has something else; how it has them now."""
    there = {t.intent: t for t in now}
    return [
        str(there.get(t.intent, f"{t.intent} (not asked for)"))
        for t in listed
        if there.get(t.intent) != t
    ]


def _transactions(basis: Basis, drills: Iterable[str] = DRILLS) -> dict[str, Any]:
    """By item."""
    return {basis.item_of(d): recorded(basis, d, "transactions") for d in drills}


def _difference_cents(basis: Basis) -> float | Unseen:
    """Of all days and currencies together, each by itself."""
    found = typed(basis, "reconciliation", Reconciliation)
    return found if isinstance(found, Unseen) else sum(found.off_by_cents.values())


def _version(basis: Basis) -> str | Unseen:
    """Of the enabled endpoints; more than one are told side by side."""
    every = recorded(basis, "webhook_endpoints", "all")
    if isinstance(every, Unseen):
        return every
    versions = Counter(str(e["api_version"] or "none of its own") for e in every if e["enabled"])
    return ", ".join(sorted(versions)) or "no endpoint is enabled"
