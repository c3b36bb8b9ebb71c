"""`golive doctor`: what is declared, what answers from here, what waits for the rest."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from golive import diagnosis
from golive.cli import main
from golive.diagnosis import Rights
from tests.conftest import Project

ITEM = """
@item("D-2.1.1")
def test_redis_answers(redis_cluster):
    assert redis_cluster

@item("D-2.1.2")
def test_nothing_is_looked_at():
    assert 1 + 1 == 2
"""


@pytest.fixture
def port() -> Iterator[int]:
    """One that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def run(project: Project, capsys: pytest.CaptureFixture[str], text: str) -> tuple[int, list[str]]:
    path = project.folder.write("suites/environments/mine.toml", text)
    project.folder.items(ITEM)
    people = '[people]\nroster = "suites/people/roster.toml"\npapers = "papers"\n'
    project.folder.write("suites/product.toml", people + '[redis]\nmaster_name = "m"\n')
    capsys.readouterr()
    status = main(["doctor", "--env", str(path)])
    return status, capsys.readouterr().out.splitlines()


def line(lines: list[str], section: str) -> str:
    found = [text for text in lines if text.split(" ", 1)[0] == section]
    assert len(found) == 1, lines
    return found[0].removeprefix(section).strip()


def test_each_section_is_told_with_what_waits_for_it(
    project: Project, capsys: pytest.CaptureFixture[str], port: int
) -> None:
    status, lines = run(
        project, capsys, f'kind = "staging"\n[application]\nurl = "http://127.0.0.1:{port}"\n'
    )
    assert status == 0
    redis = line(lines, "redis")
    assert redis.startswith("not declared: no Redis; 1 item looks at it; its keys: nodes, m")
    application = line(lines, "application")
    assert application.startswith(f"incomplete: 127.0.0.1:{port}; not declared: instances, ")
    assert line(lines, "flags").startswith("not declared: no feature flag service")


def test_what_does_not_answer_is_told_and_is_an_exit_status(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    status, lines = run(
        project,
        capsys,
        'kind = "staging"\n[redis]\nnodes = [{ name = "r", host = "127.0.0.1", port = 9 }]\n'
        '[release]\nheads_command = ["golive-no-such-program", "heads"]\n',
    )
    assert status == 1
    assert line(lines, "redis").startswith("refused: 127.0.0.1:9: Connection refused")
    assert "no program golive-no-such-program here" in line(lines, "release")


def test_a_program_that_is_there_has_reached_nothing(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    _, lines = run(
        project,
        capsys,
        'kind = "staging"\n[escalation]\nopen_command = ["true"]\nacknowledge_command = ["true"]\n'
        'close_command = ["http://{host}:{port}/x"]\nrules = ["a"]\nduty_role = "b"\n',
    )
    assert "no program http://{host}:{port}/x here" in line(lines, "escalation")
    _, lines = run(
        project,
        capsys,
        'kind = "staging"\n[escalation]\nopen_command = ["true"]\nacknowledge_command = ["true"]\n'
        'close_command = ["true"]\nrules = ["a"]\nduty_role = "b"\n',
    )
    assert line(lines, "escalation").startswith("declared: program true; ")


def test_a_database_that_cannot_be_asked_is_told(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    status, lines = run(
        project, capsys, 'kind = "staging"\n[postgres]\ndsn = "postgresql://m@127.0.0.1:9/shop"\n'
    )
    assert status == 1
    assert line(lines, "postgres").startswith("refused: 127.0.0.1:9")
    assert any(text.startswith("PostgreSQL's rights: could not look at") for text in lines)


@pytest.mark.parametrize("missing", [(), ("membership in pg_monitor",)])
def test_what_a_database_does_not_permit_is_told_with_what_mends_it(
    project: Project,
    capsys: pytest.CaptureFixture[str],
    port: int,
    monkeypatch: pytest.MonkeyPatch,
    missing: tuple[str, ...],
) -> None:
    found = Rights(missing, "grant pg_monitor;", "grant pg_monitor, managed;", ("replication",))
    monkeypatch.setattr(diagnosis, "rights", lambda _: found)
    text = f'kind = "staging"\n[postgres]\ndsn = "postgresql://m@127.0.0.1:{port}/shop"\n'
    status, lines = run(project, capsys, text)
    assert status == 0
    if not missing:
        assert "PostgreSQL's rights: nothing is missing" in lines
        return
    assert "PostgreSQL's rights: missing membership in pg_monitor" in lines
    assert "UNKNOWN without them: replication" in lines
    assert lines[-5:] == [
        "-- as a superuser, in shop",
        "grant pg_monitor;",
        "",
        "-- on a managed database, as its owner",
        "grant pg_monitor, managed;",
    ]
