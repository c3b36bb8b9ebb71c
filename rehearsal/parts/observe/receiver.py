"""The on-call inbox: takes Alertmanager's webhooks and keeps every alert that it was told of.

`POST /alerts` appends one JSON line per alert, flushed before it is acknowledged.
`GET /inbox` answers with all of them, oldest first; `?alert=NAME` with those of one rule,
`?since=ISO` with those received from then on.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from rehearsal.parts import Endpoints, Part

if TYPE_CHECKING:
    from rehearsal.kernel.world import Rehearsal


class Receiver(Part):
    name = "receiver"
    title = "on-call inbox"

    def command(self, r: Rehearsal) -> list[str]:
        record = str(r.path("receiver", "inbox.jsonl"))
        return [
            sys.executable,
            "-m",
            "rehearsal.parts.observe.receiver",
            str(r.port(self.name)),
            record,
        ]

    def endpoints(self, r: Rehearsal) -> Endpoints:
        return {"monitoring": {"receiver": r.url(self.name, "/inbox")}}


class Inbox:
    """The append-only record of what was delivered."""

    def __init__(self, record: Path) -> None:
        self._record = record
        self._record.touch()
        self._lock = Lock()

    def deliver(self, notification: dict[str, Any]) -> None:
        """Keep every alert of one webhook call. Raises KeyError where it is none."""
        received_at = datetime.now(UTC).isoformat()
        lines = [
            {
                "received_at": received_at,
                "receiver": notification["receiver"],
                "alert": alert["labels"]["alertname"],
                "status": alert["status"],
                "starts_at": alert["startsAt"],
                "ends_at": alert["endsAt"],
                "labels": alert["labels"],
                "annotations": alert["annotations"],
                "fingerprint": alert["fingerprint"],
            }
            for alert in notification["alerts"]
        ]
        with self._lock, self._record.open("a") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)

    def notifications(self, alert: str | None, since: datetime | None) -> list[dict[str, Any]]:
        with self._lock:
            lines = [json.loads(line) for line in self._record.read_text().splitlines()]
        return [
            line
            for line in lines
            if alert in (None, line["alert"])
            and (since is None or datetime.fromisoformat(line["received_at"]) >= since)
        ]


class _Handler(BaseHTTPRequestHandler):
    inbox: Inbox

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        try:
            self.inbox.deliver(json.loads(self.rfile.read(length)))
        except (ValueError, KeyError, TypeError) as error:
            self._answer(400, {"error": f"this is no notification of Alertmanager: {error!r}"})
        else:
            self._answer(200, {})

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path != "/inbox":
            self._answer(404, {"error": "there is only /inbox"})
            return
        try:
            since = datetime.fromisoformat(query["since"]) if "since" in query else None
            if since is not None and since.tzinfo is None:
                raise ValueError("it has no time zone")
        except ValueError as error:
            self._answer(422, {"error": f"since={query['since']}: {error}"})
            return
        self._answer(200, self.inbox.notifications(query.get("alert"), since))

    def _answer(self, status: int, body: Any) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """The record says it all."""


def main(port: int, record: Path) -> None:
    _Handler.inbox = Inbox(record)
    ThreadingHTTPServer(("127.0.0.1", port), _Handler).serve_forever()


receiver = Receiver()
PARTS = (receiver,)

if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
