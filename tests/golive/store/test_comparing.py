"""What the store holds and is not here, and how it keeps a document."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from golive.store import (
    DOCUMENTS,
    RUNS,
    STATEMENTS,
    Store,
    compare,
    kept_document,
    pull,
    push,
)
from golive.verdicts import GoliveError, Pending, ProbeError
from tests.conftest import Project
from tests.golive.signing.test_signed import by_command, make
from tests.golive.store.sharing import Inside, s3_client, with_store


def test_what_was_pushed_and_is_not_here_is_named(pushed: Project, place: str) -> None:
    context = pushed.context()
    (no_go,) = pushed.statements.glob("*-approve-tess-*")
    (run,) = (context.reports / "runs").glob("*-staging-*")
    shutil.move(no_go, pushed.path / no_go.name)
    assert compare(context) == [no_go.name]
    run.rename(run.with_name(f".{run.name}"))
    assert compare(context) == [run.name, no_go.name]
    pull(Store(place), {RUNS: context.reports / "runs", STATEMENTS: pushed.statements})
    assert compare(context) == []
    for path in (run / "verdicts.jsonl", no_go / "statement.json.sig"):
        path.write_bytes(path.read_bytes() + b"\n")
    other = " (here with another content)"
    assert compare(context) == [f"{run.name}{other}", f"{no_go.name}{other}"]


def test_records_of_another_environment_are_not_missed_and_revocations_are(
    pushed: Project, place: str
) -> None:
    context = pushed.context()
    for run in (context.reports / "runs").glob("*-rehearsal-*"):
        shutil.rmtree(run)
    other: dict[str, Any] = {"environment": "rehearsal", "environment_kind": "rehearsal"}
    rehearsed = pushed.sign(text="in a rehearsal", **other)
    revoked = pushed.sign("", "paul", kind="revoke", about="0" * 64, text="no", **other)
    push(Store(place), {STATEMENTS: pushed.statements})
    for signed in (rehearsed, revoked):
        shutil.rmtree(signed.folder)
    assert compare(context) == [revoked.id]
    assert rehearsed.id in compare(pushed.context("rehearsal"))


def test_what_cannot_be_told_in_the_store_is_named(pushed: Project, place: str) -> None:
    ident = "20261128T120000Z-D-2.2.1-paul-000000000000"
    Inside(place).add(STATEMENTS, ident, b"no archive")
    (no_go,) = pushed.statements.glob("*-approve-tess-*")
    Inside(place).add(STATEMENTS, no_go.name, b"another")
    named = {ident, f"{no_go.name} (here with another content)"}
    assert set(compare(pushed.context())) == named


def test_a_store_that_cannot_be_asked_is_no_comparison(project: Project, folder: str) -> None:
    with pytest.raises(GoliveError, match="names no store to compare with"):
        compare(project.context())
    with pytest.raises(GoliveError, match="no such folder"):
        compare(with_store(project, f"{folder}/gone"))


def test_a_signed_document_in_a_locked_bucket_is_kept_once_and_until_then(
    project: Project, aws_url: str, s3: str
) -> None:
    page, until = make(project), datetime.now(UTC) + timedelta(days=30)
    with pytest.raises(Pending, match="names no store"):
        kept_document(project.context(), page)
    context, client = with_store(project, "s3://locked/launch"), s3_client(aws_url)
    client.create_bucket(
        Bucket="locked",
        ObjectLockEnabledForBucket=True,
        CreateBucketConfiguration={"LocationConstraint": "eu-central-1"},
    )
    rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 31}}
    client.put_object_lock_configuration(
        Bucket="locked", ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )
    with pytest.raises(Pending, match="golive sign"):
        kept_document(context, page)
    by_command(project, page, "paul")
    with pytest.raises(Pending, match="golive push"):
        kept_document(context, page)
    push(Store("s3://locked/launch"), {DOCUMENTS: context.signed})
    kept = kept_document(context, page)
    assert (kept.versions, kept.lock) == (1, "COMPLIANCE")
    assert kept.locked_until is not None
    assert kept.locked_until >= until
    (listed,) = client.list_objects_v2(Bucket="locked")["Contents"]
    content = client.get_object(Bucket="locked", Key=listed["Key"])["Body"].read()
    client.put_object(Bucket="locked", Key=listed["Key"], Body=content)
    assert kept_document(context, page).versions == 2
    client.put_object(Bucket="locked", Key=listed["Key"], Body=b"something else")
    with pytest.raises(ProbeError, match="does not match its digest"):
        kept_document(context, page)


def test_a_folder_keeps_nothing_from_being_changed(project: Project, folder: str) -> None:
    page = make(project)
    by_command(project, page, "paul")
    context = with_store(project, folder)
    push(Store(folder), {DOCUMENTS: context.signed})
    kept = kept_document(context, page)
    assert (kept.lock, kept.locked_until) == ("", None)
    with pytest.raises(ProbeError, match="no such folder"):
        kept_document(with_store(project, f"{folder}/gone"), page)
