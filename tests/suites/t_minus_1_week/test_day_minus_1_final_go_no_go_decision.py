"""Day -1: who was there, what was decided and authorised: votes, papers and documents."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import msgspec

from golive.claims import Claim
from golive.deliverables import documents_of
from golive.papers.kinds import GoNoGo
from golive.people.signatures import sign
from golive.people.statements import Signed
from golive.probes.saas.launch_tools import Manifest
from golive.reports.documents import read_document, write_document
from golive.store import Kept
from tests.checks import breaking
from tests.suites.derived import World, authorisation, meeting
from tests.suites.votes import HOLDERS, LAUNCH, roster, says, vouched


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
        commit=VOTED_COMMIT,
        package_sha256=VOTED_PACKAGE,
        register_sha256="cd" * 32,
        risks=[],
    )
    votes = {r: [s for s in decided if s.statement.role == r] for r in LAUNCH.approvers}
    context = SimpleNamespace(statements=SimpleNamespace(votes=lambda: votes))
    manifest = Manifest("v2.0.0", "v1.9.0", VOTED_COMMIT, [])
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
