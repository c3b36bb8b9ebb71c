"""A launch with everything in order, for items that follow from others: literal verdicts,
statements, papers and documents."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
import yaml

from golive import launch, ledger, procedure
from golive.claims import Claim, collect
from golive.context import Context
from golive.deliverables import NOT_JUDGED, Deliverables
from golive.items import Card
from golive.masking import Mask
from golive.papers import Kind, Papers
from golive.papers.aftermath import SupportShift, SupportShifts
from golive.papers.kinds import (
    Briefing,
    Decision,
    GoNoGo,
    LaunchProcedure,
    LaunchTimeline,
    Risk,
    RiskRegister,
    RoleTable,
    Shift,
    Slot,
)
from golive.papers.messages import CommunicationPlan, PlannedMessage
from golive.people import statements
from golive.probes.money.till import Transaction
from golive.probes.observe.baseline import PerformanceBaseline, Recomputed, Written
from golive.probes.people.authorisation import Authorisation
from golive.probes.people.calendar import Attendee, Event, LaunchCalendar
from golive.probes.saas.launch_tools import Artefact, Manifest, ManifestSignature
from golive.probes.saas.tracker import Authors, CheckRun, CheckRuns, Fixes, PullRequest
from golive.store import Kept
from golive.verdicts import Unseen, Verdict
from tests.checks import checks
from tests.golive.test_findings import COMMIT, issues
from tests.suites import recorded_facts

SUITES = Path(__file__).parents[2] / "suites"


PROCEDURE = procedure.load(SUITES / "procedure.toml")


LAUNCH = launch.load(SUITES / "launch.toml")


ROLES = sorted({i.owner_mark for i in PROCEDURE if i.owner_mark} | set(LAUNCH.roles))


SIGNED_BY_TWO = {
    "D-14.D.2": ["devops_lead", "security_lead"],
    "D-11.D.2": ["integration_lead", "finance"],
    "D-2.D.3": ["product_manager", "devops_lead"],
}


EACH = {"D-7.4.2", "D-5.3.4"}
"""What everybody states in person."""


EVIDENCE = {
    "D-5.1.4": ["risk-register.md"],
    "D-2.1.3": ["risk-register.md"],
    "D-7.4.5": ["launch-timeline.md"],
}
"""Papers that statements name and other items read."""


UNSIGNED = {"D-10.2.1", "D-10.2.2", "D-10.2.3", "D-6.3.5", "D-2.1.1", "D-1.1.4"}


ABOUT_RED = {"D-14.D.4", "D-9.D.3"}
"""They are about what is not green."""


_SIGNED: dict[str, dict[Path, bytes]] = {}
"""Files of the statements that were signed in this session, by item and by path beneath their
folder: held as bytes, for tests alter and remove theirs."""


def derived() -> dict[str, Callable[..., None]]:
    """The check of every derived item, by id. Day -13's have faults in the rehearsal."""
    return {i: check for i, check in checks("derived").items() if not i.startswith("D-13.")}


KEPT = Kept("s3://x", 1, "COMPLIANCE", datetime(2099, 1, 1, tzinfo=UTC))


def performance_baseline(**changes: Any) -> PerformanceBaseline:
    """One of a single figure, with everything in order."""
    figure = Written("memory", "backend", 5e8, "avg(memory_bytes)", "memory_bytes")
    ended = datetime(2026, 11, 26, tzinfo=UTC)
    made = PerformanceBaseline(
        file="baseline.json",
        sha256="ab" * 32,
        environment="rehearsal",
        version="2.0.0",
        serving=("2.0.0",),
        version_coverage_percent=100.0,
        began=ended - timedelta(days=7),
        ended=ended,
        wanted=("memory of backend",),
        figures=(Recomputed(figure, 2000.0, 100.0, 5e8),),
    )
    return replace(made, **changes)


@dataclass
class World:
    """A launch with everything in order, until a test changes that."""

    context: Context
    mask: Mask
    keys: Path
    count: int = 0
    kept: Kept = KEPT
    """How the store has whatever document it is asked for."""
    facts: dict[str, dict[str, Any]] = field(default_factory=recorded_facts.facts)
    """What the next run has on record, by item and probe."""
    at_stripe: tuple[Transaction, ...] | Unseen = tuple(
        Transaction(**t)
        for probes in recorded_facts.FACTS.values()
        for found in probes.values()
        for t in found.get("transactions", ())
    )
    """Synthetic payments as Stripe has them now."""

    def run(
        self,
        verdicts: dict[str, Verdict],
        age: timedelta = timedelta(),
        candidate: str = "v2.0.0",
    ) -> None:
        """A run in which the items had these verdicts."""
        self.count += 1
        at = datetime.now(UTC) - age
        lines = [PROCEDURE.items[i] for i in verdicts]
        names = ledger.Line.__struct_fields__
        head = ledger.Head(
            id=f"{self.count:04}Z-rehearsal-00",
            environment=ledger.EnvironmentRef("rehearsal", "rehearsal", "", "f"),
            candidate=candidate,
            launch_date=LAUNCH.date,
            today=date(2026, 11, 23),
            who="",
            host="",
            started_at=at,
            suite=ledger.Suite("", None),
            packages={},
            windows={},
            unwritten=[],
            engine="golive",
            selected=[ledger.Line(**{n: getattr(x, n) for n in names}) for x in lines],
        )
        book = ledger.Ledger(self.context.reports, head, Mask())
        found = {p: v for i in verdicts for p, v in self.facts.get(i, {}).items()}
        for probe, value in found.items():
            book.add_facts(ledger.Gathered(probe=probe, observed_at=at, duration_s=0, value=value))
        for ident, verdict in verdicts.items():
            held = verdict is not Verdict.FAIL
            claims = [ledger.Claim("p95", "23.4 ms", "at most 50 ms", held)]
            book.add_verdict(
                ledger.ItemVerdict(
                    id=ident,
                    verdict=verdict,
                    started_at=at,
                    duration_s=0.1,
                    claims=claims,
                    message="" if held else "it is slow",
                    remedy="Fix it.",
                    check="own",
                    facts=list(self.facts.get(ident, {})),
                )
            )
        book.close(0)

    def attest(
        self,
        ident: str,
        made: timedelta = timedelta(),
        holds: timedelta | None = None,
        role: str = "",
        evidence: tuple[Path, ...] = (),
    ) -> None:
        """The owner of an item, or who has another role, states it."""
        now = datetime.now(UTC).replace(microsecond=0) + made
        role = role or PROCEDURE.items[ident].owner_mark
        statement = statements.Statement(
            kind="attest",
            item=ident,
            title=PROCEDURE.items[ident].title,
            environment="rehearsal",
            environment_kind="rehearsal",
            fingerprint=statements.fingerprint(PROCEDURE.items[ident].title, (Card(ident), "")),
            candidate="v2.0.0",
            by=role,
            role=role,
            text="Done.",
            made_at=now,
            expires_at=now + (holds or LAUNCH.validity(ident)),
        )
        folder = self.context.statements.folder
        statements.keep(statement, evidence, self.keys / role, folder)

    def fixtures(self) -> dict[str, Any]:
        """What checks may ask for, everything in order."""
        context = self.context.reloaded()
        context.__dict__["cards"] = self.context.cards
        artefact = Artefact("backend", "v2.0.0", recorded_facts.IMAGE)
        release = Artefact("release", "v2.0.0", "cd" * 32, recorded_facts.FILES)
        return {
            "deliverables": Deliverables(context, "f", self.mask),
            "ask": lambda *_: self.at_stripe,
            "limits": LAUNCH.limits,
            "launch": LAUNCH,
            "today": date(2026, 11, 27),
            "issues": issues(),
            "release_authors": Authors("v1.9.0..v2.0.0", 3, (("Ida Noh", "ida@example.com"),)),
            "fixes": Fixes("v2.0.0", COMMIT, (COMMIT,), ()),
            "check_runs": CheckRuns(
                "v2.0.0", COMMIT, ("build",), (CheckRun("build", "completed", "success"),)
            ),
            "pull_requests": (pull_request(),),
            "release_manifest": Manifest("v2.0.0", "v1.9.0", COMMIT, [artefact, release]),
            "manifest_signature": ManifestSignature("technical_lead", ""),
            "stored_artefacts": (artefact, release),
            "authorisation": authorisation(),
            "performance_baseline": performance_baseline(),
            "env": SimpleNamespace(
                release=SimpleNamespace(tag="v2.0.0"),
                stripe=SimpleNamespace(
                    api_version=recorded_facts.VERSION, account="acct_1", livemode=False
                ),
                customer_calendar=SimpleNamespace(project="4711"),
                customer_mail=SimpleNamespace(account="shop-live"),
                customer_sms=SimpleNamespace(account="AC1"),
                business_profile=SimpleNamespace(client_id="4712-a.apps.googleusercontent.com"),
                analytics=SimpleNamespace(container="GTM-1", measurement_id="G-1", pixel_id="99"),
                application=SimpleNamespace(
                    instances=[SimpleNamespace(name=n) for n in recorded_facts.INSTANCES]
                ),
                name="rehearsal",
                calendar=SimpleNamespace(
                    time_zone="America/New_York",
                    war_room="War room",
                    block="Launch: ",
                    go_no_go="Decision",
                ),
            ),
            "launch_calendar": self.calendar(),
            "kept": lambda _: self.kept,
            "papers": Papers(context.papers),
        }

    def write(self, paper: Kind, name: str = "") -> Path:
        """A paper, as somebody would write it."""
        path = self.context.papers / (name or paper.file)
        path.parent.mkdir(parents=True, exist_ok=True)
        front = yaml.dump(msgspec.to_builtins(paper), Dumper=yaml.CSafeDumper, sort_keys=False)
        path.write_text(f"---\n{front}---\n\n# Paper\n\nText.\n")
        return path

    def calendar(self, *, but: str = "", **changes: Any) -> LaunchCalendar:
        """The events of the launch, one of them otherwise."""
        timeline = hashlib.sha256(
            (self.context.papers / LaunchTimeline.file).read_bytes()
        ).hexdigest()
        team = tuple(Attendee(f"{role}@example.com", "accepted") for role in ROLES)
        at, zone = datetime(2026, 12, 6, 20, tzinfo=UTC), "America/New_York"
        events = []
        for title in ("War room", "Launch: phase 1", "Decision"):
            event = Event(title, title, at, at + timedelta(hours=1), zone, team, timeline)
            events.append(replace(event, **changes) if title == but else event)
        return LaunchCalendar(zone, tuple(events))

    def written(self) -> None:
        """The papers that derived items read."""
        for audience in LAUNCH.audiences:
            reported = ROLES if audience == "technical" else []
            briefing = Briefing(audience=audience, held_on=date(2026, 12, 3), attendees=reported)  # type: ignore[arg-type]
            self.write(briefing, f"briefing-{audience}.md")
        self.write(register(risk("R-01"), risk("R-02", score="high")))
        followed = hashlib.sha256(self.write(timeline()).read_bytes()).hexdigest()
        self.write(LaunchProcedure(version="v2.0.0", timeline_sha256=followed))
        self.write(role_table())
        self.write(meeting())
        self.write(plan(*(message(f"M-{n}") for n in range(4))))
        noon = datetime(2026, 12, 7, 17, tzinfo=UTC)
        self.write(shifts((noon - timedelta(hours=6), noon), (noon, noon + timedelta(hours=5))))

    def claims(self, ident: str, **changes: Any) -> list[Claim]:
        """What the check claims, up to the first that does not hold."""
        check = derived()[ident]
        given = self.fixtures() | changes
        with collect() as claims:
            try:
                check(**{name: given[name] for name in inspect.signature(check).parameters})
            except AssertionError:
                assert not claims[-1].holds, "an assertion that is no claim"
        return claims

    def broken(self, ident: str, **changes: Any) -> str:
        """The subject of the claim that does not hold; what no check judges yet is left out."""
        broken = [c.subject for c in self.claims(ident, **changes) if not c.holds]
        return "" if broken in ([], [NOT_JUDGED]) else broken[0]

    def rests_on(self, ident: str) -> tuple[str, ...]:
        """The items that a derived one rests on, as its check says."""
        asked: list[tuple[str, ...]] = []

        class Asked:
            context = self.context

            def of(self, _: str, __: str, rests_on: tuple[str, ...], *___: Any, **____: Any) -> Any:
                asked.append(rests_on)
                raise LookupError

        check = derived()[ident]
        given = self.fixtures() | {"deliverables": Asked()}
        with pytest.raises(LookupError):
            check(**{name: given[name] for name in inspect.signature(check).parameters})
        return tuple(
            dict.fromkeys(i.id for p in asked[0] for i in PROCEDURE.under(p) if i.id != ident)
        )

    def in_order(self, ident: str, *, but: dict[str, Verdict] | None = None, **given: Any) -> None:
        """Everything that an item rests on is green, and stated where people have to."""
        found = self.rests_on(ident)
        self.run(dict.fromkeys(found, Verdict.PASS) | (but or {}), **given)
        self.attest_all(found)

    def documents(self, ident: str) -> None:
        """The documents of other items, where the item is about those."""
        if ident != "D-2.D.1":
            return
        deliverables = self.fixtures()["deliverables"]
        for one in self.rests_on(ident):
            if PROCEDURE.items[one].way == "derived":
                deliverables.of(one, f"document-{one}", ("D-2.2.4",), whole=False)

    def attest_all(self, items: Iterable[str]) -> None:
        """Their owners state those that people vouch for; each is signed once and then copied."""
        for one in items:
            if PROCEDURE.items[one].way != "attested":
                continue
            folder = self.context.statements.folder
            if one not in _SIGNED:
                self.attest(
                    one, evidence=tuple(self.context.papers / n for n in EVIDENCE.get(one, ()))
                )
                owner = PROCEDURE.items[one].owner_mark
                for role in OWNERS if one in EACH else ():
                    if role != owner:
                        self.attest(one, role=role)
                if LAUNCH.needs_two(one):
                    self.attest(one, role="technical_lead")
                _SIGNED[one] = {
                    file.relative_to(folder): file.read_bytes()
                    for signed in folder.glob(f"*Z-{one}-*")
                    for file in signed.rglob("*")
                    if file.is_file()
                }
            for name, content in _SIGNED[one].items():
                if not (folder / name).exists():
                    (folder / name).parent.mkdir(parents=True, exist_ok=True)
                    (folder / name).write_bytes(content)


def risk(ident: str, **changes: Any) -> Risk:
    known: dict[str, Any] = {
        "id": ident,
        "title": "it rains",
        "area": "infra",
        "likelihood": "low",
        "impact": "low",
        "score": "low",
        "owner": "devops_lead",
        "mitigation": "a roof",
        "trigger": "drops",
        "scored_on": date(2026, 12, 1),
        "review_on": date(2026, 12, 3),
    }
    return Risk(**(known | changes))


OWNERS = list(dict.fromkeys(i.owner_mark for i in PROCEDURE if i.owner_mark))


PACKAGE = "ef" * 32


def meeting(**changes: Any) -> GoNoGo:
    reported: dict[str, Any] = {
        "held_at": datetime(2026, 12, 6, 20, tzinfo=UTC),
        "decision": "go",
        "reasons": "Every rule holds.",
        "conditions": ["two people at the pager"],
        "commit": COMMIT,
        "package_sha256": PACKAGE,
        "register_sha256": "cd" * 32,
        "risks": [Decision(id="R-02", decision="accept", owner="devops_lead")],
    }
    return GoNoGo(**(reported | changes))


def timeline(**changes: Any) -> LaunchTimeline:
    ends = {f"phase_{n}": f"{9 + n}:00" for n in (1, 2, 3, 4)} | {"launch_1600": "17:00"} | changes
    starts = {"phase_4": "12:30"}
    slots = [
        Slot(block=b, starts=starts.get(b, "09:00"), ends=e, owner="devops_lead")
        for b, e in ends.items()
    ]
    return LaunchTimeline(date=date(2026, 12, 7), utc_offset="-05:00", slots=slots)


def role_table(**primary: str) -> RoleTable:
    shifts_ = [
        Shift(role=r, primary=primary.get(r, r), backup=r, starts="06:00", ends="17:00")
        for r in OWNERS
    ]
    return RoleTable(date=date(2026, 12, 7), shifts=shifts_)


def message(ident: str, **changes: Any) -> PlannedMessage:
    known: dict[str, Any] = {
        "id": ident,
        "channel": "e-mail",
        "owner": "product_manager",
        "recipients": 4,
        "send_at": datetime(2026, 12, 7, 18, tzinfo=UTC),
        "text": "announcement.md",
        "text_sha256": "ab" * 32,
        "no_go_text": "another day",
    }
    return PlannedMessage(**(known | changes))


def plan(*messages: PlannedMessage) -> CommunicationPlan:
    return CommunicationPlan(messages=list(messages))


def shifts(*spans: tuple[datetime, datetime]) -> SupportShifts:
    return SupportShifts(
        shifts=[SupportShift(starts=a, ends=b, agents=["support_lead"]) for a, b in spans]
    )


def register(*risks: Risk, **closed: str) -> RiskRegister:
    return RiskRegister(changed_on=date(2026, 12, 1), risks=list(risks), closed=closed)


def authorisation(**changes: Any) -> Authorisation:
    day = datetime.now(UTC).date() + timedelta(days=1)
    begins = datetime.combine(day, time(9), ZoneInfo("America/New_York"))
    known: dict[str, Any] = {
        "environment": "rehearsal",
        "version": "v2.0.0",
        "commit": COMMIT,
        "artefacts": {},
        "window_begins_at": begins,
        "window_ends_at": begins + timedelta(hours=4),
        "signature_cause": "",
        "refusal_with": "",
        "refusals": {},
    }
    return Authorisation(**(known | changes))


def pull_request(**changes: Any) -> PullRequest:
    known: dict[str, Any] = {
        "number": 7,
        "title": "Booking",
        "url": "",
        "author": "hugo",
        "state": "closed",
        "merged_at": datetime.now(UTC),
        "merged_by": "tess",
        "merge_commit": COMMIT,
        "approvals": ("tess", "theo"),
        "objections": (),
    }
    return PullRequest(**(known | changes))
