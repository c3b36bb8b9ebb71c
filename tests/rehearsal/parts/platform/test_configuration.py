"""The product's configuration as the rehearsal releases, resolves and deploys it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from rehearsal.data import configuration, desired, release
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts import Child
from rehearsal.parts.platform.app import app_environment

OF_THE_REHEARSAL = {"PYTHONPATH", "APP_FAULTS"}
PRODUCT = Path(configuration._SOURCE)


@pytest.fixture
def r(tmp_path: Path) -> Rehearsal:
    return Rehearsal(tmp_path)


def test_what_instances_get_is_what_is_released(r: Rehearsal) -> None:
    """Who gives the application another variable puts it into config/*.env and schema.json too."""
    given, released = app_environment(r, "postgresql://x"), configuration.source()
    assert set(given) - OF_THE_REHEARSAL == set(released)
    of_itself = {n: v for n, v in released.items() if n not in configuration.references(released)}
    assert {name: given[name] for name in of_itself} == of_itself
    # A reference to nothing would be deployed as it stands there.
    assert [n for n in configuration.references(released) if given[n] == released[n]] == []


@pytest.mark.parametrize("environment", ["production", "staging", "rehearsal", "example"])
def test_every_file_has_what_the_schema_wants_and_nothing_else(environment: str) -> None:
    schema = json.loads((PRODUCT / "schema.json").read_text())
    found = configuration.source(environment)
    assert set(schema["required"]) <= set(found)
    assert set(found) <= set(schema["properties"])
    secret = {n for n, p in schema["properties"].items() if p.get("x-secret")}
    if environment != "example":
        assert secret & set(found) == {n for n, v in found.items() if v.startswith("secretsm")}


def test_a_line_that_is_no_variable_is_refused() -> None:
    assert configuration.parsed("# a\n\nA=1=2\n") == {"A": "1=2"}
    with pytest.raises(RehearsalError, match="Line 1"):
        configuration.parsed("A\n")


def test_a_program_gets_nothing_of_whoever_started_the_rehearsal() -> None:
    child = Child("app", ["x"], Path("log"), {"OWN": "1"}, own_environment=True)
    inherited = {"PATH": "/bin", "OTHER": "2"}
    assert child.variables(inherited) == {"PATH": "/bin", "OWN": "1"}
    assert Child("x", ["x"], Path("log")).variables(inherited) == inherited


def test_a_deployed_file_is_its_owners_own(r: Rehearsal) -> None:
    assert configuration.effective(r, "app-1") == {}
    configuration.deploy_file(r, "app-1", {"A": "1"})
    assert configuration.effective(r, "app-1") == {"A": "1"}
    assert os.stat(configuration.deployed(r, "app-1")).st_mode & 0o777 == 0o600  # noqa: PTH116


def test_revisions_are_kept_with_who_made_them(r: Rehearsal) -> None:
    release.publish(r)
    desired.publish(r)
    with pytest.raises(RehearsalError, match="no revision before"):
        desired.previous(r)
    now = desired.variables(r)
    changed = {**now, "CONFIG_MARKER": "other"}
    assert desired.commit(r, "omar", changed, "deploy", "config-1") == "config-2"
    assert desired.variables(r)["CONFIG_MARKER"] == "other"
    assert desired.variables(r, desired.previous(r)) == now
    assert [(e["action"], e["actor"]) for e in desired.history(r)][1:] == [("deploy", "omar")]
    release.git(desired.repository(r), "tag", "--delete", "config-1")
    with pytest.raises(RehearsalError, match="is not there any more"):
        desired.previous(r)
