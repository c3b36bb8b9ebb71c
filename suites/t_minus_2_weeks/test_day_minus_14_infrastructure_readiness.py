"""Day -14: Infrastructure Readiness Assessment (DevOps Lead)."""

from __future__ import annotations

from datetime import date

from golive import baselines, findings
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
from golive.context import Context
from golive.deliverables import Deliverables
from golive.environments import Environment
from golive.items import derived, item
from golive.launch import Launch, Limits
from golive.papers import Papers
from golive.papers.compliance import AccessList
from golive.probes.backup.encryption import BackupEncryption
from golive.probes.data.cluster import PostgresCluster
from golive.probes.data.failover import FailoverDrill
from golive.probes.data.redis import RedisCluster
from golive.probes.observe.baseline import PerformanceBaseline
from golive.probes.observe.container_use import ContainerUse
from golive.probes.observe.thresholds import AlertThresholds, Threshold
from golive.probes.platform.audit import AuditLog, AuditTrail
from golive.probes.platform.autoscaling import ScalingGroups
from golive.probes.platform.container_resources import ContainerResources
from golive.probes.platform.exposure import INTERFACES, LISTENERS, AdminInterfaces, OutsideScan
from golive.probes.platform.principals import AwsAccounts
from golive.probes.platform.scaling import ScalingRuns
from golive.probes.platform.secrets import KeptSecrets, SecretRotation
from golive.probes.platform.security_groups import SecurityGroups
from golive.probes.platform.workload_drill import WorkloadRuns
from golive.probes.platform.workload_scaling import WorkloadScaling
from golive.probes.saas.tracker import Issues
from golive.probes.traffic.api_caching import ApiCaching
from golive.probes.traffic.balancer import BalancedTraffic, BalancerConfig
from golive.probes.traffic.edge import Distribution, EdgeBehaviour
from golive.probes.traffic.plain_http import PlainTraffic
from golive.probes.traffic.tls import TlsEstate

AS_RUNNING = "a worker newer than the file, with its settings"
ASKED = "requests over plain HTTP"

# --- Infrastructure Health Check ------------------------------------------------------------------


@item("D-14.1.1")
def test_database_cluster_replicates_archives_and_has_room(
    postgres_cluster: PostgresCluster, env: Environment, limits: Limits
) -> None:
    """Every declared node is asked who it is; a WAL marker committed on the primary is waited for
    on each standby; slots, checksums, archiver and free disk are looked at.

    Remedy: start with the node named above. A standby that lags: its log and pg_stat_wal_receiver,
    then select pg_wal_replay_resume(). A slot nobody reads: drop it or bring its reader back. A
    failing archive: run archive_command by hand as the server's user.
    """
    db, nodes, standbys = postgres_cluster, len(postgres_cluster.nodes), env.postgres.standbys
    assert none_of("nodes that do not answer", db.no_response, among=nodes, of="declared nodes")
    assert same_set("primary", db.primaries, [env.postgres.primary.name])
    assert same_set("standbys", db.standbys, [n.name for n in standbys])
    assert at_least("standbys", len(db.standbys), limits.postgres.standbys)
    assert equal("database systems among the nodes", db.systems, 1)
    assert none_of("standbys that do not stream", db.not_streaming, among=standbys, of="standbys")
    fed, declared = db.feeds_as_many(len(standbys)), f"the {len(standbys)} declared"
    assert holds("standbys fed", fed, db.feeds, declared)
    assert each_at_most("marker replayed", db.replayed_after_s, limits.postgres.wal_replay_s, "s")
    assert none_of("slots inactive or lost", db.unusable_slots, among=nodes, of="nodes")
    assert none_of("nodes without checksums", db.without_checksums, among=nodes, of="nodes")
    assert each_at_most("checksum failures", db.checksum_failures, 0)
    archived = db.archiver is not None and db.archiver.healthy
    assert holds("WAL archive", archived, db.archiver, "a success newer than any failure")
    assert each_at_least("free disk", db.disk_free_percent, limits.postgres.disk_free_percent, "%")
    assert none_of("disks not seen", db.disks_not_seen, among=nodes, of="nodes")


@item("D-14.1.2")
def test_redis_cluster_replicates_and_is_guarded(
    redis_cluster: RedisCluster, env: Environment, limits: Limits
) -> None:
    """INFO of every server, SENTINEL MASTER and CKQUORUM of every sentinel, a key with a time to
    live set on the master and read on each replica, PING without a password, ACL LIST.

    Remedy: INFO replication on the server named above tells whether its link is up and since when;
    a changed setting goes back with CONFIG SET and into redis.conf; without a quorum, sentinels
    are down or do not know each other.
    """
    cache, policy = redis_cluster, env.redis.eviction_policy
    servers, replicas, sentinels = cache.servers, cache.replicas, cache.sentinels
    assert none_of("servers that do not answer", cache.no_response, among=servers, of="servers")
    assert holds("masters", cache.has_one_master, cache.masters_shown, cache.masters_wanted)
    assert at_least("replicas", cache.fewest_replicas, limits.redis.replicas)
    assert same_set("master and replicas", cache.found, [n.name for n in env.redis.nodes])
    assert none_of("replicas cut off", cache.cut_off, among=replicas, of="replicas")
    assert same_set("master by sentinels", cache.sentinels_masters, cache.masters)
    blind, unsure = cache.blind_sentinels, cache.without_quorum
    assert none_of("sentinels that miss one", blind, among=sentinels, of="sentinels")
    assert none_of("sentinels unsure", unsure, among=sentinels, of="sentinels")
    assert each_at_most("key copied", cache.copied_after_s, limits.redis.replication_s, "s")
    assert none_of("keys without expiry", cache.lasting_copies, among=replicas, of="replicas")
    assert none_of("servers without maxmemory", cache.unbounded, among=servers, of="servers")
    used, limit = cache.fullest.memory_used_percent, limits.redis.memory_percent
    assert below(f"memory used on {cache.fullest.name}, the fullest", used, limit, "%")
    subject, others = cache.of_other_policy(policy)
    assert none_of(subject, others, among=servers, of="servers")
    assert none_of("last saves that failed", cache.failed_saves, among=servers, of="servers")
    assert none_of("servers open to anyone", cache.open_to_anyone, among=servers, of="servers")


@item("D-14.1.3")
def test_load_balancer_spreads_requests_over_checked_instances(
    balancer_config: BalancerConfig,
    balanced_traffic: BalancedTraffic,
    plain_http: PlainTraffic,
    env: Environment,
    limits: Limits,
) -> None:
    """The balancer's own check of its file, the servers that its running worker has, and requests
    through the public name: who serves them, and whose address the application sees; plain HTTP
    at each of its addresses, over all declared paths, those of the API document and the assets.

    Remedy: correct the configuration file named above, let the balancer check it, reload; then
    look in its statistics for the server that is missing, down or idle.
    """
    config, traffic, most = balancer_config, balanced_traffic, limits.balancer
    running, plain, asked = config.running, plain_http.balancer, plain_http.classes
    assert no_failure(config.flaws, config.syntax_errors, "none")
    assert holds("configuration", config.is_loaded, config.ages, AS_RUNNING)
    assert same_set("running servers", config.running_names, config.declared)
    assert same_set("instances behind it", config.instances, traffic.declared)
    assert at_least("instances behind it", config.size, most.instances)
    assert equal("path of its health check", config.check_path, env.application.paths.health)
    assert equal("error statuses that pass for healthy", config.written.accepts, ())
    assert none_of("servers unchecked", config.unchecked, among=running, of="servers")
    assert each_at_most("check interval", config.check_intervals_s, most.health_interval_s, "s")
    assert none_of("servers not up", config.down, among=running, of="servers")
    assert same_set("instances that served", traffic.serving, traffic.declared)
    assert at_least("requests", traffic.requests, most.requests)
    assert each_at_least("requests served", traffic.served_by, traffic.fair(most.fair_share))
    assert none_of("paths not sent to HTTPS", plain.open, among=plain.requests, of=ASKED)
    assert holds("paths asked for", asked, asked, "every class that the product has")
    honest = traffic.client_address
    assert equal(traffic.when_forged, traffic.client_address_when_forged, honest)


@item("D-14.1.4")
def test_cdn_keeps_assets_and_never_what_belongs_to_a_user(
    cdn_distribution: Distribution,
    edge_behaviour: EdgeBehaviour,
    plain_http: PlainTraffic,
    api_caching: ApiCaching,
    env: Environment,
    limits: Limits,
) -> None:
    """The distribution's configuration; at every public host on every node plain HTTP over all
    classes of paths, the TLS versions, three requests for each static asset, private paths and
    the API document's GET routes asked for by each account and nobody in turn, each answer
    compared with what the origin has for whom.

    Remedy: disabled or without a name: correct the distribution. An asset that is never a hit:
    its Cache-Control at the origin. A private answer from the cache: end caching of that path at
    once, purge it, and treat it as a breach if customers could have met it.
    """
    cdn, edge = cdn_distribution, edge_behaviour
    answers, plain, api = edge.private_answers, plain_http.edge, api_caching
    behaviours, tls = cdn.viewer_protocols, limits.tls.version
    assert holds(cdn.named, cdn.enabled, cdn.state, "enabled")
    assert same_set("aliases", cdn.aliases, env.edge.hosts)
    assert none_of("behaviours open to HTTP", cdn.open_to_http, among=behaviours, of="behaviours")
    assert at_least(cdn.tls_policy, cdn.minimum_tls, tls)
    assert none_of("paths not sent to HTTPS", plain.open, among=plain.requests, of=ASKED)
    asked, percent = plain_http.classes, limits.edge.api_routes_percent
    assert holds("paths asked for", asked, asked, "every class that the product has")
    assert each_at_least("oldest TLS version", edge.oldest_tls, tls)
    assert each_at_least("assets sampled", edge.assets_sampled, limits.edge.static_assets)
    assert none_of("assets never a hit", edge.never_hit, among=edge.assets, of="assets")
    assert none_of("another user's answers", edge.leaked, among=answers, of="private answers")
    assert none_of("private answers from the cache", edge.kept, among=answers, of="private answers")
    of, told = "answers of the API", api.coverage(percent)
    assert holds("routes of the API document", api.answers, told, "looked at")
    assert none_of("API routes that leak", api.leaked, among=api.answers, of=of)
    assert none_of("API routes from the cache", api.kept, among=api.answers, of=of)


@item("D-14.1.5")
def test_certificates_are_trusted_alike_and_far_from_their_end(
    tls_estate: TlsEstate, limits: Limits
) -> None:
    """A handshake with every address behind every declared name, and with every other endpoint of
    the product's own that its pages name or its redirects lead to, for each kind of key; the chain
    that is sent, verified against the declared roots; certificate files against what is served.

    Remedy: renew what ends too soon; install leaf and intermediates in one file; reload every
    node after installing; declare in tls.endpoints what is served and not looked at.
    """
    tls, chains = tls_estate, len(tls_estate.served)
    keys, files = len(tls.days_left), f"chains, {len(tls.installed)} with a file"
    assert none_of("undeclared names", tls.undeclared, among=tls.expected, of="names on nodes")
    reached = tls.reached
    assert holds("endpoints looked at", reached, reached, "at least one, and all")
    assert each_at_least("days left", tls.days_left, limits.tls.days_left)
    assert none_of("names missing in certificates", tls.misnamed, among=chains, of="chains")
    assert none_of("chains incomplete or not trusted", tls.unverified, among=chains, of="chains")
    assert none_of("keys under RSA 2048 or P-256", tls.weak_keys, among=keys, of="keys")
    assert none_of("names with two certificates", tls.divided_names, among=chains, of="chains")
    assert none_of("certificate files not served", tls.stale_files, among=chains, of=files)


# --- Scaling Configuration Validation -------------------------------------------------------------


@item("D-14.2.1")
def test_each_scaling_group_grows_under_load_and_shrinks_again(
    scaling_groups: ScalingGroups, scaling_runs: ScalingRuns, env: Environment, limits: Limits
) -> None:
    """Groups, policies and activities as AWS tells them; each group under a load of locust above
    its target until a further instance serves, and then without it, by the answers' instance
    header and the balancer's own health checks.

    Remedy: put back the policy or bounds named above, resume what is suspended. Instances that do
    not become healthy: start one by hand and ask for its health check. Flapping: a longer
    cooldown, or a target further from what the load is.
    """
    groups, runs, most = scaling_groups, scaling_runs, limits.scaling
    among, out_s, in_s = groups.groups, env.windows.scale_out_s, env.windows.scale_in_s
    assert same_set("autoscaling groups", groups.found, groups.declared)
    assert each_at_least("minimum of instances", groups.minimum, most.minimum)
    assert none_of("groups without room to grow", groups.rigid, among=among, of="groups")
    assert none_of("groups below the capacity plan", groups.below_plan, among=among, of="groups")
    assert none_of("groups no policy makes grow", groups.never_growing, among=among, of="groups")
    assert none_of("groups no policy shrinks", groups.never_shrinking, among=among, of="groups")
    assert none_of("suspended processes", groups.suspended, among=among, of="groups")
    assert each_at_least("requests of the load", runs.requests, most.requests)
    assert each_at_most("instance added", runs.added_s, out_s, "s")
    sick, ran = runs.without_healthy_newcomer, runs.runs
    assert none_of("groups whose new servers are not up", sick, among=ran, of="groups")
    assert each_at_most("new instance serves", runs.serving_s, out_s, "s")
    for run in ran:
        assert below(run.failing, run.failed_percent, most.failed_percent, "%")
    assert each_at_most("back at the minimum", runs.back_s, in_s, "s")
    assert none_of("growing again while shrinking", runs.flapping, among=ran, of="groups")
    done, of = runs.activities, "activities"
    assert none_of("failed activities", runs.failures, among=done, of=of, may_be_empty=True)


@item("D-14.2.2")
def test_a_failover_loses_no_write_and_leaves_one_primary(
    failover_drill: FailoverDrill, env: Environment, limits: Limits
) -> None:
    """Under numbered writes through the pooler and reads of each application instance: the
    standby stopped and started, then promoted; writes tried on the old primary, which is made a
    standby; the acknowledged writes compared with the rows of both servers.

    Remedy: a write on the old primary: fence it before promoting. Writes lost: switch over in
    order, or replicate synchronously. Not restored, not reconnected: lead the pooler to the new
    primary, and see pool_pre_ping. Then have the failover command do so and run this again.
    """
    d, within_s, most = failover_drill, env.windows.failover_s, limits.failover
    old, writes, reads, apps = d.primary, d.acknowledged, d.without_standby, d.instances
    taken, since = d.taken_by_old, d.answers_since
    assert at_least("synthetic writes, acknowledged", d.writes_per_s, most.writes_per_s, "/s")
    assert none_of("reads refused without standby", reads.refused, among=reads.asked, of="reads")
    assert equal("reads that a standby answered meanwhile", reads.from_standbys, 0)
    assert no_failure(f"promotion of {d.standby}", d.promotion_failure, "exit status 0")
    assert at_least(f"timeline of {d.standby}", d.timeline_after, d.timeline_before + 1)
    assert at_most("writes restored", d.durations_s["writes restored"], within_s, "s")
    assert none_of("acknowledged writes lost", d.lost, among=writes, of="acknowledged writes")
    assert none_of(f"writes that {old} took", taken, among=d.attempts_on_old, of="attempts")
    assert at_least("application instances", len(apps), most.instances)
    assert each_at_most("instances reconnected", d.reconnected_s, within_s, "s")
    assert none_of("requests refused afterwards", d.refused_since, among=since, of="requests")
    assert none_of("instances started again", d.restarted, among=apps, of="instances")
    assert no_failure(f"rebuilding {old}", d.rebuild_failure, "exit status 0")
    assert equal("standbys afterwards", d.in_recovery, (old,))
    assert holds(f"WAL receiver of {old}", d.rebuilt_streams, d.rebuilt_streams, "runs")
    assert none_of(f"writes that {old} lacks", d.lacking, among=writes, of="acknowledged writes")
    assert none_of("steps without a duration", d.unmeasured, among=d.durations_s, of="steps")


@item("D-14.2.3")
def test_each_workload_scales_to_its_maximum_and_back_without_a_failed_request(
    workload_scaling: WorkloadScaling,
    workload_runs: WorkloadRuns,
    autoscaler_conditions: tuple[str, ...],
    env: Environment,
    limits: Limits,
) -> None:
    """Autoscalers of the manifests with their targets, requests and disruption budgets; what the
    cluster says of them, where there is one; each workload scaled to its maximum and back under a
    load of locust.

    Remedy: correct the manifest named above. Replicas that do not become ready: describe their
    pods, and see whether the nodes have room. Failed requests: a readiness probe that tells the
    truth, and a preStop hook that waits until the pod gets none any more.
    """
    scaled, runs, most = workload_scaling, workload_runs, limits.scaling
    found, of, facing = scaled.autoscalers, "autoscalers", scaled.user_facing
    sick, may, within_s = autoscaler_conditions, not env.kubernetes.cluster, env.windows.scale_out_s
    assert none_of("autoscalers of nothing", scaled.astray, among=found, of=of)
    assert none_of("workloads nothing scales", scaled.unscaled, among=facing, of="user-facing ones")
    assert none_of("without CPU requests", scaled.without_cpu_requests, among=found, of=of)
    assert each_at_least("minReplicas", scaled.least_replicas, most.minimum)
    below_plan = scaled.below_plan(runs.planned)
    assert none_of("maximum below the capacity plan", below_plan, among=found, of=of)
    assert none_of("workloads no pod may leave", scaled.not_evictable, among=found, of=of)
    assert none_of("autoscalers that do not work", sick, among=found, of=of, may_be_empty=may)
    assert each_at_most("all replicas ready", runs.grown_s, within_s, "s")
    assert each_at_most("as many replicas as before", runs.shrunk_s, within_s, "s")
    assert each_at_least("requests of the load", runs.requests, most.requests)
    assert none_of("failed requests", runs.failed, among=runs.asked, of="requests")


@item("D-14.2.4")
def test_containers_ask_for_what_they_use_and_have_room_below_their_limits(
    container_resources: ContainerResources, container_use: ContainerUse, limits: Limits
) -> None:
    """Requests and limits of every container of this environment's manifests, with what a limit
    range gives; what those that keep running have used over the last days or in the latest load
    run, as Prometheus has it: at each moment, the busiest pod of each; kernel logs, where declared.

    Remedy: give the container named above what it lacks in the manifest. Use above 80 %: raise the
    limit or request, or find the leak; below 20 %: lower it. Throttled: raise the CPU limit. Too
    few samples: see which pods Prometheus does not scrape.
    """
    given, use, most = container_resources, container_use, limits.resources
    all_, of, period = given.containers, "containers", use.period
    low, high = most.used_percent_least, most.used_percent_most
    assert none_of("without CPU and memory requests", given.without_requests, among=all_, of=of)
    assert none_of("without a memory limit", given.without_memory_limit, among=all_, of=of)
    assert none_of("requests above limits", given.above_limits, among=all_, of=of)
    least_s = period.least_s(most.days, most.load_run_minutes)
    assert at_least(f"length of {period.subject}", period.length_s, least_s, "s")
    assert at_most(f"end of {period.subject}", use.age_s / 86_400, most.age_d, "d ago")
    covered = use.coverage_percent(most.coverage_percent)
    assert each_at_least("sample coverage", covered, most.coverage_percent, "%")
    for what, used in (
        ("p95 memory of the limit", use.memory_percent(low, high)),
        ("p95 CPU of the request", use.cpu_percent(low, high)),
    ):
        assert each_at_most(what, used, high, "%")
        assert each_at_least(what, used, low, "%")
    throttled, of = use.throttled(most.throttled_percent), "containers with a CPU limit"
    assert none_of("throttled", throttled, among=use.with_cpu_limit, of=of, may_be_empty=True)
    assert none_of("killed for want of memory", use.killed, among=use.uses, of="containers")


def _thresholds(limits: Limits) -> tuple[Threshold, ...]:
    """The procedure's table."""
    most, rollback = limits.alerts, limits.rollback
    return (
        Threshold("p95 of responses", "response_time", most.response_p95_ms),
        Threshold("errors", "errors", most.errors_percent),
        Threshold("lasting errors", "errors", rollback.error_percent, rollback.error_minutes),
        Threshold("downtime", "downtime", minutes=rollback.down_minutes),
        Threshold("payment failures", "payments", rollback.payment_percent),
        Threshold("p95 of queries", "query_time", most.query_p95_ms),
        Threshold("certificates", "certificates", most.certificate_days),
    )


@item("D-14.2.5")
def test_each_threshold_has_one_rule_that_fires_just_there(
    alert_thresholds: AlertThresholds, limits: Limits
) -> None:
    """The alerting rules that Prometheus has loaded, each tried by promtool on series of the
    product's own metrics that grow worse, and for how long that lasts; what their expressions
    return now; the alarms of 14 days, each beside what was measured meanwhile.

    Remedy: put the value of the rule named above right, or write the one that is missing. A rule
    of nothing reads a metric that has another name now. False alarms: hold the rule back longer,
    or measure what customers feel.
    """
    found, most, wanted = alert_thresholds, limits.alerts, _thresholds(limits)
    rules, of, unmet = found.rules(wanted), "rules", found.unmet(wanted)
    late = found.after_minutes(wanted, most.fires_minutes)
    alarms = found.false_alarms(wanted, most.false_alarms)
    assert none_of("thresholds without just one rule", unmet, among=wanted, of="thresholds")
    broken, empty = found.broken(wanted), found.of_nothing(wanted)
    assert each_at_most("fires after", late, most.fires_minutes, "min")
    assert none_of("rules not evaluated", broken, among=rules, of=of)
    assert none_of("rules of nothing", empty, among=rules, of=of)
    assert each_at_most(f"false alarms in {found.days:g} days", alarms, most.false_alarms)


# --- Security Infrastructure Audit ----------------------------------------------------------------


@item("D-14.3.1")
def test_nobody_outside_reaches_what_is_not_for_everybody(
    security_groups: SecurityGroups, outside_scan: OutsideScan, env: Environment
) -> None:
    """Every network interface's security groups and their rules, in IPv4, IPv6, prefix lists and
    references; TCP connections from outside to the port of each private listener at every public
    address, beside one that has to succeed.

    Remedy: take the rule named out of the group, or declare the group; bind what is open outside
    to its private address, and find out who has connected since when.
    """
    found, scan, rules = security_groups, outside_scan, security_groups.rules
    used, open_ = found.in_use, found.open_to_anybody
    assert same_set("security groups in use", used, [g.name for g in env.network.groups])
    assert none_of("rules that let anybody in", open_, among=rules, of="rules of groups in use")
    strangers, guarded = found.unlike_declared, found.guarded
    of = "ports of databases, poolers and caches"
    assert none_of("rules that let others in there", strangers, among=guarded, of=of)
    way = f"{scan.control} from outside, as everybody"
    assert holds(way, scan.is_connected, scan.control_how, "connected")
    lacking, kinds = scan.not_declared, len(LISTENERS)
    assert none_of("kinds of listeners not looked at", lacking, among=kinds, of="kinds")
    assert none_of("listeners open outside", scan.open, among=scan.tried, of="ports at addresses")


@item("D-14.3.2")
def test_administrators_come_in_by_the_vpn_and_are_who_was_approved(
    admin_interfaces: AdminInterfaces,
    aws_accounts: AwsAccounts,
    database_logins: tuple[str, ...],
    access_list_signature: str,
    papers: Papers,
    context: Context,
    limits: Limits,
) -> None:
    """Every administrative interface asked from outside and from the VPN's range; IAM's credential
    report, which AWS makes anew every four hours, with the users who have come since; roles that
    may log in to the database; the access list, its signature, and the roster.

    Remedy: bind an open interface to its private address, or have it refuse others. Close the
    account of whoever is not on the list, or have the list corrected and signed with `golive sign`;
    rotate an old key; the person named sets up a second factor.
    """
    seen, aws, kinds = admin_interfaces, aws_accounts, len(INTERFACES)
    exposed, places = seen.exposed, seen.places
    assert none_of("interfaces open outside", exposed, among=places, of="public addresses of them")
    unreached = seen.not_reached
    assert none_of("interfaces that do not answer in the VPN", unreached, among=seen.all, of="all")
    lacking = seen.not_declared
    assert none_of("kinds of interfaces not looked at", lacking, among=kinds, of="kinds")
    access = papers.read(AccessList).data
    assert no_failure("access list's signature", access_list_signature, "valid")
    people, logins = access.strangers(aws=aws.names, database=database_logins)
    assert same_set("people with an account at AWS", people, access.names("aws"))
    assert same_set("people who may log in to the database", logins, access.names("database"))
    single = aws.without_second_factor(people)
    assert none_of("accounts without a second factor", single, among=people, of="people's accounts")
    assert equal("access keys of the root user", aws.root_keys, 0)
    old = aws.with_keys_older_than(limits.accounts.key_days)
    assert none_of("access keys that are too old", old, among=aws.all, of="accounts")
    leavers = access.leavers(context.roster.people)
    assert none_of("people who have left", leavers, among=access.people, of="people on the list")


@item("D-14.3.3")
def test_secrets_are_rotated_and_read_by_the_application_alone(
    secret_rotation: SecretRotation, kept_secrets: KeptSecrets, env: Environment, limits: Limits
) -> None:
    """A synthetic secret is created, read as the app role and by each instance's own client,
    rotated, read again, and deleted; of every declared secret the key, that key's state and the
    day of the current value; the outside role tries to read them all.

    Remedy: an outsider who can read: take it from the policy named, and rotate what it could read.
    A disabled key: enable it before the next read fails. An old value: rotate it. An instance that
    keeps the old one: shorten what its client caches for, and restart it now.
    """
    tried, kept, instances = secret_rotation, kept_secrets, env.application.instances
    within_s, secrets, of = env.windows.secret_rotation_s, kept_secrets.all, "declared secrets"
    assert no_failure("synthetic secret as the app role reads it", tried.app_failure, "readable")
    unread = tried.unreadable
    assert none_of("instances that cannot read it", unread, among=instances, of="instances")
    assert each_at_most("rotated value read by instances", tried.read_after_s, within_s, "s")
    outside = "synthetic secrets open to the outside role"
    assert none_of(outside, tried.read_by_outsiders, among=1, of="synthetic secrets")
    assert none_of("secrets that are not there", kept.missing, among=secrets, of=of)
    assert none_of("secrets under another key", kept.of_another_key, among=secrets, of=of)
    unusable = kept.of_unusable_keys
    assert none_of("secrets whose key is not enabled", unusable, among=secrets, of=of)
    most = limits.secrets.rotated_days
    assert each_at_most("last rotation", kept.ages_days(most), most, "d ago")
    open_ = kept.read_by_outsiders
    assert none_of("secrets open to the outside role", open_, among=secrets, of=of)


@item("D-14.3.4")
def test_backups_can_be_read_with_the_key_and_not_without(
    backup_encryption: BackupEncryption, limits: Limits
) -> None:
    """In both buckets the encryption of the newest full backup and WAL segments and the declared
    keys' state; their raw bytes searched for texts of the live database and decrypted in memory,
    with and without access to the key; small objects looked through for keys.

    Remedy: a disabled key: enable it before anything else, for nothing can be restored. Another
    key: fix the bucket's default, write its objects again. What anybody can read, or a key beside
    the backups: treat it as a breach if others could reach the bucket; encrypt again under a new
    key before the upload, and delete every older version.
    """
    e, buckets = backup_encryption, backup_encryption.buckets
    read, objects, bits = e.read, "objects read", limits.encryption.entropy_bits
    assert none_of("declared keys not enabled", e.unusable_keys, among=buckets, of="keys")
    assert none_of("buckets not under their key", e.open_buckets, among=buckets, of="buckets")
    for b in buckets:
        wanted = b.wal_wanted(int(limits.encryption.wal_segments))
        assert at_least(f"newest WAL segments in {b.name}", b.wal_count, wanted)
    late_min, foreign = e.waiting_s / 60, "objects not under their bucket's key"
    assert at_most("newest full backup not uploaded", late_min, limits.s3.copy_lag_minutes, "min")
    assert none_of(foreign, e.open_objects, among=e.objects, of="objects")
    assert none_of("objects anybody can read", e.readable, among=read, of=objects)
    assert at_least("texts of the database searched for", e.texts, 1)
    assert none_of("objects with such texts in raw bytes", e.telling, among=read, of=objects)
    assert each_at_least("entropy per byte", e.entropy_bits(bits), bits, "bits")
    assert none_of("objects decrypted without the key", e.open_to_anyone, among=read, of=objects)
    assert none_of("objects not decrypted with the key", e.lost, among=read, of=objects)
    assert none_of("keys beside the backups", e.keys_inside, among=e.versions, of="versions")


@item("D-14.3.5")
def test_what_administrators_and_intruders_do_is_written_down_for_good(
    audit_trail: AuditTrail, audit_log: AuditLog, env: Environment, limits: Limits
) -> None:
    """The trail's settings, its state and the newest file in its bucket; a failed database login, a
    table made and dropped and a refused administrative request, looked for in the central log; its
    writers' role tries to delete a synthetic stream, to set the retention, and to delete below the
    trail's folder. Whether they may delete the whole log group cannot be tried without losing it.

    Remedy: start the trail, for all regions, with file validation. What is not in the log: see that
    the server writes it (log_connections, log_statement, the balancer's access log) with user and
    address, then that its lines are sent on. Take from the writers every right but to add.
    """
    trail, log, most_h = audit_trail, audit_log, limits.audit.delivered_h
    assert holds("trail's logging", trail.is_logging, trail.is_logging, "on")
    assert holds("trail's regions", trail.is_everywhere, trail.regions, "all")
    assert holds("trail's file validation", trail.is_validated, trail.validation, "on")
    assert at_most("last delivery by the trail itself", trail.delivered_h, most_h, "h ago")
    assert at_most("newest file of the trail", trail.newest_h, most_h, "h ago")
    assert no_failure("trail's delivery", trail.delivery_error, "no trouble")
    within_s, acts = env.windows.audit_s, log.acts
    assert no_failure("administrative request", log.admitted, "refused")
    assert each_at_most("found in the central log", log.found_after_s, within_s, "s")
    untold = log.incomplete
    assert none_of("acts that are not told whole", untold, among=acts, of="synthetic acts")
    assert none_of("what the writers can delete", log.deletable, among=log.tried, of="ways tried")


# -- Deliverables ------------------------------------------------------------------------------


@derived("D-14.D.1")
def test_the_infrastructure_report_is_whole_true_and_signed(
    deliverables: Deliverables, limits: Limits
) -> None:
    """The newest verdicts of D-14.1 and D-14.2, made into the report and compared with it; the
    signature by ssh-keygen.

    Remedy: run what is missing, too old or red; read the document again and sign it. A report
    altered after signing: find out by whom and remove it with its signature first.
    """
    document = deliverables.of("D-14.D.1", "infrastructure-readiness-report", ("D-14.1", "D-14.2"))
    for claim in document.claims(max_age_h=limits.documents.report_age_h):
        assert claim


@derived("D-14.D.2")
def test_no_grave_security_finding_is_open_and_both_leads_sign_the_summary(
    deliverables: Deliverables, issues: Issues, launch: Launch, limits: Limits
) -> None:
    """The newest verdicts of D-14.3 and the tracker's security findings, made into the summary and
    compared with it; the signatures of the DevOps Lead and the Security Lead.

    Remedy: run what is missing, too old or red. Fix open critical and high findings; give each
    medium one an owner and a day before the launch. Then both read the summary and sign it.
    """
    document = deliverables.of(
        "D-14.D.2",
        "security-audit-summary",
        ("D-14.3",),
        findings.summary(issues),
        signers=("devops_lead", "security_lead"),
    )
    for claim in document.claims(
        max_age_h=limits.documents.report_age_h,
        extra=findings.findings_settled(issues, launch.date),
    ):
        assert claim


@derived("D-14.D.3")
def test_the_performance_baseline_is_whole_and_agrees_with_what_was_measured(
    deliverables: Deliverables,
    performance_baseline: PerformanceBaseline,
    env: Environment,
    limits: Limits,
) -> None:
    """The baseline's file: each of its figures, reckoned again from the metrics of its time; the
    newest verdicts of D-14.2.4 and D-14.2.5, made into the document with it and compared with it;
    the signature.

    Remedy: make the baseline again, over 7 days of the version that serves, of all that
    [baseline] declares. A figure that differs: find out who changed it, or what is no longer
    scraped. Run what is missing, too old or red; read the document again and sign it.
    """
    baseline, most = performance_baseline, limits.baseline
    document = deliverables.of(
        "D-14.D.3",
        "performance-baseline-metrics",
        ("D-14.2.4", "D-14.2.5"),
        baselines.document(baseline),
    )
    extra = baselines.claims(
        baseline,
        env.name,
        days=most.days,
        coverage_percent=most.coverage_percent,
        difference_percent=most.difference_percent,
    )
    for claim in document.claims(max_age_h=limits.documents.report_age_h, extra=extra):
        assert claim


@derived("D-14.D.4")
def test_every_red_item_of_the_day_has_one_issue_with_a_plan(
    deliverables: Deliverables, issues: Issues, launch: Launch, today: date, limits: Limits
) -> None:
    """The newest verdicts of D-14.1 to D-14.3 joined with the tracker's issues by the item that
    each names to be looked at again; the signature.

    Remedy: open one issue for each red or waived item, with severity, owner, remediation, a day
    before the launch and `Retest: ITEM`; close it only once the item is green. Then read the
    document again and sign it.
    """
    document = deliverables.of(
        "D-14.D.4", "identified-issues-log", ("D-14.1", "D-14.2", "D-14.3"), findings.log(issues)
    )
    verdicts = {row.id: row.verdict for row in document.document.verdicts}
    plans = findings.remediated(verdicts, issues, launch.date, today)
    for claim in document.claims(
        max_age_h=limits.documents.report_age_h, extra=plans, red_too=True
    ):
        assert claim
