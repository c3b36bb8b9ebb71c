"""Dry runs of launch-day commands: what is a fact, and what could not be looked at."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from golive.environments import Environment
from golive.people import signatures
from golive.probes.saas import launch_tools as probes
from golive.verdicts import ProbeError
from tests.conftest import make_key, toml

SAYS = {"tool": "deploy", "steps": [{"name": "install", "artefact": "app", "version": "v2"}]}


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], list[str]]:
    """An executable that does what it is given, as a command."""

    def make(text: str) -> list[str]:
        path = tmp_path / "tool"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return [str(path)]

    return make


def with_tools(env_with: Callable[..., Environment], **tools: Any) -> Environment:
    return env_with(tools=tools)


def test_a_dry_run_tells_its_steps_and_gets_what_it_needs(
    env_with: Callable[..., Environment], script: Callable[[str], list[str]], tmp_path: Path
) -> None:
    command = script(f"echo \"$@\" > {tmp_path}/said\necho '{json.dumps(SAYS)}'")
    env = with_tools(env_with, commands={"deploy": command})
    found = probes.dry_run(env, "deploy", operator="tess", authorisation=Path("token.json"))
    assert (found.refused, found.changed, found.operator) == ("", False, "tess")
    assert found.steps == (probes.Step("install", "app", "v2"),)
    said = (tmp_path / "said").read_text().strip()
    assert said == "--dry-run --as tess --authorisation token.json"


def test_a_refusal_is_a_fact_with_its_reason(
    env_with: Callable[..., Environment], script: Callable[[str], list[str]]
) -> None:
    env = with_tools(env_with, commands={"deploy": script("echo no token >&2; exit 3")})
    assert probes.dry_run(env, "deploy").refused == "no token"
    assert probes.launch_tools(env).dry_runs["deploy"].refused == "no token"


def test_a_connection_that_fails_is_no_refusal(
    env_with: Callable[..., Environment], script: Callable[[str], list[str]]
) -> None:
    env = with_tools(env_with, commands={"deploy": script("echo no route to host >&2; exit 255")})
    with pytest.raises(ProbeError, match="exit status 255: no route"):
        probes.dry_run(env, "deploy")


@pytest.mark.parametrize(
    ("text", "message"),
    [("echo hello", "is not the JSON document"), ("echo '{}'", "is not the JSON document")],
)
def test_an_answer_that_is_none_could_not_be_looked_at(
    env_with: Callable[..., Environment],
    script: Callable[[str], list[str]],
    text: str,
    message: str,
) -> None:
    env = with_tools(env_with, commands={"deploy": script(text)})
    with pytest.raises(ProbeError, match=message):
        probes.dry_run(env, "deploy")


def test_what_is_not_declared_or_not_there_could_not_be_looked_at(
    env_with: Callable[..., Environment], tmp_path: Path
) -> None:
    env = with_tools(
        env_with, commands={"deploy": [str(tmp_path / "no")]}, manifest=str(tmp_path / "m")
    )
    with pytest.raises(ProbeError, match="cannot be started"):
        probes.dry_run(env, "deploy")
    with pytest.raises(ProbeError, match="declared are deploy"):
        probes.dry_run(env, "rollback")
    with pytest.raises(ProbeError, match=r"release manifest: .*No such file"):
        probes.release_manifest(env)
    with pytest.raises(ProbeError, match="no command is declared"):
        probes.stored_artefacts(env)


def test_manifest_store_and_audit_are_read_as_they_are(
    env_with: Callable[..., Environment], script: Callable[[str], list[str]], tmp_path: Path
) -> None:
    artefact = {"name": "app", "version": "v2", "sha256": "ab"}
    document = {"candidate": "v2", "previous": "v1", "commit": "c", "artefacts": [artefact]}
    (tmp_path / "m.json").write_text(json.dumps(document))
    event = {"at": "2026-11-25T10:00:00Z", "tool": "deploy", "operator": "tess", "dry_run": True}
    (tmp_path / "stored.json").write_text(json.dumps([artefact]))
    (tmp_path / "audit.json").write_text(json.dumps([event]))
    env = with_tools(
        env_with,
        manifest=str(tmp_path / "m.json"),
        artefacts_command=["cat", str(tmp_path / "stored.json")],
        audit_command=["cat", str(tmp_path / "audit.json")],
    )
    assert probes.release_manifest(env).artefacts == [probes.Artefact("app", "v2", "ab")]
    assert probes.stored_artefacts(env) == (probes.Artefact("app", "v2", "ab"),)
    assert probes.launch_audit(env)[0].operator == "tess"


def test_the_manifests_signature_is_that_of_the_role_over_the_file_as_it_lies_there(
    env_with: Callable[..., Environment], tmp_path: Path
) -> None:
    path = tmp_path / "manifest.json"
    path.write_text("{}")
    key = make_key(tmp_path / "keys" / "tess")
    person = {"id": "tess", "name": "T", "email": "t@example.com", "phone": "+12025550100"}
    public = {"public": key.with_suffix(".pub").read_text()}
    people = [{**person, "roles": ["technical_lead"], "keys": [public]}]
    (tmp_path / "roster.toml").write_text(toml({"schema": 1, "person": people}))
    env = env_with(
        tools={"manifest": str(path), "manifest_signed_by": "technical_lead"},
        people={"roster": str(tmp_path / "roster.toml")},
    )
    assert probes.manifest_signature(env).cause != ""
    signatures.sign(path, key)
    assert probes.manifest_signature(env) == probes.ManifestSignature("technical_lead", "")
    path.write_text("{ }")
    assert probes.manifest_signature(env).cause != ""
    with pytest.raises(ProbeError, match=r"tools\.manifest_signed_by"):
        probes.manifest_signature(with_tools(env_with, manifest=str(path)))


def test_the_manifest_tells_the_candidates_artefacts() -> None:
    both = [
        probes.Artefact("migrations", version, sha) for version, sha in (("v1", "0"), ("v2", "1"))
    ]
    manifest = probes.Manifest("v2", "v1", "c0", both)
    assert manifest.digest_of("migrations") == "1"
    assert manifest.digest_of("backend") == ""
