"""Run single parts without the supervisor, in front of small stand-ins for what they need."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from rehearsal.kernel import binaries
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.world import PROJECT, Rehearsal
from rehearsal.parts import Part


@contextmanager
def running(r: Rehearsal, part: Part) -> Iterator[subprocess.Popen[bytes]]:
    """The part's process, ready; ended afterwards."""
    part.prepare(r)
    found = binaries.find(part.binary).environment if part.binary else {}
    log = r.log(part.name)
    with log.open("ab") as output:
        process = subprocess.Popen(
            part.command(r),
            env={**os.environ, "PYTHONPATH": str(PROJECT), **found, **part.environment(r)},
            cwd=r.folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        r.wait(f"{part.name} is ready", lambda: _ready(r, part, process), within_s=60)
        part.after(r)
        yield process
    finally:
        process.send_signal(part.stop_signal)
        process.wait(timeout=60)


def reload(r: Rehearsal, part: Part, process: subprocess.Popen[bytes]) -> None:
    """What the supervisor does on `reload`."""
    part.prepare(r)
    process.send_signal(part.reload_signal)


def _ready(r: Rehearsal, part: Part, process: subprocess.Popen[bytes]) -> bool:
    if process.poll() is not None:
        tail = r.log(part.name).read_text(errors="replace")[-2000:]
        raise RehearsalError(f"{part.name} ended with {process.returncode}: {tail}")
    return part.ready(r)


Answer = tuple[int, dict[str, str], bytes]


@contextmanager
def stand_in(port: int, answer: Callable[[BaseHTTPRequestHandler], Answer]) -> Iterator[None]:
    """An HTTP server on the port that answers GET with what the function says."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, headers, body = answer(self)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A health check hangs up once it has the status; that is nothing to report."""

    server = Server(("127.0.0.1", port), Handler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
