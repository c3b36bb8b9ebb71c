"""Sends what matters to an audit from the parts' logs to the central log group, as it is written:
failures and statements of the databases, and the balancer's requests for administrators."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rehearsal.parts import Part
from rehearsal.parts.platform import aws_audit

if TYPE_CHECKING:
    from rehearsal.kernel.world import Rehearsal

SOURCES = ("postgres-primary", "postgres-standby", "balancer")
EVERY_S = 0.5
_MOST_BYTES = 512 * 1024
_MATTERS = re.compile(r"FATAL: |LOG:  statement: | https~? ")


class LogShipper(Part):
    name = "log-shipper"
    title = "sends logs to the central log"
    needs = ("aws", "postgres-primary", "postgres-standby", "balancer")
    loads = ("rehearsal.parts.platform.aws_sdk",)
    port_names = ()

    def command(self, r: Rehearsal) -> list[str]:
        logs = [str(r.log(one)) for one in SOURCES]
        return [sys.executable, "-m", __name__, str(aws_audit.writer_file(r)), *logs]

    def ready(self, r: Rehearsal) -> bool:
        return True


def appended(log: Path, at: int) -> tuple[int, list[str]]:
    """Whole lines written since a place, and the place behind them."""
    try:
        size = log.stat().st_size
        at = min(at, size)  # it was begun anew
        with log.open("rb") as file:
            file.seek(at)
            content = file.read(_MOST_BYTES)
    except FileNotFoundError:
        return 0, []
    whole = content[: content.rfind(b"\n") + 1]
    return at + len(whole), whole.decode(errors="replace").splitlines()


def mattering(lines: list[str]) -> Iterator[str]:
    """Those that an audit asks for."""
    return (line for line in lines if _MATTERS.search(line))


def ship(credentials: Path, logs: list[Path]) -> None:
    """Go on for ever: what could not be sent is tried again."""
    places = {log: (log.stat().st_size if log.exists() else 0) for log in logs}
    streams: set[Path] = set()
    client: Any = None
    while True:
        time.sleep(EVERY_S)
        for log in logs:
            end, lines = appended(log, places[log])
            found = list(mattering(lines))
            if found:
                try:
                    client = client or _client(credentials)
                    _send(client, log, found, streams)
                except Exception as error:  # noqa: BLE001 - AWS is away, or was begun anew
                    sys.stderr.write(f"{log.stem}: {type(error).__name__}: {error}\n")
                    client = None
                    streams.clear()
                    break
            places[log] = end


def _send(client: Any, log: Path, lines: list[str], streams: set[Path]) -> None:
    where = {"logGroupName": aws_audit.GROUP, "logStreamName": log.stem}
    if log not in streams:
        with suppress(client.exceptions.ResourceAlreadyExistsException):
            client.create_log_stream(**where)
        streams.add(log)
    now = int(time.time() * 1000)
    client.put_log_events(**where, logEvents=[{"timestamp": now, "message": m} for m in lines])


def _client(credentials: Path) -> Any:
    from botocore.config import Config

    from rehearsal.parts.platform.aws_sdk import SESSION

    given = json.loads(credentials.read_text())
    return SESSION.client(
        "logs",
        region_name=aws_audit.REGION,
        endpoint_url=given["endpoint"],
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
        config=Config(connect_timeout=2, read_timeout=10, proxies={}),
    )


log_shipper = LogShipper()
PARTS = (log_shipper,)

if __name__ == "__main__":
    ship(Path(sys.argv[1]), [Path(one) for one in sys.argv[2:]])
