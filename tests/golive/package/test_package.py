"""The package: anybody can check it with public tools, and no byte of it can change."""

from __future__ import annotations

import hashlib
import random
import re
import shutil
import struct
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
from golive.answer import GO, NO_GO
from golive.cli import main
from golive.masking import Mask
from golive.package import signing
from golive.people.signatures import DOCUMENTS, sign
from golive.people.statements import canonical
from golive.readiness import assess
from golive.reports.documents import Document, Signer, write_document
from golive.verdicts import GoliveError, Verdict
from tests.conftest import COMMIT, ITEMS, SECRET, SECRET_VARIABLE, SIGNING, Project

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


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Path]:
    """A launch and its package, made once: tests that change it work on a copy."""
    from tests.conftest import Folder

    folder = tmp_path_factory.mktemp("launch")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(provenance, "suite", committed)
        project = Project(Folder(folder))
        launched(project)
        return project, packed(project)


@pytest.fixture(autouse=True)
def as_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What git says of suites has tests of its own."""
    monkeypatch.setattr(provenance, "suite", committed)


@pytest.fixture
def zipped(made: tuple[Project, Path], tmp_path: Path) -> Path:
    """A copy of the package."""
    return Path(shutil.copy(made[1], tmp_path / "p.zip"))


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
    """The package with other content, listed and signed anew as forgers with keys would.

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


# -- what it is --------------------------------------------------------------------------------


def test_a_package_holds_what_the_answer_rests_on(made: Any) -> None:
    found = check(made[1])
    assert (found.answer.answer, found.runs, found.statements, found.documents) == (GO, 2, 3, 2)
    assert found.signed_by == SIGNED
    assert found.unsigned == []
    names = set(files_of(made[1]))
    for name in (
        "index.html",
        "answer.json",
        "package.json",
        "roster.toml",
        "allowed_signers",
        "HOW-TO-VERIFY.txt",
        "SHA256SUMS",
        "SHA256SUMS.elena.sig",
        "sheets/day_minus_2.html",
        "documents/status-report.html",
        "documents/status-report.html.sig",
        "documents/status-report.html.technical_lead.sig",
        "suites/launch.toml",
        "suites/procedure.toml",
        "suites/t_minus_1_week/test_others.py",
    ):
        assert name in names
    assert sum(n.endswith("end.json") for n in names) == 2
    assert any(
        re.fullmatch(r"statements/[^/]+/evidence/\w+-minutes of the day\.md", n) for n in names
    )


def test_the_same_answer_makes_the_same_bytes(made: Any) -> None:
    project, path = made
    answer = check(path).answer
    context = project.context()
    again = assess(context, today=answer.today, now=answer.made_at)
    one, other = (package.build(context, a, Mask()) for a in (answer, again))
    assert one == other


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
    ("alter", "told"),
    [
        (lambda b: b.replace(b'"data":{}', b'"data":{"x":{"by":"elena"}}'), "not valid"),
        (lambda b: b.replace(b'"by":"joel"', b'"by":"elena"'), "not valid"),
    ],
)
def test_by_hand_too_a_statement_is_its_own_authors(
    made: Any, zipped: Path, tmp_path: Path, alter: Callable[[bytes], bytes], told: str
) -> None:
    """Signed by elena, said by joel, and whoever packs it lists and signs anew."""
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
    assert f"statements/{ident}: {told}" in done.stdout
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
        told = msgspec.json.decode(files[name])
        rest = (
            b"".join(f' "{k}": "{told[k]}",\n'.encode() for k in ("ended_at", "digest"))
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


def test_somebody_adds_a_signature_later(made: Any, zipped: Path) -> None:
    project = made[0]
    package.sign(zipped, "paul", project.keys["paul"], project.context().roster)
    paul = ("Paul Adeyemi", "product manager")
    assert check(zipped).signed_by == [SIGNED[0], paul, SIGNED[1]]
    with pytest.raises(GoliveError, match="is no key of paul"):
        package.sign(zipped, "paul", project.keys["tess"], project.context().roster)


def test_it_tells_how_to_reach_nobody(made: Any) -> None:
    roster = files_of(made[1])["roster.toml"].decode()
    assert "Elena Marsh" in roster
    assert "@example.com" not in roster
    assert "+1202" not in roster


def test_where_the_folders_of_a_machine_lie_does_not_matter_to_the_answer(project: Project) -> None:
    launched(project)
    here = project.context().root
    for folder in (here, here / "reports", Path("/home/of/another")):
        message = f"{folder}/documents/staging/d.html is made and true, but not signed"
        project.looked({"D-2.D.1": Verdict.PENDING}, ago=timedelta(minutes=1), message=message)
        assert check(packed(project)).answer.answer == NO_GO


def test_a_no_go_is_packaged_too(project: Project) -> None:
    launched(project)
    project.looked({"D-2.1.1": Verdict.FAIL}, ago=timedelta(seconds=5))
    assert check(packed(project)).answer.answer == NO_GO


def test_a_statement_that_does_not_hold_is_in_it_with_its_reason(project: Project) -> None:
    launched(project)
    project.sign(by="joel")
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=30)
    project.sign(key="tess", made_at=later)
    (item,) = [s for s in check(packed(project)).answer.standings if s.line.id == "D-2.2.1"]
    causes = [x.cause for x in item.said]
    assert any("may not state it" in c for c in causes)
    assert any("its signature is not valid" in c for c in causes)


# -- nothing of it can change ------------------------------------------------------------------


def test_one_flipped_byte_anywhere_is_noticed(made: Any, tmp_path: Path) -> None:
    data = made[1].read_bytes()
    with zipfile.ZipFile(BytesIO(data)) as archive:
        places = [i.header_offset + 30 + len(i.filename) for i in archive.infolist()]
        places += [i.header_offset + 10 for i in archive.infolist()]
        places += [archive.start_dir, archive.start_dir + 12, archive.start_dir + 40]
    rng = random.Random(3)
    places += [rng.randrange(len(data)) for _ in range(200)]
    places += [0, len(data) - 1, len(data) - 64, len(data) - 65, len(data) - 86]
    for n in places:
        flipped = bytearray(data)
        flipped[n] ^= 1 << rng.randrange(8)
        path = tmp_path / "flipped.zip"
        path.write_bytes(flipped)
        with pytest.raises(GoliveError), package.opened(path):
            pytest.fail(f"byte {n} of {len(data)}")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("answer.json", "is not what its runs and statements say"),
        ("index.html", "does not show what answer.json says"),
        ("sheets/day_minus_2.html", "does not show what answer.json says"),
        ("documents/status-report.html", "status-report.html.sig: is not valid"),
        ("allowed_signers", "names other keys than roster.toml"),
        ("suites/t_minus_1_week/test_day_minus_2.py", "suites: are not those that package.json"),
        ("suites/launch.toml", "suites: are not those that package.json"),
        ("suites/procedure.toml", "suites: are not those that package.json"),
    ],
)
def test_what_a_signer_of_the_package_forged_is_told(
    made: Any, zipped: Path, name: str, told: str
) -> None:
    def forge(files: dict[str, bytes]) -> None:
        data = files[name]
        files[name] = {
            "answer.json": lambda: data.replace(b'"GO"', b'"NO-GO"'),
            "suites/t_minus_1_week/test_day_minus_2.py": lambda: data.replace(b"tell them", b"no"),
            "documents/status-report.html": lambda: data.replace(b"All is well", b"Oh no"),
            "suites/launch.toml": lambda: data.replace(b"24 h", b"48 h"),
        }.get(name, lambda: data + b"\n")()
        assert files[name] != data

    assert told in refused(rebuilt(zipped, made, forge))


def test_an_altered_run_or_statement_is_told_by_name(made: Any, zipped: Path) -> None:
    run = next(n for n in files_of(zipped) if n.endswith("verdicts.jsonl"))
    rebuilt(zipped, made, lambda files: files.update({run: files[run].replace(b"FAIL", b"PASS")}))
    assert f"{Path(run).parent}: was altered after it ended" in refused(zipped)
    shutil.copy(made[1], zipped)
    said = next(n for n in files_of(zipped) if n.endswith("statement.json"))
    rebuilt(zipped, made, lambda files: files.update({said: files[said].replace(b"v2", b"v3")}))
    assert f"{Path(said).parent}: holds the statement" in refused(zipped)


def test_a_left_out_run_or_statement_is_told(made: Any, zipped: Path) -> None:
    for part in ("runs/", "statements/"):
        shutil.copy(made[1], zipped)
        one = max(n for n in files_of(zipped) if n.startswith(part)).split("/")[1]

        def leave_out(files: dict[str, bytes], gone: str = f"{part}{one}/") -> None:
            for name in [n for n in files if n.startswith(gone)]:
                del files[name]

        assert "answer.json: is not what its runs" in refused(rebuilt(zipped, made, leave_out))


def test_it_has_to_be_signed_by_somebody_of_the_roster(made: Any, zipped: Path) -> None:
    project = made[0]
    assert "nobody has signed it" in refused(rebuilt(zipped, made, lambda f: None, signers=()))
    rebuilt(zipped, made, lambda f: None, key="tess")
    assert "SHA256SUMS.elena.sig: is not valid" in refused(zipped)
    rebuilt(zipped, made, lambda f: None)
    check(zipped)
    own = project.path / "suites" / "people" / "roster.toml"
    check(zipped, roster=own)
    elsewhere = zipped.with_name("roster.toml")
    elsewhere.write_text(own.read_text().replace("elena", "ellen"))
    assert "elena has no role on" in refused(zipped, roster=elsewhere)


def test_a_roster_of_ones_own_decides_whose_statements_hold(made: Any, zipped: Path) -> None:
    own = made[0].path / "suites" / "people" / "roster.toml"
    elsewhere = zipped.with_name("roster.toml")
    elsewhere.write_text(own.read_text().replace(made[0].public("tess"), made[0].public("joel"), 1))
    assert "SHA256SUMS.tess.sig: tess, joel have the same key" in refused(zipped, roster=elsewhere)
    elsewhere.write_text(own.read_text().replace(made[0].public("leah"), made[0].public("ci"), 1))
    assert re.search("runs/.*: leah, ci have the same key", refused(zipped, roster=elsewhere))
    elsewhere.write_text(own.read_text().replace(made[0].public("leah"), made[0].public("joel"), 1))
    assert "status-report.html.sig: leah, joel have the same" in refused(zipped, roster=elsewhere)


# -- who has to have signed it -------------------------------------------------------------------


def test_a_go_is_signed_by_everybody_who_decides(made: Any, zipped: Path) -> None:
    for signers, missing in (
        (("elena",), "technical_lead"),
        (("tess",), "executive_team"),
        (("paul",), "executive_team, technical_lead"),
    ):
        rebuilt(zipped, made, lambda f: None, signers=signers)
        assert f"is GO, but nobody has signed it as {missing}; each role" in refused(zipped)


def test_each_role_that_decides_needs_a_person_of_its_own(project: Project) -> None:
    both = {"roles": ["executive_team", "technical_lead"]}
    project.roster(elena=both, joel={"roles": ["executive_team"]})
    roster = project.context().roster
    approvers = ("executive_team", "technical_lead")
    for signers, missing in (
        (["elena"], ["technical_lead"]),
        (["elena", "joel"], []),
        (["joel", "elena"], []),
        (["joel", "paul"], ["technical_lead"]),
        (["tess", "elena"], []),
        ([], ["executive_team", "technical_lead"]),
    ):
        people = [roster.people[p] for p in signers]
        assert signing.lacking_roles(approvers, people, roster) == missing, signers


def test_whose_signatures_a_no_go_lacks_is_told(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    launched(project)
    project.looked({"D-2.1.1": Verdict.FAIL}, ago=timedelta(seconds=5))
    context = project.context()
    answer = assess(context, today=datetime.now(UTC).date())
    path = package.write(project.path / "p.zip", package.build(context, answer, Mask()))
    package.sign(path, "tess", project.keys["tess"], context.roster)
    assert check(path).unsigned == ["executive_team"]
    assert main(["verify", "p.zip"]) == 0
    assert "missing   the signatures of executive team, who decide" in capsys.readouterr().out


# -- by what rules it was made -------------------------------------------------------------------


def loosened(suites: Path, file: str, old: str, new: str) -> None:
    path = suites / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


CHECKS = "t_minus_1_week/test_others.py"


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        (
            "launch.toml",
            '"p95_ms" = 500',
            '"p95_ms" = 900',
            "launch.toml: thresholds.p95_ms: it has 500, yours 900",
        ),
        (
            "launch.toml",
            'probe = "24 h"',
            'probe = "48 h"',
            'launch.toml: freshness.probe: it has "24 h", yours "48 h"',
        ),
        (
            "launch.toml",
            '"executive_team", "technical_lead"',
            '"technical_lead"',
            (
                'people.approvers: it has ["executive_team", "technical_lead"],'
                ' yours ["technical_lead"]'
            ),
        ),
        (
            "launch.toml",
            '"previous" =',
            '"store" = "s3://b/p", "previous" =',
            'launch.toml: launch.store: it has nothing, yours "s3://b/p"',
        ),
        (
            "procedure.toml",
            "Title of D-2.1.1",
            "Title of D-2.1.1, or so",
            "procedure.toml: says something else of D-2.1.1",
        ),
        (CHECKS, "assert 1\n", "assert 1 == 1\n", f"{CHECKS}: says something else of D-2.1.2"),
        (
            CHECKS,
            "import pytest\n",
            "import pytest  # or so\n",
            f"{CHECKS}: says something else of D-2.1.1, D-2.1.2",
        ),
        ("shared.py", "LIMIT = 1", "LIMIT = 2", "shared.py: says something else;"),
    ],
)
def test_other_rules_than_ones_own_are_refused_by_name(
    made: Any, zipped: Path, tmp_path: Path, file: str, old: str, new: str, told: str
) -> None:
    own = Path(shutil.copytree(made[0].path / "suites", tmp_path / "suites"))
    assert check(zipped, suites=own).answer.answer == GO
    loosened(own, file, old, new)
    assert told in refused(zipped, suites=own)


def test_a_check_more_or_less_than_ones_own_is_refused_by_name(
    made: Any, zipped: Path, tmp_path: Path
) -> None:
    own = Path(shutil.copytree(made[0].path / "suites", tmp_path / "suites"))
    (own / CHECKS).rename(own / "test_elsewhere.py")
    told = refused(zipped, suites=own)
    assert f"{CHECKS}: is not among your suites of D-2.1.1, D-2.1.2" in told
    assert "test_elsewhere.py: is missing of D-2.1.1, D-2.1.2" in told


def test_another_description_of_the_environment_is_refused(made: Any, zipped: Path) -> None:
    suites = made[0].path / "suites"
    own = made[0].context().origin.fingerprint
    assert check(zipped, suites=suites, fingerprint=own).answer.answer == GO
    told = refused(zipped, suites=suites, fingerprint="0" * 64)
    assert "its environment staging is described otherwise than by" in told


def test_the_command_compares_with_the_suites_here_or_says_that_it_cannot(
    made: Any,
    zipped: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    believed = "rules     the enclosed ones were believed"
    assert main(["verify", str(zipped)]) == 0
    assert believed in capsys.readouterr().out
    own = Path(shutil.copytree(made[0].path / "suites", tmp_path / "elsewhere" / "suites"))
    assert main(["verify", str(zipped), "--suites", "elsewhere/suites"]) == 0
    out = capsys.readouterr().out
    assert "rules     as in elsewhere/suites" in out
    assert f"roster    {own / 'people' / 'roster.toml'}" in out
    loosened(own, "launch.toml", '"p95_ms" = 500', '"p95_ms" = 900')
    assert main(["verify", str(zipped), "--suites", "elsewhere/suites"]) == 1
    assert "thresholds.p95_ms: it has 500, yours 900" in capsys.readouterr().err
    own.rename(tmp_path / "suites")
    assert main(["verify", str(zipped)]) == 1
    assert "thresholds.p95_ms: it has 500, yours 900" in capsys.readouterr().err
    loosened(tmp_path / "suites", "launch.toml", '"p95_ms" = 900', '"p95_ms" = 500')
    loosened(tmp_path / "suites", "environments/staging.toml", "Small", "Another")
    assert main(["verify", str(zipped)]) == 1
    assert "environment staging is described otherwise" in capsys.readouterr().err
    (tmp_path / "suites" / "environments" / "staging.toml").unlink()
    assert main(["verify", str(zipped)]) == 0  # they know nothing of staging
    assert believed in capsys.readouterr().out
    assert main(["verify", str(zipped), "--suites", "reports"]) == 1
    assert "--suites: found no launch.toml in reports" in capsys.readouterr().err


def test_it_holds_every_python_file_of_the_suites(made: Any) -> None:
    names = set(files_of(made[1]))
    for path in (made[0].path / "suites").rglob("*.py"):
        assert f"suites/{path.relative_to(made[0].path / 'suites').as_posix()}" in names
    assert "suites/shared.py" in names


def test_an_answer_may_not_be_older_than_wanted(
    made: Any, zipped: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(zipped.parent)
    made_at = check(zipped).answer.made_at
    assert check(zipped, not_before=made_at).answer.answer == GO
    told = refused(zipped, not_before=made_at + timedelta(seconds=61))
    assert re.search(r"its answer is of .* UTC; expected none older than", told)
    today = datetime.now(UTC).date()
    for words, status in (
        ("24 h", 0),
        ("24h", 0),
        ("7d", 0),
        (f"{today}", 0),
        ("0.0001 min", 1),
        (f"{today + timedelta(days=1)}", 1),
        ("soon", 1),
    ):
        assert main(["verify", str(zipped), "--not-older-than", words]) == status, words
    assert "--not-older-than: found 'soon'; expected a date such as" in capsys.readouterr().err


def test_an_answer_of_a_time_to_come_is_refused(project: Project) -> None:
    launched(project)
    context = project.context()
    later = datetime.now(UTC) + timedelta(hours=1)
    answer = assess(context, today=datetime.now(UTC).date(), now=later)
    path = package.write(project.path / "p.zip", package.build(context, answer, Mask()))
    for person in DECIDE:
        package.sign(path, person, project.keys[person], context.roster)
    assert "which has not come; look at the clock" in refused(path)


# -- by what code it was made --------------------------------------------------------------------


def test_another_golive_is_refused_until_its_code_is_trusted(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own, other = provenance.engine_digest(), "f" * 64
    with monkeypatch.context() as patch:
        patch.setattr(provenance, "engine_digest", lambda: other)
        launched(project)
        path = packed(project)
        assert check(path).answer.answer == GO
    told = refused(path)
    assert f"was made by golive {check(path, engine=other).about.golive} of SHA-256 {other}" in told
    assert f"of {own}; check it with the golive that made it" in told
    assert f"expected {'e' * 64}" in refused(path, engine="e" * 64)
    assert main(["verify", str(path), "--golive", other]) == 0
    assert f"golive    {check(path, engine=other).about.golive} of SHA-256 {other}" in (
        capsys.readouterr().out
    )
    assert main(["verify", str(path), "--golive", "ffff"]) == 1
    assert "--golive: found 'ffff'; expected a SHA-256" in capsys.readouterr().err


def test_a_package_that_claims_another_basis_than_its_own_is_told(made: Any, zipped: Path) -> None:
    def claim(**fields: Any) -> Callable[[dict[str, bytes]], None]:
        def change(files: dict[str, bytes]) -> None:
            about = msgspec.json.decode(files["package.json"])
            about["suite"] |= fields.pop("suite", {})
            files["package.json"] = msgspec.json.encode(about | fields)

        return change

    for fields, told in (
        ({"fingerprint": "0" * 64}, "answer.json: is not what its runs and statements say"),
        ({"engine": "0" * 64}, "was made by golive"),
        ({"suite": {"digest": "0" * 64}}, "suites: are not those that package.json says"),
        ({"suite": {"clean": False}}, "answer.json: is not what its runs and statements say"),
    ):
        shutil.copy(made[1], zipped)
        assert told in refused(rebuilt(zipped, made, claim(**fields)))


# -- whose runs are in it ------------------------------------------------------------------------


def end_of(files: dict[str, bytes]) -> str:
    return max(n for n in files if n.endswith("end.json"))


def fabricated(files: dict[str, bytes]) -> str:
    """A run that was edited, its digest made anew; its name."""
    end = end_of(files)
    run = end.removesuffix("/end.json")
    files[f"{run}/run.json"] = files[f"{run}/run.json"].replace(b"nightly", b"somebody")
    files[f"{run}/verdicts.jsonl"] = files[f"{run}/verdicts.jsonl"].replace(b"FAIL", b"PASS")
    parts = (files[f"{run}/{n}"] for n in ("run.json", "facts.jsonl", "verdicts.jsonl"))
    told = msgspec.json.decode(files[end])
    told["digest"] = hashlib.sha256(b"".join(parts)).hexdigest()
    files[end] = msgspec.json.format(msgspec.json.encode(told), indent=1) + b"\n"
    return run


def test_a_run_whose_maker_did_not_sign_it_is_refused_by_name(
    made: Any, zipped: Path, tmp_path: Path
) -> None:
    run = end_of(files_of(zipped)).removesuffix("/end.json")
    changes: list[tuple[Callable[[dict[str, bytes]], object], str]] = [
        (fabricated, "the signature of ci is not valid"),
        (lambda files: files.pop(f"{run}/end.json.sig"), "the signature of ci is not valid"),
        (
            lambda files: files.update({f"{run}/end.json.sig": b"x"}),
            "the signature of ci is not valid",
        ),
    ]
    for n, (change, told) in enumerate(changes):
        shutil.copy(made[1], zipped)
        rebuilt(zipped, made, change)
        assert f"{run}: {told}" in refused(zipped)
        done = followed(zipped, tmp_path / str(n))
        assert (done.returncode, f"{run}: not signed" in done.stdout) == (1, True)
    shutil.copy(made[1], zipped)
    own = (made[0].path / "suites" / "people" / "roster.toml").read_text()
    elsewhere = zipped.with_name("roster.toml")
    elsewhere.write_text(re.sub('"runner" = .*\n', "", own))
    told = refused(zipped, roster=elsewhere)
    assert re.search(r"runs/\S+: ci signed it, of whom roster.toml has no key", told)


def test_a_run_that_nobody_signed_keeps_it_from_being_made(project: Project) -> None:
    launched(project)
    run = project.looked({"D-2.1.1": Verdict.PASS}, ago=timedelta(seconds=9), by="")
    context = project.context()
    with pytest.raises(GoliveError, match=f"{run.name}: nobody has signed its end; a package"):
        package.build(context, assess(context, today=datetime.now(UTC).date()), Mask())


def test_runs_of_a_rehearsal_need_no_signature(project: Project) -> None:
    launched(project, "rehearsal")
    project.looked({"D-2.1.1": Verdict.PASS}, ago=timedelta(seconds=9), by="", env="rehearsal")
    assert check(packed(project, "rehearsal")).runs == 3


def test_a_run_under_another_name_or_with_more_in_it_is_refused(made: Any, zipped: Path) -> None:
    run = end_of(files_of(zipped)).removesuffix("/end.json")

    def moved(files: dict[str, bytes]) -> None:
        for name in [n for n in files if n.startswith(run)]:
            files[name.replace(run, f"{run}f")] = files.pop(name)

    said = next(n for n in files_of(zipped) if n.endswith("statement.json"))
    for change, told in (
        (moved, f"{run}f: is the run {run.removeprefix('runs/')}"),
        (lambda files: files.update({f"{run}/more.json": b"{}"}), "more.json: is no part of a run"),
        (
            lambda files: files.update({said.replace("statement.json", "more"): b"{}"}),
            "more: is no part of a statement",
        ),
        (lambda files: files.update({"runs/file": b"{}"}), "runs/file"),
        (lambda files: files.update({"statements/file": b"{}"}), "statements/file"),
    ):
        shutil.copy(made[1], zipped)
        assert told in refused(rebuilt(zipped, made, change))
    with pytest.raises(GoliveError, match="is no name of a file in a package"):
        rebuilt(zipped, made, lambda files: files.update({"runs/.x/run.json": b"{}"}))


def test_what_a_package_cannot_hold_keeps_it_from_being_made(project: Project) -> None:
    launched(project)

    def told(folder: Path) -> str:
        context = project.context()
        with pytest.raises(GoliveError) as caught:
            package.build(context, assess(context, today=datetime.now(UTC).date()), Mask())
        shutil.rmtree(folder)
        return str(caught.value)

    reports = project.context().reports
    for folder in (reports / "runs" / ".x", reports / "runs" / "rubbish"):
        folder.mkdir()
        assert f"runs/{folder.name}" in told(folder)
    signed = project.sign(text="again")
    (signed.folder / "note.txt").write_text("x")
    assert "note.txt: is no part of the statement" in told(signed.folder)
    gone = project.looked({"D-2.1.1": Verdict.PASS}, ago=timedelta(seconds=9))
    project.sign(text="on what was seen")
    shutil.rmtree(gone)
    said = told(project.looked({"D-2.1.2": Verdict.PASS}, ago=timedelta(seconds=8)))
    assert gone.name in said
    assert "fetch them with `golive pull`" in said


def test_what_two_people_set_aside_does_not_keep_it_from_being_made(project: Project) -> None:
    launched(project)
    runs = project.context().reports / "runs"
    unsigned = project.looked({"D-2.1.1": Verdict.PASS}, ago=timedelta(hours=3), by="")
    (unsigned / "report.html").write_text("made anew by golive report")
    damaged = project.looked({"D-2.1.1": Verdict.PASS}, ago=timedelta(hours=4))
    (damaged / "verdicts.jsonl").write_text("{")
    gone = project.looked({"D-2.1.1": Verdict.PASS}, ago=timedelta(hours=5))
    project.sign(text="on what was seen")
    shutil.rmtree(gone)
    (runs / "rubbish").mkdir()
    (project.statements / "rubble").mkdir()
    for record in (unsigned.name, damaged.name, gone.name, "rubbish", "rubble"):
        before = set(project.statements.iterdir())
        words = ("--env", "staging", "--key")
        why = ("--reason", "the disk was full")
        assert main(["set-aside", record, *why, *words, str(project.keys["tess"])]) == 0
        (first,) = set(project.statements.iterdir()) - before
        second = ("--second", first.name, *words, str(project.keys["elena"]))
        assert main(["set-aside", *second]) == 0
    path = packed(project)
    assert check(path).answer.answer == GO
    assert f"runs/{unsigned.name}/report.html" in files_of(path)
    assert f"runs/{damaged.name}/verdicts.jsonl" in files_of(path)
    rebuilt(path, (project, path), lambda f: f.pop(f"runs/{unsigned.name}/report.html"))
    assert f"runs/{unsigned.name}: nobody has signed its end" in refused(path)


# -- what is none ------------------------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "is empty"),
        (b"hello", "is no whole zip"),
        (b"PK\x05\x06" + b"\0" * 18, "holds nothing"),
        (raw({"index.html": b""}), "SHA256SUMS is missing"),
        (raw({"SHA256SUMS": b""}), "package.json: is damaged or not there"),
        (raw({"SHA256SUMS": b"x"}), "SHA256SUMS: line 1 is damaged"),
        (raw({"SHA256SUMS": b"", "index.html": b""}), "index.html: is not listed in SHA256SUMS"),
        (raw({"SHA256SUMS": b"", "evil.html": b""}), "evil.html: is no part of a package"),
        (raw({"SHA256SUMS": b"0" * 64 + b"  index.html\n"}), "index.html: is listed in SHA256SUMS"),
        (raw({"SHA256SUMS": b"0" * 64 + b"  index.html\n", "index.html": b""}), "was altered"),
        (raw({"SHA256SUMS": b""}, seal=False), "do not match its seal"),
        (raw({"../evil": b""}), "found the name '../evil'"),
        (raw({"runs/../../evil": b""}), "found the name"),
        (raw({"/etc/passwd": b""}), "found the name '/etc/passwd'"),
        (raw({"runs\\evil": b""}), "found the name"),
        (raw({"runs/": b""}), "found the name 'runs/'"),
        (raw({"a\x1b[31m": b""}), "found the name"),
        (raw({"index.html": b"", "INDEX.html": b""}), "found index.html and INDEX.html"),
        (raw({"index.html": b"/etc/passwd"}, mode=0o120777), "is no ordinary file"),
        (raw({"index.html": b"\0" * 2**26}), "would unpack to 64 MiB"),
    ],
)
def test_what_is_no_package_is_refused(tmp_path: Path, data: bytes, told: str) -> None:
    path = tmp_path / "p.zip"
    path.write_bytes(data)
    assert told in refused(path)
    assert [p.name for p in tmp_path.iterdir()] == ["p.zip"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice_is_refused(tmp_path: Path) -> None:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for text in ("one", "two"):
            info = zipfile.ZipInfo("index.html")
            info.external_attr = 0o100644 << 16
            archive.writestr(info, text)
    (tmp_path / "p.zip").write_bytes(buffer.getvalue())
    assert "expected it once" in refused(tmp_path / "p.zip")


def test_a_truncated_package_is_refused(zipped: Path) -> None:
    data = zipped.read_bytes()
    for length in (1, 100, len(data) // 2, len(data) - 1):
        zipped.write_bytes(data[:length])
        assert re.search("altered( or cut off)?$", refused(zipped))


def test_bytes_hidden_between_files_are_noticed(zipped: Path) -> None:
    data = zipped.read_bytes()
    with zipfile.ZipFile(zipped) as archive:
        start = archive.start_dir
    hidden = b"hidden"
    body = data[:start] + hidden + data[start:-64]
    at = len(body) - 22
    body = body[: at + 16] + struct.pack("<L", start + len(hidden)) + body[at + 20 :]
    zipped.write_bytes(body + hashlib.sha256(body).hexdigest().encode())
    assert "something is hidden between its files" in refused(zipped)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in refused(tmp_path / "none.zip")
    assert "is a folder" in refused(tmp_path)


# -- what must not be in it --------------------------------------------------------------------


def test_a_secret_that_somebody_wrote_keeps_it_from_being_made(project: Project) -> None:
    launched(project)
    mask = Mask()
    mask.add(SECRET)
    context = project.context()
    answer = assess(context, today=datetime.now(UTC).date())
    assert SECRET.encode() not in package.build(context, answer, mask)
    for text, told in (
        (f"the token is {SECRET}", "holds a secret"),
        ("postgresql://golive:hunter2hunter2@db-1/app", "holds a secret, or a password"),
    ):
        file = project.folder.write("evidence.txt", text)
        signed = project.sign(files=[file])
        context = project.context()
        answer = assess(context, today=datetime.now(UTC).date())
        with pytest.raises(GoliveError, match=told) as caught:
            package.build(context, answer, mask)
        assert signed.id in str(caught.value)
        assert SECRET not in str(caught.value)
        shutil.rmtree(signed.folder)
    path = context.documents / "status-report.html"
    path.write_text(path.read_text() + "-----BEGIN OPENSSH PRIVATE KEY-----")
    with pytest.raises(GoliveError, match=r"status-report\.html: holds a private key"):
        package.build(project.context(), answer, Mask())


def test_a_secret_in_any_part_of_it_keeps_it_from_being_made(project: Project) -> None:
    launched(project)
    context = project.context()
    answer = assess(context, today=datetime.now(UTC).date())
    check = project.path / "suites" / "t_minus_1_week" / "test_day_minus_2.py"
    mask = Mask()
    mask.add(SECRET)
    for file, name in (
        (context.documents / "status-report.html", "documents/status-report.html"),
        (check, "suites/t_minus_1_week/test_day_minus_2.py"),
    ):
        before = file.read_bytes()
        for more in (SECRET.encode().hex(), SECRET.upper(), "PuTTY-User-Key-File-2: ssh-rsa"):
            file.write_bytes(before + more.encode())
            with pytest.raises(GoliveError) as caught:
                package.build(context, answer, mask)
            assert str(caught.value).startswith(f"{name}: holds a ")
            assert more not in str(caught.value)
        file.write_bytes(before)
    run = project.looked({"D-2.1.1": Verdict.FAIL}, message=f"{SECRET} " + "{id} {verdict}")
    context = project.context()
    answer = assess(context, today=datetime.now(UTC).date())
    with pytest.raises(GoliveError) as caught:
        package.build(context, answer, mask)
    assert str(caught.value).startswith(f"runs/{run.name}/verdicts.jsonl: holds a secret")
    assert SECRET not in str(caught.value)


def test_it_is_not_made_where_secrets_are_not_at_hand_to_search_it_for(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    launched(project)
    monkeypatch.delenv(SECRET_VARIABLE)
    words = ["package", "--env", "staging", "--out", "p.zip"]
    assert main(words) == 1
    told = capsys.readouterr().err
    assert f"staging: {SECRET_VARIABLE} is not at hand" in told
    assert "--secrets-elsewhere" in told
    assert not Path("p.zip").exists()
    assert main([*words, "--secrets-elsewhere"]) == 0
    assert f"searched  not for {SECRET_VARIABLE}" in capsys.readouterr().out
    assert Path("p.zip").exists()


def test_of_a_rehearsal_it_is_made_and_what_was_not_searched_for_told(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    launched(project, "rehearsal")
    monkeypatch.delenv(SECRET_VARIABLE)
    assert main(["package", "--env", "rehearsal", "--out", "p.zip"]) == 0
    assert f"searched  not for {SECRET_VARIABLE}" in capsys.readouterr().out


def test_no_key_of_anybodys_is_in_it(made: Any) -> None:
    project, path = made
    content = b"".join(files_of(path).values())
    assert b"PRIVATE KEY" not in content
    for key in project.keys.values():
        secret = "".join(key.read_text().splitlines()[1:-1])
        assert secret[60:120].encode() not in content


def test_a_damaged_run_or_statement_keeps_it_from_being_made(project: Project) -> None:
    launched(project)
    context = project.context()
    folder = project.looked({"D-2.1.1": Verdict.PASS}, ago=timedelta(seconds=9))
    (folder / "verdicts.jsonl").write_text("")
    with pytest.raises(GoliveError, match="was altered after it ended"):
        package.build(context, assess(context, today=datetime.now(UTC).date()), Mask())
    shutil.rmtree(folder)
    (project.statements / "empty").mkdir()
    context = project.context()
    with pytest.raises(GoliveError, match=r"empty: .*only statements that can be read"):
        package.build(context, assess(context, today=datetime.now(UTC).date()), Mask())


def test_a_rehearsal_says_so_everywhere_and_never_serves_production(project: Project) -> None:
    launched(project, "rehearsal")
    path = packed(project, "rehearsal", all_due=False)
    files = files_of(path)
    for name in ("index.html", "sheets/day_minus_2.html", "HOW-TO-VERIFY.txt"):
        assert b"REHEARSAL" in files[name], name
    assert msgspec.json.decode(files["package.json"])["environment_kind"] == "rehearsal"
    assert check(path, purpose="rehearsal").about.is_rehearsal
    for purpose in ("production", "staging"):
        told = refused(path, purpose=purpose)
        assert told.endswith(
            f"is about a REHEARSAL, which decides nothing; expected one about {purpose}"
        )


def test_no_rehearsal_passes_for_what_it_is_named_after(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever packs it can call an environment staging and say that it is a rehearsal."""
    file = project.path / "suites" / "environments" / "staging.toml"
    own = file.read_text()
    file.write_text(own.replace('"kind" = "staging"', '"kind" = "rehearsal"'))
    launched(project, "staging", kind="rehearsal")
    project.looked({"D-2.1.1": Verdict.PASS}, ago=timedelta(seconds=9), by="")
    path = packed(project)
    assert check(path).about.is_rehearsal
    assert "is about a REHEARSAL, which decides nothing; expected" in refused(
        path, purpose="staging"
    )
    file.write_text(own)
    assert main(["verify", str(path)]) == 1
    assert "says that staging is a rehearsal; expected staging" in capsys.readouterr().err


def test_a_roster_that_is_not_where_it_belongs_is_not_made_up_for_by_the_enclosed_one(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    launched(project)
    path = packed(project)
    assert main(["verify", str(path)]) == 0
    roster = project.path / "suites" / "people" / "roster.toml"
    kept = roster.rename(project.path / "kept.toml")
    assert main(["verify", str(path)]) == 1
    assert "roster.toml: is not there; expected the roster of staging" in capsys.readouterr().err
    assert main(["verify", str(path), "--roster", str(kept)]) == 0


# -- the commands ------------------------------------------------------------------------------


def test_the_commands_package_sign_and_verify(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    launched(project)
    key = str(project.keys["elena"])
    assert main(["package", "--env", "staging", "--out", "p.zip"]) == 0
    assert "next: golive package --sign p.zip --as PERSON" in capsys.readouterr().out
    assert main(["verify", "p.zip"]) == 1
    assert "p.zip: nobody has signed it" in capsys.readouterr().err
    assert main(["package", "--sign", "p.zip", "--as", "elena", "--key", key]) == 0
    assert "by        Elena Marsh" in capsys.readouterr().out
    assert main(["verify", "p.zip", "--for", "staging"]) == 1
    assert "nobody has signed it as technical_lead" in capsys.readouterr().err
    tess = str(project.keys["tess"])
    assert main(["package", "--sign", "p.zip", "--as", "tess", "--key", tess]) == 0
    assert main(["verify", "p.zip", "--for", "staging"]) == 0
    out = capsys.readouterr().out
    assert "holds: p.zip" in out
    assert "signed    Elena Marsh (executive team)" in out
    assert f"roster    {project.path / 'suites' / 'people' / 'roster.toml'}" in out
    assert main(["verify", "p.zip", "--for", "production"]) == 1
    (project.path / "suites").rename(project.path / "elsewhere")
    assert main(["verify", "p.zip"]) == 0
    assert "the enclosed one was believed" in capsys.readouterr().out


def test_what_cannot_be_packaged_is_told(project: Project, capsys: Any) -> None:
    project.fresh()
    for words, told in (
        (["package"], "expected --env NAME, or --sign FILE"),
        (["package", "--sign", "none.zip"], "none.zip: cannot be read"),
        (["package", "--sign", "none.zip", "--out", "x"], "no --out or --today"),
    ):
        assert main(words) == 1
        assert told in capsys.readouterr().err
