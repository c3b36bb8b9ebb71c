"""Which runs and statements a package may hold."""

from __future__ import annotations

from pathlib import Path

from golive import ledger
from golive.context import Context
from golive.people.statements import digest_of


def not_its_makers(run: ledger.Run, context: Context) -> str:
    """Why nobody on the roster stands for a run that has ended; empty where somebody does."""
    if run.head.environment.kind != context.environment.kind:
        return f"it says that {context.environment.name} is a {run.head.environment.kind}"
    if run.end is None or context.environment.kind == "rehearsal":
        return ""
    return ledger.unsigned(run, context.roster)


def is_set_aside(folder: Path, context: Context) -> bool:
    """Whether two people have said that a record is not to be counted, as it lies there."""
    return context.statements.set_aside(folder.name, digest_of(folder)) is not None
