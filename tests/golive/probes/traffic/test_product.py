"""A customer of the product, against a small stand-in of its API."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from golive.environments import Environment
from golive.probes.traffic.product import signed_in
from golive.verdicts import ProbeError

EMAIL = "one@example.com"


class Shop:
    """Two free times a day; what it was asked, and what it answers instead."""

    def __init__(self) -> None:
        self.booked: list[dict[str, str]] = []
        self.instead: dict[str, tuple[int, Any]] = {}
        self.me = EMAIL

    def answer(self, method: str, path: str, body: dict[str, str]) -> tuple[int, Any]:
        name = path.partition("?")[0]
        if f"{method} {name}" in self.instead:
            return self.instead[f"{method} {name}"]
        match method, name:
            case "POST", "/login":
                return 200, {"access_token": "t"}
            case "GET", "/me":
                return 200, {"email": self.me}
            case "GET", "/slots":
                slots = [
                    {"time": "09:00", "available": True},
                    {"time": "09:30", "available": False},
                ]
                return 200, {"slots": [*slots, {"time": "10:00", "available": True}]}
            case "POST", "/appointments":
                self.booked.append(body)
                return 200, {"id": len(self.booked)}
        return 200, {}


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def url(shop: Shop) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def _do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            status, document = shop.answer(self.command, self.path, body)
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            self._do()

        def do_POST(self) -> None:
            self._do()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def env(env_with: Callable[..., Environment], paths: dict[str, Any]) -> Environment:
    from tests.conftest import SECRET_VARIABLE

    account = {"email": EMAIL, "password": {"env": SECRET_VARIABLE}}
    return env_with(
        application={"paths": paths, "accounts": [account]}, release={"booking_service": "Shave"}
    )


def test_a_customer_signs_in_and_looks_around(env: Environment, url: str) -> None:
    with signed_in(env, url) as customer:
        assert customer.look_around() == []


def test_what_is_refused_is_named(env: Environment, url: str, shop: Shop) -> None:
    shop.instead["GET /services"] = (500, {})
    with signed_in(env, url) as customer:
        assert customer.look_around() == ["/services answers 500"]


def test_free_times_are_booked_day_after_day(env: Environment, url: str, shop: Shop) -> None:
    with signed_in(env, url) as customer:
        assert customer.book(5) == 5
    assert len({(b["date"], b["time"]) for b in shop.booked}) == 5
    assert {b["service"] for b in shop.booked} == {"Shave"}
    assert {b["time"] for b in shop.booked} == {"09:00", "10:00"}


def test_a_time_that_another_took_is_no_refusal(env: Environment, url: str, shop: Shop) -> None:
    shop.instead["POST /appointments"] = (409, {})
    with signed_in(env, url) as customer:
        assert customer.book(1) == 0


def test_a_refused_booking_is_told(env: Environment, url: str, shop: Shop) -> None:
    shop.instead["POST /appointments"] = (422, {"detail": "no such service"})
    with signed_in(env, url) as customer, pytest.raises(ProbeError, match=r"422: .*no such"):
        customer.book(1)


def test_somebody_elses_account_is_not_signed_in(env: Environment, url: str, shop: Shop) -> None:
    shop.me = "other@example.com"
    with pytest.raises(ProbeError, match="it is other@"), signed_in(env, url):
        pytest.fail("nobody is signed in")


def test_a_refused_sign_in_is_told(env: Environment, url: str, shop: Shop) -> None:
    shop.instead["POST /login"] = (401, {})
    with pytest.raises(ProbeError, match="status 401"), signed_in(env, url):
        pytest.fail("nobody is signed in")
