"""Who may state what, in which role, and until when it can hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from golive.items import Card
from golive.launch import Launch
from golive.people.roster import Roster
from golive.people.statements.model import (
    FOR_GOOD,
    Kind,
    Signed,
    Statement,
    fingerprint,
    is_no_go,
    quoted,
    takes_away,
)
from golive.procedure import Procedure

_AFTER_LAUNCH = timedelta(days=8)
"""From midnight of the launch date, or of the item's own where that is later: when the longest
waiver ends."""
_CLOCKS_DIFFER = timedelta(minutes=5)
"""By which a signer's clock may be ahead of this one's."""


@dataclass(frozen=True, kw_only=True)
class Entitlement:
    """What roster, launch and procedure let people say of one environment and candidate."""

    roster: Roster
    launch: Launch
    procedure: Procedure
    environment: str
    environment_kind: str
    cards: Mapping[str, tuple[Card, str]]
    """What code says of each item, with its source."""
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def is_asked_of_each(self, item: str) -> bool:
        """Whether everybody of a set states the item in person, in whatever role."""
        return item in self.cards and self.cards[item][0].each

    def may_attest(self, item: str) -> list[str]:
        """The roles in which somebody may state an item that is not asked of everybody."""
        card = self.cards[item][0] if item in self.cards else Card(item)
        owner = self.procedure.items[item].owner_mark
        roles = list(card.by or ((owner,) if owner else ()))
        if self.launch.needs_two(item):
            roles += self.launch.second_signers
        return list(dict.fromkeys(roles))

    @property
    def may_set_aside(self) -> list[str]:
        """The roles in which somebody may sign that a record is set aside."""
        return list(dict.fromkeys([*self.launch.approvers, *self.launch.second_signers]))

    def may_revoke(self, revocation: Statement, signed: Signed) -> bool:
        """Whether it is one's own, one's item, or one's right as a second signer or approver.

        A no-go is taken back by nobody but the one who said it.
        """
        if revocation.by == signed.statement.by or is_no_go(signed.statement):
            return revocation.by == signed.statement.by
        line = self.procedure.items.get(signed.statement.item)
        return revocation.role in (
            *([line.owner_mark] if line and line.owner_mark else []),
            *self.launch.second_signers,
            *self.launch.approvers,
        )

    def about_another(self, s: Statement) -> str:
        """Of what else it is: another environment, candidate or check; empty where of none."""
        if (s.environment, s.environment_kind) != (self.environment, self.environment_kind):
            return (
                f"it is about {quoted(s.environment)} ({quoted(s.environment_kind)}), not"
                f" {self.environment} ({self.environment_kind})"
            )
        if s.candidate != self.launch.candidate and s.kind != "set-aside":
            return f"it is about {quoted(s.candidate)}, not {self.launch.candidate}"
        if s.item:
            line = self.procedure.items.get(s.item)
            if line is None:
                return f"the procedure has no item {quoted(s.item)}"
            mark = fingerprint(line.title, self.cards.get(s.item))
            if (s.title, s.fingerprint) != (line.title, mark) and not is_no_go(s):
                return "the item or its check has changed since"
        return ""

    def is_ahead(self, s: Statement) -> bool:
        """Whether it is dated later than now."""
        return s.made_at > self.now + _CLOCKS_DIFFER

    def out_of_time(self, s: Statement) -> str:
        """Why it does not hold at this time; empty where it does."""
        if self.is_ahead(s):
            return f"it is dated {s.made_at:%Y-%m-%d %H:%M} UTC, which has not come"
        ends = self.ends(s)
        if self.now >= ends:
            return f"it expired on {ends:%Y-%m-%d %H:%M} UTC"
        return ""

    def _of_nobody(self, s: Statement) -> str:
        """Why its author cannot be reported; empty where it is somebody of the roster, in a role.

        What takes away stands by the roles of its own day.
        """
        if s.by not in self.roster.people:
            return f"{quoted(s.by)} is not on the roster"
        if s.by in self.roster.shared_keys:
            others = [p for p in self.roster.shared_keys[s.by] if p != s.by]
            return f"{s.by} and {', '.join(others)} have the same key"
        if s.role not in self.roster.roles_of(s.by, s.made_at.date() if takes_away(s) else None):
            return f"{s.by} neither holds nor backs up the role {quoted(s.role)}"
        return ""

    def not_entitled(self, s: Statement, target: Signed | None) -> str:
        """Why its author may not say it; empty where that is somebody who may.

        :param target: what it is about, where that lies there.
        """
        cause = self._of_nobody(s)
        if cause:
            return cause
        known = s.item in self.procedure.items
        if s.kind == "attest" and known and not self.is_asked_of_each(s.item):
            allowed = self.may_attest(s.item)
            if s.role not in allowed:
                return f"the role {s.role} may not state it; {', '.join(allowed)} may"
        if s.kind == "approve" and s.role not in self.launch.approvers:
            return f"the role {s.role} does not decide on the launch"
        if s.kind == "set-aside" and s.role not in self.may_set_aside:
            return f"the role {s.role} may not set a record aside"
        if s.kind == "revoke" and target is not None and not self.may_revoke(s, target):
            return f"{s.by} may not take {target.id} back"
        return ""

    def ends(self, s: Statement) -> datetime:
        """When a statement stops to hold: as its signer says, but never later than launch.toml."""
        return min(s.expires_at, self.latest(s.kind, s.item, s.made_at))

    def latest(self, kind: Kind, item: str, made_at: datetime) -> datetime:
        """The latest moment until which such a statement can hold."""
        if kind in ("waive", "not-applicable"):
            line = self.procedure.items.get(item)
            day = self.launch.due(max(0, line.due_day if line else 0))
            return datetime(day.year, day.month, day.day, tzinfo=UTC) + _AFTER_LAUNCH
        made = min(made_at, self.now + _CLOCKS_DIFFER)
        if kind in ("revoke", "set-aside"):
            return made + FOR_GOOD
        return made + self.launch.validity(item or kind)

    def not_both(self, item: str, one: str, other: str) -> str:
        """Why two roles do not make a waiver: its owner, and another of launch.toml's second ones.

        An item that nobody owns takes two of those that sign second or decide.
        """
        seconds = self.launch.second_signers
        owner = self.procedure.items[item].owner_mark
        owners = (owner,) if owner else (*seconds, *self.launch.approvers)
        if one == other:
            return f"both signed as {one}; the second person signs in another role"
        if not {one, other} & set(owners):
            return f"the item's owner, {owner or 'one of ' + ', '.join(owners)}, has not signed"
        pairs = ((one, other), (other, one))
        if not any(a in owners and b in seconds for a, b in pairs):
            wanted = ", ".join(r for r in seconds if r != owner) or "nobody: see launch.toml"
            return f"nobody besides the owner signed as {wanted}"
        return ""

    def not_both_aside(self, one: str, other: str) -> str:
        """Why two roles do not set a record aside: one that decides, and another that decides or
        signs second."""
        deciding, all_ = self.launch.approvers, self.may_set_aside
        if one == other:
            return f"both signed as {one}; the second person signs in another role"
        if not {one, other} & set(deciding) or not {one, other} <= set(all_):
            return (
                f"{one} and {other} do not do: one of {', '.join(deciding)} has to sign, and"
                f" another of {', '.join(all_)}"
            )
        return ""

    def not_two(self, item: str, kind: str, first: Signed | None, second: Signed) -> str:
        """Why two statements are no waiver of an item by its owner and a second person."""
        if first is None:
            return f"{second.id}: the statement that it seconds is not there"
        for one in (first, second):
            if one.cause:
                return f"{one.id}: {one.cause}"
        a, b = first.statement, second.statement
        if a.by == b.by:
            return f"{second.id}: {a.by} signed twice; a second person has to"
        if (a.expires_at, a.text, a.risk) != (b.expires_at, b.text, b.risk):
            return f"{second.id}: it says something else than the one it seconds"
        cause = self.not_both(item, a.role, b.role)
        if cause:
            return f"{second.id}: {cause}"
        if kind == "not-applicable" and not self.launch.may_be_not_applicable(item):
            return f"{second.id}: {item} can never be not applicable"
        return ""
