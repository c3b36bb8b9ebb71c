"""The rehearsal's own papers of launch day and its evening, with nothing running."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from golive import launch, procedure
from golive.claims import Claim, none_of
from golive.deliverables import NOBODY_WROTE
from golive.papers import Papers
from golive.people import roster
from golive.probes.people import announcements, mail
from golive.probes.people.calendar import Event, LaunchCalendar
from golive.probes.traffic import pages
from golive.verdicts import Verdict
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.saas.saas_stubs import page as saas_page
from rehearsal.parts.traffic.hosts import EDGE_HOSTS
from rehearsal.staff import calendar as launch_calendar
from rehearsal.staff import papers, people, saas_stubs, scripts
from tests.checks import broken, checks

SUITES = Path(__file__).parents[3] / "suites"


LAUNCH = launch.load(SUITES / "launch.toml")


PROCEDURE = procedure.load(SUITES / "procedure.toml")


NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)


MAIL = "mail-of-the-day"


CASE = "business-case.md"


def signed(by: str, role: str, *, cause: str = "", at: datetime = NOON, **more: Any) -> Any:
    statement = SimpleNamespace(by=by, role=role, made_at=at, data={}, evidence=[], **more)
    return SimpleNamespace(statement=statement, cause=cause, valid=not cause)


class Said:
    """Stands for what people stated of an item."""

    def __init__(self, *every: Any, **signed: str) -> None:
        self.all = list(every)
        self.signed = signed

    @property
    def valid(self) -> list[Any]:
        return [s for s in self.all if s.valid]

    def digests(self, paper: str) -> dict[str, str]:
        return {"product_manager": self.signed.get(paper, "")}

    counted = valid


class Resting:
    """Stands for the deliverables: others rest on what nobody has written, or it holds."""

    def __init__(self, written: bool) -> None:
        self.written = written
        self.before: Any = None

    def resting(self, _: str, wanted: tuple[str, ...], **more: Any) -> Iterator[Claim]:
        self.before = more.get("before")
        lacking = [] if self.written else wanted
        yield none_of(NOBODY_WROTE, lacking, among=len(wanted), of="items")


class World:
    """The rehearsal's papers, roster, pages, mails and calendar, with nothing running."""

    def __init__(self, r: Rehearsal) -> None:
        self.r = r
        self.written = True
        self.statements: dict[str, Said] = {}
        self.looks: list[Any] = []
        self.verdicts: dict[str, Verdict] = {}
        self.bounced: set[str] = set()
        self.inbox: list[mail.Reply] = []
        self.deliverables = Resting(written=True)
        self.env: Any = SimpleNamespace(
            edge=SimpleNamespace(hosts=list(EDGE_HOSTS)),
            people=SimpleNamespace(papers=str(people.papers(r))),
            calendar=SimpleNamespace(time_zone=launch_calendar.ZONE, review="Launch review"),
        )
        self.roster = roster.load(people.roster(r))
        self.approved_case = scripts.sha256(people.papers(r) / CASE)

    def context(self) -> Any:
        def audience(name: str) -> list[str]:
            roles = LAUNCH.audiences[name]
            return [p.id for role in roles for p in self.roster.entitled(role)]

        return SimpleNamespace(
            launch=LAUNCH,
            roster=self.roster,
            reports=Path("reports"),
            environment=SimpleNamespace(name="rehearsal"),
            audience=audience,
            ids_of=lambda block: [i.id for i in PROCEDURE if i.block == block],
        )

    def calendar(self) -> LaunchCalendar:
        patches = [p for n, p in self.r.overrides("messages").items() if n.startswith("calendar")]
        state = launch_calendar.state("", Path("none"), patches)
        return LaunchCalendar(
            launch_calendar.ZONE,
            tuple(
                Event(name, e["summary"], *launch_calendar.times(e), launch_calendar.ZONE, (), "")
                for name, e in state["events"].items()
            ),
        )

    def looker(self, _: Any) -> Callable[[str], pages.Page]:
        said = saas_stubs.state(self.r.folder)

        def look(url: str) -> pages.Page:
            parts = urlsplit(url)
            status, text, _where = (
                (200, "", "") if parts.hostname in EDGE_HOSTS else saas_page(said, parts.path)
            )
            return pages.Page(url, status, url, (url,), "", text, True)

        return look

    def activity(self, _: Any, since: datetime) -> list[mail.Sent]:
        return [
            mail.Sent(f"{MAIL}.recvd-{n}", p.email, "", status, NOON)
            for n, p in enumerate(self.roster.people.values())
            for status in ["not_delivered" if p.id in self.bounced else "delivered"]
        ]

    def vouched(self, item: str) -> Said:
        if item in self.statements:
            return self.statements[item]
        if item == "D-5.1.3":
            return Said(**{CASE: self.approved_case})
        if item != "T0-1230.3.5":
            return Said(signed("elena", "executive_team"))
        evidence = [
            SimpleNamespace(sha256=scripts.sha256(people.papers(self.r) / "message-press.md"))
        ]
        both = [signed("paul", "product_manager"), signed("elena", "executive_team")]
        for one in both:
            one.statement.evidence = evidence
        return Said(*both)

    def judge(self, ident: str) -> str:
        """The subject of the claim that breaks an item; empty when it is green."""
        self.deliverables = Resting(self.written)
        told: dict[str, Callable[[], Any]] = {
            "papers": lambda: Papers(people.papers(self.r)),
            "env": lambda: self.env,
            "context": self.context,
            "limits": lambda: LAUNCH.limits,
            "deliverables": lambda: self.deliverables,
            "vouched": lambda: self.vouched(ident),
            "vouched_of": lambda: self.vouched,
            "launch_calendar": self.calendar,
            "message_links": lambda: announcements.message_links(self.env),
            "message_deliveries": lambda: announcements.message_deliveries(self.env),
            "arrivals": lambda: announcements.arrivals(self.env),
        }
        # As in a run, only what the item asks for is looked at.
        wanted = inspect.signature(checks()[ident]).parameters
        return broken(ident, {name: look() for name, look in told.items() if name in wanted})


@contextmanager
def paper_with(world: World, name: str, how: papers.Change) -> Iterator[None]:
    """A paper that says something else for a while."""
    path = people.papers(world.r) / name
    before = path.read_bytes()
    papers.alter(world.r, name, how)
    try:
        yield
    finally:
        path.write_bytes(before)


def agreed(*roles: str, cause: str = "", at: datetime | None = None) -> Said:
    said = [signed(f"of {x}", x, cause=cause, at=at or NOON - timedelta(days=1)) for x in roles]
    for one in said:
        one.statement.data = {"press": "none"}
    return Said(*said)


BOTH = ("product_manager", "executive_team")


LONG_AGO = NOON - timedelta(days=2)


EVERYBODY, STAKEHOLDERS = "message-everybody.md", "message-stakeholders.md"


STAND_DOWN, CUSTOMERS = "message-stand-down.md", "message-customer-figures.md"
