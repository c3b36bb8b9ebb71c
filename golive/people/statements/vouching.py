"""What people have said of one item, and whether that is enough."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta, timezone

from golive.claims import Claim, holds, same_set
from golive.items import Card
from golive.people.roster import Roster
from golive.people.statements.model import (
    Signed,
    is_no_go,
    quoted,
    when,
)
from golive.people.statements.writing import evidence_name
from golive.procedure import Item
from golive.verdicts import Pending

_MOST_AHEAD = timedelta(hours=14)
"""By which a day begins before it does in UTC, at most."""


@dataclass
class Vouched:
    """What people have said of one item.

    Checks ask :meth:`by_everyone` where each of a set has to say it; the roles of the card are
    asked by the plugin, after the check has run.
    """

    item: Item
    card: Card
    all: list[Signed]
    """Newest first."""
    roster: Roster
    two_people: bool = False
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """What lies there under the item's name and is no statement, with why."""
    asked_everyone: bool = field(default=False, init=False)

    @property
    def valid(self) -> list[Signed]:
        """Those that hold, newest first, whether they say go or no-go."""
        return [s for s in self.all if s.valid]

    @property
    def against(self) -> list[Signed]:
        """Every no-go that its author has not lifted, newest first."""
        return [s for s in self.valid if is_no_go(s.statement)]

    @property
    def chosen(self) -> dict[str, Signed]:
        """What counts of each role that has to state it and has spoken: see :meth:`choose`."""
        return self.choose(self.roles)

    def choose(self, roles: Iterable[str]) -> dict[str, Signed]:
        """What counts of each of these roles that has spoken, by role.

        That is a no-go wherever somebody who may has said so and not lifted it. Else it is the
        newest that holds, so that each role speaks through a person of its own where it can.
        """
        choices: dict[str, list[Signed]] = {}
        for role in roles:
            said = [s for s in self.valid if s.statement.role == role]
            noes = [s for s in said if is_no_go(s.statement)]
            by = {s.statement.by: s for s in reversed(said)}
            newest = sorted(by.values(), key=lambda s: s.statement.made_at, reverse=True)
            if said:
                choices[role] = noes[:1] or newest[:9]
        for chosen in itertools.product(*choices.values()):
            if len({s.statement.by for s in chosen}) == len(chosen):
                return dict(zip(choices, chosen, strict=True))
        return {role: said[0] for role, said in choices.items()}

    @property
    def counted(self) -> list[Signed]:
        """The statements that the item is judged by: those chosen, and a second person's where
        the item takes two and the roles have given one."""
        chosen = list({s.id: s for s in self.chosen.values()}.values())
        people = {s.statement.by for s in chosen}
        if self.two_people and len(people) == 1:
            others = (s for s in self.valid if s.statement.by not in people)
            chosen += [s for s in others if not is_no_go(s.statement)][:1]
        return chosen

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that have to state it."""
        return self.card.by or ((self.item.owner_mark,) if self.item.owner_mark else ())

    def of(self, person: str) -> Signed | None:
        """The newest valid statement of a person; a no-go states nothing."""
        return next((s for s in self._for_it if s.statement.by == person), None)

    def in_role(self, role: str) -> Signed | None:
        """The newest valid statement made in a role; a no-go states nothing."""
        return next((s for s in self._for_it if s.statement.role == role), None)

    @property
    def _for_it(self) -> list[Signed]:
        return [s for s in self.valid if not is_no_go(s.statement)]

    def one_of(self, roles: Iterable[str]) -> Vouched:
        """The same as the role among these says it that has spoken last; as the first of them
        where none has."""
        wanted = list(roles)
        said = (s.statement.role for s in self._for_it if s.statement.role in wanted)
        return replace(self, card=replace(self.card, by=(next(said, wanted[0]),)))

    def digests(self, paper: str) -> dict[str, str]:
        """SHA-256 of a paper as it was signed last, by role: whatever has become of it since, and
        whether or not the statement has run out."""
        known, found = evidence_name(paper), dict[str, str]()
        for s in self.all:
            if s.valid or "expired" in s.cause or "has changed since" in s.cause:
                for e in s.statement.evidence:
                    if e.name == known:
                        found.setdefault(s.statement.role, e.sha256)
        return found

    def strangers(self) -> list[str]:
        """Who has said something and is not on the roster."""
        said = dict.fromkeys(s.statement.by for s in self.all)
        return [quoted(by) for by in said if by not in self.roster.people]

    def unopposed(self) -> Claim:
        """That nobody who may says no-go, as far as that person has not lifted it."""
        said = [
            f"{self.roster.people[s.statement.by].name} as {s.statement.role} {when(s)}"
            for s in self.against
        ]
        return holds("people who said no-go", not said, ", ".join(said) or "nobody", "nobody")

    def by_everyone(self, people: Iterable[str], what: str) -> Claim:
        """That each of these people has stated it in person.

        :raises Pending: somebody has not; names them, and why what there is does not hold.
        """
        self.asked_everyone = True
        wanted = list(dict.fromkeys(people))
        missing = [p for p in wanted if self.of(p) is None]
        if wanted and missing:
            raise Pending(self._lacking(missing, lambda s: s.statement.by))
        return same_set(what, [p for p in wanted if p not in missing], wanted)

    def claims(self) -> list[Claim]:
        """That each role has stated it, by different people with keys of their own, none of them
        under two ids.

        :raises Pending: one has not; says what is missing and why what there is does not hold.
        """
        if self.against:
            said = self.against[0].statement
            raise Pending(
                f"{self.roster.people[said.by].name} said no-go as {said.role.replace('_', ' ')}"
                f" {when(self.against[0])}: {quoted(said.text)}; only {said.by} lifts it"
                f" (`golive attest {self.item.id}`)"
            )
        if self.card.each:
            return []
        chosen = self.chosen
        missing = [r for r in self.roles if r not in chosen]
        if missing or not self.roles:
            raise Pending(self._lacking(missing or ["somebody"], lambda s: s.statement.role))
        people = list(dict.fromkeys(s.statement.by for s in self.counted))
        if self.two_people and len(people) < 2:
            raise Pending(
                f"{self.item.id} needs the signatures of two people; so far only"
                f" {self.roster.people[people[0]].name} has signed"
                f" (`golive attest {self.item.id}`)"
            )
        if len({s.statement.by for s in chosen.values()}) < len(chosen):
            raise Pending(
                f"{', '.join(sorted(people))} signed in several roles; each of"
                f" {', '.join(self.roles)} needs a person of its own"
                f" (`golive attest {self.item.id}`)"
            )
        if doubles := self.roster.doubles(people):
            raise Pending(
                f"{self.item.id} needs people of their own, but by the roster {'; '.join(doubles)}"
                f" are one person: correct the roster, or have somebody else sign"
                f" (`golive attest {self.item.id}`)"
            )
        return [_signed_claim(s.statement.role, s, self.roster) for s in self.counted]

    def _lacking(self, missing: Sequence[str], key: Callable[[Signed], str]) -> str:
        names = [self.roster.people[m].name if m in self.roster.people else m for m in missing]
        shown = ", ".join(n.replace("_", " ") for n in names[:8])
        more = f" and {len(names) - 8} more" if len(names) > 8 else ""
        text = f"not stated yet by {shown}{more}: {self.card.asks or self.item.title}"
        refused = [s for s in self.all if s.cause and key(s) in missing] or [
            s for s in self.all if s.cause
        ]
        if refused:
            newest = refused[0]
            text += (
                f"; SUSPECT: {quoted(newest.statement.by)} signed it {when(newest)}, but"
                f" {newest.cause}"
            )
        elif self.unreadable:
            name, why = max(self.unreadable.items())
            text += f"; SUSPECT: {quoted(name)} lies there, but {quoted(why)}"
        return f"{text}; next: `golive attest {self.item.id}`"


def made_before(said: Iterable[Signed], since: date | datetime) -> list[str]:
    """Who signed which of these statements before something, with when.

    :param since: when it was over; or its day, which begins first where clocks are ahead most.
    """
    begins = since
    if not isinstance(begins, datetime):
        begins = datetime.combine(begins, time(), timezone(_MOST_AHEAD))
    early = (s.statement for s in said if s.statement.made_at < begins)
    return [f"{s.by} ({s.made_at:%F %H:%M} UTC)" for s in early]


def _signed_claim(role: str, signed: Signed, roster: Roster) -> Claim:
    s = signed.statement
    name = roster.people[s.by].name
    return holds(
        f"statement of the {role.replace('_', ' ')}",
        True,
        f"signed by {name} {when(signed)}, holds until {s.expires_at:%Y-%m-%d %H:%M} UTC",
        "a valid signature",
    )
