"""The integrations' readiness report: whose account each integration is, and in which mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from golive.claims import Claim, none_of, same_set
from golive.deliverables import Basis, Deliverable, with_tables
from golive.environments import Environment
from golive.probes.saas.analytics import Visits
from golive.probes.saas.google import project_of
from golive.reports.documents import Content, Table
from golive.results.recorded import NOT_SEEN, cell, exempt, recorded, typed
from golive.verdicts import Unseen, unseen_among

ACCOUNTS = "Accounts and modes"
LIVE, TEST, NO_MODE = "live", "test", "has no modes"
Told = str | Unseen


@dataclass(frozen=True, slots=True)
class Account:
    """Whose account an integration uses, and whether it is for real or for tests."""

    account: Told
    mode: Told


@dataclass(frozen=True, slots=True)
class _Integration:
    probe: str
    """One of its item's."""
    found: Callable[[Basis], Account]
    declared: Callable[[Environment], Account]


def written(basis: Basis) -> Content:
    """The overview of the items, and below it the account and mode of each integration."""
    rows: list[list[str | float]] = []
    for name, one in INTEGRATIONS.items():
        found = one.found(basis)
        rows.append([name, basis.item_of(one.probe), cell(found.account), cell(found.mode)])
    columns = ["integration", "item", "account or project", "mode"]
    return with_tables(Table(title=ACCOUNTS, columns=columns, rows=rows))(basis)


def judged(document: Deliverable, env: Environment) -> Iterator[Claim]:
    """Each integration is there, its account and mode are those that the environment declares."""
    basis = document.basis
    table = next((t for t in document.document.tables if t.title == ACCOUNTS), None)
    rows = {str(row[0]): row for row in (table.rows if table else [])}
    yield same_set("integrations in the report", rows, INTEGRATIONS)
    accounts, modes = list[_Compared](), list[_Compared]()
    for name, one in INTEGRATIONS.items():
        if name in rows and not exempt(basis, one.probe):
            found, declared = one.found(basis), one.declared(env)
            accounts.append(_Compared(name, rows[name][2], found.account, declared.account))
            modes.append(_Compared(name, rows[name][3], found.mode, declared.mode))
    yield _alike("accounts unlike the declared ones", accounts, len(rows))
    yield _alike("modes unlike the declared ones", modes, len(rows))


@dataclass(frozen=True, slots=True)
class _Compared:
    """What the report tells of an integration, its record has, and the environment declares."""

    name: str
    told: float | str
    recorded: Told
    declared: Told

    @property
    def unseen(self) -> Unseen | None:
        """Why the two cannot be compared; None where they can."""
        hidden = self.recorded if self.told == NOT_SEEN else None
        return unseen_among((hidden, self.declared))


def _alike(subject: str, compared: list[_Compared], among: int) -> Claim:
    other = [
        f"{c.name}: {c.told or 'nothing'}, not {c.declared}"
        for c in compared
        if c.unseen is None and c.told != c.declared
    ]
    missed = unseen_among(c.unseen for c in compared)
    offenders: Any = other if other or missed is None else missed
    return none_of(subject, offenders, among=among, of="integrations")


# -- each of them ----------------------------------------------------------------------------------


def _stripe(basis: Basis) -> Account:
    endpoints = recorded(basis, "webhook_endpoints", "all")
    account = recorded(basis, "webhook_endpoints", "account")
    if isinstance(endpoints, Unseen):
        return Account(account, endpoints)
    modes = {LIVE if e["livemode"] else TEST for e in endpoints if e["enabled"]}
    return Account(account, " and ".join(sorted(modes)))


def _sendgrid(basis: Basis) -> Account:
    plan = recorded(basis, "customer_mail_account", "plan")
    account = recorded(basis, "customer_mail_account", "name")
    return Account(account, _mode(plan, "paid"))


def _twilio(basis: Basis) -> Account:
    kind = recorded(basis, "customer_sms_account", "kind")
    account = recorded(basis, "customer_sms_account", "sid")
    return Account(account, _mode(kind, "Full"))


def _mode(told: Told, live: str) -> Told:
    return told if isinstance(told, Unseen) else LIVE if told == live else TEST


def _calendar(basis: Basis) -> Account:
    client = recorded(basis, "calendar_client", "client_id")
    return Account(_project(client), _of_grant(recorded(basis, "calendar_grant")))


def _profile(basis: Basis) -> Account:
    client = recorded(basis, "profile_grant", "client_id")
    return Account(_project(client), _of_grant(recorded(basis, "profile_grant")))


def _project(client: Told) -> Told:
    return client if isinstance(client, Unseen) else project_of(client)


def _of_grant(grant: Any) -> Told:
    """A client that is being tested gets refresh tokens with an end; a record has none as null."""
    if isinstance(grant, Unseen):
        return grant
    return TEST if grant.get("failure") or grant.get("refresh_lives_s") is not None else LIVE


def _analytics(basis: Basis) -> Account:
    found = typed(basis, "analytics_visits", Visits)
    if isinstance(found, Unseen):
        return Account(found, NO_MODE)
    ids = (*found.containers, *found.measurement_ids, *found.pixel_ids)
    return Account(", ".join(dict.fromkeys(ids)), NO_MODE)


def _measured_as(env: Environment) -> Account:
    own = env.analytics
    ids = (own.container, own.measurement_id, own.pixel_id)
    unseen = unseen_among(ids)
    return Account(", ".join(ids) if unseen is None else unseen, NO_MODE)


def _paid_to(env: Environment) -> Account:
    live: bool | Unseen = env.stripe.livemode
    mode = live if isinstance(live, Unseen) else LIVE if live else TEST
    return Account(env.stripe.account, mode)


INTEGRATIONS = {
    "Stripe": _Integration("webhook_endpoints", _stripe, _paid_to),
    "Google Calendar": _Integration(
        "calendar_client", _calendar, lambda env: Account(env.customer_calendar.project, LIVE)
    ),
    "SendGrid": _Integration(
        "customer_mail_account", _sendgrid, lambda env: Account(env.customer_mail.account, LIVE)
    ),
    "Twilio": _Integration(
        "customer_sms_account", _twilio, lambda env: Account(env.customer_sms.account, LIVE)
    ),
    "Google Business Profile": _Integration(
        "profile_grant",
        _profile,
        lambda env: Account(_project(env.business_profile.client_id), LIVE),
    ),
    "analytics": _Integration("analytics_visits", _analytics, _measured_as),
}
"""By name: its item, what that has on record, and what an environment declares. Only Stripe's mode
is an environment's choice: the others' items ask for paid and published ones everywhere."""
