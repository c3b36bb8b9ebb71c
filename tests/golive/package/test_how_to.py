"""A package is checked with public tools alone, as it says itself."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from golive.people.signatures import sign
from golive.people.statements import canonical
from golive.verdicts import Verdict
from tests.conftest import Project
from tests.golive.package.packing import (
    end_of,
    files_of,
    followed,
    launched,
    packed,
    rebuilt,
    rezipped,
)


def test_the_instructions_inside_are_enough_with_public_tools_alone(
    zipped: Path, tmp_path: Path
) -> None:
    done = followed(zipped, tmp_path / "whole")
    assert (done.returncode, done.stderr) == (0, "")
    good = re.findall(r'Good "(\S+)" signature for (\w+)', done.stdout)
    assert sorted(good) == [
        ("golive-package", "elena"),
        ("golive-package", "tess"),
        ("golive-run", "ci"),
        ("golive-run", "ci"),
        ("golive-statement", "elena"),
        ("golive-statement", "paul"),
        ("golive-statement", "tess"),
    ]
    assert not re.search("altered|not valid|not named|no part|did not end", done.stdout)
    files = files_of(zipped)
    for name, data in files.items():
        if name.endswith(("answer.json", "verdicts.jsonl")) or "evidence" in name:
            rezipped(zipped, files | {name: data + b" "})
            place = tmp_path / hashlib.md5(name.encode()).hexdigest()
            assert followed(zipped, place).returncode != 0, name


@pytest.mark.parametrize(
    "name",
    [
        "SHA256SUMS.evil",
        "SHA256SUMS.d/elena.sig",
        "SHA256SUMS.a.b.sig",
        "evil",
        "runs/.x/run.json",
        "a\nindex.html",
    ],
)
def test_by_hand_too_a_file_that_is_not_listed_is_seen(
    zipped: Path, tmp_path: Path, name: str
) -> None:
    rezipped(zipped, files_of(zipped) | {name: b"x"})
    done = followed(zipped, tmp_path / "place")
    assert done.returncode != 0
    assert name.replace("\n", " ").split()[0] in done.stdout


def test_by_hand_too_a_listed_name_that_hides_is_seen(
    made: Any, zipped: Path, tmp_path: Path
) -> None:
    for n, name in enumerate(("statements/.x/statement.json", "runs/.y/run.json")):
        files = files_of(made[1]) | {name: b"{}\n"}
        line = f"{hashlib.sha256(files[name]).hexdigest()}  {name}"
        lines = [*files["SHA256SUMS"].decode().splitlines(), line]
        lines.sort(key=lambda line: line[66:])
        files["SHA256SUMS"] = "".join(f"{line}\n" for line in lines).encode()
        sums = tmp_path / "SHA256SUMS"
        sums.write_bytes(files["SHA256SUMS"])
        sign(sums, made[0].keys["elena"], "golive-package")
        files["SHA256SUMS.elena.sig"] = sums.with_name("SHA256SUMS.sig").read_bytes()
        done = followed(rezipped(zipped, files), tmp_path / str(n))
        assert done.returncode != 0
        assert Path(name).parts[1] in done.stdout


@pytest.mark.parametrize(
    ("alter", "reported"),
    [
        (lambda b: b.replace(b'"data":{}', b'"data":{"x":{"by":"elena"}}'), "not valid"),
        (lambda b: b.replace(b'"by":"joel"', b'"by":"elena"'), "not valid"),
    ],
)
def test_by_hand_too_a_statement_is_its_own_authors(
    made: Any, zipped: Path, tmp_path: Path, alter: Callable[[bytes], bytes], reported: str
) -> None:
    """Signed by elena, said by joel, and whoever packs it lists and signs again."""
    project = made[0]
    body = alter(canonical(project.draft(by="joel", environment="staging")))
    folder = tmp_path / "draft"
    folder.mkdir()
    (folder / "statement.json").write_bytes(body)
    key = "joel" if b'"by":"elena"' in body and b'"by":"joel"' not in body else "elena"
    sign(folder / "statement.json", project.keys[key], "golive-statement")
    ident = f"20261128T120000Z-D-2.2.1-joel-{hashlib.sha256(body).hexdigest()[:12]}"
    said = {f"statements/{ident}/{p.name}": p.read_bytes() for p in folder.iterdir()}
    rebuilt(zipped, made, lambda files: files.update(said))
    done = followed(zipped, tmp_path / "place")
    assert f"statements/{ident}: {reported}" in done.stdout
    assert done.stdout.count('Good "golive-statement"') == 3


@pytest.mark.parametrize(
    "end",
    [
        b'{"by":"ci","plugins":[{\n "by": "elena",\n"name":"x"}],\n %s}',
        b'{\n "by": "elena",\n "by": "ci",\n %s}',
        b'{\n %s,\n "by": "elena"}',
    ],
)
def test_by_hand_too_a_run_is_its_own_makers(
    made: Any, zipped: Path, tmp_path: Path, end: bytes
) -> None:
    """Signed by elena, where golive reads that CI has made it."""

    def forge(files: dict[str, bytes]) -> None:
        name = end_of(files)
        reported = msgspec.json.decode(files[name])
        rest = (
            b"".join(f' "{k}": "{reported[k]}",\n'.encode() for k in ("ended_at", "digest"))
            + b'"exit_status": 0'
        )
        place = tmp_path / "end.json"
        place.write_bytes(end % rest.strip())
        sign(place, made[0].keys["tess"], "golive-run")
        files[name] = place.read_bytes()
        files[f"{name}.sig"] = place.with_name("end.json.sig").read_bytes()

    rebuilt(zipped, made, forge)
    done = followed(zipped, tmp_path / "place")
    assert done.returncode == 1
    assert re.search("end.json: altered|: not signed", done.stdout)


def test_the_instructions_in_a_rehearsals_package_are_enough_too(
    project: Project, tmp_path: Path
) -> None:
    launched(project, "rehearsal")
    project.looked({"D-2.1.1": Verdict.PASS}, ago=timedelta(seconds=9), by="", env="rehearsal")
    project.looked(
        {"D-2.1.1": Verdict.FAIL}, ago=timedelta(seconds=5), ended=False, env="rehearsal"
    )
    done = followed(packed(project, "rehearsal"), tmp_path / "place")
    assert (done.returncode, done.stderr) == (0, "")
    assert "did not end: nothing green of it counts" in done.stdout
    assert "golive-run" not in done.stdout
