"""Limits of small servers: shared and not, told and not, of one client and of all."""

from __future__ import annotations

import hashlib
import hmac
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from golive.environments import Environment
from golive.probes.traffic.rate_limits import LimitBurst, RateLimits, rate_limits
from golive.verdicts import ProbeError, Unseen
from tests.conftest import SECRET

EnvWith = Callable[..., Environment]
ALLOWED, WINDOW_S = 6, 0.6


class Gate:
    """A limiter in front of two instances that take turns. ``habits`` are what it does wrong."""

    def __init__(self, *habits: str) -> None:
        self.habits = set(habits)
        self.windows: dict[str, tuple[float, int]] = {}
        self.turns = defaultdict[str, int](int)
        self.lock = threading.Lock()

    def answer(self, path: str, key: str, signed: str, body: bytes) -> tuple[int, dict[str, str]]:
        with self.lock:
            self.turns[""] += 1
            who = "one" if self.turns[""] % 2 or "one instance" in self.habits else "two"
            headers = {"X-Instance": who}
            if path == "/webhook" and "webhooks" not in self.habits:
                return (200 if self._is_signed(signed, body) else 400), headers
            counter = path + key * ("shared by all" not in self.habits)
            counter += who * ("per instance" in self.habits)
            now = time.monotonic()
            began, used = self.windows.get(counter, (now, 0))
            lasts_s = 60.0 if "endless" in self.habits else WINDOW_S
            if now - began >= lasts_s:
                began, used = now, 0
            used += 1
            self.windows[counter] = began, used
            told = {
                "X-RateLimit-Limit": str(ALLOWED),
                "X-RateLimit-Remaining": str(max(0, ALLOWED - used)),
                "X-RateLimit-Reset": "1",
            }
            if "no headers" not in self.habits:
                headers |= told
            if used <= ALLOWED or "off" in self.habits:
                return 200, headers
            if "gaps" in self.habits and used % 2:
                return 200, headers
            if "fails" in self.habits:
                return 503, headers
            if "no retry" not in self.habits:
                headers["Retry-After"] = "1"
            return 429, headers

    def _is_signed(self, signed: str, body: bytes) -> bool:
        at = signed.partition(",")[0].removeprefix("t=")
        made = hmac.new(SECRET.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
        return signed == f"t={at},v1={made}"


@contextmanager
def served(gate: Gate) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            key = self.headers.get("X-API-Key", "")
            signed = self.headers.get("Stripe-Signature", "")
            status, headers = gate.answer(self.path, key, signed, body)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()

        do_POST = do_GET  # noqa: N815 - named by the server

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


@pytest.fixture
def look(env_with: EnvWith, tmp_path: Any) -> Callable[..., RateLimits]:
    other = tmp_path / "other-key"
    other.write_text("another key")

    def of(gate: Gate, *, clients: int = 2, webhooks: bool = True, **limit: Any) -> RateLimits:
        secret = {"env": "GOLIVE_TEST_SECRET"}
        keys = [{"name": "a", "key": secret}, {"name": "b", "key": {"file": str(other)}}]
        with served(gate) as url:
            declared = {
                "name": "reads",
                "allowed": ALLOWED,
                "window_s": WINDOW_S,
                "path": "/x",
                **limit,
            }
            env = env_with(
                application={
                    "instances": [{"name": n, "url": url} for n in ("one", "two")],
                    "instance_header": "X-Instance",
                },
                balancer={"url": url},
                api={"clients": keys[:clients], "limits": [declared]},
                stripe={
                    "paths": {"webhook": "/webhook"},
                    **(
                        {"webhooks": [{"name": "hook", "secret": secret, "events": ["x"]}]}
                        if webhooks
                        else {}
                    ),
                },
            )
            return rate_limits(env)

    return of


def burst(found: RateLimits) -> LimitBurst:
    assert not isinstance(found.bursts, Unseen)
    [one] = found.bursts
    return one


def test_a_limit_that_holds_has_no_finding(look: Callable[..., RateLimits]) -> None:
    found = look(Gate())
    one = burst(found)
    assert (one.passed, one.refused, one.instances) == (ALLOWED, 4, ("one", "two"))
    assert one.returned
    for finding in (
        *(found.inexact, found.on_few, found.not_refused, found.gaps, found.silent, found.failed),
        *(found.without_return, found.spread, found.limited_webhooks, found.untaken_webhooks),
    ):
        assert finding == []


@pytest.mark.parametrize(
    ("habit", "where"),
    [
        ("per instance", "inexact"),
        ("off", "not_refused"),
        ("gaps", "gaps"),
        ("fails", "failed"),
        ("no retry", "silent"),
        ("no headers", "silent"),
        ("endless", "without_return"),
        ("shared by all", "spread"),
        ("one instance", "on_few"),
        ("webhooks", "limited_webhooks"),
    ],
)
def test_each_habit_is_a_finding(look: Callable[..., RateLimits], habit: str, where: str) -> None:
    found = look(Gate(habit))
    assert getattr(found, where) != []
    assert not isinstance(getattr(found, where), Unseen)


def test_a_bucket_that_refills_lets_a_little_more_pass(look: Callable[..., RateLimits]) -> None:
    assert burst(look(Gate(), refills=True)).most >= ALLOWED


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ({"clients": 1}, "fewer than two"),
        ({"allowed": 100_000}, "no small burst"),
        ({"window_s": 0.001}, "requests took"),
    ],
)
def test_what_cannot_be_tried_is_unseen(
    look: Callable[..., RateLimits], how: dict[str, Any], cause: str
) -> None:
    found = look(Gate(), **how)
    assert isinstance(found.bursts, Unseen)
    assert cause in str(found.bursts.error)
    assert isinstance(found.inexact, Unseen)


def test_without_declared_webhooks_the_limits_are_judged_all_the_same(
    look: Callable[..., RateLimits],
) -> None:
    found = look(Gate(), webhooks=False)
    assert isinstance(found.webhooks, Unseen)
    assert found.inexact == []


def test_without_declared_limits_nothing_can_be_said(env_with: EnvWith) -> None:
    with pytest.raises(ProbeError, match="limits"):
        rate_limits(env_with(api={"limits": []}))
