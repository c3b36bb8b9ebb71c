from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import pytest

from golive.environments import Environment
from golive.load.running import SteadyLoad
from golive.verdicts import ProbeError
from tests.golive.probes.answering import answering

EnvWith = Callable[..., Environment]
PATIENCE_S = 60.0


def test_a_steady_load_asks_again_and_again_and_tells_each_answer(env_with: EnvWith) -> None:
    env = env_with(application={"instance_header": "X-Instance"})
    with answering() as service:
        service.says("/busy", {"ok": True}, X_Instance="app-7")
        with SteadyLoad(env, service.url, "/busy", per_s=40.0, users=4) as load:
            ends = time.monotonic() + PATIENCE_S
            while len(load.answers()) < 20 and time.monotonic() < ends:
                time.sleep(0.1)
        answers = load.answers()
        asked = len(service.asked)
    assert len(answers) >= 20
    assert {(a.status, a.instance, a.failed) for a in answers} == {(200, "app-7", False)}
    time.sleep(0.3)
    assert len(service.asked) == asked  # it ended with its block


def test_what_nobody_answers_has_failed(env_with: EnvWith) -> None:
    with socket.socket() as taken:  # nothing listens there
        taken.bind(("127.0.0.1", 0))
        dead_port = taken.getsockname()[1]
    env = env_with(application={"instance_header": "X-Instance"})
    with SteadyLoad(env, f"http://127.0.0.1:{dead_port}", "/", per_s=10.0, users=1) as load:
        ends = time.monotonic() + PATIENCE_S
        while not load.answers() and time.monotonic() < ends:
            time.sleep(0.1)
    first = load.answers()[0]
    assert (first.status, first.instance, first.failed) == (0, "", True)
    assert first.error


def test_a_load_that_cannot_begin_says_why(
    env_with: EnvWith, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = env_with(application={"instance_header": "X-Instance"})
    load = SteadyLoad(env, "http://127.0.0.1:1", "/", per_s=10.0, users=1)
    load._argv[4] = "/nonexistent/steady.py"

    def told() -> None:
        ends = time.monotonic() + PATIENCE_S
        while time.monotonic() < ends:
            load.answers()
            time.sleep(0.1)

    with load, pytest.raises(ProbeError, match="locust ended at once"):
        told()


def test_the_load_ends_when_nobody_reads_what_it_tells(env_with: EnvWith) -> None:
    env = env_with(application={"instance_header": "X-Instance"})
    with answering() as service:
        service.says("/", {})
        program = (
            "import os, subprocess, sys; one = subprocess.Popen("
            "[sys.executable, '-m', 'locust', *sys.argv[1:]], stdout=subprocess.PIPE, text=True);"
            "one.stdout.readline(); print(one.pid, flush=True); os._exit(0)"
        )
        words = SteadyLoad(env, service.url, "/", per_s=10.0, users=1)._argv[3:]
        told = subprocess.run(
            [sys.executable, "-c", program, *words], stdout=subprocess.PIPE, text=True, check=True
        )
        left = int(told.stdout)
        ends = time.monotonic() + PATIENCE_S
        while psutil.pid_exists(left) and time.monotonic() < ends:
            time.sleep(0.1)
        assert not psutil.pid_exists(left)
