"""The seed mailbox: what is delivered to it, and an IMAP server (RFC 3501) over it on loopback.

It knows what a reader of one mailbox needs: LOGIN, SELECT, EXAMINE, SEARCH and FETCH by UID,
STORE, EXPUNGE.
"""

from __future__ import annotations

import re
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes


@dataclass
class Mailbox:
    """Messages by UID, oldest first."""

    user: str
    password: str
    messages: dict[int, bytes] = field(default_factory=dict)
    deleted: set[int] = field(default_factory=set)
    _next: int = 1
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def deliver(self, message: bytes) -> None:
        """Keep a message."""
        with self._lock:
            self.messages[self._next] = message
            self._next += 1

    def expunge(self) -> None:
        """Drop what is marked as deleted."""
        with self._lock:
            for uid in self.deleted:
                self.messages.pop(uid, None)
            self.deleted.clear()

    def search(self, words: str) -> list[int]:
        """UIDs that answer to ``ALL``, or to ``HEADER NAME VALUE``."""
        header = re.search(r'HEADER "?([\w-]+)"? "?([^"]*)"?', words, re.IGNORECASE)
        with self._lock:
            known = dict(self.messages)
        if header is None:
            return list(known)
        name, value = header[1], header[2].strip()
        return [u for u, m in known.items() if value in str(message_from_bytes(m)[name] or "")]


def serve(port: int, mailbox: Mailbox) -> None:
    """Answer on that port of 127.0.0.1 from now on, in threads of this process."""

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"* OK ready\r\n")
            known = False
            for raw in iter(self.rfile.readline, b""):
                tag, _, rest = raw.decode().strip().partition(" ")
                verb, _, words = rest.partition(" ")
                verb = verb.upper()
                if verb == "LOGIN":
                    known = words.replace('"', "") == f"{mailbox.user} {mailbox.password}"
                    said = "OK" if known else "NO [AUTHENTICATIONFAILED]"
                elif verb in {"CAPABILITY", "NOOP", "LOGOUT"} or known:
                    for line in _lines(mailbox, verb, words):
                        self.wfile.write(line)
                    said = "OK"
                else:
                    said = "NO"
                self.wfile.write(f"{tag} {said} {verb}\r\n".encode())
                if verb == "LOGOUT":
                    return

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    server = Server(("127.0.0.1", port), Session)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def _lines(mailbox: Mailbox, verb: str, words: str) -> Iterator[bytes]:
    if verb == "CAPABILITY":
        yield b"* CAPABILITY IMAP4rev1\r\n"
    elif verb in {"SELECT", "EXAMINE"}:
        yield f"* {len(mailbox.messages)} EXISTS\r\n* OK [UIDVALIDITY 1]\r\n".encode()
    elif verb == "UID":
        kind, _, rest = words.partition(" ")
        if kind.upper() == "SEARCH":
            found = " ".join(map(str, mailbox.search(rest)))
            yield f"* SEARCH {found}".rstrip().encode() + b"\r\n"
        elif kind.upper() == "FETCH":
            uid = int(rest.split(" ")[0])
            if text := mailbox.messages.get(uid):
                yield f"* {uid} FETCH (UID {uid} BODY[] {{{len(text)}}}\r\n".encode() + text
                yield b")\r\n"
        elif kind.upper() == "STORE":
            mailbox.deleted.add(int(rest.split(" ")[0]))
    elif verb == "EXPUNGE":
        mailbox.expunge()
    elif verb == "LOGOUT":
        yield b"* BYE\r\n"
