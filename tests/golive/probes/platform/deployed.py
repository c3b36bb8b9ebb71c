"""Checkouts on disk, and what the probes of manifests make of them."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from golive.environments import Environment
from golive.probes.platform import checkout as checkouts
from golive.probes.platform.checkout import Checkout
from golive.probes.platform.manifests import Manifests, manifests

EnvWith = Callable[..., Environment]
IMAGE = "registry.test/app:1@sha256:" + "a1b2c3d4" * 8


def lay(root: Path, files: Mapping[str, str]) -> Path:
    """Write files below a folder."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def look(root: Path, files: Mapping[str, str]) -> Checkout:
    """The checkout that these files are."""
    return checkouts.look(lay(root, files))


def said(*objects: Mapping[str, Any]) -> str:
    """Objects as a file of manifests."""
    return yaml.safe_dump_all([dict(o) for o in objects], sort_keys=False)


def deployment(name: str = "web", **changes: Any) -> dict[str, Any]:
    """A sound Deployment; ``changes`` go to its container, ``pod``, ``spec`` and ``labels``."""
    pod, spec = changes.pop("pod", {}), changes.pop("spec", {})
    labels = changes.pop("labels", {"app": name})
    probe = {"httpGet": {"path": "/health", "port": "http"}}
    container: dict[str, Any] = {
        "name": name,
        "image": IMAGE,
        "ports": [{"name": "http", "containerPort": 8000}],
        "readinessProbe": probe,
        "livenessProbe": probe,
        "resources": {"requests": {"cpu": "500m", "memory": "512Mi"}},
        "securityContext": {"runAsNonRoot": True},
        **changes,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [container], **pod},
            },
            **spec,
        },
    }


def made(api: str, kind: str, name: str = "web", **rest: Any) -> dict[str, Any]:
    """An object of a kind."""
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name}, **rest}


def service(name: str = "web", port: object = "http", **selector: str) -> dict[str, Any]:
    """A Service before a Deployment."""
    ports = [{"name": "http", "port": 80, "targetPort": port}]
    return made("v1", "Service", name, spec={"selector": selector or {"app": name}, "ports": ports})


KUBERNETES: dict[str, Any] = {
    "version": "1.33",
    "namespace": "shop",
    "cluster": False,
    "probe_paths": {"web": ["/health"]},
}


def environment(env_with: EnvWith, root: Path, **kubernetes: Any) -> Environment:
    """An environment with that checkout."""
    return env_with(deploy={"checkout": str(root)}, kubernetes={**KUBERNETES, **kubernetes})


def applied(env: Environment) -> Manifests:
    """What its checkout would apply."""
    return manifests(env, checkouts.checkout(env))


def program(path: Path, body: str) -> str:
    """A program of the test's own, in Python."""
    path.write_text(f"#!{sys.executable}\n{body}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def answering(path: Path, answers: Mapping[str, object]) -> str:
    """A stand-in for kubectl: JSON by a word of its arguments; else it fails."""
    text = json.dumps(dict(answers))
    return program(
        path,
        f"import json, sys\nanswers = json.loads({text!r})\n"
        "for word, answer in answers.items():\n"
        "    if word in ' '.join(sys.argv[1:]):\n"
        "        print(json.dumps(answer)); sys.exit(0)\n"
        "print('Unable to connect to the server', file=sys.stderr); sys.exit(1)",
    )
