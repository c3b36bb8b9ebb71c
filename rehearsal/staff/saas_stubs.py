"""What the stubbed services say unless a fault says else: issues, status page, flags, pages.

`defaults` is all of it as one nested dictionary. Every setting of the part `saas-stubs` is a patch
that is laid over it: tables are merged, None takes a key out, anything else takes its place. A
fault is one such setting under a name of its own, so that several can be in force at once.

Dates hang on the day that the rehearsal was first up, and on the launch.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

REPOSITORY = "bookedbarber/bookedbarber"
CANDIDATE = "v2.0.0"
LAUNCH = date(2026, 12, 7)
MAIL = "bookedbarber.example"
SITE = "https://www.bookedbarber.test"
"""The product's public name; who asks for it knows the edge's address."""
CANARY = 301
"""An issue that every query for the launch has to find."""
STRIPE_ACCOUNT = "acct_rehearsal"
PAGE, ORGANIZATION = "bb2launchpage", "bookedbarber"
CHECKS = ("unit tests", "integration tests", "end-to-end tests", "static analysis", "build")
SEVERITIES = ("critical", "high", "medium", "low")
LABELS = {
    **{f"severity: {one}": f"{one} severity" for one in SEVERITIES},
    "known-issue": "Launched with, and told to customers and support",
    "launch": "Came up on the launch day or in a rehearsal of it",
    "launch-blocker": "The launch cannot go on with this open",
    "launch-condition": "A condition that somebody made for saying go",
    "launch-question": "Asked in a briefing",
    "post-launch": "Planned for the days after the launch",
    "security-finding": "Found by an audit, a scan or a penetration test",
    "verified": "Somebody else than the fixer has seen that it is fixed",
}

# Severity, title, who fixed it, who verified it.
_FIXED = """
critical|Two customers can book the same slot at the same moment|hugo|quinn
critical|Refund is paid out twice when the webhook is delivered twice|ivan|quinn
critical|Session stays valid after the password was changed|sofia|theo
high|Payout total leaves out tips in the week of a clock change|ivan|quinn
high|Booking confirmation is sent before the payment has succeeded|ivan|theo
high|Standby is not used for reports after a failover|drew|noor
high|Calendar sync drops events without an end|hugo|quinn
high|A barber can read another shop's client notes|sofia|quinn
high|Deploy leaves the previous service worker at the edge|noor|theo
high|Slot search takes 900 ms for shops with 12 barbers|priya|petra
medium|Reminder text is cut after 160 characters|ivan|quinn
medium|Receipt shows the tax of the old rate|ivan|quinn
medium|Time zone of the shop is ignored in the weekly report|theo|quinn
medium|Login form loses the e-mail address after a wrong password|hugo|theo
medium|Search for a client by phone needs the country code|hugo|quinn
medium|Export of appointments ends after 10,000 rows|drew|quinn
medium|Metrics of the pooler lack the instance name|noor|theo
medium|Rate limit counts the balancer as one client|noor|sofia
medium|Cookie banner hides the booking button on small phones|hugo|quinn
medium|Cancelled appointments count as revenue on the dashboard|theo|quinn
medium|Password rules are shown only after sending the form|hugo|theo
medium|Opening hours of a holiday are applied a day late|hugo|quinn
medium|Health check answers before migrations are done|drew|noor
medium|Retry of a text message uses a new message id|ivan|theo
low|Wrong plural in the list of services|hugo|quinn
low|Favicon is missing on the login page|hugo|theo
low|Log line of a refund lacks its currency|ivan|quinn
low|Sorting by name ignores accents|theo|quinn
low|Help link opens in the same tab|hugo|quinn
low|Chart legend overlaps on wide screens|theo|quinn
low|Unused columns in the payout export|drew|quinn
low|Spelling in the welcome mail|hugo|theo
"""
_KNOWN = (
    {
        "title": "Slot list is not refreshed when the phone wakes up",
        "severity": "medium",
        "assignee": "hugo",
        "fields": {
            "Impact": "a customer may choose a slot that was taken and learns so only then",
            "Workaround": "pull the list down to load it again",
            "Customer-visible": "yes",
        },
    },
    {
        "title": "Weekly report takes a minute for shops with more than 40 barbers",
        "severity": "low",
        "assignee": "priya",
        "fields": {
            "Impact": "owners of large shops wait for the report",
            "Workaround": "ask for the report of one month at a time",
            "Customer-visible": "yes",
        },
    },
    {
        "title": "Audit log shows the balancer's address for failed logins",
        "severity": "medium",
        "assignee": "sofia",
        "labels": ("security-finding",),
        "fields": {
            "Impact": "the origin of an attack is read from the balancer's log instead",
            "Workaround": "join by request id",
            "Customer-visible": "no",
            "Retest": "D-9.2.5",
        },
    },
)
_FINDINGS = (
    ("high", "Password reset link can be used twice", "sofia", "sanjay"),
    ("medium", "Server version is reported in an error page", "noor", "sanjay"),
    ("low", "Security contact file is missing", "sofia", "sanjay"),
)
_QUESTIONS = (
    ("Who decides on a rollback when the Technical Lead cannot be reached?", "tess"),
    ("Which text do we send when a payment is refunded by hand?", "paul"),
    ("Where do support agents see the known issues?", "amy"),
    ("What may be spent without asking on the launch day?", "elena"),
)
FLAGS = {
    "booking-v2": "The new booking flow",
    "express-payouts": "Payouts on the next day",
    "calendar-sync": "Two-way sync with Google Calendar",
    "sms-reminders": "Reminders by text message",
    "reduced-scope": "Hides everything but booking and payment",
    "maintenance-mode": "Shows the maintenance page and takes no booking",
    "golive-synthetic": "Asked for by no code; the launch validation switches it",
}
SYNTHETIC = "golive-synthetic"
OFF = ("reduced-scope", "maintenance-mode", SYNTHETIC)
COMPONENTS = ("Website", "Booking", "Payments", "Messages", "Calendar sync")
PROCESSORS = "Data are processed for us by Stripe, SendGrid, Twilio, Google and Render."
CRITERIA = ("CC6.1", "CC6.6", "CC7.2", "CC8.1", "A1.2", "A1.3", "C1.1", "C1.2")
"""Of SOC 2, each with a page of evidence."""
VENDORS = ("render", "stripe", "sendgrid")
SCREENS = ("system-health", "business", "rollback-triggers")
CHANNELS = ("linkedin", "instagram", "facebook")


def issue(
    title: str,
    *,
    severity: str = "",
    opened: datetime,
    author: str = "quinn",
    assignee: str = "",
    labels: Iterable[str] = (),
    fields: Mapping[str, str] | None = None,
    closed: datetime | None = None,
    fixed_by: str = "",
    verified_by: str = "",
    commit: str = "",
    milestone: bool = True,
) -> dict[str, Any]:
    """An issue with the history that it would have.

    `fields` are reported at the end of its text, one `Name: value` a line.
    """
    named = [f"severity: {severity}"] * bool(severity) + list(labels)
    events: list[dict[str, Any]] = [
        {"event": "labeled", "actor": author, "at": written(opened), "label": one} for one in named
    ]
    assignee = assignee or fixed_by
    if assignee:
        given = opened + timedelta(minutes=20)
        events.append({"event": "assigned", "actor": "quinn", "at": written(given), "to": assignee})
    if closed is not None:
        by = fixed_by or assignee or author
        events.append({"event": "closed", "actor": by, "at": written(closed), "commit": commit})
        if verified_by:
            seen = closed + timedelta(hours=3)
            named.append("verified")
            events.append(
                {"event": "labeled", "actor": verified_by, "at": written(seen), "label": "verified"}
            )
    trailer = "\n".join(f"{name}: {value}" for name, value in (fields or {}).items())
    return {
        "title": title,
        "body": f"{title}\n\n{trailer}".strip(),
        "labels": named,
        "author": author,
        "assignees": [assignee] if assignee else [],
        "milestone": milestone,
        "opened": written(opened),
        "closed": written(closed) if closed else "",
        "events": events,
    }


def pull_request(
    title: str, *, author: str, approvals: Iterable[str], merged: datetime | None, commit: str
) -> dict[str, Any]:
    """A pull request with its reviews; open where `merged` is None."""
    at = (merged or datetime.now(UTC)) - timedelta(hours=2)
    return {
        "title": title,
        "author": author,
        "milestone": True,
        "opened": written(at - timedelta(days=1)),
        "merged": written(merged) if merged else "",
        "merged_by": "tess" if merged else "",
        "commit": commit,
        "reviews": [{"by": one, "state": "APPROVED", "at": written(at)} for one in approvals],
    }


def defaults(since: datetime, commit: str) -> dict[str, Any]:
    """Everything, for a rehearsal first up at `since` with the candidate at `commit`."""
    return {
        "tracker": _tracker(since.replace(microsecond=0), commit),
        "status_page": _status_page(since.replace(microsecond=0)),
        "flags": {
            name: {"description": text, "enabled": name not in OFF, "rollout": 100}
            for name, text in FLAGS.items()
        },
        "flag_users": {
            f"{one}@{MAIL}": role
            for one, role in (
                ("tess", "Admin"),
                ("hugo", "Admin"),
                ("paul", "Editor"),
                ("leah", "Editor"),
                ("amy", "Viewer"),
            )
        },
        "stripe": {
            "id": STRIPE_ACCOUNT,
            "email": f"payments@{MAIL}",
            "charges_enabled": True,
            "payouts_enabled": True,
            "type": "standard",
        },
        "pages": _pages(),
    }


def _tracker(since: datetime, commit: str) -> dict[str, Any]:
    numbers = iter(range(CANARY, CANARY + 1000))
    issues: dict[str, Any] = {}

    def add(title: str, **how: Any) -> None:
        issues[str(next(numbers))] = issue(title, **how)

    week = since - timedelta(days=7)
    add(
        "Canary: whoever looks for the launch's issues finds this one",
        severity="low",
        opened=week - timedelta(days=30),
        closed=week - timedelta(days=30) + timedelta(hours=1),
        fixed_by="theo",
        verified_by="quinn",
        commit=commit,
        fields={"Cause": "made on purpose", "Test": "tests/test_canary.py"},
    )
    rows = [line.split("|") for line in _FIXED.strip().splitlines()]
    for n, (severity, title, fixer, verifier) in enumerate(rows):
        opened = week - timedelta(days=28 - n * 0.8)
        add(
            title,
            severity=severity,
            opened=opened,
            closed=opened + timedelta(hours=5 + 2 * n),
            fixed_by=fixer,
            verified_by=verifier,
            commit=commit,
            fields={"Cause": "found and described in the fix", "Test": f"tests/test_fix_{n}.py"},
        )
    for n, (severity, title, fixer, verifier) in enumerate(_FINDINGS):
        opened = week - timedelta(days=14 - n)
        add(
            title,
            severity=severity,
            opened=opened,
            author="sanjay",
            labels=["security-finding"],
            closed=opened + timedelta(days=2),
            fixed_by=fixer,
            verified_by=verifier,
            commit=commit,
            fields={
                "Cause": "described in the audit",
                "Test": f"tests/security/test_finding_{n}.py",
                "Retest": "D-9.1.1",
            },
        )
    for n, one in enumerate(_KNOWN):
        reported: dict[str, Any] = dict(one)
        labels = ["known-issue", *reported.pop("labels", ())]
        fields = {**reported.pop("fields"), "Due": (LAUNCH - timedelta(days=2)).isoformat()}
        add(opened=week + timedelta(days=n), labels=labels, fields=fields, **reported)
    for n, (question, who) in enumerate(_QUESTIONS):
        asked = since - timedelta(days=2, hours=-n)
        add(
            question,
            opened=asked,
            author="amy",
            assignee=who,
            labels=["launch-question"],
            closed=asked + timedelta(hours=6),
            milestone=False,
            fields={"Answer": "told in the briefing and written down in its question log"},
        )
    drill = since - timedelta(hours=8)
    add(
        "Drill: payments fail for one shop",
        severity="high",
        opened=drill,
        author="omar",
        labels=["launch"],
        closed=drill + timedelta(minutes=50),
        fixed_by="ivan",
        verified_by="quinn",
        commit=commit,
        milestone=False,
        fields={"Cause": "a drill", "Test": "the drill itself", "Drill": "yes"},
    )
    merged = week + timedelta(days=3)
    pulls = {
        str(next(numbers)): pull_request(
            title, author=author, approvals=approvals, merged=merged, commit=commit
        )
        for title, author, approvals in (
            ("Booking flow of v2.0.0", "hugo", ["tess", "theo"]),
            ("Payments and payouts of v2.0.0", "ivan", ["tess", "ines"]),
            ("Migrations of v2.0.0", "drew", ["dana", "tess"]),
            ("Release v2.0.0", "noor", ["omar", "tess"]),
        )
    }
    return {
        "issues": issues,
        "pulls": pulls,
        "labels": dict(LABELS),
        "milestone": {"title": CANDIDATE, "due": LAUNCH.isoformat()},
        "commit": commit,
        "checks": dict.fromkeys(CHECKS, "success"),
    }


def _status_page(since: datetime) -> dict[str, Any]:
    launch = datetime(LAUNCH.year, LAUNCH.month, LAUNCH.day, tzinfo=UTC)
    past = since - timedelta(days=40)
    return {
        "name": "BookedBarber",
        "components": dict.fromkeys(COMPONENTS, "operational"),
        "incidents": {
            "launch": {
                "name": "Upgrade to v2.0.0",
                "status": "scheduled",
                "impact": "maintenance",
                "created": written(since - timedelta(days=1)),
                "from": written(launch + timedelta(hours=9)),
                "until": written(launch + timedelta(hours=13)),
                "components": list(COMPONENTS),
                "updates": [
                    {
                        "status": "scheduled",
                        "at": written(since - timedelta(days=1)),
                        "text": "We move to a new version. Booking stays open; pages may be slow.",
                    }
                ],
            },
            "past": {
                "name": "Text messages delayed",
                "status": "resolved",
                "impact": "minor",
                "created": written(past),
                "components": ["Messages"],
                "updates": [
                    {
                        "status": status,
                        "at": written(past + timedelta(minutes=minutes)),
                        "text": text,
                    }
                    for status, minutes, text in (
                        ("investigating", 0, "Some reminders arrive late."),
                        ("monitoring", 25, "The provider has caught up."),
                        ("resolved", 70, "All reminders arrive in time."),
                    )
                ],
            },
        },
        "users": {
            f"{one}@{MAIL}": {"name": one.title()}
            for one in ("paul", "leah", "tess", "hugo", "omar", "noor")
        },
    }


def _pages() -> dict[str, Any]:
    def page(title: str, *lines: str, **more: Any) -> dict[str, Any]:
        return {"status": 200, "title": title, "lines": list(lines), "links": [], **more}

    post = "BookedBarber has a new booking flow. See it here."
    booking = f"{SITE}/book?utm_campaign=launch"
    release = ("BookedBarber launches version 2 of its booking service.",)
    return {
        "/bridge": page("War room bridge", "Waiting for the host."),
        "/bridge-backup": page("War room backup bridge", "Waiting for the host."),
        "/press": page("Press", *release, links=[booking]),
        "/privacy": page("Privacy notice", "Which data we keep, what for, how long.", PROCESSORS),
        "/cookies": page("Cookie notice", "Which cookies we set, how to refuse.", PROCESSORS),
        **{
            f"/controls/{criterion}": page(
                f"Control {criterion}", "What is done, and how it shows."
            )
            for criterion in CRITERIA
        },
        **{
            f"/social/{channel}/launch": page(
                f"BookedBarber on {channel}", post, links=[f"{booking}&utm_source={channel}"]
            )
            for channel in CHANNELS
        },
        **{
            f"/vendor/{name}": page(f"Support of {name}", "Open a ticket or call us.")
            for name in VENDORS
        },
        **{
            f"/screens/{name}": page(f"Screen {name}", "Updated {now}", refresh_s=15)
            for name in SCREENS
        },
    }


def merged(below: Any, above: Any) -> Any:
    """`above` laid over `below`: tables merge, None takes a key out, the rest takes its place."""
    if not isinstance(above, Mapping):
        return above
    out = dict(below) if isinstance(below, Mapping) else {}
    for key, value in above.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merged(out.get(key), value)
    return out


def state(folder: Path) -> dict[str, Any]:
    """What the stubbed services of the rehearsal in that folder say now, faults included."""
    now = defaults(first_up(folder), commit_of(folder / "release.git", CANDIDATE))
    try:
        patches = json.loads((folder / "state" / "overrides.json").read_text())
    except FileNotFoundError:
        patches = {}
    for _, patch in sorted(patches.get("saas-stubs", {}).items()):
        now = merged(now, patch)
    return now


def first_up(folder: Path) -> datetime:
    """When the stubbed services of that rehearsal were first started; now, where it was not yet."""
    path = folder / "saas-stubs" / "since"
    try:
        return datetime.fromisoformat(path.read_text().strip())
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        since = datetime.now(UTC)
        path.write_text(since.isoformat() + "\n")
        return since


def commit_of(repository: Path, ref: str) -> str:
    """The commit that a ref of the release repository means; empty where there is none."""
    words = ["git", f"--git-dir={repository}", "rev-parse", "--verify", "--quiet"]
    done = subprocess.run(
        [*words, "--end-of-options", f"{ref}^{{commit}}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def written(at: datetime) -> str:
    """As GitHub and Statuspage write times."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
