"""Day -3, attested items: on literal papers and facts, each clause holds, its fault breaks it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace as changed

from golive.papers import aftermath, kinds
from golive.people.roster import Level, Roster
from golive.probes.people.calendar import Attendee, Event, LaunchCalendar
from golive.probes.saas.launch_tools import Artefact, DryRun, LaunchTools, Manifest
from golive.probes.traffic.pages import Link
from golive.probes.transport.answers import Answers
from tests.golive.test_findings import issue, issues
from tests.suites.attested import (
    DIGESTS,
    LAUNCH,
    PROCEDURE,
    Context,
    Said,
    Shelf,
    days,
    judge,
    signed,
)

ROLES = ["product_manager", "technical_lead"]
BLOCKS = list(
    dict.fromkeys(i.block for i in PROCEDURE if i.phase == "launch_day" and i.due_day == 0)
)
QUOTED = {
    n: str(i) * 64
    for i, n in enumerate(
        (
            "criteria.md",
            "risk-register.md",
            "emergency-runbook.md",
            "announcement-customers.md",
            "legal-notice.md",
        )
    )
}
DIGESTS |= QUOTED
ENV = SimpleNamespace(
    calendar=SimpleNamespace(war_room="War room"),
    tools=SimpleNamespace(deploy="deploy", emergency_rollback="roll-back"),
)
TOO_SHORT = "signatures that end before launch day is over"


def context(**more: Any) -> Context:
    """Two roles; Amy and Mina are briefed, Elena is of escalation level 3."""
    known = Context(owner_roles=ROLES, launch_day_blocks=BLOCKS, **more)
    level = Level(level=3, from_minutes=30, roles=["executive_team"])
    people = {
        i: changed(p, email=f"{i}@example.com", phone="+12025550100")
        for i, p in known.roster.people.items()
    }
    known.roster = Roster(Path("roster.toml"), people, {}, (level,))
    known.team = [people["paul"], people["tess"]]
    return known


def tools(*names: str, **refused: str) -> LaunchTools:
    return LaunchTools(
        {n: DryRun(n, "", (), refused.get(n, ""), False) for n in ("deploy", "roll-back", *names)}
    )


def ending(*_: Any) -> list[str]:
    return ["tess"]


# -- D-3.1.1 -------------------------------------------------------------------------------------

BEGIN = datetime.combine(LAUNCH.date, datetime.min.time(), UTC) + timedelta(hours=6)
BRIDGES = ("http://one", "http://two")


def event(**changes: Any) -> LaunchCalendar:
    known: dict[str, Any] = {
        "id": "abc",
        "title": "War room",
        "start": BEGIN,
        "end": BEGIN + timedelta(hours=11),
        "zone": "UTC",
        "attendees": tuple(Attendee(f"{p}@example.com", "accepted") for p in ("paul", "tess")),
        "text": " ".join(BRIDGES),
    }
    return LaunchCalendar("UTC", (Event(**(known | changes)),))


@pytest.mark.parametrize(
    ("calendar", "more", "broken"),
    [
        (event(), {}, ""),
        (event(id="xyz"), {}, "event that the paper names"),
        (event(start=BEGIN - timedelta(days=1)), {}, ""),
        (event(end=BEGIN + timedelta(days=1)), {}, ""),
        (
            event(start=BEGIN + timedelta(days=1), end=BEGIN + timedelta(days=2)),
            {},
            "hours of the war room",
        ),
        (event(end=BEGIN + timedelta(hours=10)), {}, "hours of the war room"),
        (event(start=BEGIN + timedelta(hours=1)), {}, "hours of the war room"),
        (event(text=BRIDGES[0]), {}, "bridges that the event does not name"),
        (event(attendees=event().events[0].attendees[:1]), {}, "people who are not invited"),
        (event(), {"bridge": BRIDGES[1]}, "bridges"),
        (event(), {"dead": BRIDGES[1]}, "bridges that do not answer"),
        (event(), {"context": context(ending_early=ending)}, TOO_SHORT),
    ],
)
def test_the_war_room_is_booked(
    calendar: LaunchCalendar, more: dict[str, Any], broken: str
) -> None:
    bridge, dead = more.get("bridge", BRIDGES[0]), more.get("dead")
    room = kinds.WarRoom(
        event="abc", bridge=bridge, backup_bridge=BRIDGES[1], screens=[], receiver="r"
    )
    links = {b: Link(b, 404 if b == dead else 200, b) for b in BRIDGES}
    facts = {"launch_calendar": calendar, "war_room_bridges": Answers(links, {}), "env": ENV}
    place = more.get("context", context())
    assert judge("D-3.1.1", papers=Shelf(room), context=place, **facts) == broken


# -- D-3.1.4 -------------------------------------------------------------------------------------


def shift(role: str = "technical_lead", **changes: Any) -> kinds.Shift:
    who = {"technical_lead": ("tess", "quinn"), "product_manager": ("paul", "amy")}[role]
    known = kinds.Shift(role=role, primary=who[0], backup=who[1], starts="06:00", ends="17:00")
    return changed(known, **changes)


def table(*more: kinds.Shift, **changes: Any) -> kinds.RoleTable:
    shifts = [shift(**changes), shift("product_manager"), *more]
    return kinds.RoleTable(date=LAUNCH.date, shifts=shifts)


@pytest.mark.parametrize(
    ("roles", "broken"),
    [
        (table(), ""),
        (table(shift(starts="12:00"), ends="12:00"), ""),
        (table(ends="16:59"), "hours without a primary"),
        (table(starts="06:01"), "hours without a primary"),
        (table(shift(primary="elena", starts="12:00")), "roles with two primaries at once"),
        (table(backup="tess"), "shifts without a backup of their own"),
        (table(primary="paul"), "people in two roles at once"),
        (table(backup="gloria"), "people without a complete contact entry"),
        (changed(table(), date=days(0)), "date of the role table"),
    ],
)
def test_every_hour_has_its_people(roles: kinds.RoleTable, broken: str) -> None:
    assert judge("D-3.1.4", papers=Shelf(roles), context=context()) == broken


def test_nobody_of_the_role_table_has_two_ids() -> None:
    place = context()
    place.roster.people["quinn"] = changed(place.roster.people["tess"], id="quinn")
    found = judge("D-3.1.4", papers=Shelf(table()), context=place)
    assert found == "people under two ids"


# -- D-3.2.1 -------------------------------------------------------------------------------------

ITEMS = [i.id for i in PROCEDURE if i.block in BLOCKS]
COMMANDS = {"deploy", "roll-back", *(f"command-{n}" for n in range(7))}


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({}, ""),
        ({"version": "v1.9.0"}, "version of the launch procedure"),
        ({"commands": COMMANDS - {"deploy"}}, "commands in the launch procedure"),
        ({"commands": COMMANDS | {"explode"}}, "commands that do not exist"),
        ({"refused": {"deploy": "not signed"}}, "commands whose dry run is refused"),
        ({"boxes": ITEMS[1:]}, "items with a check box"),
        ({"boxes": [*ITEMS, "D-1.1.1"]}, "items with a check box"),
        ({"boxes": [*ITEMS, ITEMS[0]]}, "items with two check boxes"),
    ],
)
def test_the_launch_procedure_is_whole(changes: dict[str, Any], broken: str) -> None:
    paper = SimpleNamespace(
        data=kinds.LaunchProcedure(version=changes.get("version", "v2.0.0")),
        commands=changes.get("commands", COMMANDS),
        check_boxes=[f"{i} something" for i in changes.get("boxes", ITEMS)],
    )
    runs = tools(*COMMANDS, **changes.get("refused", {}))
    papers = SimpleNamespace(read=lambda _: paper)
    assert judge("D-3.2.1", papers=papers, launch_tools=runs, context=context()) == broken


# -- D-3.2.5 -------------------------------------------------------------------------------------

NUMBERS = {"RT.1": (0.0, 5.0), "RT.2": (1.0, 10.0), "RT.3": (2.0, 0.0)}


def runbook(ident: str = "RT.5", **changes: Any) -> kinds.EmergencyRunbook:
    triggers = [
        kinds.Trigger(
            id=f"RT.{n}",
            threshold=NUMBERS.get(f"RT.{n}", (0.0, 0.0))[0],
            minutes=NUMBERS.get(f"RT.{n}", (0.0, 0.0))[1],
            decider="technical_lead",
            command="roll-back",
            limit_minutes=5,
            alert="an alert",
        )
        for n in range(1, 6)
    ]
    triggers = [changed(t, **changes) if t.id == ident else t for t in triggers]
    return kinds.EmergencyRunbook(
        triggers=[t for t in triggers if t.id],
        steps=[],
        technical_lead_may_start=True,
        escalation_minutes=[],
        questions=[],
    )


@pytest.mark.parametrize(
    ("paper", "broken"),
    [
        (runbook(), ""),
        (runbook("RT.4", id=""), "rollback triggers"),
        (runbook(decider="a king"), "triggers that nobody can decide"),
        (runbook(command="explode"), "triggers without a command"),
        (runbook(limit_minutes=0), "triggers without time limit or signal"),
        (runbook(alert=" "), "triggers without time limit or signal"),
        (runbook("RT.3", threshold=5.0), "failing payments that roll back"),
        (runbook("RT.2", threshold=0.5), "errors that roll back"),
        (runbook("RT.2", minutes=30.0), "minutes of errors that roll back"),
        (runbook("RT.1", minutes=15.0), "minutes of downtime that roll back"),
    ],
)
def test_each_trigger_can_be_acted_on(paper: kinds.EmergencyRunbook, broken: str) -> None:
    facts = {"launch_tools": tools(), "context": context()}
    assert judge("D-3.2.5", papers=Shelf(paper), **facts) == broken


# -- D-3.3.1 to D-3.3.4 --------------------------------------------------------------------------

MANIFEST = Manifest("v2.0.0", "v1.9.0", "c" * 40, [Artefact("migrations", "v2.0.0", "1" * 64)])


class Library(Shelf):
    """Stands for the papers, with several briefings and logs."""

    def read(self, kind: Any, name: str = "") -> Any:
        found = self.papers[kind]
        if isinstance(found, list):
            return next(
                SimpleNamespace(data=p) for p in found if name == f"briefing-{p.audience}.md"
            )
        return super().read(kind)

    def all_of(self, kind: Any) -> list[Any]:
        return [SimpleNamespace(data=p) for p in self.papers.get(kind, [])]


def briefing(audience: str, **changes: Any) -> kinds.Briefing:
    known = kinds.Briefing(
        audience=audience,  # type: ignore[arg-type]
        held_on=days(-1),
        attendees=["amy", "mina"],
    )
    return changed(known, **changes)


def technical(**changes: Any) -> kinds.Briefing:
    known = briefing(
        "technical",
        commit="c" * 40,
        migrations_sha256="1" * 64,
        commands=["deploy", "roll-back"],
    )
    return changed(known, **changes)


@pytest.mark.parametrize(
    ("paper", "broken"),
    [
        (technical(), ""),
        (
            technical(attendees=["amy"]),
            "people of the technical audience not briefed in time",
        ),
        (technical(attendees=["amy"], briefed_alone={"mina": days(0)}), ""),
        (technical(held_on=days(-4)), "people of the technical audience not briefed in time"),
        (technical(commit="d" * 40), "commit that was presented"),
        (technical(migrations_sha256="2" * 64), "migrations that were presented"),
        (technical(migrations_sha256=""), "migrations that were presented"),
        (
            technical(commands=["roll-back"]),
            "deploy and rollback commands that were not presented",
        ),
        (technical(commands=["deploy"]), "deploy and rollback commands that were not presented"),
        (technical(commands=["deploy", "roll-back", "explode"]), "commands that do not exist"),
    ],
)
def test_the_technical_briefing_is_about_this_release(paper: kinds.Briefing, broken: str) -> None:
    facts = {"release_manifest": MANIFEST, "launch_tools": tools(), "env": ENV}
    assert judge("D-3.3.1", papers=Library(paper), context=context(), **facts) == broken


def test_the_technical_briefing_is_stated_to_the_end_of_launch_day() -> None:
    facts = {"release_manifest": MANIFEST, "launch_tools": tools(), "env": ENV}
    place = context(ending_early=ending)
    assert judge("D-3.3.1", papers=Library(technical()), context=place, **facts) == TOO_SHORT


@pytest.mark.parametrize(("days_ago", "held"), [(1, True), (3, False)])
def test_a_briefing_is_signed_once_everybody_was_briefed(days_ago: float, held: bool) -> None:
    facts = {"release_manifest": MANIFEST, "launch_tools": tools(), "env": ENV}
    said = Said(signed("tess", 24 * days_ago))
    found = judge("D-3.3.1", papers=Library(technical()), vouched=said, context=context(), **facts)
    assert found == ("" if held else "signatures older than the briefing")
    alone = technical(attendees=["amy"], briefed_alone={"mina": days(0)})
    early = Said(signed("tess", 48))
    found = judge("D-3.3.1", papers=Library(alone), vouched=early, context=context(), **facts)
    assert found == "signatures older than the briefing"


METRICS = {i.id: 1.0 for i in PROCEDURE if i.block == "success_metric"}
CRITERIA = kinds.Criteria(
    metrics=[kinds.Metric(id=i, limit=v, owner="qa_lead") for i, v in METRICS.items()],
    criteria=[],
)
TIMELINE = kinds.LaunchTimeline(
    date=LAUNCH.date,
    utc_offset="-05:00",
    slots=[
        kinds.Slot(block="phase_4", starts="12:30", ends="13:00", owner="technical_lead"),
        kinds.Slot(block="launch_1600", starts="16:00", ends="17:00", owner="product_manager"),
    ],
)


def business(**changes: Any) -> kinds.Briefing:
    known = briefing("business", metrics=METRICS, announced_from="12:30", announced_until="17:00")
    return changed(known, **changes)


@pytest.mark.parametrize(
    ("paper", "broken"),
    [
        (business(), ""),
        (business(attendees=["amy"]), "people of the business audience not briefed in time"),
        (business(metrics={"KB.1": 1.0}), "measures that were presented"),
        (
            business(metrics=METRICS | {"KB.3": 95.0}),
            "limits told otherwise than in the criteria",
        ),
        (business(announced_from="09:00"), "hours of the announcements"),
        (business(announced_until=""), "hours of the announcements"),
    ],
)
def test_the_business_briefing_tells_measures_and_hours(paper: kinds.Briefing, broken: str) -> None:
    shelf = Library(paper, CRITERIA, TIMELINE)
    assert judge("D-3.3.2", papers=shelf, context=context()) == broken


NOON = datetime.combine(LAUNCH.date, datetime.min.time(), UTC) + timedelta(hours=12)
WORKAROUND = kinds.KnownIssues(
    issues=[
        kinds.KnownIssue(
            number=8, severity="low", impact="slow", workaround="wait", owner="tess", due=days(3)
        )
    ]
)


def shifts(*agents: str, day: int = 0) -> aftermath.SupportShifts:
    begin = NOON + timedelta(days=day)
    one = aftermath.SupportShift(starts=begin, ends=begin + timedelta(hours=6), agents=list(agents))
    first = aftermath.SupportShift(starts=NOON, ends=NOON, agents=["amy"])
    return aftermath.SupportShifts(shifts=[first, one])


def support(**changes: Any) -> kinds.Briefing:
    known = briefing(
        "support",
        known_issues=[8],
        escalation_minutes=[30],
        response_hours=1.0,
        papers={n: QUOTED[n] for n in ("announcement-customers.md", "legal-notice.md")},
    )
    return changed(known, **changes)


@pytest.mark.parametrize(
    ("paper", "broken"),
    [
        (support(), ""),
        (support(attendees=["amy"]), "people of the support audience not briefed in time"),
        (support(known_issues=[]), "known issues presented"),
        (support(known_issues=[8, 9]), "known issues presented"),
        (support(escalation_minutes=[45]), "minutes to each level of escalation"),
        (support(response_hours=2.0), "hours to an answer"),
        (support(papers=support().papers | {"known-issues.md": "f" * 64}), ""),
        (support(papers={}), "customer templates that were not presented"),
        (
            support(papers=support().papers | {"legal-notice.md": "f" * 64}),
            "customer templates that have changed since",
        ),
    ],
)
def test_support_knows_what_it_needs(paper: kinds.Briefing, broken: str) -> None:
    shelf = Library(paper, shifts("mina"), WORKAROUND)
    assert judge("D-3.3.3", papers=shelf, issues=issues(), context=context()) == broken


@pytest.mark.parametrize(("day", "known"), [(0, False), (1, False), (2, True)])
def test_agents_of_the_first_two_days_were_briefed(day: int, known: bool) -> None:
    shelf = Library(support(), shifts("leah", day=day), WORKAROUND)
    found = judge("D-3.3.3", papers=shelf, issues=issues(), context=context())
    assert found == ("" if known else "agents of the first two days not briefed in time")


def test_each_known_issue_has_a_workaround() -> None:
    bare = kinds.KnownIssues(issues=[changed(WORKAROUND.issues[0], workaround=" ")])
    shelf = Library(support(), shifts("mina"), bare)
    found = judge("D-3.3.3", papers=shelf, issues=issues(), context=context())
    assert found == "known issues without a workaround"


def management(**changes: Any) -> kinds.Briefing:
    names = ("criteria.md", "risk-register.md", "emergency-runbook.md")
    known = briefing(
        "management", attendees=["amy", "mina", "elena"], papers={n: QUOTED[n] for n in names}
    )
    return changed(known, **changes)


@pytest.mark.parametrize(
    ("paper", "broken"),
    [
        (management(), ""),
        (
            management(attendees=["amy", "elena"]),
            "people of the management audience not briefed in time",
        ),
        (management(attendees=["amy", "mina"]), "people of level 3 not briefed in time"),
        (management(papers={}), "papers that were not presented"),
        (
            management(papers=management().papers | {"risk-register.md": "f" * 64}),
            "papers that have changed since",
        ),
    ],
)
def test_management_was_briefed(paper: kinds.Briefing, broken: str) -> None:
    assert judge("D-3.3.4", papers=Library(paper), context=context()) == broken


def test_somebody_is_of_level_3() -> None:
    place = context()
    place.roster = Roster(Path("roster.toml"), place.roster.people, {}, ())
    found = judge("D-3.3.4", papers=Library(management()), context=place)
    assert found == "people of level 3 not briefed in time"


# -- D-3.3.5 -------------------------------------------------------------------------------------


def log(audience: str, **changes: Any) -> kinds.QuestionLog:
    known = kinds.QuestionLog(audience=audience, none_raised=True)  # type: ignore[arg-type]
    return changed(known, **changes)


ASKED = kinds.Question(question="When?", answer="At noon.", answered_by="tess", issue=7)


def logs(*more: kinds.QuestionLog, but: str = "technical") -> Any:
    found = {a: log(a) for a in LAUNCH.audiences if a != but}
    shelf = Library()
    shelf.papers = {
        kinds.QuestionLog: [*found.values(), *more],
        kinds.Briefing: [technical(), business(held_on=days(0)), support(), management()],
    }
    return shelf


def asked(**changes: Any) -> kinds.QuestionLog:
    return log("technical", none_raised=False, questions=[changed(ASKED, **changes)])


def tracker(**changes: Any) -> Any:
    known = {"labels": ("launch-question",), "state": "closed", **changes}
    found = issues(issue(7, **known))
    return SimpleNamespace(
        labels=changes.get("names", ("launch-question",)),
        names=found.names,
        labelled=found.labelled,
    )


@pytest.mark.parametrize(
    ("papers", "found", "broken"),
    [
        (logs(asked()), tracker(), ""),
        (logs(), tracker(), "briefings with a log of questions"),
        (logs(asked(issue=8), log("technical")), tracker(), "questions whose issue is not closed"),
        (logs(log("technical", none_raised=False)), tracker(), "logs that say nothing"),
        (logs(log("technical")), tracker(), "questions on record"),
        (
            logs(asked(answered_by="gloria")),
            tracker(),
            "questions answered by nobody of the roster",
        ),
        (logs(asked()), tracker(state="open"), "questions still open"),
        (logs(asked(issue=8)), tracker(), "questions whose issue is not closed"),
    ],
)
def test_every_question_has_its_answer(papers: Any, found: Any, broken: str) -> None:
    assert judge("D-3.3.5", papers=papers, issues=found, context=context()) == broken


def test_the_label_of_questions_is_there() -> None:
    gone = tracker()
    gone.labels = ()
    found = judge("D-3.3.5", papers=logs(asked()), issues=gone, context=context())
    assert found == "label for questions"


@pytest.mark.parametrize(("days_ago", "held"), [(0, True), (2, False)])
def test_the_logs_are_signed_after_the_last_briefing(days_ago: float, held: bool) -> None:
    said = Said(signed("tess", 24 * days_ago))
    facts = {"issues": tracker(), "vouched": said, "context": context()}
    found = judge("D-3.3.5", papers=logs(asked()), **facts)
    assert found == ("" if held else "signatures older than the last briefing")
