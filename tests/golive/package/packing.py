"""Packages made, altered and made again."""

from __future__ import annotations

import hashlib
import subprocess
import zipfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pytest

from golive import ledger, package, provenance
from golive.masking import Mask
from golive.people.signatures import DOCUMENTS, sign
from golive.readiness import assess
from golive.reports.documents import Document, Signer, write_document
from golive.verdicts import GoliveError, Verdict
from tests.conftest import COMMIT, ITEMS, SIGNING, Project

GREEN = dict.fromkeys([i for i in ITEMS if i.startswith("D-2")], Verdict.PASS)
DECIDE = ("elena", "tess")
SIGNED = [("Elena Marsh", "executive team"), ("Tess Lindqvist", "technical lead")]


def launched(project: Project, env: str = "staging", kind: str = "") -> None:
    """A launch with runs, statements with evidence, decisions, and a signed document."""
    project.folder.launch(
        project.launch_day, people=SIGNING, p95_ms=500, validity={"default": "7 d"}
    )
    project.fresh()
    project.folder.write("suites/shared.py", "LIMIT = 1\n")
    others = [i for i in ITEMS if i != "D-2.2.1"]
    project.folder.items(
        "".join(f'@item("{i}")\ndef test_{n}():\n    assert {n}\n\n' for n, i in enumerate(others)),
        "suites/t_minus_1_week/test_others.py",
    )
    project.looked(dict.fromkeys(ITEMS, Verdict.FAIL), ago=timedelta(days=3), env=env)
    project.looked(GREEN, env=env)
    about: dict[str, Any] = {"environment": env, "environment_kind": kind or env}
    minutes = project.folder.write("minutes of the day.md", "we met")
    project.sign(files=[minutes], **about)
    saw = assess(project.context(env), today=datetime.now(UTC).date()).readiness
    for person in ("elena", "tess"):
        project.sign(
            "",
            person,
            kind="approve",
            data={"decision": "go"},
            text="because",
            readiness=saw,
            **about,
        )
    context = project.context(env)
    document = Document(
        kind="status-report",
        item="D-2.D.1",
        title="Status report",
        signers=[
            Signer(role="product_manager", title="Product Manager"),
            Signer(role="technical_lead", title="Technical Lead"),
        ],
        environment=env,
        environment_kind=kind or env,
        fingerprint="9f",
        candidate="v2.0.0",
        made_at=datetime.now(UTC),
        summary="All is well.",
        verdicts=[],
        figures=[],
        tables=[],
    )
    context.documents.mkdir(parents=True)
    path = write_document(document, context.documents / "status-report.html")
    sign(path, project.keys["leah"], DOCUMENTS)
    sign(
        path,
        project.keys["tess"],
        DOCUMENTS,
        place=path.with_name(f"{path.name}.technical_lead.sig"),
    )


def packed(project: Project, env: str = "staging", **how: Any) -> Path:
    """A package of such a launch, signed by those who decide."""
    context = project.context(env)
    known: dict[str, Any] = {"today": datetime.now(UTC).date()}
    answer = assess(context, **(known | how))
    path = package.write(project.path / f"{env}.zip", package.build(context, answer, Mask()))
    for person in DECIDE:
        package.sign(path, person, project.keys[person], context.roster)
    return path


def committed(_: Path, suites: Path) -> ledger.Suite:
    """As git says of suites that are as committed."""
    return ledger.Suite(COMMIT, clean=True, digest=provenance.suite_digest(suites))


def check(path: Path, **how: Any) -> package.Verified:
    with package.opened(path) as opened:
        return package.verify(opened, package.Trust(**how))


def refused(path: Path, **how: Any) -> str:
    with pytest.raises(GoliveError) as caught:
        check(path, **how)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def files_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {n: archive.read(n) for n in archive.namelist()}


def rebuilt(
    path: Path,
    made: tuple[Project, Path],
    change: Callable[[dict[str, bytes]], object],
    *,
    signers: Sequence[str] = DECIDE,
    key: str = "",
) -> Path:
    """The package with other content, listed and signed again as forgers with keys would.

    :param key: whose key the first of them signs with; default: the own.
    """
    files = {n: d for n, d in files_of(path).items() if not n.startswith("SHA256SUMS")}
    change(files)
    path.write_bytes(package.zipped(files))
    sums = path.with_name("SHA256SUMS")
    sums.write_bytes(files_of(path)["SHA256SUMS"])
    for n, signer in enumerate(signers):
        place = path.with_name("sig")
        with_key = key if key and not n else signer
        sign(sums, made[0].keys[with_key], "golive-package", place=place)
        signed = files_of(path) | {f"SHA256SUMS.{signer}.sig": place.read_bytes()}
        path.write_bytes(package.zipped(signed))
    return path


def followed(path: Path, place: Path) -> subprocess.CompletedProcess[str]:
    """The package's own instructions, done to the letter in an empty folder."""
    text = files_of(path)["HOW-TO-VERIFY.txt"].decode()
    commands = [line[4:] for line in text.splitlines() if line.startswith("    ")]
    place.mkdir()
    return subprocess.run(
        ["sh", "-e", "-c", "\n".join(commands)],
        cwd=place,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "PACKAGE": str(path)},
        check=False,
    )


def rezipped(path: Path, files: dict[str, bytes]) -> Path:
    """The zip of somebody who has no golive."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def loosened(suites: Path, file: str, old: str, new: str) -> None:
    path = suites / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


CHECKS = "t_minus_1_week/test_others.py"


def end_of(files: dict[str, bytes]) -> str:
    return max(n for n in files if n.endswith("end.json"))


def fabricated(files: dict[str, bytes]) -> str:
    """A run that was edited, its digest made again; its name."""
    end = end_of(files)
    run = end.removesuffix("/end.json")
    files[f"{run}/run.json"] = files[f"{run}/run.json"].replace(b"nightly", b"somebody")
    files[f"{run}/verdicts.jsonl"] = files[f"{run}/verdicts.jsonl"].replace(b"FAIL", b"PASS")
    parts = (files[f"{run}/{n}"] for n in ("run.json", "facts.jsonl", "verdicts.jsonl"))
    reported = msgspec.json.decode(files[end])
    reported["digest"] = hashlib.sha256(b"".join(parts)).hexdigest()
    files[end] = msgspec.json.format(msgspec.json.encode(reported), indent=1) + b"\n"
    return run


def raw(names: dict[str, bytes], *, seal: bool = True, mode: int = 0o100644) -> bytes:
    """A zip with these names, as golive would write it but for what is wrong."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in names.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
        archive.comment = b"0" * 64
    data = buffer.getvalue()[:-64]
    return data + (hashlib.sha256(data).hexdigest().encode() if seal else b"0" * 64)
