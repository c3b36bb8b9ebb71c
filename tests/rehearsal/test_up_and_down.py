"""Bringing a rehearsal up and down: what is reported, what is left, and what can go wrong."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from rehearsal import lifecycle
from rehearsal.kernel import control, ports
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.world import PROJECT, Rehearsal
from rehearsal.parts import Child

SMALL = ("redis-replica",)
"""Two quick parts, one of which needs the other."""


@pytest.fixture
def r(tmp_path: Path) -> Iterator[Rehearsal]:
    rehearsal = Rehearsal(tmp_path / "it's a rehearsal")
    yield rehearsal
    lifecycle.down(rehearsal, say=lambda _: None)


def up(r: Rehearsal, *only: str) -> list[str]:
    reported: list[str] = []
    lifecycle.up(r, only=only or SMALL, say=reported.append)
    return reported


def run(r: Rehearsal, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rehearsal", *words],
        env={**os.environ, "GOLIVE_REHEARSAL": str(r.folder), **variables},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_up_tells_each_part_and_down_leaves_no_process(r: Rehearsal) -> None:
    reported = up(r)
    assert [line.split()[0] for line in reported[1:3]] == ["redis-primary", "redis-replica"]
    assert str(r.port("redis-replica")) in reported[2]
    assert reported[-1].startswith("Up in ")
    assert r.redis("redis-replica").info("replication")["master_link_status"] == "up"
    pids = list(r.running().values())
    assert len(pids) == 2

    lifecycle.down(r, say=reported.append)
    assert reported[-1].endswith("no process is left.")
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert control.leftovers(r.folder) == []
    assert control.supervisor(r.folder) is None


def test_up_twice_says_that_it_is_up(r: Rehearsal) -> None:
    up(r)
    pids = r.running()
    assert "is up already" in up(r)[0]
    assert r.running() == pids


def test_ports_and_secrets_stay_the_same_and_data_begins_anew(r: Rehearsal) -> None:
    up(r)
    port, secret = r.port("redis-primary"), r.secret("redis")
    r.redis().set("left", "over")
    r.override("redis-primary", maxmemory="1mb")
    r.remember("note", 1)
    lifecycle.down(r, say=lambda _: None)
    up(r)
    assert (r.port("redis-primary"), r.secret("redis")) == (port, secret)
    assert r.redis().get("left") is None
    assert r.setting("redis-primary", "maxmemory", "default") == "default"
    with pytest.raises(RehearsalError, match="Nothing is remembered under 'note'"):
        r.recall("note")


def test_two_rehearsals_run_side_by_side(r: Rehearsal, tmp_path: Path) -> None:
    other = Rehearsal(tmp_path / "other")
    try:
        up(r)
        up(other)
        r.redis().set("whose", "first")
        assert other.redis().get("whose") is None
        lifecycle.down(other, say=lambda _: None)
        assert r.redis().get("whose") == "first"
    finally:
        lifecycle.down(other, say=lambda _: None)


def test_a_killed_supervisor_takes_its_parts_along_and_up_works_again(r: Rehearsal) -> None:
    up(r)
    record = control.supervisor(r.folder)
    assert record is not None
    pids = list(r.running().values())
    os.kill(record.pid, signal.SIGKILL)
    r.wait("all parts are gone", lambda: not any(map(_lives, pids)), within_s=60)
    assert run(r, "status").stdout.strip().endswith("is not up.")
    with pytest.raises(RehearsalError, match="is not up"):
        r.restart("redis-primary")
    assert up(r)[-1].startswith("Up in ")


def _lives(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_the_record_of_a_pid_that_is_somebody_elses_now_does_not_count(r: Rehearsal) -> None:
    record = {"pid": os.getpid(), "port": 1, "begun": time.time() - 1e6}
    r.path("state", "supervisor.json").write_text(json.dumps(record))
    assert control.supervisor(r.folder) is None


def test_a_process_left_by_an_earlier_supervisor_is_ended(r: Rehearsal) -> None:
    up(r)
    lifecycle.down(r, say=lambda _: None)
    left = subprocess.Popen(["sleep", "60"], env={**os.environ, control.MARK: str(r.folder)})
    # Popen returns while exec is still laying out the environment: for a moment it reads empty.
    marked = psutil.Process(left.pid)
    r.wait("the mark is seen", lambda: control.MARK in marked.environ(), within_s=60)
    reported: list[str] = []
    lifecycle.down(r, say=reported.append)
    assert left.poll() is not None
    assert reported[-1].endswith("no process is left.")


def test_a_taken_port_is_avoided_and_a_told_one_is_an_error(r: Rehearsal) -> None:
    taken = r.port("redis-primary")
    with socket.create_server(("127.0.0.1", taken)):
        up(r)
        assert r.port("redis-primary") != taken
        lifecycle.down(r, say=lambda _: None)
        with pytest.raises(RehearsalError) as caught:
            lifecycle.up(r, only=SMALL, reported={"redis-primary": taken}, say=lambda _: None)
    assert f"redis-primary cannot have port {taken}" in str(caught.value)
    assert f"(process {os.getpid()}) listens there" in str(caught.value)
    assert "--port redis-primary=NUMBER" in str(caught.value)
    assert control.leftovers(r.folder) == []


def test_every_port_is_below_the_ephemeral_range(r: Rehearsal) -> None:
    for name in map(str, range(50)):
        assert 1024 < r.port(name) < 32_768
    assert len({r.port(str(n)) for n in range(50)}) == 50


def test_a_full_block_of_ports_is_told(r: Rehearsal) -> None:
    for name in map(str, range(ports.BLOCK - 1)):
        try:
            r.port(name)
        except RehearsalError:
            break  # another process listens in the block
    with pytest.raises(RehearsalError, match="No port is free between"):
        r.port("one more")


def test_a_part_that_fails_is_named_with_its_log_and_nothing_is_left(
    r: Rehearsal, tmp_path: Path
) -> None:
    broken = tmp_path / "redis-server"
    broken.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo "Redis server v=7.0.0" && exit 0\n'
        'echo "out of luck" >&2\nexit 3\n'
    )
    broken.chmod(0o755)
    done = run(r, "up", "--only", "redis-primary", GOLIVE_BIN_REDIS_SERVER=str(broken))
    assert done.returncode == 1
    assert "redis-primary ended by itself with exit status 3" in done.stderr
    assert "out of luck" in done.stderr
    assert str(r.log("redis-primary")) in done.stderr
    assert "Traceback" not in done.stderr
    assert control.leftovers(r.folder) == []


def test_a_missing_program_is_named_with_what_to_do(r: Rehearsal) -> None:
    done = run(r, "up", "--only", "redis-primary", GOLIVE_BIN_REDIS_SERVER="/nowhere/redis")
    assert done.returncode == 1
    assert "Redis (redis-server) was not found" in done.stderr
    assert "/nowhere/redis (GOLIVE_BIN_REDIS_SERVER) does not exist" in done.stderr
    assert "make setup" in done.stderr
    assert control.leftovers(r.folder) == []


def test_an_unknown_part_is_named(r: Rehearsal) -> None:
    with pytest.raises(RehearsalError, match="There is no part 'redis-replika'"):
        up(r, "redis-replika")


def test_a_nearly_full_disk_is_told_before_anything_starts(
    r: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")._replace(free=5_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(RehearsalError, match="has 5 MB free; a rehearsal needs 1500 MB"):
        up(r)
    assert control.supervisor(r.folder) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_disk_that_fills_up_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", disk]).returncode:
        pytest.skip("this machine lets nobody mount")
    monkeypatch.setattr(lifecycle, "NEEDED_MB", 1)
    r = Rehearsal(disk / "rehearsal")
    try:
        with pytest.raises(RehearsalError, match="GOLIVE_REHEARSAL to a folder on another disk"):
            up(r, "postgres-primary")
        assert control.leftovers(r.folder) == []
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_folder_with_something_else_in_it_is_not_touched(r: Rehearsal) -> None:
    r.folder.mkdir()
    (r.folder / "thesis.txt").write_text("years of work")
    with pytest.raises(RehearsalError, match="holds something else than a rehearsal"):
        up(r)
    assert (r.folder / "thesis.txt").read_text() == "years of work"


def test_status_tells_what_runs_and_what_died(r: Rehearsal) -> None:
    up(r)
    shown = json.loads(run(r, "status", "--json").stdout)
    assert shown["up"]
    assert {name: part["state"] for name, part in shown["parts"].items()} == {
        "redis-primary": "ready",
        "redis-replica": "ready",
    }
    os.kill(shown["parts"]["redis-replica"]["pid"], signal.SIGKILL)
    done = run(r, "status")
    assert done.returncode == 1
    assert "died (signal SIGKILL)" in done.stdout


def test_parts_stop_start_and_restart_with_other_settings(r: Rehearsal) -> None:
    up(r)
    r.stop("redis-replica")
    assert list(r.running()) == ["redis-primary"]
    r.start("redis-replica")
    before = r.running()["redis-replica"]
    r.override("redis-replica", maxmemory="64mb")
    r.restart("redis-replica")
    assert r.running()["redis-replica"] != before
    assert r.redis("redis-replica").config_get("maxmemory") == {"maxmemory": str(64 << 20)}
    with pytest.raises(RehearsalError, match="redis-replica is running already"):
        r.start("redis-replica")


def test_down_ends_children_that_a_command_had_started(r: Rehearsal) -> None:
    up(r)
    # It ignores the polite signal and has a child of its own that left its session.
    script = "trap '' TERM; setsid sleep 61 & sleep 60"
    pid = r.run(Child("scratch", ["/bin/sh", "-c", script], r.log("scratch"), stop_within_s=0.2))
    r.wait("its child runs", lambda: len(psutil.Process(pid).children()) == 2)
    family = [pid, *(one.pid for one in psutil.Process(pid).children())]
    lifecycle.down(r, say=lambda _: None)
    assert not any(map(_lives, family))


def test_a_request_without_the_token_is_refused(r: Rehearsal) -> None:
    up(r)
    record = control.supervisor(r.folder)
    assert record is not None
    with socket.create_connection(("127.0.0.1", record.port)) as line:
        line.sendall(b'{"verb": "down", "token": "guess"}\n')
        assert "token" in json.loads(line.makefile().readline())["error"]
    assert len(r.running()) == 2


def test_secrets_are_readable_by_their_owner_only(r: Rehearsal) -> None:
    up(r)
    for path in (r.folder / "secrets").iterdir():
        assert path.stat().st_mode & 0o077 == 0
    assert r.secret("redis") not in r.log("supervisor").read_text()
