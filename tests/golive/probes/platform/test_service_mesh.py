"""Meshes that are declared, and traces of one that is not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from golive.probes.platform.service_mesh import ServiceMesh, service_mesh
from golive.verdicts import ProbeError, Unseen
from tests.golive.probes.platform.deployed import (
    KUBERNETES,
    EnvWith,
    answering,
    applied,
    deployment,
    lay,
    made,
    said,
    service,
)

Looked = Callable[..., ServiceMesh]
SPACE = made("v1", "Namespace", "shop")
STRICT = made(
    "security.istio.io/v1", "PeerAuthentication", "all", spec={"mtls": {"mode": "STRICT"}}
)


@pytest.fixture
def looked(env_with: EnvWith, tmp_path: Path) -> Looked:
    """Look at some objects, for an environment that declares a mesh or none."""

    def look(*objects: dict[str, Any], mesh: dict[str, Any] | None = None, **keys: Any) -> Any:
        root = lay(tmp_path / "c", {"a.yaml": said(*objects)})
        env = env_with(
            deploy={"checkout": str(root)}, kubernetes={**KUBERNETES, **keys}, mesh=mesh or {}
        )
        return service_mesh(env, applied(env))

    return look


def annotated(**annotations: str) -> dict[str, Any]:
    one = deployment()
    keys = {k.replace("__", "/").replace("_", "."): v for k, v in annotations.items()}
    one["spec"]["template"]["metadata"]["annotations"] = keys
    return one


def labelled(space: dict[str, Any], **labels: str) -> dict[str, Any]:
    return {**space, "metadata": {**space["metadata"], "labels": labels}}


def with_proxy(name: str = "istio-proxy", image: str = "x") -> dict[str, Any]:
    one = deployment()
    one["spec"]["template"]["spec"]["containers"].append({"name": name, "image": image})
    return one


# -- none is declared --------------------------------------------------------------------------


def test_no_mesh_leaves_no_trace(looked: Looked) -> None:
    found = looked(deployment(), service(), SPACE)
    assert (found.traces, found.name) == ((), "")
    assert len(found.objects) == 3


@pytest.mark.parametrize(
    ("one", "told"),
    [
        (annotated(sidecar_istio_io__inject="true"), "has sidecar.istio.io/inject on its pods"),
        (annotated(linkerd_io__inject="enabled"), "has linkerd.io/inject on its pods"),
        (labelled(SPACE, **{"istio-injection": "enabled"}), "has istio-injection"),
        (STRICT, "is a resource of istio.io"),
        (made("networking.istio.io/v1", "VirtualService", spec={}), "is a resource of istio.io"),
        (made("policy.linkerd.io/v1beta3", "Server", spec={}), "is a resource of linkerd.io"),
        (with_proxy(), "is a mesh's sidecar"),
        (with_proxy("proxy", "docker.io/istio/proxyv2:1.24"), "is a mesh's sidecar"),
    ],
)
def test_traces_of_a_mesh(looked: Looked, one: dict[str, Any], told: str) -> None:
    traces = looked(deployment("other"), one).traces
    assert len(traces) == 1, traces
    assert told in traces[0]


def test_running_pods_are_looked_at_where_there_is_a_cluster(
    looked: Looked, tmp_path: Path
) -> None:
    def pods(*names: str) -> list[str]:
        containers = [{"name": n, "image": "x"} for n in names]
        pod = {"metadata": {"name": "web-1"}, "spec": {"containers": containers}}
        return [answering(tmp_path / "kubectl", {"pods": {"items": [pod]}})]

    assert looked(deployment(), cluster=True, kubectl=pods("web")).traces == ()
    traces = looked(deployment(), cluster=True, kubectl=pods("web", "istio-proxy")).traces
    assert traces == ("the running pod web-1 has the sidecar istio-proxy",)
    dead = [answering(tmp_path / "kubectl", {})]
    assert isinstance(looked(deployment(), cluster=True, kubectl=dead).traces, Unseen)
    nobody = [answering(tmp_path / "kubectl", {"pods": {"items": []}})]
    assert isinstance(looked(deployment(), cluster=True, kubectl=nobody).traces, Unseen)


def test_a_chart_that_is_not_rendered_may_hold_a_trace(looked: Looked, tmp_path: Path) -> None:
    lay(tmp_path / "c", {"ch/Chart.yaml": "name: x\n", "ch/values-staging.yaml": ""})
    assert isinstance(looked(deployment(), helm=["no-such-helm"]).traces, Unseen)
    assert len(looked(with_proxy(), helm=["no-such-helm"]).traces) == 1
    found = looked(with_proxy(), helm=["no-such-helm"], mesh={"name": "istio"})
    assert isinstance(found.without_sidecar, Unseen)


# -- one is declared ---------------------------------------------------------------------------

ISTIO = {"name": "istio"}


@pytest.mark.parametrize(
    ("one", "space", "is_in"),
    [
        (deployment(), SPACE, False),
        (deployment(), labelled(SPACE, **{"istio-injection": "enabled"}), True),
        (deployment(), labelled(SPACE, **{"istio.io/rev": "stable"}), True),
        (deployment(), labelled(SPACE, **{"istio.io/dataplane-mode": "ambient"}), True),
        (
            annotated(sidecar_istio_io__inject="false"),
            labelled(SPACE, **{"istio-injection": "enabled"}),
            False,
        ),
        (annotated(sidecar_istio_io__inject="true"), SPACE, True),
        (with_proxy(), SPACE, True),
    ],
)
def test_workloads_in_the_mesh(
    looked: Looked, one: dict[str, Any], space: dict[str, Any], is_in: bool
) -> None:
    found = looked(one, space, STRICT, mesh=ISTIO)
    assert (not found.without_sidecar) is is_in
    assert found.workloads == ("Deployment/web",)


@pytest.mark.parametrize(
    ("objects", "told"),
    [
        ([], "no PeerAuthentication makes shop STRICT"),
        ([STRICT], ""),
        ([{**STRICT, "spec": {"mtls": {"mode": "PERMISSIVE"}}}], "is PERMISSIVE"),
        ([{**STRICT, "spec": {"mtls": {"mode": "DISABLE"}}}], "is DISABLE"),
        (
            [
                {
                    **STRICT,
                    "spec": {
                        "mtls": {"mode": "STRICT"},
                        "portLevelMtls": {8000: {"mode": "PERMISSIVE"}},
                    },
                }
            ],
            "is PERMISSIVE at port 8000",
        ),
        ([{**STRICT, "metadata": {"name": "all", "namespace": "istio-system"}}], ""),
        (
            [{**STRICT, "spec": {**STRICT["spec"], "selector": {"matchLabels": {"app": "web"}}}}],
            "no PeerAuthentication makes shop STRICT",
        ),
    ],
)
def test_mutual_tls_of_istio(looked: Looked, objects: list[dict[str, Any]], told: str) -> None:
    found = looked(with_proxy(), SPACE, *objects, mesh=ISTIO).not_strict
    assert bool(found) is bool(told)
    assert not told or told in found[0]


def test_linkerd_is_strict_where_nothing_else_gets_in(looked: Looked) -> None:
    space = made("v1", "Namespace", "shop")
    one = annotated(linkerd_io__inject="enabled")
    found = looked(one, space, mesh={"name": "linkerd"})
    assert found.without_sidecar == ()
    assert "by default" in found.not_strict[0]
    key = "config.linkerd.io/default-inbound-policy"
    space["metadata"]["annotations"] = {key: "all-authenticated"}
    assert looked(one, space, mesh={"name": "linkerd"}).not_strict == ()


def route(host: str, subset: str = "") -> dict[str, Any]:
    to = {"host": host, **({"subset": subset} if subset else {})}
    spec = {"hosts": ["x"], "http": [{"route": [{"destination": to}]}]}
    return made("networking.istio.io/v1", "VirtualService", spec=spec)


def subsets(**labels: str) -> dict[str, Any]:
    spec = {"host": "web", "subsets": [{"name": "v2", "labels": labels}]}
    return made("networking.istio.io/v1", "DestinationRule", spec=spec)


@pytest.mark.parametrize(
    ("objects", "why"),
    [
        ([route("web")], ""),
        ([route("web.shop.svc.cluster.local")], ""),
        ([route("wed")], "no Service has that name"),
        ([route("web.other")], "no Service has that name"),
        ([route("web", "v2")], "no DestinationRule has its subset v2"),
        ([route("web", "v2"), subsets(app="web")], ""),
        ([route("web.shop.svc.cluster.local", "v2"), subsets(app="web")], ""),
        ([route("web", "v2"), subsets(app="gone")], "no pod has the labels"),
    ],
)
def test_destinations_of_routes(looked: Looked, objects: list[dict[str, Any]], why: str) -> None:
    found = looked(with_proxy(), service(), SPACE, STRICT, *objects, mesh=ISTIO)
    assert len(found.routes) == 1
    assert bool(found.lost_routes) is bool(why)
    assert not why or why in found.lost_routes[0]


@pytest.fixture
def port() -> Iterator[int]:
    """Of a server that answers plain HTTP."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_ports_that_answer_plain_http(looked: Looked, port: int, dead_port: int) -> None:
    def plain(*ports: int) -> Any:
        at = [f"127.0.0.1:{p}" for p in ports]
        mesh = {"name": "istio", "plaintext": at}
        return looked(with_proxy(), SPACE, STRICT, mesh=mesh).open_to_plain

    assert plain(port) == [f"127.0.0.1:{port} answers HTTP 200"]
    assert isinstance(plain(dead_port), Unseen)
    assert isinstance(plain(), Unseen)


def test_a_port_that_hangs_up_on_plain_http_refuses_it(looked: Looked) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        at = f"127.0.0.1:{listener.getsockname()[1]}"
        threading.Thread(target=lambda: listener.accept()[0].close(), daemon=True).start()
        mesh = {"name": "istio", "plaintext": [at]}
        assert looked(with_proxy(), SPACE, STRICT, mesh=mesh).open_to_plain == []


def test_without_manifests_it_cannot_be_looked_at(env_with: EnvWith, tmp_path: Path) -> None:
    root = lay(tmp_path / "c", {"Dockerfile": "FROM x\n"})
    env = env_with(deploy={"checkout": str(root)}, kubernetes=KUBERNETES)
    with pytest.raises(ProbeError):
        service_mesh(env, applied(env))
