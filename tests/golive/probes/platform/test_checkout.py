"""Checkouts of several layouts: what is found, and which references lead nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from golive.probes.platform import checkout as c
from golive.verdicts import ProbeError
from rehearsal.data.product import SOURCE
from tests.golive.probes.platform.deployed import deployment, lay, look, said


def kinds(found: c.Checkout) -> dict[str, str]:
    return {f.path: f.kind for f in found.files}


def test_the_reference_products_artefacts_are_all_told() -> None:
    found = c.look(SOURCE)
    assert {f.kind for f in found.files} >= {
        *(c.MANIFESTS, c.CHARTS, c.TEMPLATES, c.VALUES, c.COMPOSE, c.DOCKERFILES, c.WORKFLOWS),
        *(c.TERRAFORM, c.NGINX, c.BLUEPRINTS),
    }
    assert found.flaws == ()


def test_other_layouts_are_told_by_name_and_content(tmp_path: Path) -> None:
    found = look(
        tmp_path,
        {
            "deploy/prod/app.yml": said(deployment()),
            "deploy/prod/app.json": '{"apiVersion": "v1", "kind": "Namespace"}',
            "package.json": "{}",
            "ops/stack.yaml": "services:\n  web: {image: x}\n",
            "ops/alerts.yaml": "groups:\n  - name: a\n    rules: []\n",
            "build/web.Dockerfile": "FROM x\n",
            "Containerfile": "FROM x\n",
            ".gitlab-ci.yml": "stages: []\n",
            ".env.production": "A=1\n",
            "proxy/nginx/site.conf": "server {}\n",
            "infra/main.tf.json": "{}",
            "overlays/a/kustomization.yaml": "resources: []\n",
            "pkg/chart/Chart.yaml": "name: a\n",
            "pkg/chart/values/production.yaml": "a: 1\n",
            "pkg/chart/templates/a.yaml": "a: {{ .Values.a }}\n",
            "docs/notes.yaml": "a: 1\n",
            "mkdocs.yml": "services: none\n",
            "node_modules/x/Dockerfile": "FROM x\n",
            ".git/hooks/compose.yaml": "services: {}\n",
        },
    )
    assert kinds(found) == {
        "deploy/prod/app.yml": c.MANIFESTS,
        "deploy/prod/app.json": c.MANIFESTS,
        "ops/stack.yaml": c.COMPOSE,
        "ops/alerts.yaml": c.PROMETHEUS,
        "build/web.Dockerfile": c.DOCKERFILES,
        "Containerfile": c.DOCKERFILES,
        ".gitlab-ci.yml": c.WORKFLOWS,
        ".env.production": c.ENVIRONMENTS,
        "proxy/nginx/site.conf": c.NGINX,
        "infra/main.tf.json": c.TERRAFORM,
        "overlays/a/kustomization.yaml": c.KUSTOMIZATIONS,
        "pkg/chart/Chart.yaml": c.CHARTS,
        "pkg/chart/values/production.yaml": c.VALUES,
        "pkg/chart/templates/a.yaml": c.TEMPLATES,
    }
    assert found.flaws == ()


def test_a_broken_manifest_is_one_with_a_flaw(tmp_path: Path) -> None:
    found = look(tmp_path, {"k8s/a.yaml": "apiVersion: v1\nkind: [\n"})
    assert kinds(found) == {"k8s/a.yaml": c.MANIFESTS}
    assert found.flaws_of(c.MANIFESTS)[0].startswith("k8s/a.yaml:3: is no YAML")
    assert found.flaws_of(c.COMPOSE) == []


def test_a_file_that_is_no_text_or_too_large_is_not_taken_for_missing(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_bytes(b"FROM \xff\n")
    (tmp_path / "compose.yaml").write_bytes(b"#" * (3 * 2**20))
    (tmp_path / "blob.json").write_bytes(b"\xff")
    found = c.look(tmp_path)
    assert {f.path for f in found.files} == {"Dockerfile", "compose.yaml"}
    assert len(found.flaws) == 2


def test_links_that_lead_out_of_the_checkout_are_no_part_of_it(tmp_path: Path) -> None:
    outside = lay(tmp_path / "outside", {"Dockerfile": "FROM x\n"})
    root = lay(tmp_path / "root", {"compose.yaml": "services: {}\n"})
    (root / "Dockerfile").symlink_to(outside / "Dockerfile")
    (root / "Containerfile").symlink_to(root / "nobody")
    assert set(kinds(c.look(root))) == {"compose.yaml", "Containerfile"}


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("web/Dockerfile", "FROM x\nCOPY gone.txt /\n", 2),
        ("web/Dockerfile", 'FROM x\nCOPY ["gone.txt", "a b", "/"]\n', 2),
        ("web/Dockerfile", "FROM x\nRUN a\\\n b\nADD --chown=1:1 \\\n  gone.txt \\\n  /\n", 4),
        ("compose.yaml", "services:\n  a:\n    build: ./gone\n", 3),
        (
            "compose.yaml",
            "services:\n  a:\n    build:\n      context: .\n      dockerfile: G\n",
            5,
        ),
        ("compose.yaml", "services:\n  a:\n    image: x\n    env_file: [gone.env]\n", 4),
        ("k/kustomization.yaml", "resources:\n  - ../gone\n", 2),
        ("k/kustomization.yaml", "patches:\n  - path: gone.yaml\n", 2),
        (".github/workflows/a.yml", "jobs:\n  a:\n    steps:\n      - uses: ./gone\n", 4),
        ("render.yaml", "services:\n  - type: web\n    dockerfilePath: ./gone\n", 3),
    ],
)
def test_references_to_files_that_are_not_there(
    tmp_path: Path, name: str, text: str, line: int
) -> None:
    found = look(tmp_path, {name: text})
    assert [(f.place.path, f.place.line) for f in found.flaws][:1] == [(name, line)]
    assert "is not in the checkout" in str(found.flaws[0])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("web/Dockerfile", "FROM x AS b\nCOPY --from=b /a /b\nCOPY there.txt $FILE /x/\n"),
        ("web/Dockerfile", "FROM x\nCOPY *.txt /\nCOPY . /\nADD https://x.test/a /a\n"),
        ("web/Dockerfile", "FROM x\nCOPY <<EOF /a\nhello\nEOF\n"),
        ("compose.yaml", "services:\n  a:\n    build: ${DIR}\n  b:\n    build: https://x.test/a\n"),
        ("compose.yaml", "services:\n  a:\n    env_file: [{path: gone, required: false}]\n"),
        ("k/kustomization.yaml", "resources: [https://x.test/a, github.com/o/r/p?ref=v1]\n"),
        ("k/kustomization.yaml", "resources: [../web]\n"),
        (".github/workflows/a.yml", "jobs: {a: {steps: [{uses: actions/checkout@v4}]}}\n"),
        ("render.yaml", "services:\n  - {rootDir: web, dockerfilePath: ./there.txt}\n"),
    ],
)
def test_references_that_lead_somewhere_or_out_of_the_checkout(
    tmp_path: Path, name: str, text: str
) -> None:
    found = look(tmp_path, {"web/there.txt": "", "there.txt": "", name: text})
    assert found.flaws == ()


def test_a_folder_that_is_not_there_or_holds_nothing_cannot_be_looked_at(tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match="no such folder"):
        c.look(tmp_path / "gone")
    with pytest.raises(ProbeError, match="none of its 1 files is a deploy artefact"):
        look(tmp_path, {"README.md": "hello"})


def test_what_a_product_does_not_have_is_not_an_empty_list(tmp_path: Path) -> None:
    found = look(tmp_path, {"Dockerfile": "FROM x\n"})
    assert found.needed(c.DOCKERFILES)
    with pytest.raises(ProbeError, match="the checkout has none"):
        found.needed(c.MANIFESTS)
