"""Who did what: the trail of AWS, and whether synthetic acts turn up in the central log."""

from __future__ import annotations

import base64
import re
import secrets
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from golive.environments import Environment
from golive.probes.data.postgres import called, connect, one
from golive.probes.platform.aws_clients import Credentials, asking, assumed, client, is_denied
from golive.probes.transport import commands
from golive.probes.transport.addresses import own_address
from golive.probes.transport.http import client as http_client
from golive.probes.transport.http import port_of, shown
from golive.probes.transport.rights import is_refusal, permitted
from golive.probing import pause, probe
from golive.verdicts import ProbeError, Unseen, seen, unseen_among

_POLL_S = 1.0
_GRACE = 1.25
"""Of the time to wait: a little beyond it, so that a late entry is told with its time."""
_CLOCKS = timedelta(minutes=5)
"""Machines' clocks may differ by this."""
_MOMENT = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d"  # ISO 8601, PostgreSQL
    r"|\d\d?/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d"  # haproxy, nginx
    r"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d"  # syslog
    r"|\b1[6-9]\d{8}(?:\d{3})?\b"  # seconds or milliseconds since 1970
)
_PROCESS = re.compile(r"\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class AuditTrail:
    """The declared trail of CloudTrail."""

    name: str
    is_logging: bool | Unseen
    is_everywhere: bool
    """Whether it has all regions."""
    is_validated: bool
    """Whether digests show later changes of its files."""
    delivered_h: float | Unseen
    """Since it last delivered to its bucket, as it says itself; infinite where it never did."""
    newest_h: float | Unseen
    """Since the newest of its files in the bucket; infinite where none is of these days."""
    delivery_error: str | Unseen

    @property
    def regions(self) -> str:
        """Which it has."""
        return "all" if self.is_everywhere else "one alone"

    @property
    def validation(self) -> str:
        """Whether it writes digests."""
        return "on" if self.is_validated else "off"


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the central log."""

    text: str
    at: datetime | None = None
    """By the log itself."""
    arrived_at: datetime | None = None
    """When it was in the log, by the log itself."""


@dataclass(frozen=True, slots=True)
class Act:
    """Something synthetic that has to be written down."""

    name: str
    key: str
    """What its entries are found by."""
    actor: str
    source: str
    done_at: datetime
    found_after_s: float = inf
    lacks: tuple[str, ...] = ()
    """Of actor, time and source, what its entries do not tell."""


@dataclass(frozen=True, slots=True)
class AuditLog:
    """What came of synthetic acts, and of the writers' tries to delete what they wrote."""

    acts: tuple[Act, ...]
    not_done: tuple[Unseen, ...]
    """Why an act could not be tried."""
    search: Unseen | None
    """Why the central log could not be searched."""
    admitted: str
    """What the administrative request met that should have been refused; empty: it was."""
    deletable: tuple[str, ...] | Unseen
    """What of the log its writers could delete or cut short."""
    tried: int
    """How many ways to do that were tried."""

    @property
    def found_after_s(self) -> dict[str, float] | Unseen:
        """Until each act was in the log; infinite where it never was."""
        if self.search is not None:
            return self.search
        found = {a.name: a.found_after_s for a in self.acts}
        late = any(s == inf for s in found.values())
        return self.not_done[0] if self.not_done and not late else found

    @property
    def incomplete(self) -> list[str] | Unseen:
        """Acts whose entries do not tell all, with what is lacking."""
        if self.search is not None:
            return self.search
        found = [f"{a.name} (no {', no '.join(a.lacks)})" for a in self.acts if a.lacks]
        return found if found or not self.not_done else self.not_done[0]


class _Deleted(msgspec.Struct):
    deleted: bool


# -- the trail ---------------------------------------------------------------------------------


@probe()
def audit_trail(env: Environment) -> AuditTrail:
    """The trail's settings and state, and the newest of its files in its bucket."""
    said = env.audit
    subject = f"the trail {said.trail}"
    step = "check audit.trail and audit.region, and permit cloudtrail:Get* to the reading key"
    with asking(env, subject, step, said.region, "cloudtrail") as cloudtrail:
        trail = cloudtrail.get_trail(Name=said.trail)["Trail"]
        right = "cloudtrail:GetTrailStatus"
        state: Any = permitted(right, subject, cloudtrail.get_trail_status, Name=trail["TrailARN"])
    now = datetime.now(UTC)
    delivered: datetime | Unseen | None = state
    error: str | Unseen = state
    logging: bool | Unseen = state
    if not isinstance(state, Unseen):
        delivered, logging = state.get("LatestDeliveryTime"), bool(state["IsLogging"])
        error = str(state.get("LatestDeliveryError") or "")
    newest = seen(_newest, env, trail)
    return AuditTrail(
        str(trail["Name"]),
        logging,
        bool(trail.get("IsMultiRegionTrail")),
        bool(trail.get("LogFileValidationEnabled")),
        _hours(delivered, now),
        _hours(newest, now),
        error,
    )


def _hours(at: datetime | Unseen | None, now: datetime) -> float | Unseen:
    if isinstance(at, Unseen):
        return at
    return inf if at is None else (now - at) / timedelta(hours=1)


def _newest(env: Environment, trail: Any) -> datetime | None:
    """When the newest file of the last three days was written. A trail's bucket may hold millions,
    so only the folders of these days are listed."""
    bucket, region = str(trail["S3BucketName"]), str(trail.get("HomeRegion") or env.audit.region)
    step = "permit s3:ListBucket on the trail's bucket to the reading key"
    top = f"{trail['S3KeyPrefix']}/" if trail.get("S3KeyPrefix") else ""
    found: list[datetime] = []
    with asking(env, f"the bucket {bucket}", step, region, "s3") as s3:

        def below(prefix: str) -> list[str]:
            pages = s3.get_paginator("list_objects_v2").paginate(
                Bucket=bucket, Prefix=prefix, Delimiter="/"
            )
            return [str(p["Prefix"]) for page in pages for p in page.get("CommonPrefixes", [])]

        # An organization's trail has a level of its own above the accounts.
        accounts = below(f"{top}AWSLogs/")
        accounts += [a for org in accounts if "/o-" in org for a in below(org)]
        today = datetime.now(UTC)
        days = [f"{today - timedelta(days=n):%Y/%m/%d}/" for n in range(3)]
        regions = [r for account in accounts for r in below(f"{account}CloudTrail/")]
        for day in days:
            for place in regions:
                for page in s3.get_paginator("list_objects_v2").paginate(
                    Bucket=bucket, Prefix=place + day
                ):
                    found += [o["LastModified"] for o in page.get("Contents", [])]
            if found:
                return max(found)
    return None


# -- synthetic acts ----------------------------------------------------------------------------


@probe(effect="write", limit="drill")
def audit_log(env: Environment) -> AuditLog:
    """A failed login, a table made and dropped, and a refused request, looked for in the central
    log; what its writers can delete of it."""
    mark = secrets.token_hex(6)
    acts: list[Act] = []
    not_done: list[Unseen] = []
    admitted: list[str] = []
    for act in (_failed_login, _table, lambda env, mark: _request(env, mark, admitted)):
        done = seen(act, env, mark)
        if isinstance(done, Unseen):
            not_done.append(done)
        else:
            acts.append(done)
    if not_done and not acts:
        raise not_done[0].error
    found = seen(_awaited, env, acts)
    tried = seen(_deletable, env, mark)
    return AuditLog(
        tuple(acts) if isinstance(found, Unseen) else found,
        tuple(not_done),
        found if isinstance(found, Unseen) else None,
        "".join(admitted),
        tried if isinstance(tried, Unseen) else tried[0],
        1 if isinstance(tried, Unseen) else tried[1],
    )


def _failed_login(env: Environment, mark: str) -> Act:
    import psycopg

    node, nobody = env.postgres.primary, f"golive_nobody_{mark}"
    source = _seen_from(env)
    at = datetime.now(UTC)
    try:
        with psycopg.connect(
            host=node.host,
            port=node.port,
            dbname=env.postgres.database,
            user=nobody,
            password=secrets.token_hex(8),
            sslmode=env.postgres.sslmode,
            sslrootcert=env.postgres.sslrootcert or None,
            connect_timeout=max(2, round(env.time_limits.connect)),
        ):
            step = "see pg_hba.conf: somebody that no role stands for was let in"
            raise ProbeError(called(node), f"{nobody} could log in", step)
    except psycopg.OperationalError as e:
        if nobody not in str(e) and "authentication" not in str(e):
            step = "check that the server runs and that this machine may reach it"
            raise ProbeError(called(node), e, step) from None
    return Act("failed login at the database", nobody, nobody, source, at)


def _table(env: Environment, mark: str) -> Act:
    schema = env.postgres.marker_table.rpartition(".")[0]
    name = f"golive_audit_{mark}"
    full = f'"{schema}"."{name}"' if schema else f'"{name}"'
    source = _seen_from(env)
    at = datetime.now(UTC)
    with connect(env, env.postgres.primary, read_only=False) as db:
        try:
            db.execute(f"create table {full} (id int)")
        finally:
            db.execute(f"drop table if exists {full}")
    return Act("table made and dropped", name, env.postgres.user, source, at)


def _seen_from(env: Environment) -> str:
    """The address that the database sees this machine at."""
    if env.audit.source:
        return env.audit.source
    with connect(env, env.postgres.primary) as db:
        row = one(db, "select host(inet_client_addr()) as host")
    return str(row.host or "[local]")


def _request(env: Environment, mark: str, admitted: list[str]) -> Act:
    """Ask an administrative interface that refuses this machine, as somebody by name."""
    where, who = env.audit.refused_url, f"golive-admin-{mark}"
    asked = f"golive-request-{mark}"
    name = base64.b64encode(f"{who}:-".encode()).decode()
    headers = {"User-Agent": who, "Authorization": f"Basic {name}"}
    at = datetime.now(UTC)
    source = env.audit.source or own_address(urlsplit(where).hostname or "", port_of(where))
    with http_client(env) as http:
        answer = http.get(f"{where}?{urlencode({'request': asked})}", headers)
    if answer.status_code not in {401, 403, 404, 407}:
        admitted.append(f"{shown(where)}: status {answer.status_code}")
    return Act("refused administrative request", asked, who, source, at)


# -- the central log ---------------------------------------------------------------------------


def _awaited(env: Environment, acts: Iterable[Act]) -> tuple[Act, ...]:
    """Acts with when they were found; searches until all are, or the time is up."""
    waiting = {a.key: a for a in acts}
    done: dict[str, Act] = {}
    since, wait_s = time.monotonic(), _GRACE * env.windows.audit_s
    search = _search(env)
    while waiting:
        for key, act in list(waiting.items()):
            entries = search(key, act.done_at - _CLOCKS)
            if entries:
                arrived = [e.arrived_at for e in entries if e.arrived_at is not None]
                at = min(arrived, default=datetime.now(UTC))
                after_s = max(0.0, (at - act.done_at).total_seconds())
                done[key] = replace(_complete(act, entries, search), found_after_s=after_s)
                del waiting[key]
        if not waiting or time.monotonic() - since > wait_s:
            break
        pause(_POLL_S)
    return tuple(done.get(a.key, a) for a in acts)


Search = Callable[[str, datetime], list[Entry]]


def _complete(act: Act, entries: list[Entry], search: Search) -> Act:
    """An act with what its entries do not tell. Where the source is not in them, as in PostgreSQL's
    log by default, it may be in another entry of the same process."""
    told = list(entries)
    if not any(act.source in e.text for e in told):
        for process in {p for e in entries for p in _PROCESS.findall(e.text)}:
            told += search(f"[{process}]", act.done_at - _CLOCKS)
    lacks = [
        what
        for what, is_told in (
            ("actor", any(act.actor in e.text for e in told)),
            ("time", any(e.at is not None or _MOMENT.search(e.text) for e in entries)),
            ("source", any(act.source in e.text for e in told)),
        )
        if not is_told
    ]
    return replace(act, lacks=tuple(lacks))


def _search(env: Environment) -> Search:
    said = env.audit
    if said.search_command:
        key = "audit.search_command"

        def asked(text: str, since: datetime) -> list[Entry]:
            values = {"text": text, "since": since.isoformat()}
            within_s = env.time_limits.probe
            texts = commands.run(
                said.search_command, values, key=key, within_s=within_s, answer=list[str]
            )
            return [Entry(one) for one in texts if text in one]

        return asked
    if not said.log_group:
        step = "declare audit.log_group, or audit.search_command"
        raise ProbeError("the central log", "none is declared", step)

    def filtered(text: str, since: datetime) -> list[Entry]:
        subject = f"the log group {said.log_group}"
        step = "check audit.log_group, and permit logs:FilterLogEvents to the reading key"
        with asking(env, subject, step, said.region, "logs") as logs:
            pages = logs.get_paginator("filter_log_events").paginate(
                logGroupName=said.log_group,
                startTime=int(since.timestamp() * 1000),
                filterPattern=f'"{text}"',
            )
            return [
                Entry(e["message"], _moment(e, "timestamp"), _moment(e, "ingestionTime"))
                for page in pages
                for e in page["events"]
                if text in e["message"]
            ]

    return filtered


def _moment(event: Any, name: str) -> datetime | None:
    return datetime.fromtimestamp(event[name] / 1000, UTC) if name in event else None


# -- what its writers may do to it -------------------------------------------------------------


def _deletable(env: Environment, mark: str) -> tuple[tuple[str, ...] | Unseen, int]:
    said = env.audit
    looks: list[tuple[str, bool | Unseen]] = []
    if said.search_command:
        if not said.delete_command:
            step = "declare the command that tries to delete as the writers"
            raise ProbeError("audit.delete_command", "none is declared", step)
        answer = commands.run(
            said.delete_command,
            {},
            key="audit.delete_command",
            within_s=env.time_limits.probe,
            answer=_Deleted,
        )
        looks.append(("the central log", answer.deleted))
    writer = assumed(env, said.writer_role, said.region)
    if not said.search_command:
        looks += _of_group(env, writer, f"golive-{mark}")
    looks.append(("files of the trail", seen(_of_trail, env, writer, mark)))
    found = tuple(what for what, deleted in looks if deleted is True)
    unseen = unseen_among(deleted for _, deleted in looks)
    return (found if found or unseen is None else unseen), len(looks)


def _of_group(
    env: Environment, writer: Credentials, stream: str
) -> list[tuple[str, bool | Unseen]]:
    """Tries to delete a synthetic stream of the log group, and to set its retention to what it is:
    neither loses anything where it succeeds."""
    group, region = env.audit.log_group, env.audit.region
    step = "permit logs:CreateLogStream, DeleteLogStream and DescribeLogGroups to the reading key"
    with asking(env, f"the log group {group}", step, region, "logs") as logs:
        theirs = client(env, "logs", region, writer)
        where = {"logGroupName": group, "logStreamName": stream}
        logs.create_log_stream(**where)
        try:
            deleted = not is_denied(theirs.delete_log_stream, **where)
        finally:
            with suppress(logs.exceptions.ResourceNotFoundException):
                logs.delete_log_stream(**where)
        looks: list[tuple[str, bool | Unseen]] = [("streams of the log group", deleted)]
        pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=group)
        known: Any = next(
            (g for page in pages for g in page["logGroups"] if g["logGroupName"] == group), {}
        )
        days = known.get("retentionInDays")
        if days:
            cut = not is_denied(
                theirs.put_retention_policy, logGroupName=group, retentionInDays=days
            )
            looks.append(("the retention of the log group", cut))
    return looks


def _of_trail(env: Environment, writer: Credentials, mark: str) -> bool:
    """Whether the writers may delete below the trail's folder: tried with what is not there, which
    S3 answers the same way as it does the rest."""
    from botocore.exceptions import ClientError

    said = env.audit
    step = "permit cloudtrail:GetTrail to the reading key"
    with asking(env, f"the trail {said.trail}", step, said.region, "cloudtrail") as cloudtrail:
        trail = cloudtrail.get_trail(Name=said.trail)["Trail"]
        top = f"{trail['S3KeyPrefix']}/" if trail.get("S3KeyPrefix") else ""
        s3 = client(env, "s3", said.region, writer)
        try:
            s3.delete_object(Bucket=trail["S3BucketName"], Key=f"{top}AWSLogs/golive-{mark}")
        except ClientError as e:
            if not is_refusal(e):
                raise
            return False
    return True
