"""The rehearsal's own papers and statements of the last weeks, with nothing running: what people
write and sign is real, what machines tell is literal."""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from golive import launch, ledger, procedure, readiness, rehearsing
from golive.claims import collect
from golive.context import Context
from golive.decoding import decode
from golive.deliverables import Deliverables
from golive.environments import Outline, People
from golive.items import read_cards
from golive.masking import Mask
from golive.papers import Papers
from golive.people.roster import load as load_roster
from golive.probes.money.sales import Sales
from golive.probes.observe.components import Component
from golive.probes.people.calendar import Attendee, Event, LaunchCalendar
from golive.probes.platform.aws import AwsGroups, AwsUser
from golive.probes.platform.flags import Flag, Flags
from golive.probes.saas import launch_tools as tools
from golive.probes.saas import tracker
from golive.probes.saas.status_page import Member
from golive.probes.traffic.pages import Link
from golive.probes.transport.answers import Answers
from golive.provenance import Origin
from golive.verdicts import GoliveError, Pending, ProbeError, Verdict
from rehearsal.data import release
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.saas.saas_stubs import address
from rehearsal.staff import calendar, launch_tools, papers, people, saas_stubs
from tests.checks import SUITES, checks
from tests.golive.test_findings import NAMES
from tests.suites.derived import World

PROCEDURE = procedure.load(SUITES / "procedure.toml")
LAUNCH = launch.load(SUITES / "launch.toml")
CARDS = read_cards(SUITES)
RED = "D-7.D.1"
"""What was red when it was last looked at, as in a rehearsal whose items are not all written."""
ELSEWHERE = ("database", "status-page")
"""Kinds of access that are no groups of Amazon's."""
Look = Callable[[], Any]


class Written:
    """A rehearsal's folder in which people have written everything, and nothing runs."""

    def __init__(self, folder: Path) -> None:
        self.r = r = Rehearsal(folder)
        release.publish(r)
        launch_tools.install(r)
        first = saas_stubs.first_up(r.folder).date() - timedelta(days=21)
        self.week = str(first - timedelta(days=first.weekday()))
        r.remember("baseline", {"week": self.week, "bookings": 1000, "revenue_cents": 5_000_000})
        r.remember(papers.UPDATE, {"day": str(datetime.now(UTC).date()), "id": "mail"})
        papers.write(r)
        self.report = people.documents(r) / "final-status-report.html"
        self.report.parent.mkdir(parents=True, exist_ok=True)
        self.report.write_text("as it stands")
        (people.documents(r) / "risk-assessment-update.html").write_text("another one")
        self.looked = False
        self.ahead = timedelta()
        """By which people's clocks go ahead, where they would have to wait for the next second."""
        self.kept = launch_tools.manifest(r).read_text()

    def context(self) -> Context:
        """Where all of it lies."""
        r = self.r
        outline = Outline(
            name="rehearsal",
            kind="rehearsal",
            title="",
            people=People(
                roster=str(people.roster(r)),
                papers=str(people.papers(r)),
                statements=str(people.statements(r)),
                keys=str(people.keys(r)),
                documents=str(people.documents(r)),
            ),
        )
        origin = Origin("golive", "", ledger.Suite("", None), {})
        known = Context(
            r.folder, r.folder / "reports", outline, LAUNCH, PROCEDURE, known_origin=origin
        )
        known.__dict__["cards"] = CARDS
        return known

    def judge(self, ident: str) -> tuple[list[str], str]:
        """The subjects of an item's broken claims, and what it says where it is pending."""
        context = self.context()
        self.state(context, ident)
        said = ""
        with collect(to_the_end=True) as claims:
            try:
                digests = context.digests(CARDS[ident][0].papers)
                vouched = context.reloaded().statements.vouched(ident, digests)
                told = {"context": lambda: context, "vouched": lambda: vouched}
                check = checks()[ident]
                check(**self._asked(check, told))
                vouched.claims()
            except (Pending, ProbeError) as e:
                said = str(e)
            except (KeyError, IndexError, ZeroDivisionError):
                if not any(c.broken for c in claims):
                    raise
        return [c.subject for c in claims if c.broken], said

    def derive(self, ident: str) -> set[tuple[str, str]]:
        """The broken claims of an item that follows from others, all of them green as far as they
        are written: their subjects and what is observed."""
        context = self.context()
        if not self.looked:
            world = World(context, Mask(), people.keys(self.r))
            world.run(dict.fromkeys(CARDS, Verdict.PASS), age=timedelta(minutes=1))
            self.looked = True
        for item in ("D-7.4.2", "D-7.4.5", "D-5.3.4"):
            self.state(context, item)
        told = {
            "deliverables": lambda: Deliverables(context.reloaded(), "f", Mask()),
            "release_authors": lambda: tracker.Authors("v1.9.0..v2.0.0", 1, (("Ida", "ida@x"),)),
            "check_runs": self.check_runs,
            "pull_requests": self.pull_requests,
        }
        check = checks()[ident]
        with collect(to_the_end=True) as claims, suppress(Pending, ProbeError):
            check(**self._asked(check, told))
        return {(c.subject, c.observed) for c in claims if c.broken}

    def state(self, context: Context, ident: str) -> None:
        """Have people state an item."""
        clock = SimpleNamespace(now=lambda zone: datetime.now(zone) + self.ahead)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rehearsing, "datetime", clock)
            try:
                rehearsing.rehearse(context, ident)
            except GoliveError:  # the same, signed twice within a second, has one name
                self.ahead += timedelta(seconds=1)
                rehearsing.rehearse(context.reloaded(), ident)

    def _asked(self, check: Callable[..., None], told: Mapping[str, Look]) -> dict[str, Any]:
        """The facts that a check asks for; as in a run, nothing else is looked at."""
        looks = {**self.facts(), **told}
        return {name: looks[name]() for name in inspect.signature(check).parameters}

    def check_runs(self) -> tracker.CheckRuns:
        """What CI says of the candidate."""
        done = self._said()["tracker"]["checks"]
        runs = tuple(tracker.CheckRun(n, "completed", c) for n, c in done.items() if c)
        return tracker.CheckRuns("v2.0.0", self.commit(), tuple(saas_stubs.CHECKS), runs)

    def pull_requests(self) -> tuple[tracker.PullRequest, ...]:
        """The changes of the release, and who approves them."""
        return tuple(
            tracker.PullRequest(
                int(number),
                one["title"],
                "",
                one["author"],
                "closed",
                None,
                "",
                "",
                tuple(dict.fromkeys(review["by"] for review in one["reviews"])),
                (),
            )
            for number, one in self._said()["tracker"]["pulls"].items()
        )

    def commit(self) -> str:
        """The commit that the candidate's tag names."""
        return release._git(release.repository(self.r), "rev-parse", "v2.0.0^{commit}")

    def facts(self) -> dict[str, Look]:
        """How to look at what machines would tell."""
        r = self.r
        return {
            "papers": lambda: Papers(people.papers(r)),
            "limits": lambda: LAUNCH.limits,
            "issues": self.issues,
            "launch_calendar": self.calendar,
            "launch_tools": lambda: tools.LaunchTools(
                {t.name: tools.DryRun(t.name, "", (), "", False) for t in launch_tools.TOOLS}
            ),
            "release_manifest": lambda: decode(self.kept.encode(), tools.Manifest),
            "fixes": lambda: tracker.Fixes("v2.0.0", self.commit(), (), ()),
            "baseline_sales": lambda: Answers({self.week: Sales(1000, 5_000_000)}, {}),
            "running_components": lambda: tuple(
                Component(n, ("it",)) for n, _ in papers.COMPONENTS
            ),
            "aws_groups": lambda: AwsGroups(
                {k: tuple(v) for k, v in self._table().items() if k not in ELSEWHERE}
            ),
            "aws_users": lambda: (AwsUser("sanjay", True, datetime.now(UTC)),),
            "database_operators": lambda: tuple(self._table()["database"]),
            "status_page_members": self.members,
            "war_room_bridges": self.bridges,
            "flags": lambda: Flags(
                {n: Flag(n, "", True, True, False) for n in self._said()["flags"]}
            ),
            "deliverables": lambda: SimpleNamespace(
                digest=lambda _: launch_tools._sha256(self.report)
            ),
            "env": lambda: SimpleNamespace(
                calendar=SimpleNamespace(
                    time_zone=calendar.ZONE,
                    war_room="Launch war room",
                    block="Launch: ",
                    go_no_go="Go/no-go meeting",
                ),
                tools=SimpleNamespace(
                    deploy="deploy-application", emergency_rollback="emergency-rollback"
                ),
            ),
        }

    def flags(self) -> Flags:
        """The feature flags."""
        return Flags({n: Flag(n, "", True, True, False) for n in self._said()["flags"]})

    def members(self) -> tuple[Member, ...]:
        """Who may publish on the status page."""
        roster = load_roster(people.roster(self.r))
        mails = [roster.people[i].email for i in self._table()["status-page"]]
        return tuple(Member(mail, mail) for mail in mails)

    def bridges(self) -> Answers[Link]:
        """That both bridges of the war room answer."""
        urls = [address(self.r, p) for p in ("/bridge", "/bridge-backup")]
        return Answers({url: Link(url, 200, url) for url in urls}, {})

    def _table(self) -> dict[str, list[str]]:
        """Who has which kind of access, as the roster has the roles that need it."""
        needed = {
            "technical_lead": ["hosting", "deploy", "status-page"],
            "devops_lead": ["hosting", "dns", "deploy", "secrets", "database", "status-page"],
            "product_manager": ["status-page"],
            "security_lead": ["secrets"],
            "database_administrator": ["database"],
        }
        found: dict[str, list[str]] = {}
        for role, kinds in needed.items():
            for kind in kinds:
                for p in people.PEOPLE:
                    if role in (*p.roles, *p.backs_up) and p.id not in found.setdefault(kind, []):
                        found[kind].append(p.id)
        return found

    def _said(self) -> dict[str, Any]:
        return saas_stubs.state(self.r.folder)

    def issues(self) -> tracker.Issues:
        """The tracker's issues, by their labels and owners."""
        said = self._said()["tracker"]
        found = []
        for number, one in said["issues"].items():
            labels = tuple(label for label in one["labels"] if label in said["labels"])
            closed = bool(one["closed"])
            found.append(
                tracker.Issue(
                    number=int(number),
                    title=one["title"],
                    url="",
                    state="closed" if closed else "open",
                    labels=labels,
                    severity=tracker._severity(labels, NAMES),
                    milestone="v2.0.0" if one["milestone"] else "",
                    assignees=tuple(one["assignees"]),
                    author=one["author"],
                    opened_at=datetime.fromisoformat(one["opened"]),
                    closed_at=None,
                    closed_by="",
                    commits=(),
                    reopened_at=(),
                    verified_by="",
                    verified_at=None,
                    severity_changes=(),
                    due=None,
                    fields={},
                    text_sha256="",
                )
            )
        return tracker.Issues(
            repository="",
            milestone="v2.0.0",
            milestone_due=None,
            labels=tuple(said["labels"]),
            names=NAMES,
            canary=saas_stubs.CANARY,
            all=tuple(found),
        )

    def calendar(self) -> LaunchCalendar:
        """The launch's calendar."""
        patches = [p for n, p in self.r.overrides("messages").items() if n.startswith("calendar")]
        timeline = people.papers(self.r) / "launch-timeline.md"
        site = address(self.r, "")
        events = [
            Event(
                calendar.ident(name),
                e["summary"],
                *calendar.times(e),
                calendar.ZONE,
                tuple(
                    Attendee(a["email"], a["responseStatus"]) for a in e["attendees"].values() if a
                ),
                f"{e.get('location', '')}\n{e.get('description', '')}",
            )
            for name, e in calendar.state(site, timeline, patches)["events"].items()
        ]
        return LaunchCalendar(calendar.ZONE, tuple(replace(e) for e in events))

    def forget(self) -> None:
        """Throw away what was signed."""
        for folder in people.statements(self.r).iterdir():
            if folder.is_dir():
                shutil.rmtree(folder)
        self.ahead = timedelta()


def quiet(monkeypatch: Any) -> None:
    """Nothing was looked at before the first run, and one item is red since."""
    monkeypatch.setattr(readiness, "counts", lambda *_: {})
    monkeypatch.setattr(readiness, "red", lambda *_, **__: [RED])
