"""What --fetch brings: the page itself from where the signer said, or nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from golive.cli import main
from golive.commands import _saying
from golive.people.statements import Evidence, read_statement
from tests.conftest import Project

Capture = pytest.CaptureFixture[str]
Answers = dict[str, str]


class Site:
    """A server with pages and redirects by path; it notes what it was asked for."""

    def __init__(self, address: str = "127.0.0.1", port: int = 0) -> None:
        site = self
        self.leads: Answers = {}
        self.asked: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                to = site.leads.get(self.path)
                self.send_response(302 if to else 200)
                if to:
                    self.send_header("Location", to)
                body = b"" if to else f"what {self.path} says".encode()
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer((address, port), Handler)
        self.port = self.server.server_port
        self.url = f"http://{address}:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.close()


@pytest.fixture
def other() -> Iterator[Site]:
    made = Site()
    yield made
    made.close()


def fetch(project: Project, url: str) -> int:
    words = ("D-2.2.1", "--statement", "told", "--fetch", "--evidence", url)
    key = ("--key", str(project.keys["paul"]), "--env", "staging")
    return main(["attest", *words, *key])


def evidence(project: Project) -> tuple[Evidence, str]:
    """What was kept, and what it says."""
    (folder,) = project.statements.iterdir()
    signed = read_statement(folder)
    (one,) = signed.statement.evidence
    return one, signed.evidence[0].read_text()


def refused(project: Project, capsys: Capture, url: str) -> str:
    """Nothing is kept; what is said."""
    assert fetch(project, url) == 1
    assert not project.statements.is_dir() or not list(project.statements.iterdir())
    said = capsys.readouterr().err
    assert said.startswith(f"golive: --fetch: {url}"), said
    assert len(said.splitlines()) == 1
    return said


def test_a_redirect_on_the_same_host_is_followed_and_the_last_address_is_recorded(
    project: Project, site: Site
) -> None:
    site.leads = {"/wiki": "/wiki/", "/wiki/": f"{site.url}/wiki/page.html?v=2"}
    assert fetch(project, f"{site.url}/wiki") == 0
    kept, text = evidence(project)
    assert kept.url == f"{site.url}/wiki/page.html?v=2"
    assert (kept.name, text) == ("page.html", "what /wiki/page.html?v=2 says")


def test_a_redirect_to_another_host_is_refused_and_named(
    project: Project, capsys: Capture, site: Site, other: Site
) -> None:
    there = f"http://localhost:{other.port}/page"
    site.leads = {"/wiki": there}
    said = refused(project, capsys, f"{site.url}/wiki")
    assert f"leads to {there}, on another host; expected the page itself" in said
    assert f"--evidence {there}" in said
    assert other.asked == []


@pytest.mark.parametrize(
    "there",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "http://[::1]/",
        "//127.0.0.2/x",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "http://somebody:secret@127.0.0.1/",
    ],
)
def test_a_redirect_inwards_or_out_of_the_web_is_refused(
    project: Project, capsys: Capture, site: Site, there: str
) -> None:
    site.leads = {"/wiki": there}
    assert "leads to " in refused(project, capsys, f"{site.url}/wiki")


def test_a_redirect_to_another_port_is_one_to_another_host(
    project: Project, capsys: Capture, site: Site, other: Site
) -> None:
    site.leads = {"/wiki": f"{other.url}/page"}
    assert f"leads to {other.url}/page, on another host" in refused(
        project, capsys, f"{site.url}/wiki"
    )
    assert other.asked == []


def test_a_circle_of_redirects_ends(project: Project, capsys: Capture, site: Site) -> None:
    site.leads = {"/a": "/b", "/b": "/a"}
    assert "leads on over 5 times" in refused(project, capsys, f"{site.url}/a")
    assert len(site.asked) <= 6


def test_a_name_that_leads_inwards_the_second_time_is_refused(
    project: Project, capsys: Capture, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its owner answers with one of his own addresses first, and with one of ours then."""
    inner = Site("127.0.0.2", site.port)
    answers = iter(["127.0.0.1", *["127.0.0.2"] * 9])
    known = socket.getaddrinfo

    def names(host: Any, *rest: Any, **more: Any) -> Any:
        return known(next(answers) if host == "wiki.test" else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", names)
    monkeypatch.setattr("golive.commands._fetching.is_inner", lambda ip: str(ip) == "127.0.0.2")
    url = f"http://wiki.test:{site.port}/a"
    site.leads = {"/a": "/b"}
    try:
        said = refused(project, capsys, url)
    finally:
        inner.close()
    assert "wiki.test is 127.0.0.2 now, an inner address, and was 127.0.0.1" in said
    assert (site.asked, inner.asked) == (["/a"], [])


# -- a server that takes its time --------------------------------------------------------------


@contextmanager
def dripping(head: bytes, piece: bytes) -> Iterator[str]:
    """A server that says a beginning at once, and then a piece every 50 ms, without end."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                connection, _ = listening.accept()
                with connection:
                    connection.sendall(head)
                    while not over.wait(0.05):
                        if piece:
                            connection.sendall(piece)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}/page"
        over.set()
    thread.join(5)


@pytest.mark.parametrize(
    ("scheme", "head", "piece"),
    [
        ("http", b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n", b"x"),
        ("http", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        ("http", b"HTTP/1.1 200 OK\r\nX-Long: ", b"x"),
        ("http", b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
        ("http", b"", b""),
        ("https", b"", b""),
        ("https", b"\x16\x03\x03\x40\x00", b"\x02"),
    ],
    ids=["body", "chunks", "a header", "headers", "nothing", "no TLS", "TLS"],
)
def test_the_limit_holds_whatever_the_server_does(
    project: Project,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    scheme: str,
    head: bytes,
    piece: bytes,
) -> None:
    monkeypatch.setattr(_saying, "_FETCH_LIMIT_S", 1.0)
    with dripping(head, piece) as place:
        said = refused(project, capsys, f"{scheme}://{place}")
    assert "takes over 1 s" in said


def test_a_name_that_is_not_resolved_in_time_is_told(
    project: Project, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()
    known: Callable[..., Any] = socket.getaddrinfo

    def slow(host: Any, *rest: Any, **more: Any) -> Any:
        if host == "wiki.test":
            over.wait(60)
        return known("127.0.0.1", *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    monkeypatch.setattr(_saying, "_FETCH_LIMIT_S", 0.5)
    try:
        assert "takes over 0.5 s" in refused(project, capsys, "http://wiki.test/")
    finally:
        over.set()
