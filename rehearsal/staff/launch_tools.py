"""The launch-day commands: what an operator types, with a dry run that really looks.

    launch-tool NAME --dry-run [--as PERSON] [--authorisation FILE]

A dry run checks what its steps would need (artefacts with the digests of the release manifest,
instances that answer, a database login of the operator's own, an authorisation that an executive
signed for this release and this window), prints its steps as JSON and changes nothing. It is
written into the audit log, refused or not. Doing it for real is not rehearsed by these commands.

Settings a fault may override, on `tools`: `without` (names to leave out), `skips_authorisation`,
`skips_confirmation`, `denied` (ids of people who may do nothing), `untried` and `out` (of those
who try no command, and do not log in).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shlex
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from rehearsal.data import release
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.files import write_atomically
from rehearsal.kernel.world import PROJECT, Rehearsal
from rehearsal.parts import Endpoints, answers
from rehearsal.staff import people

CANDIDATE, PREVIOUS = list(release.heads())[-1], list(release.heads())[-2]
HOSTING = {"workspace": "wks-rehearsal", "services": ["srv-rehearsal-app", "srv-rehearsal-jobs"]}
"""What the vendor that hosts us calls our workspace and its services."""
OUTBOUND = ("api.stripe.com", "api.sendgrid.com", "api.twilio.com", "www.googleapis.com")
"""Whom the product is configured to contact; in a rehearsal it contacts none of them."""
ARTEFACTS = {
    "backend": ("backend",),
    "migrations": (release.MIGRATIONS,),
    "configuration": (f"{release.MIGRATIONS}/releases.toml", "config"),
    "manifests": ("k8s",),
    "chart": ("helm/bookedbarber",),
}
"""Archives of what git holds under a tag, and of which of its files."""
IMAGE = "-image"
"""How the names of artefacts end that are images: their digest is that of their manifest."""
BUILDER = "technical_lead"
"""Who signs the release manifest."""
NAMESPACE = "golive-document"
LOGINS = ("database-login", "monitoring-login")
"""What the record calls the logins of operators."""
DECISION = "go-no-go.md"
"""The paper that an authorisation rests on."""
_TRIES = 3
"""Times that an instance is asked before it counts as silent; a busy machine drops some."""


@dataclass(frozen=True)
class Step:
    """One thing that a command would do."""

    name: str
    artefact: str = ""
    version: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class Tool:
    """A command: its steps as (name, artefact), and the roles that may run it."""

    name: str
    steps: tuple[tuple[str, str], ...]
    roles: tuple[str, ...]
    version: str = CANDIDATE
    needs_authorisation: bool = False
    needs_confirmation: bool = False


_OPERATORS = ("devops_lead", "technical_lead")
TOOLS = (
    Tool("check-infrastructure", (("ask every instance", ""),), (*_OPERATORS, "qa_lead")),
    Tool("backup-database", (("take a full backup", ""),), ("database_administrator", *_OPERATORS)),
    Tool(
        "migrate-database",
        (("apply migrations", "migrations"),),
        ("database_administrator", "technical_lead"),
        needs_authorisation=True,
    ),
    Tool(
        "deploy-application",
        (
            ("drain an instance", ""),
            ("install", "backend"),
            ("configure", "configuration"),
            ("ask its health", ""),
            ("return it to the balancer", ""),
        ),
        _OPERATORS,
        needs_authorisation=True,
    ),
    Tool("warm-caches", (("ask the public pages", ""),), (*_OPERATORS, "performance_lead")),
    Tool(
        "open-flags",
        (("set the launch flags", "configuration"),),
        ("product_manager", "technical_lead"),
    ),
    Tool("verify-deployment", (("compare versions", "backend"),), (*_OPERATORS, "qa_lead")),
    Tool(
        "rollback-application",
        (("install", "backend"), ("configure", "configuration")),
        _OPERATORS,
        PREVIOUS,
    ),
    Tool(
        "emergency-rollback",
        (
            ("stop writes", ""),
            ("install", "backend"),
            ("configure", "configuration"),
            ("undo migrations", "migrations"),
            ("ask its health", ""),
        ),
        (*_OPERATORS, "security_lead"),
        PREVIOUS,
        needs_confirmation=True,
    ),
)


class Refused(Exception):
    """A dry run that found that it could not be done; its text says why."""


def install(r: Rehearsal) -> None:
    """Lay out artefacts, manifest, permissions and one executable for each command."""
    _make_artefacts(r)
    folder = r.path("tools", "bin", "x").parent
    for old in folder.iterdir():
        old.unlink()
    for tool in TOOLS:
        if tool.name in r.setting("tools", "without", []):
            continue
        path = folder / tool.name
        path.write_text(f'#!/bin/sh\nexec {shlex.join([*words(r), tool.name])} "$@"\n')
        path.chmod(0o755)


def words(r: Rehearsal) -> list[str]:
    """What runs this module for a rehearsal, from any folder."""
    # -P: nothing of the folder that it is run in may shadow a module.
    run = [
        "env",
        f"PYTHONPATH={PROJECT}",
        sys.executable,
        "-P",
        "-m",
        "rehearsal.staff.launch_tools",
    ]
    return [*run, str(r.folder)]


def authorise(r: Rehearsal) -> None:
    """Write the launch authorisation as an executive signs it: for this release, and the 24 hours
    of tomorrow, since it is looked at as on the day before the launch.

    The setting `authorisation` of `tools` is laid over it; `signer` there signs instead, nobody
    where it is empty.
    """
    declared = json.loads(manifest(r).read_text())
    begins = _tomorrow()
    changes = dict(r.setting("tools", "authorisation", {}))
    signer = changes.pop("signer", people.holder("executive_team").id)
    document = {
        "environment": "rehearsal",
        "version": CANDIDATE,
        "commit": declared["commit"],
        "artefacts": {
            a["name"]: a["sha256"] for a in declared["artefacts"] if a["version"] == CANDIDATE
        },
        "window_begins_at": begins.isoformat(),
        "window_ends_at": (begins + timedelta(hours=24)).isoformat(),
        "decision_sha256": _decision(r),
    } | changes
    path = authorisation(r)
    path.with_name(f"{path.name}.sig").unlink(missing_ok=True)
    write_atomically(path, json.dumps(document, indent=1, sort_keys=True), 0o644)
    if signer:
        people.sign_as(r, path, signer)


def _decision(r: Rehearsal) -> str:
    """SHA-256 of the record of the decision, once it is written."""
    path = people.papers(r) / DECISION
    return _sha256(path) if path.is_file() else ""


def follow(r: Rehearsal) -> None:
    """Authorise again where another decision was recorded than the one authorised on."""
    path = authorisation(r)
    if not path.is_file():
        return
    if json.loads(path.read_text()).get("decision_sha256") != _decision(r):
        authorise(r)


def _tomorrow() -> datetime:
    """Its first moment where the launch is."""
    from rehearsal.staff.calendar import ZONE  # which a dry run does not need

    day = datetime.now(UTC).date() + timedelta(days=1)
    return datetime.combine(day, datetime.min.time(), ZoneInfo(ZONE))


def practise(r: Rehearsal) -> None:
    """Have everybody who may have to run a command try it, as on the day before the launch, and
    the record say that they have logged in, as the gateway would that they go through."""
    for tool in TOOLS:
        for person in people.PEOPLE:
            if person.id in r.setting("tools", "untried", []):
                continue
            if {*person.roles, *person.backs_up} & set(tool.roles):
                try:
                    dry_run(r, tool, person.id, authorisation(r))
                except Refused as why:
                    _audit(r, tool.name, person.id, str(why))
                else:
                    _audit(r, tool.name, person.id, "")
    operators = {role for tool in TOOLS for role in tool.roles}
    for person in people.PEOPLE:
        away = person.id in [*r.setting("tools", "untried", []), *r.setting("tools", "out", [])]
        if operators & {*person.roles, *person.backs_up} and not away:
            for kind in LOGINS:
                _audit(r, kind, person.id, "", dry_run=False)


def renew(r: Rehearsal) -> None:
    """Authorise and practise again after half a day and on another day, unless a fault has a hand
    in it."""
    path = authorisation(r)
    old = path.exists() and (
        time.time() - path.stat().st_mtime > 12 * 3600
        or json.loads(path.read_text())["window_begins_at"] != _tomorrow().isoformat()
    )
    if old and not r.overrides("tools"):
        authorise(r)
        practise(r)


def manifest(r: Rehearsal) -> Path:
    """The release manifest: each artefact of the candidate and of what it replaces."""
    return r.path("tools", "manifest.json")


def authorisation(r: Rehearsal) -> Path:
    """Where the deploy commands look for the launch authorisation."""
    return r.path("tools", "authorisation.json")


def audit_log(r: Rehearsal) -> Path:
    return r.path("tools", "audit.jsonl")


def artefact(r: Rehearsal, version: str, name: str) -> Path:
    ending = "json" if name.endswith(IMAGE) else "tar"
    return r.path("tools", "artefacts", version, f"{name}.{ending}")


def commit(r: Rehearsal, tag: str) -> str:
    """The commit that a tag names. Raises RehearsalError."""
    done = subprocess.run(
        ["git", "-C", str(release.repository(r)), "rev-parse", f"{tag}^{{commit}}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RehearsalError(f"{tag} is no tag of the release: {done.stderr.strip()}")
    return done.stdout.strip()


def stored(r: Rehearsal) -> list[dict[str, str]]:
    """What the artefact store holds now, with digests computed now."""
    return [
        {"name": path.stem, "version": version, "sha256": _sha256(path)}
        for version in (PREVIOUS, CANDIDATE)
        for path in sorted(artefact(r, version, "any").parent.iterdir())
    ]


def digest(r: Rehearsal, name: str) -> str:
    """The digest of an artefact of the candidate, as the manifest has it."""
    declared = json.loads(manifest(r).read_text())["artefacts"]
    return next(
        str(a["sha256"]) for a in declared if (a["version"], a["name"]) == (CANDIDATE, name)
    )


def _make_artefacts(r: Rehearsal) -> None:
    """Archives of the release repository: what git holds under a tag, nothing else."""
    entries = []
    for version in (PREVIOUS, CANDIDATE):
        for name, paths in ARTEFACTS.items():
            path = artefact(r, version, name)
            words = ["archive", "--format=tar", f"--prefix={name}/", version, *paths]
            done = subprocess.run(
                ["git", "-C", str(release.repository(r)), *words], capture_output=True, check=False
            )
            if done.returncode:
                raise RehearsalError(f"git archive failed: {done.stderr.decode().strip()}")
            path.write_bytes(done.stdout)
            entries.append(_entry(name, version, path))
    document = {
        "candidate": CANDIDATE,
        "previous": PREVIOUS,
        "commit": commit(r, CANDIDATE),
        "artefacts": entries,
        "hosting": HOSTING,
        "outbound": OUTBOUND,
    }
    write_manifest(r, document)


def add_built(r: Rehearsal, images: Mapping[str, bytes], static: Path) -> None:
    """Put what was built of the candidate into the store and the manifest: the manifests of its
    images, by name, and the frontend's files."""
    document = json.loads(manifest(r).read_text())
    for name, content in images.items():
        artefact(r, CANDIDATE, f"{name}{IMAGE}").write_bytes(content)
    with tarfile.open(artefact(r, CANDIDATE, "static"), "w") as archive:
        for path in sorted(p for p in static.rglob("*") if p.is_file()):
            member = tarfile.TarInfo(path.relative_to(static).as_posix())
            member.size, member.mode = path.stat().st_size, 0o644
            with path.open("rb") as file:
                archive.addfile(member, file)
    built = ["static", *(f"{name}{IMAGE}" for name in images)]
    kept = [
        a for a in document["artefacts"] if (a["version"], a["name"] in built) != (CANDIDATE, True)
    ]
    made = [_entry(name, CANDIDATE, artefact(r, CANDIDATE, name)) for name in built]
    write_manifest(r, document | {"artefacts": [*kept, *made]})


def list_again(r: Rehearsal, name: str) -> None:
    """Have the manifest list an artefact of the candidate as it is now."""
    document = json.loads(manifest(r).read_text())
    entry = _entry(name, CANDIDATE, artefact(r, CANDIDATE, name))
    document["artefacts"] = [
        entry if (a["version"], a["name"]) == (CANDIDATE, name) else a
        for a in document["artefacts"]
    ]
    write_manifest(r, document)


def write_manifest(r: Rehearsal, document: Mapping[str, Any]) -> None:
    """Write the release manifest and have it signed."""
    write_atomically(manifest(r), json.dumps(document, indent=1, sort_keys=True), 0o644)
    people.sign(r, manifest(r), BUILDER)


def _entry(name: str, version: str, path: Path) -> dict[str, Any]:
    """An artefact as the manifest has it."""
    entry: dict[str, Any] = {"name": name, "version": version, "sha256": _sha256(path)}
    if path.suffix == ".tar":
        with tarfile.open(path) as archive:
            files = {m.name: archive.extractfile(m) for m in archive if m.isfile()}
            entry["files"] = {
                n: hashlib.sha256(f.read()).hexdigest() for n, f in files.items() if f is not None
            }
    return entry


def dry_run(r: Rehearsal, tool: Tool, operator: str, token: Path) -> list[Step]:
    """The steps of a command, each looked at. Raises Refused with the first reason against."""
    if operator:
        _permit(r, tool, operator)
    if tool.needs_authorisation and not r.setting("tools", "skips_authorisation", False):
        _check_authorisation(r, token)
    declared = {
        (a["version"], a["name"]): a["sha256"]
        for a in json.loads(manifest(r).read_text())["artefacts"]
    }
    for instance in ("app-1", "app-2"):
        if not any(answers(r.port(instance)) for _ in range(_TRIES)):
            raise Refused(f"{instance} does not answer")
    steps = []
    for name, needs in tool.steps:
        sha256 = ""
        if needs:
            path = artefact(r, tool.version, needs)
            if not path.exists():
                raise Refused(f"the artefact {needs} {tool.version} is not in the store")
            sha256 = _sha256(path)
            if declared.get((tool.version, needs)) != sha256:
                raise Refused(f"the artefact {needs} {tool.version} is not the manifest's")
        steps.append(Step(name, needs, tool.version if needs else "", sha256))
    return steps


def _permit(r: Rehearsal, tool: Tool, operator: str) -> None:
    known = {p.id: p for p in people.PEOPLE}
    person = known.get(operator)
    roles = set(person.roles) | set(person.backs_up) if person else set()
    if operator in r.setting("tools", "denied", []) or not roles & set(tool.roles):
        raise Refused(f"{operator} may not run {tool.name}")


def _check_authorisation(r: Rehearsal, token: Path) -> None:
    """Signed by an executive, for this release, now within its window."""
    signature = token.with_name(f"{token.name}.sig")
    if not token.is_file() or not signature.is_file():
        raise Refused("there is no signed launch authorisation")
    signers = people.allowed_signers(r, "executive_team")
    if not _is_signed(token.read_bytes(), signature.read_bytes(), signers):
        raise Refused("the launch authorisation is not signed by an executive, or was altered")
    said: dict[str, Any] = json.loads(token.read_text())
    declared = json.loads(manifest(r).read_text())
    if said.get("commit") != declared["commit"] or said.get("version") != declared["candidate"]:
        raise Refused("the launch authorisation is for another release")
    digests = {a["name"]: a["sha256"] for a in declared["artefacts"] if a["version"] == CANDIDATE}
    if said.get("artefacts") != digests:
        raise Refused("the launch authorisation names other artefacts")
    taken_back = token.with_name(f"{token.name}.revoked")
    if taken_back.is_file() and _sha256(token) in taken_back.read_text():
        raise Refused("the launch authorisation was taken back")
    ends = datetime.fromisoformat(said["window_ends_at"])
    if datetime.now(UTC) >= ends:
        raise Refused(f"the launch authorisation ended at {ends.isoformat()}")


@cache  # many try their commands with the same authorisation
def _is_signed(content: bytes, signature: bytes, signers: str) -> bool:
    """Whether one of them, as ssh-keygen reads them, has signed it."""
    with tempfile.TemporaryDirectory() as folder:
        allowed, sealed = Path(folder, "signers"), Path(folder, "sig")
        allowed.write_text(signers)
        sealed.write_bytes(signature)
        files = ["-f", str(allowed), "-s", str(sealed)]
        found = subprocess.run(
            ["ssh-keygen", "-Y", "find-principals", *files],
            capture_output=True,
            text=True,
            check=False,
        )
        signer = found.stdout.split("\n")[0].strip() or "nobody"
        done = subprocess.run(
            ["ssh-keygen", "-Y", "verify", *files, "-I", signer, "-n", NAMESPACE],
            input=content,
            capture_output=True,
            check=False,
        )
    return not done.returncode


def deployed(r: Rehearsal, operator: str, at: datetime) -> None:
    """Put it on record that somebody deployed the candidate then."""
    _audit(r, "deploy-application", operator, "", at, dry_run=False)


def _audit(
    r: Rehearsal,
    tool: str,
    operator: str,
    refused: str,
    at: datetime | None = None,
    *,
    dry_run: bool = True,
) -> None:
    line = {
        "at": (at or datetime.now(UTC)).isoformat(),
        "tool": tool,
        "operator": operator,
        "dry_run": dry_run,
        "refused": refused,
    }
    with audit_log(r).open("a") as file:
        file.write(json.dumps(line) + "\n")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0: it could be done; 2: wrong usage; 3: refused, and nothing was changed."""
    parser = argparse.ArgumentParser(prog="launch-tool")
    parser.add_argument("folder", type=Path)
    parser.add_argument("tool", choices=[*(t.name for t in TOOLS), "artefacts", "audit"])
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--confirm", action="store_true")
    parser.add_argument("--as", dest="operator", default="")
    parser.add_argument("--authorisation", type=Path, default=None)
    options = parser.parse_args(arguments)
    r = Rehearsal(options.folder)
    if options.tool == "artefacts":
        print(json.dumps(stored(r)))
        return 0
    if options.tool == "audit":
        log = audit_log(r)
        lines = log.read_text().splitlines() if log.exists() else []
        print(json.dumps([json.loads(line) for line in lines]))
        return 0
    tool = next(t for t in TOOLS if t.name == options.tool)
    if not options.dry_run:
        if tool.needs_confirmation and not options.confirm:
            if r.setting("tools", "skips_confirmation", False):
                print(json.dumps({"tool": tool.name, "steps": [], "changed": True}))
                return 0
            print(f"{tool.name} needs --confirm", file=sys.stderr)
            return 3
        print(f"{tool.name}: only --dry-run is rehearsed", file=sys.stderr)
        return 2
    try:
        steps = dry_run(r, tool, options.operator, options.authorisation or authorisation(r))
    except Refused as why:
        _audit(r, tool.name, options.operator, str(why))
        print(str(why), file=sys.stderr)
        return 3
    _audit(r, tool.name, options.operator, "")
    said = {"tool": tool.name, "steps": [asdict(s) for s in steps], "changed": False}
    print(json.dumps(said))
    return 0


def endpoints(r: Rehearsal) -> Endpoints:
    """The commands of the launch day, and where others read what they did."""
    run = words(r)
    return {
        "tools": {
            "commands": {t.name: [str(r.path("tools", "bin", t.name))] for t in TOOLS},
            "manifest": str(manifest(r)),
            "authorisation": str(authorisation(r)),
            "artefacts_command": [*run, "artefacts"],
            "audit_command": [*run, "audit"],
        }
    }


if __name__ == "__main__":
    sys.exit(main())
