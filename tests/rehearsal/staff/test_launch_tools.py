"""The launch-day commands of the rehearsal: a dry run looks, and changes nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from rehearsal.data import release
from rehearsal.kernel.world import Rehearsal
from rehearsal.staff import launch_tools, people, scripts
from tests.rehearsal.lone_parts import Answer, stand_in

TOOLS = {t.name: t for t in launch_tools.TOOLS}


def _answer(_: Any) -> Answer:
    return 200, {}, b"here"


@pytest.fixture(scope="module")
def r(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    r = Rehearsal(tmp_path_factory.mktemp("tools"))
    release.publish(r)
    launch_tools.install(r)
    launch_tools.authorise(r)
    with ExitStack() as stack:
        for instance in ("app-1", "app-2"):
            stack.enter_context(stand_in(r.port(instance), _answer))
        yield r


def refused(r: Rehearsal, tool: str, operator: str = "", token: Path | None = None) -> str:
    try:
        launch_tools.dry_run(r, TOOLS[tool], operator, token or launch_tools.authorisation(r))
    except launch_tools.Refused as why:
        return str(why)
    return ""


def test_every_command_is_there_and_could_be_done(r: Rehearsal) -> None:
    there = {p.name for p in r.path("tools", "bin", "x").parent.iterdir()}
    assert there == set(TOOLS)
    assert len(there) == 9
    assert {name: refused(r, name) for name in TOOLS} == dict.fromkeys(TOOLS, "")


def test_a_rollback_names_the_digests_of_what_ran_before(r: Rehearsal) -> None:
    steps = launch_tools.dry_run(r, TOOLS["emergency-rollback"], "tess", Path())
    named = {s.artefact: (s.version, s.sha256) for s in steps if s.artefact}
    stored = {
        a["name"]: (a["version"], a["sha256"])
        for a in launch_tools.stored(r)
        if a["version"] == launch_tools.PREVIOUS
    }
    assert set(named) == {"backend", "configuration", "migrations"}
    assert named.items() <= stored.items()


def test_the_manifest_lists_what_was_built_and_the_files_of_archives(
    r: Rehearsal, tmp_path: Path
) -> None:
    (tmp_path / "js").mkdir()
    (tmp_path / "js" / "app.js").write_text("run()")
    kept = launch_tools.manifest(r).read_text()
    try:
        for _ in range(2):  # built again, it is listed once
            launch_tools.add_built(r, {"backend": b"{}"}, tmp_path)
        listed = json.loads(launch_tools.manifest(r).read_text())["artefacts"]
        own = {a["name"]: a for a in listed if a["version"] == launch_tools.CANDIDATE}
        assert len(own) == sum(a["version"] == launch_tools.CANDIDATE for a in listed)
        assert own["backend-image"]["sha256"] == hashlib.sha256(b"{}").hexdigest()
        assert own["static"]["files"] == {"js/app.js": hashlib.sha256(b"run()").hexdigest()}
        assert "chart/helm/bookedbarber/Chart.yaml" in own["chart"]["files"]
        plain = {(a["name"], a["version"], a["sha256"]) for a in listed}
        assert plain == {(a["name"], a["version"], a["sha256"]) for a in launch_tools.stored(r)}
    finally:
        for name in ("static", "backend-image"):
            launch_tools.artefact(r, launch_tools.CANDIDATE, name).unlink()
        launch_tools.manifest(r).write_text(kept)


def test_an_artefact_that_changed_or_went_away_is_told(r: Rehearsal) -> None:
    path = launch_tools.artefact(r, launch_tools.CANDIDATE, "backend")
    content = path.read_bytes()
    try:
        path.write_bytes(content + b"\0")
        assert "is not the manifest's" in refused(r, "verify-deployment")
        path.unlink()
        assert "is not in the store" in refused(r, "verify-deployment")
    finally:
        path.write_bytes(content)
    assert refused(r, "verify-deployment") == ""


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"signer": ""}, "there is no signed launch authorisation"),
        ({"signer": "tess"}, "not signed by an executive"),
        ({"window_ends_at": "2026-01-01T00:00:00+00:00"}, "ended at"),
        ({"commit": "0" * 40}, "for another release"),
        ({"artefacts": {"backend": "0" * 64}}, "names other artefacts"),
    ],
)
def test_a_deployment_is_refused_without_a_valid_authorisation(
    r: Rehearsal, changes: dict[str, Any], why: str
) -> None:
    r.override("tools", authorisation=changes)
    launch_tools.authorise(r)
    try:
        assert why in refused(r, "deploy-application")
        assert refused(r, "warm-caches") == ""
    finally:
        r.clear_override("tools")
        launch_tools.authorise(r)
    assert refused(r, "deploy-application") == ""


def test_an_altered_authorisation_is_refused(r: Rehearsal) -> None:
    path = launch_tools.authorisation(r)
    path.write_text(path.read_text().replace("rehearsal", "production"))
    try:
        assert "or was altered" in refused(r, "deploy-application")
    finally:
        launch_tools.authorise(r)


def test_an_authorisation_that_was_taken_back_is_refused(r: Rehearsal) -> None:
    path = launch_tools.authorisation(r)
    taken_back = path.with_name(f"{path.name}.revoked")
    taken_back.write_text(f"{scripts.sha256(path)}  elena, another day\n")
    try:
        assert "was taken back" in refused(r, "deploy-application")
    finally:
        taken_back.unlink()
    assert refused(r, "deploy-application") == ""


def test_who_may_not_is_refused_and_everything_is_on_record(
    r: Rehearsal, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(r, "deploy-application", "amy") == "amy may not run deploy-application"
    folder = str(r.folder)
    assert launch_tools.main([folder, "rollback-application", "--dry-run", "--as", "noor"]) == 0
    assert json.loads(capsys.readouterr().out)["changed"] is False
    assert launch_tools.main([folder, "rollback-application", "--dry-run", "--as", "paul"]) == 3
    lines = launch_tools.audit_log(r).read_text().splitlines()
    last = [(e["operator"], bool(e["refused"])) for e in map(json.loads, lines[-2:])]
    assert last == [("noor", False), ("paul", True)]


def test_an_emergency_rollback_asks_for_confirmation(
    r: Rehearsal, capsys: pytest.CaptureFixture[str]
) -> None:
    assert launch_tools.main([str(r.folder), "emergency-rollback"]) == 3
    assert "needs --confirm" in capsys.readouterr().err


def test_the_roster_knows_whoever_may_run_a_command() -> None:
    roles = {role for p in people.PEOPLE for role in p.roles}
    assert {role for t in launch_tools.TOOLS for role in t.roles} <= roles
