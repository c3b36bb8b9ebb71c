"""The package: anybody can check it with public tools, and no byte of it can change."""

from __future__ import annotations

import hashlib
import random
import re
import shutil
import struct
import subprocess
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import pytest

from golive import package
from golive.answer import GO, NO_GO
from golive.cli import main
from golive.masking import Mask
from golive.readiness import assess
from golive.reports.documents import Document, Signer, write_document
from golive.signatures import DOCUMENTS, sign
from golive.verdicts import GoliveError, Verdict
from tests.conftest import ITEMS, SECRET, SECRET_VARIABLE, Office

GREEN = dict.fromkeys([i for i in ITEMS if i.startswith("D-2")], Verdict.PASS)
Make = Callable[..., Path]


def launched(office: Office, env: str = "staging") -> None:
    """A launch with runs, statements with evidence, decisions, and a signed document."""
    office.fresh()
    others = [i for i in ITEMS if i != "D-2.2.1"]
    office.folder.items(
        "".join(f'@item("{i}")\ndef test_{n}():\n    assert {n}\n\n' for n, i in enumerate(others)),
        "suites/t_minus_1_week/test_others.py",
    )
    office.looked(dict.fromkeys(ITEMS, Verdict.FAIL), ago=timedelta(days=3), env=env)
    office.looked(GREEN, env=env)
    kind: dict[str, Any] = {"environment": env, "environment_kind": env}
    minutes = office.folder.write("minutes of the day.md", "we met")
    office.sign(files=[minutes], **kind)
    for person in ("elena", "tess"):
        office.sign("", person, kind="approve", data={"decision": "go"}, text="because", **kind)
    desk = office.desk(env)
    document = Document(
        kind="status-report", item="D-2.D.1", title="Status report",
        signers=[Signer(role="product_manager", title="Product Manager"),
                 Signer(role="technical_lead", title="Technical Lead")],
        environment=env, environment_kind=env, fingerprint="9f", candidate="v2.0.0",
        made_at=datetime.now(UTC), summary="All is well.", verdicts=[], figures=[], tables=[],
    )  # fmt: skip
    desk.documents.mkdir(parents=True)
    path = write_document(document, desk.documents / "status-report.html")
    sign(path, office.keys["leah"], DOCUMENTS)
    sign(
        path,
        office.keys["tess"],
        DOCUMENTS,
        place=path.with_name(f"{path.name}.technical_lead.sig"),
    )


def packed(office: Office, env: str = "staging", **how: Any) -> Path:
    """A package of such a launch, signed by Elena."""
    desk = office.desk(env)
    known: dict[str, Any] = {"today": datetime.now(UTC).date()}
    answer = assess(desk, **(known | how))
    path = package.write(office.path / f"{env}.zip", package.build(desk, answer, Mask()))
    package.sign(path, "elena", office.keys["elena"], desk.roster)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Office, Path]:
    """A launch and its package, made once: tests that change it work on a copy."""
    from tests.conftest import Folder

    folder = tmp_path_factory.mktemp("launch")
    office = Office(Folder(folder))
    launched(office)
    return office, packed(office)


@pytest.fixture
def zipped(made: tuple[Office, Path], tmp_path: Path) -> Path:
    """A copy of the package."""
    return Path(shutil.copy(made[1], tmp_path / "p.zip"))


def check(path: Path, **how: Any) -> package.Verified:
    with package.opened(path) as opened:
        return package.verify(opened, **how)


def refused(path: Path, **how: Any) -> str:
    with pytest.raises(GoliveError) as caught:
        check(path, **how)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def files_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {n: archive.read(n) for n in archive.namelist()}


def rebuilt(path: Path, made: tuple[Office, Path], change: Callable[[dict[str, bytes]], None],
            *, signer: str = "elena", key: str = "") -> Path:  # fmt: skip
    """The package with other content, listed and signed anew as a forger with a key would."""
    files = {n: d for n, d in files_of(path).items() if not n.startswith("SHA256SUMS")}
    change(files)
    path.write_bytes(package.zipped(files))
    if signer:
        sums = path.with_name("SHA256SUMS")
        sums.write_bytes(files_of(path)["SHA256SUMS"])
        place = path.with_name("sig")
        sign(sums, made[0].keys[key or signer], "golive-package", place=place)
        signed = files_of(path) | {f"SHA256SUMS.{signer}.sig": place.read_bytes()}
        path.write_bytes(package.zipped(signed))
    return path


# -- what it is --------------------------------------------------------------------------------


def test_a_package_holds_what_the_answer_rests_on(made: Any) -> None:
    found = check(made[1])
    assert (found.answer.answer, found.runs, found.statements, found.documents) == (GO, 2, 3, 2)
    assert found.signed_by == [("Elena Marsh", "executive team")]
    names = set(files_of(made[1]))
    for name in (
        "index.html", "answer.json", "package.json", "roster.toml", "allowed_signers",
        "HOW-TO-VERIFY.txt", "SHA256SUMS", "SHA256SUMS.elena.sig", "sheets/day_minus_2.html",
        "documents/status-report.html", "documents/status-report.html.sig",
        "documents/status-report.html.technical_lead.sig", "suites/launch.toml",
        "suites/procedure.toml", "suites/t_minus_1_week/test_others.py",
    ):  # fmt: skip
        assert name in names
    assert sum(n.endswith("end.json") for n in names) == 2
    assert any(
        re.fullmatch(r"statements/[^/]+/evidence/\w+-minutes of the day\.md", n) for n in names
    )


def test_the_same_answer_makes_the_same_bytes(made: Any) -> None:
    office, path = made
    answer = check(path).answer
    desk = office.desk()
    again = assess(desk, today=answer.today, now=answer.made_at)
    one, other = (package.build(desk, a, Mask()) for a in (answer, again))
    assert one == other


def test_the_instructions_inside_are_enough_with_public_tools_alone(
    zipped: Path, tmp_path: Path
) -> None:
    text = files_of(zipped)["HOW-TO-VERIFY.txt"].decode()
    commands = [line[4:] for line in text.splitlines() if line.startswith("    ")]

    def follow(folder: str) -> subprocess.CompletedProcess[str]:
        place = tmp_path / folder
        place.mkdir()
        return subprocess.run(
            ["sh", "-e", "-c", "\n".join(commands)], cwd=place, capture_output=True, text=True,
            env={"PATH": "/usr/bin:/bin", "PACKAGE": str(zipped)}, check=False,
        )  # fmt: skip

    done = follow("whole")
    assert (done.returncode, done.stderr) == (0, "")
    good = re.findall(r'Good "(\S+)" signature for (\w+)', done.stdout)
    assert sorted(good) == [
        ("golive-package", "elena"),
        ("golive-statement", "elena"),
        ("golive-statement", "paul"),
        ("golive-statement", "tess"),
    ]
    assert not re.search("altered|not valid|not named", done.stdout)
    shutil.copy(zipped, tmp_path / "kept.zip")
    for name, data in files_of(zipped).items():
        if name.endswith(("answer.json", "verdicts.jsonl")) or "evidence" in name:
            with zipfile.ZipFile(zipped, "w") as archive:
                for n, d in files_of(tmp_path / "kept.zip").items():
                    archive.writestr(n, d + b" " if n == name else d)
            assert follow(hashlib.md5(name.encode()).hexdigest()).returncode != 0, name
            assert data


def test_somebody_adds_a_signature_later(made: Any, zipped: Path) -> None:
    office = made[0]
    package.sign(zipped, "tess", office.keys["tess"], office.desk().roster)
    assert check(zipped).signed_by == [
        ("Elena Marsh", "executive team"),
        ("Tess Lindqvist", "technical lead"),
    ]
    with pytest.raises(GoliveError, match="is no key of paul"):
        package.sign(zipped, "paul", office.keys["tess"], office.desk().roster)


def test_it_tells_how_to_reach_nobody(made: Any) -> None:
    roster = files_of(made[1])["roster.toml"].decode()
    assert "Elena Marsh" in roster
    assert "@example.com" not in roster
    assert "+1202" not in roster


def test_where_the_folders_of_a_machine_lie_does_not_matter_to_the_answer(office: Office) -> None:
    launched(office)
    here = office.desk().root
    for folder in (here, here / "reports", Path("/home/of/another")):
        message = f"{folder}/documents/staging/d.html is made and true, but not signed"
        office.looked({"D-2.D.1": Verdict.PENDING}, ago=timedelta(minutes=1), message=message)
        assert check(packed(office)).answer.answer == NO_GO


def test_a_no_go_is_packaged_too(office: Office) -> None:
    launched(office)
    office.looked({"D-2.1.1": Verdict.FAIL}, ago=timedelta(seconds=5))
    assert check(packed(office)).answer.answer == NO_GO


def test_a_statement_that_does_not_hold_is_in_it_with_its_reason(office: Office) -> None:
    launched(office)
    office.sign(by="joel")
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=30)
    office.sign(key="tess", made_at=later)
    (item,) = [s for s in check(packed(office)).answer.standings if s.line.id == "D-2.2.1"]
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
        ("suites/t_minus_1_week/test_day_minus_2.py", "answer.json: is not what"),
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
    office = made[0]
    assert "nobody has signed it" in refused(rebuilt(zipped, made, lambda f: None, signer=""))
    rebuilt(zipped, made, lambda f: None, key="tess")
    assert "SHA256SUMS.elena.sig: is not valid" in refused(zipped)
    rebuilt(zipped, made, lambda f: None)
    check(zipped)
    own = office.path / "suites" / "people" / "roster.toml"
    check(zipped, roster=own)
    elsewhere = zipped.with_name("roster.toml")
    elsewhere.write_text(own.read_text().replace("elena", "ellen"))
    assert "elena has no role on" in refused(zipped, roster=elsewhere)


def test_a_roster_of_ones_own_decides_whose_statements_hold(made: Any, zipped: Path) -> None:
    own = made[0].path / "suites" / "people" / "roster.toml"
    elsewhere = zipped.with_name("roster.toml")
    elsewhere.write_text(own.read_text().replace(made[0].public("tess"), made[0].public("joel"), 1))
    assert "technical_lead.sig: tess, joel have the same key" in refused(zipped, roster=elsewhere)


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
)  # fmt: skip
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
    assert "is no file" in refused(tmp_path)


# -- what must not be in it --------------------------------------------------------------------


def test_a_secret_that_somebody_wrote_keeps_it_from_being_made(office: Office) -> None:
    launched(office)
    mask = Mask()
    mask.add(SECRET)
    desk = office.desk()
    answer = assess(desk, today=datetime.now(UTC).date())
    assert SECRET.encode() not in package.build(desk, answer, mask)
    for text, told in (
        (f"the token is {SECRET}", "holds a secret"),
        ("postgresql://golive:hunter2hunter2@db-1/app", "holds a secret, or a password"),
    ):
        file = office.folder.write("evidence.txt", text)
        signed = office.sign(files=[file])
        desk = office.desk()
        answer = assess(desk, today=datetime.now(UTC).date())
        with pytest.raises(GoliveError, match=told) as caught:
            package.build(desk, answer, mask)
        assert signed.id in str(caught.value)
        assert SECRET not in str(caught.value)
        shutil.rmtree(signed.folder)
    path = desk.documents / "status-report.html"
    path.write_text(path.read_text() + "-----BEGIN OPENSSH PRIVATE KEY-----")
    with pytest.raises(GoliveError, match=r"status-report\.html: holds a private key"):
        package.build(office.desk(), answer, Mask())


def test_a_secret_in_any_part_of_it_keeps_it_from_being_made(office: Office) -> None:
    launched(office)
    desk = office.desk()
    answer = assess(desk, today=datetime.now(UTC).date())
    check = office.path / "suites" / "t_minus_1_week" / "test_day_minus_2.py"
    mask = Mask()
    mask.add(SECRET)
    for file, name in (
        (desk.documents / "status-report.html", "documents/status-report.html"),
        (check, "suites/t_minus_1_week/test_day_minus_2.py"),
    ):
        before = file.read_bytes()
        for more in (SECRET.encode().hex(), SECRET.upper(), "PuTTY-User-Key-File-2: ssh-rsa"):
            file.write_bytes(before + more.encode())
            with pytest.raises(GoliveError) as caught:
                package.build(desk, answer, mask)
            assert str(caught.value).startswith(f"{name}: holds a ")
            assert more not in str(caught.value)
        file.write_bytes(before)
    run = office.looked({"D-2.1.1": Verdict.FAIL}, message=f"{SECRET} " + "{id} {verdict}")
    desk = office.desk()
    answer = assess(desk, today=datetime.now(UTC).date())
    with pytest.raises(GoliveError) as caught:
        package.build(desk, answer, mask)
    assert str(caught.value).startswith(f"runs/{run.name}/verdicts.jsonl: holds a secret")
    assert SECRET not in str(caught.value)


def test_it_is_not_made_where_secrets_are_not_at_hand_to_search_it_for(
    office: Office, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    launched(office)
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
    office: Office, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    launched(office, "rehearsal")
    monkeypatch.delenv(SECRET_VARIABLE)
    assert main(["package", "--env", "rehearsal", "--out", "p.zip"]) == 0
    assert f"searched  not for {SECRET_VARIABLE}" in capsys.readouterr().out


def test_no_key_of_anybodys_is_in_it(made: Any) -> None:
    office, path = made
    content = b"".join(files_of(path).values())
    assert b"PRIVATE KEY" not in content
    for key in office.keys.values():
        secret = "".join(key.read_text().splitlines()[1:-1])
        assert secret[60:120].encode() not in content


def test_a_damaged_run_or_statement_keeps_it_from_being_made(office: Office) -> None:
    launched(office)
    desk = office.desk()
    folder = office.looked({"D-2.1.1": Verdict.PASS}, ago=timedelta(seconds=9))
    (folder / "verdicts.jsonl").write_text("")
    with pytest.raises(GoliveError, match="was altered after it ended"):
        package.build(desk, assess(desk, today=datetime.now(UTC).date()), Mask())
    shutil.rmtree(folder)
    (office.statements / "empty").mkdir()
    desk = office.desk()
    with pytest.raises(GoliveError, match=r"empty: .*only statements that can be read"):
        package.build(desk, assess(desk, today=datetime.now(UTC).date()), Mask())


def test_a_rehearsal_says_so_everywhere_and_never_serves_production(office: Office) -> None:
    launched(office, "rehearsal")
    path = packed(office, "rehearsal", all_due=False)
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


# -- the commands ------------------------------------------------------------------------------


def test_the_commands_package_sign_and_verify(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    launched(office)
    key = str(office.keys["elena"])
    assert main(["package", "--env", "staging", "--out", "p.zip"]) == 0
    assert "next: golive package --sign p.zip --as PERSON" in capsys.readouterr().out
    assert main(["verify", "p.zip"]) == 1
    assert "p.zip: nobody has signed it" in capsys.readouterr().err
    assert main(["package", "--sign", "p.zip", "--as", "elena", "--key", key]) == 0
    assert "by        Elena Marsh" in capsys.readouterr().out
    assert main(["verify", "p.zip", "--for", "staging"]) == 0
    out = capsys.readouterr().out
    assert "holds: p.zip" in out
    assert "signed    Elena Marsh (executive team)" in out
    assert f"roster    {office.path / 'suites' / 'people' / 'roster.toml'}" in out
    assert main(["verify", "p.zip", "--for", "production"]) == 1
    (office.path / "suites").rename(office.path / "elsewhere")
    assert main(["verify", "p.zip"]) == 0
    assert "the enclosed one was believed" in capsys.readouterr().out


def test_what_cannot_be_packaged_is_told(office: Office, capsys: Any) -> None:
    office.fresh()
    for words, told in (
        (["package"], "expected --env NAME, or --sign FILE"),
        (["package", "--sign", "none.zip"], "none.zip: cannot be read"),
        (["package", "--sign", "none.zip", "--out", "x"], "no --out or --today"),
    ):
        assert main(words) == 1
        assert told in capsys.readouterr().err
