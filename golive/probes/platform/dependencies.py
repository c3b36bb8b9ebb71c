"""The packages that the product is locked to: what is known against them, and what is installed.

Each lock file is held against a snapshot of advisories by golive itself, against an advisory
service by a declared command, or both. pip-audit and npm audit end without a finding where they
could audit nothing; so what they skip is unseen, and each way has to report a package that is
known to be vulnerable.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from golive.decoding import decode
from golive.environments import Environment
from golive.probes.platform import advisories, locks, waivers
from golive.probes.platform.advisories import CRITICAL, HIGH, UNRATED, Advisories
from golive.probes.platform.build_sections import Lock
from golive.probes.platform.locks import NPM, PYPI, LockFile, Package, normal
from golive.probes.platform.partial import known
from golive.probes.platform.waivers import Waivers
from golive.probes.transport.commands import pipe, run
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen, seen, unseen_among

CANARIES = {PYPI: "pyyaml 5.3.1", NPM: "minimist 0.0.8"}
"""Known to be vulnerable since 2020: CVE-2020-14343 and CVE-2021-44906, both critical."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is known against a locked package."""

    lock: str
    package: str
    version: str
    ids: tuple[str, ...]
    severity: str
    note: str = ""

    def __str__(self) -> str:
        what = f"{self.severity} {self.ids[0]}{self.note}"
        return f"{self.package} {self.version} in {self.lock}: {what}"


@dataclass(frozen=True, slots=True)
class Installed:
    """What is installed on one instance, against the lock file."""

    lock: str
    instance: str
    count: int
    differences: tuple[str, ...]

    def __str__(self) -> str:
        shown = ", ".join(self.differences[:4])
        more = len(self.differences) - 4
        return f"{self.instance}: {shown}{f' and {more} more' if more > 0 else ''}"


@dataclass(frozen=True, slots=True)
class LockAudit:
    """One lock file, audited now."""

    name: str
    file: str
    packages: tuple[Package, ...]
    findings: tuple[Finding, ...]
    """Of every severity, those that are waived left out."""
    not_audited: Unseen | None
    """Why all or some of its packages could not be audited."""
    advisories_age_h: float | Unseen
    """Since the newest advisory of the snapshot; 0 of a service that is asked live."""
    reports_canary: bool | Unseen
    installed: tuple[Installed, ...] | Unseen
    """By instance; none where nothing of it is installed anywhere."""

    def __str__(self) -> str:
        return f"{self.name} ({self.file})"


@dataclass(frozen=True, slots=True)
class DependencyAudit:
    """All lock files."""

    locks: tuple[LockAudit, ...]

    @property
    def packages(self) -> dict[str, int]:
        """How many each names."""
        return {str(one): len(one.packages) for one in self.locks}

    @property
    def locked(self) -> list[str]:
        return [f"{p} in {one.name}" for one in self.locks for p in one.packages]

    @property
    def not_pinned(self) -> list[str]:
        """Packages for which no single version is named."""
        return [f"{p} in {o.name}" for o in self.locks for p in o.packages if not p.version]

    @property
    def without_hash(self) -> list[str]:
        return [f"{p} in {o.name}" for o in self.locks for p in o.packages if not p.is_hashed]

    @property
    def advisories_age_h(self) -> dict[str, float] | Unseen:
        """By lock file; unseen where that of one is, and all others are young."""
        ages = {one.name: one.advisories_age_h for one in self.locks}
        unseen = unseen_among(ages.values())
        seen_ones = {name: age for name, age in ages.items() if not isinstance(age, Unseen)}
        return seen_ones if unseen is None else unseen

    @property
    def blind(self) -> list[str] | Unseen:
        """Lock files whose audit misses a package that is known to be vulnerable."""
        found = [o.name for o in self.locks if not isinstance(o.reports_canary, Unseen)]
        missed = [o.name for o in self.locks if o.name in found and not o.reports_canary]
        return known(missed, [o.reports_canary for o in self.locks])

    @property
    def grave(self) -> list[str] | Unseen:
        """Critical and high findings; unseen where there is none and something was not audited,
        or a finding has no severity."""
        findings = [f for o in self.locks for f in o.findings]
        grave = [str(f) for f in findings if f.severity in (CRITICAL, HIGH)]
        if grave:
            return grave
        unrated = [str(f) for f in findings if f.severity == UNRATED]
        if unrated:
            step = "look each up, or declare a snapshot of advisories, which tells severities"
            return Unseen(ProbeError("the severity of findings", "; ".join(unrated[:6]), step))
        return known(grave, [o.not_audited for o in self.locks])

    @property
    def installations(self) -> list[Installed]:
        return [i for o in self.locks if not isinstance(o.installed, Unseen) for i in o.installed]

    @property
    def differing(self) -> list[Installed] | Unseen:
        """Instances where something else is installed than is locked."""
        found = [i for i in self.installations if i.differences]
        return known(found, [o.installed for o in self.locks])


@probe()
def dependency_audit(env: Environment) -> DependencyAudit:
    """Every declared lock file, against advisories and against what is installed."""
    declared = env.dependencies.locks
    if not declared:
        raise ProbeError("the lock files", "none is declared", "declare dependencies.locks")
    file = env.dependencies.waivers
    accepted = waivers.read(place(env, file) if file else None)
    return DependencyAudit(tuple(_audited(env, one, accepted) for one in declared))


def place(env: Environment, path: str) -> Path:
    """Where a path of the checkout lies."""
    return Path(path) if os.path.isabs(path) else Path(env.deploy.checkout) / path  # noqa: PTH117


def _audited(env: Environment, declared: Lock, accepted: Waivers) -> LockAudit:
    lock = locks.read(place(env, declared.file))
    ways = [_Snapshot(env, declared, lock)] if declared.advisories else []
    service = [_Service(env, declared, lock)] if declared.audit_command else []
    if not (ways or service):
        step = f"declare advisories or audit_command of the lock {declared.name}"
        nothing = Unseen(ProbeError(f"what is known against {declared.file}", "no scanner", step))
        of_each: list[tuple[Finding, ...] | Unseen] = [nothing]
        age_h: float | Unseen = nothing
        canary: bool | Unseen = nothing
    else:
        loaded = ways[0].advisories if ways else None
        of_each = [*(w.findings() for w in ways), *(s.findings(loaded) for s in service)]
        age_h = ways[0].age_h() if ways else 0.0
        said = [*(w.reports_canary() for w in ways), *(s.reports_canary() for s in service)]
        canary = _all(said)
    return LockAudit(
        declared.name,
        declared.file,
        lock.packages,
        _left([f for f in of_each if not isinstance(f, Unseen)], accepted),
        unseen_among(of_each),
        age_h,
        canary,
        seen(_installed, env, declared, lock),
    )


def _all(said: list[bool | Unseen]) -> bool | Unseen:
    """Whether each does; unseen where one was not looked at and none is known not to."""
    unseen = unseen_among(said)
    if unseen is None or any(one is False for one in said):
        return unseen is None and all(said)
    return unseen


def _left(found: Iterable[tuple[Finding, ...]], accepted: Waivers) -> tuple[Finding, ...]:
    """What no waiver is about, each once."""
    kept: dict[tuple[str, str, frozenset[str]], Finding] = {}
    for one in (f for findings in found for f in findings):
        if accepted.cover(one.ids, one.package):
            continue
        note = " (its waiver holds no more)" if accepted.spent(one.ids, one.package) else ""
        key = (one.package, one.version, frozenset(one.ids))
        kept[key] = Finding(one.lock, one.package, one.version, one.ids, one.severity, note)
    return tuple(kept.values())


class _Snapshot:
    """An audit by golive itself."""

    def __init__(self, env: Environment, declared: Lock, lock: LockFile) -> None:
        self._declared, self._lock = declared, lock
        path = place(env, declared.advisories)
        self._loaded = seen(advisories.load, path, lock.ecosystem)

    @property
    def advisories(self) -> Advisories | None:
        return None if isinstance(self._loaded, Unseen) else self._loaded

    def findings(self) -> tuple[Finding, ...] | Unseen:
        if isinstance(self._loaded, Unseen):
            return self._loaded
        return tuple(
            Finding(self._declared.name, p.name, p.version, (a.id, *a.aliases), a.severity)
            for p in self._lock.packages
            for a in self._loaded.of(p.name, p.version)
        )

    def age_h(self) -> float | Unseen:
        if isinstance(self._loaded, Unseen):
            return self._loaded
        assert self._loaded.newest is not None
        return max(0.0, (datetime.now(UTC) - self._loaded.newest) / timedelta(hours=1))

    def reports_canary(self) -> bool | Unseen:
        if isinstance(self._loaded, Unseen):
            return self._loaded
        planted = self._declared.canary or CANARIES.get(self._lock.ecosystem, "")
        name, _, version = planted.replace("==", " ").rpartition(" ")
        rated = [a.severity for a in self._loaded.of(name, version)]
        return any(severity in (CRITICAL, HIGH) for severity in rated)


# -- scanners that are run -------------------------------------------------------------------------


class _Vulnerability(msgspec.Struct):
    id: str
    aliases: list[str] = []


class _PipDependency(msgspec.Struct):
    name: str
    version: str = ""
    vulns: list[_Vulnerability] = []
    skip_reason: str = ""


class _PipAudit(msgspec.Struct):
    dependencies: list[_PipDependency]


class _NpmVulnerability(msgspec.Struct):
    name: str
    severity: str = ""
    range: str = ""
    via: list[Any] = []


class _NpmMetadata(msgspec.Struct):
    dependencies: dict[str, int]


class _NpmAudit(msgspec.Struct):
    vulnerabilities: dict[str, _NpmVulnerability]
    metadata: _NpmMetadata


class _Service:
    """An audit by a declared command."""

    def __init__(self, env: Environment, declared: Lock, lock: LockFile) -> None:
        self._env, self._declared, self._lock = env, declared, lock
        self._key = f"dependencies.locks.{declared.name}.audit_command"

    def findings(self, known: Advisories | None) -> tuple[Finding, ...] | Unseen:
        return seen(self._findings, self._lock, known)

    def reports_canary(self) -> bool | Unseen:
        return seen(self._canary)

    def _canary(self) -> bool:
        if not self._declared.canary_lock:
            step = "name a lock file with a known vulnerable package as its canary_lock"
            raise ProbeError(f"whether {self._key} reports anything", "no canary_lock", step)
        planted = locks.read(place(self._env, self._declared.canary_lock))
        return bool(self._findings(planted, None))

    def _findings(self, lock: LockFile, known: Advisories | None) -> tuple[Finding, ...]:
        said = pipe(
            self._declared.audit_command,
            {"lock": lock.path},
            b"",
            key=self._key,
            within_s=0.4 * self._env.time_limits.probe,
            environment=os.environ,
        )
        # Both end with status 1 where they find something, so that it tells nothing.
        if lock.ecosystem == PYPI:
            return self._of_pip_audit(lock, said.content, said.failure, known)
        return self._of_npm_audit(lock, said.content, said.failure)

    def _of_pip_audit(
        self, lock: LockFile, content: bytes, failure: str, known: Advisories | None
    ) -> tuple[Finding, ...]:
        found = self._decoded(content, _PipAudit, failure)
        skipped = [d.name for d in found.dependencies if d.skip_reason]
        audited = {normal(d.name, PYPI) for d in found.dependencies if not d.skip_reason}
        left = [p for p in lock.packages if not p.is_conditional]
        missing = [p.name for p in left if normal(p.name, PYPI) not in audited]
        self._all_audited([*skipped, *missing])
        return tuple(
            Finding(self._declared.name, d.name, d.version, ids, _severity(known, ids))
            for d in found.dependencies
            for v in d.vulns
            for ids in [(v.id, *v.aliases)]
        )

    def _of_npm_audit(self, lock: LockFile, content: bytes, failure: str) -> tuple[Finding, ...]:
        found = self._decoded(content, _NpmAudit, failure)
        total = found.metadata.dependencies.get("total", sum(found.metadata.dependencies.values()))
        needed = sum(not p.is_optional for p in lock.packages)
        if total < max(needed, 1):
            self._all_audited([f"{needed - total} of {needed} packages"])
        versions = {p.name: p.version for p in lock.packages}
        return tuple(
            Finding(
                self._declared.name,
                v.name,
                versions.get(v.name, v.range),
                tuple(_npm_ids(v)),
                advisories.word(v.severity),
            )
            for v in found.vulnerabilities.values()
            if _npm_ids(v)  # the others are vulnerable through these
        )

    def _all_audited(self, left: list[str]) -> None:
        if left:
            cause = f"it skipped {', '.join(left[:6])}{' and others' if len(left) > 6 else ''}"
            step = "run it by hand where it reaches its advisory service"
            raise ProbeError(self._key, cause, step)

    def _decoded(self, content: bytes, kind: Any, failure: str) -> Any:
        try:
            return decode(content, kind)
        except (msgspec.MsgspecError, UnicodeDecodeError) as e:
            cause = failure or f"its answer is not the JSON that is expected: {e}"
            raise ProbeError(self._key, cause, "run it by hand") from None


def _severity(known: Advisories | None, ids: tuple[str, ...]) -> str:
    """pip-audit tells none: it is looked up in the snapshot."""
    return known.severity_of(ids) if known is not None else UNRATED


def _npm_ids(found: _NpmVulnerability) -> list[str]:
    named = [via for via in found.via if isinstance(via, Mapping)]
    return [str(via.get("url", "")).rpartition("/")[2] or str(via.get("source")) for via in named]


# -- what is installed -----------------------------------------------------------------------------


def _installed(env: Environment, declared: Lock, lock: LockFile) -> tuple[Installed, ...]:
    if not declared.is_installed:
        return ()
    key = f"dependencies.locks.{declared.name}.installed_command"
    if not declared.installed_command:
        step = f"write {key}, or is_installed = false where no instance has these packages"
        raise ProbeError(f"what of {declared.file} is installed", "no command is declared", step)
    instances = [i.name for i in env.application.instances]
    if not instances:
        raise ProbeError("the instances", "none is declared", "declare application.instances")
    found = []
    for instance in instances:
        said = run(
            declared.installed_command,
            {"instance": instance},
            key=key,
            within_s=0.4 * env.time_limits.probe,
            answer=Any,
        )
        there, markers = _listed(said, lock.ecosystem, key)
        if not there:
            raise ProbeError(f"{key} on {instance}", "it lists no package", "run it by hand")
        differences = tuple(_compared(declared, lock, there, markers))
        found.append(Installed(declared.name, instance, len(there), differences))
    return tuple(found)


def _listed(said: Any, ecosystem: str, key: str) -> tuple[set[tuple[str, str]], dict[str, str]]:
    """Names and versions, and the environment that markers are judged in where it is told."""
    found: set[tuple[str, str]] = set()
    markers: dict[str, str] = {}
    try:
        if isinstance(said, list):  # pip list
            found = {(normal(e["name"], ecosystem), str(e["version"])) for e in said}
        elif "installed" in said:  # pip inspect
            markers = {k: str(v) for k, v in said.get("environment", {}).items()}
            every = [e["metadata"] for e in said["installed"]]
            found = {(normal(m["name"], ecosystem), str(m["version"])) for m in every}
        elif "dependencies" in said:  # npm ls
            found = set(_tree(said["dependencies"]))
        else:
            raise TypeError("no list of packages")
    except (KeyError, TypeError, AttributeError) as e:
        cause = f"its answer is none of pip list, pip inspect and npm ls: {type(e).__name__} {e}"
        raise ProbeError(key, cause, "compare what it prints with those") from None
    return found, markers


def _tree(dependencies: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for name, entry in dependencies.items():
        if entry.get("version") and not entry.get("missing"):
            yield name, str(entry["version"])
        yield from _tree(entry.get("dependencies", {}))


def _compared(
    declared: Lock, lock: LockFile, there: set[tuple[str, str]], markers: dict[str, str]
) -> Iterable[str]:
    of = lock.ecosystem
    locked = {(normal(p.name, of), p.version) for p in lock.packages}
    wanted = {(normal(p.name, of), p.version) for p in lock.packages if _is_wanted(p, markers)}
    besides = {normal(name, of) for name in declared.besides}
    versions: dict[str, str] = {}
    for name, version in sorted(locked):
        versions[name] = f"{versions[name]} or {version}" if name in versions else version
    for name, version in sorted(there - locked):
        if name in versions:
            yield f"{name} {version} instead of {versions[name]}"
        elif name not in besides:
            yield f"{name} {version} is not locked"
    installed = {name for name, _ in there}
    for name, version in sorted(wanted - there):
        if name not in installed:
            yield f"{name} {version} is missing"


def _is_wanted(package: Package, markers: dict[str, str]) -> bool:
    """Whether an installation cannot do without it, as far as can be told."""
    if package.is_optional:
        return False
    if not package.marker:
        return True
    if not markers:
        return False
    from packaging.markers import InvalidMarker, Marker

    try:
        return Marker(package.marker).evaluate(markers)
    except (InvalidMarker, KeyError):
        return False
