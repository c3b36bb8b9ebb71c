"""The runner of an environment's commands, on real processes."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from golive.probes.transport.commands import CommandFailed, Deadline, Piped, pipe, run
from golive.verdicts import ProbeError


@dataclass(frozen=True, slots=True)
class Place:
    host: str
    port: int


def python(code: str) -> list[str]:
    return ["{python}", "-c", code.replace("{", "{{").replace("}", "}}")]


def test_an_answer_is_read_as_its_type() -> None:
    code = 'print(\'{"host": "db", "port": "5432", "more": 1}\')'
    assert run(python(code), {}, key="k", within_s=20, answer=Place) == Place("db", 5432)


def test_placeholders_are_filled_in_one_word_each() -> None:
    code = "import sys, json; print(json.dumps(sys.argv[1:]))"
    command = [*python(code), "--to={name}", "{target}"]
    values = {"name": "a copy", "target": "0/3000060"}
    found = run(command, values, key="k", within_s=20, answer=list[str])
    assert found == ["--to=a copy", "0/3000060"]


def test_a_command_that_prints_nothing_will_do_where_no_answer_is_wanted() -> None:
    run(python("pass"), {}, key="k", within_s=20)


def test_an_unknown_placeholder_is_named_with_those_there_are() -> None:
    with pytest.raises(ProbeError, match=r"'backup' is not known.*\{id\}.*\{python\}"):
        run(["echo", "{backup}"], {"id": 1}, key="backups.restore_command", within_s=5)


def test_a_missing_program_is_told() -> None:
    with pytest.raises(ProbeError, match="cannot be started: No such file"):
        run(["/nonexistent/tool"], {}, key="k", within_s=5)
    with pytest.raises(ProbeError, match="it is empty"):
        run([], {}, key="k", within_s=5)


def test_a_failure_tells_status_and_the_end_of_what_it_said() -> None:
    code = "import sys; sys.stderr.write('x' * 5000 + ' the disk is full'); sys.exit(3)"
    with pytest.raises(CommandFailed) as caught:
        run(python(code), {}, key="backups.verify_command", within_s=20)
    assert "exit status 3" in caught.value.cause
    assert caught.value.reason.endswith("the disk is full")
    assert len(caught.value.reason) < 700
    assert "backups.verify_command" in caught.value.subject


@pytest.mark.parametrize("said", ["", "hello", "[]", '{"host": "db"}', '{"host": 1, "port": []}'])
def test_another_answer_is_no_answer(said: str) -> None:
    with pytest.raises(ProbeError, match="not the JSON document that is expected"):
        run(python(f"print({said!r})"), {}, key="k", within_s=20, answer=Place)


def test_a_command_past_its_time_ends_with_its_children(tmp_path: Path) -> None:
    late = tmp_path / "late"
    child = f"import time, pathlib; time.sleep(3); pathlib.Path({str(late)!r}).touch()"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with pytest.raises(CommandFailed, match="had not ended after 1 s and was stopped"):
        run([sys.executable, "-c", code], {}, key="k", within_s=1)
    time.sleep(3)
    assert not late.exists()


def test_a_deadline_leaves_time_to_clean_up() -> None:
    assert 80 < Deadline(100).left_s <= 90
    assert Deadline(0).left_s == 5


def test_bytes_are_piped_through_with_no_other_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINE", "x")
    code = (
        "import os, sys; assert 'MINE' not in os.environ;"
        "sys.stdout.buffer.write(sys.stdin.buffer.read()[::-1] + os.environ['TOLD'].encode())"
    )
    content = bytes(range(256)) * 4_000
    found = pipe(
        python(code), {}, content, key="k", within_s=20, environment={"TOLD": "end", "PATH": ""}
    )
    assert found == Piped(content[::-1] + b"end", "")


def test_what_came_out_before_a_failure_is_kept() -> None:
    code = "import sys; print('half', end='', flush=True); sys.exit('no key')"
    found = pipe(python(code), {}, b"x" * 1_000_000, key="k", within_s=20, environment={})
    assert found == Piped(b"half", "no key")


def test_a_pipe_has_a_time_limit() -> None:
    code = "import time; time.sleep(60)"
    found = pipe(python(code), {}, b"", key="k", within_s=0.3, environment={})
    assert "had not ended" in found.failure
