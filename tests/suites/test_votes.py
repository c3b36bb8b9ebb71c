"""The items that people decide: what counts is what each role says, and no go outvotes a no-go."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from golive import launch, procedure
from golive.claims import Claim, equal
from golive.items import card_of
from golive.papers.kinds import GoNoGo
from golive.people.roster import Person, Roster
from golive.people.statements import Signed, Statement, Vouched
from golive.probes.saas.launch_tools import Manifest
from golive.verdicts import Pending
from tests.checks import breaking, checks

SUITES = Path(__file__).parents[2] / "suites"
LAUNCH = launch.load(SUITES / "launch.toml")
PROCEDURE = procedure.load(SUITES / "procedure.toml")
NOW = datetime.now(UTC).replace(microsecond=0)
GATE, START, QUORUM, RECORD = "T0-0900.3.4", "T0-0900.3.5", "D-1.1.1", "D-1.1.5"
HOLDERS = {
    "tess": "technical_lead",
    "dave": "devops_lead",
    "sam": "security_lead",
    "paul": "product_manager",
    "elena": "executive_team",
}
BACKUPS = {"theo": "technical_lead", "dina": "devops_lead"}
PACKAGE, COMMIT = "ef" * 32, "c9d6fab0"


class Resting:
    """Stands for the deliverables: everything rested on holds."""

    def resting(self, _: str, wanted: tuple[str, ...], **more: Any) -> Iterator[Claim]:
        yield equal("what it rests on", len(wanted), len(wanted))


def roster() -> Roster:
    people = {
        p: Person(
            id=p,
            name=p.title(),
            email="",
            phone="",
            roles=[HOLDERS[p]] if p in HOLDERS else [],
            backs_up=[BACKUPS[p]] if p in BACKUPS else [],
        )
        for p in (*HOLDERS, *BACKUPS)
    }
    return Roster(Path("roster.toml"), people, {}, ())


def says(item: str, by: str, minutes_ago: float, *, role: str = "", **data: Any) -> Signed:
    at = NOW - timedelta(minutes=minutes_ago)
    statement = Statement(
        kind="attest" if item else "approve",
        item=item,
        environment="staging",
        environment_kind="staging",
        candidate="v2.0.0",
        by=by,
        role=role or HOLDERS.get(by) or BACKUPS[by],
        text="as I see it",
        data=data,
        made_at=at,
        expires_at=at + timedelta(days=1),
    )
    return Signed(f"{at:%Y%m%dT%H%M%SZ}-{item}-{by}", Path("none"), statement)


def vouched(item: str, *said: Signed) -> Vouched:
    card = card_of(checks()[item])
    assert card is not None
    newest = sorted(said, key=lambda s: s.statement.made_at, reverse=True)
    return Vouched(PROCEDURE.items[item], card, newest, roster())


def gate(*said: Signed) -> Claim | None:
    """The claim that breaks the gate of phase 1."""
    facts = {"deliverables": Resting(), "limits": LAUNCH.limits}
    return breaking(GATE, facts | {"vouched": vouched(GATE, *said)})


FOUR = [says(GATE, p, 9, vote="go") for p in ("tess", "dave", "sam", "paul")]


def test_four_go_open_the_gate() -> None:
    assert gate(*FOUR) is None
    assert all(vouched(GATE, *FOUR).claims())


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


def test_a_no_go_keeps_phase_2_from_starting() -> None:
    facts = {"deliverables": Resting(), "limits": LAUNCH.limits}
    go, no = says(START, "dina", 1), says(START, "dave", 5, vote="no-go")
    assert breaking(START, facts | {"vouched": vouched(START, go)}) is None
    claim = breaking(START, facts | {"vouched": vouched(START, go, no)})
    assert claim is not None
    assert "Dave as devops_lead" in claim.observed


# -- the meeting -------------------------------------------------------------------------------

PRESENT = [says(QUORUM, p, 60) for p in HOLDERS]


def quorum(*said: Signed) -> Claim | None:
    context = SimpleNamespace(roster=roster())
    return breaking(QUORUM, {"vouched": vouched(QUORUM, *said), "context": context})


def test_each_primary_role_is_present_through_a_person_of_its_own() -> None:
    assert quorum(*PRESENT) is None
    twice = says(QUORUM, "dina", 5, role="technical_lead")
    assert quorum(*PRESENT, says(QUORUM, "dina", 4), twice) is None, "tess is there too"
    claim = quorum(*PRESENT[2:], says(QUORUM, "dina", 4), twice)
    assert claim is not None
    assert claim.subject == "people with two votes"
    claim = quorum(*PRESENT, says(QUORUM, "theo", 5, decision="no-go"))
    assert claim is not None
    assert "Theo as technical_lead" in claim.observed


def record(*decided: Signed, said: tuple[Signed, ...] = ()) -> Claim | None:
    meeting = GoNoGo(
        held_on=date(2026, 12, 6),
        decision="go",
        reasons="Every rule holds.",
        conditions=[],
        commit=COMMIT,
        package_sha256=PACKAGE,
        register_sha256="cd" * 32,
        risks=[],
    )
    votes = {r: [s for s in decided if s.statement.role == r] for r in LAUNCH.approvers}
    context = SimpleNamespace(statements=SimpleNamespace(votes=lambda: votes))
    manifest = Manifest("v2.0.0", "v1.9.0", COMMIT, [])
    return breaking(
        RECORD,
        {
            "papers": SimpleNamespace(read=lambda _: SimpleNamespace(data=meeting)),
            "context": context,
            "vouched": vouched(RECORD, *said),
            "release_manifest": manifest,
        },
    )


def test_a_contrary_decision_of_the_same_person_in_another_role_is_seen() -> None:
    go = says("", "tess", 2, decision="go")
    assert record(go) is None
    claim = record(go, says("", "tess", 9, role="executive_team", decision="no-go"))
    assert claim is not None
    assert claim.subject == "contrary decisions"
    assert "tess as executive_team" in claim.observed


def test_who_signs_the_record_against_it_is_named() -> None:
    claim = record(said=(says(RECORD, "sam", 3, decision="no-go"),))
    assert claim is not None
    assert "Sam as security_lead" in claim.observed
