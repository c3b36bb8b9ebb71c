"""The answer in the Common Test Report Format, for dashboards that read it (ctrf.io)."""

from __future__ import annotations

from collections import Counter
from typing import Any

from golive.answer import Answer, Standing
from golive.verdicts import Verdict


def report(answer: Answer) -> dict[str, Any]:
    """Items as tests: what stands in the way has failed, or is pending where people are asked."""
    tests = [_test(s) for s in answer.standings]
    counts = Counter(t["status"] for t in tests)
    made_ms = int(answer.made_at.timestamp() * 1000)
    summary = {k: counts[k] for k in ("passed", "failed", "pending", "skipped", "other")}
    return {
        "reportFormat": "CTRF",
        "specVersion": "0.0.0",
        "results": {
            "tool": {"name": "golive"},
            "summary": {"tests": len(tests), **summary, "start": made_ms, "stop": made_ms},
            "tests": tests,
            "environment": {
                "appName": answer.environment_title,
                "appVersion": answer.candidate,
                "testEnvironment": answer.environment,
            },
            "extra": {
                "answer": answer.answer,
                "brokenRules": [r.name for r in answer.broken],
                "rehearsal": answer.is_rehearsal,
            },
        },
    }


def _test(s: Standing) -> dict[str, Any]:
    return {
        "name": f"{s.line.id} {s.line.title}",
        "status": _status(s),
        "rawStatus": s.state,
        "duration": 0,
        "message": s.reason,
        "suite": [s.line.block_title, s.line.task],
        "tags": [s.line.area, s.line.way],
        "extra": {"owner": s.line.owner, "due": s.due.isoformat()},
    }


def _status(s: Standing) -> str:
    if not s.is_open:
        return "passed"
    if not s.counts:
        return "skipped"
    return "pending" if s.state == Verdict.PENDING else "failed"
