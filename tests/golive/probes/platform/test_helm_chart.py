"""The chart, with helm itself: broken templates, differences, values left out, upgrades."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from golive.environments import Environment
from golive.probes.platform import checkout as checkouts
from golive.probes.platform.helm_chart import HelmChart, helm_chart
from golive.verdicts import ProbeError, Unseen
from rehearsal.kernel import binaries
from rehearsal.kernel.errors import RehearsalError
from tests.golive.probes.platform.deployed import KUBERNETES, EnvWith, applied, lay

TEMPLATE = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - {name: web, image: "{{ required "no image" .Values.image }}"}
"""
FILES = {
    "chart/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 2.0.0\nappVersion: '2.0.0'\n",
    "chart/values.yaml": "replicas: 2\n",
    "chart/values-staging.yaml": "image: a\nreplicas: 1\n",
    "chart/values-production.yaml": "image: b\n",
    "chart/templates/web.yaml": TEMPLATE,
}
DIFFERS = ["Deployment/*: spec.replicas", "Deployment/*: spec.template.spec.containers[*].image"]
Looked = Callable[..., HelmChart]


@pytest.fixture(scope="module")
def helm() -> str:
    try:
        return str(binaries.find("helm").path)
    except RehearsalError as e:
        pytest.skip(str(e))


@pytest.fixture
def looked(env_with: EnvWith, tmp_path: Path, helm: str) -> Looked:
    """Look at a chart that was FILES at v1.9.0 and has some of them changed since."""

    def look(
        changes: Mapping[str, str] | None = None,
        before: Mapping[str, str] | None = None,
        **kubernetes: Any,
    ) -> HelmChart:
        root = tmp_path / f"c{len(list(tmp_path.iterdir()))}"
        lay(root, {**FILES, **(before or {})})
        git(root, "init", "-q")
        git(root, "add", ".")
        git(root, "commit", "-qm", "before")
        git(root, "tag", "v1.9.0")
        lay(root, {**FILES, **(changes or {})})
        tags = {"tag": "v2.0.0", "previous_tag": kubernetes.pop("previous", "v1.9.0")}
        keys = {"helm": [helm], "differs": DIFFERS, "required_values": ["image"], **kubernetes}
        env: Environment = env_with(
            deploy={"checkout": str(root)},
            kubernetes={**KUBERNETES, **keys},
            release={"repository": str(root), **tags},
        )
        return helm_chart(env, checkouts.checkout(env), applied(env))

    return look


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def test_a_sound_chart(looked: Looked) -> None:
    found = looked()
    assert found == HelmChart(
        folder="chart",
        app_version="2.0.0",
        environments=("production", "staging"),
        lint_errors=(),
        broken=(),
        differences=(),
        compared=1,
        optional=(),
        required=1,
        previous_version="2.0.0",
        frozen_changes=(),
        upgraded=1,
        digests=found.digests,
    )


def test_the_charts_files_are_on_record_with_their_digests(looked: Looked) -> None:
    found = looked()
    assert any(path.endswith("Chart.yaml") for path in found.digests)
    assert all(path.startswith(f"{found.folder}/") for path in found.digests)


def test_a_template_that_fails_for_one_environment(looked: Looked) -> None:
    broken = '{{ if eq .Values.image "b" }}{{ fail "not here" }}{{ end }}' + TEMPLATE
    found = looked({"chart/templates/web.yaml": broken})
    assert isinstance(found.broken, tuple)
    assert len(found.broken) == 1
    assert found.broken[0].startswith("production: ")
    assert "not here" in found.broken[0]
    assert not isinstance(found.differences, Unseen)  # staging is this environment


def test_what_lint_finds(looked: Looked) -> None:
    found = looked({"chart/Chart.yaml": "apiVersion: v2\nname: shop\nversion: two\n"})
    assert "is not a valid SemVer" in str(found.lint_errors)


def test_differences_beyond_the_declared_ones(looked: Looked) -> None:
    found = looked(differs=["Deployment/*: spec.replicas"])
    assert found.differences == (
        "Deployment/web: spec.template.spec.containers.0.image (staging and production)",
    )
    extra = '{{ if eq .Values.image "b" }}\n---\napiVersion: v1\nkind: Secret\n'
    extra += "metadata: {name: s}\n{{ end }}"
    found = looked({"chart/templates/more.yaml": extra})
    assert found.differences == ("Secret/s (staging and production)",)
    allowed = [*DIFFERS, "Secret/s"]
    assert looked({"chart/templates/more.yaml": extra}, differs=allowed).differences == ()


def test_values_that_turn_out_to_be_optional(looked: Looked) -> None:
    assert looked(required_values=["image", "replicas"]).optional == ("replicas",)
    assert isinstance(looked(required_values=[]).optional, Unseen)


def test_an_upgrade_that_changes_what_nobody_may(looked: Looked) -> None:
    template = TEMPLATE.replace("matchLabels: {app: web}", "matchLabels: {a: b}")
    about = FILES["chart/Chart.yaml"].replace("2.0.0'", "1.9.0'")
    found = looked(before={"chart/templates/web.yaml": template, "chart/Chart.yaml": about})
    assert found.previous_version == "1.9.0"
    assert "Deployment/web changes spec.selector" in str(found.frozen_changes)


def test_what_helm_deletes_and_makes_again_may_change(looked: Looked) -> None:
    hook = "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: j\n  annotations: "
    hook += "{helm.sh/hook: pre-upgrade}\nspec: {template: {spec: {restartPolicy: Never}}}\n"
    plain = hook.replace("{helm.sh/hook: pre-upgrade}", "{}")
    now, was = (
        {"chart/templates/j.yaml": hook.replace("Never", "OnFailure")},
        {"chart/templates/j.yaml": hook},
    )
    assert looked(now, was).frozen_changes == ()
    changed = {"chart/templates/j.yaml": plain.replace("Never", "OnFailure")}
    assert "spec.template" in str(looked(changed, {"chart/templates/j.yaml": plain}).frozen_changes)


def test_a_release_that_had_no_chart_is_unseen(looked: Looked) -> None:
    empty = looked(before={"chart/Chart.yaml": ""})
    assert isinstance(empty.previous_version, Unseen)
    gone = looked(previous="v0.1")
    assert isinstance(gone.previous_version, Unseen)
    assert isinstance(gone.frozen_changes, Unseen)


def test_which_values_are_this_environments_has_to_be_told(looked: Looked) -> None:
    values = {"chart/values-staging.yaml": "", "chart/values-live.yaml": "image: a\n"}
    found = looked(values, environments={"live": ["chart/values-live.yaml"]})
    assert isinstance(found.differences, Unseen)
    assert isinstance(found.optional, Unseen)
    named = looked(values, environments={"live": ["chart/values-live.yaml"]}, environment="live")
    assert named.optional == ()


def test_without_helm_nothing_is_looked_at(looked: Looked) -> None:
    with pytest.raises(ProbeError, match="cannot be started"):
        looked(helm=["no-such-helm"])


def test_nothing_of_this_users_helm_decides(
    looked: Looked, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HELM_CONFIG_HOME", str(tmp_path / "gone"))
    monkeypatch.setenv("HELM_NAMESPACE", "other")
    assert looked().broken == ()
