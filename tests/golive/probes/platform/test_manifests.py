"""What a checkout would apply, whatever its layout."""

from __future__ import annotations

from pathlib import Path

import pytest

from golive.verdicts import ProbeError, Unseen
from tests.golive.probes.platform.deployed import (
    EnvWith,
    applied,
    deployment,
    environment,
    lay,
    made,
    program,
    said,
    service,
)

CHART = {"chart/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\nappVersion: '2.0.0'\n"}


def helm(path: Path, rendering: str) -> list[str]:
    """A stand-in for helm that renders to one document for any values."""
    body = f"import sys\nprint('v4') if 'version' in sys.argv else print({rendering!r})"
    return [program(path, body)]


def test_plain_manifests_and_lists_are_one_bundle(env_with: EnvWith, tmp_path: Path) -> None:
    items = {"apiVersion": "v1", "kind": "List", "items": [deployment(), service()]}
    root = lay(tmp_path / "c", {"k8s/a.yaml": said(items), "more.yaml": said(made("v1", "Secret"))})
    found = applied(environment(env_with, root))
    (bundle,) = found.bundles
    assert [str(o) for o in bundle.objects] == ["Deployment/web", "Service/web", "Secret/web"]
    assert {o.namespace for o in bundle.objects} == {"shop"}
    (place,) = (o.place("spec", "ports", 0) for o in bundle.of("Service"))
    assert (root / place.path).read_text().splitlines()[place.line - 1].strip() == "- name: http"
    assert found.unseen is None


def test_folders_that_define_the_same_are_an_environment_each(
    env_with: EnvWith, tmp_path: Path
) -> None:
    root = lay(
        tmp_path / "c",
        {
            "k8s/common/a.yaml": said(made("v1", "ConfigMap", "all")),
            "k8s/prod/app/a.yaml": said(deployment()),
            "k8s/prod/net/a.yaml": said(service()),
            "k8s/test/app/a.yaml": said(deployment()),
            "k8s/test/net/a.yaml": said(service()),
        },
    )
    found = applied(environment(env_with, root))
    assert {b.name: [str(o) for o in b.objects] for b in found.bundles} == {
        "k8s/prod": ["Deployment/web", "Service/web", "ConfigMap/all"],
        "k8s/test": ["Deployment/web", "Service/web", "ConfigMap/all"],
    }
    assert found.flaws == ()
    chosen = applied(environment(env_with, root, manifests=["k8s/prod", "k8s/common/"]))
    assert [b.name for b in chosen.bundles] == ["manifests"]
    assert len(chosen.bundles[0].objects) == 3


def test_what_one_folder_defines_twice_is_a_flaw(env_with: EnvWith, tmp_path: Path) -> None:
    root = lay(tmp_path / "c", {"a.yaml": said(deployment()), "b.yaml": said(deployment())})
    (flaw,) = applied(environment(env_with, root)).flaws
    assert flaw == "Deployment/web is defined at a.yaml:1, too (b.yaml:1)"


def test_only_the_declared_namespaces_are_this_environments(
    env_with: EnvWith, tmp_path: Path
) -> None:
    other = deployment("other")
    other["metadata"]["namespace"] = "test"
    root = lay(tmp_path / "c", {"a.yaml": said(deployment(), other)})
    found = applied(environment(env_with, root, namespaces=["shop"]))
    assert [str(w.object) for b in found.here for w in b.workloads] == ["Deployment/web"]


def test_files_of_tools_are_no_manifests(env_with: EnvWith, tmp_path: Path) -> None:
    config = {"apiVersion": "v1", "kind": "Config", "clusters": []}
    tool = made("skaffold/v4beta1", "Config")
    root = lay(tmp_path / "c", {"a.yaml": said(config, tool, deployment())})
    (bundle,) = applied(environment(env_with, root)).bundles
    assert len(bundle.objects) == 1


def test_a_chart_is_rendered_for_each_environment(env_with: EnvWith, tmp_path: Path) -> None:
    values = {f"chart/values-{n}.yaml": "a: 1\n" for n in ("staging", "production", "ci")}
    values |= {"chart/values.yaml": "a: 0\n", "chart/charts/x/values-other.yaml": "a: 0\n"}
    root = lay(tmp_path / "c", {**CHART, **values})
    rendering = f"---\n# Source: shop/templates/a.yaml\n{said(deployment())}"
    words = helm(tmp_path / "helm", rendering)
    found = applied(environment(env_with, root, helm=words))
    assert list(found.rendered) == ["production", "staging"]
    assert found.own == "staging"  # the environment's own name
    (bundle,) = found.here
    assert str(bundle.objects[0].place()) == "shop/templates/a.yaml for staging:1"


def test_what_stands_beside_the_chart_joins_its_renderings(
    env_with: EnvWith, tmp_path: Path
) -> None:
    quota = made("v1", "ResourceQuota", spec={"hard": {"pods": "4"}})
    files = {**CHART, "chart/values-staging.yaml": "", "k8s/quota.yaml": said(quota)}
    words = helm(tmp_path / "helm", said(deployment()))
    root = lay(tmp_path / "c", files)
    (bundle,) = applied(environment(env_with, root, helm=words)).bundles
    assert [str(o) for o in bundle.objects] == ["Deployment/web", "ResourceQuota/web"]
    lay(root, {"k8s/app.yaml": said(deployment())})
    both = applied(environment(env_with, root, helm=words)).bundles
    assert [b.name for b in both] == ["manifests", "chart for staging"]


def test_without_helm_the_plain_manifests_are_seen_all_the_same(
    env_with: EnvWith, tmp_path: Path
) -> None:
    files = {**CHART, "chart/values-staging.yaml": "", "k8s/app.yaml": said(deployment())}
    root = lay(tmp_path / "c", files)
    found = applied(environment(env_with, root, helm=["no-such-helm"]))
    assert [b.name for b in found.bundles] == ["manifests"]
    assert isinstance(found.not_rendered, Unseen)
    assert "cannot be started" in str(found.not_rendered.error)
    (root / "k8s/app.yaml").unlink()
    with pytest.raises(ProbeError, match="cannot be started"):
        applied(environment(env_with, root, helm=["no-such-helm"])).must_be_there()


@pytest.mark.parametrize(
    ("kubernetes", "why"),
    [
        ({"chart": "gone"}, "the checkout has none there"),
        ({"environments": {"a": ["gone.yaml"]}}, "the checkout lacks gone.yaml"),
        ({}, "no file is named after an environment"),
    ],
)
def test_a_chart_or_values_that_are_not_told(
    env_with: EnvWith, tmp_path: Path, kubernetes: dict[str, object], why: str
) -> None:
    root = lay(tmp_path / "c", {**CHART, "chart/values.yaml": ""})
    with pytest.raises(ProbeError, match=why):
        applied(environment(env_with, root, **kubernetes)).must_be_there()
    lay(root, {"k8s/app.yaml": said(deployment())})
    found = applied(environment(env_with, root, **kubernetes))
    assert [b.name for b in found.bundles] == ["manifests"]
    assert isinstance(found.not_rendered, Unseen)


def test_of_several_charts_one_has_to_be_named(env_with: EnvWith, tmp_path: Path) -> None:
    charts = {f"{n}/Chart.yaml": "name: x\n" for n in ("a", "b", "a/charts/c")}
    root = lay(tmp_path / "c", {**charts, "a/values-staging.yaml": ""})
    with pytest.raises(ProbeError, match="there are 2: a, b"):
        applied(environment(env_with, root)).must_be_there()
    words = helm(tmp_path / "helm", said(deployment()))
    assert applied(environment(env_with, root, chart="a", helm=words)).bundles


def test_kustomizations_that_none_rests_on_are_rendered(env_with: EnvWith, tmp_path: Path) -> None:
    root = lay(
        tmp_path / "c",
        {
            "base/kustomization.yaml": "resources: [app.yaml]\n",
            "base/app.yaml": said(deployment()),
            "over/prod/kustomization.yaml": "resources: [../../base]\npatches: [{path: p.yaml}]\n",
            "over/prod/p.yaml": said(made("apps/v1", "Deployment", spec={"replicas": 9})),
            "plain/a.yaml": said(made("v1", "ConfigMap")),
        },
    )
    kustomize = program(tmp_path / "kustomize", f"print({said(deployment('out'))!r})")
    found = applied(environment(env_with, root, kustomize=[kustomize]))
    assert {b.name: [str(o) for o in b.objects] for b in found.bundles} == {
        "manifests": ["ConfigMap/web"],
        "over/prod": ["Deployment/out"],
    }
    without = applied(environment(env_with, root, kustomize=["no-such-program"]))
    assert [b.name for b in without.bundles] == ["manifests"]
    assert isinstance(without.not_rendered, Unseen)


def test_a_checkout_without_either_cannot_be_looked_at(env_with: EnvWith, tmp_path: Path) -> None:
    root = lay(tmp_path / "c", {"Dockerfile": "FROM x\nCOPY gone /\n"})
    found = applied(environment(env_with, root))
    with pytest.raises(ProbeError, match="Kubernetes manifests and Helm charts"):
        found.must_be_there()
    assert found.flaws == ("Dockerfile:2: names gone, which is not in the checkout",)
