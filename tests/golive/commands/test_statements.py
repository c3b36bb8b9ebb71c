"""``golive statements``: all there is, with what holds and why the rest does not."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from golive.cli import main
from tests.conftest import Office

Capture = pytest.CaptureFixture[str]


def test_everything_is_listed_with_its_cause(office: Office, capsys: Capture) -> None:
    good = office.sign()
    bad = office.sign(by="leah", key="tess")
    (office.statements / "rubbish").mkdir()
    assert main(["statements", "--env", "staging"]) == 0
    said = capsys.readouterr().out
    assert f"UTC  holds until {good.statement.expires_at:%Y-%m-%d %H:%M} UTC\n  {good.id}" in said
    assert "UTC  DOES NOT HOLD: its signature is not valid: " in said
    assert bad.id in said
    assert "no statement: rubbish: " in said


def test_a_machine_reads_the_same(office: Office, capsys: Capture) -> None:
    good = office.sign(data={"hours": 2})
    office.sign(by="leah", key="tess")
    assert main(["statements", "--env", "staging", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["schema"], told["environment"], told["candidate"]) == (1, "staging", "v2.0.0")
    by_id = {s["id"]: s for s in told["statements"]}
    assert len(by_id) == 2
    own = by_id[good.id]
    assert (own["holds"], own["cause"], own["data"]) == (True, "", {"hours": 2})
    assert own["sha256"] == good.sha256


def test_an_item_narrows_it(office: Office, capsys: Capture) -> None:
    office.sign()
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


def by_hand(office: Office, folder: Path, capsys: Capture) -> subprocess.CompletedProcess[str]:
    assert main(["statements", "--env", "staging", "--signers"]) == 0
    signers = office.folder.write("signers", capsys.readouterr().out)
    return subprocess.run(
        ["sh", "-c", example("verify")],
        cwd=folder, env={"PATH": os.environ["PATH"], "SIGNERS": str(signers)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_statement_is_checked_by_hand_as_the_document_tells(
    office: Office, capsys: Capture
) -> None:
    note = office.folder.write("minutes-of-the-day.txt", "all agreed")
    signed = office.sign(files=[note])
    done = by_hand(office, signed.folder, capsys)
    assert 'Good "golive-statement" signature for paul' in done.stdout
    assert f"{signed.evidence[0].relative_to(signed.folder)}: OK" in done.stdout
    assert done.stderr == ""


def test_by_hand_too_an_altered_statement_is_told(office: Office, capsys: Capture) -> None:
    signed = office.sign(files=[office.folder.write("minutes.txt", "all agreed")])
    signed.evidence[0].write_text("all argued")
    (signed.folder / "evidence" / f"{'0' * 64}-more.txt").write_text("x")
    body = signed.folder / "statement.json"
    body.write_bytes(body.read_bytes().replace(b"told", b"sold"))
    done = by_hand(office, signed.folder, capsys)
    assert "Good" not in done.stdout
    assert "incorrect signature" in done.stdout + done.stderr
    assert "minutes.txt: FAILED" in done.stdout
    assert "more.txt: is not named" in done.stdout
