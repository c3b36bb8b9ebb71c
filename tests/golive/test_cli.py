"""The command: what it prints, and its exit status."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from golive.cli import main


def test_report_is_built_of_the_newest_run(root: Any, capsys: pytest.CaptureFixture[str]) -> None:
    root.items('@item("D-2.1.1")\ndef test_a():\n    """x"""\n    assert at_most("a", 1, 2)\n')
    done = root.run_inside()
    report = done.run.folder / "report.html"
    report.unlink()
    assert main(["report", "--reports", str(root.reports)]) == 0
    assert f"report: {report}" in capsys.readouterr().out
    assert "D-2.1.1" in report.read_text()


def test_report_without_a_run_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--reports", str(tmp_path)]) == 1
    assert "found no run; expected at least one" in capsys.readouterr().err
    assert main(["report", str(tmp_path)]) == 1
    assert "expected a run" in capsys.readouterr().err


def test_sign_leaves_a_signature_beside_the_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, document = tmp_path / "key", tmp_path / "report.html"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    document.write_text("text")
    assert main(["sign", str(document), "--key", str(key)]) == 0
    assert (tmp_path / "report.html.sig").read_text().startswith("-----BEGIN SSH SIGNATURE-----")
    assert main(["sign", str(document), "--key", str(tmp_path / "lost")]) == 1
    assert "there is no such key" in capsys.readouterr().err


def test_the_rehearsals_words_are_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GOLIVE_REHEARSAL", str(tmp_path / "none"))
    assert main(["rehearsal", "faults"]) == 0
    assert "wal-replay-paused" in capsys.readouterr().out
    assert main(["rehearsal", "revert", "no-such-fault"]) == 1


def test_wrong_usage_is_status_2() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["sing"])
    assert ended.value.code == 2


def test_a_reader_that_has_seen_enough_gets_no_traceback_and_no_go(tmp_path: Path) -> None:
    command = "import sys; from golive.cli import main; sys.exit(main(['trace', sys.argv[1]]))"
    document = tmp_path / "long.md"
    document.write_text("# Day -14: Monday\n" + "- [ ] do this\n" * 20_000)
    words = [sys.executable, "-c", command, str(document)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        words, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        assert writer.stderr is not None
        writer.stdout.close()
        assert writer.stderr.read() == ""
        assert writer.wait() == 1
