"""The gate of phase 1: what counts is what each role says, and no go outvotes a no-go."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace as changed

from golive.claims import Claim
from golive.people.statements import Signed
from golive.probes.saas.launch_tools import AuditEvent
from golive.verdicts import Pending
from tests.checks import breaking
from tests.suites.votes import LAUNCH, NOW, Resting, says, vouched

GATE, START = "T0-0900.3.4", "T0-0900.3.5"


def gate(*said: Signed) -> Claim | None:
    """The claim that breaks the gate of phase 1."""
    facts = {"deliverables": Resting(), "limits": LAUNCH.limits}
    return breaking(GATE, facts | {"vouched": vouched(GATE, *said)})


FOUR = [says(GATE, p, 9, vote="go") for p in ("tess", "dave", "sam", "paul")]


def test_four_go_open_the_gate() -> None:
    assert gate(*FOUR) is None
    assert all(vouched(GATE, *FOUR).claims())


def test_one_person_under_two_ids_has_one_vote() -> None:
    said = vouched(GATE, *FOUR)
    people = said.roster.people
    said.roster = replace(said.roster, people=people | {"sam": changed(people["sam"], name="Tess")})
    with pytest.raises(Pending, match=r"tess and sam \(same name\) are one person"):
        said.claims()


@pytest.mark.parametrize("minutes_ago", [12, 6])
def test_a_no_go_is_not_outvoted_by_another_holder_of_the_role(minutes_ago: float) -> None:
    """Before or after the go of who backs the role up."""
    votes = [
        *FOUR[1:],
        says(GATE, "theo", 9, vote="go"),
        says(GATE, "tess", minutes_ago, vote="no-go"),
    ]
    claim = gate(*votes)
    assert claim is not None
    assert claim.observed.startswith("Tess as technical_lead on ")
    with pytest.raises(Pending, match="Tess said no-go as technical lead"):
        vouched(GATE, *votes).claims()
    assert vouched(GATE, *votes).chosen["technical_lead"].statement.by == "tess"


def test_one_person_s_go_in_one_role_does_not_hide_a_no_go_in_another() -> None:
    votes = [
        *FOUR[1:],
        says(GATE, "tess", 8, vote="no-go"),
        says(GATE, "tess", 5, role="devops_lead", vote="go"),
        says(GATE, "theo", 4, vote="go"),
    ]
    claim = gate(*votes)
    assert claim is not None
    assert claim.subject == "people who said no-go"


def test_the_check_judges_the_very_votes_that_are_counted() -> None:
    """The newest of each role is one person's; what is counted is another's, who voted for no
    package at all."""
    both = says(GATE, "dina", 3, vote="go")
    second = says(GATE, "dina", 2, role="technical_lead", vote="go")
    votes = [both, second, says(GATE, "tess", 20), *FOUR[2:]]
    said = vouched(GATE, *votes)
    assert {r: s.statement.by for r, s in said.chosen.items()} == {
        "technical_lead": "tess",
        "devops_lead": "dina",
        "security_lead": "sam",
        "product_manager": "paul",
    }
    assert {c.observed.split(" on ")[0] for c in said.claims()} == {
        "signed by Tess",
        "signed by Dina",
        "signed by Sam",
        "signed by Paul",
    }
    claim = gate(*votes)
    assert claim is not None
    assert claim.subject == "votes other than go"
    assert "technical_lead: None by tess" in claim.observed


DEPLOY = "deploy-application"


def start(*said: Signed, deployed: tuple[AuditEvent, ...] = ()) -> Claim | None:
    """The claim that breaks the approval of phase 2."""
    facts = {
        "deliverables": Resting(),
        "limits": LAUNCH.limits,
        "vouched": vouched(START, *said),
        "launch_audit": deployed,
        "env": SimpleNamespace(tools=SimpleNamespace(deploy=DEPLOY)),
    }
    return breaking(START, facts)


def test_a_no_go_keeps_phase_2_from_starting() -> None:
    go, no = says(START, "dina", 1), says(START, "dave", 5, vote="no-go")
    assert start(go) is None
    claim = start(go, no)
    assert claim is not None
    assert "Dave as devops_lead" in claim.observed


def test_either_lead_approves_phase_2_and_nobody_else() -> None:
    assert start(says(START, "tess", 1)) is None
    assert start(says(START, "dave", 1)) is None
    with pytest.raises(Pending, match="Dave"):
        start(says(START, "paul", 1))


def test_what_rests_on_the_gates_is_the_newest_approval() -> None:
    said = vouched(START, says(START, "tess", 9), says(START, "dave", 4))
    assert [s.statement.by for s in said.one_of(("devops_lead", "technical_lead")).counted] == [
        "dave"
    ]


def deployment(minutes_ago: float, **changes: Any) -> AuditEvent:
    known: dict[str, Any] = {"tool": DEPLOY, "operator": "dave", "dry_run": False} | changes
    return AuditEvent(at=NOW - timedelta(minutes=minutes_ago), **known)


def test_phase_2_is_deployed_after_its_approval() -> None:
    go = says(START, "dave", 10)
    assert start(go, deployed=(deployment(9),)) is None
    claim = start(go, deployed=(deployment(11), deployment(9)))
    assert claim is not None
    assert claim.subject == "deployments before the approval"
    for other in ({"dry_run": True}, {"refused": "no"}, {"tool": "warm-caches"}):
        assert start(go, deployed=(deployment(11, **other),)) is None
    assert start(go, deployed=(deployment(25 * 60),)) is None, "of another day"
