"""A configuration drill against two small instances whose configuration is a file."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import msgspec
import pytest

from golive.environments import Environment
from golive.probes.platform.config_rollback import ConfigRollback, config_rollback
from golive.sections import Undeclared, value_of
from golive.verdicts import ProbeError, Unseen

EnvWith = Callable[..., Environment]
ACT = """
import json, pathlib, sys
state = pathlib.Path({state!r})
known = json.loads(state.read_text())
what, value = sys.argv[1:3]
if what == "rollback":
    value = known["history"][-1]["before"] if known["history"] else "none"
for name in known["reach"][what]:
    known["values"][name] = value
known["history"].append(
    dict(at="2999-01-01T00:00:00Z", action=what, actor="omar", before=known["now"])
)
known["now"] = value
state.write_text(json.dumps(known))
sys.exit(known["status"].get(what, 0))
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    path = tmp_path / "state.json"
    both = ["one", "two"]
    path.write_text(
        json.dumps(
            {
                "now": "first",
                "values": dict.fromkeys(both, "first"),
                "reach": {"deploy": both, "rollback": both},
                "history": [],
                "status": {},
                "answers": 200,
            }
        )
    )
    return path


def change(state: Path, **fields: Any) -> None:
    state.write_text(json.dumps({**json.loads(state.read_text()), **fields}))


@pytest.fixture
def url(state: Path) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_GET(self) -> None:
            known = json.loads(state.read_text() or "{}") if state.stat().st_size else {}
            name = self.path.strip("/")
            values = known.get("values", {})
            status = 200 if name in values else known.get("answers", 200)
            digest = hashlib.sha256(values.get(name, "").encode()).hexdigest()
            body = json.dumps({"MARKER": digest}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def env(env_with: EnvWith, state: Path, url: str, tmp_path: Path) -> Environment:
    act = tmp_path / "act.py"
    act.write_text(ACT.format(state=str(state)))
    told = "import json, sys; print(json.dumps(json.load(open(sys.argv[1]))['history']))"
    return env_with(
        application={"url": url},
        configuration={
            "inert_variable": "MARKER",
            "traffic_paths": ["/"],
            "deploy_command": [sys.executable, str(act), "deploy", "{value}"],
            "rollback_command": [sys.executable, str(act), "rollback", "{operator}"],
            "history_command": [sys.executable, "-c", told, str(state)],
            "processes": [{"name": n, "hashes_url": f"{url}/{n}"} for n in ("one", "two")],
        },
    )


def test_a_change_is_seen_to_come_and_to_go(env: Environment) -> None:
    found = config_rollback(env)
    assert (found.deploy_failure, found.rollback_failure) == ("", "")
    assert found.instances == ["one", "two"]
    assert found.unchanged == []
    assert found.actions == ["deploy", "rollback"]
    assert found.requests > 0
    assert found.failures == ()
    # What is not declared is not taken for unchanged.
    assert isinstance(found.not_back, Unseen)


def back(found: ConfigRollback) -> list[str]:
    return [n for n in found.instances if found.after[n] != found.before[n]]


def test_what_a_rollback_leaves_out_is_told(env: Environment, state: Path) -> None:
    change(state, reach={"deploy": ["one", "two"], "rollback": ["one"]})
    found = config_rollback(env)
    assert back(found) == ["two"]
    assert found.not_back == ["two"]


def test_a_change_that_does_not_arrive_is_told(env: Environment, state: Path) -> None:
    change(state, reach={"deploy": ["one"], "rollback": ["one", "two"]})
    assert config_rollback(env).unchanged == ["two"]


def test_a_deploy_that_fails_is_rolled_back_all_the_same(env: Environment, state: Path) -> None:
    change(state, status={"deploy": 3})
    found = config_rollback(env)
    assert found.deploy_failure != ""
    assert back(found) == []


def test_nothing_is_deployed_where_no_site_serves(env: Environment, state: Path) -> None:
    change(state, answers=503)
    with pytest.raises(ProbeError, match="503"):
        config_rollback(env)
    assert json.loads(state.read_text())["history"] == []


def test_nothing_is_deployed_that_could_not_be_taken_back(env: Environment, state: Path) -> None:
    fields = {f: value_of(env.configuration, f) for f in env.configuration.__struct_fields__}
    half = type(env.configuration)(**{**fields, "rollback_command": Undeclared("")})
    other = msgspec.structs.replace(env, configuration=half)
    with pytest.raises(ProbeError, match="rollback_command"):
        config_rollback(other)
    assert json.loads(state.read_text())["history"] == []
