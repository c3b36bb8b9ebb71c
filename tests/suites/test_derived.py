"""Items that follow from others, on literal verdicts: whole they hold, with a fault they do not.

What no check judges yet keeps an item red; with everything else in order it is red for that alone.
"""

from __future__ import annotations

import hashlib
import inspect
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
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
from golive.deliverables import (
    NOBODY_LOOKED,
    NOBODY_WROTE,
    NOT_GREEN,
    NOT_JUDGED,
    Deliverables,
    documents_of,
)
from golive.environments import Outline, People
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
from golive.people.roster import load as load_roster
from golive.people.signatures import sign
from golive.probes.people.authorisation import Authorisation
from golive.probes.people.calendar import Attendee, Event, LaunchCalendar
from golive.probes.saas.launch_tools import Artefact, Manifest
from golive.probes.saas.tracker import Authors, CheckRun, CheckRuns, Fixes, PullRequest
from golive.provenance import Origin
from golive.reports.documents import read_document, write_document
from golive.store import Kept
from golive.verdicts import Verdict
from tests.checks import checks
from tests.conftest import make_key, toml
from tests.golive.test_findings import COMMIT, issue, issues

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


_SIGNED: dict[str, list[Path]] = {}
"""Statements that were signed in this session, by item."""


def derived() -> dict[str, Callable[..., None]]:
    """The check of every derived item, by id. Day -13's have faults in the rehearsal."""
    return {i: check for i, check in checks("derived").items() if not i.startswith("D-13.")}


KEPT = Kept("s3://x", 1, "COMPLIANCE", datetime(2099, 1, 1, tzinfo=UTC))


@dataclass
class World:
    """A launch with everything in order, until a test changes that."""

    context: Context
    mask: Mask
    keys: Path
    count: int = 0
    kept: Kept = KEPT
    """How the store has whatever document it is asked for."""

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
                    remedy="Mend it.",
                    check="own",
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
        context = self.context.anew()
        context.__dict__["cards"] = self.context.cards
        artefact = Artefact("backend", "v2.0.0", "ab" * 32)
        return {
            "deliverables": Deliverables(context, "f", self.mask),
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
            "release_manifest": Manifest("v2.0.0", "v1.9.0", COMMIT, [artefact]),
            "stored_artefacts": (artefact,),
            "authorisation": authorisation(),
            "env": SimpleNamespace(
                calendar=SimpleNamespace(
                    time_zone="America/New_York",
                    war_room="War room",
                    block="Launch: ",
                    go_no_go="Decision",
                )
            ),
            "launch_calendar": self.calendar(),
            "kept": lambda _: self.kept,
            "papers": Papers(context.papers),
        }

    def write(self, paper: Kind, name: str = "") -> Path:
        """A paper, as somebody would write it."""
        path = self.context.papers / (name or paper.file)
        path.parent.mkdir(parents=True, exist_ok=True)
        front = yaml.safe_dump(msgspec.to_builtins(paper), sort_keys=False)
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
            told = ROLES if audience == "technical" else []
            briefing = Briefing(audience=audience, held_on=date(2026, 12, 3), attendees=told)  # type: ignore[arg-type]
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
                _SIGNED[one] = list(folder.glob(f"*Z-{one}-*"))
            for signed in _SIGNED[one]:
                if not (folder / signed.name).exists():
                    shutil.copytree(signed, folder / signed.name)


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
    told: dict[str, Any] = {
        "held_on": date(2026, 12, 6),
        "decision": "go",
        "reasons": "Every rule holds.",
        "conditions": ["two people at the pager"],
        "commit": COMMIT,
        "package_sha256": PACKAGE,
        "register_sha256": "cd" * 32,
        "risks": [Decision(id="R-02", decision="accept", owner="devops_lead")],
    }
    return GoNoGo(**(told | changes))


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


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    keys = tmp_path / "keys"
    people = []
    for n, role in enumerate(ROLES):
        public = make_key(keys / role).with_suffix(".pub").read_text()
        people.append(
            {
                "id": role,
                "name": role,
                "email": f"{role}@example.com",
                "phone": f"+12025550{100 + n}",
                "roles": [role],
                "keys": [{"public": public}],
            }
        )
    roster = tmp_path / "roster.toml"
    roster.write_text(toml({"schema": 1, "person": people}))
    assert load_roster(roster).holders("finance")
    outline = Outline(
        name="rehearsal",
        kind="rehearsal",
        title="",
        people=People(
            roster=str(roster),
            papers="papers",
            keys=str(keys),
            documents=str(tmp_path / "documents"),
        ),
    )
    origin = Origin("golive", "", ledger.Suite("", None), {i.id: "own" for i in PROCEDURE})
    context = Context(
        tmp_path, tmp_path / "reports", outline, LAUNCH, PROCEDURE, known_origin=origin
    )
    context.__dict__["cards"] = {i.id: (Card(i.id, each=i.id in EACH), "") for i in PROCEDURE}
    world = World(context, Mask(), keys)
    world.written()
    return world


every = pytest.mark.parametrize("ident", sorted(set(derived()) - {"D-2.D.2"}))


@every
def test_with_everything_in_order_it_holds_and_the_right_roles_signed(
    world: World, ident: str
) -> None:
    world.in_order(ident)
    world.documents(ident)
    claims = world.claims(ident)
    broken = [repr(c) for c in claims if not c.holds and c.subject != NOT_JUDGED]
    assert broken == []
    path = documents_of(world.context)[ident]
    document = read_document(path)
    owner = [] if ident in UNSIGNED else [PROCEDURE.items[ident].owner_mark]
    assert [s.role for s in document.signers] == SIGNED_BY_TWO.get(ident, owner)
    assert len(list(path.parent.glob(f"{path.name}*.sig"))) == len(document.signers)


@every
def test_without_one_of_its_verdicts_it_is_red(world: World, ident: str) -> None:
    *others, last = world.rests_on(ident)
    world.run(dict.fromkeys(others, Verdict.PASS))
    world.attest_all(others)
    if others:
        assert world.broken(ident) == NOBODY_LOOKED
    del world.context.cards[last]
    (claim,) = [c for c in world.claims(ident) if not c.holds]
    assert (claim.subject, claim.observed) == (NOBODY_WROTE, last)


@every
def test_with_a_red_verdict_it_is_red(world: World, ident: str) -> None:
    world.in_order(ident, but={world.rests_on(ident)[-1]: Verdict.FAIL})
    expected = "red or waived items without just one issue" if ident in ABOUT_RED else NOT_GREEN
    assert world.broken(ident) == expected


@every
def test_with_a_verdict_that_is_too_old_it_is_red(world: World, ident: str) -> None:
    world.in_order(ident)
    world.run({world.rests_on(ident)[-1]: Verdict.PASS}, age=timedelta(days=100))
    assert world.broken(ident) == "age of its verdicts"


@every
def test_with_a_verdict_on_another_candidate_it_is_red(world: World, ident: str) -> None:
    world.in_order(ident)
    world.run({world.rests_on(ident)[-1]: Verdict.PASS}, candidate="v1.9.0")
    assert world.broken(ident) == "verdicts on another candidate"


@pytest.mark.parametrize("ident", sorted(set(derived()) - UNSIGNED))
def test_with_a_page_that_was_altered_it_is_red(world: World, ident: str) -> None:
    world.in_order(ident)
    world.documents(ident)
    world.claims(ident)
    path = documents_of(world.context)[ident]
    path.write_text(path.read_text().replace("23.4 ms", "13.4 ms"))
    assert world.broken(ident) == "figures that differ from the ledger"


def test_the_summary_of_the_security_audit_counts_what_the_tracker_has(world: World) -> None:
    world.in_order("D-14.D.2")
    grave = issues(issue(9, severity="high", labels=("security-finding",)))
    assert world.broken("D-14.D.2", issues=grave) == "open critical or high findings"
    assert world.broken("D-9.D.1", issues=grave) != ""
    assert world.broken("D-14.D.2") == ""


def test_the_summary_needs_the_security_leads_own_signature(world: World) -> None:
    world.in_order("D-14.D.2")
    assert world.broken("D-14.D.2") == ""
    first = world.context.documents / "security-audit-summary.html.sig"
    second = world.context.documents / "security-audit-summary.html.security_lead.sig"
    second.write_bytes(first.read_bytes())
    told = "the signature of the Security Lead on security-audit-summary.html"
    assert world.broken("D-14.D.2") == told


def test_the_log_of_the_day_needs_an_open_issue_with_a_plan(world: World) -> None:
    world.in_order("D-14.D.4", but={"D-14.1.2": Verdict.FAIL})
    fields = {"Retest": "D-14.1.2", "Remediation": "Another node."}
    plan: dict[str, Any] = {
        "severity": "high",
        "fields": fields,
        "due": date(2026, 12, 1),
        "assignees": ("omar",),
    }
    assert world.broken("D-14.D.4", issues=issues(issue(9, **plan))) == ""
    closed = issues(issue(9, **plan, state="closed"))
    assert world.broken("D-14.D.4", issues=closed) == "closed issues whose item is still red"
    nobodys = issues(issue(9, **(plan | {"assignees": ()})))
    assert world.broken("D-14.D.4", issues=nobodys) == "issues not provided for"
    late = issues(issue(9, **(plan | {"due": date(2026, 11, 20)})))
    assert world.broken("D-14.D.4", issues=late) == "overdue issues"


def test_the_remediation_plan_names_every_open_finding(world: World) -> None:
    world.in_order("D-9.D.3")
    found = issues(issue(9, severity="medium", labels=("security-finding",)))
    assert world.broken("D-9.D.3", issues=found) == "issues not provided for"


def test_artefacts_are_those_of_the_manifest_and_of_the_tag(world: World) -> None:
    world.in_order("D-12.D.1")
    rebuilt = (Artefact("backend", "v2.0.0", "cd" * 32),)
    assert world.broken("D-12.D.1", stored_artefacts=rebuilt) == "artefacts in the store"
    assert world.broken("D-12.D.1", stored_artefacts=()) == "artefacts in the store"
    moved = Fixes("v2.0.0", "f" * 40, (), ())
    assert world.broken("D-12.D.1", fixes=moved) == "commit of the release manifest"


def test_no_secret_stands_in_the_configuration_report(world: World) -> None:
    world.in_order("D-12.D.2")
    world.mask.add("23.4 ms")
    subjects = [c.subject for c in world.claims("D-12.D.2") if not c.holds]
    assert subjects == ["secrets in configuration-validation-report.html"]


def test_deviations_of_the_rehearsal_are_somebodys_and_settled(world: World) -> None:
    world.in_order("D-7.D.1")
    nobodys = issues(issue(9, labels=("launch",), state="closed", assignees=()))
    assert world.broken("D-7.D.1", issues=nobodys) == "deviations without an owner"
    critical = issues(issue(9, labels=("launch",), severity="critical"))
    assert world.broken("D-7.D.1", issues=critical) == "open critical deviations"


def test_bugs_are_settled_before_the_summary_is_signed(world: World) -> None:
    world.in_order("D-6.D.2")
    mine = issues(issue(9, severity="high", state="closed", closed_by="hugo", verified_by="hugo"))
    told = "bugs not verified by another than who fixed them"
    assert world.broken("D-6.D.2", issues=mine) == told


def test_the_gates_need_ci_and_two_approvals(world: World) -> None:
    world.in_order("D-6.3.5")
    one = (pull_request(approvals=("tess",)),)
    assert world.broken("D-6.3.5", pull_requests=one) == "approvals"
    failed = CheckRuns("v2.0.0", COMMIT, ("build",), (CheckRun("build", "completed", "failure"),))
    told = "required checks that have not succeeded"
    assert world.broken("D-6.3.5", check_runs=failed) == told
    moved = CheckRuns("v2.0.0", "f" * 40, ("build",), (CheckRun("build", "completed", "success"),))
    assert world.broken("D-6.3.5", check_runs=moved) == "commit that CI has checked"
    against = (pull_request(objections=("sanjay",)),)
    assert world.broken("D-6.3.5", pull_requests=against).startswith("pull requests that somebody")


def test_the_final_approval_is_the_last_statement(world: World) -> None:
    found = world.rests_on("D-5.D.1")
    world.run(dict.fromkeys(found, Verdict.PASS))
    for ident in found:
        early = timedelta(hours=-2 if ident == "D-5.1.5" else -1)
        world.attest(ident, made=early)
    assert world.broken("D-5.D.1") == "statements on D-5.1.5 before one of the others"


@pytest.mark.parametrize(
    ("ident", "stated", "days"),
    [("D-5.D.1", "D-5.1.1", 4), ("D-7.D.3", "D-7.4.1", 6), ("D-8.D.3", "D-8.3.5", 14)],
)
def test_statements_hold_as_long_as_the_launch_needs_them(
    world: World, ident: str, stated: str, days: int
) -> None:
    found = world.rests_on(ident)
    world.run(dict.fromkeys(found, Verdict.PASS))
    for one in found:
        if PROCEDURE.items[one].way == "attested":
            world.attest(one, holds=timedelta(days=days) if one == stated else None)
    assert world.broken(ident).startswith("statements that end before")


def test_the_review_and_the_report_go_through_every_item_of_days_14_to_3(world: World) -> None:
    first = {i.id for i in PROCEDURE if i.id.startswith("D-") and -14 <= i.due_day <= -3}
    assert set(world.rests_on("D-2.1.1")) == set(world.rests_on("D-2.D.2")) == first
    assert len(first) == 213


def test_the_status_report_tells_how_things_stand_whatever_they_are_like(world: World) -> None:
    found = dict.fromkeys(world.rests_on("D-2.D.2"), Verdict.PASS)
    found |= {"D-14.1.1": Verdict.FAIL, "D-14.1.2": Verdict.UNKNOWN}
    del found["D-14.1.3"]
    world.run(found)
    world.run({"D-14.1.4": Verdict.PASS}, age=timedelta(days=60))
    del world.context.cards["D-14.1.5"]
    assert world.broken("D-2.D.2") == ""
    document = read_document(documents_of(world.context)["D-2.D.2"])
    assert [(i.id, i.state, i.owner) for i in document.open] == [
        ("D-14.1.1", "FAIL", "DevOps Lead"),
        ("D-14.1.2", "UNKNOWN", "DevOps Lead"),
        ("D-14.1.3", "NOT LOOKED AT", "DevOps Lead"),
        ("D-14.1.4", "STALE", "DevOps Lead"),
        ("D-14.1.5", "UNWRITTEN", "DevOps Lead"),
    ]
    assert document.open[0].plan == "Mend it."
    assert document.open[2].plan == "Run `pytest --item D-14.1.3`."
    by_day = next(t for t in document.tables if t.title == "Items by day")
    assert len(by_day.rows) == 12
    assert by_day.rows[0][1:] == [14.0, 1.0, 1.0, 1.0, 1.0, 1.0, 19.0]


def test_a_status_report_that_counts_otherwise_is_red(world: World) -> None:
    world.in_order("D-2.D.2")
    assert world.broken("D-2.D.2") == ""
    path = documents_of(world.context)["D-2.D.2"]
    path.write_text(path.read_text().replace('"value":213.0', '"value":212.0'))
    assert world.broken("D-2.D.2") == "figures that differ from the ledger"


def test_the_status_report_is_of_today(world: World) -> None:
    world.in_order("D-2.D.2")
    world.claims("D-2.D.2")
    path = documents_of(world.context)["D-2.D.2"]
    made = read_document(path)
    old = msgspec.structs.replace(made, made_at=made.made_at - timedelta(hours=25))
    sign(write_document(old, path), world.keys / "product_manager")
    assert world.broken("D-2.D.2") == "age of the Final status report"


def test_the_package_lacks_no_document(world: World) -> None:
    world.in_order("D-2.D.1")
    assert world.broken("D-2.D.1") == "items without their document"
    world.documents("D-2.D.1")
    assert world.broken("D-2.D.1") == ""
    gone = documents_of(world.context)["D-8.D.1"]
    gone.unlink()
    assert world.broken("D-2.D.1") == "items without their document"


def test_the_authorisation_is_signed_and_the_deploy_command_takes_it(world: World) -> None:
    world.in_order("D-1.D.2")
    unsigned = authorisation(signature_cause="it is not signed")
    told = "the signature of the launch authorisation"
    assert world.broken("D-1.D.2", authorisation=unsigned) == told
    refused = authorisation(refusal_with="its window is over")
    assert world.broken("D-1.D.2", authorisation=refused) == "deploying with it"


def test_the_authorisation_is_in_force_and_covers_the_four_phases(world: World) -> None:
    world.in_order("D-1.D.2")
    assert world.broken("D-1.D.2") == ""
    revoked = authorisation(is_revoked=True)
    assert world.broken("D-1.D.2", authorisation=revoked) == "the launch authorisation"
    good = authorisation()
    for change in (
        {"window_ends_at": good.window_ends_at - timedelta(minutes=1)},
        {"window_begins_at": good.window_begins_at + timedelta(minutes=1)},
    ):
        told = "window of the launch authorisation"
        assert world.broken("D-1.D.2", authorisation=authorisation(**change)) == told
    elsewhere = SimpleNamespace(calendar=SimpleNamespace(time_zone="Europe/Berlin"))
    assert world.broken("D-1.D.2", env=elsewhere) == "window of the launch authorisation"


def test_everybody_of_today_was_briefed(world: World) -> None:
    world.in_order("D-3.D.2")
    assert world.broken("D-3.D.2") == ""
    document = read_document(documents_of(world.context)["D-3.D.2"])
    assert {f.name: f.value for f in document.figures}["people who were briefed"] == len(ROLES)
    told = world.fixtures()["papers"].read(Briefing, "briefing-technical.md").data
    without = msgspec.structs.replace(told, attendees=ROLES[1:])
    world.write(without, "briefing-technical.md")
    assert world.broken("D-3.D.2") == "people who were briefed"
    alone = msgspec.structs.replace(without, briefed_alone={ROLES[0]: date(2026, 12, 4)})
    world.write(alone, "briefing-technical.md")
    assert world.broken("D-3.D.2") == ""
    stranger = msgspec.structs.replace(told, attendees=[*ROLES, "gloria"])
    world.write(stranger, "briefing-technical.md")
    assert world.broken("D-3.D.2") == "people who were briefed"
    world.write(told, "briefing-technical.md")
    (world.context.papers / "briefing-support.md").unlink()
    assert world.broken("D-3.D.2") == "briefings"


def test_no_risk_of_day_minus_5_is_gone_in_silence(world: World) -> None:
    world.in_order("D-2.D.3")
    assert world.broken("D-2.D.3") == ""

    def rescored(*risks: Risk, **closed: str) -> str:
        path = world.write(register(*risks, **closed))
        world.attest("D-2.1.3", made=timedelta(seconds=2), evidence=(path,))
        return world.broken("D-2.D.3")

    high, new = risk("R-02", score="high"), risk("R-03")
    assert rescored(high, new) == "risks dropped without a closing note"
    assert rescored(high, new, **{"R-01": " "}) == "risks dropped without a closing note"
    assert rescored(high, new, **{"R-01": "the roof is on"}) == ""
    document = read_document(documents_of(world.context)["D-2.D.3"])
    scores = next(t for t in document.tables if t.title.startswith("Scores"))
    assert scores.rows == [
        ["R-01", "low", "over", "the roof is on"],
        ["R-02", "high", "high", ""],
        ["R-03", "not there", "low", ""],
    ]
    world.write(register(high, new, **{"R-01": "the roof is on again"}))
    assert world.broken("D-2.D.3") == "registers signed for D-2.1.3"


def test_high_risks_are_signed_by_their_owners(world: World) -> None:
    world.in_order("D-2.D.3")
    path = world.write(register(risk("R-01"), risk("R-02", score="high", owner="gloria")))
    world.attest("D-2.1.3", made=timedelta(seconds=2), evidence=(path,))
    assert world.broken("D-2.D.3") == "high risks whose owner cannot sign"
    path = world.write(register(risk("R-01"), risk("R-02", score="high", owner="qa_lead")))
    world.attest("D-2.1.3", made=timedelta(seconds=4), evidence=(path,))
    assert world.broken("D-2.D.3") == ""
    documents = world.context.documents
    first, second = (documents / f"risk-assessment-update.html{x}.sig" for x in ("", ".qa_lead"))
    second.write_bytes(first.read_bytes())
    told = "the signature of the QA Lead on risk-assessment-update.html"
    assert world.broken("D-2.D.3") == told


def test_each_phase_leaves_room_for_a_rollback_and_the_calendar_has_the_timeline(
    world: World,
) -> None:
    world.in_order("D-7.D.4")
    assert world.broken("D-7.D.4") == ""
    for late in ({"phase_4": "16:31"}, {"launch_1600": "13:29"}):
        world.write(timeline(**late))
        assert world.broken("D-7.D.4") == "left of launch day after"
    world.write(timeline())
    old = world.calendar(but="Launch: phase 1", text="00" * 32)
    told = "events with another digest of the timeline"
    assert world.broken("D-7.D.4", launch_calendar=old) == told
    assert world.broken("D-7.D.4", launch_calendar=LaunchCalendar("", ())) == told


def test_role_table_and_roster_are_the_same_people(world: World) -> None:
    world.in_order("D-7.D.3")
    assert world.broken("D-7.D.3") == ""
    gone = next(world.context.statements.folder.glob("*Z-D-7.4.2-*"))
    shutil.move(gone, gone.parent.parent / "away")
    assert world.broken("D-7.D.3") == "primaries who have not acknowledged"
    world.write(role_table(qa_lead="gloria"))
    assert world.broken("D-7.D.3") == "people in the role table"


def test_each_role_is_the_same_person_everywhere(world: World) -> None:
    world.in_order("D-5.D.3")
    assert world.broken("D-5.D.3") == ""
    world.write(role_table(qa_lead="finance"))
    assert world.broken("D-5.D.3") == "who has which role by the role table"
    world.write(role_table())
    away = world.calendar(but="War room", attendees=(Attendee("qa_lead@example.com", ""),))
    told = "people of the role table who are not in the calendar"
    assert world.broken("D-5.D.3", launch_calendar=away) == told
    gone = next(world.context.statements.folder.glob("*Z-D-5.3.4-*"))
    shutil.move(gone, gone.parent.parent / "away")
    assert world.broken("D-5.D.3") == "people of the role table who do not know the runbook"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"owner": "gloria"}, "messages without an owner on the roster"),
        ({"send_at": datetime(2026, 12, 6, 21, tzinfo=UTC)}, "messages before the go/no-go"),
        (
            {"send_at": datetime(2026, 12, 7, 16, tzinfo=UTC)},
            "messages not from 12:30 to 17:00 of 2026-12-07",
        ),
        ({"recipients": 0}, "messages to nobody"),
        ({"no_go_text": " "}, "messages without a text for a no-go"),
    ],
)
def test_each_planned_message_can_go_either_way(
    world: World, changes: dict[str, Any], told: str
) -> None:
    world.in_order("D-5.D.2")
    assert world.broken("D-5.D.2") == ""
    others = [message(f"M-{n}") for n in range(3)]
    if changes.get("no_go_text") != " ":  # a blank one is no paper of its kind yet
        world.write(plan(*others, message("M-3", **changes)))
        assert world.broken("D-5.D.2") == told
    world.write(plan(*others))
    assert world.broken("D-5.D.2") == "planned messages"


def test_support_covers_the_hours_of_launch_day(world: World) -> None:
    world.in_order("D-8.D.3")
    assert world.broken("D-8.D.3") == ""
    document = read_document(documents_of(world.context)["D-8.D.3"])
    figures = {f.name: f.value for f in document.figures}
    assert figures["owner of support"] == "support_lead"
    assert figures["time to an answer, at most"] == 1
    noon = datetime(2026, 12, 7, 17, tzinfo=UTC)
    early = (noon - timedelta(hours=6), noon)
    late = (noon + timedelta(minutes=1), noon + timedelta(hours=5))
    for bare in ((early,), (late,), (early, late)):
        world.write(shifts(*bare))
        assert world.broken("D-8.D.3") == "hours of 2026-12-07 without support"


def test_the_decision_document_repeats_the_meeting_and_every_vote(world: World) -> None:
    world.in_order("D-1.D.1")
    assert world.broken("D-1.D.1") == ""
    path = documents_of(world.context)["D-1.D.1"]
    document = read_document(path)
    shown = {t.title: t.rows for t in document.tables}
    assert ["decision", "go"] in shown["The decision"]
    assert ["condition 1", "two people at the pager"] in shown["The decision"]
    assert [row[:2] for row in shown["Votes"]] == [
        ["attest by executive_team as executive_team", "go"]
    ]
    assert [row[0] for row in shown["Who was there"]] == ["executive_team as executive_team"]
    assert shown["Risks"] == [["R-02", "accept", "devops_lead", ""]]
    for title, column in (("Votes", 1), ("The decision", 1), ("Risks", 1)):
        altered = [
            msgspec.structs.replace(
                t, rows=[[*r[:column], "no-go", *r[column + 1 :]] for r in t.rows]
            )
            if t.title == title
            else t
            for t in document.tables
        ]
        write_document(msgspec.structs.replace(document, tables=altered), path)
        sign(path, world.keys / "executive_team")
        assert world.broken("D-1.D.1") == "figures that differ from the ledger"
    early = msgspec.structs.replace(document, made_at=document.made_at - timedelta(days=1))
    write_document(early, path)
    sign(path, world.keys / "executive_team")
    assert world.broken("D-1.D.1") in ("when it was made", "votes after the document was made")


def test_a_meeting_that_is_written_down_anew_makes_the_decision_document_anew(
    world: World,
) -> None:
    world.in_order("D-1.D.1")
    world.write(meeting(decision="no-go"))
    assert world.broken("D-1.D.1") == ""
    document = read_document(documents_of(world.context)["D-1.D.1"])
    assert ["decision", "no-go"] in next(
        t for t in document.tables if t.title == "The decision"
    ).rows


def test_no_author_of_the_release_signs_that_it_is_good(world: World) -> None:
    world.in_order("D-6.D.3")
    assert world.broken("D-6.D.3") == ""
    told = "signers who wrote commits of the release"
    for name, email in (("QA Lead", "x@example.com"), ("Q", "QA_Lead@Example.com")):
        wrote = Authors("v1.9.0..v2.0.0", 3, ((name, email),))
        with_name = world.broken("D-6.D.3", release_authors=wrote)
        assert with_name == (told if "@Example" in email else "")
    moved = Fixes("v2.0.0", "ab" * 20, (), ())
    assert world.broken("D-6.D.3", fixes=moved) == "commit of v2.0.0"


def test_the_timeline_is_the_same_in_procedure_and_package(world: World) -> None:
    world.in_order("D-7.D.4")
    world.write(LaunchProcedure(version="v2.0.0", timeline_sha256="00" * 32))
    assert world.broken("D-7.D.4") == "timeline that launch-procedure.md quotes"
    later = timeline(phase_3="12:01")
    followed = hashlib.sha256(world.write(later).read_bytes()).hexdigest()
    world.write(LaunchProcedure(version="v2.0.0", timeline_sha256=followed))
    assert world.broken("D-7.D.4") == "statements on D-7.4.5 over another timeline"


def test_each_document_of_the_package_is_one_to_hand_over(world: World) -> None:
    world.in_order("D-2.D.1")
    world.documents("D-2.D.1")
    assert world.broken("D-2.D.1") == ""
    path = documents_of(world.context)["D-8.D.1"]
    page, signature = path.read_text(), path.with_name(f"{path.name}.sig")
    made, signed = read_document(path), signature.read_bytes()

    def put_back() -> None:
        path.write_text(page)
        signature.write_bytes(signed)
        assert world.broken("D-2.D.1") == ""

    write_document(msgspec.structs.replace(made, environment="staging"), path)
    assert world.broken("D-2.D.1") == "documents not about v2.0.0 in rehearsal"
    put_back()
    write_document(msgspec.structs.replace(made, verdicts=[]), path)
    assert world.broken("D-2.D.1") == "documents that rest on nothing"
    put_back()
    path.write_text(page.replace("<h1", "<h1 hidden"))
    assert world.broken("D-2.D.1") == "documents that show something else than their data"
    put_back()
    signature.unlink()
    assert world.broken("D-2.D.1") == "documents without a valid signature"
    put_back()
    world.run({"D-2.2.4": Verdict.PASS})
    assert world.broken("D-2.D.1") == "documents older than what they rest on"


def test_the_decision_is_about_one_package_and_kept_where_nobody_changes_it(world: World) -> None:
    world.in_order("D-1.D.1")
    assert world.broken("D-1.D.1") == ""
    at = datetime(2099, 1, 1, tzinfo=UTC)
    for kept, told in (
        (Kept("s3://x", 2, "COMPLIANCE", at), "versions of s3://x"),
        (Kept("s3://x", 1, "COMPLIANCE", datetime.now(UTC)), "lock of s3://x"),
        (Kept("/folder/x", 1, "", None), "lock of /folder/x"),
    ):
        world.kept = kept
        assert world.broken("D-1.D.1") == told
