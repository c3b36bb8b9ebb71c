"""What those who decide have said, and what it rests on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from golive.answer import (
    Standing,
)
from golive.context import Context
from golive.people.statements import Signed, Statements
from golive.readiness.record import Record


class Decided:
    """What those who decide have said of the launch."""

    def __init__(self, context: Context, statements: Statements, readiness: str) -> None:
        self.all = [_of_now(s, readiness) for s in statements.decisions()]
        valid = [s for s in self.all if s.valid]
        no = [s for s in valid if s.statement.data.get("decision") == "no-go"]
        refused = {s.statement.role for s in no}
        self.against = sorted({s.statement.by for s in no})
        # A role has approved while one of its people says go and none of them no-go.
        self.roles = {s.statement.role for s in valid} - refused
        self.awaited = [r for r in context.launch.approvers if r not in self.roles]


def _of_now(signed: Signed, readiness: str) -> Signed:
    """A decision, which holds as a go only for the readiness that it saw."""
    s = signed.statement
    if signed.cause or s.data.get("decision") != "go" or s.readiness == readiness:
        return signed
    return replace(signed, cause="what it rests on was looked at again, or stands otherwise, since")


def readiness_of(context: Context, record: Record, standings: Sequence[Standing]) -> str:
    """SHA-256 of what an approval rests on: each item planned before the launch, how it stands and
    which run says so, by which suites, environment and code. Items that record the decision
    itself (``people.decision`` of launch.toml) are looked at after it."""
    origin, known = context.origin, {r.id: r.sha256 for r in record.records}
    seen = {
        s.line.id: [s.state, known.get(s.run, "")]
        for s in standings
        if context.procedure.items[s.line.id].due_day < 0
        and not context.launch.records_the_decision(s.line.id)
    }
    basis = [context.launch.candidate, origin.engine, origin.fingerprint, origin.suite.digest, seen]
    return hashlib.sha256(msgspec.json.encode(basis, order="sorted")).hexdigest()
