"""Day -12: Application Deployment Preparation (Technical Lead)."""

from __future__ import annotations

from golive.claims import (
    at_least,
    at_most,
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
from golive.launch import Limits
from golive.people.statements import Exempted
from golive.probes.platform.cloud_limits import CloudLimits
from golive.probes.platform.config_rollback import ConfigRollback
from golive.probes.platform.dependencies import DependencyAudit
from golive.probes.platform.drift import Drift, PlantedDrift
from golive.probes.platform.flags import Flags
from golive.probes.platform.helm_chart import HelmChart
from golive.probes.platform.images import ReleaseImages
from golive.probes.platform.kubernetes import Validation
from golive.probes.platform.launch_flags import FlagOutage, FlagReferences, FlagTable, FlagToggle
from golive.probes.platform.manifests import Manifests
from golive.probes.platform.network_policy import FlowAttempts, NetworkPolicies
from golive.probes.platform.package import Packaged
from golive.probes.platform.processes import ProcessVariables
from golive.probes.platform.quotas import Quotas
from golive.probes.platform.runbook import Runbook
from golive.probes.platform.secret_exposure import ConfiguredSecrets, SecretsElsewhere
from golive.probes.platform.service_mesh import ServiceMesh
from golive.probes.platform.workflows import Workflows
from golive.probes.saas.launch_tools import Artefact, Manifest, ManifestSignature
from golive.probes.saas.tracker import Fixes
from golive.probes.traffic.assets import FrontendAssets
from golive.results import artefacts, configuration

KINDS = (
    *("Deployment", "Service", "Ingress", "HorizontalPodAutoscaler", "PodDisruptionBudget"),
    "NetworkPolicy",
)

# --- Deployment Configuration ---------------------------------------------------------------------


@item("D-12.2.1")
def test_manifests_fit_the_cluster_and_their_references_resolve(
    manifests: Manifests, manifest_validation: Validation
) -> None:
    """Every deploy artefact of the checkout, read as what it is for reads it; every manifest, and
    the chart rendered for every environment, against the strict schemas of the target version;
    selectors, names, keys and ports followed within what is applied together; probes, images and
    rights of every container; the cluster's dry run, where there is one.

    Remedy: correct the line named above. An API that is gone: the deprecation guide of Kubernetes
    names its successor. A digest: that of the image that was scanned.
    """
    m, v = manifests, manifest_validation
    objects, containers, may = v.objects, v.containers, v.without_cluster
    assert none_of("flaws of the files", m.flaws, among=m.files, of="deploy artefacts")
    assert none_of("charts not rendered", m.not_rendered, among=m.bundles, of="bundles")
    assert none_of("kinds without a manifest", v.lacking(KINDS), among=KINDS, of="kinds")
    assert none_of("objects against their schema", v.misfits, among=objects, of="objects")
    assert none_of("objects of a removed API", v.removed, among=objects, of="objects")
    assert none_of("kinds nobody has a schema of", v.unknown, among=objects, of="objects")
    assert none_of("references to nothing", v.unresolved, among=objects, of="objects")
    of = "containers"
    assert none_of("containers without probes", v.without_probes, among=containers, of=of)
    assert none_of("probes of a wrong path", v.wrong_probes, among=containers, of=of)
    assert none_of("images without a digest", v.unpinned, among=containers, of=of)
    assert none_of("containers run as root", v.as_root, among=containers, of=of)
    assert none_of("privileged containers", v.privileged, among=containers, of=of)
    assert none_of("placeholders", v.placeholders, among=objects, of="objects")
    refused, asked = v.refused, v.asked
    assert none_of("refused in a dry run", refused, among=asked, of="objects", may_be_empty=may)


@item("D-12.2.2")
def test_the_chart_renders_for_every_environment_and_upgrades(
    helm_chart: HelmChart, env: Environment, limits: Limits
) -> None:
    """helm lint and helm template with the values of every environment; the renderings compared
    field by field; each required value left out once; the previous release's chart, from its tag,
    rendered and compared in the fields that nobody may change.

    Remedy: run `helm template` with the values named above and correct what it says. A difference
    that is meant belongs into kubernetes.differs. An immutable field: give the object a new name,
    or plan to delete it.
    """
    chart, version = helm_chart, env.release.tag.removeprefix("v")
    environments, of = chart.environments, "environments"
    assert at_least("environments with values", len(environments), limits.deploy.environments)
    assert none_of("errors of helm lint", chart.lint_errors, among=environments, of=of)
    assert none_of("renderings that fail", chart.broken, among=environments, of=of)
    compared, required = chart.compared, chart.required
    assert none_of("undeclared differences", chart.differences, among=compared, of="renderings")
    assert equal("appVersion of the chart", chart.app_version, version)
    assert none_of("rendered without", chart.optional, among=required, of="required values")
    before, objects = env.release.previous_tag.removeprefix("v"), chart.upgraded
    assert equal("appVersion upgraded from", chart.previous_version, before)
    assert none_of("immutable fields changed", chart.frozen_changes, among=objects, of="objects")


@item("D-12.2.3")
def test_the_service_mesh_is_strict_or_absent_by_signature(
    service_mesh: ServiceMesh, exempted: Exempted
) -> None:
    """A declared mesh: sidecars of every workload, mutual TLS, the destinations of its routes, and
    plain HTTP to the application's ports. None: what two people have signed, against every object,
    annotation and container of manifests and running pods.

    Remedy: a trace of a mesh: remove it, or declare the mesh in [mesh]. A missing signature:
    `golive not-applicable D-12.2.3`, signed by two.
    """
    mesh, workloads, routes = service_mesh, service_mesh.workloads, service_mesh.routes
    if not mesh.name:
        required = "signed by two, and in force"
        assert holds("that there is no mesh", exempted.is_signed, exempted.told, required)
        assert none_of("traces of a mesh", mesh.traces, among=mesh.objects, of="objects")
        return
    assert none_of("not in the mesh", mesh.without_sidecar, among=workloads, of="workloads")
    assert none_of("without strict mutual TLS", mesh.not_strict, among=workloads, of="workloads")
    lost = mesh.lost_routes
    assert none_of("routes to nothing", lost, among=routes, of="routes", may_be_empty=True)
    assert none_of("ports open to plain HTTP", mesh.open_to_plain, among=mesh.plain, of="ports")


@item("D-12.2.4")
def test_network_policies_allow_the_declared_flows_and_no_other(
    manifests: Manifests,
    network_policies: NetworkPolicies,
    flow_attempts: FlowAttempts,
    limits: Limits,
) -> None:
    """Every NetworkPolicy evaluated into the flows that it lets through, in each set of manifests
    that is applied together; a TCP connection for every declared flow, and for every other pair of
    the same zones.

    Remedy: a flow too many: narrow the policy that lets it through. One too few: its selectors and
    ports. One that connects although no policy allows it: the network plugin of the cluster does
    not enforce policies.
    """
    policies, tried = network_policies, flow_attempts
    sets, unrendered = policies.sets, manifests.not_rendered
    assert none_of("charts not rendered", unrendered, among=sets, of="sets of manifests")
    for one in sets:
        pods = one.pods
        open_pods = f"pods without default-deny in {one.name}"
        assert none_of(open_pods, one.open_pods, among=pods, of="pods")
        assert none_of(f"idle policies of {one.name}", one.idle, among=one.policies, of="policies")
        assert same_set(f"flows allowed by {one.name}", one.flows, policies.declared)
    assert none_of("allowed flows not tried", tried.untried, among=tried.allowed, of="flows")
    assert none_of("allowed flows refused", tried.refused, among=tried.allowed, of="flows tried")
    least = limits.deploy.forbidden_flows
    assert at_least("forbidden flows tried", tried.number_forbidden, least)
    assert none_of("forbidden flows", tried.leaks, among=tried.forbidden, of="flows tried")


@item("D-12.2.5")
def test_quotas_leave_room_for_every_workload_at_its_maximum(
    manifests: Manifests,
    quotas: Quotas,
    cloud_limits: CloudLimits,
    env: Environment,
    limits: Limits,
) -> None:
    """Replicas at the autoscalers' maximum and the surge of a rolling update, times what a pod asks
    for, against the quotas of its namespace; the quotas' use in the cluster, where there is one;
    the cloud account's limits against the nodes at their most.

    Remedy: raise the quota, or lower requests or maxReplicas, and count again. An account's limit:
    ask AWS for more in Service Quotas, which takes days.
    """
    q, wanted, cloud = quotas, limits.deploy, cloud_limits
    spaces, of, may = q.namespaces, "namespaces", not env.kubernetes.cluster
    assert none_of("charts not rendered", manifests.not_rendered, among=spaces, of=of)
    assert none_of("namespaces without a quota", q.without_quota, among=spaces, of=of)
    assert none_of("without a LimitRange", q.without_limit_range, among=spaces, of=of)
    containers = q.containers
    assert none_of("without requests", q.boundless, among=containers, of="containers")
    assert each_at_least("spare at the maximum", q.spare_percent, wanted.quota_spare_percent, "%")
    percent, used = wanted.quota_used_percent, q.used_percent
    over, told = q.used_over(percent), f"quotas used over {percent:g} %"
    assert none_of(told, over, among=used, of="quotas in the cluster", may_be_empty=may)
    assert none_of("account limits too low", cloud.lacking, among=cloud.all, of="limits")


# -- Configuration Management -------------------------------------------------------------------


@item("D-12.3.1")
def test_every_instance_runs_with_the_released_variables_and_no_others(
    process_variables: ProcessVariables, env: Environment, limits: Limits
) -> None:
    """The environment of each instance's process, as the kernel of its machine tells it, against
    this environment's file at the release's tag with its references looked up: by digest, name for
    name. Values are never shown.

    Remedy: deploy the released file again to the instance named above and restart it. A value that
    is wrong in the file itself, or still to be filled in: correct it there or in the secret,
    release, deploy. A variable that nobody released: find out who set it before it goes.
    """
    pv, instances = process_variables, limits.configuration.instances
    compared, each = pv.compared, "released variables on instances"
    assert at_least("instances whose variables are read", len(pv.processes), instances)
    assert none_of("variables missing", pv.missing, among=compared, of=each)
    assert none_of("variables not released", pv.extra, among=compared, of=each)
    assert none_of("values unlike the release's", pv.differing, among=compared, of=each)
    assert none_of("variables that are empty", pv.empty, among=compared, of=each)
    assert none_of("placeholders and test keys", pv.placeholders, among=compared, of=each)
    assert none_of("values of another type or range", pv.unfit, among=compared, of=each)
    assert none_of("variables that differ between instances", pv.divergent, among=compared, of=each)
    declared = [i.name for i in env.application.instances]
    assert same_set("instances", pv.processes, declared)


@item("D-12.3.2")
def test_every_secret_is_its_environments_own_and_stands_nowhere_else(
    configured_secrets: ConfiguredSecrets,
    secrets_elsewhere: SecretsElsewhere,
    process_variables: ProcessVariables,
) -> None:
    """Each secret that the released file refers to, looked up and compared by digest with other
    environments, defaults and examples; searched for in the whole git history, image layers, the
    logs of 7 days, the frontend's pages and assets and error responses of every instance; modes
    and owners of the files that hold secrets; the variables of every process.

    Remedy: change a secret that stood anywhere it may not, and then take it away there; who could
    read it has it. A secret that another environment has, too: make one of its own. A file that
    others may read: chmod 600, owned by the service. A stale value: restart the instance.
    """
    s, at, references = configured_secrets, secrets_elsewhere, "secret references"
    resolved, stale = s.resolved, process_variables.stale(configured_secrets.resolved)
    assert none_of("secrets that are not there", s.unresolved, among=resolved, of=references)
    assert none_of("secrets that are empty", s.empty, among=resolved, of=references)
    assert none_of("secrets in the released file", s.in_the_open, among=resolved, of=references)
    assert none_of("secrets of others", s.shared, among=resolved, of=references)
    assert none_of("secrets in git", at.history.found, among=at.history.places, of="commits")
    assert none_of("secrets in images", at.images.found, among=at.images.places, of="blobs")
    assert none_of("secrets in logs", at.logs.found, among=at.logs.places, of="files")
    assert none_of("secrets in pages", at.bundle.found, among=at.bundle.places, of="answers")
    assert none_of("secrets in errors", at.errors.found, among=at.errors.places, of="answers")
    assert none_of("files that others may read", s.open_files, among=s.files, of="files")
    assert none_of("instances with another version", stale, among=resolved, of=references)


@item("D-12.3.3")
def test_flags_are_those_of_code_and_table_and_safe_without_their_service(
    flags: Flags,
    flag_references: FlagReferences,
    flag_table: FlagTable,
    flag_toggle: FlagToggle,
    flag_outage: FlagOutage,
    env: Environment,
    context: Context,
    limits: Limits,
) -> None:
    """The flags that the code at the release's tag asks for, those of the flag service and of the
    signed launch table; a synthetic flag switched over and back, as every instance evaluates it;
    the candidate's own answers once its flag service is gone.

    Remedy: make the flag that the code asks for, or take out the one that nothing asks for; set a
    state as the table has it, or have the table signed again. An instance that shows an old state
    caches without end: restart it, then correct its refresh. A default that is not safe: correct
    it in code and release.
    """
    table, own, asked = flag_table, flags.besides(env.flags.synthetic), flag_references.files
    assert same_set("flags of the service", own, asked)
    assert same_set("flags of the launch table", table.names, asked)
    ownerless = table.unowned(context.roster.people)
    assert none_of("flags without an owner on the roster", ownerless, among=table.names, of="flags")
    assert none_of("states unlike the table's", table.unlike(flags), among=table.names, of="flags")
    assert no_failure("approval of the table", table.signature_cause, "signed as it is")
    shown_s = limits.flags.shown_s
    assert each_at_most("synthetic flag shown", flag_toggle.shown_s, shown_s, "s")
    instances = [i.name for i in env.application.instances]
    assert same_set("instances that showed it", flag_toggle.over_s, instances)
    unsafe = table.unsafe(flag_outage.answers)
    assert none_of("flags that are not safe in an outage", unsafe, among=table.names, of="flags")


@item("D-12.3.4")
def test_drift_from_git_is_looked_for_everywhere_found_and_alerted(
    config_drift: Drift, planted_drift: PlantedDrift, env: Environment, limits: Limits
) -> None:
    """What the drift job's metrics in Prometheus tell of each source of configuration; then an
    inert difference, planted, followed until it is reported and alerted, removed, and followed
    until both are over.

    Remedy: start the drift job, or give it the source that it leaves out. A difference: put the
    live setting back as git says, or commit it after a review. An alert that does not come: see
    whether Prometheus has the rule, and where Alertmanager routes it.
    """
    drift, planted, minutes = config_drift, planted_drift, limits.drift.alert_minutes
    assert at_most("since the last comparison", drift.age_min, limits.drift.age_minutes, "min")
    assert same_set("sources compared", drift.differences, env.drift.sources)
    compared = drift.differences
    assert none_of("sources that differ from git", drift.found, among=compared, of="sources")
    assert holds("rule of the alert", planted.rule_loaded, env.drift.rule, "loaded in Prometheus")
    assert each_at_most("planted difference", planted.minutes, minutes, "min")


@item("D-12.3.5")
def test_a_configuration_change_rolls_back_whole_and_unnoticed(
    config_rollback: ConfigRollback, limits: Limits
) -> None:
    """An inert variable deployed with another value and rolled back by the documented commands,
    while requests go on through the public name; what each instance, the balancer and the flags
    are configured with before, between and after; the history of changes.

    Remedy: what is not back as it was: run the rollback again for it, then correct the command,
    which has to reach every instance and to restart it. A failed request: drain an instance before
    it is restarted. Keep at least the revision before the current one.
    """
    drill, most = config_rollback, limits.configuration
    assert no_failure("the deploy command", drill.deploy_failure, "it ends well")
    assert no_failure("the rollback command", drill.rollback_failure, "it ends well")
    assert at_most("change and rollback", drill.duration_min, most.rollback_minutes, "min")
    unchanged, instances = drill.unchanged, drill.instances
    assert none_of("instances it did not reach", unchanged, among=instances, of="instances")
    parts = "instances, balancer and flags"
    assert none_of("not as before", drill.not_back, among=drill.before, of=parts)
    assert at_least("requests meanwhile", drill.requests, most.rollback_requests)
    assert none_of("requests that failed", drill.failures, among=drill.requests, of="requests")
    assert equal("changes on record", drill.actions, ["deploy", "rollback"])
    assert none_of("changes by nobody", drill.anonymous, among=drill.history, of="changes")


# -- Application Build and Packaging ---------------------------------------------------------------


@item("D-12.1.1")
def test_images_are_the_releases_scanned_and_without_secrets(
    release_images: ReleaseImages, ci_workflows: Workflows, limits: Limits
) -> None:
    """Both images under the release's tag, by digest: labels and user in their configuration,
    every layer looked through for secrets, the bill of materials attached to them, the scanner's
    report about exactly that digest, the Dockerfiles' bases, and the workflows that build them.

    Remedy: build again from the tag's commit, on bases named by digest, push, scan what was pushed
    and keep the report. A finding with a fix: raise the package, or its base. A secret in a layer:
    change it first, since whoever pulled the image has it; then build without it. A weakness of a
    workflow: docs.zizmor.sh/audits tells what mends it.
    """
    i, most, built = release_images, limits.images, release_images.built
    of, others = "images", i.of_another_commit
    assert at_least("images declared", i.declared, most.images)
    assert none_of(f"images without the tag {i.tag}", i.absent, among=i.declared, of=of)
    assert none_of("images of another commit", others, among=built, of=of)
    assert none_of("images that no scan is about", i.not_scanned, among=built, of=of)
    assert each_at_most("age of the scan", i.scan_age_d, most.scan_age_d, "d")
    assert none_of("critical or fixable high findings", i.findings, among=built, of=of)
    assert none_of("bases not named by digest", i.not_pinned, among=i.bases, of="bases")
    assert none_of("images that run as root", i.as_root, among=built, of=of)
    assert none_of("secrets in layers", i.secrets, among=i.files, of="files in layers")
    assert none_of("images without bill of materials", i.without_bill, among=built, of=of)
    flows, of, weak = ci_workflows.files, "CI workflows", ci_workflows.weaknesses
    assert none_of("weak workflows", weak, among=flows, of=of, may_be_empty=True)
    told = ci_workflows.secrets
    assert none_of("secrets in workflows", told, among=flows, of=of, may_be_empty=True)


@item("D-12.1.2")
def test_frontend_assets_are_small_and_kept_for_a_year(
    frontend_assets: FrontendAssets, limits: Limits
) -> None:
    """Chromium loads every key page at each public host and tells what it asks for; each script,
    style sheet, font and image of the product's own is asked for on every node of the edge, and so
    is a source map of each script and style sheet.

    Remedy: what is not compressed, hashed or kept: its type in the edge's list, the build's file
    names, Cache-Control at the origin. A source map: leave it out of what is published, and purge
    it at the edge. Too heavy: see in the browser's network panel what a page loads first.
    """
    found, most = frontend_assets, limits.assets
    served, of, code = found.assets, "assets on nodes", "scripts and style sheets"
    texts, open_ = found.texts(most.compress_from_bytes), found.maps
    plain, wasteful = found.not_compressed(most.compress_from_bytes), most.waste_percent
    assert at_least("key pages", len(found.names), most.pages)
    assert at_least("assets of the key pages", found.paths, most.assets)
    assert none_of("assets not answered with 200", found.failing, among=served, of=of)
    assert none_of("texts not compressed", plain, among=texts, of="texts", may_be_empty=True)
    assert none_of("not minified", found.not_minified(wasteful), among=found.code, of=code)
    assert none_of("without a digest in the address", found.not_hashed, among=served, of=of)
    assert none_of("not kept for a year", found.not_kept(most.kept_s), among=served, of=of)
    assert none_of("source maps anybody can read", open_, among=found.code, of=code)
    assert each_at_most("initial scripts, compressed", found.script_kb, most.script_kb, "kB")
    assert each_at_most("page weight", found.weight_kb, most.page_kb, "kB")


@item("D-12.1.3")
def test_the_packaged_configuration_is_valid_and_this_environments_own(
    packaged_configuration: Packaged, limits: Limits
) -> None:
    """This environment's file in the release, variable by variable, against its schema, against the
    hosts, databases and caches declared for this environment and the files of the others; the
    built frontend searched for the public values of all of them. Values are never shown.

    Remedy: correct the file in the release and package again; of the frontend, build it again with
    this environment's file. A key of the wrong Stripe mode: rotate it too, if it was a live one.
    """
    p, least = packaged_configuration, limits.package
    keys, names, of = p.keys_count, p.names, f"keys of {p.file}"
    assert at_least(of, keys, least.keys)
    assert none_of("keys missing", p.missing, among=keys, of=of)
    assert none_of("keys unknown to the schema", p.unknown, among=keys, of=of)
    assert none_of("values not as the schema says", p.unfit, among=keys, of=of)
    assert none_of("debug switches on", p.debug, among=p.switches, of="debug switches")
    assert none_of("values not this environment's", p.foreign, among=keys, of=of)
    assert at_least("databases and caches placed", p.placed, least.placed)
    assert none_of("Stripe keys of another mode", p.mode, among=p.stripe_keys, of="Stripe keys")
    assert none_of("public hosts without address", p.unnamed, among=names, of="public hosts")
    wrong, public = p.bundle, p.bundle_values
    assert none_of("frontend not built so", wrong, among=public, of="values built into it")


@item("D-12.1.4")
def test_no_locked_dependency_has_a_grave_weakness_and_instances_run_what_is_locked(
    dependency_audit: DependencyAudit, limits: Limits
) -> None:
    """Each lock file is audited now, against a snapshot of advisories, an advisory service or both,
    each of which has to report a package that is known to be vulnerable; what is installed on
    every instance against the lock file.

    Remedy: raise the package to a version that has the fix, lock and build again; where that has
    to wait, write a waiver with an end. An advisory set that is too old: fetch it again. A package
    that an instance has otherwise: install that instance from the lock file again, and find out
    who changed it.
    """
    audit, most, locked = dependency_audit, limits.dependencies, dependency_audit.locked
    assert at_least("lock files", len(audit.locks), most.lock_files)
    assert each_at_least("packages", audit.packages, 1)
    assert none_of("packages not pinned", audit.not_pinned, among=locked, of="locked packages")
    assert none_of("packages without hash", audit.without_hash, among=locked, of="locked packages")
    assert each_at_most("advisories' age", audit.advisories_age_h, most.advisories_age_h, "h")
    assert none_of("audits that miss a known one", audit.blind, among=audit.locks, of="audits")
    assert none_of("critical and high findings", audit.grave, among=locked, of="locked packages")
    there = audit.installations
    assert none_of("instances not as locked", audit.differing, among=there, of="instances")


# -- Deliverables ------------------------------------------------------------------------------


@derived("D-12.D.1")
def test_the_artefacts_are_those_of_the_release_manifest(
    deliverables: Deliverables,
    release_manifest: Manifest,
    manifest_signature: ManifestSignature,
    stored_artefacts: tuple[Artefact, ...],
    fixes: Fixes,
    limits: Limits,
) -> None:
    """The newest verdicts of D-12.1.1 to D-12.1.4 and D-12.2, made into the document, with the
    digests of what they looked at against the release manifest; the manifest's own signature, the
    artefacts as they lie in the store now, and the tag's commit; the signature.

    Remedy: run what is missing, too old or red. An artefact that differs from the manifest, or is
    not what was looked at: build the release again from its tag, scan it again, and have its
    manifest signed. Then read the document again and sign it.
    """
    m, signed, stored = release_manifest, manifest_signature, stored_artefacts
    document = deliverables.of(
        "D-12.D.1",
        "production-ready-deployment-artifacts",
        ("D-12.1.1", "D-12.1.2", "D-12.1.3", "D-12.1.4", "D-12.2"),
        artefacts.written(m),
    )
    extra = artefacts.judged(document, m, signed, stored, fixes.commit)
    for claim in document.claims(max_age_h=limits.documents.report_age_h, extra=extra):
        assert claim


@derived("D-12.D.2")
def test_the_configuration_report_is_whole_true_tells_no_secret_and_is_signed(
    deliverables: Deliverables, env: Environment, limits: Limits
) -> None:
    """The newest verdicts of D-12.1.3 and D-12.3 with what they have on record by key, instance
    and source, made into the report and compared with it; the page searched for every known secret
    in each of its spellings; the signature.

    Remedy: run what is missing, too old or red. A secret in the report: change it everywhere,
    then make the report again. Then read the document again and sign it.
    """
    kind, write = "configuration-validation-report", configuration.written
    document = deliverables.of("D-12.D.2", kind, ("D-12.1.3", "D-12.3"), write)
    instances = [i.name for i in env.application.instances]
    for claim in document.claims(
        max_age_h=limits.documents.report_age_h,
        older={"D-12.3.5": limits.documents.drill_age_h},
        extra=configuration.judged(document, instances, limits),
    ):
        assert claim


@item("D-12.D.3")
def test_the_deployment_runbook_is_current_and_can_be_followed(
    deployment_runbook: Runbook, env: Environment, limits: Limits
) -> None:
    """The runbook at the release's tag: its versions, steps and references, when git says that it
    and what it describes were changed; the help of every command against the options it is given;
    the signatures of the review over this text.

    Remedy: correct the line that is named, in the commit that changes what it describes; have the
    Technical Lead and the DevOps Lead review the text again and sign it.
    """
    book, least = deployment_runbook, limits.runbook.commands
    assert equal("version that it deploys", book.target, env.release.tag)
    assert equal("version that it rolls back to", book.previous, env.release.previous_tag)
    described, steps = book.deployed_with, book.steps
    assert none_of("changed after the runbook", book.newer, among=described, of="described parts")
    assert same_set("sections with steps", book.sections, ["deploy", "rollback", "verify"])
    assert none_of("steps without an owner", book.ownerless, among=steps, of="steps")
    assert none_of("steps without a duration", book.endless, among=steps, of="steps")
    assert at_least("commands", len(book.commands), least)
    assert none_of("commands that cannot be run", book.unusable, among=book.commands, of="commands")
    references = book.references
    assert none_of("references to nothing", book.dangling, among=references, of="references")
    assert none_of("reviews that do not count", book.unreviewed, among=book.reviews, of="reviews")
