"""The commands of the launch day, as far as a dry run shows: they exist, and could be done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from golive.decoding import decode
from golive.environments import Environment
from golive.files import read
from golive.people import roster
from golive.probes.transport.commands import CommandFailed, run
from golive.probing import probe
from golive.verdicts import GoliveError, ProbeError

_AT_ONCE = 4
_MOST_MANIFEST_BYTES = 16 * 2**20


class Step(msgspec.Struct, frozen=True):
    """One thing that a command would do; the artefact it would use, if any."""

    name: str
    artefact: str = ""
    version: str = ""
    sha256: str = ""


class _Answer(msgspec.Struct, frozen=True):
    tool: str
    steps: list[Step]
    changed: bool = False


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a command said to a dry run. ``refused`` is why it could not be done."""

    tool: str
    operator: str
    steps: tuple[Step, ...]
    refused: str
    changed: bool


class Artefact(msgspec.Struct, frozen=True):
    """An artefact by name and version, with its SHA-256."""

    name: str
    version: str
    sha256: str
    files: dict[str, str] = {}
    """Of an archive: SHA-256 of what is in it, by path."""


class Hosting(msgspec.Struct, frozen=True):
    """Where a release is deployed: what the host calls our workspace and its services."""

    workspace: str = ""
    services: tuple[str, ...] = ()


class Manifest(msgspec.Struct, frozen=True):
    """What the release says that it consists of, and what it needs outside."""

    candidate: str
    previous: str
    commit: str
    artefacts: list[Artefact]
    hosting: Hosting = Hosting()
    outbound: tuple[str, ...] = ()
    """Every host outside that its configuration lets the product contact."""

    def digest_of(self, artefact: str) -> str:
        """SHA-256 of the candidate's artefact of that name; empty where it has none."""
        own = (a for a in self.artefacts if a.version == self.candidate)
        return next((a.sha256 for a in own if a.name == artefact), "")


class AuditEvent(msgspec.Struct, frozen=True):
    """One use of a command on record."""

    at: datetime
    tool: str
    operator: str
    dry_run: bool
    refused: str = ""


@dataclass(frozen=True, slots=True)
class ManifestSignature:
    """Whose signature the release manifest needs, and why it has none that counts."""

    role: str
    cause: str
    """Empty where it has."""


@dataclass(frozen=True, slots=True)
class Logins:
    """Logins on record, and the kinds that there have to be."""

    kinds: tuple[str, ...]
    events: tuple[AuditEvent, ...]

    def lacking(self, operators: Iterable[str], since: datetime) -> list[str]:
        """Which of these people have not logged in where since a moment."""
        done = {(e.operator, e.tool) for e in self.events if e.at >= since and not e.refused}
        return [
            f"{who}: {kind}" for who in operators for kind in self.kinds if (who, kind) not in done
        ]


@dataclass(frozen=True, slots=True)
class OperatorRuns:
    """Each command run dry as everybody who may have to run it."""

    runs: tuple[DryRun, ...]

    @property
    def refused(self) -> list[DryRun]:
        """Those that could not be done."""
        return [r for r in self.runs if r.refused]


@dataclass(frozen=True, slots=True)
class LaunchTools:
    """The dry run of each declared command, by name."""

    dry_runs: Mapping[str, DryRun]

    def unknown(self, names: Iterable[str]) -> list[str]:
        """Which of these commands are not declared."""
        return sorted(set(names) - set(self.dry_runs))

    def refused(self, names: Iterable[str]) -> list[str]:
        """Which of these commands could not be done, and why."""
        return [f"{n}: {r.refused}" for n in sorted(names) if (r := self.dry_runs[n]).refused]


def dry_run(
    env: Environment, tool: str, *, operator: str = "", authorisation: Path | None = None
) -> DryRun:
    """Run one command dry.

    :param operator: the person as whom; empty: as nobody in particular.
    :param authorisation: the launch authorisation to use; None: the one in place.
    :raises ProbeError: no such command is declared, it cannot be started, or does not end.
    """
    words = [*_command(env, tool), *env.tools.dry_run]
    if operator:
        words += env.tools.as_operator
    if authorisation is not None:
        words += env.tools.with_authorisation
    values = {"operator": operator, "authorisation": str(authorisation or "")}
    return _asked(env, tool, operator, words, values)


def unconfirmed(env: Environment, tool: str) -> DryRun:
    """Run a command that needs a confirmation without one; it has to refuse.

    :raises ProbeError: as :func:`dry_run`.
    """
    return _asked(env, tool, "", _command(env, tool), {})


@probe()
def launch_tools(env: Environment) -> LaunchTools:
    """The launch-day commands, each run dry."""
    return LaunchTools(dry_run_all(env, env.tools.commands))


def dry_run_all(env: Environment, tools: Iterable[str], operator: str = "") -> dict[str, DryRun]:
    """Several commands run dry, some at a time."""
    names = list(tools)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = pool.map(lambda name: dry_run(env, name, operator=operator), names)
        return dict(zip(names, found, strict=True))


@probe()
def operator_runs(env: Environment) -> OperatorRuns:
    """Each launch command run dry as every holder and backup of the role that answers for it."""
    known = roster.load(Path(env.people.roster))
    pairs = [(c, p.id) for c, role in env.tools.accountable.items() for p in known.entitled(role)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return OperatorRuns(tuple(pool.map(lambda x: dry_run(env, x[0], operator=x[1]), pairs)))


@probe()
def emergency_rollback(env: Environment) -> DryRun:
    """The emergency rollback, run dry."""
    return dry_run(env, env.tools.emergency_rollback)


@probe()
def unconfirmed_rollback(env: Environment) -> DryRun:
    """The emergency rollback, asked for without its confirmation."""
    return unconfirmed(env, env.tools.emergency_rollback)


@probe()
def release_manifest(env: Environment) -> Manifest:
    """The release manifest as it lies there."""
    path = Path(env.tools.manifest)
    try:
        return decode(read(path, _MOST_MANIFEST_BYTES, "a manifest", links=True), Manifest)
    except GoliveError as e:
        step = "write it when the release is built, or name it in tools.manifest"
        raise ProbeError("the release manifest", e, step) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
        raise ProbeError(
            "the release manifest", f"{path}: {e}", "build the release again"
        ) from None


@probe()
def manifest_signature(env: Environment) -> ManifestSignature:
    """The signature over the release manifest, which lies beside it."""
    role = env.tools.manifest_signed_by
    if not role:
        step = "name the role that signs it in tools.manifest_signed_by"
        raise ProbeError("the signature over the release manifest", "it is nobody's", step)
    signature = roster.load(Path(env.people.roster)).signature(Path(env.tools.manifest), role)
    return ManifestSignature(role, "" if signature.valid else signature.cause)


@probe()
def stored_artefacts(env: Environment) -> tuple[Artefact, ...]:
    """What the artefact store holds now, with digests computed now."""
    found = _listed(env, env.tools.artefacts_command, "artefacts_command", list[Artefact])
    return tuple(found)


@probe()
def launch_audit(env: Environment) -> tuple[AuditEvent, ...]:
    """The record of who has run which launch command, oldest first."""
    return tuple(_listed(env, env.tools.audit_command, "audit_command", list[AuditEvent]))


@probe()
def operator_logins(env: Environment, launch_audit: tuple[AuditEvent, ...]) -> Logins:
    """Who has logged in where, by the record of the launch commands."""
    kinds = tuple(env.tools.logins)
    if not kinds:
        step = "declare what the audit log calls them in tools.logins"
        raise ProbeError("operators' logins", "none is declared", step)
    return Logins(kinds, tuple(e for e in launch_audit if e.tool in kinds))


def _listed(env: Environment, command: list[str], key: str, kind: Any) -> Any:
    if not command:
        raise ProbeError(f"tools.{key}", "no command is declared", f"declare tools.{key}")
    within_s = env.time_limits.probe
    return run(command, {}, key=f"tools.{key}", within_s=within_s, answer=kind)


def _command(env: Environment, tool: str) -> list[str]:
    command = env.tools.commands.get(tool)
    if not command:
        known = ", ".join(env.tools.commands) or "none"
        raise ProbeError(
            f"the command {tool}", f"declared are {known}", f"declare it in tools.commands.{tool}"
        )
    return command


def _asked(
    env: Environment, tool: str, operator: str, words: list[str], values: Mapping[str, object]
) -> DryRun:
    key = f"tools.commands.{tool}"
    try:
        said = run(words, values, key=key, within_s=env.time_limits.probe, answer=_Answer)
    except CommandFailed as e:
        if e.status != env.tools.refused_status:
            raise
        return DryRun(tool, operator, (), e.reason, changed=False)
    return DryRun(tool, operator, tuple(said.steps), "", said.changed)
