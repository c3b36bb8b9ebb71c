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


# -- what is no YAML, and services that none defines -------------------------------------------


def flaws(tmp_path: Path, files: dict[str, str]) -> list[str]:
    return [str(f) for f in look(tmp_path, files).flaws]


SITE = "upstream app { server web:3000; }\nserver { location / { proxy_pass http://app; } }\n"


def test_nginx_is_read_as_nginx_does(tmp_path: Path) -> None:
    assert flaws(tmp_path, {"nginx/site.conf": SITE}) == []
    sounder = SITE.replace("server { l", "server { listen 443 quic; brotli on; http2 on; l")
    assert flaws(tmp_path, {"nginx/site.conf": sounder}) == []
    (found,) = flaws(tmp_path, {"nginx/site.conf": SITE[:-3]})
    assert found.startswith("nginx/site.conf:")
    assert "nginx would not read it" in found


@pytest.mark.parametrize("named", ["appp", "appp:80/x"])
def test_nginx_sends_to_what_there_is(tmp_path: Path, named: str) -> None:
    astray = SITE.replace("http://app;", f"http://{named};")
    compose = "services:\n  web: {image: x}\n"
    (found,) = flaws(tmp_path, {"nginx/site.conf": astray, "compose.yaml": compose})
    said = "sends to appp, which no upstream, Compose or Kubernetes service is"
    assert found == f"nginx/site.conf:2: {said}"
    here = compose.replace("web:", "appp:")
    assert flaws(tmp_path, {"nginx/site.conf": astray, "compose.yaml": here}) == []


@pytest.mark.parametrize("named", ["$backend", "http://api.example.net", "http://unix:/run/a.sock"])
def test_what_nginx_finds_by_itself_is_not_judged(tmp_path: Path, named: str) -> None:
    there = SITE.replace("http://app;", f"{named};")
    compose = "services:\n  web: {image: x}\n"
    assert flaws(tmp_path, {"nginx/site.conf": there, "compose.yaml": compose}) == []


def test_nginx_without_any_service_may_send_anywhere(tmp_path: Path) -> None:
    assert flaws(tmp_path, {"nginx/site.conf": SITE.replace("http://app;", "http://it;")}) == []


COMPOSE = """services:
  web:
    image: x
    depends_on: [db]
    networks: [inner, default]
    volumes: ["data:/data", "./site:/site", "C:\\\\x:/x", {type: bind, source: a, target: /b}]
    secrets: [key, {source: other, target: o}]
    configs: [site]
  db: {image: y}
networks: {inner: {}}
volumes: {data: {}}
secrets: {key: {file: a}, other: {file: b}}
configs: {site: {file: c}}
"""


def test_a_compose_file_names_what_is_defined(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    assert flaws(tmp_path, {"compose.yaml": COMPOSE}) == []


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("  db: {image: y}\n", "4: names the service db"),
        ("networks: {inner: {}}\n", "5: names the network inner"),
        ("volumes: {data: {}}\n", "6: names the volume data"),
        ("secrets: {key: {file: a}, other: {file: b}}\n", "7: names the secret"),
        ("configs: {site: {file: c}}\n", "8: names the config site"),
    ],
)
def test_a_compose_file_that_names_what_nothing_defines(
    tmp_path: Path, what: str, said: str
) -> None:
    found = flaws(tmp_path, {"compose.yaml": COMPOSE.replace(what, "")})
    assert found
    assert all(f.startswith(f"compose.yaml:{said}") for f in found), found
    # Files are merged with one another.
    both = {"compose.yaml": COMPOSE.replace(what, ""), "compose.override.yaml": COMPOSE}
    assert flaws(tmp_path, both) == []


def test_terraform_is_read(tmp_path: Path) -> None:
    sound = 'variable "a" {\n  type = map(object({ b = optional(string, "x") }))\n}\n'
    assert flaws(tmp_path, {"main.tf": sound, "a.tfvars": "b = 1", "c.tf.json": "{}"}) == []
    (found,) = flaws(tmp_path, {"main.tf": sound[:-2], "a.tfvars": "", "c.tf.json": "{}"})
    assert found.startswith("main.tf:3: Terraform would not read it")
    (found,) = flaws(tmp_path, {"main.tf": sound, "a.tfvars": "", "c.tf.json": "{\n!"})
    assert found.startswith("c.tf.json:2: Terraform would not read it")


def test_modules_and_rules_that_are_not_there(tmp_path: Path) -> None:
    module = 'module "a" {\n  source = "./modules/a"\n}\n'
    rules = "rule_files: [rules/*.yml]\nscrape_configs: []\n"
    files = {"main.tf": module, "prometheus.yml": rules}
    assert flaws(tmp_path, files) == [
        "main.tf:2: names ./modules/a, which is not in the checkout",
        "prometheus.yml:1: names rules/*.yml, which is not in the checkout",
    ]
    there = {"modules/a/main.tf": "", "rules/a.yml": "groups: []\n"}
    assert flaws(tmp_path, files | there) == []
