from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from golive.claims import Claim
from golive.environments import Environment
from golive.probes.traffic.balancer import (
    BackendConfig,
    BalancedTraffic,
    BalancerConfig,
    ConfiguredServer,
    RunningServer,
    balanced_traffic,
    balancer_config,
    parse_backend,
)
from golive.probes.transport.http import Redirect
from golive.verdicts import ProbeError

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
RUNNING = tuple(RunningServer(f"s{n}", f"app-{n}", "UP", "L7OK") for n in (1, 2))
WRITTEN = BackendConfig(tuple(ConfiguredServer(f"s{n}", True, 1.0) for n in (1, 2)), "/health")
CONFIG = BalancerConfig("/etc/haproxy.cfg", "", NOW, NOW, WRITTEN, RUNNING)
TRAFFIC = BalancedTraffic(
    url="https://api.example/health",
    requests=100,
    served_by={"app-1": 50, "app-2": 50},
    redirect=Redirect("api.example", 301, "https://api.example/health"),
    client_address="10.0.0.9",
    client_address_when_forged="10.0.0.9",
    forged_address="203.0.113.66",
)
INSTANCES = [{"name": f"app-{n}", "url": f"http://127.0.0.1:800{n}"} for n in (1, 2)]

Judge = Callable[..., Claim | None]
EnvWith = Callable[..., Environment]


def written(**changes: Any) -> BalancerConfig:
    first, second = WRITTEN.servers
    return replace(CONFIG, written=replace(WRITTEN, servers=(replace(first, **changes), second)))


def running(**changes: Any) -> BalancerConfig:
    return replace(CONFIG, running=(replace(RUNNING[0], **changes), RUNNING[1]))


@pytest.fixture
def judge(judged: Judge, env_with: EnvWith, paths: dict[str, Any]) -> Callable[..., Claim | None]:
    env = env_with(application={"instances": INSTANCES, "paths": paths})

    def of(config: BalancerConfig = CONFIG, traffic: BalancedTraffic = TRAFFIC) -> Claim | None:
        return judged("D-14.1.3", balancer_config=config, balanced_traffic=traffic, env=env)

    return of


def test_a_sound_balancer_is_green(judge: Callable[..., Claim | None]) -> None:
    assert judge() is None


@pytest.mark.parametrize(
    ("config", "subject", "observed"),
    [
        (replace(CONFIG, syntax_errors="line 3: unknown keyword"), "errors", "line 3"),
        (
            replace(CONFIG, changed_at=NOW + timedelta(seconds=3)),
            "configuration",
            "file of 2026-11-23 09:00:03, worker of 2026-11-23 09:00:00 UTC",
        ),
        (replace(CONFIG, running=RUNNING[:1]), "running servers", "missing s2"),
        (running(instance="10.0.0.7:8001"), "instances", "not declared 10.0.0.7:8001"),
        (
            replace(CONFIG, written=replace(WRITTEN, check_path="/")),
            "path of its health check",
            "/",
        ),
        (replace(CONFIG, written=replace(WRITTEN, check_path="")), "path", "nothing"),
        (written(checked=False), "unchecked", "s1"),
        (written(check_interval_s=11.0), "check interval", "s1 11 s"),
        (running(status="DOWN", last_check="L4CON"), "not up", "s1 (app-1) is DOWN, L4CON"),
        (running(status="no check", last_check=""), "not up", "unchecked"),
        (running(last_check="L4OK"), "not up", "L4OK"),
    ],
)
def test_each_clause_of_the_configuration_reddens(
    judge: Callable[..., Claim | None], config: BalancerConfig, subject: str, observed: str
) -> None:
    broken = judge(config=config)
    assert broken is not None
    assert subject in broken.subject
    assert observed in broken.observed


@pytest.mark.parametrize(
    ("traffic", "subject", "observed"),
    [
        ({"served_by": {"app-1": 100, "app-2": 0}}, "instances that served", "missing app-2"),
        ({"served_by": {"app-1": 50, "app-2": 49, "nobody (status 503)": 1}}, "served", "nobody"),
        ({"served_by": {"app-1": 76, "app-2": 24}}, "requests served", "app-2 24"),
        ({"redirect": Redirect("api.example", 200, "")}, "plain HTTP", "status 200 to nowhere"),
        ({"redirect": Redirect("api.example", 301, "http://api.example/")}, "plain HTTP", "301"),
        ({"redirect": Redirect("api.example", 301, "https://evil.example/")}, "plain", "evil"),
        ({"client_address_when_forged": "203.0.113.66"}, "203.0.113.66 is forged", "203.0"),
    ],
)
def test_each_clause_of_the_traffic_reddens(
    judge: Callable[..., Claim | None], traffic: dict[str, Any], subject: str, observed: str
) -> None:
    broken = judge(traffic=replace(TRAFFIC, **traffic))
    assert broken is not None
    assert subject in broken.subject
    assert observed in broken.observed


@pytest.mark.parametrize(
    ("lines", "path"),
    [
        ("option httpchk GET /health", "/health"),
        ("option httpchk /health", "/health"),
        ("option httpchk GET /health HTTP/1.1", "/health"),
        ("option httpchk\nhttp-check send meth GET uri /health ver HTTP/1.1", "/health"),
        ("http-check send uri /health\noption httpchk", "/health"),
        ("option httpchk", "/"),
        ("", ""),
    ],
)
def test_the_path_of_the_health_check(lines: str, path: str) -> None:
    assert (
        parse_backend(f"backend app\n{lines}\nserver a 10.0.0.1:80", "app", "f").check_path == path
    )


def test_a_backend_inherits_the_defaults_before_it() -> None:
    text = """
    global
        server-state-base /x
    defaults   # for all
        option httpchk GET /health
        default-server inter 3s
    backend other
        server z 10.0.0.9:80 check inter 60s
    backend app
        default-server check fall 2
        server "a" 10.0.0.1:80 inter 500
        server b 10.0.0.2:80 no-check
        # server c 10.0.0.3:80
    defaults
        default-server inter 1m
    """
    found = parse_backend(text, "app", "f")
    assert found.check_path == "/health"
    assert found.servers == (ConfiguredServer("a", True, 0.5), ConfiguredServer("b", False, 3.0))


def test_a_backend_may_choose_its_defaults() -> None:
    text = """
    defaults slow
        default-server check inter 9s
    defaults fast
        default-server check inter 1s
    backend app from slow
        server a 10.0.0.1:80
    """
    assert parse_backend(text, "app", "f").servers == (ConfiguredServer("a", True, 9.0),)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("backend other\nserver a 10.0.0.1:80", "there is no such section"),
        ("backend app\nserver-template a 1-3 app.internal:80", "server-template"),
        ('backend app\nserver "a 10.0.0.1:80', "line 2"),
        ("backend app\nserver a 10.0.0.1:80 check inter soon", "soon"),
    ],
)
def test_a_configuration_that_cannot_be_read(text: str, cause: str) -> None:
    with pytest.raises(ProbeError, match=cause):
        parse_backend(text, "app", "f")


ANSWERS = {
    "show info": "Name: HAProxy\nUptime_sec: 3600\nDescription: \n",
    "show stat": "# pxname,svname,status,check_status,addr,\n"
    "app,s1,UP,* L7OK,127.0.0.1:8001,\napp,s2,DOWN,L7STS,127.0.0.1:8002,\n"
    "app,BACKEND,UP,,,\nweb,FRONTEND,OPEN,,,\n",
}


class Stats(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        command = self.rfile.readline().decode().strip()
        self.wfile.write(ANSWERS[command].encode())


@contextmanager
def stats_socket(kind: type[socketserver.BaseServer], address: Any) -> Iterator[Any]:
    with kind(address, Stats) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_address
        server.shutdown()


@pytest.mark.parametrize("kind", [socketserver.TCPServer, socketserver.UnixStreamServer])
def test_file_and_worker_are_looked_at(
    env_with: EnvWith, tmp_path: Path, kind: type[socketserver.BaseServer]
) -> None:
    file = tmp_path / "haproxy.cfg"
    file.write_text("backend app\noption httpchk GET /health\nserver s1 127.0.0.1:8001 check\n")
    unix = kind is socketserver.UnixStreamServer
    with stats_socket(kind, str(tmp_path / "s") if unix else ("127.0.0.1", 0)) as address:
        stats = address if unix else f"tcp://127.0.0.1:{address[1]}"
        settings = {"config": str(file), "stats": stats, "backend": "app"}
        fine = env_with(
            application={"instances": INSTANCES}, balancer=settings | {"check_command": ["true"]}
        )
        config = balancer_config(fine)
        unsound = env_with(
            balancer=settings | {"check_command": ["sh", "-c", "echo line 2: no >&2; exit 1"]}
        )
        assert balancer_config(unsound).syntax_errors == "line 2: no"
    assert config.syntax_errors == ""
    assert not config.is_loaded  # the file is of now, the worker is an hour old
    assert config.running == (
        RunningServer("s1", "app-1", "UP", "* L7OK"),
        RunningServer("s2", "app-2", "DOWN", "L7STS"),
    )
    assert [str(s) for s in config.down] == ["s2 (app-2) is DOWN, L7STS"]


def test_without_the_balancers_program_nothing_is_known(env_with: EnvWith, tmp_path: Path) -> None:
    file = tmp_path / "haproxy.cfg"
    file.write_text("backend app\n")
    env = env_with(balancer={"config": str(file), "check_command": ["no-such-haproxy", "-c"]})
    with pytest.raises(ProbeError, match=r"configuration check .*balancer\.check_command"):
        balancer_config(env)


def test_nothing_listens_on_the_stats_socket(
    env_with: EnvWith, tmp_path: Path, dead_port: int
) -> None:
    file = tmp_path / "haproxy.cfg"
    file.write_text("backend app\nserver s1 127.0.0.1:8001 check\n")
    settings = {"config": str(file), "check_command": ["true"]}
    for stats in (f"tcp://127.0.0.1:{dead_port}", str(tmp_path / "none")):
        with pytest.raises(ProbeError, match="the balancer's stats socket"):
            balancer_config(env_with(balancer=settings | {"stats": stats}))


def test_nothing_listens_on_the_public_name(
    env_with: EnvWith, paths: dict[str, Any], dead_port: int
) -> None:
    url = f"http://127.0.0.1:{dead_port}"
    env = env_with(balancer={"url": url}, application={"paths": paths})
    with pytest.raises(ProbeError, match="refused"):
        balanced_traffic(env)
