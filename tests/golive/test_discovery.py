"""An environment's first file: what a site and a checkout tell, and that the file can be loaded."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from golive import discovery
from golive.cli import main
from golive.discovery import Database, Site
from golive.environments import load
from golive.masking import Mask
from golive.toml import read_toml
from golive.verdicts import GoliveError, ProbeError

PAGE = "<html>everything else</html>"


class _Shop(BaseHTTPRequestHandler):
    answers: dict[str, str]

    def do_GET(self) -> None:
        text = self.answers.get(self.path, PAGE)
        self.send_response(200)
        self.send_header("CF-Ray", "8c1-FRA\x0b# [postgres]")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def shop() -> Iterator[tuple[str, dict[str, str]]]:
    """A site that answers any path with its page, and some with something else."""
    answers: dict[str, str] = {}
    handler = type("Handler", (_Shop,), {"answers": answers})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", answers
    server.shutdown()
    server.server_close()


def test_a_site_tells_its_paths_and_what_stands_in_front(shop: tuple[str, dict[str, str]]) -> None:
    url, answers = shop
    document: dict[str, object] = {
        "paths": {"/api/token": {"post": {}}, "/v1/login": {"post": {}}, "/x": None}
    }
    answers |= {
        "/healthz": '{"status": "ok"}',
        "/metrics": "# TYPE up gauge\nup 1\n",
        "/openapi.json": json.dumps(document),
    }
    found = discovery.site(url)
    assert (found.health, found.metrics, found.login) == ("/healthz", "/metrics", "/v1/login")
    assert found.document == "/openapi.json"
    assert any("Cloudflare" in said for said in found.in_front)


def test_a_page_that_answers_every_path_is_no_health_check(
    shop: tuple[str, dict[str, str]],
) -> None:
    found = discovery.site(shop[0])
    assert (found.health, found.metrics, found.login, found.document) == ("", "", "", "")


def test_a_site_that_does_not_answer_is_told() -> None:
    found = discovery.site("http://127.0.0.1:9")
    assert "refused" in found.cause
    text = discovery.written("local", "staging", None, found, {}, "")
    assert "It could not be looked at" in text


def test_a_checkout_is_told_by_its_files(tmp_path: Path) -> None:
    for name, text in {
        "deploy/Chart.yaml": "",
        "compose.yaml": "",
        "db/alembic.ini": "",
        "k8s/web.yaml": "apiVersion: apps/v1\nkind: Deployment\n",
        "k8s/values.yaml": "a: 1\n",
        "node_modules/x/Dockerfile": "",
        "db/alembic/versions/1a2b_first.py": "",
        "db/alembic/versions/3c4d_second.py": "",
        "shop/migrations/0001_initial.py": "",
        "stock/migrations/0001_initial.py": "",
        "prisma/migrations/20260101_first/migration.sql": "",
        "sql/V1_2__prices.sql": "",
        "sql/other.sql": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert discovery.checkout(tmp_path) == {
        "Compose": ["compose.yaml"],
        "a Helm chart": ["deploy/Chart.yaml"],
        "Alembic migrations": ["db/alembic.ini"],
        "Kubernetes manifests": ["k8s/web.yaml"],
        "migrations of Alembic": ["db/alembic/versions/"],
        "migrations of Django": ["shop/migrations/", "stock/migrations/"],
        "migrations of Prisma": ["prisma/migrations/"],
        "migrations of Flyway": ["sql/"],
    }
    with pytest.raises(GoliveError, match="there is no such folder"):
        discovery.checkout(tmp_path / "absent")


def test_a_checkout_is_declared(tmp_path: Path) -> None:
    deployed = {
        "Kustomize": ["k8s/kustomization.yaml"],
        "migrations of Django": ["shop/migrations/"],
    }
    (tmp_path / "shop" / ".git").mkdir(parents=True)
    folder, file = tmp_path / "shop", tmp_path / "local.toml"
    file.write_text(discovery.written("local", "staging", None, None, deployed, "", folder))
    (tmp_path / "product.toml").write_text('[people]\nroster = "r.toml"\npapers = "p"\n')
    env = load(file, tmp_path / "product.toml", tmp_path, Mask())
    assert env.deploy.checkout == env.release.repository == str(folder)
    assert env.release.migrations == ["shop/migrations"]
    with pytest.raises(ProbeError, match="version"):
        env.kubernetes.version  # noqa: B018 - a key that is still to be written


def test_the_file_can_be_loaded_whatever_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = Database("db-1", 5999, "shop", "monitor", has_password=True, version="16.4")
    db.standbys, db.roles, db.owners = ["10.0.0.2"], ['we"ird\n[redis]'], ["owner"]
    db.tables = ['odd."My Table"', "naïve"]
    page = Site("https://shop.example.com", health="/healthz", in_front=["via: x\n[redis]"])
    dsn = "postgresql://monitor:fieldfare-7f3a9c@db-1:5999/shop"
    text = discovery.written("local", "staging", db, page, {"an image": ["a\n[b]"]}, dsn, tmp_path)
    assert "fieldfare" not in text
    path = tmp_path / "local.toml"
    path.write_text(text)
    (tmp_path / "product.toml").write_text('[people]\nroster = "r.toml"\npapers = "p"\n')
    assert set(read_toml(path)) == {"name", "kind", "permits", "postgres", "application", "deploy"}
    monkeypatch.setenv("LOCAL_DSN", dsn)
    env = load(path, tmp_path / "product.toml", tmp_path, Mask())
    assert [n.role for n in env.postgres.nodes] == ["primary", "standby"]
    assert env.postgres.app_role == 'we"ird\n[redis]'
    assert env.application.url == page.url
    page.document = "/docs/openapi.json"
    path.write_text(discovery.written("local", "staging", None, page, {}, ""))
    documented = load(path, tmp_path / "product.toml", tmp_path, Mask())
    assert documented.application.paths.api_document == page.document


def test_a_file_that_is_there_is_never_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.toml"
    words = ["init", "env", "--url", "http://127.0.0.1:9", "--out", str(path)]
    assert main(words) == 0
    path.write_text("mine")
    assert main(words) == 1
    assert "is there already" in capsys.readouterr().err
    assert path.read_text() == "mine"


def test_what_to_look_at_has_to_be_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "env"]) == 1
    assert "found neither --dsn nor --url" in capsys.readouterr().err
    assert main(["init", "env", "--url", "https://u:fieldfare@127.0.0.1:9"]) == 1
    error = capsys.readouterr().err
    assert "found a name or a password in it" in error
    assert "fieldfare" not in error
    assert main(["init", "env", "--dsn", "postgresql://u:fieldfare@[x/shop"]) == 1
    error = capsys.readouterr().err
    assert "it is no connection string" in error
    assert "fieldfare" not in error
