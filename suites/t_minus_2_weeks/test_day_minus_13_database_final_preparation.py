"""Day -13: Database Final Preparation. Owner: Database Administrator."""

from __future__ import annotations

from typing import Literal

from golive.claims import (
    at_least,
    at_most,
    below,
    each_at_least,
    each_at_most,
    equal,
    holds,
    no_failure,
    none_of,
    same_set,
)
from golive.deliverables import Deliverables
from golive.environments import Environment
from golive.items import derived, item
from golive.launch import Limits
from golive.probes.backup.backups import PointInTimeDrill, RestoreDrill, WalArchive
from golive.probes.backup.s3 import CrossRegionCopy
from golive.probes.data.indexes import Indexes, Plan, hidden, scanning
from golive.probes.data.migrations import CandidateMigrations, MigrationDrill, Rollback
from golive.probes.data.pooling import Burst, Pooling
from golive.probes.data.rows import spoilt
from golive.probes.data.statements import QueryTimes, Statements, TableSizes
from golive.probes.data.tables import Integrity, Statistics
from golive.probes.observe.alerting import BackupAlertDrill
from golive.probes.observe.migration_monitoring import LockWaitAlert, MigrationWatch
from golive.probes.observe.scraping import Scraping
from golive.reports import database
from golive.reports.documents import NOT_MEASURED

WATCHED = (
    "step",
    "duration",
    "lock_waits",
    "longest_transaction",
    "replication_lag",
    "free_disk",
)
"""What a migration is watched by."""
STAGES: tuple[Literal["fired", "delivered", "resolved"], ...] = ("fired", "delivered", "resolved")
"""Of an alert."""
WITH_OTHERS = "with replication and reserved ones, of max_connections"
"""What connections of the pools are added to, and what limits them."""

# -- Database Performance Optimization (3 hours) -----------------------------------------------


@item("D-13.1.1")
def test_every_index_is_sound_needed_and_used(
    indexes: Indexes, costliest_plans: tuple[Plan, ...], limits: Limits
) -> None:
    """The catalogue's indexes and foreign keys, pgstattuple and amcheck over every B-tree, and
    EXPLAIN of the costliest statements in pg_stat_statements.

    Remedy: an invalid or left-over index: drop index concurrently, build it again. A duplicate:
    drop one. Bloat or damage: reindex index concurrently. A foreign key or a statement without
    its index: create index concurrently, analyze, then run again. Statements inside functions:
    set pg_stat_statements.track to all, so that they are looked at one by one.
    """
    found, b_trees, keys = indexes.indexes, indexes.btrees, indexes.foreign_keys
    assert none_of("indexes not finished", indexes.unfinished, among=found, of="user indexes")
    assert none_of("duplicate indexes", indexes.doubled, among=found, of="user indexes")
    percent = limits.indexes.bloat_percent
    wasteful = f"B-trees above 10 MB with over {percent:g} % bloat"
    assert none_of(wasteful, indexes.bloated(percent), among=b_trees, of="B-trees")
    assert none_of("damage by bt_index_check", indexes.damaged, among=b_trees, of="B-trees")
    # A small product has no large table, and a large one need not refer to another.
    bare, large = indexes.unindexed_keys, "keys of large tables"
    assert none_of("foreign keys without index", bare, among=keys, of=large, may_be_empty=True)
    plans, scans = costliest_plans, scanning(costliest_plans)
    assert none_of("scans of large tables", scans, among=plans, of="costliest statements")
    unseen, most = hidden(plans), limits.statements.hidden_percent
    share, which = sum(p.time_percent for p in unseen), "; ".join(map(str, unseen[:3]))
    assert at_most("time of statements that no plan shows", share, most, "%", see=which)


@item("D-13.1.2")
def test_queries_stay_below_50_ms_at_p95(
    query_times: QueryTimes,
    scraping: Scraping,
    statements: Statements,
    table_sizes: TableSizes,
    limits: Limits,
) -> None:
    """The application's query histogram in Prometheus over the window, all together and for the
    most called statements, and that it is of every declared instance; pg_stat_statements; row
    counts against production's.

    Remedy: take the slowest statement named above, EXPLAIN (ANALYZE, BUFFERS) it with real values
    on the primary, add its index or rewrite it, wait for the window to pass, then run again.
    """
    times, limit_ms = query_times, limits.statements.p95_ms
    scraped, most_s = scraping.instances, limits.scraping.sample_age_s
    gone, declared = scraped.unscraped(most_s), scraped.declared
    assert none_of("instances not scraped", gone, among=declared, of="declared instances")
    assert at_least("calls in the window", times.calls, limits.statements.calls)
    assert at_least("longest time the histogram can tell", times.longest_ms, limit_ms, "ms")
    most_called = times.most_called(int(limits.statements.most_called))
    assert at_least("statements with a name", times.named, limits.statements.most_called)
    assert each_at_most("p95 of the most called statements", most_called, limit_ms, "ms")
    assert below("p95 over all queries", times.p95_ms, limit_ms, "ms")
    share = table_sizes.percent_of_production
    assert each_at_least("rows of production's", share, limits.migrations.copied_rows_percent, "%")
    assert holds("pg_stat_statements", statements.loaded, statements.state, "loaded")
    reset, by_then = statements.counts_since, statements.reset_by(times.since)
    assert holds("last reset of pg_stat_statements", by_then, reset, times.before)
    means = statements.mean_ms(limits.statements.mean_calls)
    assert each_at_most("mean_exec_time", means, limit_ms, "ms")


@item("D-13.1.3")
def test_every_connection_is_pooled_and_a_burst_is_served(
    pooling: Pooling, pool_bursts: tuple[Burst, ...], limits: Limits
) -> None:
    """The poolers' consoles, the application role's backends on every server, and a burst of
    clients that each hold a server connection for a moment.

    Remedy: point a stray client at the pooler. Size the pools so that all of them together leave
    a tenth of max_connections free, and so that a burst waits less than a second; reload the
    pooler, then run again.
    """
    backends, modes = pooling.app_backends, pooling.of_other_mode
    assert none_of("not through a pooler", pooling.strays, among=backends, of="backends")
    assert none_of("pools of another mode", modes, among=pooling.pools, of="pools")
    wanted, most = pooling.wanted_percent, limits.pooling.connections_percent
    assert at_most(f"connections the pools may take, {WITH_OTHERS}", wanted, most, "%")
    for b in pool_bursts:
        assert none_of(f"errors of {b}", b.failures, among=b.served, of="clients served")
        assert equal(f"served of {b}", b.served, b.clients)
        assert below(f"longest wait of {b}", b.longest_wait_s, limits.pooling.wait_s, "s")
        assert at_most("server connections", b.most_server_connections, b.capacity)
    assert at_least("poolers with a burst", len(pool_bursts), 1)


@item("D-13.1.4")
def test_the_planner_knows_every_table(statistics: Statistics, limits: Limits) -> None:
    """pg_stat_user_tables, pg_stats and storage parameters of every table with rows; EXPLAIN
    ANALYZE of the declared hot queries.

    Remedy: analyze the table named above, then see why autovacuum did not: its storage
    parameters, its log. An estimate far off: analyze with a higher statistics target, or create
    statistics over the columns that depend on each other.
    """
    known, tables, blind = statistics, statistics.tables, statistics.without_columns
    assert none_of("core tables without rows", known.core_missing, among=tables, of="tables")
    most_h, most = limits.tables.statistics_age_h, limits.tables.statistics_changed_percent
    assert each_at_most("last analysed", known.age_h(most_h), most_h, "h ago")
    assert none_of("columns without statistics", blind, among=tables, of="tables")
    changed = known.changed_percent(limits.tables.statistics_changed_rows, most)
    assert each_at_most("rows changed since", changed, most, "%")
    assert holds("autovacuum", known.autovacuum, known.autovacuum, "on")
    assert none_of("tables with autovacuum off", known.not_vacuumed, among=tables, of="tables")
    factors, unplanned, among = known.estimate_factors, known.not_estimated, known.queries
    assert at_least("hot queries", among, limits.tables.hot_queries)
    assert none_of("hot queries not planned", unplanned, among=among, of="hot queries")
    assert each_at_most("row estimate off by a factor of", factors, limits.tables.estimate_factor)


# -- Backup and Recovery Validation (2 hours) --------------------------------------------------


@item("D-13.2.1")
def test_the_newest_full_backup_restores_to_the_very_rows(
    restore_drill: RestoreDrill, env: Environment, limits: Limits
) -> None:
    """The newest full backup, verified, restored to a log position at which a paused standby was
    summed up, compared table by table, checked page by page, and signed in to.

    Remedy: read what is named above. A damaged or foreign backup is no backup: take a new one at
    once, see that the job backs up this database, then run again.
    """
    drill, backup, copy = restore_drill, restore_drill.backup, restore_drill.copy
    live, at = drill.live_system_identifier, drill.target_lsn
    assert at_most("age of the newest full backup", drill.age_h, limits.backups.age_h, "h")
    assert equal("database system of the newest full backup", backup.system_identifier, live)
    files = f"files of the backup {backup.id} against its manifest"
    assert no_failure(files, drill.verify_failure, "verified")
    done = drill.restore_failure or "a running instance"
    assert holds(f"restore of {backup.id}", copy, done, "a running instance")
    assert copy is not None
    assert at_most("restore", copy.restore_s / 60, limits.backups.restore_minutes, "min")
    assert holds("end of the recovery", copy.recovered_to(at), copy.recovery_end, at)
    assert same_set("declared tables of the copy", copy.sums, env.postgres.core_tables)
    assert each_at_least("rows of the declared tables", copy.rows, 1)
    among, unlike = drill.standby_sums, drill.unlike
    assert none_of(f"tables unlike the standby's at {at}", unlike, among=among, of="tables")
    known, there = drill.known_row or "there is none", copy.known_row_present
    assert holds("row written before the backup", there, known, "in the copy")
    assert none_of("damage", copy.damage, among=copy.indexes_checked, of="B-trees, and all tables")
    signing_in = "sign-in to the application on the copy"
    assert holds(signing_in, copy.signed_in, copy.sign_in, "accepted")


@item("D-13.2.2")
def test_recovery_to_a_moment_has_what_came_before_and_nothing_after(
    wal_archive: WalArchive, point_in_time_drill: PointInTimeDrill, env: Environment, limits: Limits
) -> None:
    """The newest full backup, recovered to a moment between two marker rows; the WAL archive
    from the oldest full backup to now, with the header of each segment on the server's timeline.

    Remedy: a gap in the archive ends recovery there, so take a full backup at once. Then see
    pg_stat_archiver and the server's log for why segments are missing or late, and run again.
    """
    archive, drill = wal_archive, point_in_time_drill
    segments, age_min = archive.segments, archive.newest_age_s / 60
    assert none_of("missing WAL segments", archive.missing, among=segments, of="archived segments")
    unread = archive.not_read
    assert none_of("WAL segments not opened", unread, among=segments, of="archived segments")
    assert no_failure("archiving of WAL", archive.failure, "works")
    assert at_most("age of the newest segment", age_min, limits.backups.wal_age_minutes, "min")
    reach_h = env.windows.recovery_reach_s / 3600 or env.backups.retention_days * 24
    assert at_least("recovery reaches back", archive.reach_h, reach_h, "h")
    gap_s, recovery = env.windows.point_in_time_gap_s, f"recovery of {drill.backup_id}"
    assert at_least("time between the marker rows", drill.gap_s, gap_s, "s")
    assert no_failure(recovery, drill.restore_failure, "a running instance")
    assert at_most(recovery, drill.restore_s / 60, limits.backups.restore_minutes, "min")
    at, first, second = f"{drill.target:%H:%M:%S} UTC", drill.first_present, drill.second_present
    assert holds(f"row from before {at}", first, first, "in the copy")
    assert holds(f"row from after {at}", not second, second, "not in the copy")
    assert at_least("timeline of the copy", drill.copy_timeline, drill.source_timeline + 1)


@item("D-13.2.3")
def test_another_region_holds_the_same_backups(
    cross_region_copy: CrossRegionCopy, env: Environment, limits: Limits
) -> None:
    """Both buckets listed; every full backup needed and the newest WAL segments read from the
    second region and compared with what the first recorded.

    Remedy: fix replication (rule, role, key of the second region), replicate what is named
    above again, and compare. Never expire a source object whose copy is not proved.
    """
    copy, objects, ours = cross_region_copy, cross_region_copy.objects, env.backups.source.region
    late_min, kept_days = limits.s3.copy_lag_minutes, env.backups.retention_days
    assert equal("region of the source bucket", copy.source_region, ours)
    assert holds("region of the copy", copy.is_elsewhere, copy.copy_region, copy.other_region)
    assert at_least("enabled replication rules to the copy", copy.rules, 1)
    assert none_of("lost objects", copy.lost_keys, among=objects, of="copied objects")
    assert at_least("copied full backups", copy.full_count, limits.s3.full_backups)
    wanted = min(copy.wal_known, limits.s3.wal_segments)
    assert at_least("copied WAL segments", copy.wal_count, wanted)
    assert none_of("copies unlike their source", copy.unlike, among=objects, of="objects")
    assert none_of("unfinished replication", copy.unfinished, among=objects, of="objects")
    assert each_at_most("lag of the copy", copy.lag_minutes(late_min), late_min, "min")
    assert equal("versioning of the copy", copy.versioning, "Enabled")
    assert at_least("retention lock of the copy", copy.retention_days, kept_days, "d")
    unlocked, objects_of = copy.unlocked(kept_days), f"objects, for {kept_days:g} d each"
    assert none_of("copies that are not locked", unlocked, among=objects, of=objects_of)
    own, foreign = "copies without a key of their own region", copy.of_foreign_key
    assert none_of(own, foreign, among=objects, of="objects")
    assert equal("keys of the copy that cannot be used", copy.unusable_keys, ())


@item("D-13.2.4")
def test_every_backup_failure_reaches_the_person_on_call(
    backup_alert_drill: BackupAlertDrill, limits: Limits
) -> None:
    """Each declared failure induced and repaired; its rule in Prometheus, its route in
    Alertmanager and the on-call receiver's inbox followed to the end.

    Remedy: load the missing rule, fix its route, or restart the exporter it reads, as named
    above; a failure nobody hears of is found on the day the backup is needed.
    """
    alerts, drills, most = (
        backup_alert_drill,
        backup_alert_drill.drills,
        limits.backups.alert_minutes,
    )
    oncall = alerts.oncall_receiver
    assert at_least("declared failure modes", len(drills), limits.backups.failure_modes)
    bare = alerts.without_rule
    assert none_of("failure modes without a loaded rule", bare, among=drills, of="modes")
    assert none_of(f"rules not routed to {oncall}", alerts.misrouted, among=drills, of="rules")
    assert none_of("alerts that were on before", alerts.on_before, among=drills, of="rules")
    for stage in STAGES:
        never = alerts.never(stage)
        assert none_of(f"alerts that were not {stage}", never, among=drills, of="rules")
    assert each_at_most("from failure to delivery", alerts.delivery_minutes, most, "min")
    assert each_at_most("from repair to resolution", alerts.resolution_minutes, most, "min")


# -- Data Migration Validation (1 hour) --------------------------------------------------------


@item("D-13.3.1")
def test_the_migration_brings_a_full_copy_to_the_declared_schema(
    migration_drill: MigrationDrill, limits: Limits
) -> None:
    """The candidate's migrations, as its tag has them, run on a restored copy under traffic of
    the previous release, with locks sampled five times a second; then run again. The declared
    checks before and after.

    Remedy: fix the migration named above on a copy of your own, tag the candidate again, and run
    again. On the launch day there is no time for it.
    """
    m, most = migration_drill.migration, limits.migrations
    assert equal("migration heads", m.heads, (m.expected_after,))
    assert equal("migrations unlike the tag's", m.digest_differences, ())
    assert equal("migration that the copy began at", m.version_before, m.expected_before)
    assert no_failure("migration", m.failure, "exit status 0")
    copied = most.copied_rows_percent
    assert each_at_least("copied rows of production's", m.rows_percent, copied, "%")
    assert at_least("migrations applied", len(m.revisions), 1)
    assert at_most("migration", m.duration_s / 60, most.minutes, "min")
    assert equal("migration that the copy ended at", m.version_after, m.expected_after)
    schema, other = f"differences from the schema of {m.tag}", m.schema_differences
    assert none_of(schema, other, among=m.schema_parts, of="declared parts")
    assert equal("what a second run does", m.rerun_effects, ())
    assert none_of("tables with rows lost or changed", spoilt(m.rows), among=m.rows, of="tables")
    assert none_of("rules newly broken", m.newly_broken, among=m.rules, of="rules")
    assert at_least("samples of locks", m.locks.samples, 2)
    longest = {"none": 0.0} | m.locks.held_s
    assert each_at_most("locks that held others up", longest, most.exclusive_lock_s, "s")
    meanwhile = f"requests that {m.previous_tag} refused meanwhile"
    assert none_of(meanwhile, m.refused, among=m.requests, of="asked")


@item("D-13.3.2")
def test_the_data_breaks_no_rule(integrity: Integrity, limits: Limits) -> None:
    """The declared checks, every foreign key row by row, constraints not validated, and sequences
    behind their columns, in one snapshot of the standby. That a migration keeps rows and sums is
    judged with the migration itself.

    Remedy: look the rows named above up by their identifiers, fix them with the product's owner,
    and find what let them in: a constraint would have kept them out. A sequence: setval it.
    """
    data, checks, keys = integrity, integrity.checked, integrity.followed
    among, every = data.declared_count, limits.tables.integrity_checks
    assert at_least("declared checks", among, every)
    assert none_of("declared checks not seen", data.not_seen, among=among, of="declared checks")
    assert none_of("checks over nothing", data.over_nothing, among=checks, of="declared checks")
    assert none_of("rules broken", data.broken, among=checks, of="declared checks")
    assert none_of("foreign keys broken", data.broken_keys, among=keys, of="foreign keys")
    unproved, among = data.unproved, data.constraints
    assert none_of("constraints not validated", unproved, among=among, of="constraints")
    behind = data.behind
    assert none_of("sequences behind", behind, among=data.sequences, of="sequences")


@item("D-13.3.3")
def test_the_rollback_keeps_every_row_in_time(
    rollback_drill: Rollback, env: Environment, limits: Limits
) -> None:
    """The migrated copy, booked on through the candidate, taken back to the previous release;
    every row compared with what was noted of it, and the previous release tried on the result.

    Remedy: fix the downgrade named above, or declare what it loses and have the loss accepted,
    tag the candidate again, and run again. A rollback that is not proved must not be planned on.
    """
    r, kept = rollback_drill, sum(c.noted for c in rollback_drill.newer.values())
    assert at_least(
        "bookings made in the candidate", r.bookings, limits.migrations.rollback_bookings
    )
    assert no_failure("rollback", r.failure, "exit status 0")
    assert at_most("rollback", r.duration_s, env.windows.rollback_s, "s")
    assert equal("differences from the schema before the migration", r.schema_differences, ())
    for age, rows in (("from before the migration", r.older), ("written since", r.newer)):
        subject = f"tables with rows {age} lost or changed"
        assert none_of(subject, spoilt(rows), among=rows, of="all")
    assert at_least("rows written since", kept, limits.migrations.rollback_bookings)
    assert equal("losses that no list declares", r.undeclared_losses, ())
    assert equal(f"what {env.release.previous_tag} refuses afterwards", r.refused, ())


@item("D-13.3.4")
def test_a_migration_is_watched_and_a_lock_wait_raises_the_alarm(
    migration_watch: MigrationWatch,
    lock_wait_alert: LockWaitAlert,
    limits: Limits,
) -> None:
    """Prometheus's newest samples and loaded rules, Alertmanager's routes, the migration log; a
    session made to wait for a lock on a probe table until the alert fires and resolves.

    Remedy: start the exporter whose samples are missing, load or route the rule named above, or
    see that the migration command writes its log; then run again.
    """
    watch, watched = migration_watch, migration_watch.watched
    most, broken = limits.migration_monitoring, watch.broken_rules
    assert same_set("watched while migrating", watch.nouns, WATCHED)
    ages_s = watch.sample_age_s(most.sample_age_s)
    assert each_at_most("newest sample", ages_s, most.sample_age_s, "s old")
    unwatched = watch.unwatched(most.sample_age_s)
    assert none_of("database nodes not watched", unwatched, among=watched, of="metrics")
    assert none_of("rules not loaded", watch.unloaded, among=watched, of="rules")
    assert none_of("rules that cannot be evaluated", broken, among=watched, of="rules")
    assert none_of(watch.routing, watch.misrouted, among=watched, of="rules")
    assert at_least("steps of the last migration run in its log", watch.steps, 1)
    unlogged = watch.unlogged
    assert none_of("steps without start or end", unlogged, among=watch.steps, of="steps")
    assert holds("end of the last migration run", watch.ended, watch.outcome, "logged")
    alert, most_s = lock_wait_alert, most.lock_wait_alert_s
    assert holds(alert.rule, alert.loaded, alert.loaded, "loaded")
    assert equal(alert.of("before"), alert.before, "not firing")
    assert at_least("synthetic lock held", alert.held_s, most.synthetic_lock_s, "s")
    assert at_most(alert.of("fired after"), alert.fired_after_s, most_s, "s")
    assert at_most(alert.of("resolved after"), alert.resolved_after_s, most_s, "s")


# -- Deliverables ------------------------------------------------------------------------------


@derived("D-13.D.1")
def test_the_performance_report_is_whole_true_and_signed(
    deliverables: Deliverables, table_sizes: TableSizes, limits: Limits
) -> None:
    """The newest verdicts of D-13.1.1 to D-13.1.4, made into the report and compared with it
    figure by figure; the signature by ssh-keygen.

    Remedy: run what is missing, too old or red. A report that differs from the ledger, or was
    altered after signing: find out by whom, remove it with its signature, run this again, read
    the new one and sign it.
    """
    report = deliverables.of(
        "D-13.D.1",
        "database-performance-report",
        ("D-13.1",),
        lambda basis: database.performance(basis.facts, basis.baseline("query_times"), limits),
    )
    named = [t for t in report.document.tables if t.title == database.MOST_CALLED]
    reported = sum(len(t.rows) for t in named)
    assert at_least("statements whose p95 it tells", reported, limits.statements.most_called)
    for claim in report.claims(
        max_age_h=limits.documents.report_age_h, live=table_sizes.system_identifier
    ):
        assert claim


@derived("D-13.D.2")
def test_the_backup_report_is_whole_true_and_signed(
    deliverables: Deliverables, table_sizes: TableSizes, limits: Limits
) -> None:
    """The newest verdicts of D-13.2.1 to D-13.2.4 and D-14.3.4, made into the report and compared
    with it figure by figure; the signature by ssh-keygen.

    Remedy: run what is missing, too old or red. A report that differs from the ledger, or was
    altered after signing: find out by whom, remove it with its signature, run this again, read
    the new one and sign it.
    """
    report = deliverables.of(
        "D-13.D.2",
        "backup-validation-report",
        ("D-13.2", "D-14.3.4"),
        lambda basis: database.backups(basis.facts, limits),
    )
    for claim in report.claims(
        max_age_h=limits.documents.drill_age_h, live=table_sizes.system_identifier
    ):
        assert claim


@derived("D-13.D.3")
def test_the_migration_is_confirmed_ready_for_what_will_be_deployed(
    deliverables: Deliverables, candidate_migrations: CandidateMigrations, limits: Limits
) -> None:
    """The newest verdicts of D-13.3.1 to D-13.3.4 and D-13.2.1, made into the confirmation and
    compared with it; the digest of the migrations under the candidate's tag now; the signature.

    Remedy: run what is missing, too old or red. Migrations that changed since the drill: run
    D-13.3.1 and D-13.3.3 again with them. Then read the new confirmation and sign it.
    """
    confirmation = deliverables.of(
        "D-13.D.3",
        "migration-readiness-confirmation",
        ("D-13.3", "D-13.2.1"),
        lambda basis: database.migration(basis.facts, basis.rows(), limits),
    )
    live = candidate_migrations
    tried = confirmation.figure(database.DIGEST)
    assert equal(f"migrations that the drill ran for {live.tag}", tried, live.digest)
    window_min = limits.migrations.minutes * (1 - limits.migrations.margin_percent / 100)
    took_min = confirmation.figure(database.MIGRATION_DURATION)
    assert holds("duration of the migration", took_min != NOT_MEASURED, took_min, "told")
    if took_min != NOT_MEASURED:
        assert at_most(database.MIGRATION_DURATION, float(took_min), window_min, "min")
    for claim in confirmation.claims(
        max_age_h=limits.documents.drill_age_h, live=live.system_identifier
    ):
        assert claim
