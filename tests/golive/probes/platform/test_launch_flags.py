"""The flags of a launch on small stand-ins: a repository, a flag service, instances, a command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from golive.environments import Environment
from golive.probes.platform import flags, launch_flags
from golive.verdicts import ProbeError
from tests.conftest import Project

EnvWith = Callable[..., Environment]
SYNTHETIC = "probe"


class World:
    """A flag service and two instances behind one port."""

    def __init__(self) -> None:
        self.enabled = False
        self.shows = {"one": lambda: self.enabled, "two": lambda: self.enabled}
        self.switches: list[str] = []
        self.refuses = False

    def get(self, path: str) -> tuple[int, Any]:
        if path == "/api/client/features":
            return 200, {"features": [{"name": SYNTHETIC, "enabled": self.enabled}]}
        name = path.split("/")[1]
        return 200, {"now": {"flags": {SYNTHETIC: self.shows[name]()}}}

    def post(self, path: str) -> tuple[int, Any]:
        self.switches.append(path)
        if self.refuses:
            return 403, {}
        self.enabled = path.endswith("/on")
        return 200, {}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def url(world: World) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_GET(self) -> None:
            self._send(*world.get(self.path))

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._send(*world.post(self.path))

        def _send(self, status: int, document: Any) -> None:
            body = json.dumps(document).encode()
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
def make(env_with: EnvWith, url: str) -> EnvWith:
    def made(**more: Any) -> Environment:
        secret = {"env": "GOLIVE_TEST_SECRET"}
        return env_with(
            application={"instances": [{"name": n, "url": f"{url}/{n}"} for n in ("one", "two")]},
            windows={"flag_s": 0.6},
            flags={
                "url": f"{url}/api/",
                "synthetic": SYNTHETIC,
                "evaluation_path": "/flags",
                "evaluation_field": "now.flags",
                "editor_token": secret,
                **more,
            },
        )

    return made


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLIVE_TEST_SECRET", "a secret of flags")


def toggled(env: Environment) -> launch_flags.FlagToggle:
    return launch_flags.flag_toggle(env, flags.flags(env))


def test_a_flag_is_switched_over_and_back(make: EnvWith, world: World) -> None:
    found = toggled(make())
    assert set(found.over_s) == set(found.back_s) == {"one", "two"}
    assert max(found.shown_s.values()) < 0.6
    assert [s.rpartition("/")[2] for s in world.switches] == ["on", "off"]
    assert world.enabled is False


def test_one_that_was_on_is_on_again(make: EnvWith, world: World) -> None:
    world.enabled = True
    toggled(make())
    assert world.enabled is True


def test_an_instance_that_never_shows_it_is_told(make: EnvWith, world: World) -> None:
    world.shows["two"] = lambda: False
    found = toggled(make())
    assert found.over_s["one"] < 1
    assert found.over_s["two"] == float("inf")
    assert world.enabled is False


def test_one_that_is_not_as_it_is_before_anything_is_switched_is_no_fact(
    make: EnvWith, world: World
) -> None:
    world.shows["two"] = lambda: True
    with pytest.raises(ProbeError, match="two did not show it"):
        toggled(make())
    assert world.switches == []


def test_a_look_that_fails_switches_back_all_the_same(make: EnvWith, world: World) -> None:
    def fail() -> bool:
        if world.enabled:
            raise RuntimeError
        return False

    world.shows["two"] = fail
    with pytest.raises(ProbeError):
        toggled(make())
    assert world.enabled is False


def test_a_token_that_may_not_switch_is_told(make: EnvWith, world: World) -> None:
    world.refuses = True
    with pytest.raises(ProbeError, match="status 403") as told:
        toggled(make())
    assert "editor_token" in told.value.next_step


def test_a_synthetic_flag_that_is_not_there_is_told(make: EnvWith) -> None:
    with pytest.raises(ProbeError, match="no such flag"):
        toggled(make(synthetic="other"))


def test_an_answer_without_flags_is_told(make: EnvWith) -> None:
    with pytest.raises(ProbeError, match="has no object"):
        toggled(make(evaluation_field="flags"))


def test_an_outage_is_answered_by_a_command(make: EnvWith) -> None:
    said = [sys.executable, "-c", "import json; print(json.dumps(dict(a=True)))"]
    assert launch_flags.flag_outage(make(outage_command=said)).answers == {"a": True}
    silent = [sys.executable, "-c", "print('[]')"]
    with pytest.raises(ProbeError, match=r"flags\.outage_command"):
        launch_flags.flag_outage(make(outage_command=silent))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    (folder / "api").mkdir(parents=True)
    (folder / "web").mkdir()
    (folder / "api" / "a.py").write_text("if flags.is_enabled('one'):\n    is_enabled( \"two\" )\n")
    (folder / "web" / "b.tsx").write_text("const x = useFlag('three');\nenabled('four')\n")
    (folder / "notes.md").write_text("is_enabled('five')\n")
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"], ["tag", "v2.0.0"]):
        subprocess.run(["git", *who, *words], cwd=folder, env=clean, check=True)
    return folder


def referenced(env_with: EnvWith, repository: Path, **more: Any) -> set[str]:
    release = {"repository": str(repository), "tag": "v2.0.0"}
    return set(launch_flags.flag_references(env_with(release=release, flags=more)).files)


def test_flags_are_found_in_the_code_of_the_tag(env_with: EnvWith, repository: Path) -> None:
    assert referenced(env_with, repository) == {"one", "two", "three"}
    assert referenced(env_with, repository, code=["web"]) == {"three"}
    own = [r"\benabled\('(\w+)'\)"]
    assert referenced(env_with, repository, code=["/web/"], code_patterns=own) == {"four"}


def test_no_code_and_no_pattern_are_told(env_with: EnvWith, repository: Path) -> None:
    with pytest.raises(ProbeError, match=r"flags\.code_suffixes"):
        referenced(env_with, repository, code=["nowhere"])
    with pytest.raises(ProbeError, match="unterminated"):
        referenced(env_with, repository, code_patterns=["("])


def test_a_table_is_read_and_needs_a_signature(
    env_with: EnvWith, tmp_path: Path, project: Project
) -> None:
    path = tmp_path / "table.toml"
    with pytest.raises(ProbeError, match="launch table"):
        launch_flags.flag_table(env_with(flags={"table": str(path)}))
    path.write_text('[[flags]]\nname = "a"\nowner = "ada"\ndefault = true\n')
    with pytest.raises(ProbeError, match="launch"):
        launch_flags.flag_table(env_with(flags={"table": str(path)}))
    path.write_text('[[flags]]\nname = "a"\nowner = "ada"\ndefault = true\nlaunch = "on"\n')
    people = {"roster": str(project.path / "suites" / "people" / "roster.toml")}
    found = launch_flags.flag_table(env_with(flags={"table": str(path)}, people=people))
    assert found.names == ["a"]
    assert found.signature_cause == "it is not signed"


@pytest.mark.parametrize(
    ("strategies", "enabled", "state"),
    [
        ([], True, "on"),
        ([], False, "off"),
        ([{"name": "flexibleRollout", "parameters": {"rollout": "25"}}], True, "25%"),
        ([{"name": "gradualRolloutRandom", "parameters": {"percentage": 0}}], True, "off"),
        ([{"name": "userWithId"}], True, "some"),
        ([{"name": "userWithId"}, {"name": "default"}], True, "on"),
    ],
)
def test_a_flags_state_is_told_in_the_tables_words(
    env_with: EnvWith,
    url: str,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    strategies: list[Any],
    enabled: bool,
    state: str,
) -> None:
    feature = {"name": "f", "enabled": enabled, "strategies": strategies}
    answered = (200, {"features": [feature]})
    monkeypatch.setattr(world, "get", lambda _: answered)
    found = flags.flags(env_with(flags={"url": f"{url}/api"}))
    assert found.all["f"].state == state
