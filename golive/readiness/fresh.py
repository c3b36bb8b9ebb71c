"""Whether what a run found counts now."""

from __future__ import annotations

from golive import ledger
from golive.context import Context
from golive.verdicts import Verdict

GREEN = frozenset({Verdict.PASS, Verdict.WAIVED, Verdict.NOT_APPLICABLE})


def suspect(run: ledger.Run, verdict: ledger.ItemVerdict, context: Context) -> str:
    """Why a verdict that says it is green does not count as such now; empty where it does.

    It counts only while its check, the thresholds that this used, the environment and golive's
    own code are as they were when it was looked at.
    """
    head, origin = run.head, context.origin
    strange = [p for p in (*head.plugins, *(run.end.plugins if run.end else ())) if not p.known]
    if strange and context.environment.kind != "rehearsal":
        return (
            f"{strange[0].name} ({strange[0].source}) was loaded, which golive did not bring and"
            " launch.plugins of launch.toml does not name"
        )
    if head.engine != origin.engine:
        return "golive itself has changed since"
    if verdict.check != origin.checks.get(verdict.id):
        return "its check has changed since"
    for name, value in verdict.limits.items():
        now = context.launch.limits.get(name)
        if now != value:
            is_now = "gone" if now is None else f"{now:g}"
            return f"the threshold {name} was {value:g} then and is {is_now} now"
    # A rehearsal has other ports whenever it comes up, and decides nothing.
    if (
        context.environment.kind != "rehearsal"
        and head.environment.fingerprint != origin.fingerprint
    ):
        return "the environment is described otherwise since"
    return ledger.unproved(verdict)


def unusable_run(run: ledger.Run, context: Context) -> str:
    """Why nothing green of a run counts, besides those of the run that goes on here."""
    if run.head.id == context.current_run:
        return ""
    if run.end is None:
        return f"the run {run.head.id} did not end"
    if context.environment.kind == "rehearsal":
        return ""
    cause = ledger.unsigned(run, context.roster)
    return f"the run {run.head.id}: {cause}" if cause else ""
