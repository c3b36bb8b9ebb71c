"""Day -12: what the product is deployed with, on literal facts."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from golive.launch import load
from golive.people.statements import Exempted
from golive.probes.platform.cloud_limits import CloudLimit, CloudLimits
from golive.probes.platform.helm_chart import HelmChart
from golive.probes.platform.kubernetes import Validation
from golive.probes.platform.manifests import Bundle, Manifests
from golive.probes.platform.network_policy import (
    Attempt,
    FlowAttempts,
    NetworkPolicies,
    PolicySet,
)
from golive.probes.platform.quotas import Quotas, Room
from golive.probes.platform.service_mesh import ServiceMesh
from golive.verdicts import ProbeError, Unseen
from tests.checks import SUITES, breaking

UNSEEN = Unseen(ProbeError("helm", "there is none", "install it"))
LIMITS = load(SUITES / "launch.toml").limits
ENV: Any = SimpleNamespace(
    kubernetes=SimpleNamespace(cluster=False),
    release=SimpleNamespace(tag="v2.0.0", previous_tag="v1.9.0"),
)
CLUSTER: Any = SimpleNamespace(kubernetes=SimpleNamespace(cluster=True), release=ENV.release)
MANIFESTS = Manifests(
    plain=(Bundle("manifests", ()),),
    rendered={},
    flaws=(),
    files=3,
    own="production",
    unseen=None,
)
KINDS = frozenset(
    {"Deployment", "Service", "Ingress", "HorizontalPodAutoscaler", "PodDisruptionBudget"}
    | {"NetworkPolicy"}
)
VALID = Validation(
    objects=("Deployment/web",),
    containers=("web",),
    kinds=KINDS,
    misfits=(),
    removed=(),
    unknown=(),
    unresolved=(),
    without_probes=(),
    wrong_probes=(),
    unpinned=(),
    as_root=(),
    privileged=(),
    placeholders=(),
    refused=(),
    asked=0,
    without_cluster=True,
)


def told(ident: str, **facts: Any) -> str:
    """The subject of the claim that breaks an item, or is unseen; empty when it is green."""
    claim = breaking(ident, {"limits": LIMITS, "env": ENV, "manifests": MANIFESTS, **facts})
    return "" if claim is None else claim.subject


def unseen(ident: str, **facts: Any) -> bool:
    claim = breaking(ident, {"limits": LIMITS, "env": ENV, "manifests": MANIFESTS, **facts})
    return claim is not None and claim.unseen is not None


# -- D-12.2.1 ----------------------------------------------------------------------------------


def test_sound_manifests_are_green() -> None:
    assert told("D-12.2.1", manifest_validation=VALID) == ""
    asked = replace(VALID, asked=4, without_cluster=False)
    assert told("D-12.2.1", manifest_validation=asked) == ""


@pytest.mark.parametrize(
    ("facts", "subject"),
    [
        ({"objects": ()}, "objects against their schema"),
        ({"containers": ()}, "containers without probes"),
        ({"kinds": KINDS - {"Ingress"}}, "kinds without a manifest"),
        ({"misfits": ("a",)}, "objects against their schema"),
        ({"removed": ("a",)}, "objects of a removed API"),
        ({"unknown": UNSEEN}, "kinds nobody has a schema of"),
        ({"unresolved": ("a",)}, "references to nothing"),
        ({"without_probes": ("a",)}, "containers without probes"),
        ({"wrong_probes": ("a",)}, "probes of a wrong path"),
        ({"wrong_probes": UNSEEN}, "probes of a wrong path"),
        ({"unpinned": ("a",)}, "images without a digest"),
        ({"as_root": ("a",)}, "containers run as root"),
        ({"privileged": ("a",)}, "privileged containers"),
        ({"placeholders": ("a",)}, "placeholders"),
        ({"refused": ("a",), "asked": 1}, "refused in a dry run"),
    ],
)
def test_manifests_that_are_not(facts: dict[str, Any], subject: str) -> None:
    assert told("D-12.2.1", manifest_validation=replace(VALID, **facts)) == subject


def test_flaws_of_files_and_what_is_not_rendered() -> None:
    flawed = replace(MANIFESTS, flaws=("a.yaml:1: is no YAML",))
    assert told("D-12.2.1", manifest_validation=VALID, manifests=flawed) == "flaws of the files"
    lacking = replace(MANIFESTS, unseen=UNSEEN)
    assert unseen("D-12.2.1", manifest_validation=VALID, manifests=lacking)


def test_a_cluster_has_to_be_asked_where_there_is_one() -> None:
    there = replace(VALID, without_cluster=False)
    assert told("D-12.2.1", manifest_validation=there) == "refused in a dry run"
    assert unseen("D-12.2.1", manifest_validation=replace(there, refused=UNSEEN))


def test_flaws_are_told_where_there_are_no_manifests() -> None:
    flawed = replace(MANIFESTS, plain=(), flaws=("compose.yaml:3: names x",), unseen=UNSEEN)
    assert told("D-12.2.1", manifest_validation=UNSEEN, manifests=flawed) == "flaws of the files"
    sound = replace(flawed, flaws=())
    assert unseen("D-12.2.1", manifest_validation=UNSEEN, manifests=sound)


# -- D-12.2.2 ----------------------------------------------------------------------------------

CHART = HelmChart(
    folder="helm",
    app_version="2.0.0",
    environments=("production", "staging"),
    lint_errors=(),
    broken=(),
    differences=(),
    compared=1,
    optional=(),
    required=3,
    previous_version="1.9.0",
    frozen_changes=(),
    upgraded=9,
)


def test_a_sound_chart_is_green() -> None:
    assert told("D-12.2.2", helm_chart=CHART) == ""


@pytest.mark.parametrize(
    ("facts", "subject"),
    [
        ({"environments": ("production",)}, "environments with values"),
        ({"lint_errors": ("a",)}, "errors of helm lint"),
        ({"broken": ("a",)}, "renderings that fail"),
        ({"differences": ("a",)}, "undeclared differences"),
        ({"compared": 0}, "undeclared differences"),
        ({"app_version": "1.9.0"}, "appVersion of the chart"),
        ({"optional": ("a",)}, "rendered without"),
        ({"required": 0}, "rendered without"),
        ({"previous_version": "1.8.0"}, "appVersion upgraded from"),
        ({"frozen_changes": ("a",)}, "immutable fields changed"),
        ({"upgraded": 0}, "immutable fields changed"),
    ],
)
def test_a_chart_that_is_not(facts: dict[str, Any], subject: str) -> None:
    assert told("D-12.2.2", helm_chart=replace(CHART, **facts)) == subject


@pytest.mark.parametrize(
    "name",
    ["lint_errors", "broken", "differences", "optional", "previous_version", "frozen_changes"],
)
def test_what_no_helm_could_look_at_is_unseen(name: str) -> None:
    lacking: dict[str, Any] = {name: UNSEEN}
    assert unseen("D-12.2.2", helm_chart=replace(CHART, **lacking))


# -- D-12.2.3 ----------------------------------------------------------------------------------

NONE = ServiceMesh("", ("Deployment/web",), ("Deployment/web",), (), (), (), (), (), {})
SIGNED, UNSIGNED = Exempted(True, "ada and bob"), Exempted(False, "nobody has signed that")


def test_no_mesh_needs_two_signatures_and_no_trace() -> None:
    assert told("D-12.2.3", service_mesh=NONE, exempted=SIGNED) == ""
    assert told("D-12.2.3", service_mesh=NONE, exempted=UNSIGNED) == "that there is no mesh"
    left = replace(NONE, traces=("a",))
    assert told("D-12.2.3", service_mesh=left, exempted=SIGNED) == "traces of a mesh"
    assert unseen("D-12.2.3", service_mesh=replace(NONE, traces=UNSEEN), exempted=SIGNED)
    nothing = replace(NONE, objects=())
    assert told("D-12.2.3", service_mesh=nothing, exempted=SIGNED) == "traces of a mesh"


@pytest.mark.parametrize(
    ("facts", "subject"),
    [
        ({}, ""),
        ({"workloads": ()}, "not in the mesh"),
        ({"without_sidecar": ("a",)}, "not in the mesh"),
        ({"not_strict": ("a",)}, "without strict mutual TLS"),
        ({"routes": ("a",), "lost_routes": ("a",)}, "routes to nothing"),
        ({"plain": {"a:1": "HTTP 200"}}, "ports open to plain HTTP"),
        ({"plain": UNSEEN}, "ports open to plain HTTP"),
    ],
)
def test_a_declared_mesh_needs_no_signature(facts: dict[str, Any], subject: str) -> None:
    mesh = replace(NONE, **{"name": "istio", "plain": {"a:1": ""}, "traces": ("a",), **facts})
    assert told("D-12.2.3", service_mesh=mesh, exempted=UNSIGNED) == subject


# -- D-12.2.4 ----------------------------------------------------------------------------------

FLOWS = frozenset({"web -> db:5432/TCP"})
SET = PolicySet("manifests", ("Deployment/web",), ("NetworkPolicy/a",), (), (), FLOWS)
POLICIES = NetworkPolicies((SET,), FLOWS, frozenset({"web"}))
TRIED = FlowAttempts(
    (
        Attempt("web -> db:5432/TCP", True, True),
        *(Attempt(f"z{n} -> db:5432/TCP", False, False) for n in range(5)),
    ),
    (),
)


def test_the_declared_flows_and_no_other_are_green() -> None:
    assert told("D-12.2.4", network_policies=POLICIES, flow_attempts=TRIED) == ""


@pytest.mark.parametrize(
    ("facts", "subject"),
    [
        ({"open_pods": ("a",)}, "pods without default-deny in manifests"),
        ({"pods": ()}, "pods without default-deny in manifests"),
        ({"idle": ("a",)}, "idle policies of manifests"),
        ({"policies": ()}, "idle policies of manifests"),
        ({"flows": FLOWS | {"a -> b:1/TCP"}}, "flows allowed by manifests"),
        ({"flows": frozenset()}, "flows allowed by manifests"),
        ({"flows": UNSEEN}, "flows allowed by manifests"),
    ],
)
def test_policies_that_allow_another_set_of_flows(facts: dict[str, Any], subject: str) -> None:
    changed = replace(POLICIES, sets=(replace(SET, **facts),))
    assert told("D-12.2.4", network_policies=changed, flow_attempts=TRIED) == subject


@pytest.mark.parametrize(
    ("all_", "not_tried", "subject"),
    [
        (TRIED.all[:5], (), "forbidden flows tried"),
        (TRIED.all[1:], (), "allowed flows not tried"),
        (TRIED.all, ("web -> api:443/TCP",), "allowed flows not tried"),
        ((Attempt("a", True, False), *TRIED.all), (), "allowed flows refused"),
        ((Attempt("a", False, True), *TRIED.all), (), "forbidden flows"),
    ],
)
def test_connections_that_are_not_as_they_should_be(
    all_: Any, not_tried: Any, subject: str
) -> None:
    tried = FlowAttempts(all_, not_tried)
    assert told("D-12.2.4", network_policies=POLICIES, flow_attempts=tried) == subject


def test_what_is_not_rendered_is_unseen_and_the_rest_is_judged() -> None:
    lacking = replace(MANIFESTS, unseen=UNSEEN)
    facts = {"network_policies": POLICIES, "flow_attempts": TRIED, "manifests": lacking}
    assert unseen("D-12.2.4", **facts)
    leaking = FlowAttempts((Attempt("a", False, True), *TRIED.all), ())
    assert told("D-12.2.4", **{**facts, "flow_attempts": leaking}) == "forbidden flows"


# -- D-12.2.5 ----------------------------------------------------------------------------------

QUOTAS = Quotas(("shop",), (), (), (Room("cpu", Decimal(10), Decimal(8)),), (), {}, 3)
CLOUD = CloudLimits((CloudLimit("vCPUs", 64, 2, 24),), 12)


def test_quotas_with_a_fifth_to_spare_are_green() -> None:
    assert told("D-12.2.5", quotas=QUOTAS, cloud_limits=CLOUD) == ""
    used = replace(QUOTAS, used_percent={"cpu": 70.0})
    assert told("D-12.2.5", quotas=used, cloud_limits=CLOUD, env=CLUSTER) == ""


@pytest.mark.parametrize(
    ("facts", "subject"),
    [
        ({"without_quota": ("a",)}, "namespaces without a quota"),
        ({"namespaces": ()}, "charts not rendered"),
        ({"without_limit_range": ("a",)}, "without a LimitRange"),
        ({"boundless": ("a",)}, "without requests"),
        ({"rooms": (Room("cpu", Decimal(10), Decimal("8.1")),)}, "spare at the maximum"),
        ({"rooms": ()}, "spare at the maximum"),
        ({"rooms": (UNSEEN,)}, "spare at the maximum"),
        ({"used_percent": {"cpu": 70.1}}, "quotas used over 70 %"),
        ({"used_percent": UNSEEN}, "quotas used over 70 %"),
    ],
)
def test_quotas_that_are_too_small(facts: dict[str, Any], subject: str) -> None:
    assert told("D-12.2.5", quotas=replace(QUOTAS, **facts), cloud_limits=CLOUD) == subject


def test_account_limits_that_are_too_low_or_unseen() -> None:
    low = CloudLimits((CloudLimit("vCPUs", 20, 2, 24), UNSEEN), 12)
    assert told("D-12.2.5", quotas=QUOTAS, cloud_limits=low) == "account limits too low"
    half = CloudLimits((*CLOUD.all, UNSEEN), 12)
    assert unseen("D-12.2.5", quotas=QUOTAS, cloud_limits=half)
    empty = CloudLimits((), 0)
    assert told("D-12.2.5", quotas=QUOTAS, cloud_limits=empty) == "account limits too low"
    assert told("D-12.2.5", quotas=QUOTAS, cloud_limits=CLOUD, env=CLUSTER) == (
        "quotas used over 70 %"
    )
