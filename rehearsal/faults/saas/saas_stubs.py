"""What faults of the stubbed services are made of: each verb puts one patch in force, at once.

    @fault("critical-issue-open", expect_fail=["D-6.3.1"], title="a critical issue is open")
    def critical_issue_open(r: Rehearsal) -> None:
        saas_stubs.with_issue(r, "critical-issue-open", severity="critical")

    @critical_issue_open.revert
    def close_it(r: Rehearsal) -> None:
        saas_stubs.restore(r, "critical-issue-open")

A patch goes by the name of its fault, so that several can be in force and each reverts by itself.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.world import Rehearsal
from rehearsal.staff import saas_stubs

NEW = 901
"""Number of the issue that `with_issue` files; above every default's."""


def patch(r: Rehearsal, name: str, **services: Any) -> None:
    """Lay tables over what the stubs say: tracker, status_page, flags, pages, answers."""
    r.override("saas-stubs", **{name: services})


def restore(r: Rehearsal, name: str) -> None:
    """Take the patch of that name back."""
    r.clear_override("saas-stubs", name)


def with_issue(r: Rehearsal, name: str, *, number: int = NEW, **how: Any) -> None:
    """File another issue, opened an hour ago; `how` as `issue` of the staff's module takes it."""
    how = {"title": "Something else is wrong", "opened": _ago(hours=1), **how}
    patch(r, name, tracker={"issues": {str(number): saas_stubs.issue(how.pop("title"), **how)}})


def change_issue(r: Rehearsal, name: str, number: int, **fields: Any) -> None:
    """Give keys of an issue's record other values, e.g. `assignees=[]`."""
    _record(r, "issues", number)
    patch(r, name, tracker={"issues": {str(number): fields}})


def relabelled(
    r: Rehearsal, name: str, number: int, *, off: str, on: str = "", by: str = "quinn"
) -> None:
    """Take a label off an issue and put another one on, as somebody would a moment ago."""
    record = _record(r, "issues", number)
    labels = [one for one in record["labels"] if one != off] + [on] * bool(on)
    at = saas_stubs.written(_ago(minutes=5))
    events = [*record["events"], {"event": "unlabeled", "actor": by, "at": at, "label": off}]
    if on:
        events.append({"event": "labeled", "actor": by, "at": at, "label": on})
    change_issue(r, name, number, labels=labels, events=events)


def reopened(r: Rehearsal, name: str, number: int, *, by: str = "quinn") -> None:
    """Open a closed issue again."""
    record = _record(r, "issues", number)
    again = {"event": "reopened", "actor": by, "at": saas_stubs.written(_ago(minutes=5))}
    change_issue(r, name, number, closed="", events=[*record["events"], again])


def without_label(r: Rehearsal, name: str, label: str) -> None:
    """Delete a label from the tracker, and so from every issue."""
    patch(r, name, tracker={"labels": {label: None}})


def approved_by(r: Rehearsal, name: str, number: int, *people: str) -> None:
    """Let only these have approved a pull request."""
    reviews = _record(r, "pulls", number)["reviews"]
    kept = [{**reviews[0], "by": one} for one in people]
    patch(r, name, tracker={"pulls": {str(number): {"reviews": kept}}})


def check_concluded(r: Rehearsal, name: str, check: str, conclusion: str | None) -> None:
    """Let a check of the candidate end like that, e.g. "failure"; None: it never ran."""
    patch(r, name, tracker={"checks": {check: conclusion}})


def flag_gone(r: Rehearsal, name: str, flag: str) -> None:
    """Remove a feature flag."""
    patch(r, name, flags={flag: None})


def flag_off(r: Rehearsal, name: str, flag: str) -> None:
    """Switch a feature flag off."""
    patch(r, name, flags={flag: {"enabled": False}})


def incident_gone(r: Rehearsal, name: str, incident: str = "launch") -> None:
    """Delete an incident or an announced maintenance from the status page."""
    patch(r, name, status_page={"incidents": {incident: None}})


def user_gone(r: Rehearsal, name: str, email: str) -> None:
    """Take somebody's access to the status page away."""
    patch(r, name, status_page={"users": {email: None}})


def page_status(r: Rehearsal, name: str, path: str, status: int) -> None:
    """Let a page answer with another status."""
    patch(r, name, pages={path: {"status": status}})


def page_says(r: Rehearsal, name: str, path: str, **fields: Any) -> None:
    """Give a page other content: `title`, `lines`, `links` (lists of text)."""
    patch(r, name, pages={path: fields})


def service_answers(r: Rehearsal, name: str, service: str, status: int) -> None:
    """Let all of a service (tracker, status_page, flags) answer with a status."""
    patch(r, name, answers={service: status})


def _record(r: Rehearsal, kind: str, number: int) -> dict[str, Any]:
    found: dict[str, Any] | None = saas_stubs.state(r.folder)["tracker"][kind].get(str(number))
    if found is None:
        raise RehearsalError(f"The tracker has no {number} among its {kind}.")
    return found


def _ago(**time: float) -> datetime:
    return datetime.now(UTC) - timedelta(**time)
