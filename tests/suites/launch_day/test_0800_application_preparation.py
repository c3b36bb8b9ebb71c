"""The hour before phase 1: roles, emergency procedures and the go, against who has checked in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace as changed

from golive.claims import Claim, equal
from golive.papers.kinds import EmergencyRunbook
from golive.people.roster import Roster
from golive.people.statements import Evidence, Signed
from golive.probes.observe.alerting import CriticalAlerts
from golive.probes.saas.launch_tools import Artefact, DryRun, Step
from tests.checks import breaking
from tests.suites.votes import HOLDERS, LAUNCH, roster, says, vouched

CARDS, REVIEW, GO = "T0-0800.3.2", "T0-0800.3.4", "T0-0800.3.5"
EVERYBODY = [says("T0-0600.1.1", p, 30) for p in (*HOLDERS, "theo", "dina")]
COMMANDS = {f"command-{n}": "devops_lead" for n in range(9)}


def here(*but: str) -> list[Signed]:
    """The check-ins of everybody but these."""
    return [s for s in EVERYBODY if s.statement.by not in but]


# -- T0-0800.3.2 ---------------------------------------------------------------------------------


def cards(*absent: str, refused: str = "") -> str:
    known = roster()
    run = SimpleNamespace(tool="command-1", operator="dave", refused=refused)
    runs = SimpleNamespace(refused=[run] if refused else [], runs=[run])
    tools = SimpleNamespace(accountable=COMMANDS, commands=COMMANDS)
    facts = {
        "vouched": vouched(CARDS, *(says(CARDS, p, 5) for p in known.people)),
        "vouched_of": lambda item: vouched(item, *here(*absent)),
        "context": SimpleNamespace(roster=known, team=[*known.people.values()]),
        "operator_runs": runs,
        "env": SimpleNamespace(tools=tools),
        "limits": LAUNCH.limits,
    }
    claim = breaking(CARDS, facts)
    return "" if claim is None else claim.subject


def test_two_people_who_have_checked_in_answer_for_each_command() -> None:
    assert cards() == ""
    assert cards("tess", "theo") == "", "neither answers for one"
    for absent in ("dave", "dina"):
        assert cards(absent) == "commands without two people for them who have checked in"
    assert cards(refused="no permission") == "dry runs refused"


# -- T0-0800.3.4 ---------------------------------------------------------------------------------

TEXT = "ab" * 32
RUNBOOK = EmergencyRunbook(
    triggers=[], steps=[], technical_lead_may_start=True, escalation_minutes=[], questions=[]
)
STEP = Step("install", "backend", "v1.9.0", "ef" * 32)
FOUR = ("tess", "dave", "sam", "paul")


def before(by: str, sha256: str = TEXT) -> Signed:
    """The review of Day -1."""
    signed = says("D-1.3.2", by, 1200)
    evidence = [Evidence(name=EmergencyRunbook.file, sha256=sha256)]
    return replace(signed, statement=changed(signed.statement, evidence=evidence))


REVIEWED = [before(p) for p in ("elena", "tess", "dave", "sam")]


def rollback(
    said: list[Signed] = REVIEWED, absent: tuple[str, ...] = (), powers: tuple[str, ...] = ("tess",)
) -> str:
    known = roster()
    people = {
        p: changed(one, powers=["rollback"], keys=[SimpleNamespace(since=None, until=None)])
        if p in powers
        else one
        for p, one in known.people.items()
    }
    paper = SimpleNamespace(name=EmergencyRunbook.file, sha256=TEXT, data=RUNBOOK)
    signed = {"D-1.3.2": said, "T0-0600.1.1": here(*absent)}
    facts: dict[str, Any] = {
        "papers": SimpleNamespace(read=lambda _: paper),
        "vouched": vouched(REVIEW, *(says(REVIEW, p, 5) for p in FOUR)),
        "vouched_of": lambda item: vouched(item, *signed[item]),
        "context": SimpleNamespace(
            roster=Roster(known.source, people, {}, ()), today=date(2026, 12, 7)
        ),
        "emergency_rollback": DryRun("rollback", "", (STEP,), "", False),
        "unconfirmed_rollback": DryRun("rollback", "", (), "needs --confirm", False),
        "stored_artefacts": (Artefact("backend", "v1.9.0", "ef" * 32),),
        "env": SimpleNamespace(release=SimpleNamespace(previous_tag="v1.9.0")),
    }
    claim = breaking(REVIEW, facts)
    return "" if claim is None else claim.subject


def test_the_procedures_are_those_of_day_minus_1_and_signed_by_who_is_there() -> None:
    assert rollback() == ""
    other = "who did not sign this text on Day -1"
    assert rollback(REVIEWED[1:]) == other
    assert rollback([*REVIEWED[1:], before("elena", "cd" * 32)]) == other
    over = [replace(s, cause="it expired this morning") for s in REVIEWED]
    assert rollback(over) == "", "what has run out was signed all the same"
    assert rollback(absent=("sam",)) == "who signed it but has not checked in"


def test_somebody_is_there_who_decides_on_a_rollback() -> None:
    ready = "people who decide on a rollback and have checked in"
    assert rollback(powers=()) == ready
    assert rollback(powers=("theo",), absent=("theo",)) == ready
    assert rollback(powers=("theo", "tess"), absent=("theo",)) == ""


# -- T0-0800.3.5 ---------------------------------------------------------------------------------


def go(*said: Signed, alerts: tuple[str, ...] = ()) -> Claim | None:
    asked: dict[str, Any] = {}

    def resting(_: str, wanted: tuple[str, ...], **more: Any) -> Iterator[Claim]:
        asked.update(more)
        yield equal("what it rests on", len(wanted), 46)

    given = vouched(GO, *said)
    facts = {
        "deliverables": SimpleNamespace(resting=resting),
        "vouched": given,
        "critical_alerts": CriticalAlerts(alerts),
        "context": SimpleNamespace(ids_of=lambda b: [f"{b} {n}" for n in range(15)]),
    }
    claim = breaking(GO, facts)
    assert asked["before"] is given, "a go has to be later than every verdict"
    return claim


def test_no_critical_alert_fires_before_a_go() -> None:
    both = [says(GO, p, 5) for p in ("tess", "elena")]
    assert go(*both) is None
    claim = go(*both, alerts=("Level1 (incident payments)",))
    assert claim is not None
    assert claim.subject == "critical alerts"


@pytest.mark.parametrize("by", ["tess", "elena"])
def test_a_no_go_of_either_is_told(by: str) -> None:
    claim = go(*(says(GO, p, 5, **({"vote": "no-go"} if p == by else {})) for p in HOLDERS))
    assert claim is not None
    assert claim.subject == "people who said no-go"
