"""The context: where people's part of a launch lies, for commands and for items alike.

Nothing here needs a secret, so somebody who may sign need not be able to reach a database.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

from golive import chain, environments, launch, procedure, provenance
from golive.files import NotThere, sha256
from golive.items import Card, read_cards
from golive.ledger import Rules, Signatory
from golive.masking import Mask
from golive.papers import K, Paper, Papers
from golive.people import roster
from golive.people.roster import Person
from golive.people.statements import (
    MOST_EVIDENCE_BYTES,
    Entitlement,
    Signed,
    Statements,
    Vouched,
)
from golive.verdicts import GoliveError, Pending


@dataclass(frozen=True)
class Context:
    """One environment of one launch, as its people see it."""

    root: Path
    reports: Path
    environment: environments.Outline = field(repr=False)
    launch: launch.Launch = field(repr=False)
    procedure: procedure.Procedure = field(repr=False)
    today: date = field(default_factory=date.today)
    """The day as which the launch is looked at."""
    known_origin: provenance.Origin | None = field(default=None, repr=False)
    """What a package was made with; default: what lies here."""
    current_run: str = ""
    """The run that goes on in this session, whose verdicts count for those that follow."""

    @classmethod
    def open(cls, env: str, root: Path | None = None, reports: Path | None = None) -> Context:
        """The context of an environment, by name or file, in a folder that has ``suites/``.

        :raises GoliveError: something of it is missing or wrong; names the file.
        """
        place = (root or Path.cwd()).resolve()
        suites = place / "suites"
        if not suites.is_dir():
            raise GoliveError(f"{suites}: is not there; expected to be called beside the suites")
        file = environments.find(env, suites)
        return cls(
            place,
            reports or place / "reports",
            environments.outline(file, suites / "product.toml", place),
            launch.load(suites / "launch.toml"),
            procedure.load(suites / "procedure.toml"),
        )

    @property
    def suites(self) -> Path:
        """The folder of items and their numbers."""
        return self.root / "suites"

    @cached_property
    def roster(self) -> roster.Roster:
        """Who is who.

        :raises GoliveError: it is not there, or is none.
        """
        return roster.load(self.roster_file)

    @property
    def roster_file(self) -> Path:
        """Where the roster is looked for."""
        return self._place(self.environment.people.roster)

    @cached_property
    def cards(self) -> dict[str, tuple[Card, str]]:
        """What code says of each item, with its source, read without running it."""
        return read_cards(self.suites)

    @cached_property
    def origin(self) -> provenance.Origin:
        """Golive's code, suites and environment as they are now.

        :raises GoliveError: a file of the suites cannot be read.
        """
        if self.known_origin is not None:
            return self.known_origin
        return provenance.origin(self.root, self.suites, self.environment.fingerprint)

    @property
    def rules(self) -> Rules:
        """By what it is judged now, who decides, and whose runs count."""
        runners = self.roster.runners
        return Rules(
            thresholds=self.launch.limits.values(),
            approvers=list(self.launch.approvers),
            people={
                one.id: Signatory(
                    roles=self.roster.roles_of(one.id) or ["runner"] * (one.id in runners),
                    keys=[k.material for k in one.keys],
                )
                for one in self.roster.everybody.values()
            },
        )

    def tips(self) -> dict[str, str]:
        """The newest records of this environment, which the next one names; none in a rehearsal."""
        if self.environment.kind == "rehearsal":
            return {}
        return chain.tips(chain.here(self.reports, self._stated, self.environment.name))

    @cached_property
    def secrets(self) -> tuple[Mask, list[str]]:
        """What knows this environment's secrets, as far as this machine has them, and the names of
        those that it has not.

        :raises GoliveError: the environment's files cannot be read.
        """
        mask, file = Mask(), Path(self.environment.source)
        product = self.suites / "product.toml"
        return mask, environments.secrets_at_hand(file, product, self.root, mask)

    @property
    def owner_roles(self) -> list[str]:
        """The roles that own items, in the procedure's order."""
        return list(dict.fromkeys(i.owner_mark for i in self.procedure if i.owner_mark))

    @property
    def team(self) -> list[Person]:
        """Everybody who holds or backs up a role that owns items."""
        entitled = [p for role in self.owner_roles for p in self.roster.entitled(role)]
        return list({p.id: p for p in entitled}.values())

    @property
    def areas(self) -> list[str]:
        """The areas that items are in."""
        return sorted({i.area for i in self.procedure})

    def audience(self, name: str) -> list[str]:
        """The ids of those whom an audience of launch.toml consists of.

        :raises GoliveError: launch.toml has no such audience.
        """
        roles = self.launch.audiences.get(name)
        if roles is None:
            known = ", ".join(self.launch.audiences) or "none"
            raise GoliveError(f"{self.launch.source}: people.audiences: {name} is none of {known}")
        return list(dict.fromkeys(p.id for r in roles for p in self.roster.entitled(r)))

    def ids_of(self, block: str) -> list[str]:
        """The ids of a block's items, in the procedure's order."""
        return [i.id for i in self.procedure if i.block == block]

    def on_launch_day(self, hour: float, zone: str) -> datetime | None:
        """An hour of launch day in a time zone. None in a rehearsal, which looks at every item as
        on its own day, at whatever hour."""
        if self.environment.kind == "rehearsal":
            return None
        midnight = datetime.combine(self.launch.date, time(), ZoneInfo(zone))
        return midnight + timedelta(hours=hour)

    @property
    def launch_day_blocks(self) -> list[str]:
        """The blocks of the launch day's own time slots, in their order."""
        day = (i.block for i in self.procedure if i.phase == "launch_day" and i.due_day == 0)
        return list(dict.fromkeys(day))

    def owner_of_block(self, block: str) -> str:
        """The role that owns a block."""
        return next(i.owner_mark for i in self.procedure if i.block == block)

    @property
    def papers(self) -> Path:
        """Folder of the documents that people write."""
        return self._place(self.environment.people.papers)

    @property
    def documents(self) -> Path:
        """Folder of the deliverables that people sign."""
        own = self.environment.people.documents
        return self._place(own) if own else self.reports / "documents" / self.environment.name

    @property
    def packages(self) -> list[Path]:
        """Folders that packages lie in."""
        own = self.environment.people.packages
        return [self.reports / "packages", *([self._place(own)] if own else [])]

    @property
    def signed(self) -> Path:
        """Folder of documents as they were signed."""
        return self.reports / "signed"

    @property
    def keys(self) -> Path | None:
        """Folder of a rehearsal's throw-away keys."""
        keys = self.environment.people.keys
        return self._place(keys) if keys else None

    @property
    def _stated(self) -> Path:
        own = self.environment.people.statements
        return self._place(own) if own else self.reports / "statements"

    @cached_property
    def statements(self) -> Statements:
        """What people have signed, as it lies there now."""
        return Statements(
            self._stated,
            Entitlement(
                roster=self.roster,
                launch=self.launch,
                procedure=self.procedure,
                environment=self.environment.name,
                environment_kind=self.environment.kind,
                cards=self.cards,
            ),
        )

    def vouched(self, item: str) -> Vouched:
        """What people have stated of an item, on its papers as they lie there.

        :raises Pending: one of them is not there.
        """
        papers = self.cards[item][0].papers if item in self.cards else ()
        return self.statements.vouched(item, self.digests(papers))

    def signed_papers(self, item: str, kind: type[K]) -> list[Paper[K]]:
        """The papers of a kind, which has one file, that were signed for an item: as they were
        signed, whatever became of them since, newest first. One that is not of that kind and was
        signed again since is left out.

        :raises Pending: the newest is not of that kind.
        """
        found: list[Paper[K]] = []
        for file in self._signed_files(item, kind):
            try:
                found.append(Papers(file.parent).read(kind, file.name))
            except Pending:
                if not found:
                    raise
        return found

    def _signed_files(self, item: str, kind: type[K]) -> list[Path]:
        said = (s for s in self.statements.kept if s.statement.item == item)
        checked = (self.statements.check(s) for s in said if s.statement.kind == "attest")
        files = (file for s in checked if s.valid for file in s.evidence)
        return [file for file in files if file.name.endswith(f"-{kind.file}")]

    def signed_otherwise(self, item: str, paper: Paper[K]) -> list[str]:
        """The digests under which a paper was signed by now for an item, newest first, where none
        is that of the paper as it lies there; none where nobody has signed it for that item yet.
        """
        files = self.reloaded()._signed_files(item, type(paper.data))
        signed = [sha256(file, MOST_EVIDENCE_BYTES, "a paper") for file in files]
        return [] if paper.sha256 in signed else list(dict.fromkeys(signed))

    def launch_day(self, item: str, days_after: int = 0) -> date:
        """Launch day, or so many days after it, as an item sees it.

        A rehearsal looks at every item as on its own day, so launch day is as far ahead as the
        procedure has it.
        """
        if self.environment.kind != "rehearsal":
            return self.launch.due(days_after)
        ahead = days_after - self.procedure.items[item].due_day
        return datetime.now(UTC).date() + timedelta(days=ahead)

    def ending_early(self, item: str, said: Iterable[Signed]) -> list[str]:
        """Who signed which of these statements that do not hold through all of launch day, with
        when they end."""
        ends = {s.statement.by: self.statements.entitlement.ends(s.statement) for s in said}
        day = self.launch_day(item)
        return [f"{who} ({end:%F %H:%M} UTC)" for who, end in ends.items() if end.date() <= day]

    def reloaded(self) -> Context:
        """The same context, with statements and roster to be read again.

        The cards stay: checks do not change while they run, and parsing all of them for every
        item would cost more than the items.
        """
        again = replace(self)
        if "cards" in vars(self):
            vars(again)["cards"] = self.cards
        return again

    def digests(self, papers: tuple[str, ...]) -> dict[str, str]:
        """SHA-256 of papers as they lie there, by file name.

        :raises Pending: one is not there, or is no ordinary file.
        """
        found: dict[str, str] = {}
        for name in papers:
            path = self.papers / name
            try:
                found[name] = sha256(path, MOST_EVIDENCE_BYTES, "a paper")
            except NotThere:
                raise Pending(
                    f"{path} is not there; `golive init {self.papers}` lays out a template of it"
                ) from None
            except GoliveError as e:
                raise Pending(str(e)) from None
        return found

    def _place(self, text: str) -> Path:
        return self.root / text
