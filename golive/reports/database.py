"""What the deliverables about the database say, from what the ledger has of their probes.

Each function takes the facts as the ledger holds them, by probe. What no probe found is said to
be not measured: a document never leaves a figure out in silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from golive.launch import Limits
from golive.reports import pages
from golive.reports.documents import NOT_MEASURED, Content, Figure, Table, VerdictRow
from golive.verdicts import Verdict

MIGRATION_DURATION = "migration duration"
DIGEST = "digest of the migrations"
MOST_CALLED = "p95 of the most called statements"
CLUSTER = "database system identifier"
_IDENTIFIERS = ("system_identifier", "live_system_identifier")

_GREEN = (Verdict.PASS, Verdict.WAIVED, Verdict.NOT_APPLICABLE)


def performance(
    facts: Mapping[str, Any], before: Mapping[str, Any] | None, limits: Limits
) -> Content:
    """Query times, index findings, pools and statistics; query times ``before`` beside them.

    :param before: the facts of the first run on record, with its id as ``run``.
    """
    after, earlier = _Looked(facts), _Looked(before or {})
    p95_ms = after.number("query_times", "p95_ms")
    calls = after.get("query_times", "calls_of") or {}
    named = list(calls)[: int(limits.statements.most_called)]
    indexes = after.get("indexes", "indexes") or []
    keys = after.get("indexes", "foreign_keys") or []
    bursts = after.get("pool_bursts") or []
    pooled = [after.get("pooling", k) for k in ("pooled_connections", "max_connections")]
    ages_h = _statistics_ages_h(after)
    reported = [ms for n in named if isinstance(ms := _p95(after, n), float)]
    return Content(
        subject=_clusters(facts),
        subject_kind=CLUSTER,
        summary=(
            f"p95 over all queries is {pages.number(p95_ms)} ms, of the slowest of"
            f" {len(reported)} statements {pages.number(max(reported, default=None))} ms;"
            f" {limits.statements.p95_ms:g} ms is the limit."
            if p95_ms is not None
            else "Query times were not measured."
        ),
        figures=[
            _figure("p95 over all queries", p95_ms, "ms", limits.statements.p95_ms),
            _figure("measured before in the run", (before or {}).get("run")),
            _figure("p95 over all queries, before", earlier.number("query_times", "p95_ms"), "ms"),
            _figure("calls in the window", after.number("query_times", "calls")),
            _figure("window", after.number("query_times", "window_s"), "s"),
            _figure("user indexes", _count(indexes, after, "indexes")),
            _figure(
                "connections that the pools may take, of max_connections",
                "{} of {}".format(*pooled) if None not in pooled else None,
            ),
            _figure(
                "longest wait in a burst",
                max((b["longest_wait_s"] for b in bursts), default=None),
                "s",
                limits.pooling.wait_s,
            ),
            _figure(
                "oldest statistics",
                max(ages_h.values(), default=None),
                "h",
                limits.tables.statistics_age_h,
            ),
        ],
        tables=[
            Table(
                title=MOST_CALLED,
                columns=["statement", "calls", "p95 ms", "p95 ms before"],
                rows=[[n, _cell(calls[n]), _p95(after, n), _p95(earlier, n)] for n in named],
                plot="p95 ms",
                limit=limits.statements.p95_ms,
            ),
            Table(
                title="Bursts of clients",
                columns=[
                    "pooler",
                    "clients",
                    "served",
                    "longest wait s",
                    "server connections",
                    "pool size",
                ],
                rows=[
                    [
                        b["pooler"],
                        *map(
                            _cell,
                            (
                                b["clients"],
                                b["served"],
                                b["longest_wait_s"],
                                b["most_server_connections"],
                                b["pool_size"] + b["reserve"],
                            ),
                        ),
                    ]
                    for b in bursts
                ],
            ),
            Table(
                title="Index findings",
                columns=["index or key", "finding"],
                rows=[[name, said] for name, said in _index_findings(after, indexes, keys)],
            ),
            Table(
                title="Age of statistics",
                columns=["table", "hours since the last analysis"],
                rows=[[name, _cell(age_h)] for name, age_h in sorted(ages_h.items())],
                plot="hours since the last analysis",
                limit=limits.tables.statistics_age_h,
            ),
        ],
    )


def backups(facts: Mapping[str, Any], limits: Limits) -> Content:
    """The restored backup, times and points of recovery, both regions, and the alerts."""
    found = _Looked(facts)
    backup = found.get("restore_drill", "backup") or {}
    copy = found.get("restore_drill", "copy") or {}
    restore_min = _minutes(copy.get("restore_s"))
    point_min = _minutes(found.get("wal_archive", "newest_age_s"))
    drills = found.get("backup_alert_drill", "drills") or []
    objects = [*(found.get("cross_region_copy", "full") or [])]
    objects += found.get("cross_region_copy", "wal") or []
    lag_s = max((o["lag_s"] for o in objects), default=None)
    delivery = "minutes from failure to delivery"
    return Content(
        subject=_clusters(facts),
        subject_kind=CLUSTER,
        summary=(
            f"The backup {backup.get('id')} restores in {pages.number(restore_min)} minutes;"
            f" {pages.number(point_min)} minutes of work would be lost."
            if restore_min is not None and point_min is not None
            else "No restore of a backup was measured."
        ),
        figures=[
            _figure("restore", restore_min, "min", limits.backups.restore_minutes),
            _figure("recovery point", point_min, "min", limits.backups.wal_age_minutes),
            _figure("restored backup", backup.get("id")),
            _figure("its database system", backup.get("system_identifier")),
            _figure("live database system", found.get("restore_drill", "live_system_identifier")),
            _figure(
                "age of the backup",
                found.number("restore_drill", "age_h"),
                "h",
                limits.backups.age_h,
            ),
            _figure(
                "recovery to a moment",
                _minutes(found.get("point_in_time_drill", "restore_s")),
                "min",
                limits.backups.restore_minutes,
            ),
            _figure("recovery reaches back", found.number("wal_archive", "reach_h"), "h"),
            _figure("region", found.get("cross_region_copy", "source_region")),
            _figure("region of the copy", found.get("cross_region_copy", "copy_region")),
            _figure("lag of the copy", _minutes(lag_s), "min", limits.s3.copy_lag_minutes),
        ],
        tables=[
            Table(
                title="Alerts",
                columns=["failure", "alert", delivery, "minutes from repair to resolution"],
                rows=[
                    [
                        d["mode"],
                        d["rule"],
                        _cell(_minutes(_between(d, "induced_at", "delivered_at"))),
                        _cell(_minutes(_between(d, "repaired_at", "resolved_at"))),
                    ]
                    for d in drills
                ],
                plot=delivery,
                limit=limits.backups.alert_minutes,
            ),
            Table(
                title="Restored tables",
                columns=["table", "rows"],
                rows=[[n, _cell(s["rows"])] for n, s in (copy.get("sums") or {}).items()],
            ),
        ],
    )


def migration(facts: Mapping[str, Any], verdicts: Iterable[VerdictRow], limits: Limits) -> Content:
    """Whether the migration is ready: its duration against the window, its copy, its digest."""
    found = _Looked(facts)
    drill = found.get("migration_drill", "migration") or {}
    rollback = found.get("rollback_drill") or {}
    taken_min = _minutes(drill.get("duration_s"))
    most_min = limits.migrations.minutes * (1 - limits.migrations.margin_percent / 100)
    red = [f"{v.id} is {v.verdict}" for v in verdicts if v.verdict not in _GREEN]
    if taken_min is None:
        red.append("no migration was measured")
    elif taken_min > most_min:
        red.append(f"the migration takes {taken_min:g} minutes")
    share = drill.get("rows_percent") or {}
    locks = (drill.get("locks") or {}).get("held_s") or {}
    checks = found.get("integrity", "declared") or []
    percent = "% of production's rows"
    return Content(
        subject=_clusters(facts),
        subject_kind=CLUSTER,
        summary=(
            f"Not confirmed: {', '.join(red)}."
            if red
            else f"Ready to migrate to {drill['tag']}: it takes {pages.number(taken_min)} of the"
            f" {limits.migrations.minutes:g} minutes that the deployment has."
        ),
        figures=[
            _figure(MIGRATION_DURATION, taken_min, "min", most_min),
            _figure("deployment window", float(limits.migrations.minutes), "min"),
            _figure(DIGEST, drill.get("digest")),
            _figure("migrations applied", _count(drill.get("revisions"), found, "migration_drill")),
            _figure(
                "least share of production's rows in the copy",
                _rounded(min(share.values(), default=None)),
                "%",
                limits.migrations.copied_rows_percent,
            ),
            _figure(
                "longest lock that held others up",
                _rounded(max(locks.values(), default=0.0)) if drill else None,
                "s",
                limits.migrations.exclusive_lock_s,
            ),
            _figure("rollback duration", _minutes(rollback.get("duration_s")), "min"),
            _figure(
                "bookings made before the rollback",
                rollback.get("bookings"),
                "",
                limits.migrations.rollback_bookings,
            ),
        ],
        tables=[
            Table(
                title="Rows of the migrated copy",
                columns=["table", percent],
                rows=[[name, _cell(value)] for name, value in share.items()],
            ),
            Table(
                title="Integrity checks",
                columns=["rule", "table", "rows that break it"],
                rows=[[c["rule"], c["table"], _cell(c["rows"])] for c in checks],
            ),
        ],
    )


def _clusters(facts: Mapping[str, Any]) -> str:
    """The database clusters that the facts are about; one, unless runs were mixed up."""
    return ", ".join(sorted(set(_values_of(facts, _IDENTIFIERS))))


def _values_of(facts: Any, keys: tuple[str, ...]) -> Iterator[str]:
    """Every value under one of these keys, however deep, in facts of a known shape."""
    if isinstance(facts, Mapping):
        for key, value in facts.items():
            if key in keys and value:
                yield str(value)
            yield from _values_of(value, keys)
    elif isinstance(facts, list):
        for value in facts:
            yield from _values_of(value, keys)


class _Looked:
    """Facts by probe, of which any may be missing."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self._facts = facts

    def __contains__(self, probe: str) -> bool:
        return self._facts.get(probe) is not None

    def get(self, probe: str, key: str = "") -> Any:
        value = self._facts.get(probe)
        return value.get(key) if key and isinstance(value, Mapping) else value

    def number(self, probe: str, key: str) -> float | None:
        return _rounded(self.get(probe, key))


def _figure(name: str, value: object, unit: str = "", limit: float | None = None) -> Figure:
    shown = _cell(value)
    return Figure(
        name=name,
        value=shown,
        unit=unit if shown != NOT_MEASURED else "",
        limit=limit,
    )


def _cell(value: object) -> float | str:
    if value is None:
        return NOT_MEASURED
    return number if (number := _rounded(value)) is not None else str(value)


def _rounded(value: object) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return round(float(value), 4) if is_number else None  # type: ignore[arg-type]


def _minutes(seconds: object) -> float | None:
    number = _rounded(seconds)
    return None if number is None else round(number / 60, 4)


def _between(drill: Mapping[str, Any], start: str, end: str) -> float | None:
    if drill.get(start) is None or drill.get(end) is None:
        return None
    return (_moment(drill[end]) - _moment(drill[start])).total_seconds()


def _moment(value: str) -> datetime:
    return datetime.fromisoformat(value)


def _p95(found: _Looked, statement: str) -> float | str:
    """A statement's p95 in milliseconds; JSON has no infinity, so beyond all bounds is null."""
    known = found.get("query_times", "p95_ms_of") or {}
    if statement in known and known[statement] is None:
        return f"over {pages.number(found.get('query_times', 'longest_ms'))}"
    return _cell(known.get(statement))


def _count(members: Any, found: _Looked, probe: str) -> int | None:
    return len(members or ()) if probe in found else None


def _statistics_ages_h(found: _Looked) -> dict[str, float]:
    looked_at = found.get("statistics", "looked_at")
    return {
        t["name"]: (_moment(looked_at) - _moment(t["analyzed_at"])).total_seconds() / 3600
        for t in found.get("statistics", "tables") or []
        if t["analyzed_at"]
    }


def _index_findings(
    found: _Looked, indexes: list[Any], keys: list[Any]
) -> Iterable[tuple[str, str]]:
    if "indexes" not in found:
        yield "all indexes", NOT_MEASURED
    for i in indexes:
        if not i["valid"]:
            yield i["name"], "invalid"
        if i["leftover"]:
            yield i["name"], "left over from a rebuild"
        if i["corruption"]:
            yield i["name"], i["corruption"]
        if i["bloat_percent"] is not None:
            yield i["name"], f"{i['bloat_percent']:.0f} % bloat"
    for twins in found.get("indexes", "duplicates") or []:
        yield " = ".join(sorted(twins)), "duplicates"
    for key in keys:
        if not key["indexed"]:
            yield f"{key['table']}: {key['name']}", "foreign key without index"
