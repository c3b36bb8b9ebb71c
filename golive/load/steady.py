"""What locust runs for a steady load: one path asked for again and again, each answer told.

Every answer is a line of JSON on standard output, see ``golive.load.running``. Settings come in the
environment: GOLIVE_LOAD_PATH, GOLIVE_LOAD_EACH_PER_S (of one user), GOLIVE_LOAD_CA_FILE,
GOLIVE_LOAD_INSTANCE_HEADER.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from locust import HttpUser, constant_throughput, events, task

PATH = os.environ.get("GOLIVE_LOAD_PATH", "/")
EACH_PER_S = float(os.environ.get("GOLIVE_LOAD_EACH_PER_S", "1"))
INSTANCE_HEADER = os.environ.get("GOLIVE_LOAD_INSTANCE_HEADER", "")


class Visitor(HttpUser):
    """Somebody who asks for the path at an even pace."""

    wait_time = constant_throughput(EACH_PER_S)

    def on_start(self) -> None:
        self.client.trust_env = False
        self.client.verify = os.environ.get("GOLIVE_LOAD_CA_FILE") or True

    @task
    def visit(self) -> None:
        self.client.get(PATH, name=PATH, timeout=10)


def answered(
    start_time: float = 0.0, response: Any = None, exception: Any = None, **_: Any
) -> None:
    """Tell one answer, or that there was none."""
    headers = getattr(response, "headers", None) or {}
    told = {
        "at": start_time,
        "status": int(getattr(response, "status_code", 0) or 0),
        "instance": headers.get(INSTANCE_HEADER, "") if INSTANCE_HEADER else "",
        "error": type(exception).__name__ if exception else "",
    }
    try:
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
    except OSError:  # whoever reads it was killed, and nobody else would end the load
        os._exit(1)


events.request.add_listener(answered)  # type: ignore[no-untyped-call]
