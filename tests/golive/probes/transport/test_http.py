from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from golive.environments import Environment
from golive.probes.transport.addresses import Names, split, written
from golive.probes.transport.http import Address, Redirect, client, redirect_of, shown
from golive.verdicts import ProbeError
from rehearsal.parts.traffic.certificates import Authority

EnvWith = Callable[..., Environment]


class Echo(BaseHTTPRequestHandler):
    """Tells what it was asked; /moved redirects, /list holds no object, /text no JSON."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        moved = path == "/moved"
        body = {"/list": "[]", "/text": "hello"}.get(
            path, json.dumps({"host": self.headers["Host"], "path": self.path})
        )
        self.send_response(301 if moved else 503 if path == "/down" else 200)
        if moved:
            self.send_header("Location", "https://www.example.test/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_a_request_goes_to_the_address_and_names_the_host(env_with: EnvWith, port: int) -> None:
    with client(env_with(), Address("127.0.0.1", port)) as http:
        assert http.json("http://www.example.test/x")["host"] == "www.example.test"


def test_a_redirect_is_reported_not_followed(env_with: EnvWith, port: int) -> None:
    with client(env_with(), Address("127.0.0.1", port)) as http:
        reported = redirect_of(http, "http://www.example.test/moved")
    assert reported == Redirect("www.example.test", 301, "https://www.example.test/")
    assert reported.to_https


@pytest.mark.parametrize(
    ("path", "cause"), [("/down", "status 503"), ("/list", "no JSON object"), ("/text", "no JSON")]
)
def test_no_json_object(env_with: EnvWith, port: int, path: str, cause: str) -> None:
    with client(env_with()) as http, pytest.raises(ProbeError, match=cause):
        http.json(f"http://127.0.0.1:{port}{path}?token=secret")


def test_a_url_is_shown_without_what_may_be_secret() -> None:
    assert shown("https://me:pw@h:1/a?token=x#y") == "https://h:1/a"


def test_addresses_are_known_by_every_spelling() -> None:
    names = Names({"app-1": ("localhost", 80), "app-2": ("::1", 81)})
    assert names.of("127.0.0.1", 80) == "app-1"
    assert names.of("::1", 81) == "app-2"
    assert names.of("10.0.0.7", 80) == "10.0.0.7:80"
    assert split(written("::1", 81)) == ("::1", 81)


@pytest.mark.parametrize("foreign", [True, False])
def test_a_certificate_is_checked_for_its_name_and_its_authority(
    env_with: EnvWith, tmp_path: Path, foreign: bool
) -> None:
    authority = Authority(tmp_path)
    made = authority.issue("www.example.test", ["www.example.test"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.chain, made.key)
    trusting, other = env_with(tls={"ca_file": str(authority.root)}), env_with()
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        at = Address("127.0.0.1", server.server_address[1])

        def status(env: Environment, url: str) -> int:
            with client(env, at, foreign=foreign) as http:
                return http.get(url).status_code

        assert status(trusting, "https://www.example.test/") == 200
        with pytest.raises(ProbeError, match=r"hostname 'shop\.example\.test' doesn't match"):
            status(trusting, "https://shop.example.test/")
        with pytest.raises(ProbeError, match="CERTIFICATE_VERIFY_FAILED"):
            status(other, "https://www.example.test/")
        server.shutdown()


def test_authorities_that_are_not_there_are_named(env_with: EnvWith) -> None:
    env = env_with(tls={"ca_file": "/nonexistent.pem"})
    missing = pytest.raises(ProbeError, match=r"the authorities in /nonexistent\.pem")
    with missing, client(env, foreign=True):
        pass
