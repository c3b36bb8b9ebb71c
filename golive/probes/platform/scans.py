"""Reports of image scanners: Trivy's JSON (``--format json``) and Grype's (``-o json``).

Findings that a scanner was told to ignore count as findings: what is accepted stands in the
waivers, where it has an end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from golive.decoding import decode
from golive.files import read
from golive.probes.platform.advisories import CRITICAL, HIGH, word
from golive.verdicts import GoliveError, ProbeError

_MOST_BYTES = 256 * 2**20
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_CLOCKS_APART = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Found:
    """One finding in an image."""

    ids: tuple[str, ...]
    package: str
    version: str
    severity: str
    is_fixable: bool

    @property
    def is_grave(self) -> bool:
        """Critical, or high with a fix."""
        return self.severity == CRITICAL or (self.severity == HIGH and self.is_fixable)

    def __str__(self) -> str:
        fix = "with a fix" if self.is_fixable else "without a fix"
        return f"{self.ids[0]} in {self.package} {self.version} ({self.severity}, {fix})"


@dataclass(frozen=True, slots=True)
class Scan:
    """A scanner's report."""

    path: Path
    scanner: str
    at: datetime
    digests: frozenset[str]
    """Of the manifest, the index or the configuration of what was scanned."""
    targets: int
    """Parts of the image that the scanner knew how to look at."""
    findings: tuple[Found, ...]

    @property
    def age_d(self) -> float:
        return (datetime.now(UTC) - self.at) / timedelta(days=1)


def load(path: Path) -> Scan:
    """A report of one of the known scanners.

    :raises ProbeError: it is none, is dated in the future, or tells of nothing that was looked at.
    """
    subject = f"the scan report {path}"
    try:
        document = decode(read(path, _MOST_BYTES, "a scanner's report", links=True), dict)
    except (GoliveError, msgspec.MsgspecError, UnicodeDecodeError) as e:
        raise ProbeError(subject, e, "have the scanner write it again") from None
    try:
        scan = _trivy(path, document) if "SchemaVersion" in document else _grype(path, document)
    except (KeyError, TypeError, ValueError, AttributeError) as e:
        cause = f"it is none of Trivy and of Grype: {type(e).__name__} {e}"
        raise ProbeError(subject, cause, "write it with --format json, or -o json") from None
    if scan.at > datetime.now(UTC) + _CLOCKS_APART:
        raise ProbeError(subject, f"it is dated {scan.at:%F}, which is to come", "scan again")
    if not scan.targets:
        cause = f"{scan.scanner} found nothing in the image that it could look at"
        raise ProbeError(
            subject, cause, "scan the image itself, with packages of system and product"
        )
    return scan


def _trivy(path: Path, document: dict[str, Any]) -> Scan:
    about = document.get("Metadata") or {}
    named = [about.get("ImageID", ""), *(about.get("RepoDigests") or [])]
    named.append(document.get("ArtifactName", ""))
    findings: list[Found] = []
    targets = 0
    for result in document.get("Results") or []:
        targets += result.get("Class", "os-pkgs") in ("os-pkgs", "lang-pkgs")
        every = list(result.get("Vulnerabilities") or [])
        ignored = result.get("ExperimentalModifiedFindings") or []
        every += [one["Finding"] for one in ignored if one.get("Type") == "vulnerability"]
        for one in every:
            ids = (one["VulnerabilityID"], *(one.get("VendorIDs") or []))
            fixed = bool(one.get("FixedVersion"))
            severity = word(one.get("Severity", ""))
            version = one.get("InstalledVersion", "")
            findings.append(Found(ids, one["PkgName"], version, severity, fixed))
    at = _time(document["CreatedAt"])
    return Scan(path, "Trivy", at, _digests(named), targets, tuple(findings))


def _grype(path: Path, document: dict[str, Any]) -> Scan:
    target = document["source"]["target"]
    named = [target.get("manifestDigest", ""), target.get("imageID", "")]
    named += [*(target.get("repoDigests") or []), target.get("userInput", "")]
    every = [*(document.get("matches") or []), *(document.get("ignoredMatches") or [])]
    findings = []
    for one in every:
        weakness, package = one["vulnerability"], one["artifact"]
        related = [r["id"] for r in one.get("relatedVulnerabilities") or []]
        fixed = (weakness.get("fix") or {}).get("state") == "fixed"
        severity = word(weakness.get("severity", ""))
        ids = (weakness["id"], *related)
        findings.append(Found(ids, package["name"], package["version"], severity, fixed))
    system = bool((document.get("distro") or {}).get("name"))
    at = _time(document["descriptor"]["timestamp"])
    return Scan(path, "Grype", at, _digests(named), len(every) or int(system), tuple(findings))


def _digests(named: list[str]) -> frozenset[str]:
    return frozenset(d for text in named for d in _DIGEST.findall(text))


def _time(text: str) -> datetime:
    # Go writes nanoseconds, of which Python reads six digits.
    at = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
    return at if at.tzinfo else at.replace(tzinfo=UTC)
