"""Statements: only what the right person signed, of this item, here and now, holds."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from golive.people import signatures
from golive.people.statements import (
    BODY,
    EVIDENCE,
    Evidence,
    Signed,
    canonical,
    evidence_name,
    identify,
    keep,
    made_before,
    read_statement,
    reading,
)
from golive.verdicts import GoliveError, Pending
from tests.conftest import STATED, Done, Project, Root, make_key

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def forged(project: Project, signed: Signed, key: str = "paul", **fields: Any) -> Path:
    """A statement's folder with some fields otherwise, put where it belongs by hand."""
    said = msgspec.structs.replace(signed.statement, **fields)
    folder = signed.folder.with_name(identify(said))
    shutil.copytree(signed.folder, folder)
    (folder / BODY).write_bytes(canonical(said))
    if key:
        signatures.sign(folder / BODY, project.keys[key], signatures.STATEMENTS)
    return folder


def only(project: Project, folder: Path) -> str:
    """Why the statement in a folder does not hold."""
    return project.context().statements.check(read_statement(folder)).cause


# -- who -------------------------------------------------------------------------------------


def test_what_the_owner_signed_holds(project: Project) -> None:
    assert project.cause(project.sign()) == ""


def test_a_backup_signs_as_well_as_the_holder(project: Project) -> None:
    assert project.cause(project.sign(by="leah")) == ""


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_every_kind_of_key_that_needs_no_token_signs(project: Project, kind: str) -> None:
    make_key(project.keys["paul"], kind)
    project.roster()
    signed = project.sign()
    assert project.cause(signed) == ""
    (signed.folder / f"{BODY}.sig").write_bytes(
        (project.sign(text="else").folder / f"{BODY}.sig").read_bytes()
    )
    assert "its signature is not valid" in project.cause(signed)


def test_somebody_elses_key_does_not_sign_for_a_person(project: Project) -> None:
    assert "its signature is not valid" in project.cause(project.sign(by="paul", key="tess"))


def test_what_is_not_signed_does_not_hold(project: Project) -> None:
    signed = project.sign()
    (signed.folder / f"{BODY}.sig").unlink()
    assert project.cause(signed) == "its signature is not valid: it is not signed"


@pytest.mark.parametrize("namespace", [signatures.DOCUMENTS, signatures.PACKAGES])
def test_a_signature_for_another_purpose_does_not_count(project: Project, namespace: str) -> None:
    signed = project.sign()
    signatures.sign(signed.folder / BODY, project.keys["paul"], namespace)
    assert "its signature is not valid" in project.cause(signed)


@pytest.mark.parametrize(
    ("dates", "holds"),
    [
        ({"since": NOW.date() + DAY}, False),
        ({"until": NOW.date() - DAY}, False),
        ({"since": NOW.date(), "until": NOW.date()}, True),
    ],
)
def test_a_key_counts_only_on_its_days(
    project: Project, dates: dict[str, object], holds: bool
) -> None:
    signed = project.sign(made_at=datetime.now(UTC).replace(microsecond=0))
    project.roster(paul={"keys": [{"public": project.public("paul")} | dates]})
    assert (project.cause(signed) == "") is holds


def test_a_key_that_is_given_up_still_vouches_for_what_it_signed(project: Project) -> None:
    signed = project.sign(made_at=NOW - 2 * DAY)
    until = NOW.date() - DAY
    project.roster(paul={"keys": [{"public": project.public("paul"), "until": until}]})
    assert project.cause(signed) == ""
    project.roster(paul={"keys": []})  # a lost key is taken off, with all that it signed
    assert "its signature is not valid" in project.cause(signed)


def test_two_people_with_one_key_are_nobody(project: Project) -> None:
    signed = project.sign()
    project.roster(leah={"keys": [{"public": project.public("paul") + " of leah"}]})
    assert project.cause(signed) == "paul and leah have the same key"


def test_somebody_who_left_the_roster_does_not_count(project: Project) -> None:
    signed = project.sign()
    project.roster(paul=None)
    assert project.cause(signed) == "paul is not on the roster"


def test_a_role_that_may_not_state_the_item_does_not_count(project: Project) -> None:
    signed = project.sign(by="tess")
    assert project.cause(signed) == (
        "the role technical_lead may not state it; product_manager may"
    )
    assert project.cause(project.sign(by="tess", role="product_manager")) == (
        "tess neither holds nor backs up the role product_manager"
    )


# -- of what, where, when --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"item": "D-2.1.1"}, "the item or its check has changed since"),
        ({"item": "D-9.9.9"}, "the procedure has no item D-9.9.9"),
        ({"title": "Something harmless"}, "the item or its check has changed since"),
        ({"environment": "rehearsal", "environment_kind": "rehearsal"}, "it is about rehearsal"),
        ({"environment_kind": "rehearsal"}, "it is about staging (rehearsal), not staging"),
        ({"candidate": "v1.9.0"}, "it is about v1.9.0, not v2.0.0"),
        ({"item": ""}, "it names no item"),
        ({"text": " \n"}, "it states nothing"),
        ({"made_at": NOW + HOUR}, "which has not come"),
        ({"made_at": datetime.max.replace(tzinfo=UTC, microsecond=0)}, "which has not come"),
        ({"made_at": NOW - 8 * DAY, "expires_at": NOW + 90 * DAY}, "it expired on"),
        ({"expires_at": NOW - HOUR}, "it expired on"),
        ({"kind": "approve"}, "it decides neither go nor no-go"),
        ({"kind": "waive"}, "it names no risk"),
        ({"kind": "revoke"}, "it revokes nothing"),
    ],
)
def test_a_truly_signed_statement_of_something_else_does_not_hold(
    project: Project, fields: dict[str, Any], said: str
) -> None:
    assert said in only(project, forged(project, project.sign(), **fields))


def test_a_statement_that_was_altered_does_not_hold(project: Project) -> None:
    signed = project.sign()
    folder = forged(project, signed, key="", text="everybody was notified twice")
    assert "its signature is not valid" in only(project, folder)


def test_a_changed_check_asks_anew(project: Project) -> None:
    signed = project.sign()
    project.folder.items(STATED.replace("Signed.", "Signed by hand."))
    assert project.cause(signed) == "the item or its check has changed since"


def test_launch_toml_says_how_long_a_statement_holds_at_most(project: Project) -> None:
    signed = project.sign(made_at=NOW - 2 * HOUR, expires_at=NOW + 90 * DAY)
    statements = project.context().statements
    assert statements.entitlement.ends(signed.statement) == NOW - 2 * HOUR + 7 * DAY
    project.folder.launch(project.launch_day, validity={"D-2.2": "1 h"})
    assert "it expired on" in project.cause(signed)


# -- evidence --------------------------------------------------------------------------------


@pytest.fixture
def with_evidence(project: Project) -> Signed:
    return project.sign(files=[project.folder.write("minutes.txt", "all agreed")])


def test_evidence_is_a_copy_that_changes_with_nothing(
    project: Project, with_evidence: Signed
) -> None:
    source = project.path / "minutes.txt"
    linked = project.path / "hard-link.txt"
    os.link(source, linked)
    again = project.sign(text="linked", files=[linked])
    source.write_text("nobody agreed")
    assert project.cause(with_evidence) == ""
    assert project.cause(again) == ""


def test_the_same_file_twice_is_one_piece_of_evidence(project: Project) -> None:
    note = project.folder.write("minutes.txt", "all agreed")
    signed = project.sign(files=[note, note])
    assert len(signed.statement.evidence) == 1
    assert project.cause(signed) == ""


def altered(path: Path) -> None:
    path.write_text("all argued")


def lost(path: Path) -> None:
    path.unlink()


def linked(path: Path) -> None:
    away = path.parent.parent.parent / ".away"
    path.replace(away)
    path.symlink_to(away)


def queued(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (altered, "its evidence minutes.txt was altered"),
        (lost, "its evidence minutes.txt is not there"),
        (linked, "its evidence minutes.txt is not there"),
        (queued, "its evidence minutes.txt is not there"),
    ],
)
def test_evidence_that_is_not_as_it_was_is_told(
    project: Project, with_evidence: Signed, spoil: Any, said: str
) -> None:
    spoil(with_evidence.evidence[0])
    assert project.cause(with_evidence) == said


def test_a_file_that_it_does_not_name_is_told_harmlessly(
    project: Project, with_evidence: Signed
) -> None:
    odd = with_evidence.folder / EVIDENCE / "\x1b[2J\u202e<script>"
    odd.write_text("x")
    assert project.cause(with_evidence) == (
        "its folder holds '\N{REPLACEMENT CHARACTER}<script>', which it does not name"
    )
    odd.replace(with_evidence.folder / "notes.txt")
    assert project.cause(with_evidence) == "its folder holds 'notes.txt', which is no part of it"


def test_an_evidence_folder_elsewhere_is_not_followed(
    project: Project, with_evidence: Signed
) -> None:
    away = with_evidence.folder.parent / ".away"
    (with_evidence.folder / EVIDENCE).replace(away)
    (with_evidence.folder / EVIDENCE).symlink_to(away)
    assert project.cause(with_evidence) == "its evidence is a symbolic link"


def test_papers_have_to_be_those_that_lie_there(project: Project) -> None:
    paper = project.folder.write("papers/runbook.md", "# Runbook\n")
    signed = project.sign(files=[paper])
    bare = project.sign(text="without", made_at=NOW - HOUR)
    digest = hashlib.sha256(b"# Runbook\n").hexdigest()

    def holds(papers: dict[str, str]) -> dict[str, str]:
        return {s.id: s.cause for s in project.context().statements.vouched("D-2.2.1", papers).all}

    assert holds({"runbook.md": digest})[signed.id] == ""
    changed = holds({"runbook.md": hashlib.sha256(b"else").hexdigest()})
    assert changed[signed.id] == "runbook.md has changed since"
    assert changed[bare.id] == "it does not name runbook.md as its evidence"


# -- files that are no statement -------------------------------------------------------------


def no_statement(project: Project) -> str:
    ((_, why),) = project.context().statements.unreadable.items()
    return why


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (b'{"about":""', b'{"about":"x","about":""', "is not in canonical form"),
        (b'"data":{}', b'"data":{ }', "is not in canonical form"),
        (b'"data":{}', b'"data":{},"extra":1', "is not in canonical form"),
        (b'"data":{}', b'"data":{"a":1e999}', "is damaged: Number out of range"),
        (b'"data":{}', b'"data":{"a":' + b"[" * 9999 + b"]" * 9999 + b"}", "is damaged"),
        (b'"schema":2', b'"schema":3', "use the golive that wrote it"),
        (b'"schema":2', b'"schema":true', "found True"),
        (b'"schema":2', b'"schema":0', "found 0"),
        (b'"kind":"attest"', b'"kind":"believe"', "is damaged: Invalid enum value"),
        (b'Z","readiness"', b'+02:00","readiness"', "made_at: found"),
        (b'"data":{}', b'"data":{"a":"\xff"}', "is damaged"),
        (b"{", b"[", "is damaged"),
    ],
)
def test_json_that_golive_did_not_write_is_no_statement(
    project: Project, before: bytes, after: bytes, said: str
) -> None:
    body = project.sign().folder / BODY
    text = body.read_bytes()
    assert text.count(before) >= 1
    body.write_bytes(text.replace(before, after, 1))
    assert said in no_statement(project)


def test_a_statement_under_another_name_is_none(project: Project) -> None:
    signed = project.sign()
    signed.folder.replace(signed.folder.with_name(signed.id.replace("paul", "tess")))
    assert f"holds the statement {signed.id}; expected it under that name" in no_statement(project)


def test_a_linked_folder_or_file_is_no_statement(project: Project) -> None:
    signed = project.sign()
    away = project.path / signed.id
    signed.folder.replace(away)
    signed.folder.symlink_to(away)
    assert "is a symbolic link" in no_statement(project)
    signed.folder.unlink()
    away.replace(signed.folder)
    (signed.folder / BODY).replace(project.path / "body")
    (signed.folder / BODY).symlink_to(project.path / "body")
    assert "is a symbolic link" in no_statement(project)
    (signed.folder / BODY).unlink()
    os.mkfifo(signed.folder / BODY)
    assert "is a pipe" in no_statement(project)


def test_a_file_of_two_gigabytes_is_not_read(project: Project) -> None:
    signed = project.sign()
    with (signed.folder / f"{BODY}.sig").open("r+b") as file:
        file.truncate(2 * 2**30)
    assert "of 64 KiB at most" in no_statement(project)
    with (signed.folder / BODY).open("r+b") as file:
        file.truncate(2 * 2**30)
    assert "of 1 MiB at most" in no_statement(project)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (Evidence(name="../../x", sha256="0" * 64), "found the name '../../x'"),
        (Evidence(name="a\x1b[2Jb", sha256="0" * 64), "found the name 'ab'"),
        (Evidence(name="a", sha256="ABC"), "found the digest 'ABC'"),
        (Evidence(name="a", sha256="0" * 64, bytes=2 * 2**30), "expected 64 MiB at most"),
        (Evidence(name="a", url="javascript:alert(1)"), "expected one of http or https"),
        (Evidence(name="a", url='https://a/"><script>'), "expected one of http or https"),
        (Evidence(name="a"), "without a digest or an address"),
    ],
)
def test_evidence_that_points_elsewhere_is_refused(
    project: Project, one: Evidence, said: str
) -> None:
    folder = forged(project, project.sign(), evidence=[one])
    with pytest.raises(GoliveError, match="evidence: ") as refused:
        read_statement(folder)
    assert said in str(refused.value)
    with pytest.raises(GoliveError, match="--evidence: "):
        keep(project.draft(evidence=[one]), [], project.keys["paul"], project.statements)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_no_byte_of_a_statement_can_change(project: Project, at: int, byte: int) -> None:
    if not project.statements.is_dir():
        project.sign()
    (folder,) = project.statements.iterdir()
    body = folder / BODY
    text = body.read_bytes()
    at %= len(text)
    body.write_bytes(text[:at] + bytes([byte]) + text[at + 1 :])
    try:
        if text[at] == byte:
            assert only(project, folder) == ""
        else:
            with pytest.raises(GoliveError):
                read_statement(folder)
    finally:
        body.write_bytes(text)


@given(st.text())
def test_every_file_name_becomes_one_that_is_taken(name: str) -> None:
    assert evidence_name(name) == evidence_name(evidence_name(name))
    assert not set(evidence_name(name)) & set("/\x1b\u202e<>\"'\\")


# -- two people ------------------------------------------------------------------------------


def test_two_signatures_are_of_two_people(project: Project) -> None:
    project.launch(two_signatures=["D-2.2"])
    project.sign()
    with pytest.raises(Pending, match="needs the signatures of two people; so far only Paul"):
        project.context().statements.vouched("D-2.2.1").claims()
    project.sign(text="again")
    with pytest.raises(Pending, match="so far only Paul"):
        project.context().statements.vouched("D-2.2.1").claims()
    project.sign(by="tess")
    assert all(project.context().statements.vouched("D-2.2.1").claims())


def test_each_role_speaks_through_a_person_of_its_own(project: Project) -> None:
    project.folder.items(
        STATED.replace('by=("product_manager",)', 'by=("product_manager", "support")')
    )
    project.roster(joel={"roles": ["support"], "backs_up": ["product_manager"]})
    project.sign(by="joel", role="support")
    project.sign(by="joel", role="product_manager")
    with pytest.raises(Pending, match="joel signed in several roles"):
        project.context().statements.vouched("D-2.2.1").claims()
    project.sign(by="paul", made_at=NOW - HOUR)  # older than what joel said in this role
    assert all(project.context().statements.vouched("D-2.2.1").claims())


def waiver(project: Project, by: str, **fields: Any) -> Signed:
    values: dict[str, Any] = {"kind": "waive", "text": "later", "risk": "a late night"}
    values |= {"made_at": NOW, "expires_at": NOW + 3 * DAY} | fields
    return project.sign("D-2.1.3", by, **values)


def waived(project: Project) -> tuple[bool, str]:
    found, causes = project.context().statements.exemption("D-2.1.3")
    return found is not None, "; ".join(causes)


def test_the_second_signs_the_very_words_of_the_first(project: Project) -> None:
    first = waiver(project, "paul")
    waiver(project, "tess", about=first.sha256, text="whenever")
    assert waived(project)[0] is False
    assert "says something else than the one it seconds" in waived(project)[1]
    waiver(project, "tess", about=first.id)  # a name is no digest
    assert waived(project)[0] is False
    waiver(project, "tess", about=first.sha256)
    assert waived(project)[0] is True


def test_nobody_seconds_oneself(project: Project) -> None:
    project.roster(paul={"roles": ["product_manager", "technical_lead"]})
    first = waiver(project, "paul")
    waiver(project, "paul", about=first.sha256, role="technical_lead")
    assert waived(project)[0] is False
    assert "paul signed twice; a second person has to" in waived(project)[1]


def test_a_waiver_ends_a_week_after_the_launch_whatever_it_says(project: Project) -> None:
    first = waiver(project, "paul", expires_at=NOW + 365 * DAY)
    ends = project.context().statements.entitlement.ends(first.statement)
    assert ends.date() == project.launch_day + 8 * DAY


def test_the_first_part_that_is_revoked_takes_the_waiver_with_it(project: Project) -> None:
    first = waiver(project, "paul")
    waiver(project, "tess", about=first.sha256)
    project.sign("", "paul", kind="revoke", about=first.sha256)
    assert waived(project)[0] is False


def test_a_revocation_does_not_expire(project: Project) -> None:
    signed = project.sign()
    project.sign(
        "", "paul", kind="revoke", about=signed.sha256, expires_at=NOW - DAY, candidate="v1.9.0"
    )
    assert "paul revoked it" in project.cause(signed)


# -- in a run of pytest ----------------------------------------------------------------------

CONTRADICTED = """
@attested("D-2.2.1", "everybody was notified", by=("product_manager",))
def test_everybody_was_told(vouched):
    '''Told.

    Remedy: tell them.'''
    assert equal("people who were notified", 3, 3 + BROKEN)
"""


@pytest.fixture
def signing(root: Root) -> Project:
    return Project(root)


@pytest.fixture
def run(root: Root, signing: Project) -> Callable[[], Done]:
    """On the day of the launch, in staging."""
    return lambda: root.run("--today", signing.on(0), env="staging")


def test_a_check_that_contradicts_a_statement_wins_and_both_are_shown(
    signing: Project, run: Callable[[], Done]
) -> None:
    signing.folder.items(CONTRADICTED.replace("BROKEN", "1"))
    signing.sign()
    done = run()
    assert done.verdicts["D-2.2.1"] == "FAIL"
    reported = [(c.subject, c.observed, c.holds) for c in done.run.verdicts["D-2.2.1"].claims]
    assert ("people who were notified", "3", False) in reported
    assert any(observed.startswith("paul stated it on") for _, observed, _ in reported)


def test_what_is_not_signed_is_told_beside_what_is_broken(
    signing: Project, run: Callable[[], Done]
) -> None:
    signing.folder.items(CONTRADICTED.replace("BROKEN", "1"))
    done = run()
    verdict = done.run.verdicts["D-2.2.1"]
    assert done.verdicts["D-2.2.1"] == "FAIL"
    assert verdict.message.startswith("people who were notified: 3; ")
    assert "; what people have to state: not stated yet by product manager" in verdict.message


def test_a_check_that_agrees_needs_the_signature_too(
    signing: Project, run: Callable[[], Done]
) -> None:
    signing.folder.items(CONTRADICTED.replace("BROKEN", "0"))
    done = run()
    assert done.verdicts["D-2.2.1"] == "PENDING"
    message = done.run.verdicts["D-2.2.1"].message
    assert "not stated yet by product manager: everybody was notified" in message
    signing.sign()
    assert run().verdicts["D-2.2.1"] == "PASS"


def test_a_spoilt_statement_is_suspect_and_shown_harmlessly(
    signing: Project, run: Callable[[], Done]
) -> None:
    signed = signing.sign(text="<script>alert(1)</script>\x1b[31m")
    signing.sign("", "paul", kind="revoke", about=signed.sha256, text="<b>\x1b]0;x\x07no\u202e")
    done = run()
    message = done.run.verdicts["D-2.2.1"].message
    assert done.verdicts["D-2.2.1"] == "PENDING"
    assert "SUSPECT: paul signed it on" in message
    assert "paul revoked it: <b>no\N{REPLACEMENT CHARACTER}" in message
    assert "\x1b]0" not in done.out
    assert "<b>no" not in (done.run.folder / "report.html").read_text()


def test_an_item_of_each_has_to_ask_for_everyone(signing: Project, run: Callable[[], Done]) -> None:
    signing.folder.items(STATED.replace('by=("product_manager",)', "each=True"))
    done = run()
    assert done.verdicts["D-2.2.1"] == "UNKNOWN"
    assert "expected vouched.by_everyone(...) in it" in done.run.verdicts["D-2.2.1"].message


def test_everybody_of_a_set_signs_in_person(signing: Project, run: Callable[[], Done]) -> None:
    asks = "    assert vouched.by_everyone(['paul', 'joel'], 'people')\n"
    signing.folder.items(STATED.replace('by=("product_manager",)', "each=True") + asks)
    signing.sign()
    done = run()
    assert done.verdicts["D-2.2.1"] == "PENDING"
    assert "not stated yet by Joel Abrams" in done.run.verdicts["D-2.2.1"].message
    signing.sign(by="joel")
    assert run().verdicts["D-2.2.1"] == "PASS"


def test_without_a_roster_nobody_can_be_told(signing: Project, run: Callable[[], Done]) -> None:
    (signing.path / "suites/people/roster.toml").unlink()
    done = run()
    assert done.verdicts["D-2.2.1"] == "UNKNOWN"
    message = done.run.verdicts["D-2.2.1"].message
    assert message.startswith("could not look at the roster: ")
    assert "roster.toml" in message


def test_a_paper_that_is_missing_is_pending_with_the_way_to_a_template(
    signing: Project, run: Callable[[], Done]
) -> None:
    with_paper = 'by=("product_manager",), papers=("runbook.md",)'
    signing.folder.items(STATED.replace('by=("product_manager",)', with_paper))
    done = run()
    assert done.verdicts["D-2.2.1"] == "PENDING"
    assert "runbook.md is not there; `golive init" in done.run.verdicts["D-2.2.1"].message


# -- read once -----------------------------------------------------------------------------------


def test_a_statement_that_was_read_is_read_again_once_its_files_are_others(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the same length and with the time it had, too; and where a link has taken its place."""
    monkeypatch.setattr(reading, "_SETTLED_NS", 0)
    monkeypatch.setattr(reading, "_read", {})
    signed = project.sign(text="whole")
    place, body = signed.folder.parent, signed.folder / BODY
    assert not reading.read_folder(place).broken
    assert signed.folder in reading._read
    was = body.stat()
    altered = body.read_bytes().replace(b"whole", b"wholy")
    body.write_bytes(altered)
    os.utime(body, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert body.stat().st_size == was.st_size
    assert list(reading.read_folder(place).broken) == [signed.id]
    body.write_bytes(altered.replace(b"wholy", b"whole"))
    assert not reading.read_folder(place).broken
    elsewhere = signed.folder.rename(place.parent / "elsewhere")
    (place / signed.id).symlink_to(elsewhere)
    assert "symbolic link" in reading.read_folder(place).broken[signed.id]


def test_a_statement_of_just_now_is_not_kept(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_read", {})
    signed = project.sign()
    assert [s.id for s in reading.read_folder(signed.folder.parent).found] == [signed.id]
    assert reading._read == {}


@pytest.mark.parametrize(
    ("since", "early"),
    [
        (datetime(2026, 12, 1, 12, tzinfo=UTC), ["ada (2026-12-01 11:59 UTC)"]),
        (datetime(2026, 12, 1, 11, 59, tzinfo=UTC), []),
        (date(2026, 12, 3), ["ada (2026-12-01 11:59 UTC)"]),
        (date(2026, 12, 2), []),  # in the east it may have been that day already
    ],
)
def test_what_was_signed_before_it_was_over_is_told(
    since: date | datetime, early: list[str]
) -> None:
    at = datetime(2026, 12, 1, 11, 59, tzinfo=UTC)
    said: Any = SimpleNamespace(statement=SimpleNamespace(by="ada", made_at=at))
    assert made_before([said], since) == early
