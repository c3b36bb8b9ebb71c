"""``golive statements``: all there is, with what holds and why the rest does not."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from golive.cli import main
from golive.people.signatures import STATEMENTS, sign
from golive.people.statements import canonical, identify
from golive.verdicts import GoliveError
from tests.conftest import Project

Capture = pytest.CaptureFixture[str]


def test_everything_is_listed_with_its_cause(project: Project, capsys: Capture) -> None:
    good = project.sign()
    bad = project.sign(by="leah", key="tess")
    (project.statements / "rubbish").mkdir()
    assert main(["statements", "--env", "staging"]) == 0
    said = capsys.readouterr().out
    assert f"UTC  holds until {good.statement.expires_at:%Y-%m-%d %H:%M} UTC\n  {good.id}" in said
    assert "UTC  DOES NOT HOLD: its signature is not valid: " in said
    assert bad.id in said
    assert "no statement: rubbish: " in said


def test_a_machine_reads_the_same(project: Project, capsys: Capture) -> None:
    good = project.sign(data={"hours": 2})
    project.sign(by="leah", key="tess")
    assert main(["statements", "--env", "staging", "--json"]) == 0
    reported = json.loads(capsys.readouterr().out)
    assert (reported["schema"], reported["environment"], reported["candidate"]) == (
        1,
        "staging",
        "v2.0.0",
    )
    by_id = {s["id"]: s for s in reported["statements"]}
    assert len(by_id) == 2
    own = by_id[good.id]
    assert (own["holds"], own["cause"], own["data"]) == (True, "", {"hours": 2})
    assert own["sha256"] == good.sha256


def test_an_item_narrows_it(project: Project, capsys: Capture) -> None:
    project.sign()
    assert main(["statements", "D-2.1", "--env", "staging"]) == 0
    assert "nobody has signed anything about D-2.1 in staging" in capsys.readouterr().out
    assert main(["statements", "D-9", "--env", "staging"]) == 1
    assert "found no item 'D-9'" in capsys.readouterr().err


def example(name: str) -> str:
    """The shell block that docs/statements.md marks with this name."""
    text = (Path(__file__).resolve().parents[3] / "docs" / "statements.md").read_text()
    match = re.search(rf"<!-- example: {name} -->\n```sh\n(.*?)```", text, re.DOTALL)
    assert match is not None
    return match[1]


def by_hand(project: Project, folder: Path, capsys: Capture) -> subprocess.CompletedProcess[str]:
    assert main(["statements", "--env", "staging", "--signers"]) == 0
    signers = project.folder.write("signers", capsys.readouterr().out)
    return subprocess.run(
        ["sh", "-c", example("verify")],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "SIGNERS": str(signers)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_statement_is_checked_by_hand_as_the_document_tells(
    project: Project, capsys: Capture
) -> None:
    note = project.folder.write("minutes-of-the-day.txt", "all agreed")
    signed = project.sign(files=[note])
    done = by_hand(project, signed.folder, capsys)
    assert 'Good "golive-statement" signature for paul' in done.stdout
    assert f"{signed.evidence[0].relative_to(signed.folder)}: OK" in done.stdout
    assert done.stderr == ""


def test_by_hand_too_an_altered_statement_is_told(project: Project, capsys: Capture) -> None:
    signed = project.sign(files=[project.folder.write("minutes.txt", "all agreed")])
    signed.evidence[0].write_text("all argued")
    (signed.folder / "evidence" / f"{'0' * 64}-more.txt").write_text("x")
    body = signed.folder / "statement.json"
    body.write_bytes(body.read_bytes().replace(b"notified", b"modified"))
    done = by_hand(project, signed.folder, capsys)
    assert "Good" not in done.stdout
    assert "incorrect signature" in done.stdout + done.stderr
    assert "minutes.txt: FAILED" in done.stdout
    assert "more.txt: is not named" in done.stdout


def forged(project: Project, key: str, *, raw: bytes = b"", **fields: Any) -> Path:
    """A statement that golive would not have signed, with a right signature by that key.

    :param raw: the file's bytes; default: the statement in canonical form.
    """
    said = project.draft(**fields)
    folder = project.statements / identify(said)
    folder.mkdir(parents=True)
    (folder / "statement.json").write_bytes(raw or canonical(said))
    sign(folder / "statement.json", project.keys[key], STATEMENTS)
    return folder


HOSTILE: list[dict[str, Any]] = [
    {"data": {"x": {"by": "elena"}}},
    {"data": {"by": "elena"}},
    {"data": {"x": [{"y": {"by": "elena", "candidate": "v2.0.0"}}]}},
    {"about": '","by":"elena","candidate":"'},
    {"text": '","by":"elena","candidate":"'},
    {"data": {'","by":"elena","candidate":"': 1}},
    {"candidate": 'v2","by":"elena'},
]


@pytest.mark.parametrize("fields", HOSTILE)
def test_by_hand_nothing_but_its_own_key_tells_who_said_it(
    project: Project, capsys: Capture, fields: dict[str, Any]
) -> None:
    folder = forged(project, "elena", by="joel", **fields)
    done = by_hand(project, folder, capsys)
    assert "Good" not in done.stdout
    assert "Could not verify signature" in done.stdout + done.stderr


def test_by_hand_a_file_that_names_two_people_is_no_statement(
    project: Project, capsys: Capture
) -> None:
    for n, (old, new) in enumerate(
        ((b'"kind":', b'"by":"joel","kind":'), (b'{"about"', b'{"by":"joel"}\n{"about"'))
    ):
        said = canonical(project.draft(by="elena", text=f"it is so, {n}"))
        folder = forged(project, "elena", by="elena", raw=said.replace(old, new), text=str(n))
        done = by_hand(project, folder, capsys)
        assert "statement.json: was not written by golive" in done.stdout
        assert "Good" not in done.stdout


def test_by_hand_answers_do_not_name_evidence(project: Project, capsys: Capture) -> None:
    digest = hashlib.sha256(b"x").hexdigest()
    for data in (
        {"sha256": digest},
        {"evidence": [{"bytes": 1, "name": "x", "sha256": digest, "url": ""}], "expires_at": ""},
    ):
        folder = forged(project, "paul", by="paul", data=data)
        (folder / "evidence").mkdir()
        (folder / "evidence" / f"{digest}-x").write_bytes(b"x")
        done = by_hand(project, folder, capsys)
        wrong = "is not named" if "evidence" not in data else "was not written by golive"
        assert wrong in done.stdout


@pytest.mark.parametrize("fields", HOSTILE[:3])
def test_a_key_that_means_something_else_in_a_statement_is_no_answer(
    project: Project, capsys: Capture, fields: dict[str, Any]
) -> None:
    with pytest.raises(GoliveError, match=r"--data: found the key 'by'.*expected another name"):
        project.sign(by="paul", **fields)
    folder = forged(project, "paul", by="paul", **fields)
    assert "data: found the key 'by'" in project.context().statements.unreadable[folder.name]
