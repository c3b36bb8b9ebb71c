"""What a package says is believed only as far as it follows."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from golive import package, provenance
from golive.answer import GO
from golive.cli import main
from golive.masking import Mask
from golive.package import signing
from golive.readiness import assess
from golive.verdicts import GoliveError, Verdict
from tests.conftest import Project
from tests.golive.package.packing import (
    CHECKS,
    DECIDE,
    check,
    end_of,
    fabricated,
    files_of,
    followed,
    launched,
    loosened,
    packed,
    rebuilt,
    refused,
)


@pytest.mark.parametrize(
    ("name", "reported"),
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
    made: Any, zipped: Path, name: str, reported: str
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

    assert reported in refused(rebuilt(zipped, made, forge))


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


@pytest.mark.parametrize(
    ("file", "old", "new", "reported"),
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
    made: Any, zipped: Path, tmp_path: Path, file: str, old: str, new: str, reported: str
) -> None:
    own = Path(shutil.copytree(made[0].path / "suites", tmp_path / "suites"))
    assert check(zipped, suites=own).answer.answer == GO
    loosened(own, file, old, new)
    assert reported in refused(zipped, suites=own)


def test_a_check_more_or_less_than_ones_own_is_refused_by_name(
    made: Any, zipped: Path, tmp_path: Path
) -> None:
    own = Path(shutil.copytree(made[0].path / "suites", tmp_path / "suites"))
    (own / CHECKS).rename(own / "test_elsewhere.py")
    reported = refused(zipped, suites=own)
    assert f"{CHECKS}: is not among your suites of D-2.1.1, D-2.1.2" in reported
    assert "test_elsewhere.py: is missing of D-2.1.1, D-2.1.2" in reported


def test_another_description_of_the_environment_is_refused(made: Any, zipped: Path) -> None:
    suites = made[0].path / "suites"
    own = made[0].context().origin.fingerprint
    assert check(zipped, suites=suites, fingerprint=own).answer.answer == GO
    reported = refused(zipped, suites=suites, fingerprint="0" * 64)
    assert "its environment staging is described otherwise than by" in reported


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


def test_an_answer_may_not_be_older_than_wanted(
    made: Any, zipped: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(zipped.parent)
    made_at = check(zipped).answer.made_at
    assert check(zipped, not_before=made_at).answer.answer == GO
    reported = refused(zipped, not_before=made_at + timedelta(seconds=61))
    assert re.search(r"its answer is of .* UTC; expected none older than", reported)
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


def test_another_golive_is_refused_until_its_code_is_trusted(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own, other = provenance.engine_digest(), "f" * 64
    with monkeypatch.context() as patch:
        patch.setattr(provenance, "engine_digest", lambda: other)
        launched(project)
        path = packed(project)
        assert check(path).answer.answer == GO
    reported = refused(path)
    assert (
        f"was made by golive {check(path, engine=other).about.golive} of SHA-256 {other}"
        in reported
    )
    assert f"of {own}; check it with the golive that made it" in reported
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

    for fields, reported in (
        ({"fingerprint": "0" * 64}, "answer.json: is not what its runs and statements say"),
        ({"engine": "0" * 64}, "was made by golive"),
        ({"suite": {"digest": "0" * 64}}, "suites: are not those that package.json says"),
        ({"suite": {"clean": False}}, "answer.json: is not what its runs and statements say"),
    ):
        shutil.copy(made[1], zipped)
        assert reported in refused(rebuilt(zipped, made, claim(**fields)))


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
    for n, (change, reported) in enumerate(changes):
        shutil.copy(made[1], zipped)
        rebuilt(zipped, made, change)
        assert f"{run}: {reported}" in refused(zipped)
        done = followed(zipped, tmp_path / str(n))
        assert (done.returncode, f"{run}: not signed" in done.stdout) == (1, True)
    shutil.copy(made[1], zipped)
    own = (made[0].path / "suites" / "people" / "roster.toml").read_text()
    elsewhere = zipped.with_name("roster.toml")
    elsewhere.write_text(re.sub('"runner" = .*\n', "", own))
    reported = refused(zipped, roster=elsewhere)
    assert re.search(r"runs/\S+: ci signed it, of whom roster.toml has no key", reported)


def test_a_run_under_another_name_or_with_more_in_it_is_refused(made: Any, zipped: Path) -> None:
    run = end_of(files_of(zipped)).removesuffix("/end.json")

    def moved(files: dict[str, bytes]) -> None:
        for name in [n for n in files if n.startswith(run)]:
            files[name.replace(run, f"{run}f")] = files.pop(name)

    said = next(n for n in files_of(zipped) if n.endswith("statement.json"))
    for change, reported in (
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
        assert reported in refused(rebuilt(zipped, made, change))
    with pytest.raises(GoliveError, match="is no name of a file in a package"):
        rebuilt(zipped, made, lambda files: files.update({"runs/.x/run.json": b"{}"}))


def test_a_rehearsal_says_so_everywhere_and_never_serves_production(project: Project) -> None:
    launched(project, "rehearsal")
    path = packed(project, "rehearsal", all_due=False)
    files = files_of(path)
    for name in ("index.html", "sheets/day_minus_2.html", "HOW-TO-VERIFY.txt"):
        assert b"REHEARSAL" in files[name], name
    assert msgspec.json.decode(files["package.json"])["environment_kind"] == "rehearsal"
    assert check(path, purpose="rehearsal").about.is_rehearsal
    for purpose in ("production", "staging"):
        reported = refused(path, purpose=purpose)
        assert reported.endswith(
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


def test_thresholds_of_the_folder_are_rules_too(
    project: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = project.path / "suites" / "thresholds" / "data.toml"
    file.parent.mkdir()
    file.write_text("[redis]\nmemory_percent = 80\n")
    launched(project)
    path = packed(project)
    own = Path(shutil.copytree(project.path / "suites", tmp_path / "own"))
    rules = ("--suites", str(own), "--roster", project.context().environment.people.roster)
    assert main(["verify", str(path), *rules]) == 0
    loosened(own, "thresholds/data.toml", "80", "95")
    assert main(["verify", str(path), *rules]) == 1
    assert "thresholds.redis.memory_percent: it has 80, yours 95" in capsys.readouterr().err
