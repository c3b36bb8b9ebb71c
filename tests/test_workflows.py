"""The ready-made workflows are ones that GitHub and GitLab take, and golive has what they call."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from golive.cli import main
from golive.commands import COMMANDS

WORKFLOWS = Path(__file__).parents[1] / "docs" / "workflows"
SCHEMAS = {"github-actions.yml": "github-workflows", "gitlab-ci.yml": "gitlab-ci"}


def test_every_workflow_has_a_schema_to_be_held_against() -> None:
    assert sorted(p.name for p in WORKFLOWS.iterdir()) == sorted(SCHEMAS)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_workflow_follows_its_schema(name: str) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "check_jsonschema",
            "--builtin-schema",
            f"vendor.{SCHEMAS[name]}",
            str(WORKFLOWS / name),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def commands(value: Any) -> list[str]:
    """The lines of all scripts in a workflow."""
    if isinstance(value, dict):
        scripts = [v for k, v in value.items() if k in ("run", "script")]
        lines = [x for s in scripts for x in (s.splitlines() if isinstance(s, str) else s)]
        return lines + [
            x for k, v in value.items() if k not in ("run", "script") for x in commands(v)
        ]
    return [x for v in value for x in commands(v)] if isinstance(value, list) else []


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_workflow_calls_what_is_there(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    called = [
        shlex.split(line)
        for line in commands(yaml.safe_load((WORKFLOWS / name).read_text()))
        if "bin/golive" in line
    ]
    assert {words[1] for words in called} == {"pull", "push", "status"}
    for words in called:
        assert words[1] in COMMANDS
        with pytest.raises(SystemExit) as ended:
            main([words[1], "--help"])
        assert ended.value.code == 0
        reported = capsys.readouterr().out
        for option in (w for w in words if w.startswith("--")):
            assert re.search(rf"{option}\b", reported), f"{words[1]} takes no {option}"
