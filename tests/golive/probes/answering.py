"""A small HTTP server that says what a test tells it to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Said:
    """An answer: a JSON document or bytes."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class Service:
    """Answers by path with query; remembers what was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: dict[str, Said] = {}
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []

    def says(self, path: str, body: Any = None, status: int = 200, **headers: str) -> None:
        """What a path, with its query, is answered with."""
        self.answers[path] = Said(
            body, status, {k.replace("_", "-"): v for k, v in headers.items()}
        )


@contextmanager
def answering() -> Iterator[Service]:
    """The server, on a port of its own."""
    service = Service()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_GET(self) -> None:
            service.asked.append(self.path)
            service.headers.append(dict(self.headers))
            said = service.answers.get(self.path) or Said({"message": "Not Found"}, 404)
            body = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing that a test reads."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A reader that has seen enough hangs up."""

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        service.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield service
        finally:
            server.shutdown()
