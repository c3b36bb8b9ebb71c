"""Day -1: who was there, what was decided and authorised: votes, papers and documents."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace as changed

from golive import package
from golive.claims import Claim, none_of
from golive.deliverables import NOT_GREEN, documents_of
from golive.papers.approval import Delegation
from golive.papers.kinds import (
    Decision,
    EmergencyRunbook,
    GoNoGo,
    RiskRegister,
    RoleTable,
    Shift,
)
from golive.people.roster import Level, Roster
from golive.people.signatures import sign
from golive.people.statements import Evidence, Signed
from golive.probes.people.authorisation import AuthorisedDecision
from golive.probes.people.calendar import Absences, Attendee, Event, LaunchCalendar
from golive.probes.saas.launch_tools import (
    Artefact,
    AuditEvent,
    Logins,
    Manifest,
    operator_logins,
)
from golive.reports.documents import read_document, write_document
from golive.store import Kept
from golive.verdicts import Pending, ProbeError
from tests.checks import breaking
from tests.golive.test_findings import COMMIT
from tests.suites.derived import World, authorisation, meeting
from tests.suites.votes import HOLDERS, LAUNCH, Resting, roster, says, vouched


def test_the_authorisation_is_signed_and_the_deploy_command_takes_it(world: World) -> None:
    world.in_order("D-1.D.2")
    unsigned = authorisation(signature_cause="it is not signed")
    reported = "the signature of the launch authorisation"
    assert world.broken("D-1.D.2", authorisation=unsigned) == reported
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
        reported = "window of the launch authorisation"
        assert world.broken("D-1.D.2", authorisation=authorisation(**change)) == reported
    elsewhere = SimpleNamespace(calendar=SimpleNamespace(time_zone="Europe/Berlin"))
    assert world.broken("D-1.D.2", env=elsewhere) == "window of the launch authorisation"


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


def test_the_decision_is_about_one_package_and_kept_where_nobody_changes_it(world: World) -> None:
    world.in_order("D-1.D.1")
    assert world.broken("D-1.D.1") == ""
    at = datetime(2099, 1, 1, tzinfo=UTC)
    for kept, reported in (
        (Kept("s3://x", 2, "COMPLIANCE", at), "versions of s3://x"),
        (Kept("s3://x", 1, "COMPLIANCE", datetime.now(UTC)), "lock of s3://x"),
        (Kept("/folder/x", 1, "", None), "lock of /folder/x"),
    ):
        world.kept = kept
        assert world.broken("D-1.D.1") == reported


QUORUM, RECORD = "D-1.1.1", "D-1.1.5"


VOTED_PACKAGE, VOTED_COMMIT = "ef" * 32, "c9d6fab0"


PRESENT = [says(QUORUM, p, 60) for p in HOLDERS]


AT = datetime(2026, 12, 6, 20, tzinfo=UTC)
INVITED = tuple(Attendee(f"{p}@example.com", "accepted") for p in HOLDERS)
MEETING = Event("e", "Go/no-go", AT, AT + timedelta(hours=1), "UTC", INVITED, "")
ENV = SimpleNamespace(calendar=SimpleNamespace(go_no_go="Go/no-go"))
DELEGATION = Delegation(
    delegated_by="elena", to="theo", covers=["launch decision"], until=date(2026, 12, 7)
)


def people(**changes: dict[str, Any]) -> Roster:
    """The roster, everybody with a mail address, some otherwise."""
    known = {
        p: changed(one, **({"email": f"{p}@example.com"} | changes.get(p, {})))
        for p, one in roster().people.items()
    }
    return Roster(Path("roster.toml"), known, {}, ())


def quorum(
    *said: Signed,
    events: tuple[Event, ...] = (MEETING,),
    delegations: tuple[Delegation, ...] = (),
    roster: Roster | None = None,
) -> Claim | None:
    known = roster or people()
    context = SimpleNamespace(
        roster=known,
        today=date(2026, 12, 6),
        signed_papers=lambda *_: [SimpleNamespace(data=d) for d in delegations],
    )
    given = vouched(QUORUM, *said)
    given.roster = known
    return breaking(
        QUORUM,
        {
            "vouched": given,
            "context": context,
            "env": ENV,
            "launch_calendar": LaunchCalendar("UTC", events),
        },
    )


def sends(by: str, delegate: str) -> Signed:
    return says(QUORUM, by, 90, delegate=delegate)


def test_each_primary_role_is_present_through_a_person_of_its_own() -> None:
    assert quorum(*PRESENT) is None
    twice = says(QUORUM, "dina", 5, role="technical_lead")
    assert quorum(*PRESENT, says(QUORUM, "dina", 4), twice) is None, "tess is there too"
    sent = [sends("tess", "dina"), sends("dave", "dina")]
    claim = quorum(*PRESENT[2:], says(QUORUM, "dina", 4), twice, *sent)
    assert claim is not None
    assert claim.subject == "people with two votes"
    claim = quorum(*PRESENT, says(QUORUM, "theo", 5, decision="no-go"))
    assert claim is not None
    assert "Theo as technical_lead" in claim.observed


def test_one_person_under_two_ids_has_one_vote() -> None:
    same = people(sam={"name": "Elena"})
    claim = quorum(*PRESENT, roster=same)
    assert claim is not None
    assert claim.subject == "people with two votes"
    assert "sam and elena (same name)" in claim.observed


def test_a_stand_in_needs_the_delegation_of_whoever_holds_the_role() -> None:
    others, stand_in = PRESENT[1:], says(QUORUM, "theo", 50)
    assert quorum(*others, stand_in, sends("tess", "theo")) is None
    for sent in ([], [sends("tess", "dina")], [sends("dave", "theo")]):
        claim = quorum(*others, stand_in, *sent)
        assert claim is not None
        assert claim.subject == "stand-ins without a delegation"
        assert "theo as technical_lead" in claim.observed
    over = replace(sends("tess", "theo"), cause="it expired")
    claim = quorum(*others, stand_in, over)
    assert claim is not None
    assert claim.subject == "stand-ins without a delegation"


def test_whoever_sent_somebody_else_was_not_there() -> None:
    claim = quorum(*PRESENT[1:], sends("tess", "theo"))
    assert claim is not None
    assert claim.subject == "roles that were present"
    with pytest.raises(Pending, match="Tess"):
        quorum(*PRESENT[1:])


def test_an_executive_delegates_for_longer_by_the_paper_of_the_contacts() -> None:
    known = people(theo={"backs_up": ["executive_team"]})
    there = [*PRESENT[:4], says(QUORUM, "theo", 50, role="executive_team")]
    assert quorum(*there, roster=known, delegations=(DELEGATION,)) is None
    for other in (
        changed(DELEGATION, until=date(2026, 12, 5)),
        changed(DELEGATION, covers=["public statements"]),
        changed(DELEGATION, to="dina"),
        changed(DELEGATION, delegated_by="paul"),
    ):
        claim = quorum(*there, roster=known, delegations=(other,))
        assert claim is not None
        assert claim.subject == "stand-ins without a delegation"


def test_whoever_is_present_has_accepted_the_meeting() -> None:
    claim = quorum(*PRESENT, events=())
    assert claim is not None
    assert claim.subject == "go/no-go meetings in the calendar"
    declined = tuple(
        replace(a, answer="declined") if a.email == "sam@example.com" else a for a in INVITED
    )
    claim = quorum(*PRESENT, events=(replace(MEETING, attendees=declined),))
    assert claim is not None
    assert claim.subject == "who has not accepted it"
    assert claim.observed.startswith("sam as security_lead ")
    sent = [says(QUORUM, "theo", 50), sends("tess", "theo")]
    assert quorum(*PRESENT[1:], *sent) is None, "a stand-in need not have been invited"


NOW = datetime.now(UTC)
ABOUT = {
    "schema": 2,
    "golive": "3",
    "environment": "rehearsal",
    "environment_kind": "rehearsal",
    "environment_title": "Rehearsal",
    "engine": "",
    "fingerprint": "",
    "suite": {"commit": "", "clean": None},
}
Judge = Callable[..., Claim | None]


@pytest.fixture
def record(tmp_path: Path) -> Judge:
    """Judges a record of the decision: the claim that breaks it. Its package lies there."""

    def packed(name: str, **about: Any) -> str:
        data = package.zipped({"package.json": json.dumps(ABOUT | about).encode()})
        (tmp_path / name).write_bytes(data)
        return hashlib.sha256(data).hexdigest()

    known = {"": packed("own.zip"), "staging": packed("other.zip", environment="staging")}

    def judged(
        *decided: Signed,
        said: tuple[Signed, ...] = (),
        there: Sequence[Signed] = PRESENT,
        red: tuple[str, ...] = (),
        of: str = "",
        **changes: Any,
    ) -> Claim | None:
        meeting = GoNoGo(
            held_at=NOW - timedelta(hours=2),
            decision="go",
            reasons="Every rule holds.",
            conditions=[],
            commit=VOTED_COMMIT,
            package_sha256=known[of],
            register_sha256="cd" * 32,
            risks=[],
        )
        votes = {r: [s for s in decided if s.statement.role == r] for r in LAUNCH.approvers}

        def resting(_: str, on: tuple[str, ...], **__: Any) -> Iterator[Claim]:
            yield none_of(NOT_GREEN, red, among=on, of="verdicts", ids=on)

        facts = {
            "papers": SimpleNamespace(
                read=lambda _: SimpleNamespace(data=changed(meeting, **changes))
            ),
            "context": SimpleNamespace(
                statements=SimpleNamespace(votes=lambda: votes),
                packages=[tmp_path / "none", tmp_path],
                environment=SimpleNamespace(name="rehearsal"),
            ),
            "vouched": vouched(RECORD, *said),
            "vouched_of": lambda item: vouched(item, *there),
            "release_manifest": Manifest("v2.0.0", "v1.9.0", VOTED_COMMIT, []),
            "deliverables": SimpleNamespace(resting=resting),
            "limits": LAUNCH.limits,
        }
        return breaking(RECORD, facts)

    return judged


def test_a_contrary_decision_of_the_same_person_in_another_role_is_seen(record: Judge) -> None:
    go = says("", "tess", 2, decision="go")
    assert record(go) is None
    claim = record(go, says("", "tess", 9, role="executive_team", decision="no-go"))
    assert claim is not None
    assert claim.subject == "contrary decisions"
    assert "tess as executive_team" in claim.observed


def test_who_signs_the_record_against_it_is_named(record: Judge) -> None:
    claim = record(said=(says(RECORD, "sam", 3, decision="no-go"),))
    assert claim is not None
    assert "Sam as security_lead" in claim.observed


@pytest.mark.parametrize(
    ("changes", "subject"),
    [
        ({"reasons": " "}, "reasons of the decision"),
        ({"commit": "0" * 40}, "commit that was decided on"),
        ({"package_sha256": ""}, "package that was decided on"),
        ({"package_sha256": VOTED_PACKAGE}, "place of the package that was decided on"),
        ({"of": "staging"}, "environment of the package that was decided on"),
        ({"held_at": NOW - timedelta(days=17)}, "hours since the meeting"),
        ({"held_at": NOW + timedelta(hours=1)}, "hours since the meeting"),
        ({"said": (says(RECORD, "sam", 121),)}, "signed before the meeting"),
        (
            {"said": (says(RECORD, "sam", 9),), "there": PRESENT[:2]},
            "signed without having been there",
        ),
    ],
)
def test_the_decision_is_about_this_launch_and_of_that_meeting(
    record: Judge, changes: dict[str, Any], subject: str
) -> None:
    assert record(said=(says(RECORD, "sam", 9),)) is None
    claim = record(**changes)
    assert claim is not None
    assert claim.subject == subject


def test_who_was_sent_to_the_meeting_signs_its_decision(record: Judge) -> None:
    there = [*PRESENT[1:], says(QUORUM, "theo", 50), sends("tess", "theo")]
    assert record(said=(says(RECORD, "theo", 9),), there=there) is None
    claim = record(said=(says(RECORD, "tess", 9),), there=there)
    assert claim is not None
    assert claim.subject == "signed without having been there"


def test_a_go_is_refused_while_the_criteria_are_red_and_a_no_go_is_not(record: Judge) -> None:
    claim = record(red=("D-1.1.4 FAIL",))
    assert claim is not None
    assert claim.subject == NOT_GREEN
    assert claim.ids == ("D-1.1.4",)
    assert record(red=("D-1.1.4 FAIL",), decision="no-go") is None


def test_a_package_goes_by_its_file_or_by_the_list_that_people_sign(tmp_path: Path) -> None:
    data = package.zipped({"package.json": b"{}"})
    path = tmp_path / "one.zip"
    path.write_bytes(data)
    (tmp_path / "none.zip").write_bytes(b"no zip")
    with zipfile.ZipFile(path) as archive:
        listed = hashlib.sha256(archive.read("SHA256SUMS")).hexdigest()
    for digest in (listed, hashlib.sha256(data).hexdigest()):
        assert package.named([tmp_path], digest) == path
    assert package.named([tmp_path], "0" * 64) is None


# -- D-1.1.2, D-1.1.3 ----------------------------------------------------------------------------

SHOWN, RISKS = "D-1.1.2", "D-1.1.3"
REPORT = "final-status-report.html"


def named(signed: Signed, name: str, sha256: str) -> Signed:
    """A statement with a file among its evidence."""
    statement = changed(signed.statement, evidence=[Evidence(name=name, sha256=sha256)])
    return replace(signed, statement=statement)


@pytest.mark.parametrize(
    ("hours", "sha256", "broken"),
    [
        (1, "ab" * 32, ""),
        (24, "ab" * 32, ""),
        (24.1, "ab" * 32, f"age of the {REPORT} when presented"),
        (-0.1, "ab" * 32, f"age of the {REPORT} when presented"),
        (1, "cd" * 32, f"the {REPORT} that was presented"),
    ],
)
def test_the_newest_report_was_presented_within_a_day(
    hours: float, sha256: str, broken: str
) -> None:
    signed = named(says(SHOWN, "elena", 60), REPORT, sha256)
    deliverables = SimpleNamespace(
        resting=Resting().resting,
        digest=lambda _: "ab" * 32,
        made_at=lambda _: signed.statement.made_at - timedelta(hours=hours),
    )
    facts = {"deliverables": deliverables, "vouched": vouched(SHOWN, signed)}
    claim = breaking(SHOWN, facts | {"limits": LAUNCH.limits})
    assert ("" if claim is None else claim.subject) == broken


HIGH = SimpleNamespace(id="R-1")


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        ({}, ""),
        ({"held_at": NOW - timedelta(days=17)}, "hours since the meeting"),
        ({"held_at": NOW - timedelta(minutes=4)}, "signed before the meeting"),
        ({"risks": []}, "high risks that are decided"),
        ({"risks": [Decision(id="R-1", decision="stop", owner="tess")]}, "risks that stop"),
        (
            {
                "risks": [Decision(id="R-1", decision="stop", owner="tess")],
                "decision": "no-go",
            },
            "",
        ),
        (
            {"risks": [Decision(id="R-1", decision="mitigate", owner="tess")]},
            "mitigations without owner or done too late",
        ),
        ({"register_sha256": "0" * 64}, "the risk register that was reviewed"),
    ],
)
def test_high_risks_are_decided_at_the_meeting(changes: dict[str, Any], broken: str) -> None:
    meeting = GoNoGo(
        held_at=NOW - timedelta(hours=2),
        decision="go",
        reasons="r",
        conditions=[],
        commit="",
        register_sha256="cd" * 32,
        risks=[Decision(id="R-1", decision="accept", owner="tess")],
    )
    register = SimpleNamespace(sha256="cd" * 32, data=SimpleNamespace(high=[HIGH], risks=[HIGH]))
    known = {GoNoGo: SimpleNamespace(data=changed(meeting, **changes)), RiskRegister: register}
    facts = {
        "papers": SimpleNamespace(read=known.__getitem__),
        "context": SimpleNamespace(roster=people(), launch=SimpleNamespace(date=date(2026, 12, 7))),
        "vouched": vouched(RISKS, says(RISKS, "elena", 5)),
        "limits": LAUNCH.limits,
    }
    claim = breaking(RISKS, facts)
    assert ("" if claim is None else claim.subject).startswith(broken)
    assert (claim is None) is (broken == "")


# -- D-1.2.1 -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "decision", "decided", "broken"),
    [
        ({}, "go", "ab" * 32, ""),
        ({}, "go", "", "the decision it rests on"),
        ({}, "go", "cd" * 32, "the decision it rests on"),
        ({}, "no-go", "ab" * 32, "what was decided"),
        ({"environment": "staging"}, "go", "ab" * 32, "the environment it is for"),
        ({"version": "v2.0.1"}, "go", "ab" * 32, "the version it is for"),
        ({"commit": "0" * 40}, "go", "ab" * 32, "the commit it is for"),
        ({"artefacts": {}}, "go", "ab" * 32, "artefacts that are not those authorised"),
        ({"window_ends_at": NOW + timedelta(days=3)}, "go", "ab" * 32, "launch window"),
        ({"signature_cause": "none"}, "go", "ab" * 32, "the signature of the launch authorisation"),
        ({"refusal_with": "over"}, "go", "ab" * 32, "deploying with it"),
        ({"refusals": {"without one": ""}}, "go", "ab" * 32, "deploying without one"),
    ],
)
def test_the_launch_is_authorised_after_the_decision_to_go(
    changes: dict[str, Any], decision: str, decided: str, broken: str
) -> None:
    artefact = Artefact("backend", "v2.0.0", "ef" * 32)
    known = {
        "artefacts": {"backend": "ef" * 32},
        "window_begins_at": NOW,
        "window_ends_at": NOW + timedelta(hours=24),
        "refusals": {"without one": "there is none"},
    }
    facts = {
        "authorisation": authorisation(**(known | changes)),
        "authorised_decision": AuthorisedDecision(decided),
        "papers": SimpleNamespace(
            read=lambda _: SimpleNamespace(
                data=SimpleNamespace(decision=decision), sha256="ab" * 32
            )
        ),
        "release_manifest": Manifest("v2.0.0", "v1.9.0", COMMIT, [artefact]),
        "stored_artefacts": (artefact,),
        "context": SimpleNamespace(environment=SimpleNamespace(name="rehearsal"), launch=LAUNCH),
        "limits": LAUNCH.limits,
    }
    claim = breaking("D-1.2.1", facts)
    assert ("" if claim is None else claim.subject) == broken


# -- D-1.3.2, D-1.3.5 ----------------------------------------------------------------------------

RUNBOOK = EmergencyRunbook(
    triggers=[],
    steps=[],
    technical_lead_may_start=True,
    escalation_minutes=[15, 30, 60],
    questions=[],
)


def reviewed(*before: Signed, minutes: tuple[float, ...] = (15, 30, 60), **changes: Any) -> str:
    """The subject of the claim that breaks D-1.3.2; empty when it is green."""
    levels = tuple(Level(level=n, from_minutes=m) for n, m in enumerate((0, *minutes), 1))
    paper = SimpleNamespace(
        name=EmergencyRunbook.file, sha256="ab" * 32, data=changed(RUNBOOK, **changes)
    )
    facts = {
        "papers": SimpleNamespace(read=lambda _: paper),
        "vouched_of": lambda item: vouched(item, *before),
        "context": SimpleNamespace(roster=Roster(Path("r"), {}, {}, levels)),
        "limits": LAUNCH.limits,
    }
    claim = breaking("D-1.3.2", facts)
    return "" if claim is None else claim.subject


THREE = [
    named(says("D-3.2.5", p, 3000), EmergencyRunbook.file, "ab" * 32)
    for p in ("tess", "dave", "sam")
]


def test_what_is_reviewed_is_what_was_signed_on_day_minus_3() -> None:
    assert reviewed(*THREE) == ""
    late = [replace(s, cause="it expired on Monday") for s in THREE]
    assert reviewed(*late) == "", "what has run out was signed all the same"
    other = named(says("D-3.2.5", "sam", 3000), EmergencyRunbook.file, "cd" * 32)
    broken = "leads who did not sign this text on Day -3"
    assert reviewed(*THREE[:2], other) == broken
    assert reviewed(*THREE[:2], replace(other, cause="emergency-runbook.md has changed since"))
    assert reviewed(*THREE[:2]) == broken
    assert reviewed(*THREE[:2], replace(THREE[2], cause="its signature is not valid")) == broken


def test_a_rollback_starts_at_once_and_escalates_in_time() -> None:
    assert reviewed(*THREE, technical_lead_may_start=False).startswith("whether the Technical Lead")
    late: dict[str, Any] = {"escalation_minutes": [15, 45, 60]}
    assert reviewed(*THREE, **late) == "minutes to each level of escalation"
    assert reviewed(*THREE, minutes=(15, 45, 60), **late) == "minutes that the procedure gives"


NOBODY_AWAY = Absences((), {})


def available(hours: str, absences: Absences = NOBODY_AWAY, owners: tuple[str, ...] = ()) -> str:
    """The subject of the claim that breaks D-1.3.5; empty when it is green."""
    known = people()
    shifts = [
        Shift(role=role, primary=p, backup="theo", starts="06:00", ends="17:00")
        for p, role in HOLDERS.items()
    ]
    said = [says("D-1.3.5", p, 5, hours="06:00-17:00") for p in (*HOLDERS, "dina")]
    paper = SimpleNamespace(data=RoleTable(date=date(2026, 12, 7), shifts=shifts))
    facts = {
        "vouched": vouched("D-1.3.5", *said, says("D-1.3.5", "theo", 5, hours=hours)),
        "papers": SimpleNamespace(read=lambda _: paper),
        "launch_day_absences": absences,
        "context": SimpleNamespace(
            roster=known, owner_roles=[*HOLDERS.values(), *owners], team=[*known.people.values()]
        ),
    }
    claim = breaking("D-1.3.5", facts)
    return "" if claim is None else claim.subject


def test_everybody_is_available_for_the_own_shifts() -> None:
    assert available("06:00-17:00") == ""
    beyond = "shifts beyond the hours that somebody is available"
    assert available("06:00-12:00") == beyond
    assert available("") == beyond
    assert available("06:00-17:00", owners=("qa_lead",)) == "roles without anybody"


def test_a_calendar_with_leave_on_launch_day_is_seen_and_a_closed_one_is_unknown() -> None:
    leave = Absences(("sam@example.com", "stranger@example.com"), {})
    assert available("06:00-17:00", leave) == "people whose calendar shows an absence"
    with pytest.raises(ProbeError, match="calendars"):
        available("06:00-17:00", Absences((), {"sam@example.com": "notFound"}))


# -- D-1.3.1 -------------------------------------------------------------------------------------


def tried(*but: tuple[str, str], hours_ago: float = 1, refused: str = "") -> str:
    """The subject of the claim that breaks D-1.3.1; empty when it is green.

    :param but: what somebody has not done: person, and command or login.
    """
    commands = {f"command-{n}": "technical_lead" for n in range(9)}
    kinds = ("database-login", "monitoring-login")
    events = tuple(
        AuditEvent(NOW - timedelta(hours=hours_ago), tool, person, True, refused)
        for person in ("tess", "theo")
        for tool in (*commands, *kinds)
        if (person, tool) not in but
    )
    facts = {
        "launch_audit": events,
        "operator_logins": Logins(kinds, tuple(e for e in events if e.tool in kinds)),
        "env": SimpleNamespace(tools=SimpleNamespace(accountable=commands)),
        "context": SimpleNamespace(roster=people()),
        "limits": LAUNCH.limits,
    }
    claim = breaking("D-1.3.1", facts)
    return "" if claim is None else claim.subject


def test_every_operator_has_tried_commands_and_logins() -> None:
    assert tried() == ""
    commands = "commands not tried by who may have to run them"
    assert tried(("theo", "command-3")) == commands
    assert tried(hours_ago=25) == commands
    assert tried(refused="no permission") == commands
    for kind in ("database-login", "monitoring-login"):
        assert tried(("theo", kind)) == "logins not tried"


def test_logins_are_those_that_are_declared() -> None:
    event = AuditEvent(NOW, "database-login", "tess", False)
    other = changed(event, tool="deploy")

    def env(*kinds: str) -> Any:
        return SimpleNamespace(tools=SimpleNamespace(logins=list(kinds)))

    assert operator_logins(env("database-login"), (event, other)).events == (event,)
    with pytest.raises(ProbeError, match=r"tools\.logins"):
        operator_logins(env(), (event,))
