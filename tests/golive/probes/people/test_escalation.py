"""Escalation: the items on literal facts, the drill's predicates, and rules tried by promtool."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from golive.claims import Claim
from golive.environments import Environment
from golive.people.roster import Level, Person, Roster, Vendor
from golive.probes.observe.prometheus import Rule
from golive.probes.people import escalation
from golive.probes.people.escalation import EscalationDrill, Page, RuleTrial
from golive.probing import Ended, FactStore
from rehearsal.kernel import binaries
from rehearsal.parts.observe.prometheus import RULES

Judge = Callable[..., Claim | None]
EnvWith = Callable[..., Environment]

OPENED = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
IMPACT = "Impact: customers could not pay"
LEADS, BACKUPS = ("tess", "omar"), ("hugo", "noor")
NEXT, EXECUTIVES = ("paul", "sanjay"), ("elena", "marcus")
VENDORS = ("render", "stripe", "sendgrid")


def someone(n: int, ident: str, *roles: str, backs_up: str = "") -> Person:
    return Person(
        id=ident,
        name=ident.title(),
        email=f"{ident}@shop.example",
        phone=f"+120255501{n:02}",
        roles=list(roles),
        backs_up=[backs_up] if backs_up else [],
    )


PEOPLE = {
    p.id: p
    for p in (
        someone(0, "tess", "technical_lead"),
        someone(1, "omar", "devops_lead"),
        someone(2, "hugo", backs_up="technical_lead"),
        someone(3, "noor", backs_up="devops_lead"),
        someone(4, "paul", "product_manager"),
        someone(5, "sanjay", "security_lead"),
        someone(6, "elena", "executive_team"),
        someone(7, "marcus", backs_up="executive_team"),
        someone(8, "lucia", "legal_counsel"),
        someone(9, "ben", backs_up="legal_counsel"),
    )
}
SUPPORT = {
    v: Vendor(
        id=v, name=f"{v.title()} Support", phone=f"+120255502{n}", email=f"support@{v}.example"
    )
    for n, v in enumerate(VENDORS)
}
LEVELS = (
    Level(level=1, from_minutes=0, roles=["technical_lead", "devops_lead"]),
    Level(level=2, from_minutes=15, roles=["product_manager", "security_lead"]),
    Level(level=3, from_minutes=30, roles=["executive_team"]),
    Level(level=4, from_minutes=60, roles=["legal_counsel"], vendors=list(VENDORS)),
)
ROSTER = Roster(Path("roster.toml"), PEOPLE, SUPPORT, LEVELS)


def pages(
    level: int, minute: float, *people: str, lines: tuple[str, ...] = (IMPACT,)
) -> list[Page]:
    at = OPENED + timedelta(minutes=minute)
    subject = f"Level {level}: critical incident drill, open for {int(minute)}m 5s"
    text = "\n".join([f"{subject}.", *lines])
    return [
        Page(how, to, level, at, minute, "delivered", said)
        for p in people
        for how, to, said in (
            ("text", PEOPLE[p].phone, text),
            ("mail", PEOPLE[p].email, subject),
        )
    ]


OUTSIDE: tuple[Person | Vendor, ...] = (PEOPLE["lucia"], PEOPLE["ben"], *SUPPORT.values())
LIST = tuple(f"{o.name}: {o.phone}, {o.email}" for o in OUTSIDE)
FIRST = pages(1, 0.3, *LEADS)
ASKED = pages(1, 5.4, *LEADS, *BACKUPS)
SECOND = pages(2, 15.3, *LEADS, *NEXT)
DECISION = (IMPACT, "Decision wanted: whether to roll back")
THIRD = pages(3, 30.3, *LEADS, *NEXT, *EXECUTIVES, lines=DECISION)
FOURTH = pages(4, 60.3, "tess", lines=(*DECISION, *LIST))


def drill(*sent: list[Page], **more: Any) -> EscalationDrill:
    usual = EscalationDrill(
        incident="drill",
        clock=1.0,
        levels=LEVELS,
        opened_at=OPENED,
        answered_minute=6.0,
        closed_minute=61.0,
        solved_minute=14.0,
        waited_s=60.0,
        pages=tuple(p for some in (sent or (FIRST, ASKED, SECOND, THIRD, FOURTH)) for p in some),
        solved_pages=tuple(FIRST),
        trials={n: RuleTrial(f"IncidentLevel{n}", "", (f"level-{n}",)) for n in (1, 2, 3, 4)},
    )
    return replace(usual, **more)


def judge(judged: Judge, ident: str, found: EscalationDrill, **more: Any) -> Claim | None:
    facts: dict[str, Any] = {"escalation_drill": found, "roster": ROSTER}
    if ident == "ES.4":
        facts["env"] = SimpleNamespace(escalation=SimpleNamespace(duty_role="technical_lead"))
        facts["papers"] = noticed("lucia", 72)
    return judged(ident, **facts | more)


def noticed(counsel: str, hours: float) -> Any:
    data = SimpleNamespace(counsel=counsel, within_hours=hours)
    return SimpleNamespace(read=lambda _: SimpleNamespace(name="legal-notice.md", data=data))


def red(claim: Claim | None) -> str:
    """What a red item says."""
    assert claim is not None
    assert not claim.holds
    return repr(claim)


@pytest.mark.parametrize("ident", ["ES.1", "ES.2", "ES.3", "ES.4"])
def test_an_escalation_by_the_matrix_is_green(judged: Judge, ident: str) -> None:
    assert judge(judged, ident, drill()) is None


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_level_that_is_not_the_procedures_is_red(judged: Judge, number: int) -> None:
    def level(**changes: Any) -> EscalationDrill:
        own = {
            f: getattr(LEVELS[number - 1], f) for f in ("level", "from_minutes", "roles", "vendors")
        }
        changed = Level(**{**own, **changes})
        return drill(levels=(*LEVELS[: number - 1], changed, *LEVELS[number:]))

    rule = f"IncidentLevel{number}"
    good = drill().trials
    late = drill(trials={**good, number: RuleTrial(rule, "silent in minute 16", ("x",))})
    lost = drill(trials={**good, number: RuleTrial(rule, "", ())})
    for found, says in (
        (level(roles=["qa_lead"]), f"roles of level {number}"),
        (level(from_minutes=7.0), f"minute that level {number} begins in: 7.0"),
        (late, "silent in minute 16"),
        (lost, f"receivers of {rule}: 0"),
    ):
        assert says in red(judge(judged, f"ES.{number}", found))


def undelivered(some: list[Page], who: str) -> list[Page]:
    return [replace(p, status="undelivered") if p.to == PEOPLE[who].phone else p for p in some]


@pytest.mark.parametrize(
    ("ident", "found", "says"),
    [
        ("ES.1", drill(pages(1, 0.3, "tess"), pages(1, 5.4, *BACKUPS)), "Omar (text: none)"),
        ("ES.1", drill(undelivered([*FIRST, *ASKED], "tess")), "Tess (text: undelivered)"),
        ("ES.1", drill(pages(1, 1.1, *LEADS)), "page of level 1 after its time"),
        ("ES.1", drill(FIRST, pages(1, 16, "paul")), "pages of level 1 to others"),
        (
            "ES.1",
            drill(FIRST, pages(2, 14.5, "paul")),
            "others paged before level 2: Paul in minute",
        ),
        ("ES.1", drill(FIRST, SECOND), "backups not paged without an answer: Hugo"),
        ("ES.1", drill(FIRST, pages(1, 4.9, *BACKUPS)), "minute of a backup's page"),
        ("ES.1", drill(FIRST, ASKED, pages(1, 10, "tess")), "pages of level 1 after the answer"),
        ("ES.1", drill(closed_minute=60.0), "minutes the answered incident was open"),
        ("ES.2", drill(FIRST, ASKED), "Paul (text: none)"),
        ("ES.2", drill(pages(2, 15.3, *LEADS, "paul")), "Sanjay (text: none)"),
        ("ES.2", drill(pages(2, 15.3, *NEXT)), "Tess (text: none)"),
        ("ES.2", drill(pages(2, 16.1, *LEADS, *NEXT)), "page of level 2 after its time"),
        ("ES.2", drill(pages(1, 14.9, "paul"), SECOND), "people paged before minute 15: Paul"),
        ("ES.2", drill(pages(2, 15.3, *LEADS, *NEXT, lines=("Impact:",))), "without impact"),
        ("ES.2", drill([replace(p, text="Impact: yes") for p in SECOND]), "pages without age"),
        ("ES.2", drill(solved_minute=14.5), "minute that the other was solved in"),
        ("ES.2", drill(solved_pages=tuple(SECOND)), "pages of level 2 or above: level 2"),
        ("ES.3", drill(SECOND), "Elena (text: none)"),
        ("ES.3", drill(undelivered(THIRD, "marcus")), "Marcus (text: undelivered)"),
        ("ES.3", drill(pages(3, 30.3, *EXECUTIVES, lines=DECISION)), "Tess (text: none)"),
        ("ES.3", drill(pages(1, 29.9, "elena"), THIRD), "executives paged before: Elena"),
        (
            "ES.3",
            drill(pages(3, 30.3, *LEADS, *NEXT, *EXECUTIVES, lines=(DECISION[1],))),
            "texts without 'Impact:'",
        ),
        (
            "ES.3",
            drill(pages(3, 30.3, *LEADS, *NEXT, *EXECUTIVES)),
            "texts without 'Decision wanted:'",
        ),
        ("ES.4", drill(THIRD), "Tess (text: none)"),
        ("ES.4", drill(pages(4, 59.9, "tess", lines=LIST)), "questions before minute 60"),
        ("ES.4", drill(pages(4, 60.3, "tess", lines=LIST[1:])), "with phone: Lucia"),
        (
            "ES.4",
            drill(pages(4, 60.3, "tess", lines=(*LIST[:3], LIST[4]))),
            "with phone: Stripe Support",
        ),
        ("ES.4", drill(FOURTH, pages(4, 60.4, "lucia", lines=LIST)), "messages to outsiders"),
    ],
)
def test_a_page_that_is_not_right_is_red(
    judged: Judge, ident: str, found: EscalationDrill, says: str
) -> None:
    assert says in red(judge(judged, ident, found))


def test_a_vendor_or_counsel_missing_on_the_roster_is_red(judged: Judge) -> None:
    def roster(**changes: Any) -> dict[str, Any]:
        return {"roster": replace(ROSTER, **changes)}

    without = {i: p for i, p in PEOPLE.items() if i != "lucia"}
    alone = {i: p for i, p in PEOPLE.items() if i != "ben"}
    two = {v: s for v, s in SUPPORT.items() if v != "stripe"}
    for changed, says in (
        (roster(vendors=two), "vendors not on the roster: stripe"),
        (roster(people=without), "legal counsel on the roster: 0"),
        (roster(people=alone), "backups of legal counsel: 0"),
    ):
        assert says in red(judge(judged, "ES.4", drill(), **changed))


def test_a_notice_that_counsel_has_not_read_or_that_comes_late_is_red(judged: Judge) -> None:
    for notice, says in (
        (noticed("tess", 72), "legal-notice.md: tess"),
        (noticed("ben", 73), "73 h"),
    ):
        assert says in red(judge(judged, "ES.4", drill(), papers=notice))


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("open for 16m 23s", 16),
        ("open for 1h 0m 23s", 60),
        ("open for 1d 2h 3m 4s", 1563),
        ("open for 23.7s", None),
        ("it is open", None),
    ],
)
def test_the_age_is_read_from_a_page(text: str, minutes: float | None) -> None:
    assert replace(FIRST[0], text=text).stated_minutes == minutes


def test_a_service_that_tells_seconds_accuses_nobody_of_being_early() -> None:
    fast = drill(pages(2, 14.0, "paul"), clock=120.0)
    assert fast.told_before([PEOPLE["paul"]], 15) == []
    assert fast.told_before([PEOPLE["paul"]], 16.5) == ["Paul in minute 16"]


# -- rules -----------------------------------------------------------------------------------------


@pytest.fixture
def env(env_with: EnvWith) -> Environment:
    found = binaries.find("promtool")
    words = [f"{key}={value}" for key, value in found.environment.items()]
    return env_with(monitoring={"promtool": ["env", *words, str(found.path)]})


def rule(number: int, **changes: Any) -> Rule:
    """The rehearsal's own rule of a level."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    own = next(r for g in groups for r in g["rules"] if r.get("alert") == f"IncidentLevel{number}")
    return replace(
        Rule("escalation", own["alert"], own["expr"], 0.0, own["labels"], "ok", ""), **changes
    )


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_the_rules_of_the_rehearsal_fire_in_their_minute_and_not_before(
    env: Environment, tmp_path: Path, number: int
) -> None:
    assert escalation._complaint(env, tmp_path, LEVELS[number - 1], rule(number)) == ""


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"query": 'incident_open_seconds{severity="critical"} > 1800'}, "silent in minute 16"),
        ({"query": 'incident_open_seconds{severity="critical"} > 800'}, "fires in minute 14"),
        ({"for_s": 120.0}, "silent in minute 16"),
        ({"query": "max_over_time(incident_open_seconds[1h]) > 800"}, "although solved"),
    ],
)
def test_a_rule_that_fires_too_late_or_too_early_is_told(
    env: Environment, tmp_path: Path, changed: dict[str, Any], says: str
) -> None:
    assert says in escalation._complaint(env, tmp_path, LEVELS[1], rule(2, **changed))


def test_a_rule_that_is_not_loaded_is_told(env: Environment, tmp_path: Path) -> None:
    assert escalation._complaint(env, tmp_path, LEVELS[1], None) == "it is not loaded"


def test_a_drill_that_the_session_ends_closes_both_incidents_at_once(
    env_with: EnvWith, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At an unscaled clock it would page people for an hour after whoever ran it had left."""
    reported = tmp_path / "told"
    says = "import sys; print(*sys.argv[2:], file=open(sys.argv[1], 'a'))"
    commands = {
        f"{verb}_command": ["{python}", "-c", says, str(reported), verb, "{name}"]
        for verb in ("open", "acknowledge", "close")
    }
    rules = [f"Level{level.level}" for level in LEVELS]
    env = env_with(
        permits=["write"],
        time_limits={"drill": 20.0},
        escalation={**commands, "clock": 1.0, "rules": rules, "metric": "open"},
    )
    monkeypatch.setattr(escalation, "read_roster", lambda _: ROSTER)
    monkeypatch.setattr(escalation, "_trials", lambda *_: {})
    monkeypatch.setattr(escalation, "_opened_at", lambda *_: datetime.now(UTC))
    monkeypatch.setattr(escalation, "_pages", lambda _, __, opened: {name: [] for name in opened})
    store = FactStore(env)
    store.start(["escalation_drill"])
    deadline = time.monotonic() + 20
    while not reported.exists() or reported.read_text().count("open ") < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    ended = store.finish()
    assert ended == Ended(waited=("escalation_drill",), left=())
    lines = [line.split() for line in reported.read_text().splitlines()]
    opened = {name for verb, name in lines if verb == "open"}
    assert {name for verb, name in lines if verb == "close"} == opened
    assert time.monotonic() < deadline


def test_a_page_is_somebodys_in_any_letter_case_of_the_address() -> None:
    page = FIRST[1]
    shouted = replace(page, to=page.to.upper())
    assert page.is_to([shouted.to.title()])
    assert shouted.is_to([page.to])
    assert not shouted.is_to(["eve@example.com"])
