"""What somebody does who wants a GO that is none: each attempt ends in NO-GO, or is refused.

A small staging launch, in git and GO by the commands that people use, is copied for each attempt.
Then files are edited, deleted and renamed, plugins loaded, checks loosened, and the command line
is asked again.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from golive import ledger
from golive.cli import main
from tests import forking
from tests.conftest import (
    MARKERS,
    PROJECT,
    RUNNER,
    SECRET,
    SECRET_VARIABLE,
    SIGNING,
    STATED,
    Folder,
    Project,
    make_key,
    small_procedure,
    toml,
)

ITEMS = {
    "D-2.1.1": ("probe", "read"),
    "D-2.1.2": ("probe", "read"),
    "D-2.2.1": ("attested", "read"),
}
CHECKS = """
def fails(what):
    return os.path.exists(what)

@item("D-2.1.1")
def test_the_lag_is_short(limits):
    '''Looked at.

    Remedy: fix it.'''
    assert at_most("lag", 31.0 if fails("broken") else 0.2, limits.lag_s, "s")

@item("D-2.1.2")
def test_there_is_a_standby():
    '''Looked at.

    Remedy: fix it.'''
    assert equal("standbys", 1, 1)
"""


_ENVIRONMENT = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "200"}


@dataclass(frozen=True)
class Launch:
    """A launch in a folder of its own, and the command line in it."""

    path: Path

    @property
    def runs(self) -> list[Path]:
        """Its runs, oldest first."""
        return ledger.runs(self.path / "reports")

    @property
    def statements(self) -> list[Path]:
        """Its statements, oldest first."""
        return sorted((self.path / "reports" / "statements").iterdir())

    def said(self, by: str, kind: str, decision: str = "") -> Path:
        """The newest statement of a person, of a kind."""
        found = [
            p
            for p in self.statements
            for body in [json.loads((p / "statement.json").read_text())]
            if (body["by"], body["kind"]) == (by, kind)
            and body["data"].get("decision", "") == decision
        ]
        return found[-1]

    def key(self, who: str) -> str:
        """Where somebody's private key lies."""
        return str(self.path / "keys" / who)

    def git(self, *words: str) -> str:
        """Run git."""
        done = subprocess.run(
            ["git", "-c", "user.name=dev", "-c", "user.email=dev", *words],
            cwd=self.path,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def commit(self) -> None:
        """Commit whatever lies there."""
        self.git("add", "-A")
        self.git("commit", "-qm", "as agreed")

    def run(
        self,
        *words: str,
        before: tuple[str, ...] = (),
        by: str = RUNNER,
        env: Mapping[str, str] | None = None,
    ) -> str:
        """Run the checks on staging, signed by somebody; what the terminal said.

        :param before: arguments for Python itself.
        """
        signed = ("--as", by, "--key", self.key(by)) if by else ()
        given = ["-p", "no:cacheprovider", "--env", "staging", *signed, *words]
        variables = {**_ENVIRONMENT, **(env or {})}
        if before:
            done = subprocess.run(
                [sys.executable, *before, "-m", "pytest", *given],
                cwd=self.path,
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
                env=os.environ | variables,
            )
        else:
            done = forking.run_pytest(given, folder=self.path, variables=variables, within_s=120)
        reported = done.stdout + done.stderr
        assert "INTERNALERROR" not in reported, reported
        return reported

    def golive(self, *words: str) -> int:
        """A command of golive's; its exit status."""
        return main([*words])

    def approve(self, decision: str = "go") -> None:
        """Those who decide say so."""
        for person in ("elena", "tess"):
            words = ["--as", person, "--key", self.key(person), "--env", "staging"]
            assert self.golive("approve", decision, "--reason", "as agreed", *words) == 0


Status = Callable[[Launch], str]


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the launch lies that is GO."""
    path = tmp_path_factory.mktemp("ready") / "launch"
    path.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SECRET_VARIABLE, SECRET)
        patch.delenv("SSH_AUTH_SOCK", raising=False)
        patch.setenv("HOME", str(path.parent))
        patch.chdir(path)
        folder = Folder(path)
        folder.write("suites/procedure.toml", small_procedure(ITEMS))
        for name, text in (
            ("pytest.ini", PROJECT),
            ("markers.ini", MARKERS),
            ("conftest.py", 'pytest_plugins = ("golive.plugin",)\n'),
            (".gitignore", "/keys/\n/reports/\n__pycache__/\n/broken\n"),
        ):
            folder.write(name, text)
        project = Project(folder)
        folder.items(CHECKS + STATED)
        launch_file(folder, lag_s=10)
        launch = Launch(path)
        launch.git("init", "-q")
        launch.commit()
        words = ["--as", "paul", "--key", launch.key("paul"), "--env", "staging"]
        assert main(["attest", "D-2.2.1", "--statement", "everybody was notified", *words]) == 0
        reported = launch.run()
        assert "verdicts: PASS 3 " in reported, reported
        launch.approve()
        assert main(["status", "--env", "staging"]) == 0
        assert project.path == path
        yield path


def launch_file(folder: Folder, **thresholds: Any) -> None:
    """Write launch.toml with these thresholds."""
    day = datetime.now(UTC).date() + timedelta(days=1)
    folder.launch(day, people=SIGNING, **thresholds)
    path = folder.path / "suites" / "launch.toml"
    ways = dict.fromkeys(("probe", "evidence", "derived", "attested"), "24 h")
    path.write_text(path.read_text() + toml({"freshness": ways}))


@pytest.fixture
def launch(ready: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Launch:
    """A copy of the launch that is GO, and the working directory in it."""
    monkeypatch.setenv(SECRET_VARIABLE, SECRET)
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.copytree(ready, tmp_path / "launch", symlinks=True)
    monkeypatch.chdir(tmp_path / "launch")
    return Launch(tmp_path / "launch")


@pytest.fixture
def status(capsys: pytest.CaptureFixture[str]) -> Status:
    """What `golive status` says, beginning with its answer."""

    def ask(launch: Launch) -> str:
        capsys.readouterr()
        code = launch.golive("status", "--env", "staging")
        reported = capsys.readouterr().out
        assert reported.startswith("GO " if code == 0 else "NO-GO "), reported
        return reported

    return ask


def broken(reported: str) -> list[str]:
    """The rules that do not hold, as status tells them."""
    return [line.split()[1] for line in reported.splitlines() if line.startswith("  BROKEN")]


def test_the_launch_is_go_as_it_is(launch: Launch, status: Status) -> None:
    assert status(launch).startswith("GO ")


# -- whoever may write to reports/ ----------------------------------------------------------------


def red_made_green(launch: Launch) -> Path:
    """A red run whose verdict somebody has edited; its folder."""
    (launch.path / "broken").touch()
    launch.run()
    (launch.path / "broken").unlink()
    folder = launch.runs[-1]
    verdicts = folder / ledger.VERDICTS
    text = verdicts.read_text().replace('"FAIL"', '"PASS"').replace("false", "true")
    verdicts.write_text(text.replace("31 s", "0.2 s"))
    return folder


def test_a_red_verdict_edited_to_green(launch: Launch, status: Status) -> None:
    folder = red_made_green(launch)
    reported = status(launch)
    assert "runs" in broken(reported)
    assert f"{folder.name} (reports/runs/{folder.name}: was altered after it ended" in reported


def test_with_its_digest_made_anew(launch: Launch, status: Status) -> None:
    folder = red_made_green(launch)
    end = json.loads((folder / ledger.END).read_text()) | {"digest": ledger.digest(folder)}
    (folder / ledger.END).write_text(json.dumps(end))
    reported = status(launch)
    assert "runs" in broken(reported)
    assert f"{folder.name} (the signature of ci is not valid" in reported


def test_and_its_signature_taken_away(launch: Launch, status: Status) -> None:
    folder = red_made_green(launch)
    end = json.loads((folder / ledger.END).read_text())
    end |= {"digest": ledger.digest(folder), "by": ""}
    (folder / ledger.END).write_text(json.dumps(end))
    (folder / ledger.SIGNATURE).unlink()
    reported = status(launch)
    assert "runs" in broken(reported)
    assert f"{folder.name} (nobody has signed its end)" in reported


def test_a_run_made_up_by_hand(launch: Launch, status: Status) -> None:
    genuine = launch.runs[-1]
    made_up = genuine.with_name(genuine.name[:-4] + "beef")
    shutil.copytree(genuine, made_up)
    head = json.loads((made_up / ledger.HEAD).read_text()) | {"id": made_up.name}
    (made_up / ledger.HEAD).write_text(json.dumps(head))
    end = json.loads((made_up / ledger.END).read_text()) | {"digest": ledger.digest(made_up)}
    (made_up / ledger.END).write_text(json.dumps(end))
    reported = status(launch)
    assert "runs" in broken(reported)
    assert made_up.name in reported


def test_an_end_taken_away(launch: Launch, status: Status) -> None:
    (launch.runs[-1] / ledger.END).unlink()
    assert {"runs", "chain"} <= set(broken(status(launch)))


def test_a_red_run_deleted(launch: Launch, status: Status) -> None:
    (launch.path / "broken").touch()
    launch.run()
    (launch.path / "broken").unlink()
    red = launch.runs[-1]
    launch.run()
    shutil.rmtree(red)
    launch.approve()
    reported = status(launch)
    assert broken(reported) == ["chain"]
    assert f"{red.name} (" in reported
    assert "names it, but it is not here" in reported


@pytest.mark.parametrize("name", [".x", "20261128T000000Z-other-beef"])
def test_a_red_run_under_another_name(launch: Launch, status: Status, name: str) -> None:
    (launch.path / "broken").touch()
    launch.run("--item", "D-2.1.1")
    launch.runs[-1].rename(launch.runs[-1].with_name(name))
    reported = status(launch)
    assert "runs" in broken(reported)
    assert f"{name} (" in reported


def taken_back(launch: Launch) -> Path:
    """The statement on D-2.2.1, revoked; the revocation's folder."""
    words = ["--as", "paul", "--key", launch.key("paul"), "--env", "staging"]
    name = launch.said("paul", "attest").name
    assert launch.golive("revoke", name, "--reason", "not everybody", *words) == 0
    return launch.said("paul", "revoke")


def refused(launch: Launch) -> Path:
    """A no-go of tess's; its folder."""
    words = ["--as", "tess", "--key", launch.key("tess"), "--env", "staging"]
    assert launch.golive("approve", "no-go", "--reason", "not safe", *words) == 0
    return launch.said("tess", "approve", "no-go")


def without_signature(folder: Path) -> None:
    (folder / "statement.json.sig").unlink()


def with_one_byte_changed(folder: Path) -> None:
    place = folder / "statement.json.sig"
    data = bytearray(place.read_bytes())
    data[60] ^= 1
    place.write_bytes(data)


def with_a_file_beside(folder: Path) -> None:
    (folder / "note.txt").write_text("x")


def hidden(folder: Path) -> None:
    folder.rename(folder.with_name(".x"))


def by_nobody_on_the_roster(folder: Path) -> None:
    who = json.loads((folder / "statement.json").read_text())["by"]
    roster = folder.parents[2] / "suites" / "people" / "roster.toml"
    roster.write_text(roster.read_text().replace(f'"{who}"', f'"{who}-once"'))


@pytest.mark.parametrize(
    "spoil",
    [without_signature, with_one_byte_changed, with_a_file_beside, hidden, by_nobody_on_the_roster],
)
@pytest.mark.parametrize("act", [taken_back, refused])
def test_what_takes_a_go_away_cannot_be_spoilt(
    launch: Launch, status: Status, act: Callable[[Launch], Path], spoil: Callable[[Path], None]
) -> None:
    spoil(act(launch))
    assert "statements" in broken(status(launch))


def test_a_no_go_deleted_before_others_approve_again(launch: Launch, status: Status) -> None:
    no = refused(launch)
    launch.run()
    shutil.rmtree(no)
    launch.approve()
    reported = status(launch)
    assert broken(reported) == ["chain"]
    assert no.name in reported


def test_a_pushed_no_go_deleted_here(launch: Launch, status: Status) -> None:
    (launch.path.parent / "store").mkdir()
    path = launch.path / "suites" / "launch.toml"
    store = f'"store" = "{launch.path.parent / "store"}", "candidate" ='
    path.write_text(path.read_text().replace('"candidate" =', store))
    launch.commit()
    no = refused(launch)
    assert launch.golive("push", "--env", "staging") == 0
    shutil.rmtree(no)
    reported = status(launch)
    assert "store" in broken(reported)
    assert no.name in reported
    assert launch.golive("pull", "--env", "staging") == 0
    assert "no-objection" in broken(status(launch))


def test_an_approval_from_before_the_run_that_it_rests_on(launch: Launch, status: Status) -> None:
    launch.run()
    reported = status(launch)
    assert broken(reported) == ["approved"]
    launch.approve()
    assert status(launch).startswith("GO ")


# -- whoever may edit the suites, or load a plugin ------------------------------------------------


def loosened(launch: Launch) -> None:
    """The check of D-2.1.1 asks nothing, and the lag is long."""
    path = launch.path / "suites" / "t_minus_1_week" / "test_day_minus_2.py"
    path.write_text(path.read_text().replace("31.0 if", "0.1 if"))
    (launch.path / "broken").touch()


def test_a_check_loosened_committed_run_and_reset(launch: Launch, status: Status) -> None:
    genuine = launch.git("rev-parse", "HEAD")
    loosened(launch)
    launch.commit()
    launch.run()
    launch.git("reset", "-q", "--hard", genuine)
    launch.approve()
    reported = status(launch)
    assert {"suspect", "committed"} <= set(broken(reported))
    assert "SUSPECT  D-2.1.1" in reported
    assert "its check has changed since" in reported


def test_a_check_that_git_was_told_not_to_look_at(launch: Launch, status: Status) -> None:
    launch.git("update-index", "--assume-unchanged", "suites/t_minus_1_week/test_day_minus_2.py")
    loosened(launch)
    launch.run()
    launch.approve()
    assert launch.git("status", "--porcelain") == ""
    reported = status(launch)
    assert "committed" in broken(reported)
    assert "the suites here differ from their commit" in reported


def test_a_check_that_puts_itself_back_when_it_is_imported(launch: Launch) -> None:
    path = launch.path / "suites" / "t_minus_1_week" / "test_day_minus_2.py"
    genuine = path.read_text()
    loosened(launch)
    path.write_text(path.read_text() + f"\nopen(__file__, 'w').write({genuine!r})\n")
    had = launch.runs
    reported = launch.run()
    assert "test_day_minus_2.py: was written while this session began" in reported
    assert path.read_text() == genuine
    assert launch.runs == had  # nothing was looked at by it


THRESHOLD = ('"lag_s" = 10', '"lag_s" = 60')


def test_a_threshold_edited_for_one_run(launch: Launch, status: Status) -> None:
    path = launch.path / "suites" / "launch.toml"
    genuine = path.read_text()
    assert THRESHOLD[0] in genuine
    (launch.path / "broken").touch()
    path.write_text(genuine.replace(*THRESHOLD))
    launch.run()
    path.write_text(genuine)
    launch.approve()
    reported = status(launch)
    assert {"suspect", "committed"} <= set(broken(reported))
    assert "the threshold lag_s was 60 then and is 10 now" in reported


def test_a_store_that_is_not_named_any_more(launch: Launch, status: Status) -> None:
    path = launch.path / "suites" / "launch.toml"
    genuine = path.read_text()
    (launch.path.parent / "store").mkdir()
    store = f'"store" = "{launch.path.parent / "store"}", "candidate" ='
    path.write_text(genuine.replace('"candidate" =', store))
    launch.commit()
    launch.run()
    launch.approve()
    assert launch.golive("push", "--env", "staging") == 0
    assert status(launch).startswith("GO ")
    path.write_text(genuine)
    launch.commit()
    assert "committed" in broken(status(launch))


def test_an_approver_taken_off_after_the_runs(launch: Launch, status: Status) -> None:
    path = launch.path / "suites" / "launch.toml"
    text = path.read_text()
    path.write_text(text.replace('["executive_team", "technical_lead"]', '["executive_team"]'))
    launch.commit()
    reported = status(launch)
    assert "committed" in broken(reported)
    assert "approvers: technical_lead left" in reported


EVIL = """
import pytest

@pytest.hookimpl(tryfirst=True, wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    try:
        return (yield)
    except AssertionError:
        return True
"""


@pytest.mark.parametrize("how", ["-p", "PYTEST_PLUGINS", "PYTEST_ADDOPTS", "conftest", "excluded"])
def test_a_plugin_that_swallows_what_fails(launch: Launch, status: Status, how: str) -> None:
    (launch.path / "broken").touch()
    words: tuple[str, ...] = ()
    env = {"PYTHONPATH": os.pathsep.join([str(launch.path / "evil"), *filter(None, sys.path)])}
    (launch.path / "evil").mkdir()
    (launch.path / "evil" / "helper.py").write_text(EVIL)
    if how == "-p":
        words = ("-p", "helper")
    elif how == "PYTEST_PLUGINS":
        env[how] = "helper"
    elif how == "PYTEST_ADDOPTS":
        env[how] = "-p helper"
    else:
        (launch.path / "suites" / "conftest.py").write_text(EVIL)
    if how == "excluded":
        exclude = launch.path / ".git" / "info" / "exclude"
        exclude.parent.mkdir(exist_ok=True)
        exclude.write_text("suites/conftest.py\nevil\n")
    reported = launch.run(*words, env=env)
    assert "helper" in reported or "conftest" in reported  # it is reported at once
    shutil.rmtree(launch.path / "evil")
    (launch.path / "suites" / "conftest.py").unlink(missing_ok=True)
    (launch.path / "broken").unlink()
    launch.approve()
    answer = status(launch)
    assert {"suspect"} <= set(broken(answer)) or "failed" in broken(answer)


@pytest.mark.parametrize(
    ("words", "before", "env"),
    [
        ((), ("-O",), {}),
        ((), (), {"PYTHONOPTIMIZE": "1"}),
        (("--assert=plain",), (), {}),
    ],
)
def test_a_run_in_which_no_assert_is_checked(
    launch: Launch, words: tuple[str, ...], before: tuple[str, ...], env: dict[str, str]
) -> None:
    had = launch.runs
    reported = launch.run(*words, before=before, env=env)
    assert "ERROR: " in reported
    assert launch.runs == had


# -- whoever hands on a package -------------------------------------------------------------------


def packaged(launch: Launch, by: tuple[str, ...] = ("elena", "tess")) -> Path:
    """A package, signed by these people."""
    path = launch.path / "p.zip"
    words = ["--as", by[0], "--key", launch.key(by[0])]
    assert launch.golive("package", "--env", "staging", "--out", str(path), *words) == 0
    for person in by[1:]:
        words = ["--as", person, "--key", launch.key(person)]
        assert launch.golive("package", "--sign", str(path), *words) == 0
    return path


def test_a_package_of_the_launch_verifies(
    launch: Launch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = packaged(launch)
    assert launch.golive("verify", str(path), "--for", "staging") == 0
    assert "GO, v2.0.0" in capsys.readouterr().out


def test_a_package_made_by_other_rules(
    launch: Launch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    # A copy of the whole launch, with a threshold that suits; its own people would sign it.
    other = Launch(tmp_path / "other")
    shutil.copytree(launch.path, other.path, symlinks=True)
    os.chdir(other.path)
    path = other.path / "suites" / "launch.toml"
    path.write_text(path.read_text().replace(*THRESHOLD))
    other.commit()
    other.run()
    other.approve()
    package = packaged(other)
    os.chdir(launch.path)
    capsys.readouterr()
    assert launch.golive("verify", str(package), "--for", "staging") == 1
    said = capsys.readouterr().err
    assert "launch.toml" in said
    assert "lag_s" in said


def test_a_package_that_an_approver_has_not_signed(
    launch: Launch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = packaged(launch, ("elena",))
    capsys.readouterr()
    assert launch.golive("verify", str(path), "--for", "staging") == 1
    assert "technical" in capsys.readouterr().err


# -- keys -----------------------------------------------------------------------------------------


def test_a_runner_states_nothing(launch: Launch, status: Status) -> None:
    words = ["--as", RUNNER, "--key", launch.key(RUNNER), "--env", "staging"]
    assert launch.golive("approve", "go", "--reason", "x", *words) == 1
    roster = launch.path / "suites" / "people" / "roster.toml"
    assert RUNNER in roster.read_text()
    assert status(launch).startswith("GO ")


def in_other_spelling(public: str) -> str:
    """The same RSA key with a zero before its exponent."""
    kind, text = public.split()[:2]
    blob = base64.b64decode(text)
    exponent = 4 + len(kind)
    size = int.from_bytes(blob[exponent : exponent + 4], "big")
    longer = (size + 1).to_bytes(4, "big") + b"\0" + blob[exponent + 4 :]
    return f"{kind} {base64.b64encode(blob[:exponent] + longer).decode()}"


@pytest.mark.parametrize("spell", [str, in_other_spelling])
def test_one_key_for_two_people_in_two_spellings(
    launch: Launch, capsys: pytest.CaptureFixture[str], spell: Callable[[str], str]
) -> None:
    make_key(launch.path / "keys" / "both", "rsa")
    known = {who: public_of(launch, who) for who in ("elena", "tess", "both")}
    assert spell is str or spell(known["both"]) != known["both"]
    roster = launch.path / "suites" / "people" / "roster.toml"
    text = roster.read_text().replace(known["elena"], known["both"])
    roster.write_text(text.replace(known["tess"], spell(known["both"])))
    launch.commit()
    capsys.readouterr()
    for person in ("elena", "tess"):
        words = ["--as", person, "--key", launch.key("both"), "--env", "staging"]
        assert launch.golive("approve", "go", "--reason", "as agreed", *words) == 1
    assert launch.golive("status", "--env", "staging") == 1
    said = capsys.readouterr()
    assert "have the same key" in said.err or "person tess: keys.public" in said.err
    assert not said.out.startswith("GO ")


def public_of(launch: Launch, who: str) -> str:
    """Somebody's public key, as the roster has it."""
    return " ".join(Path(f"{launch.key(who)}.pub").read_text().split()[:2])
