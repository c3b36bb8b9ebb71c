from __future__ import annotations

import itertools
import os
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from golive.claims import Claim
from golive.environments import Environment
from golive.probes.traffic.balancer import (
    ERRORS,
    BackendConfig,
    BalancedTraffic,
    BalancerConfig,
    ConfiguredServer,
    RunningServer,
    balanced_traffic,
    balancer_config,
    parse_backend,
)
from golive.probes.traffic.plain_http import PlainHttp, PlainTraffic
from golive.sections import Undeclared
from golive.verdicts import ProbeError, Unseen

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
RUNNING = tuple(RunningServer(f"s{n}", f"app-{n}", "UP", "L7OK") for n in (1, 2))
WRITTEN = BackendConfig(tuple(ConfiguredServer(f"s{n}", True, 1.0) for n in (1, 2)), "/health")
CONFIG = BalancerConfig("/etc/haproxy.cfg", "", NOW, NOW, WRITTEN, RUNNING)
TRAFFIC = BalancedTraffic(
    url="https://api.example/health",
    requests=100,
    declared=("app-1", "app-2"),
    served_by={"app-1": 50, "app-2": 50},
    client_address="10.0.0.9",
    client_address_when_forged="10.0.0.9",
    forged_address="203.0.113.66",
)
PLAIN = PlainHttp(("api.example at 10.0.0.2:80",), {"API": 3, "health": 2}, (), ())
UNSEEN = Unseen(ProbeError("a page at https://api.example/", "status 503"))
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

    def of(
        config: BalancerConfig = CONFIG,
        traffic: BalancedTraffic = TRAFFIC,
        plain: PlainHttp = PLAIN,
        classes: str | Unseen = "3 of API, 2 of health",
    ) -> Claim | None:
        facts = {"balancer_config": config, "balanced_traffic": traffic, "env": env}
        return judged("D-14.1.3", plain_http=PlainTraffic(classes, UNSEEN, plain), **facts)

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
        (
            replace(CONFIG, written=replace(WRITTEN, accepts=(404, 503))),
            "statuses that pass for healthy",
            "404, 503",
        ),
        (
            replace(
                written(settings=(("check_fall", "200"),)),
                running=(replace(RUNNING[0], settings={"check_fall": "2"}), RUNNING[1]),
            ),
            "configuration",
            "check_fall of s1 is 200 in the file and 2 running",
        ),
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


def test_a_balancer_that_is_known_by_its_behaviour_alone_is_judged_by_that(
    judge: Callable[..., Claim | None],
) -> None:
    """No file, no statistics: a cloud's own balancer, or another program."""
    config: Any = UNSEEN
    claim = judge(config=config)
    assert claim is not None
    assert claim.unseen is UNSEEN.error
    for traffic, says in (
        (replace(TRAFFIC, served_by={"app-1": 100, "app-2": 0}), "missing app-2"),
        (replace(TRAFFIC, client_address_when_forged="203.0.113.66"), "203.0.113.66"),
        (replace(TRAFFIC, served_by=UNSEEN, client_address_when_forged="9.9.9.9"), "9.9.9.9"),
    ):
        broken = judge(config=config, traffic=traffic)
        assert broken is not None
        assert broken.broken
        assert says in broken.observed
    for partly in (
        replace(TRAFFIC, served_by=UNSEEN),
        replace(TRAFFIC, declared=UNSEEN),
        replace(TRAFFIC, client_address=UNSEEN),
    ):
        unseen = judge(traffic=partly)
        assert unseen is not None
        assert unseen.unseen is UNSEEN.error
        broken = judge(traffic=partly, config=running(last_check="L4OK"))
        assert broken is not None
        assert "L4OK" in broken.observed


def test_one_path_that_is_not_sent_to_https_reddens(judge: Callable[..., Claim | None]) -> None:
    broken = judge(plain=replace(PLAIN, open=("/api/me (API) of api.example: status 401",)))
    assert broken is not None
    assert broken.subject == "paths not sent to HTTPS"
    assert broken.observed.startswith("/api/me (API) of api.example: status 401 (5 requests")
    nothing = judge(plain=replace(PLAIN, paths={}))
    assert nothing is not None
    assert nothing.observed.startswith("no requests over plain HTTP")


def test_a_class_of_paths_that_is_not_known_is_unseen(judge: Callable[..., Claim | None]) -> None:
    unseen = judge(classes=UNSEEN)
    assert unseen is not None
    assert unseen.unseen is not None
    assert "status 503" in unseen.observed


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


@pytest.mark.parametrize(
    ("rules", "accepts"),
    [
        ("", ()),  # haproxy's own: 2xx and 3xx
        ("http-check expect status 200", ()),
        ("http-check expect min-recv 3 status 200-299", ()),
        ("http-check expect status 200,503", (503,)),
        ("http-check expect status 200-599", (404, 500, 503)),
        ("http-check expect rstatus ^[2-5]", (404, 500, 503)),
        ("http-check expect rstatus ^2", ()),
        ("http-check expect ! rstatus ^5", (404,)),
        ("http-check expect ! status 500", (404, 503)),
        ("http-check expect string healthy", ()),
        ("http-check expect ! string maintenance", (404, 500, 503)),
        ("http-check expect ! string maintenance\nhttp-check expect status 200", ()),
    ],
)
def test_what_a_health_check_takes_for_health(rules: str, accepts: tuple[int, ...]) -> None:
    text = f"backend app\noption httpchk GET /health\n{rules}\nserver a 10.0.0.1:80 check"
    assert parse_backend(text, "app", "f").accepts == accepts


def test_rules_of_a_health_check_take_the_place_of_those_of_the_defaults() -> None:
    defaults = "defaults\noption httpchk GET /health\nhttp-check expect status 200\n"
    own = "http-check expect status 200-599\nserver a 10.0.0.1:80"
    assert parse_backend(f"{defaults}backend app\nserver a 10.0.0.1:80", "app", "f").accepts == ()
    assert parse_backend(f"{defaults}backend app\n{own}", "app", "f").accepts == ERRORS


def test_an_expectation_that_is_no_pattern_is_not_looked_at() -> None:
    text = "backend app\noption httpchk\nhttp-check expect rstatus (\nserver a 10.0.0.1:80"
    with pytest.raises(ProbeError, match="expected status"):
        parse_backend(text, "app", "f")


def test_a_server_is_read_with_what_the_worker_tells_too() -> None:
    text = "backend app\ndefault-server check fall 2\nserver a 10.0.0.1:80 rise 3\nserver b app:80"
    first, second = parse_backend(text, "app", "f").servers
    assert dict(first.settings) == {"addr": "10.0.0.1:80", "check_fall": "2", "check_rise": "3"}
    assert dict(second.settings) == {"check_fall": "2"}  # a name's address is another's to tell


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
    assert found.servers == (
        ConfiguredServer("a", True, 0.5, (("addr", "10.0.0.1:80"), ("check_fall", "2"))),
        ConfiguredServer("b", False, 3.0, (("addr", "10.0.0.2:80"),)),
    )


def test_a_backend_may_choose_its_defaults() -> None:
    text = """
    defaults slow
        default-server check inter 9s
    defaults fast
        default-server check inter 1s
    backend app from slow
        server a 10.0.0.1:80
    """
    [server] = parse_backend(text, "app", "f").servers
    assert (server.checked, server.check_interval_s) == (True, 9.0)


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
    "show stat": "# pxname,svname,status,check_status,addr,check_fall,\n"
    "app,s1,UP,* L7OK,127.0.0.1:8001,2,\napp,s2,DOWN,L7STS,127.0.0.1:8002,,\n"
    "app,BACKEND,UP,,,,\nweb,FRONTEND,OPEN,,,,\n",
}


class Stats(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        command = self.rfile.readline().decode().strip()
        self.wfile.write(ANSWERS[command].encode())


@contextmanager
def stats_socket(kind: type[socketserver.BaseServer], address: Any) -> Iterator[Any]:
    with kind(address, Stats) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server.server_address
        finally:
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
        RunningServer("s1", "app-1", "UP", "* L7OK", {"addr": "127.0.0.1:8001", "check_fall": "2"}),
        RunningServer("s2", "app-2", "DOWN", "L7STS", {"addr": "127.0.0.1:8002"}),
    )
    assert [str(s) for s in config.down] == ["s2 (app-2) is DOWN, L7STS"]


def test_a_file_whose_time_was_set_back_is_newer_than_the_worker(
    env_with: EnvWith, tmp_path: Path
) -> None:
    file = tmp_path / "haproxy.cfg"
    file.write_text("backend app\noption httpchk GET /health\nserver s1 127.0.0.1:8001 check\n")
    os.utime(file, (0, 0))
    with stats_socket(socketserver.TCPServer, ("127.0.0.1", 0)) as address:
        settings = {"config": str(file), "backend": "app", "check_command": ["true"]}
        env = env_with(balancer=settings | {"stats": f"tcp://127.0.0.1:{address[1]}"})
        assert not balancer_config(env).is_loaded


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


class _Instances(BaseHTTPRequestHandler):
    """Two instances behind a balancer of which nothing else is known."""

    turns = itertools.count()

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 404)
        self.send_header("X-Served", f"pod-{next(self.turns) % 2}")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_what_requests_meet_is_told_where_no_balancer_is_declared(
    env_with: EnvWith, paths: dict[str, Any]
) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Instances)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        application = {"url": f"http://127.0.0.1:{server.server_port}", "paths": paths}
        env = env_with(application={**application, "instance_header": "X-Served"})
        unknown: Any = Undeclared("load balancer")
        found = balanced_traffic(msgspec.structs.replace(env, balancer=unknown))
    finally:
        server.shutdown()
        server.server_close()
    assert not isinstance(found.served_by, Unseen)
    assert {n: c for n, c in found.served_by.items() if c} == {"pod-0": 50, "pod-1": 50}
    assert isinstance(found.client_address, Unseen)
    assert isinstance(found.client_address_when_forged, Unseen)


def test_nothing_listens_on_the_public_name(
    env_with: EnvWith, paths: dict[str, Any], dead_port: int
) -> None:
    url = f"http://127.0.0.1:{dead_port}"
    env = env_with(balancer={"url": url}, application={"paths": paths})
    with pytest.raises(ProbeError, match="refused"):
        balanced_traffic(env)
