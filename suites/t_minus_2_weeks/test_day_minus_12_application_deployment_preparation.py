"""Day -12: Application Deployment Preparation (Technical Lead)."""

from __future__ import annotations

from golive.claims import at_least, each_at_least, equal, holds, none_of, same_set
from golive.deliverables import Deliverables
from golive.environments import Environment
from golive.items import derived, item
from golive.launch import Limits
from golive.people.statements import Exempted
from golive.probes.platform.cloud_limits import CloudLimits
from golive.probes.platform.helm_chart import HelmChart
from golive.probes.platform.kubernetes import Validation
from golive.probes.platform.manifests import Manifests
from golive.probes.platform.network_policy import FlowAttempts, NetworkPolicies
from golive.probes.platform.quotas import Quotas
from golive.probes.platform.service_mesh import ServiceMesh
from golive.probes.saas.launch_tools import Artefact, Manifest
from golive.probes.saas.tracker import Fixes

KINDS = (
    *("Deployment", "Service", "Ingress", "HorizontalPodAutoscaler", "PodDisruptionBudget"),
    "NetworkPolicy",
)

# --- Deployment Configuration ---------------------------------------------------------------------


@item("D-12.2.1")
def test_manifests_fit_the_cluster_and_their_references_resolve(
    manifests: Manifests, manifest_validation: Validation, env: Environment
) -> None:
    """Every manifest of the checkout, and the chart rendered for every environment, against the
    strict schemas of the target version; selectors, names, keys and ports followed within what is
    applied together; probes, images and rights of every container; the cluster's dry run, where
    there is one.

    Remedy: correct the line named above. An API that is gone: the deprecation guide of Kubernetes
    names its successor. A digest: that of the image that was scanned.
    """
    m, v = manifests, manifest_validation
    objects, containers, may = v.objects, v.containers, not env.kubernetes.cluster
    assert none_of("flaws of the files", m.flaws, among=m.files, of="files")
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


# -- Deliverables ------------------------------------------------------------------------------


@derived("D-12.D.1")
def test_the_artefacts_are_those_of_the_release_manifest(
    deliverables: Deliverables,
    release_manifest: Manifest,
    stored_artefacts: tuple[Artefact, ...],
    fixes: Fixes,
    limits: Limits,
) -> None:
    """The newest verdicts of D-12.1.1 to D-12.1.4 and D-12.2, made into the document; the release
    manifest against the artefacts as they lie in the store now and the tag's commit; the
    signature.

    Remedy: run what is missing, too old or red. An artefact that differs from the manifest:
    build the release again from its tag and scan it again. Then read the document again and sign
    it.
    """
    listed = {f"{a.name} {a.version} {a.sha256}" for a in release_manifest.artefacts}
    stored = {f"{a.name} {a.version} {a.sha256}" for a in stored_artefacts}
    tagged = equal("commit of the release manifest", release_manifest.commit, fixes.commit)
    document = deliverables.of(
        "D-12.D.1",
        "production-ready-deployment-artifacts",
        ("D-12.1.1", "D-12.1.2", "D-12.1.3", "D-12.1.4", "D-12.2"),
    )
    for claim in document.claims(
        max_age_h=limits.documents.report_age_h,
        extra=[same_set("artefacts in the store", stored, listed), tagged],
        not_judged=(
            "a signature over the release manifest",
            "digests equal to those that D-12.1 and D-12.2 looked at",
        ),
    ):
        assert claim


@derived("D-12.D.2")
def test_the_configuration_report_is_whole_true_tells_no_secret_and_is_signed(
    deliverables: Deliverables, limits: Limits
) -> None:
    """The newest verdicts of D-12.1.3 and D-12.3, made into the report and compared with it; the
    page searched for every known secret in each of its spellings; the signature.

    Remedy: run what is missing, too old or red. A secret in the report: change it everywhere,
    then make the report again. Then read the document again and sign it.
    """
    document = deliverables.of(
        "D-12.D.2", "configuration-validation-report", ("D-12.1.3", "D-12.3")
    )
    for claim in document.claims(
        max_age_h=limits.documents.report_age_h,
        older={"D-12.3.5": limits.documents.drill_age_h},
        not_judged=("results by key, instances covered, drift count and rollback time",),
    ):
        assert claim
