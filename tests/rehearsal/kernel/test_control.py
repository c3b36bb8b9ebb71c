"""Talking to a supervisor: what is asked arrives as it was asked."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import psutil
import pytest

from rehearsal.kernel import control
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts import Child


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[list[dict[str, Any]]]:
    """What reaches the listener of a rehearsal whose supervisor is this process."""
    requests: list[dict[str, Any]] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            line, _ = listener.accept()
            with line, line.makefile("rw") as talk:
                requests.append(json.loads(talk.readline()))
                talk.write('{"pid": 7}\n')

        Thread(target=answer, daemon=True).start()
        begun = psutil.Process().create_time()
        record = {"pid": os.getpid(), "port": listener.getsockname()[1], "begun": begun}
        Rehearsal(tmp_path).path("state", "supervisor.json").write_text(json.dumps(record))
        yield requests


def test_a_child_arrives_whole_with_the_token(tmp_path: Path, heard: list[dict[str, Any]]) -> None:
    r = Rehearsal(tmp_path)
    assert r.run(Child("scratch", ["/bin/true"], r.log("scratch"), loads=("colorsys",))) == 7
    [request] = heard
    assert request["verb"] == "run"
    assert request["token"] == r.secret("control")
    assert (request["name"], request["log"]) == ("scratch", str(r.log("scratch")))
    assert request["loads"] == ["colorsys"]


def test_without_a_supervisor_one_is_told_how_to_start_it(tmp_path: Path) -> None:
    with pytest.raises(RehearsalError, match=r"is not up\. `python -m rehearsal up` starts it"):
        Rehearsal(tmp_path).restart("redis")


def test_a_process_has_ended_though_nobody_has_collected_it() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        process = psutil.Process(child.pid)
        assert not control.ended(process, 0)
        assert child.stdin is not None
        child.stdin.close()
        assert control.ended(process, 30)
        assert process.status() == psutil.STATUS_ZOMBIE
    assert control.ended(process, 0)
