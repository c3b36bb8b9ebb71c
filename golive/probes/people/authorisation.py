"""The launch authorisation: what an executive signed, and whether deploying asks for it."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Annotated

import msgspec

from golive.decoding import decode
from golive.environments import Environment
from golive.files import NotThere, read, read_text
from golive.people import roster
from golive.people.signatures import signature_of
from golive.probes.saas.launch_tools import dry_run
from golive.probing import probe
from golive.verdicts import GoliveError, ProbeError

_MOST_BYTES = 2**20
REVOKED = ".revoked"
"""Beside the authorisation, its own name with this at the end: a line for each that was taken
back, beginning with its SHA-256. Where there is no such file, none was."""
Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class Said(msgspec.Struct, frozen=True):
    """The authorisation as it is written; it may say more."""

    environment: str
    version: str
    commit: str
    artefacts: dict[str, str]
    """Name to SHA-256."""
    window_begins_at: Moment
    window_ends_at: Moment
    decision_sha256: str = ""
    """Of the record of the decision to go."""


@dataclass(frozen=True, slots=True)
class AuthorisedDecision:
    """SHA-256 of the record that the authorisation rests on; empty: it names none."""

    sha256: str


@dataclass(frozen=True, slots=True)
class Authorisation:
    """The authorisation in place, and what the deploy command said to it and to spoilt ones.

    ``refusals`` has why it refused each spoilt one; empty where it did not.
    """

    environment: str
    version: str
    commit: str
    artefacts: dict[str, str]
    window_begins_at: datetime
    window_ends_at: datetime
    signature_cause: str
    refusal_with: str
    refusals: dict[str, str]
    is_revoked: bool = False

    @property
    def window_h(self) -> float:
        """Hours from its first to its last moment."""
        return (self.window_ends_at - self.window_begins_at).total_seconds() / 3600

    def covers(self, begin: datetime, end: datetime) -> bool:
        """Whether its window is open all the time from one moment to another."""
        return self.window_begins_at <= begin and end <= self.window_ends_at

    def window(self, zone: tzinfo) -> str:
        """Its window in words, in a time zone."""
        moments = (self.window_begins_at, self.window_ends_at)
        return " to ".join(f"{at.astimezone(zone):%F %H:%M}" for at in moments)

    def differing(self, artefacts: Mapping[str, str]) -> list[str]:
        """Names of artefacts that are not the authorised ones, or are not there, or not authorised.

        :param artefacts: SHA-256 by name.
        """
        names = {*artefacts, *self.artefacts}
        return sorted(n for n in names if artefacts.get(n) != self.artefacts.get(n))


@probe()
def authorisation(env: Environment) -> Authorisation:
    """The launch authorisation, and the deploy command's dry run with and without it."""
    path = Path(env.tools.authorisation)
    content, said = _read(path)
    signature = roster.load(Path(env.people.roster)).signature(path, env.tools.authorised_by)
    return Authorisation(
        said.environment,
        said.version,
        said.commit,
        said.artefacts,
        said.window_begins_at,
        said.window_ends_at,
        "" if signature.valid else signature.cause,
        dry_run(env, env.tools.deploy, authorisation=path).refused,
        _spoilt(env, path, content),
        hashlib.sha256(content).hexdigest() in _revoked(path),
    )


@probe()
def authorised_decision(env: Environment) -> AuthorisedDecision:
    """Which decision the launch authorisation rests on."""
    return AuthorisedDecision(_read(Path(env.tools.authorisation))[1].decision_sha256)


def _read(path: Path) -> tuple[bytes, Said]:
    subject = "the launch authorisation"
    try:
        content = read(path, _MOST_BYTES, "an authorisation", links=True)
        return content, decode(content, Said)
    except GoliveError as e:
        step = "an executive signs it and puts it where tools.authorisation says"
        raise ProbeError(subject, e, step) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
        raise ProbeError(subject, f"{path}: {e}", "write it as docs/statements.md says") from None


def _revoked(path: Path) -> set[str]:
    """The digests of those that were taken back."""
    file = path.with_name(f"{path.name}{REVOKED}")
    try:
        lines = read_text(file, _MOST_BYTES, "a list of digests", links=True).splitlines()
    except NotThere:
        return set()
    except GoliveError as e:
        step = "make it readable: one SHA-256 on each line"
        raise ProbeError("the list of authorisations taken back", e, step) from None
    return {line.split()[0].lower() for line in lines if line.split()}


def _spoilt(env: Environment, path: Path, content: bytes) -> dict[str, str]:
    """What deploying says to authorisations that it must not take, in a folder of their own."""
    with tempfile.TemporaryDirectory(prefix="golive-") as folder:
        missing, altered, unsigned = (Path(folder) / n for n in ("none", "altered", "unsigned"))
        at = content.index(b":") if b":" in content else 0
        altered.write_bytes(content[: at + 1] + b" " + content[at + 1 :])  # says the same
        if signature_of(path).is_file():
            shutil.copyfile(signature_of(path), signature_of(altered))
        unsigned.write_bytes(content)
        cases = {"without one": missing, "with one altered": altered, "with it unsigned": unsigned}
        return {
            c: dry_run(env, env.tools.deploy, authorisation=p).refused for c, p in cases.items()
        }
