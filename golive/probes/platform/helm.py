"""The chart, as the helm program itself lints and renders it."""

from __future__ import annotations

import os
import posixpath
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from golive.environments import Environment
from golive.probes.platform.checkout import CHARTS, VALUES, Checkout
from golive.probes.transport import commands
from golive.verdicts import ProbeError

_VALUES = re.compile(r"values[-_.](?P<after>[\w-]+)\.ya?ml|(?P<before>[\w-]+)[-_.]values\.ya?ml")
_NO_ENVIRONMENTS = frozenset({"ci", "default", "defaults", "example", "schema", "test", "tests"})
_FOLDERS = frozenset({"values", "environments", "envs", "env"})


@dataclass(frozen=True, slots=True)
class Rendering:
    """What the chart renders to: each document with the template that it comes from."""

    parts: tuple[tuple[str, str], ...] = field(repr=False)


def the_chart(env: Environment, checkout: Checkout) -> str:
    """The folder of the product's chart.

    :raises ProbeError: there is none, or it is not said which of several is meant.
    """
    folders = [f.folder for f in checkout.needed(CHARTS)]
    declared = env.kubernetes.chart.strip("/")
    if declared:
        if declared not in folders:
            raise ProbeError(
                f"the chart {declared}",
                f"the checkout has none there; it has {', '.join(folders)}",
                "check kubernetes.chart in the environment file",
            )
        return declared
    # What lies below another's charts/ is a part of that one.
    own = [f for f in folders if not any(f.startswith(f"{o}/") for o in folders if o != f)]
    if len(own) != 1:
        raise ProbeError(
            f"the chart in {checkout.root}",
            f"there are {len(own)}: {', '.join(own)}",
            "name the product's in kubernetes.chart",
        )
    return own[0]


def environments_of(
    env: Environment, checkout: Checkout, chart: str
) -> Mapping[str, Sequence[str]]:
    """The values files of each environment, from the checkout's root, by its name.

    :raises ProbeError: none is declared, and none is told by its name.
    """
    declared = env.kubernetes.environments
    if declared:
        lacking = sorted(
            {
                f
                for files in declared.values()
                for f in files
                if not Path(checkout.root, f).is_file()
            }
        )
        if lacking:
            raise ProbeError(
                f"values of the chart {chart}",
                f"the checkout lacks {', '.join(lacking)}",
                "check kubernetes.environments in the environment file",
            )
        return declared
    found: dict[str, list[str]] = {}
    for file in checkout.of(VALUES):
        inner = posixpath.relpath(file.path, chart or ".")
        name = posixpath.basename(inner)
        match = _VALUES.fullmatch(name)
        folders = posixpath.dirname(inner).split("/")
        told = (match["after"] or match["before"]) if match else ""
        if not told and folders[0] in _FOLDERS:
            told = folders[1] if len(folders) > 1 else posixpath.splitext(name)[0]
        if told and told not in _NO_ENVIRONMENTS and folders[0] not in ("charts", "ci"):
            found.setdefault(told, []).append(file.path)
    if not found:
        raise ProbeError(
            f"values of the chart {chart}",
            "no file is named after an environment, as values-production.yaml is",
            "name each environment's files in kubernetes.environments",
        )
    return found


def render(
    env: Environment, checkout: Checkout, chart: str, values: Sequence[str], *, root: str = ""
) -> Rendering:
    """The chart with some values, as helm would install it into the declared cluster.

    :param values: files from the root, the one that decides last.
    :param root: another folder to take chart and values from than the checkout.
    :raises HelmRefused: helm refuses to.
    :raises ProbeError: there is no helm here.
    """
    base = Path(root or checkout.root)
    return render_files(env, base / chart, [base / v for v in values])


def render_files(env: Environment, chart: Path, values: Sequence[Path]) -> Rendering:
    """As :func:`render`, of files anywhere."""
    k8s = env.kubernetes
    words = ["template", k8s.release, str(chart), "--namespace", k8s.namespace]
    words += ["--kube-version", k8s.version, "--include-crds"]
    text = run(env, *words, *(w for v in values for w in ("--values", str(v))))
    parts = []
    for document in re.split(r"^---(?:[ \t].*)?$", text, flags=re.MULTILINE):
        source = re.search(r"^# Source: (\S+)$", document, re.MULTILINE)
        if document.strip():
            # The place within the rendering says nothing; that within the document does.
            body = document.strip("\n").partition("\n")[2] if source else document
            parts.append((source[1] if source else "", body))
    return Rendering(tuple(parts))


class HelmRefused(ProbeError):
    """helm ran and refused; ``reason`` is what it said."""

    def __init__(self, verb: str, reason: str) -> None:
        super().__init__(f"helm {verb}", reason, f"run helm {verb} by hand")
        self.reason = reason


def run(env: Environment, *words: str) -> str:
    """What helm prints.

    :raises HelmRefused: it ends with a failure.
    :raises ProbeError: there is none here, or it does not end.
    """
    done = _ended(env, *words)
    if done.failure:
        told = re.findall(r"^\[ERROR\] (.+)$", done.content.decode(errors="replace"), re.MULTILINE)
        raise HelmRefused(words[0], "; ".join(told) or done.failure.removeprefix("Error: "))
    return done.content.decode(errors="replace")


def there_is_one(env: Environment) -> None:
    """:raises ProbeError: there is no helm that runs."""
    done = _ended(env, "version", "--short")
    if done.failure:
        raise ProbeError("helm", done.failure, _INSTALL)


_INSTALL = "install helm, or name it in kubernetes.helm"


def _ended(env: Environment, *words: str) -> commands.Piped:
    escaped = [w.replace("{", "{{").replace("}", "}}") for w in words]
    with tempfile.TemporaryDirectory() as home:
        # Nothing of this user's repositories, plugins or defaults decides what is rendered.
        homes = {f"HELM_{name}_HOME": home for name in ("CONFIG", "CACHE", "DATA")}
        done = commands.pipe(
            [*env.kubernetes.helm, *escaped],
            {},
            b"",
            key="kubernetes.helm",
            within_s=env.time_limits.probe,
            environment={**os.environ, **homes},
        )
    if done.is_stopped:
        raise ProbeError(f"helm {words[0]}", done.failure, "run it by hand")
    return done
