"""What in CI workflows would let others into what is released.

GitHub's are audited by zizmor, offline; those of other services are looked through for secrets.
"""

from __future__ import annotations

import shutil
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from golive.decoding import decode
from golive.environments import Environment
from golive.probes.platform import secret_shapes
from golive.probes.platform.checkout import WORKFLOWS, File, look
from golive.probes.transport import commands
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen, seen, unseen_among

_OPTIONS = (
    *("--offline", "--quiet", "--no-progress", "--no-exit-codes", "--strict-collection"),
    # What the product's developers have agreed to overlook is for golive's waivers to say.
    *("--no-config", "--no-ignores"),
    # Of lesser weight are habits, on which teams differ.
    *("--min-severity", "high", "--min-confidence", "medium", "--format", "json"),
)


class _Point(msgspec.Struct):
    row: int


class _Span(msgspec.Struct):
    start_point: _Point


class _Concrete(msgspec.Struct):
    location: _Span


class _Symbolic(msgspec.Struct):
    annotation: str
    kind: str = ""


class _Location(msgspec.Struct):
    symbolic: _Symbolic
    concrete: _Concrete


class _Finding(msgspec.Struct):
    ident: str
    desc: str
    locations: Annotated[list[_Location], msgspec.Meta(min_length=1)]

    @property
    def line(self) -> int:
        """Of what it is about first of all."""
        first = next((p for p in self.locations if p.symbolic.kind == "Primary"), self.locations[0])
        return first.concrete.location.start_point.row + 1


@dataclass(frozen=True, slots=True)
class Workflows:
    """The CI workflows of a checkout."""

    files: tuple[str, ...]
    weaknesses: tuple[str, ...] | Unseen
    """Grave ones by zizmor's rules, e.g. an action that is not named by its commit."""
    secrets: tuple[str, ...]
    """Secrets in clear: their kinds, each with its place."""


@probe()
def ci_workflows(env: Environment) -> Workflows | Unseen:
    """The checkout's CI workflows; unseen where no checkout is declared."""
    return seen(_audited, env)


def _audited(env: Environment) -> Workflows:
    found = look(Path(env.deploy.checkout)).of(WORKFLOWS)
    return Workflows(
        files=tuple(f.path for f in found),
        weaknesses=_weak(env, found),
        secrets=tuple(s for f in found for s in _secrets(f)),
    )


def _weak(env: Environment, files: Sequence[File]) -> tuple[str, ...] | Unseen:
    """What is known to be weak stays so, whatever could not be audited."""
    audited = [seen(_weaknesses, env, f) for f in files if "workflows/" in f.path]
    known = tuple(w for a in audited if not isinstance(a, Unseen) for w in a)
    unseen = unseen_among(audited)
    return known if known or unseen is None else unseen


def _weaknesses(env: Environment, file: File) -> list[str]:
    """By its lines.

    :raises ProbeError: it could not be audited.
    """
    subject = f"weaknesses of {file.path}"
    if not file.documents:
        raise ProbeError(subject, "it is no YAML, or empty", "correct it, or delete it")
    program = shutil.which("zizmor", path=sysconfig.get_path("scripts")) or shutil.which("zizmor")
    if program is None:
        raise ProbeError(subject, "zizmor is not installed", "install golive's packages again")
    done = commands.pipe(
        [program, *_OPTIONS, "-"],
        {},
        file.text.encode(),
        key=subject,
        within_s=env.time_limits.probe,
        environment={"RUST_BACKTRACE": "0", "NO_COLOR": "1"},
    )
    if done.failure:
        raise ProbeError(subject, done.failure, "read the workflow as GitHub would")
    try:
        findings = decode(done.content, list[_Finding])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
        raise ProbeError(subject, f"zizmor's report: {e}", "run zizmor by hand") from None
    return [f"{file.path}:{one.line}: {one.desc} ({one.ident})" for one in findings]


def _secrets(file: File) -> Iterator[str]:
    for number, line in enumerate(file.text.splitlines(), 1):
        for kind in secret_shapes.in_text(line.encode()):
            yield f"{file.path}:{number}: {kind}"
