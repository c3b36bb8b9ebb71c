"""The rehearsal's papers: what its people have written, true of the rehearsal itself.

Each file of ``rehearsal/staff/templates/`` is a paper with Jinja in it; :func:`facts` is what they
can name. ``feedback-EACH.md.j2`` is one for each role's holder; what lies in folders is no paper
but goes with one, like slides. A paper is the same to the byte as long as what it tells is, so what
people have signed of it stays signed.

A fault takes a paper's data and changes it: `change` as its author would, so that it is signed
again, or `alter` behind everybody's back. `write` puts it back.
"""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jinja2
import yaml

from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.files import write_atomically
from rehearsal.kernel.world import PROJECT, Rehearsal
from rehearsal.parts import Endpoints
from rehearsal.parts.platform import aws
from rehearsal.parts.saas.saas_stubs import address
from rehearsal.parts.traffic.balancer import SERVERS
from rehearsal.parts.traffic.edge import nodes as edge_nodes
from rehearsal.staff import access, calendar, launch_tools, packages, people, saas_stubs, scripts
from rehearsal.staff.scripts import sha256

_HERE = Path(__file__).parent / "templates"
Change = Callable[[dict[str, Any]], object]
LAUNCH = "2026-12-07"
_LAUNCH_DAY = date.fromisoformat(LAUNCH)
_UTC_OFFSET = datetime.combine(_LAUNCH_DAY, time(12), ZoneInfo(calendar.ZONE)).isoformat()[-6:]
_BASELINE = """
with week as (select %(starts)s::timestamptz as starts)
select (select count(*) from appointments where start_time >= starts
        and start_time < starts + interval '7 days'),
       (select coalesce(sum(amount) * 100, 0) from payments where status = 'succeeded'
        and created_at >= starts and created_at < starts + interval '7 days')
from week"""
UPDATE = "update to stakeholders"
_WRITTEN = "day of the papers"
COMPANY, ISSUER = "BookedBarber Rehearsal Ltd", "Example Certification Ltd"
METRICS = (
    ("KT.1", 99.9, "%", "devops_lead"),
    ("KT.2", 200, "ms", "performance_lead"),
    ("KT.3", 0.1, "%", "technical_lead"),
    ("KT.4", 2, "s", "performance_lead"),
    ("KT.5", 50, "ms", "database_administrator"),
    ("KB.1", 100, "users", "product_manager"),
    ("KB.2", 80, "%", "product_manager"),
    ("KB.3", 99, "%", "integration_lead"),
    ("KB.4", 4.5, "of 5", "product_manager"),
    ("KB.5", 0, "", "product_manager"),
    ("KO.1", 30, "min", "devops_lead"),
    ("KO.2", 2, "h", "technical_lead"),
    ("KO.3", 1, "h", "product_manager"),
    ("KO.4", 0, "failures", "technical_lead"),
    ("KO.5", 100, "%", "technical_lead"),
)
"""The procedure's measures of success, with their limits and who looks after them."""
FIGURES = tuple(
    {
        "metric": metric,
        "value": value,
        "unit": unit,
        "window_hours": 4,
        "sample": sample,
        "source": source,
        "result": result,
    }
    for metric, value, unit, sample, source, result in (
        ("KT.1", 99.97, "%", 2880, "Prometheus", "met"),
        ("KT.2", 131, "ms", 48000, "Prometheus", "met"),
        ("KT.3", 0.02, "%", 48000, "Prometheus", "met"),
        ("KT.4", 1.3, "s", 200, "browser", "met"),
        ("KT.5", 24, "ms", 90000, "Prometheus", "met"),
        ("KB.1", 64, "users", 64, "database", "pending"),
        ("KB.2", 84.3, "%", 512, "database", "met"),
        ("KB.3", 99.4, "%", 401, "Stripe", "met"),
        ("KB.4", 4.6, "of 5", 41, "survey", "met"),
        ("KB.5", 310.5, "USD", 401, "Stripe", "pending"),
        ("KO.1", 21, "min", 1, "deploy record", "met"),
        ("KO.2", 0.8, "h", 1, "tracker", "met"),
        ("KO.3", 0.4, "h", 23, "tracker", "met"),
        ("KO.4", 0, "failures", 6, "communication plan", "met"),
        ("KO.5", 100, "%", 479, "ledger", "pending"),
    )
)
"""What its people measured of the launch, as they wrote it down; nobody else measures it yet."""
UPTIME, CUSTOMER_METRICS = "KT.1", ("KB.1", "KB.2", "KB.3", "KB.4", "KO.3")
COVERED: dict[str, list[str]] = {
    "R-01": ["D-14", "D-12", "D-7", "D-4", "T0-0700", "T0-0900"],
    "R-02": ["D-13", "T0-0600"],
    "R-03": ["D-9", "RT", "RB"],
    "R-04": ["D-11", "T0-1130"],
    "R-05": ["D-10", "KT", "T0-1400"],
    "R-07": ["D-5", "KB", "T0-1230", "T0-1300"],
    "R-08": ["D-3", "D-2", "D-1", "CO", "ES", "T0-0800"],
    "R-09": ["KO", "T0-1000", "T0-1600"],
    "R-10": ["D+1", "D+2", "D+3", "D+4", "D+6", "KD"],
}
"""What each risk of the register stands for beside known issues: items, by what ids begin with."""
STAKEHOLDER_ROLES = (
    "technical_lead",
    "devops_lead",
    "security_lead",
    "product_manager",
    "executive_team",
)
PRESS_ADDRESS = "press@bookedbarber.example"
COMPONENTS = (
    ("postgres-primary", "database"),
    ("postgres-standby", "database"),
    ("pgbouncer", "pooler"),
    ("redis-primary", "cache"),
    ("redis-replica", "cache"),
    *((f"redis-sentinel-{n}", "sentinel") for n in (1, 2, 3)),
    *((name, "application") for name in SERVERS),
    ("balancer", "load balancer"),
    *((node.name, "edge") for node in edge_nodes),
    ("prometheus", "monitoring"),
    ("alertmanager", "monitoring"),
    ("exporter", "monitoring"),
    ("config-drift", "monitoring"),
    (aws.SOURCE_BUCKET, "storage"),
    (aws.COPY_BUCKET, "storage"),
)
"""What the product runs on, by the names of the rehearsal's parts."""
AUDIENCES = {
    "technical": {
        *("database_administrator", "devops_lead", "integration_lead", "performance_lead"),
        *("qa_lead", "security_lead", "technical_lead", "engineer"),
    },
    "business": {"product_manager", "product", "finance", "legal_counsel"},
    "support": {"support_lead", "support"},
    "management": {"executive_team", "executive"},
}


def write(r: Rehearsal, *names: str) -> None:
    """Write papers as their authors have them, by default all of them, and what follows: papers
    that quote them by their digest, and the script."""
    _render(r, [*(names or papers()), *(q for n in names for q in quoting(n))])
    access.sign_list(r)
    scripts.write(r)
    launch_tools.follow(r)
    if not names:
        r.remember(_WRITTEN, _today().isoformat())


def renew(r: Rehearsal) -> None:
    """Write all papers again on another day, as those who work on them would."""
    try:
        written = r.recall(_WRITTEN)
    except RehearsalError:  # they are being written for the first time
        return
    if written != _today().isoformat():
        write(r)


def _today() -> date:
    return datetime.now(UTC).date()


def _render(r: Rehearsal, names: list[str]) -> None:
    values = facts(r)
    # Those that quote others come after them, and what goes with a paper comes first.
    for name in [*_beside(), *sorted(names, key=_quotes)]:
        source, person = _source(name)
        text = _templates().get_template(source).render(values, person=person)
        path = people.papers(r) / name
        if not path.exists() or path.read_text() != text:
            write_atomically(path, text, 0o644)


def quoting(name: str) -> list[str]:
    """The papers that quote another: by its digest, or its text."""
    return [o for o in papers() if o != name and _quotes(o) and f'"{name}"' in _text(o)]


def _source(name: str) -> tuple[str, people.Person | None]:
    """The file that a paper is made of, and whose paper it is where everybody has one."""
    kind, _, who = name.removesuffix(".md").rpartition("-")
    each = f"{kind}-EACH.md.j2"
    if not (_HERE / each).exists():
        return f"{name}.j2", None
    return each, next(p for p in people.PEOPLE if p.id == who)


def _text(name: str) -> str:
    return (_HERE / _source(name)[0]).read_text()


def _quotes(name: str) -> bool:
    return "sha256(" in _text(name) or "body_of(" in _text(name)


def _beside() -> list[str]:
    return sorted(p.relative_to(_HERE).as_posix().removesuffix(".j2") for p in _HERE.glob("*/*.j2"))


def papers() -> list[str]:
    """File names of all papers."""
    found = []
    for name in (p.name.removesuffix(".j2") for p in _HERE.glob("*.md.j2")):
        if "EACH" in name:
            found += [name.replace("EACH", people.holder(role).id) for role in people.ROLES]
        else:
            found.append(name)
    return sorted(found)


def facts(r: Rehearsal) -> dict[str, Any]:
    """What papers can name. Days are those of today, so that a paper changes once a day."""
    today = _today()
    first_up = saas_stubs.first_up(r.folder)
    said = saas_stubs.defaults(first_up, "")
    before_first_up = first_up.date() - timedelta(days=1)  # nothing had been looked at by then
    return {
        "r": r,
        "today": today,
        **access.facts(),
        "days": lambda count: today + timedelta(days=count),
        "launch": LAUNCH,
        "candidate": launch_tools.CANDIDATE,
        "previous": launch_tools.PREVIOUS,
        "commit": launch_tools.commit(r, launch_tools.CANDIDATE),
        "tools": [t.name for t in launch_tools.TOOLS],
        "holder": lambda role: people.holder(role).id,
        "backup": lambda role: next(p.id for p in people.PEOPLE if role in p.backs_up),
        "roles": people.ROLES,
        "people": people.PEOPLE,
        "migrations_sha256": launch_tools.digest(r, "migrations"),
        "metrics": METRICS,
        "stands_for": COVERED,
        "flags": sorted(said["flags"]),
        "audience": audience,
        "launch_day": _launch_day((PROJECT / "suites" / "procedure.toml").read_text()),
        "sha256": lambda name: sha256(people.papers(r) / name),
        "page": lambda path: address(r, path),
        "event": calendar.ident,
        "known_issues": _issues(said, "known-issue"),
        "findings": _issues(said, "security-finding"),
        "canary": saas_stubs.CANARY,
        "saas_pages": said["pages"],
        "channels": saas_stubs.CHANNELS,
        "booking": f"{saas_stubs.SITE}/book?utm_campaign=launch",
        "agents": [p.id for p in people.PEOPLE if "support" in p.roles],
        "company": COMPANY,
        "issuer": ISSUER,
        "product": f"BookedBarber {launch_tools.CANDIDATE}",
        "after_launch": lambda count: _LAUNCH_DAY + timedelta(days=count),
        "utc_offset": _UTC_OFFSET,
        "on_launch_day": lambda at, day=0: (
            f"{_LAUNCH_DAY + timedelta(days=day)}T{at}:00{_UTC_OFFSET}"
        ),
        "this_morning": f"{today}T00:00:00Z",
        "tomorrow_morning": f"{today + timedelta(days=1)}T09:00:00Z",
        "counted_at": f"{before_first_up}T00:00:00Z",
        "presented_at": f"{before_first_up}T01:00:00Z",
        "counts": dict.fromkeys(("PASS", "FAIL", "UNKNOWN", "PENDING"), 0),
        "components": COMPONENTS,
        "baseline": _baseline(r),
        "figures": FIGURES,
        "customer_figures": [f for f in FIGURES if f["metric"] in CUSTOMER_METRICS],
        "uptime": next(f for f in FIGURES if f["metric"] == UPTIME),
        "measured": {f["metric"]: f for f in FIGURES},
        "stakeholders": [people.holder(role).id for role in STAKEHOLDER_ROLES],
        "package": packages.write(r),
        "press_address": PRESS_ADDRESS,
        "mailed": mailed(r, str(today)),
        # The cutover was a day before the evening's papers, so that the day after it has passed.
        "launch_night": lambda at: f"{today - timedelta(days=2)}T{at}:00Z",
        "last_night": lambda at: f"{today - timedelta(days=1)}T{at}:00Z",
        "market": {"visits": 1200, "reviews": 0},
        "digest_of_file": lambda name: sha256(people.papers(r) / name),
        "digest_of_text": lambda text: hashlib.sha256(text.encode()).hexdigest(),
        "body_of": lambda name: (people.papers(r) / name).read_text().split("---\n", 2)[2].strip(),
    }


def audience(name: str) -> list[str]:
    """Who is briefed as the team is: technical people, business, support, management."""
    return [p.id for p in people.PEOPLE if {*p.roles, *p.backs_up} & AUDIENCES[name]]


@lru_cache(maxsize=1)
def _launch_day(procedure: str) -> tuple[tuple[str, str], ...]:
    """Ids and titles of the procedure's launch day."""
    return tuple(
        (item["id"], item["title"])
        for block in tomllib.loads(procedure)["block"]
        if block["phase"] == "launch_day" and block["due"] == 0
        for task in block["task"]
        for item in task["items"]
    )


def _issues(said: dict[str, Any], label: str) -> list[dict[str, Any]]:
    """The issues that the tracker has open under a label without any fault, as whoever owns them
    says."""
    found = []
    for number, one in sorted(said["tracker"]["issues"].items()):
        if label in one["labels"] and not one["closed"]:
            text = dict(line.split(": ", 1) for line in one["body"].splitlines() if ": " in line)
            severity = next(x for x in one["labels"] if x.startswith("severity: "))
            found.append(
                {
                    "number": int(number),
                    "severity": severity.removeprefix("severity: "),
                    "impact": text["Impact"],
                    "workaround": text["Workaround"],
                    "owner": one["assignees"][0],
                    "due": text["Due"],
                    "retest": text.get("Retest", ""),
                }
            )
    return found


def _baseline(r: Rehearsal) -> dict[str, Any]:
    """Bookings and revenue of a past week, counted once in the database; zero before it runs."""
    first = saas_stubs.first_up(r.folder).date() - timedelta(days=21)
    week = first - timedelta(days=first.weekday())
    counted = {"week": str(week), "bookings": 0, "revenue_cents": 0}
    with suppress(RehearsalError):
        if r.recall("baseline")["week"] == counted["week"]:
            return dict(r.recall("baseline"))
    import psycopg  # not for those who only want a paper's name

    with suppress(psycopg.OperationalError, RehearsalError):
        [(bookings, cents)] = r.primary.sql(_BASELINE, {"starts": f"{week}T00:00:00Z"})
        counted |= {"bookings": bookings, "revenue_cents": int(cents)}
        if bookings:
            r.remember("baseline", counted)
    return counted


def mailed(r: Rehearsal, today: str) -> str:
    """The id of today's mail to the stakeholders; sent once, empty before mail can be sent."""
    with suppress(RehearsalError):
        if r.recall(UPDATE)["day"] == today:
            return str(r.recall(UPDATE)["id"])
    to = [{"to": [{"email": people.email(people.holder(role))}]} for role in STAKEHOLDER_ROLES]
    mail = {
        "personalizations": to,
        "from": {"email": f"launch@mail.{saas_stubs.MAIL}"},
        "subject": f"{launch_tools.CANDIDATE}: update to stakeholders",
        "content": [{"type": "text/plain", "value": "Status, figures and open risks."}],
    }
    ident = ""
    with suppress(OSError, RehearsalError):
        request = urllib.request.Request(
            f"http://127.0.0.1:{r.port('messages')}/v3/mail/send",
            json.dumps(mail).encode(),
            {"Authorization": f"Bearer {r.secret('mail-key')}"},
        )
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(request, timeout=5) as answer:
            ident = str(answer.headers["X-Message-Id"])
        r.remember(UPDATE, {"day": today, "id": ident})
    return ident


def mail_again(r: Rehearsal) -> None:
    """Send the update to the stakeholders again, and write it down."""
    r.forget(UPDATE)
    write(r, "message-stakeholders.md")


def change(r: Rehearsal, name: str, how: Change, *, reported: bool = True) -> None:
    """Change a paper's data as its author would: whoever signed it signs it again.

    :param told: whether papers that quote it are written again as well.
    """
    alter(r, name, how)
    if reported:
        _render(r, quoting(name))
    access.sign_list(r)
    scripts.write(r)
    launch_tools.follow(r)


def alter(r: Rehearsal, name: str, how: Change) -> None:
    """Change a paper's data behind the backs of those who signed it."""
    path = people.papers(r) / name
    _, front, body = path.read_text().split("---\n", 2)
    data = yaml.load(front, Loader=yaml.CSafeLoader)
    how(data)
    text = yaml.dump(data, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True)
    write_atomically(path, f"---\n{text}---\n{body}", 0o644)


def reword(r: Rehearsal, name: str, old: str, new: str) -> None:
    """Change a paper's text as its author would: whoever signed it signs it again."""
    path = people.papers(r) / name
    front, body = path.read_text().rsplit("---\n", 1)
    if old not in body:
        raise RehearsalError(f"{name} does not say {old!r}.")
    write_atomically(path, f"{front}---\n{body.replace(old, new)}", 0o644)
    scripts.write(r)
    launch_tools.follow(r)


@cache
def _templates() -> jinja2.Environment:
    # Compiled templates are kept where Python keeps compiled modules, if it does.
    compiled = _HERE.parent / "__pycache__"
    is_kept = os.access(compiled, os.W_OK)
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        bytecode_cache=jinja2.FileSystemBytecodeCache(str(compiled)) if is_kept else None,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  Markdown, not pages
    )


def endpoints(_: Rehearsal) -> Endpoints:
    """Whose papers about the law these are."""
    return {"compliance": {"entity": COMPANY, "issuers": [ISSUER]}}
