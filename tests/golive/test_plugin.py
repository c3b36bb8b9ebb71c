from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, cast

import pytest

from golive import ledger, readiness
from golive.cli import main
from tests import forking
from tests.conftest import (
    HTML,
    ITEMS,
    SECRET,
    SECRET_VARIABLE,
    SIGNING,
    Done,
    Project,
    Root,
    make_key,
)

ROOT = Path(__file__).resolve().parents[2]

PROBES = '''
@probe()
def good(env):
    """Replication"""
    return {"lag_s": 2.5, "name": "db-2"}

@probe()
def dead(env):
    """The standby"""
    raise ProbeError("standby db-2", "connection refused", "start it")

@probe(effect="write")
def after_dead(env, dead):
    """What follows from the standby"""
'''

ENDINGS = '''
@derived("D-2.D.1")
def test_it_follows():
    assert True

@item("D-2.1.1")
def test_everything_holds(good):
    """Looked at twice.

    Remedy: nothing.
    """
    assert at_most("replay lag of db-2", good["lag_s"], 10, "s")
    assert good["name"] == "db-2"

@item("D-2.1.2")
def test_a_claim_is_broken():
    """Looked at once.

    Remedy: look at its row
    in pg_stat_replication.
    """
    print("said on the way")
    assert at_most("uptime of db-2", 3, 10, "s")
    assert at_most("replay lag of db-2", 31, 10, "s", see="SHOW ALL")

@item("D-2.1.3")
def test_it_could_not_look(after_dead):
    assert at_most("lag of db-2", after_dead.lag_s, 10, "s")

@item("D-2.1.4")
def test_its_effect_is_not_permitted(good):
    raise RuntimeError("this must never run")

@item("D-2.1.5")
def test_evidence_whose_effect_is_not_permitted():
    raise RuntimeError("this must never run")

@item("D-2.1.7")
def test_it_breaks():
    {}["absent"]

@item("D-2.1.8")
def test_it_could_not_look_either(dead):
    assert dead["lag_s"] < 10

@item("D-2.1.9")
def test_it_could_not_tidy_up(leaves_something):
    assert True

@item("D-2.1.10")
def test_it_fails_and_could_not_tidy_up(leaves_something):
    assert [1, 2] == [1, 3]

@attested("D-2.2.1", "the team agreed")
def test_the_team_agreed():
    pass

@pytest.fixture
def leaves_something():
    yield
    raise RuntimeError("left behind")
'''

NO_LOOK = "could not look at standby db-2: connection refused; next: start it"
NO_EVIDENCE = (
    "rehearsal does not permit the effect 'disrupt'; evidence of a run where it is permitted"
    " cannot be brought here yet"
)
NOT_TIDY = "the check could not tidy up: RuntimeError: left behind"


def test_every_way_a_check_ends_is_one_verdict_everywhere(root: Root) -> None:
    root.probes(PROBES)
    root.items(ENDINGS)
    done = root.run("--junitxml=junit.xml", *HTML)
    expected = {
        "D-2.1.1": ("PASS", ""),
        "D-2.1.2": ("FAIL", "replay lag of db-2: 31 s; required at most 10 s; see SHOW ALL"),
        "D-2.1.3": ("UNKNOWN", NO_LOOK),
        "D-2.1.4": ("UNKNOWN", "rehearsal does not permit the effect 'spend'; next: add 'spend'"),
        "D-2.1.5": ("PENDING", NO_EVIDENCE),
        "D-2.1.7": ("UNKNOWN", "the check broke before it could judge: KeyError: 'absent'"),
        "D-2.1.8": ("UNKNOWN", NO_LOOK),
        "D-2.1.9": ("UNKNOWN", NOT_TIDY),
        "D-2.1.10": ("FAIL", f"assert [1, 2] == [1, 3]; {NOT_TIDY}"),
        "D-2.2.1": ("PENDING", "not stated yet by product manager: the team agreed"),
        "D-2.D.1": ("PASS", ""),
    }
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    run = done.run
    assert list(run.verdicts) == list(expected), "by the procedure's order, what follows last"
    junit = done.junit()
    shown = (root.path / "report.html").read_text()
    for ident, (verdict, message) in expected.items():
        kept = run.verdicts[ident]
        assert kept.verdict == verdict
        assert message in kept.message
        assert bool(kept.message) is (verdict != "PASS")
        assert any(re.match(rf"{verdict} +{re.escape(ident)} +Title", x) for x in done.lines)
        properties, inside = junit[ident]
        assert properties == {"id": ident, "owner": "Product Manager", "verdict": verdict}
        assert (f"{verdict}  {ident}  Title of {ident}" in inside) is (verdict != "PASS")
        assert message in inside
        assert f'col-id\\">{ident}<' in shown or f"{ident}&lt;" in shown
    assert "this must never run" not in done.out + str(run)

    good, broken, untidy = (run.verdicts[i] for i in ("D-2.1.1", "D-2.1.2", "D-2.1.10"))
    assert (good.how, good.remedy, good.facts) == ("Looked at twice.", "nothing.", ["good"])
    assert good.asserted == ["'db-2' == 'db-2'"]
    assert [(c.observed, c.holds) for c in good.claims] == [("2.5 s", True)]
    assert [(c.observed, c.holds) for c in broken.claims] == [("3 s", True), ("31 s", False)]
    assert broken.remedy == "look at its row in pg_stat_replication."
    assert "said on the way" in broken.detail
    assert "in test_it_breaks" in run.verdicts["D-2.1.7"].detail
    assert "At index 1 diff" in untidy.detail
    assert "in leaves_something" in untidy.detail
    assert {f.probe: f.error for f in run.facts.values()} == {
        "good": "",
        "dead": NO_LOOK,
        "after_dead": NO_LOOK,
    }
    assert run.facts["good"].value == {"lag_s": 2.5, "name": "db-2"}

    assert done.out.count("connection refused") == 1, "a cause is reported once"
    assert "D-2.1.3, D-2.1.8  (2 items, Product Manager)" in done.lines
    assert "  next: look at its row in pg_stat_replication." in done.lines
    assert "  Product Manager: D-2.1.5, D-2.2.1" in done.lines
    assert (
        "verdicts: PASS 2, FAIL 2, UNKNOWN 5, PENDING 2"
        " (of 13 items; 2 not written yet, which counts against GO)"
    ) in done.lines
    assert f"report:   {root.reports / 'report.html'}" in done.lines
    assert [x.id for x in run.head.unwritten] == ["D-2.1.6", "D+1.1.1"]
    assert (run.head.environment.name, run.head.environment.kind) == ("rehearsal", "rehearsal")
    assert (run.head.candidate, run.head.deselected) == ("v2.0.0", 0)
    assert run.head.packages["pytest"] == pytest.__version__
    assert (run.head.suite.commit, run.head.suite.clean) == ("unknown", None)
    assert run.end is not None
    assert run.end.exit_status == 1
    assert (root.reports / "report.html").read_bytes() == (run.folder / "report.html").read_bytes()


def test_assertions_of_others_are_not_told_as_the_items(root: Root) -> None:
    """pytest rewrites those of every package with a plugin; one asserts 100,000 times."""
    root.write("lib.py", "def serve():\n    assert len('of a library') == 12\n")
    root.items("""
@item("D-2.1.1")
def test_it_holds():
    '''Looked at.

    Remedy: nothing.'''
    import lib
    lib.serve()
    assert 2 + 2 == 4
""")
    done = root.run("-p", "lib")
    assert done.run.verdicts["D-2.1.1"].asserted == ["(2 + 2) == 4"]


def test_a_check_cannot_set_itself_aside(root: Root) -> None:
    root.items("""
@item("D-2.1.1")
def test_a():
    pytest.skip("no time")

@item("D-2.1.2")
@pytest.mark.skip(reason="no time")
def test_b():
    raise RuntimeError("this must never run")

@item("D-2.1.3")
@pytest.mark.xfail(reason="known")
def test_c():
    assert 1 == 2

@item("D-2.1.4")
@pytest.mark.xfail(reason="known")
def test_d():
    {}["absent"]

@item("D-2.1.5")
@pytest.mark.xfail(reason="known")
def test_e():
    pass

@item("D-2.1.7")
@pytest.mark.xfail(reason="known", strict=True)
def test_f():
    pass

@item("D-2.1.8")
def test_g():
    pytest.xfail("known")

@item("D-2.1.9")
@pytest.mark.xfail(reason="known", run=False)
def test_h():
    raise RuntimeError("this must never run")

@item("D-2.1.10")
def test_i():
    pytest.fail("not good")
""")
    root.environment("rehearsal", kind="rehearsal", permits=["read", "write", "spend", "disrupt"])
    done = root.run("--junitxml=junit.xml", "-rA")
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    expected = ["UNKNOWN"] * 9
    expected[2] = expected[8] = "FAIL"
    assert list(done.verdicts.values()) == expected
    assert {p["verdict"] for p, inside in done.junit().values()} == {"UNKNOWN", "FAIL"}
    assert all("<skipped>" not in inside for _, inside in done.junit().values())
    messages = [v.message for v in done.run.verdicts.values()]
    assert messages[:2] == ["the check skipped itself: no time"] * 2
    assert "marked xfail" in messages[4]
    assert "marked xfail" in messages[5]
    assert messages[8] == "not good"


def test_the_day_decides_what_is_due(root: Root) -> None:
    root.probes(PROBES)
    root.items("""
@item("D-2.1.1")
def test_two_days_before(good):
    assert good

@item("D+1.1.1")
def test_the_day_after(dead):
    raise RuntimeError("this must never run")
""")
    early = root.run("--today", root.day(-2), "--junitxml=junit.xml")
    assert early.ret == 0
    assert early.verdicts == {"D-2.1.1": "PASS", "D+1.1.1": "NOT DUE"}
    assert early.run.verdicts["D+1.1.1"].message == "due on 2026-12-08, today is 2026-12-05"
    assert set(early.run.facts) == {"good"}, "nothing is looked at before its day"
    assert early.junit()["D+1.1.1"][0]["verdict"] == "NOT DUE"
    assert early.run.head.today.isoformat() == "2026-12-05"
    assert "(2 days to launch), as on 2026-12-05" in early.out
    late = root.run("--today", root.day(1), env="staging")
    assert (late.ret, late.verdicts["D+1.1.1"]) == (1, "UNKNOWN")
    rehearsed = root.run()
    assert rehearsed.verdicts["D+1.1.1"] == "UNKNOWN", "in a rehearsal everything is due"
    assert "everything due" in rehearsed.out
    trend = root.run("--report-only", "-q")
    assert trend.ret == 0
    assert trend.verdicts["D+1.1.1"] == "UNKNOWN"
    assert trend.run.head.report_only
    assert trend.run.end is not None
    assert trend.run.end.exit_status == 0


SELECTED = """
@item("D-2.1.1")
def test_a(): pass

@item("D-2.1.2")
def test_b(good): pass

@item("D-2.1.10")
def test_c(loud): pass

@attested("D-2.2.1", "it is agreed")
def agreed(): pass
agreed.__test__ = True
"""


def test_collection_needs_no_environment_and_selects_by_mark_and_id(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whatever opens a connection or starts a program while pytest collects ends the process.
    root.write(
        "conftest.py",
        "import sys\n"
        "def refuse(event, args):\n"
        # pytest-metadata tells of the processor.
        "    if event == 'subprocess.Popen' and args[1] == ['uname', '-p']:\n"
        "        return\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo', 'subprocess.Popen'):\n"
        "        raise SystemExit(f'{event} while collecting')\n"
        "sys.addaudithook(refuse)\n"
        "from golive.probing import probe\n"
        "@probe()\n"
        "def good(env): ...\n"
        'pytest_plugins = ("golive.plugin",)\n',
    )
    root.items(SELECTED.replace("(loud)", "()"))
    root.items('@item("D+1.1.1")\ndef test_d(): pass', "suites/t_plus_1_week/test_day_plus_1.py")
    root.environment("rehearsal", kind="rehearsal", started={"command": ["no"], "folder": "no"})
    monkeypatch.delenv(SECRET_VARIABLE)
    assert root.run("--collect-only").ret == 0
    root.probes("@probe()\ndef good(env): ...")
    whole = ["test_a", "test_b", "test_c", "agreed", "test_d"]
    for arguments, names in (
        (("-m", "read"), whole),
        (("-m", "t_minus_1_week and db and not attested"), whole[:3]),
        (("-m", "technical_lead or attested", "--item", "D-2"), ["agreed"]),
        (("--item", "D-2.1"), whole[:3]),
        (("--item", "D-2.1.1,D+1.1.1", "--item", "D-2.2"), ["test_a", "agreed", "test_d"]),
        (("suites/t_plus_1_week/test_day_plus_1.py",), ["test_d"]),
    ):
        done = root.run_inside("--collect-only", "-q", *arguments)
        assert [x.rpartition("::")[2] for x in done.lines if "::" in x] == names, arguments
        assert done.ret == 0
    assert not root.reports.exists()


def test_the_suites_are_collected_without_network_or_environment(root: Root) -> None:
    root.write(
        "watch.py",
        "import sys\n"
        "def refuse(event, args):\n"
        # pytest-metadata tells of the processor.
        "    if event == 'subprocess.Popen' and args[1] == ['uname', '-p']:\n"
        "        return\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo', 'subprocess.Popen'):\n"
        "        raise SystemExit(f'{event} while collecting')\n"
        "sys.addaudithook(refuse)\n",
    )
    done = subprocess.run(
        [*root.command, "-p", "watch", "--collect-only", "-q", "-m", "attested", "--rootdir", ROOT],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(root.path), "GOLIVE_REHEARSAL": str(root.path / "no")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert sum("::" in line for line in done.stdout.splitlines()) == 62
    assert not (root.path / "no").exists()


def _nothing(root: Root) -> None:
    pass


def _written(name: str, old: str, new: str) -> Callable[[Root], object]:
    def change(root: Root) -> None:
        text = (root.path / name).read_text()
        assert old in text
        root.write(name, text.replace(old, new))

    return change


def _file(name: str, text: str) -> Callable[[Root], object]:
    return lambda root: root.write(name, text)


def _env(**changes: Any) -> Callable[[Root], object]:
    return lambda root: root.environment("rehearsal", kind="rehearsal", **changes)


def _items(text: str) -> Callable[[Root], object]:
    return lambda root: root.items(text)


def test_a_name_after_its_option_is_no_path_to_load_files_for() -> None:
    """Else pytest loads tests/conftest.py of this folder, and the run does not count."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "--trace-config"]
    done = subprocess.run(
        [*command, "--env", "staging", "--item", "D-13.1.2"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"PLUGIN registered: <module 'conftest' from '{ROOT / 'conftest.py'}'>" in done.stdout
    assert str(ROOT / "tests") not in done.stdout


FILE = "suites/t_minus_1_week/test_day_minus_2.py"
BAD_INPUT: dict[str, tuple[Callable[[Root], object], tuple[str, ...], str]] = {
    "an unknown environment": (
        _nothing,
        ("--env", "stagng"),
        r"--env stagng: .*/environments has no .* expected one of rehearsal, staging, or a path",
    ),
    "an environment that is no TOML": (
        _file("suites/environments/rehearsal.toml", "[postgres"),
        (),
        r"rehearsal\.toml: is not valid TOML: Expected ']' at the end of a table declaration",
    ),
    "an unknown key": (
        _env(postgres={"pasword": 1}),
        (),
        r"rehearsal\.toml: postgres\.pasword: unknown key; expected a key of golive's",
    ),
    "a missing key": (
        _written("suites/environments/rehearsal.toml", '"kind" = "rehearsal"', ""),
        (),
        r"rehearsal\.toml: kind: the key is missing; expected a value for it",
    ),
    "an unset secret": (
        _env(redis={"password": {"env": "GOLIVE_TEST_UNSET"}}),
        (),
        r"rehearsal\.toml: redis\.password: the .* GOLIVE_TEST_UNSET is unset or empty; expected",
    ),
    "an environment that does not start": (
        _env(started={"command": ["{python}", "-c", "raise SystemExit(3)"], "folder": "no"}),
        (),
        r"started\.command: -c raise SystemExit\(3\) ended with status 3;",
    ),
    "an environment that cannot be started": (
        _env(started={"command": ["./absent"], "folder": "no"}),
        (),
        r"started\.command: \./absent cannot be run: No such file or directory",
    ),
    "an environment that started and is not up": (
        _env(started={"command": ["{python}", "-c", ""], "folder": "no"}),
        (),
        r"\[started\] expects .*/no/endpoints\.toml, which is not there",
    ),
    "a launch date that is none": (
        _written("suites/launch.toml", "2026-12-07", '"7 December"'),
        (),
        r"launch\.toml: launch\.date: found '7 December'; expected a date such as 2026-12-07",
    ),
    "a day that is none": (
        _nothing,
        ("--today", "tomorrow"),
        r"^--today: found 'tomorrow'; expected a date such as 2026-12-07",
    ),
    "an id that is not in the procedure": (
        _items('@item("D-2.1.99")\ndef test_a(): pass'),
        (),
        rf"{FILE}::test_a: found the id 'D-2\.1\.99'; expected one of the 13 in .*procedure\.toml",
    ),
    "an id used twice": (
        _items('@item("D-2.1.1")\ndef test_a(): pass\n@item("D-2.1.1")\ndef test_b(): pass'),
        (),
        rf"{FILE}::test_b: found the id 'D-2\.1\.1', which {FILE}::test_a has already; expected",
    ),
    "an item without an id": (
        _items("def test_a(): pass"),
        (),
        rf"{FILE}::test_a: carries no id; expected @item, derived\(\) or attested\(\) on it",
    ),
    "a way that is another in the procedure": (
        _items('@attested("D-2.1.1", "it is agreed")\ndef test_a(): pass'),
        (),
        r"D-2\.1\.1 is written as attested; .*procedure\.toml says probe",
    ),
    "a probe that does more than its item may": (
        _items('@item("D-2.1.1")\ndef test_a(burst): pass'),
        (),
        rf"{FILE}::test_a: uses the probe burst, whose effect is 'load'; .* only 'read'",
    ),
    "a mark with a typo": (
        _nothing,
        ("-m", "day_minus_22"),
        r"-m 'day_minus_22': found 'day_minus_22', which is no mark; did you mean 'day_minus_2'",
    ),
    "a mark that is not declared": (
        _written("markers.ini", "technical_lead = Technical Lead\n", ""),
        (),
        r"markers\.ini: technical_lead: the mark is missing; D\+1\.1\.1 needs it",
    ),
    "an item that is not in the procedure": (
        _nothing,
        ("--item", "D-3"),
        r"procedure\.toml: found no item 'D-3'; expected an id, e\.g\.|found no item 'D-3'",
    ),
    "an item that nobody has written": (
        _nothing,
        ("--item", "D-2.1.2"),
        r"--item D-2\.1\.2: nobody has written D-2\.1\.2 yet among what was collected",
    ),
    "reports that cannot be written": (
        _file("reports/runs", "no folder"),
        (),
        r"reports/runs/.*: cannot be written: .*; expected a folder for reports",
    ),
    "an expression that pytest itself refuses": (
        _nothing,
        ("-k", "((("),
        r"Wrong expression passed to '-k': \(\(\(",
    ),
    "several processes": (
        _nothing,
        ("-p", "xdist.plugin", "-n", "2"),
        r"-n: golive runs its items in one process",
    ),
}


@pytest.mark.parametrize(("change", "arguments", "message"), BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_is_one_paragraph_status_4_and_leaves_nothing(
    root: Root, change: Callable[[Root], object], arguments: tuple[str, ...], message: str
) -> None:
    root.items('@item("D+1.1.1")\ndef test_z(): pass', "suites/t_plus_1_week/test_day_plus_1.py")
    root.items('@item("D-2.1.1")\ndef test_z(): pass')
    root.probes('@probe(effect="load")\ndef burst(env): pass')
    change(root)
    before = set(root.reports.rglob("*"))
    done = root.run_inside(*arguments)
    assert re.search(message, done.error())
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    assert set(root.reports.rglob("*")) == before
    assert SECRET not in done.out + done.err


def test_what_cannot_be_collected_opens_no_run(root: Root) -> None:
    root.items('@item("D-2.1.1")\ndef test_a(): pass')
    other = "suites/t_plus_1_week/test_day_plus_1.py"
    for text, message in (
        ("import absent_module", "No module named 'absent_module'"),
        (
            "pytest.skip('not today', allow_module_level=True)",
            f"{other}: Skipped: not today; expected",
        ),
        ("pytest.importorskip('absent_module')", f"{other}: Skipped: could not import 'absent_mod"),
    ):
        root.items(text, other)
        done = root.run_inside("--report-only")
        assert done.ret == pytest.ExitCode.INTERRUPTED
        assert message in done.out
        assert not root.reports.exists()


def test_no_item_selected_opens_no_run(root: Root) -> None:
    root.items('@item("D-2.1.1")\ndef test_a(): pass')
    done = root.run("-m", "attested")
    assert done.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    assert not root.reports.exists()


WAITS = """
@item("D-2.1.1")
def test_a():
    assert at_most("lag", 1, 2)

@item("D-2.1.2")
def test_b():
    assert at_most("lag", 3, 2)

@item("D-2.1.7")
def test_c():
    open("waiting", "w").close()
    time.sleep(60)

@item("D-2.1.8")
def test_d():
    raise RuntimeError("this must never run")
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_stopped_loses_no_finished_verdict(root: Root, how: signal.Signals) -> None:
    root.items(WAITS)
    with subprocess.Popen(
        [*root.command, "--report-only"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # What runs these tests in the background may have had interrupts ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        deadline = time.monotonic() + 60
        while not (root.path / "waiting").exists():
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(how)
        out = process.communicate(timeout=60)[0].decode()
    folder = ledger.runs(root.reports)[-1]
    run = ledger.read_run(folder)
    assert {i: v.verdict for i, v in run.verdicts.items()} == {"D-2.1.1": "PASS", "D-2.1.2": "FAIL"}
    assert len(run.lines) == 4
    if how is signal.SIGKILL:
        assert run.end is None
        assert main(["report"]) == 0
    else:
        assert process.returncode == pytest.ExitCode.INTERRUPTED, "--report-only or not"
        assert run.end is not None
        assert run.end.exit_status == 2
        assert "PASS 1, FAIL 1" in out
    page = (folder / "report.html").read_text()
    assert "replay" not in page
    assert all(f"D-2.1.{n}" in page for n in (1, 2, 7, 8))


DRILLS = """
import pathlib

@probe(effect="write", limit="drill")
def drill(env):
    try:
        pathlib.Path("open").touch()
        time.sleep({takes_s})
    finally:
        time.sleep(0.2)  # closing takes its time, too
        pathlib.Path("open").unlink()
"""
DRILLED = """
@item("D-2.1.3")
def test_a(drill):
    pass
"""


def interrupted(root: Root, *arguments: str) -> str:
    """What the terminal shows of a run that is interrupted while a drill has something open."""
    with subprocess.Popen(
        [*root.command, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        deadline = time.monotonic() + 60
        while not (root.path / "open").exists():
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out = process.communicate(timeout=60)[0].decode()
    assert process.returncode == pytest.ExitCode.INTERRUPTED
    return out


def test_a_write_drill_under_way_at_an_interrupt_cleans_up_before_the_run_ends(root: Root) -> None:
    root.probes(DRILLS.format(takes_s=5))
    root.items(DRILLED)
    out = interrupted(root)
    assert not (root.path / "open").exists()
    assert "these were under way and have cleaned up: drill" in out
    assert "LEFT BEHIND" not in out


def test_a_drill_that_does_not_end_in_time_is_told_as_left_behind(root: Root) -> None:
    root.environment("rehearsal", kind="rehearsal", time_limits={"drill": 0.5})
    root.probes(DRILLS.format(takes_s=60))
    root.items(DRILLED)
    out = interrupted(root)
    assert "waiting until these have cleaned up, at most 0.5 s (time_limits.drill)" in out
    assert "LEFT BEHIND, not cleaned up: drill" in out
    assert (root.path / "open").exists()
    assert ledger.read_run(ledger.runs(root.reports)[-1]).end is not None


def test_ids_of_what_offends_are_kept_whole_and_masked(root: Root) -> None:
    root.items(f'''
IDS = [f"D-2.1.{{n}}" for n in range(1, 9)] + ["{SECRET}"]

@item("D-2.1.1")
def test_a():
    assert none_of("red", IDS, among=9, of="verdicts", ids=IDS)
''')
    [claim] = root.run().run.verdicts["D-2.1.1"].claims
    assert claim.ids[:8] == [f"D-2.1.{n}" for n in range(1, 9)]
    assert SECRET not in claim.ids[8]


def test_a_document_s_stored_copy_is_looked_at_on_record_and_waited_for(root: Root) -> None:
    root.items("""
import pathlib

@item("D-2.1.1")
def test_a(kept):
    kept(pathlib.Path("reports/documents/decision.html"))
""")
    done = root.run()
    assert done.verdicts == {"D-2.1.1": "PENDING"}
    assert "launch.store names no store" in done.run.verdicts["D-2.1.1"].message
    name = "stored copy of decision.html"
    assert done.run.verdicts["D-2.1.1"].facts == [name]
    assert "launch.store names no store" in str(done.run.facts[name].value)


@pytest.mark.parametrize(
    ("ends", "judged"),
    [
        ("raise KeyboardInterrupt", False),
        ("raise SystemExit(3)", False),
        ("pytest.exit('enough')", False),
        ("pytest.fail('broken')", True),
        ("pytest.skip('later')", True),
        ("assert 1 == 2", True),
        ("raise ValueError('broken')", True),
    ],
)
def test_statements_are_read_beside_a_check_that_fails_and_not_once_a_run_is_ended(
    root: Root, ends: str, judged: bool
) -> None:
    root.items(f"""
@attested("D-2.2.1", "everybody was notified", by=("product_manager",))
def test_told():
    {ends}
""")
    root.probes("""
from pathlib import Path
from golive.session import Session

def vouch(self, node, failed):
    Path("vouched").touch()

Session.vouch = vouch
""")
    root.run("--item", "D-2.2.1")
    assert (root.path / "vouched").exists() is judged


def test_what_is_written_is_read_in_one_way_whatever_was_collected(root: Root) -> None:
    """A comment, or a text, is no item."""
    root.items('@item("D-2.1.1")\ndef test_a(): assert 1\n# @item("D-2.1.3")\n')
    other = "suites/t_minus_1_week/test_other.py"
    root.items('@item("D-2.1.2")\ndef test_b(): assert 1\nX = """item("D-2.1.7")"""\n', other)
    for arguments in ((), (other,)):
        unwritten = {line.id for line in root.run(*arguments).run.head.unwritten}
        assert unwritten == set(ITEMS) - {"D-2.1.1", "D-2.1.2"}


def test_facts_are_gathered_once_side_by_side_and_loud_ones_alone(root: Root) -> None:
    root.probes('''
both = threading.Barrier(2)
quiet = []

@probe()
def one(env):
    both.wait(20)
    quiet.append("one")
    return "one"

@probe(effect="write")
def two(env):
    both.wait(20)
    quiet.append("two")
    return "two"

@probe(effect="load")
def burst(env):
    return sorted(quiet)

@probe(limit="connect")
def slow(env):
    """The slow one"""
    time.sleep(60)
''')
    root.items("""
@item("D-2.1.6")
def test_loud(burst): assert burst == ["one", "two"]

@item("D-2.1.7")
def test_one(one): assert one == "one"

@item("D-2.1.3")
def test_two(one, two): assert (one, two) == ("one", "two")

@item("D-2.1.8")
def test_slow(slow): pass
""")
    root.environment(
        "rehearsal",
        kind="rehearsal",
        permits=["read", "write", "load"],
        time_limits={"connect": 0.2},
    )
    done = root.run()
    assert done.verdicts == {
        "D-2.1.3": "PASS",
        "D-2.1.7": "PASS",
        "D-2.1.8": "UNKNOWN",
        "D-2.1.6": "PASS",
    }
    assert "looking side by side: one, slow, two" in done.lines
    assert done.run.verdicts["D-2.1.8"].message == (
        "could not look at The slow one: no answer within 0.2 s (time_limits.connect);"
        " next: see the probe slow"
    )
    text = (done.run.folder / ledger.FACTS).read_text()
    assert sorted(re.findall(r'"probe":"(\w+)"', text)) == ["burst", "one", "slow", "two"]


CANARIES = {
    "CANARY_DSN": "p%40ss/w0rd?kestrel&7f3a9c#<1>",
    "CANARY_TOKEN": "wagtail-" + "".join(f"{n:03x}" for n in range(0, 4000, 37)),
    "CANARY_KEY": "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\nw0BAQEFAASCBKcwg\n-----END KEY-----",
    "CANARY_QUOTED": "\"fieldfare'\\\\\t7f3a9c",
}
"""Secrets as they come: with a URL's own characters, longer than pytest shows, of many lines,
and with both quotes."""

LEAKS = """
DSN, TOKEN, KEY, QUOTED = (os.environ[f"CANARY_{n}"] for n in ("DSN", "TOKEN", "KEY", "QUOTED"))
URL = f"postgresql://bob:{quote(DSN, safe='')}@db-1:5432/shop"
ALL = [URL, TOKEN, KEY, QUOTED, {"dsn": DSN, "quoted": QUOTED}, QUOTED.encode(), "x" * 300]

@item("D-2.1.1")
def test_values_that_hold(leaky):
    assert ALL == list(ALL)
    assert equal(f"of {URL}", ALL, list(ALL), see=TOKEN)
    assert "x" * 100 + TOKEN != "y"

@item("D-2.1.2")
def test_values_that_do_not_hold(leaves_something):
    print(ALL)
    print(*ALL, file=sys.stderr)
    logging.getLogger("db").error("%s %r %s", URL, ALL, base64.b64encode(f"bob:{TOKEN}".encode()))
    warnings.warn(f"{ALL} {URL} {DSN}")
    assert ["x" * 110 + TOKEN, *ALL] == ["x" * 110 + TOKEN + "other", *ALL]

@item("D-2.1.3")
def test_a_claim():
    assert none_of(f"{URL} {DSN}", ALL, among=len(ALL), of=QUOTED, see=KEY)

@item("D-2.1.7")
def test_a_traceback():
    try:
        raise KeyError(URL, ALL)
    except KeyError:
        raise ValueError(f"{ALL} {URL} {KEY}")

@item("D-2.1.8")
def test_a_probe_error(broken): pass

@item("D-2.1.9")
def test_a_broken_probe(broken_otherwise): pass

@item("D-2.1.10")
def test_a_terminal_is_not_driven(record_property):
    record_property("dsn", URL)
    assert False, "\\x1b[2Jgone\\x07 and\\nmore\\r"

@pytest.fixture
def leaves_something():
    yield
    print("bye", URL, TOKEN)
    raise OSError(f"{URL} {ALL}")
"""

LEAKING_PROBES = """
import base64, os
from dataclasses import dataclass

DSN, TOKEN, KEY, QUOTED = (os.environ[f"CANARY_{n}"] for n in ("DSN", "TOKEN", "KEY", "QUOTED"))

@dataclass(frozen=True)
class Found:
    dsn: str
    by_key: dict
    header: bytes

@probe()
def leaky(env):
    header = b"Basic " + base64.b64encode(f"bob:{TOKEN}".encode())
    return Found(f"postgresql://bob:{DSN}@db-1", {KEY: [QUOTED, repr(QUOTED)]}, header)

@probe()
def broken(env):
    raise ProbeError(f"db-1 as {DSN}", OSError(f"no {KEY}\\n{QUOTED}"), f"use {TOKEN}")

@probe()
def broken_otherwise(env):
    raise OSError(f"{DSN} {KEY} {QUOTED!r} {TOKEN}")
"""


def test_no_secret_reaches_any_output(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, secret in CANARIES.items():
        monkeypatch.setenv(name, secret)
    root.probes(LEAKING_PROBES)
    root.items(f"import base64\nfrom urllib.parse import quote\n{LEAKS}")
    root.write("keys/key.pem", CANARIES["CANARY_KEY"] + "\n")
    root.environment(
        "rehearsal",
        kind="rehearsal",
        postgres={"password": {"env": "CANARY_DSN"}},
        redis={"password": {"env": "CANARY_TOKEN"}, "sentinel_password": {"env": "CANARY_QUOTED"}},
        aws={"secret_access_key": {"file": "../../keys/key.pem"}},
    )
    done = root.run("--junitxml=junit.xml", "-vv", "-rA", "--tb=long", "--showlocals", *HTML)
    assert list(done.verdicts.values()) == ["PASS", *["FAIL"] * 2, *["UNKNOWN"] * 3, "FAIL"]
    outputs = {"out": done.out, "err": done.err}
    for path in [*root.reports.rglob("*"), root.path / "junit.xml", root.path / "report.html"]:
        if path.is_file():
            outputs[path.name] = path.read_text()
    assert {"report.html", "junit.xml", "run.json", "facts.jsonl", "verdicts.jsonl"} <= set(outputs)
    for name, secret in CANARIES.items():
        # No eight characters in a row, so that half a secret is found too.
        for part in {secret[i : i + 8] for i in range(len(secret) - 7)}:
            for where, text in outputs.items():
                if part in text:
                    at = text.index(part)
                    pytest.fail(f"{where} shows {part!r} of {name}: {text[at - 200 : at + 60]}")
    inside = base64.b64encode(f"bob:{CANARIES['CANARY_TOKEN']}".encode()).decode()
    assert not [where for where, text in outputs.items() if inside[8:40] in text]
    assert all("********" in outputs[name] for name in ("out", "report.html", "junit.xml"))
    assert "\x1b" not in done.out
    assert "gone" in done.out


TALKS = """
log = logging.getLogger("db")

def say(stream):
    SECRET = os.environ["GOLIVE_TEST_SECRET"]
    stream.write("one piece: " + SECRET + "\\n")
    stream.write("two pieces: " + SECRET[:7])
    stream.flush()
    stream.write(SECRET[7:] + "\\n")
    print("letters: ", end="", file=stream)
    for letter in SECRET:
        print(letter, end="", flush=True, file=stream)
    print(file=stream)
    stream.writelines(["lines: ", SECRET[:5], SECRET[5:], "\\n"])
    stream.buffer.write(b"bytes: " + SECRET.encode()[:3])
    stream.buffer.write(SECRET.encode()[3:] + b"\\n")
    stream.flush()

def log_it():
    SECRET = os.environ["GOLIVE_TEST_SECRET"]
    log.error("logged: %s %r", SECRET, SECRET.encode())
    try:
        raise KeyError(SECRET)
    except KeyError:
        log.exception("an exception")

@pytest.fixture
def talks():
    say(sys.stdout)
    log_it()
    yield
    say(sys.stderr)
    log_it()

@item("D-2.1.1")
def test_all_streams(talks, chatty):
    SECRET = os.environ["GOLIVE_TEST_SECRET"]
    say(sys.stdout)
    say(sys.stderr)
    sys.__stdout__.write("past: " + SECRET + "\\n")
    sys.__stderr__.write("past: " + SECRET + "\\n")
    own = logging.FileHandler("own.log")
    direct = logging.StreamHandler(sys.__stderr__)
    for handler in (own, direct):
        log.addHandler(handler)
    log_it()
    for handler in (own, direct):
        log.removeHandler(handler)
    assert SECRET == "x"
"""

CHATTY = """
import logging, os, sys

@probe()
def chatty(env):
    print("a probe:", os.environ["GOLIVE_TEST_SECRET"])
    print("a probe:", os.environ["GOLIVE_TEST_SECRET"], file=sys.stderr)
    logging.getLogger("db").error("a probe: %s", os.environ["GOLIVE_TEST_SECRET"])
"""

LIVE = ("-o", "log_cli=true", "--log-cli-level=DEBUG")
SPOKEN = ("one piece", "two pieces", "letters", "lines", "bytes", "past")


@pytest.mark.parametrize(
    ("switches", "shown"),
    [
        (("-s",), SPOKEN),
        (("--capture=tee-sys",), ("one piece", "letters", "past")),
        (("--capture=sys", *LIVE), ("logged",)),
        (LIVE, ("logged",)),
        (("--log-file=log.txt", "--log-file-level=DEBUG"), ("logged",)),
        (("--debug",), ()),
        (("-s", "--debug", "-vv", "--setup-show", "--log-file=log.txt", *LIVE), SPOKEN),
    ],
)
def test_no_switch_of_pytest_shows_a_secret(
    root: Root, switches: tuple[str, ...], shown: tuple[str, ...]
) -> None:
    root.probes(CHATTY)
    root.items(TALKS)
    done = root.run(*switches, "--junitxml=junit.xml")
    assert done.verdicts == {"D-2.1.1": "FAIL"}
    outputs = {"out": done.out, "err": done.err}
    for path in root.path.rglob("*"):
        if path.suffix in (".log", ".txt", ".xml", ".html", ".json", ".jsonl"):
            outputs[path.name] = path.read_text()
    assert {"own.log", "junit.xml", "report.html"} <= set(outputs)
    for where, text in outputs.items():
        for part in (SECRET[i : i + 6] for i in range(len(SECRET) - 5)):
            assert part not in text, f"{where}: {text[text.index(part) - 200 :][:260]}"
    reported = "".join(outputs[n] for n in outputs if n in ("out", "err", "log.txt"))
    for what in shown:
        assert re.search(rf"{what}: \*{{8}}", reported), what
    assert "logged: ********" in outputs["own.log"]
    assert "KeyError: '********'" in outputs["own.log"]
    if "--debug" in switches:
        assert "pytest_runtest_logreport" in outputs["pytestdebug.log"]
        assert "********" in outputs["pytestdebug.log"]


@pytest.mark.parametrize("capture", ["fd", "sys", "tee-sys", "no"])
def test_streams_that_somebody_took_before_still_work(root: Root, capture: str) -> None:
    root.probes("""
import logging, sys
OUT = sys.stdout
logging.getLogger().addHandler(logging.StreamHandler(OUT))
""")
    root.items("""
@item("D-2.1.1")
def test_a(request):
    logging.getLogger().error("as %s", os.environ["GOLIVE_TEST_SECRET"])
    out = request.config.pluginmanager.get_plugin(str(request.config.rootpath / "conftest.py")).OUT
    out.write("written\\n")
    assert 1 == 2
""")
    done = root.run(f"--capture={capture}")
    detail = done.run.verdicts["D-2.1.1"].detail
    assert done.verdicts == {"D-2.1.1": "FAIL"}, detail
    assert "as ********" in detail
    assert "written" in (done.out if capture == "no" else detail)
    assert "Logging error" not in done.out + done.err + detail
    assert SECRET not in done.out + done.err + detail


def test_what_is_written_under_s_comes_in_its_order(root: Root) -> None:
    root.items("""
@item("D-2.1.1")
def test_a():
    print("first, ke", end="")
    print("second", flush=True)
    sys.stdout.buffer.write(b"third\\n")
    sys.stdout.flush()
    print("\\r10 %", end="\\r20 %", flush=True)
    assert sys.stdout.isatty() is False
    assert sys.stdout.fileno() == 1
    assert sys.stdout.encoding.lower() == "utf-8"
""")
    done = root.run("-s")
    assert done.verdicts == {"D-2.1.1": "PASS"}, done.out
    assert "first, kesecond\nthird\n" in done.out
    assert done.out.index("third") < done.out.index("10 %") < done.out.index("PASS     D-2.1.1")


def test_what_is_stated_of_other_verdicts_is_looked_at_after_them(root: Root) -> None:
    root.items("""
@attested("D-2.2.1", "the team agreed")
def test_agreed(deliverables): pass
""")
    later = '@item("D+1.1.1")\ndef test_later(): assert at_most("load", 1, 2)'
    root.items(later, "suites/t_plus_1_week/test_day_plus_1.py")
    assert list(root.run().run.verdicts) == ["D+1.1.1", "D-2.2.1"]


HOLDS = """
@item("D-2.1.1")
def test_a():
    assert at_most("lag", 1, 2)
"""


@pytest.fixture
def crew(root: Root, monkeypatch: pytest.MonkeyPatch) -> Project:
    """People and the runner ci with keys on the roster, in a root with an item that holds."""
    for name in ("SSH_AUTH_SOCK", "GOLIVE_AS", "GOLIVE_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(root.path / "home"))
    people = Project(root)
    root.items(HOLDS)
    return people


def looked(people: Project, *arguments: str, env: str = "staging") -> Done:
    return cast("Root", people.folder).run("--today", people.on(0), *arguments, env=env)


@pytest.mark.parametrize(
    ("who", "how"),
    [
        ("ci", "options"),
        ("ci", "variables"),
        ("paul", "options"),
        ("paul", "home"),
        ("paul", "key"),
    ],
)
def test_a_run_outside_rehearsals_is_signed(
    crew: Project, monkeypatch: pytest.MonkeyPatch, who: str, how: str
) -> None:
    arguments: tuple[str, ...] = ()
    if how == "options":
        arguments = ("--as", who, "--key", str(crew.keys[who]))
    elif how == "key":
        arguments = ("--key", str(crew.keys[who]))
    elif how == "variables":
        monkeypatch.setenv("GOLIVE_AS", who)
        monkeypatch.setenv("GOLIVE_KEY", str(crew.keys[who]))
    else:
        for name in ("id_ed25519", "id_ed25519.pub"):
            source = crew.keys[who].with_suffix(".pub" if name.endswith(".pub") else "")
            target = crew.path / "home" / ".ssh" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(source.read_text())
            target.chmod(0o600)
    done = looked(crew, *arguments)
    assert done.ret == 0, done.out + done.err
    run = done.run
    assert run.end is not None
    assert (run.end.by, ledger.unsigned(run, crew.context().roster)) == (who, "")
    assert run.folder.name == run.head.id
    assert any(x.startswith(f"golive: signed by {who} with ") for x in done.lines)
    assert "unsigned" not in done.out


def test_a_run_with_no_key_at_hand_is_kept_and_says_that_nobody_signs_it(crew: Project) -> None:
    done = looked(crew)
    assert done.ret == 0
    assert (
        "golive: nobody signs this run: no key of the roster is at hand; nothing green of it will"
        " count"
    ) in done.lines
    assert any(x.startswith("unsigned: ") and "--key" in x for x in done.lines)
    assert ledger.unsigned(done.run, crew.context().roster) == "nobody has signed its end"
    assert not (done.run.folder / ledger.SIGNATURE).exists()


def test_a_rehearsal_asks_for_no_key(crew: Project) -> None:
    done = looked(crew, env="rehearsal")
    assert done.ret == 0
    assert not re.search("signed by|nobody signs|unsigned", done.out)
    assert done.run.end is not None
    assert done.run.end.by == ""


WRONG_KEYS = {
    "nobody's": (("--key", "{stranger}"), "--key: found .*stranger .*which is no key of anybody"),
    "another's": (("--as", "tess", "--key", "{paul}"), "which is no key of tess on"),
    "a runner's for a person": (("--as", "paul", "--key", "{ci}"), "which is no key of paul on"),
    "a person's for a runner": (("--as", "ci", "--key", "{paul}"), "which is no key of ci on"),
    "not there": (("--key", "{absent}"), "absent: there is no such key"),
    "of nobody known": (("--as", "max"), "--as: found 'max'; expected an id of .*paul.*ci"),
    "too old": (("--key", "{elena}"), "is a key of elena that counts until 2026-01-31"),
    "shared": (("--key", "{joel}"), "joel, leah have the same key|leah, joel have the same key"),
    "not at hand": (("--as", "paul"), "--key: found no key of paul on .* name yours with --key"),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG_KEYS.values(), ids=WRONG_KEYS)
def test_a_wrong_key_ends_the_session_before_anything_is_looked_at(
    crew: Project, arguments: tuple[str, ...], message: str
) -> None:
    old = [{"public": crew.public("elena"), "until": date(2026, 1, 31)}]
    crew.roster(elena={"keys": old}, leah={"keys": [{"public": crew.public("joel")}]})
    make_key(crew.path / "keys" / "stranger")
    keys = {i: str(crew.path / "keys" / i) for i in (*crew.keys, "stranger", "absent")}
    done = looked(crew, *(a.format(**keys) for a in arguments))
    assert re.search(message, done.error())
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    assert not crew.folder.reports.exists()


def test_variables_that_name_a_wrong_key_are_named(
    crew: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOLIVE_AS", "ci")
    monkeypatch.setenv("GOLIVE_KEY", str(crew.keys["paul"]))
    assert re.search("^GOLIVE_KEY: found .*no key of ci on", looked(crew).error())


def test_a_passphrase_that_cannot_be_asked_for_is_told_at_once(root: Root, crew: Project) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-p", "-N", "secret", "-P", "", "-f", crew.keys["paul"]], check=True
    )
    begun = time.monotonic()
    done = subprocess.run(
        [*root.command, "--env", "staging", "--key", str(crew.keys["paul"])],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,  # which has no terminal
    )
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "there is no terminal to ask for a passphrase on: load the key into an" in done.stderr
    assert time.monotonic() - begun < 30
    assert not root.reports.exists()


def test_an_interrupted_run_is_signed(root: Root, crew: Project) -> None:
    root.items(WAITS)
    with subprocess.Popen(
        [*root.command, "--env", "staging", "--key", str(crew.keys["ci"]), "--today", crew.on(0)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        deadline = time.monotonic() + 60
        while not (root.path / "waiting").exists():
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    run = ledger.read_run(ledger.runs(root.reports)[-1])
    assert run.end is not None
    assert run.end.exit_status == pytest.ExitCode.INTERRUPTED
    assert ledger.unsigned(run, crew.context().roster) == ""


def test_a_key_that_goes_away_while_the_run_goes_on_costs_only_the_signature(crew: Project) -> None:
    crew.folder.items(HOLDS + f"    os.unlink({str(crew.keys['paul'])!r})")
    done = looked(crew, "--key", str(crew.keys["paul"]))
    assert done.ret == 0
    assert done.verdicts == {"D-2.1.1": "PASS"}
    assert any(re.search("^unsigned: .*there is no such key.*--key", x) for x in done.lines)
    assert done.run.end is not None
    assert done.run.end.by == ""


def test_a_runners_key_signs_runs_and_nothing_else(crew: Project) -> None:
    assert f'ci namespaces="golive-run" {crew.public("ci")}\n' == (
        crew.context().roster.allowed_signers(["ci"])
    )
    said = crew.sign(by="ci", role="product_manager")
    assert "ci is not on the roster" in crew.cause(said)
    as_paul = crew.sign(by="paul", key="ci")
    assert "its signature is not valid" in crew.cause(as_paul)


# -- what it was looked with --------------------------------------------------------------------

ASKS = """
@item("D-2.1.1")
def test_a(limits):
    assert at_most("lag", 1, limits.lag_s)

@item("D-2.1.2")
def test_b(twice):
    assert at_most("load", 1, twice)

@item("D-2.1.7")
def test_c(twice):
    assert at_most("load", 1, twice)

@item("D-2.1.8")
def test_d():
    assert at_most("load", 1, 2)

@pytest.fixture(scope="session")
def twice(limits):
    return 2 * limits.load
"""


def test_a_run_says_what_it_looked_with(crew: Project, root: Root) -> None:
    root.launch(crew.launch_day, people=SIGNING, lag_s=10, load=4.5)
    root.items(ASKS)
    git(root)
    done = looked(crew, "--key", str(crew.keys["ci"]))
    assert done.ret == 0, done.out
    first, context = done.run, crew.context()
    head, verdicts = first.head, first.verdicts
    assert (head.engine, head.suite) == (context.origin.engine, context.origin.suite)
    assert (head.suite.clean, len(head.suite.commit)) == (True, 40)
    assert head.rules == context.rules
    assert head.rules.thresholds == {"lag_s": 10, "load": 4.5}
    assert head.rules.people["leah"].roles == ["product_manager"]
    assert head.before == {}
    assert {i: v.check for i, v in verdicts.items()} == {
        i: digest for i, digest in context.origin.checks.items() if i in verdicts
    }
    assert {i: v.limits for i, v in verdicts.items()} == {
        "D-2.1.1": {"lag_s": 10},
        "D-2.1.2": {"load": 4.5},
        "D-2.1.7": {"load": 4.5},  # of the fixture that was set up for another
        "D-2.1.8": {},
    }
    assert all(readiness.suspect(first, v, context) == "" for v in verdicts.values())
    assert looked(crew).run.head.before == {first.head.id: first.sha256}


def test_a_check_that_stands_outside_the_suites_never_matches(crew: Project, root: Root) -> None:
    path = root.path / "suites/t_minus_1_week/test_day_minus_2.py"
    root.write("elsewhere/test_day_minus_2.py", path.read_text())
    done = looked(crew, "elsewhere", "--key", str(crew.keys["ci"]))
    assert done.verdicts == {"D-2.1.1": "PASS"}
    (verdict,) = done.run.verdicts.values()
    assert verdict.check == ""
    assert "its check has changed" in readiness.suspect(done.run, verdict, crew.context())


PUTS_BACK = """
import pathlib
own = pathlib.Path(__file__)
own.write_text(own.read_text().replace("at_most('lag', 1, 200)", "at_most('lag', 1, 2)"))
"""


def test_a_check_that_puts_its_own_text_back_is_refused(crew: Project, root: Root) -> None:
    root.items(PUTS_BACK + HOLDS.replace('"lag", 1, 2', "'lag', 1, 200"))
    done = looked(crew)
    assert re.search("test_day_minus_2.py: was written while this session began", done.error())
    assert not root.reports.exists()


def test_a_check_that_is_put_back_with_the_same_bytes_by_another_is_refused(
    crew: Project, root: Root
) -> None:
    other = "suites/t_plus_1_week/test_day_plus_1.py"
    swap = (
        "import pathlib\n"
        "one = pathlib.Path(__file__).parents[1] / 't_minus_1_week/test_day_minus_2.py'\n"
        "text = one.read_text()\n"
        "one.write_text(text + 'loosened = True')\n"
        "one.write_text(text)\n"
    )
    root.items(swap, other)
    assert "was written while this session began" in looked(crew).error()


def test_what_was_compiled_before_is_not_what_is_judged(
    crew: Project, root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compiled code of a loosened check that says it is of the one that lies there."""
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    path = root.path / "suites/t_minus_1_week/test_day_minus_2.py"
    root.items(HOLDS)
    assert looked(crew, env="rehearsal").verdicts == {"D-2.1.1": "PASS"}
    (compiled,) = path.parent.rglob("*.pyc")
    root.items(HOLDS.replace("1, 2", "3, 2"))
    planted = bytearray(compiled.read_bytes())
    planted[8:16] = importlib.util.source_hash(path.read_bytes())
    compiled.write_bytes(planted)
    assert looked(crew, env="rehearsal").verdicts == {"D-2.1.1": "PASS"}, "the attack works"
    assert looked(crew).verdicts == {"D-2.1.1": "FAIL"}


def git(root: Root) -> None:
    """Commit all there is but reports and keys."""
    root.write(".gitignore", "reports/\nkeys/\nhome/\n__pycache__/\n")
    own = ["git", "-C", str(root.path), "-c", "user.name=a", "-c", "user.email=a@example.com"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "suites"]):
        subprocess.run([*own, *words], check=True)


# -- what was loaded ----------------------------------------------------------------------------

EVIL = "def pytest_runtest_makereport(item, call): ...\n"


def _evil_option(root: Root, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    root.write("evil.py", EVIL)
    monkeypatch.setenv("PYTHONPATH", f"{os.environ.get('PYTHONPATH', '')}:{root.path}")
    return ("-p", "evil")


def _evil_variable(root: Root, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    _evil_option(root, monkeypatch)
    monkeypatch.setenv("PYTEST_PLUGINS", "evil")
    return ()


def _evil_addopts(root: Root, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    _evil_option(root, monkeypatch)
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p evil")
    return ()


def _evil_that_goes(root: Root, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    options = _evil_option(root, monkeypatch)
    goes = "def pytest_configure(config):\n    config.pluginmanager.unregister(name='evil')\n"
    root.write("evil.py", goes)
    return options


UNUSED = (
    *("anyio", "hypothesispytest", "locust", "platformdirs", "pytest11.testinfra"),
    *("schemathesis", "schemathesis-xdist"),
)
"""Plugins that the project itself leaves away, in pyproject.toml."""


def _evil_package(root: Root, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    _evil_option(root, monkeypatch)
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    root.write("evil-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    root.write("evil-1.0.dist-info/entry_points.txt", "[pytest11]\nevil = evil\n")
    return tuple(w for n in UNUSED for w in ("-p", f"no:{n}"))


def _evil_conftest(root: Root, _: pytest.MonkeyPatch) -> tuple[str, ...]:
    root.write("suites/t_minus_1_week/conftest.py", EVIL)
    return ()


def _evil_root_conftest(root: Root, _: pytest.MonkeyPatch) -> tuple[str, ...]:
    root.write("conftest.py", 'pytest_plugins = ("golive.plugin",)\n' + EVIL)
    return ()


def _evil_module(root: Root, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    _evil_option(root, monkeypatch)
    path = root.path / FILE
    path.write_text(path.read_text() + "\nimport sys\npytest_plugins = ('evil',)\n")
    return ()


def _evil_later(root: Root, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    _evil_option(root, monkeypatch)
    path = root.path / FILE
    late = "\n    import evil; request.config.pluginmanager.register(evil, 'evil')\n"
    path.write_text(path.read_text().replace("test_a():", "test_a(request):") + late)
    return ()


def _evil_startup(root: Root, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    _evil_option(root, monkeypatch)
    root.write("sitecustomize.py", "import sys\n")
    return ()


def _evil_golive(root: Root, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """It calls itself one of golive's."""
    _evil_option(root, monkeypatch)
    naming = "def pytest_configure(config):\n"
    naming += "    config.pluginmanager.register(type('Evil', (), {})(), 'golive-probes-2')\n"
    root.write("evil.py", naming)
    return ("-p", "evil")


def _evil_settings(root: Root, _: pytest.MonkeyPatch) -> tuple[str, ...]:
    return ("-o", "python_functions=test_a")


def _evil_debugger(root: Root, _: pytest.MonkeyPatch) -> tuple[str, ...]:
    return ("--pdb",)


STRANGERS = {
    "an option": (_evil_option, "evil (evil.py)"),
    "PYTEST_PLUGINS": (_evil_variable, "evil (evil.py)"),
    "PYTEST_ADDOPTS": (_evil_addopts, "evil (evil.py)"),
    "one that goes again": (_evil_that_goes, "evil (evil.py)"),
    "an installed package": (_evil_package, "evil (evil 1.0)"),
    "a conftest of the suites": (_evil_conftest, "suites/t_minus_1_week/conftest.py"),
    "another conftest of the project": (_evil_root_conftest, "conftest.py"),
    "a test module": (_evil_module, "evil (evil.py)"),
    "one that comes late": (_evil_later, "evil (evil.py)"),
    "what Python starts with": (_evil_startup, "sitecustomize (sitecustomize.py)"),
    "a name of golive's": (_evil_golive, "golive-probes-2 (evil.py)"),
    "settings": (_evil_settings, "-o python_functions=test_a (the command line)"),
    "a debugger": (_evil_debugger, "pdbinvoke (pytest "),
}


@pytest.mark.parametrize(("bring", "name"), STRANGERS.values(), ids=STRANGERS)
def test_what_golive_did_not_bring_makes_a_run_unusable(
    crew: Project,
    root: Root,
    monkeypatch: pytest.MonkeyPatch,
    bring: Callable[[Root, pytest.MonkeyPatch], tuple[str, ...]],
    name: str,
) -> None:
    options = bring(root, monkeypatch)
    done = looked(crew, "--key", str(crew.keys["ci"]), *options)
    assert done.verdicts == {"D-2.1.1": "PASS"}, done.out + done.err
    run = done.run
    assert run.end is not None
    strange = [p for p in [*run.head.plugins, *run.end.plugins] if not p.known]
    assert strange, run.head.plugins
    shown = [x for x in done.lines if name in x]
    assert any(x.startswith("unusable: ") and "launch.plugins" in x for x in shown), done.out
    if not run.end.plugins:
        assert any(x.startswith("golive: nothing green of this run will count:") for x in shown)
    (verdict,) = run.verdicts.values()
    assert "which golive did not bring" in readiness.suspect(run, verdict, crew.context())


def test_what_golive_brings_is_known_and_named(
    crew: Project, root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    no_schemathesis = ("-p", "no:schemathesis", "-p", "no:schemathesis-xdist")
    done = looked(crew, "-p", "pytester", "--junitxml=j.xml", "--html=r.html", *no_schemathesis)
    run = done.run
    assert run.end is not None
    assert [p for p in [*run.head.plugins, *run.end.plugins] if not p.known] == []
    by_name = {p.name: p for p in run.head.plugins}
    assert by_name["runner"].source == f"pytest {pytest.__version__}"
    assert by_name["html"].source.startswith("pytest-html ")
    assert by_name["conftest.py"].sha256 == sha256((root.path / "conftest.py").read_bytes())
    assert "unusable" not in done.out


@pytest.mark.parametrize(
    ("bring", "named"),
    [
        (_evil_conftest, "suites/t_minus_1_week/conftest.py"),
        (_evil_root_conftest, "conftest.py"),
        (_evil_settings, "-o python_functions=test_a"),
    ],
)
def test_what_launch_toml_names_is_known(
    crew: Project,
    root: Root,
    monkeypatch: pytest.MonkeyPatch,
    bring: Callable[[Root, pytest.MonkeyPatch], tuple[str, ...]],
    named: str,
) -> None:
    options = bring(root, monkeypatch)
    name_plugins(root, named)
    done = looked(crew, *options)
    assert "unusable" not in done.out
    assert all(p.known for p in done.run.head.plugins)


def test_a_package_that_is_named_has_to_be_as_it_came(
    crew: Project, root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = _evil_package(root, monkeypatch)
    digest = base64.urlsafe_b64encode(hashlib.sha256(EVIL.encode()).digest()).decode().rstrip("=")
    root.write("evil-1.0.dist-info/RECORD", f"evil.py,sha256={digest},{len(EVIL)}\n")
    name_plugins(root, "evil")
    done = looked(crew, *options)
    assert "unusable" not in done.out
    (evil,) = [p for p in done.run.head.plugins if p.name == "evil"]
    assert (evil.source, evil.known) == ("evil 1.0", True)
    root.write("evil.py", EVIL + "# edited\n")
    done = looked(crew, *options)
    assert any(x.startswith("unusable: evil (evil 1.0)") for x in done.lines)


def name_plugins(root: Root, *names: str) -> None:
    path = root.path / "suites/launch.toml"
    root.write(
        "suites/launch.toml",
        path.read_text().replace('"launch" = {', f'"launch" = {{"plugins" = {json.dumps(names)}, '),
    )


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_rehearsal_only_records_what_was_loaded(
    crew: Project, root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = looked(crew, *_evil_option(root, monkeypatch), env="rehearsal")
    assert [(p.name, p.known) for p in done.run.head.plugins if not p.known] == [("evil", False)]
    assert "evil" not in done.out


@pytest.mark.parametrize(
    ("python", "arguments", "variables", "message"),
    [
        (["-O"], [], {}, "python -O, or PYTHONOPTIMIZE: takes assertions away"),
        ([], [], {"PYTHONOPTIMIZE": "1"}, "python -O, or PYTHONOPTIMIZE: takes assertions away"),
        ([], ["--assert=plain"], {}, "--assert: found 'plain'; expected 'rewrite'"),
        ([], [], {"PYTEST_ADDOPTS": "--assert=plain"}, "--assert: found 'plain'"),
        ([], ["-o", "enable_assertion_pass_hook=false"], {}, "enable_assertion_pass_hook: is off"),
    ],
)
@pytest.mark.parametrize("env", ["rehearsal", "staging"])
def test_a_session_without_assertions_does_not_start(
    root: Root,
    env: str,
    python: list[str],
    arguments: list[str],
    variables: dict[str, str],
    message: str,
) -> None:
    root.items(HOLDS.replace("1, 2", "3, 2"))
    given = [*root.command[3:], "--env", env, *arguments]
    if python:
        command = [sys.executable, *python, "-m", "pytest", *given]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    else:
        done = forking.run_pytest(given, folder=root.path, variables=variables)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout
    assert message in done.stderr
    assert not root.reports.exists()


# -- what a PASS needs --------------------------------------------------------------------------

UNPROVED = """
@item("D-2.1.1")
def test_it_says_nothing():
    pass

@item("D-2.1.2")
def test_it_looks_away():
    assert at_most("lag", 1, 2)
    assert at_most("load", 3, 2) or True

@item("D-2.1.3")
def test_a_claim_alone():
    assert at_most("lag", 1, 2)

@item("D-2.1.7")
def test_an_assertion_alone():
    assert 1 + 1 == 2

@item("D-2.1.8")
def test_it_is_broken_while_it_tidies_up(untidy):
    assert at_most("lag", 1, 2)

@item("D-2.1.9")
def test_it_only_sets_up(proves):
    pass

@pytest.fixture
def untidy():
    yield
    bool(at_most("what is left", 3, 0))

@pytest.fixture
def proves():
    assert 1 + 1 == 2
"""
NOTHING = "it proved nothing: no claim and no assertion was recorded"


def test_a_pass_needs_a_claim_or_an_assertion_and_each_of_them_to_hold(root: Root) -> None:
    root.items(UNPROVED)
    done = root.run("--junitxml=junit.xml")
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    found = done.run.verdicts
    assert {i: (v.verdict.value, v.message) for i, v in found.items()} == {
        "D-2.1.1": ("UNKNOWN", NOTHING),
        "D-2.1.2": ("FAIL", "load: 3; required at most 2"),
        "D-2.1.3": ("PASS", ""),
        "D-2.1.7": ("PASS", ""),
        "D-2.1.8": ("FAIL", "what is left: 3; required at most 0"),
        "D-2.1.9": ("PASS", ""),
    }
    assert found["D-2.1.2"].claims[1].holds is False
    assert NOTHING in done.junit()["D-2.1.1"][1]
    assert any(re.match("UNKNOWN +D-2.1.1 ", x) for x in done.lines)


def test_a_check_that_is_only_set_up_has_not_passed(root: Root) -> None:
    root.items(UNPROVED)
    done = root.run("--setup-only", "--item", "D-2.1.9")
    assert done.verdicts == {"D-2.1.9": "UNKNOWN"}
    assert done.run.verdicts["D-2.1.9"].message == "it did not run"


FULL = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (32 * 1024, resource.RLIM_INFINITY))
"""
"""No file may grow over 32 KiB, which is room for a small run, but not for its report."""


def test_where_the_report_has_no_room_the_run_is_sealed_and_says_how_to_build_it(
    root: Root,
) -> None:
    root.items('@item("D-2.1.1")\ndef test_it_holds():\n    assert equal("one", 1, 1)\n')
    root.run()
    before = (root.reports / "report.html").read_text()
    root.write("conftest.py", FULL + (root.path / "conftest.py").read_text())
    done = root.run()
    assert done.ret == 0
    assert done.run.end is not None
    assert done.verdicts == {"D-2.1.1": "PASS"}
    folder = done.run.folder
    (line,) = [x for x in done.lines if x.startswith("report:")]
    assert re.fullmatch(
        r"report:   none: .*report\.html: cannot be written: File too large; .*;"
        rf" the run is sealed: `golive report {folder}` builds it once there is room",
        line,
    )
    assert not (root.reports / "report.html").exists(), "it would be an earlier run's"
    assert sorted(p.name for p in folder.iterdir()) == [
        "end.json",
        "facts.jsonl",
        "run.json",
        "verdicts.jsonl",
    ]
    assert main(["report", str(folder)]) == 0
    assert (folder / "report.html").stat().st_size > len(before) / 2


def test_what_items_share_breaks_for_each_of_them(root: Root) -> None:
    root.items("""
@pytest.fixture(scope="module")
def shared():
    assert at_most("what both rest on", 3, 2)
    return 1

@item("D-2.1.1")
def test_a(shared):
    assert equal("a", shared, 1)

@item("D-2.1.2")
def test_b(shared):
    assert equal("b", shared, 1)
""")
    found = root.run().run.verdicts
    assert {i: v.verdict.value for i, v in found.items()} == {"D-2.1.1": "FAIL", "D-2.1.2": "FAIL"}
    assert all("what both rest on: 3; required at most 2" in v.message for v in found.values())


def test_every_broken_claim_is_told_and_wins_over_what_was_not_seen(root: Root) -> None:
    root.probes(PROBES)
    root.items("""
@item("D-2.1.1")
def test_broken_unseen_and_broken(good, dead):
    assert at_most("lag", good["lag_s"], 1, "s")
    assert at_most("what is dead", dead.lag_s, 1, "s")
    assert equal("name", good["name"], "db-1")

@item("D-2.1.2")
def test_it_breaks_after_a_broken_claim():
    assert at_most("load", 3, 2)
    {}["absent"]

@item("D-2.1.3")
def test_held_and_unseen(good, dead):
    assert at_most("lag", good["lag_s"], 10, "s")
    assert at_most("what is dead", dead.lag_s, 1, "s")

@item("D-2.1.7")
def test_a_fact_that_nothing_is_said_of(good, dead):
    assert at_most("lag", good["lag_s"], 10, "s")

@item("D-2.1.8")
def test_a_fact_asked_for_by_name(good, request):
    assert request.getfixturevalue("dead") is not None
    assert at_most("lag", good["lag_s"], 10, "s")

@item("D-2.1.9")
def test_taken_for_a_member(dead):
    assert dead in {"primary"}
""")
    run = root.run().run
    found = {i: (v.verdict.value, v.message) for i, v in run.verdicts.items()}
    assert found == {
        "D-2.1.1": (
            "FAIL",
            "lag: 2.5 s; required at most 1 s; name: db-2; required db-1",
        ),
        "D-2.1.2": ("FAIL", "load: 3; required at most 2"),
        **dict.fromkeys(("D-2.1.3", "D-2.1.7", "D-2.1.8", "D-2.1.9"), ("UNKNOWN", NO_LOOK)),
    }
    kept = [(c.subject, c.holds, c.unseen) for c in run.verdicts["D-2.1.1"].claims]
    assert kept == [("lag", False, False), ("what is dead", False, True), ("name", False, False)]
