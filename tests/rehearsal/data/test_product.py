"""The product's deploy artefacts, as each release has them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from rehearsal.data import product
from rehearsal.kernel import binaries
from rehearsal.kernel.errors import RehearsalError

CHART = "helm/bookedbarber"


def test_an_earlier_release_has_its_version_and_other_images(tmp_path: Path) -> None:
    now, then = tmp_path / "now", tmp_path / "then"
    product.lay_out(now, product.CANDIDATE)
    product.lay_out(then, "1.9.0")
    same = [p.relative_to(now) for p in now.rglob("*") if p.is_file()]
    assert {p.relative_to(then) for p in then.rglob("*") if p.is_file()} == set(same)
    assert product.CANDIDATE not in (then / CHART / "Chart.yaml").read_text()
    image = re.compile(r"backend:production-v\S+@(sha256:\w+)")
    digests = [set(image.findall((f / "k8s/backend.yaml").read_text())) for f in (now, then)]
    assert all(len(d) == 1 for d in digests)
    assert digests[0] != digests[1]


def test_the_plain_manifests_are_the_charts_for_production() -> None:
    """Run helm template, and lay its output out anew where they differ."""
    try:
        helm = binaries.find("helm").path
    except RehearsalError as e:
        pytest.skip(str(e))
    values = product.SOURCE / CHART / "values-production.yaml"
    chart = str(product.SOURCE / CHART)
    words = [str(helm), "template", "bookedbarber", chart, "-n", "bookedbarber"]
    done = subprocess.run([*words, "-f", str(values)], capture_output=True, text=True, check=True)
    plain = "\n---\n".join(p.read_text() for p in (product.SOURCE / "k8s").glob("*.yaml"))

    def objects(text: str) -> dict[tuple[str, str], object]:
        found = [one for one in yaml.safe_load_all(text) if one]
        return {(o["kind"], o["metadata"]["name"]): o for o in found if o["kind"] != "Namespace"}

    assert objects(plain) == objects(done.stdout)
