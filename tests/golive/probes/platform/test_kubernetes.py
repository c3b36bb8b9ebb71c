"""What is found wrong with manifests, and what is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from golive.environments import Environment
from golive.probes.platform.checkout import checkout
from golive.probes.platform.kubernetes import Validation, manifest_validation
from golive.verdicts import Unseen
from tests.golive.probes.platform.deployed import (
    IMAGE,
    EnvWith,
    answering,
    applied,
    deployment,
    environment,
    lay,
    made,
    said,
    service,
)

Looked = Callable[..., Validation]


@pytest.fixture
def looked(env_with: EnvWith, tmp_path: Path) -> Looked:
    """Validate some objects, for an environment with some keys of [kubernetes]."""

    def look(*objects: dict[str, Any], **kubernetes: Any) -> Validation:
        root = lay(tmp_path / "c", {"a.yaml": said(*objects)})
        env: Environment = environment(env_with, root, **kubernetes)
        found = manifest_validation(env, checkout(env), applied(env))
        assert isinstance(found, Validation)
        return found

    return look


def wrong(found: Validation) -> dict[str, Any]:
    """Everything that is not as it should be, by name."""
    names: tuple[str, ...] = (
        "misfits",
        "removed",
        "unknown",
        "unresolved",
        "without_probes",
        "wrong_probes",
    )
    names += ("unpinned", "as_root", "privileged", "placeholders", "refused")
    return {n: getattr(found, n) for n in names if getattr(found, n) != ()}


def only(found: Validation, name: str) -> str:
    """The one thing that is wrong."""
    assert list(wrong(found)) == [name], wrong(found)
    (told,) = getattr(found, name)
    return str(told)


def test_sound_manifests_are_sound(looked: Looked) -> None:
    found = looked(deployment(), service())
    assert wrong(found) == {}
    assert found.lacking(("Service", "Ingress")) == ["Ingress"]


# -- schemas -----------------------------------------------------------------------------------


def test_a_misspelt_key_is_told_with_its_line(looked: Looked) -> None:
    one = deployment(spec={"replica": 3})
    told = only(looked(one), "misfits")
    assert "'replica' was unexpected" in told
    line = 1 + said(one).splitlines().index("  replica: 3")
    assert f"(a.yaml:{line})" in told


def test_a_wrong_type_and_a_missing_key_are_told_both(looked: Looked) -> None:
    one = deployment(spec={"replicas": "2"})
    one["spec"].pop("selector")
    assert len(looked(one).misfits) == 2


@pytest.mark.parametrize(
    ("version", "api", "kind"),
    [
        ("1.33", "policy/v1beta1", "PodDisruptionBudget"),
        ("1.33", "extensions/v1beta1", "Ingress"),
        ("1.25", "autoscaling/v2beta1", "HorizontalPodAutoscaler"),
        ("1.33", "apps/v1", "Deploymnt"),
        ("1.33", "v1", "Deployment"),
    ],
)
def test_apis_that_the_version_does_not_have(
    looked: Looked, version: str, api: str, kind: str
) -> None:
    found = looked(deployment(), made(api, kind, "x", spec={}), version=version)
    assert [t.partition(" (")[0] for t in found.removed] == [f"{kind}/x is of {api}"]


def test_what_a_secret_holds_is_not_repeated(looked: Looked) -> None:
    secret = made("v1", "Secret", "s", data={"key": ["hunter2"]})
    found = looked(deployment(), secret)
    assert "hunter2" not in str(found)
    assert len(found.misfits) == 1


def test_a_kind_that_nobody_knows_is_unseen_until_it_is_declared(looked: Looked) -> None:
    monitor = made("monitoring.coreos.com/v1", "ServiceMonitor", spec={"a": 1})
    found = looked(deployment(), monitor)
    assert isinstance(found.unknown, Unseen)
    assert "monitoring.coreos.com/v1/ServiceMonitor" in str(found.unknown.error)
    declared = ["monitoring.coreos.com/v1/ServiceMonitor"]
    assert wrong(looked(deployment(), monitor, custom_resources=declared)) == {}


def test_a_group_that_resembles_a_builtin_one_is_not_taken_for_it(looked: Looked) -> None:
    other = made("apps.openshift.io/v1", "Deployment", spec={"anything": 1})
    assert isinstance(looked(deployment(), other).unknown, Unseen)


def test_a_custom_resource_is_validated_by_the_checkouts_own_definition(looked: Looked) -> None:
    schema = {"type": "object", "properties": {"spec": {"required": ["size"]}}}
    definition = made(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "shops.x.test",
        spec={
            "group": "x.test",
            "scope": "Namespaced",
            "names": {"kind": "Shop", "plural": "shops"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    )
    assert (
        wrong(looked(deployment(), definition, made("x.test/v1", "Shop", spec={"size": 1}))) == {}
    )
    told = only(looked(deployment(), definition, made("x.test/v1", "Shop", spec={})), "misfits")
    assert "'size' is a required property" in told


def test_a_version_without_schemas_cannot_be_looked_at(looked: Looked) -> None:
    found = looked(deployment(image="web:1"), version="1.9")
    assert isinstance(found.misfits, Unseen)
    assert "schemas of Kubernetes 1.9" in str(found.misfits.error)
    assert found.removed is found.unknown is found.misfits
    assert found.unpinned  # which needs no schema
    assert wrong(looked(deployment(), version="v1.33.4")) == {}


# -- references --------------------------------------------------------------------------------


def with_env(**source: Any) -> dict[str, Any]:
    return deployment(env=[{"name": "A", "valueFrom": source}])


def with_volume(**volume: Any) -> dict[str, Any]:
    return deployment(pod={"volumes": [{"name": "v", **volume}]})


def ingress(name: str = "web", port: object = "http", **spec: Any) -> dict[str, Any]:
    key = "name" if isinstance(port, str) else "number"
    backend = {"service": {"name": name, "port": {key: port}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    rules = [{"host": "shop.test", "http": {"paths": [path]}}]
    return made("networking.k8s.io/v1", "Ingress", spec={"rules": rules, **spec})


def budget(**labels: str) -> dict[str, Any]:
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": labels}}
    return made("policy/v1", "PodDisruptionBudget", spec=spec)


def scaler(name: str) -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    spec = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 4}
    return made("autoscaling/v2", "HorizontalPodAutoscaler", spec=spec)


RUN = {"exec": {"command": ["x"]}}
CONFIG = made("v1", "ConfigMap", "c", data={"a": "1"})


@pytest.mark.parametrize(
    ("objects", "told"),
    [
        ([deployment(), service(app="other")], "selects no pod by app=other"),
        ([deployment(), service(port="grpc")], "sends to port grpc"),
        ([deployment(), service(port=9000)], "sends to port 9000"),
        ([deployment(), service(), ingress("gone")], "sends to Service/gone"),
        ([deployment(), service(), ingress(port="grpc")], "port grpc of Service/web"),
        ([deployment(), service(), ingress(port=81)], "port 81 of Service/web"),
        (
            [deployment(), service(), ingress(tls=[{"secretName": "t"}])],
            "its certificate from Secret/t",
        ),
        ([deployment(), budget(app="gone")], "selects no pod"),
        ([deployment(), scaler("wed")], "scales Deployment/wed"),
        ([deployment(labels={"app": "other"})], "does not select its own pods"),
        ([deployment(pod={"serviceAccountName": "gone"})], "runs as ServiceAccount/gone"),
        ([deployment(pod={"imagePullSecrets": [{"name": "gone"}]})], "names Secret/gone"),
        ([deployment(envFrom=[{"configMapRef": {"name": "gone"}}])], "names ConfigMap/gone"),
        ([deployment(envFrom=[{"secretRef": {"name": "gone"}}])], "names Secret/gone"),
        ([with_env(secretKeyRef={"name": "gone", "key": "a"})], "names Secret/gone"),
        ([with_env(configMapKeyRef={"name": "c", "key": "b"}), CONFIG], "takes b of ConfigMap/c"),
        ([with_volume(configMap={"name": "gone"})], "names ConfigMap/gone"),
        ([with_volume(secret={"secretName": "gone"})], "names Secret/gone"),
        (
            [with_volume(configMap={"name": "c", "items": [{"key": "b", "path": "b"}]}), CONFIG],
            "takes b of ConfigMap/c",
        ),
        (
            [with_volume(projected={"sources": [{"secret": {"name": "gone"}}]})],
            "names Secret/gone",
        ),
        (
            [with_volume(persistentVolumeClaim={"claimName": "gone"})],
            "names PersistentVolumeClaim/gone",
        ),
        ([deployment(volumeMounts=[{"name": "v", "mountPath": "/v"}])], "mounts the volume v"),
        (
            [deployment(startupProbe={"tcpSocket": {"port": "grpc"}})],
            "is probed at port grpc",
        ),
        (
            [
                deployment(),
                made(
                    "rbac.authorization.k8s.io/v1",
                    "RoleBinding",
                    roleRef={
                        "apiGroup": "rbac.authorization.k8s.io",
                        "kind": "Role",
                        "name": "gone",
                    },
                ),
            ],
            "names Role/gone",
        ),
    ],
)
def test_references_that_lead_to_nothing(
    looked: Looked, objects: list[dict[str, Any]], told: str
) -> None:
    assert told in only(looked(*objects), "unresolved")


@pytest.mark.parametrize(
    "objects",
    [
        [deployment(), service(), ingress(), budget(app="web"), scaler("web")],
        [deployment(), service(port=8000), ingress(port=80)],
        [deployment(), service(port="8000")],
        [deployment(ports=[], readinessProbe=RUN, livenessProbe=RUN), service(port=9000)],
        [deployment(), made("v1", "Service", spec={"type": "ExternalName", "externalName": "x.y"})],
        [deployment(), made("v1", "Service", spec={"ports": [{"port": 80}]})],
        [deployment(pod={"serviceAccountName": "default"})],
        [deployment(envFrom=[{"secretRef": {"name": "gone", "optional": True}}])],
        [with_env(configMapKeyRef={"name": "c", "key": "a"}), CONFIG],
        [with_env(fieldRef={"fieldPath": "metadata.name"})],
        [
            deployment(
                volumeMounts=[{"name": "v", "mountPath": "/v"}], pod={"volumes": [{"name": "v"}]}
            )
        ],
        [deployment(), service(), ingress(tls=[{"secretName": "t"}]), made("v1", "Secret", "t")],
        [
            deployment(),
            made(
                "rbac.authorization.k8s.io/v1",
                "RoleBinding",
                roleRef={
                    "apiGroup": "rbac.authorization.k8s.io",
                    "kind": "ClusterRole",
                    "name": "view",
                },
            ),
        ],
    ],
)
def test_references_that_lead_somewhere(looked: Looked, objects: list[dict[str, Any]]) -> None:
    found = looked(*objects)
    assert found.unresolved == ()
    assert found.misfits == ()


SECRETS = {
    "external-secrets.io/v1": ("ExternalSecret", {"target": {"name": "s"}, "dataFrom": [{}]}),
    "bitnami.com/v1alpha1": ("SealedSecret", {"encryptedData": {"a": "x"}}),
    "cert-manager.io/v1": ("Certificate", {"secretName": "s"}),
    "secrets-store.csi.x-k8s.io/v1": (
        "SecretProviderClass",
        {"secretObjects": [{"secretName": "s"}]},
    ),
}


@pytest.mark.parametrize("api", SECRETS)
def test_secrets_that_controllers_make_are_there(looked: Looked, api: str) -> None:
    kind, spec = SECRETS[api]
    one = with_env(secretKeyRef={"name": "s", "key": "a"})
    found = looked(one, made(api, kind, "s", spec=spec), custom_resources=[f"{api}/{kind}"])
    assert wrong(found) == {}


def test_keys_of_an_external_secret_are_known(looked: Looked) -> None:
    spec = {"data": [{"secretKey": "a"}]}
    api = "external-secrets.io/v1"
    made_by = made(api, "ExternalSecret", "s", spec=spec)
    one = with_env(secretKeyRef={"name": "s", "key": "b"})
    found = looked(one, made_by, custom_resources=[f"{api}/ExternalSecret"])
    assert "takes b of Secret/s" in only(found, "unresolved")


def test_what_is_there_already_can_be_declared(looked: Looked) -> None:
    one = deployment(pod={"imagePullSecrets": [{"name": "login"}]})
    assert wrong(looked(one, existing=["Secret/login"])) == {}


def test_a_service_of_another_namespace_helps_nobody(looked: Looked) -> None:
    other = service()
    other["metadata"]["namespace"] = "test"
    found = looked(deployment(), other, ingress())
    assert ["selects no pod" in t or "is not there" in t for t in found.unresolved] == [True] * 2


# -- containers --------------------------------------------------------------------------------


def test_containers_without_probes(looked: Looked) -> None:
    one = deployment()
    container = one["spec"]["template"]["spec"]["containers"][0]
    container.pop("livenessProbe")
    assert "has no liveness probe" in only(looked(one), "without_probes")
    container.pop("readinessProbe")
    assert len(looked(one).without_probes) == 2


def test_what_ends_by_itself_needs_no_probe_and_a_sidecar_does(looked: Looked) -> None:
    plain = {"name": "a", "image": IMAGE, "securityContext": {"runAsNonRoot": True}}
    template = {"spec": {"containers": [plain], "restartPolicy": "Never"}}
    job = made("batch/v1", "Job", spec={"template": template})
    nightly = {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": template}}}
    before = deployment(pod={"initContainers": [plain]})
    assert wrong(looked(job, made("batch/v1", "CronJob", spec=nightly), before)) == {}
    sidecar = deployment(pod={"initContainers": [{**plain, "restartPolicy": "Always"}]})
    assert len(looked(sidecar).without_probes) == 2


def test_a_probe_of_another_path(looked: Looked) -> None:
    probe = {"httpGet": {"path": "/healthz", "port": "http"}}
    told = only(looked(deployment(readinessProbe=probe)), "wrong_probes")
    assert "is probed at /healthz and answers at /health" in told
    bare = {"httpGet": {"port": "http"}}
    assert "is probed at /" in only(looked(deployment(readinessProbe=bare)), "wrong_probes")


@pytest.mark.parametrize("probe", [{"tcpSocket": {"port": "http"}}, {"grpc": {"port": 8000}}])
def test_probes_of_other_ways_have_no_path(looked: Looked, probe: dict[str, Any]) -> None:
    assert wrong(looked(deployment(readinessProbe=probe), probe_paths={"web": ["/health"]})) == {}


def test_paths_that_nobody_declared_are_unseen(looked: Looked) -> None:
    found = looked(deployment(), probe_paths={})
    assert isinstance(found.wrong_probes, Unseen)
    assert "Deployment/web (/health)" in str(found.wrong_probes.error)


@pytest.mark.parametrize("name", ["shop-web", "api"])
def test_workloads_go_by_their_releases_name_or_a_label(looked: Looked, name: str) -> None:
    one = deployment(name, labels={"app": name, "app.kubernetes.io/component": "web"})
    assert wrong(looked(one)) == {}


@pytest.mark.parametrize("image", ["web:2", "web@sha256:abc", f"{IMAGE} ", ""])
def test_images_without_a_digest(looked: Looked, image: str) -> None:
    assert looked(deployment(image=image)).unpinned


@pytest.mark.parametrize(
    ("pod", "own", "is_root"),
    [
        ({}, {}, True),
        ({"runAsNonRoot": True}, {}, False),
        ({"runAsNonRoot": True}, {"runAsNonRoot": False}, True),
        ({"runAsNonRoot": True}, {"runAsUser": 0}, True),
        ({"runAsUser": 1000}, {}, False),
        ({"runAsUser": 1000}, {"runAsUser": 0}, True),
    ],
)
def test_who_a_container_runs_as(
    looked: Looked, pod: dict[str, Any], own: dict[str, Any], is_root: bool
) -> None:
    one = deployment(securityContext=own, pod={"securityContext": pod})
    assert bool(looked(one).as_root) is is_root


@pytest.mark.parametrize(
    ("pod", "own", "told"),
    [
        ({}, {"privileged": True}, "is privileged"),
        ({}, {"capabilities": {"add": ["SYS_ADMIN"]}}, "adds the capability SYS_ADMIN"),
        ({"hostNetwork": True}, {}, "has hostNetwork"),
        ({"hostPID": True}, {}, "has hostPID"),
    ],
)
def test_privileged_containers(
    looked: Looked, pod: dict[str, Any], own: dict[str, Any], told: str
) -> None:
    one = deployment(securityContext={"runAsNonRoot": True, **own}, pod=pod)
    assert told in only(looked(one), "privileged")


def test_a_low_port_is_no_privilege(looked: Looked) -> None:
    own = {"runAsNonRoot": True, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}
    assert wrong(looked(deployment(securityContext=own))) == {}


# -- placeholders ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *("changeme", "CHANGE_ME", "replace-me", "xxxx", "TODO", "your-domain", "<your key>"),
        *("https://example.com/a", "${TAG}", "{{ tag }}", "a placeholder"),
    ],
)
def test_placeholders_are_told_wherever_they_stand(looked: Looked, text: str) -> None:
    found = looked(deployment(env=[{"name": "A", "value": text}]))
    assert len(found.placeholders) == 1


def test_a_digest_of_one_character_is_none(looked: Looked) -> None:
    assert looked(deployment(image=f"web@sha256:{'0' * 64}")).placeholders


@pytest.mark.parametrize(
    "text", ["exec ${PORT:-8000} {{ x }}", "a < b > c", "xx", "todos", "my-place"]
)
def test_scripts_and_texts_that_others_render_are_none(looked: Looked, text: str) -> None:
    config = made("v1", "ConfigMap", "c", data={"a.sh": text})
    assert wrong(looked(deployment(args=["-c", text]), config)) == {}


# -- the cluster's own word --------------------------------------------------------------------


def test_what_the_clusters_dry_run_refuses_is_told(
    looked: Looked, tmp_path: Path, env_with: EnvWith
) -> None:
    answers = {"/version": {"major": "1"}, "dry-run=server": {}}
    kubectl = answering(tmp_path / "kubectl", answers)
    found = looked(deployment(), cluster=True, kubectl=[kubectl])
    assert (found.refused, found.asked) == ((), 1)
    refusing = answering(tmp_path / "kubectl", {"/version": {}})
    found = looked(deployment(), cluster=True, kubectl=[refusing])
    assert found.refused == ("manifests: Unable to connect to the server",)
    dead = answering(tmp_path / "kubectl", {})
    found = looked(deployment(), cluster=True, kubectl=[dead])
    assert isinstance(found.refused, Unseen)
    assert wrong(looked(deployment(), cluster=False)) == {}


def test_what_was_validated_is_on_record_with_its_digest(looked: Looked) -> None:
    found = looked(deployment())
    assert list(found.digests) == ["a.yaml"]
    assert all(len(digest) == 64 for digest in found.digests.values())
