"""The packages that the reference application is made of, its instances' and its frontend's.

The backend's lock file is the project's own `requirements.lock`, cut to what the application
needs: it runs in the project's own interpreter. Of what each instance has installed,
`<folder>/installed/INSTANCE` holds the metadata that pip keeps beside a package: links to the
interpreter's own. The frontend's lock file was made by npm.

`<folder>/advisories` is a snapshot of advisories in OSV's format, `rehearsal/product/advisories`
as if it had been fetched when the rehearsal came up.

    python -m rehearsal.data.dependencies INSTANCE     what is installed there, as `pip inspect`
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement

from rehearsal.kernel import toml
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.world import PROJECT, Rehearsal
from rehearsal.parts import Endpoints

NEEDED = (
    *("alembic", "bcrypt", "fastapi", "httpx", "jinja2", "prometheus-client"),
    *("psycopg[binary]", "pyjwt", "redis", "sqlalchemy", "uvicorn"),
)
"""What the application imports."""
BACKEND, FRONTEND = "backend/requirements.txt", "frontend/package-lock.json"
ACCEPTED = (
    ("BBSA-2026-0001", "mako", "Templates are ours alone; there is no fix yet."),
    ("CVE-2023-45853", "zlib1g", "MiniZip is in its source package and not in the image."),
)
"""Findings for which there is a waiver: id, package, reason."""
CHANGED = ("GHSA-g3rq-g295-4j3m", "GHSA-7fh5-64p2-3v2j")
"""Advisories that were changed just before the snapshot was fetched, one of each ecosystem."""
INSTANCES = ("app-1", "app-2")
_ADVISORIES = Path(__file__).parent / "advisories"
_HEAD = "# Pinned with hashes by `uv pip compile --generate-hashes`.\n"
_ENTRY = re.compile(r"^(?P<name>[A-Za-z0-9][\w.-]*)==.*(?:\n[ \t]+--hash=.*)*", re.MULTILINE)


def lay_out(checkout: Path) -> None:
    """Write the backend's lock file into a checkout."""
    wanted = {_normal(one.name) for one in _distributions()}
    whole = (PROJECT / "requirements.lock").read_text(encoding="utf-8")
    entries = [m[0] for m in _ENTRY.finditer(whole) if _normal(m["name"]) in wanted]
    (checkout / BACKEND).write_text(_HEAD + "\n".join(entries) + "\n", encoding="utf-8")


def install(r: Rehearsal) -> None:
    """Lay out what each instance has installed."""
    for instance in INSTANCES:
        folder = site(r, instance)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for one in _distributions():
            there = Path(str(one.locate_file("")))
            name = next(p.parts[0] for p in one.files or [] if p.parts[0].endswith(".dist-info"))
            (folder / name).symlink_to(there / name)


def site(r: Rehearsal, instance: str) -> Path:
    """Where an instance's packages are told."""
    return r.path("installed", instance)


def add_package(r: Rehearsal, instance: str, name: str, version: str) -> None:
    """Install one more package on an instance, by hand."""
    folder = site(r, instance) / f"{name}-{version}.dist-info"
    folder.mkdir()
    told = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (folder / "METADATA").write_text(told, encoding="utf-8")


def advisories(r: Rehearsal) -> Path:
    """The snapshot."""
    return r.path("advisories")


def fetch_advisories(r: Rehearsal, *, age: timedelta = timedelta(hours=2)) -> None:
    """Put the snapshot there, so old."""
    shutil.rmtree(advisories(r), ignore_errors=True)
    shutil.copytree(_ADVISORIES, advisories(r))
    at = f"{datetime.now(UTC) - age:%Y-%m-%dT%H:%M:%SZ}"
    for path in advisories(r).rglob("*.json"):
        document = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**document, "modified": min(at, _later(document, at))}))


def _later(document: dict[str, str], at: str) -> str:
    """When an advisory was changed: one of each ecosystem just before the snapshot."""
    return at if document["id"] in CHANGED else document["modified"]


def waivers(r: Rehearsal) -> Path:
    """Findings that are accepted for a while."""
    return r.path("waivers.toml")


def write_waivers(r: Rehearsal, *, for_days: int = 30) -> None:
    """Accept what has no fix yet, for so many days from now."""
    expires = datetime.now(UTC).date() + timedelta(days=for_days)
    lines = ["# Findings of the scanners that are accepted until a day."]
    for ident, package, reason in ACCEPTED:
        told = {"id": ident, "package": package, "reason": reason, "by": "Security Lead"}
        lines += ["", "[[waiver]]", *(f"{key} = {toml.inline(v)}" for key, v in told.items())]
        lines.append(f"expires = {expires}")
    waivers(r).write_text("\n".join(lines) + "\n", encoding="utf-8")


def endpoints(r: Rehearsal) -> Endpoints:
    """The lock files, the snapshot, and who tells what is installed."""
    listing = r.command("{instance}", module=__name__)
    snapshot = str(advisories(r))
    return {
        "dependencies": {
            "waivers": str(waivers(r)),
            "locks": [
                {
                    "name": "backend",
                    "file": BACKEND,
                    "advisories": snapshot,
                    "installed_command": listing,
                },
                {
                    "name": "frontend",
                    "file": FRONTEND,
                    "advisories": snapshot,
                    # It is built to files; no instance has its packages.
                    "is_installed": False,
                },
            ],
        }
    }


def _distributions() -> list[metadata.Distribution]:
    """What the application needs, and what that needs in turn, in this interpreter."""
    found: dict[str, metadata.Distribution] = {}
    queue = [Requirement(text) for text in NEEDED]
    asked: set[tuple[str, frozenset[str]]] = set()
    while queue:
        wanted = queue.pop()
        key = (_normal(wanted.name), frozenset(wanted.extras))
        if key in asked:
            continue
        asked.add(key)
        one = found[key[0]] = metadata.distribution(wanted.name)
        queue += _needs(one, wanted.extras)
    return [found[name] for name in sorted(found)]


def _needs(one: metadata.Distribution, extras: set[str]) -> Iterator[Requirement]:
    for text in one.requires or []:
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": e}) for e in (*extras, "")):
            yield requirement


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main(instance: str, r: Rehearsal) -> None:
    folder = site(r, instance)
    if not folder.is_dir():
        raise RehearsalError(f"There is no instance {instance}.")
    there = [
        {"metadata": {"name": one.metadata["Name"], "version": one.version}}
        for one in metadata.distributions(path=[str(folder)])
    ]
    print(json.dumps({"version": "1", "installed": there, "environment": default_environment()}))


if __name__ == "__main__":
    main(sys.argv[1], Rehearsal())
