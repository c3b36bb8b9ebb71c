"""Which parts there are, and what the rehearsal tells others once they run."""

from __future__ import annotations

import importlib
from collections.abc import Iterable

from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts import Part

MODULES = (
    "data.postgres",
    "data.pgbouncer",
    "data.redis",
    "platform.app",
    "traffic.portal",
    "traffic.balancer",
    "traffic.edge",
    "platform.aws",
    "platform.zones",
    "platform.configuration",
    "platform.drift",
    "platform.ssh",
    "platform.log_shipper",
    "backup.backups",
    "platform.build",
    "observe.receiver",
    "saas.saas_stubs",
    "saas.integrations",
    "money.stripe",
    "people.messages",
    "people.staff",
    "observe.alertmanager",
    "observe.exporter",
    "observe.prometheus",
    "observe.measured",
)


def parts(only: Iterable[str] = ()) -> list[Part]:
    """Every part in the order of ``MODULES``, or the named ones with all they need.

    Raises RehearsalError for an unknown name, in ``only`` or among the needs.
    """
    known: dict[str, Part] = {}
    for module in MODULES:
        for part in importlib.import_module(f"rehearsal.parts.{module}").PARTS:
            known[part.name] = part
    for part in known.values():
        for need in part.needs:
            if need not in known:
                raise RehearsalError(f"{part.name} needs {need}, which is no part.")
    chosen: set[str] = set()
    queue = list(only) or list(known)
    while queue:
        name = queue.pop()
        if name not in known:
            raise RehearsalError(f"There is no part {name!r}; there are {', '.join(known)}.")
        if name not in chosen:
            chosen.add(name)
            queue += known[name].needs
    return [part for part in known.values() if part.name in chosen]


def announce(r: Rehearsal, *, complete: bool) -> None:
    """Write ``endpoints.toml``, when all parts run."""
    if complete:
        from rehearsal import endpoints

        endpoints.write(r, parts())
