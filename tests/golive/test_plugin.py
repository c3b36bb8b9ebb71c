from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from golive import ledger
from golive.cli import main
from tests.conftest import HTML, SECRET, SECRET_VARIABLE, Root

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
    raise RuntimeError("this must never run")

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
    raise RuntimeError("this must never run")

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
    assert "in test_a_claim_is_broken" in broken.detail
    assert "said on the way" in broken.detail
    assert "in test_it_breaks" in run.verdicts["D-2.1.7"].detail
    assert "At index 1 diff" in untidy.detail
    assert "in leaves_something" in untidy.detail
    assert {f.probe: f.error for f in run.facts.values()} == {
        "good": "", "dead": NO_LOOK, "after_dead": NO_LOOK,
    }  # fmt: skip
    assert run.facts["good"].value == {"lag_s": 2.5, "name": "db-2"}

    assert done.out.count("connection refused") == 1, "a cause is told once"
    assert "D-2.1.3, D-2.1.8  (Product Manager)" in done.lines
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
    assert run.head.suite == ledger.Suite("unknown", clean=None)
    assert run.end is not None
    assert run.end.exit_status == 1
    assert (root.reports / "report.html").read_bytes() == (run.folder / "report.html").read_bytes()


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
        _written("suites/environments/rehearsal.toml", '"master_name" = "x", ', ""),
        (),
        r"rehearsal\.toml: redis\.master_name: the key is missing; expected a value for it",
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
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "from golive import cli; raise SystemExit(cli.main(['report']))",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    else:
        assert process.returncode == pytest.ExitCode.INTERRUPTED, "--report-only or not"
        assert run.end is not None
        assert run.end.exit_status == 2
        assert "PASS 1, FAIL 1" in out
    page = (folder / "report.html").read_text()
    assert "replay" not in page
    assert all(f"D-2.1.{n}" in page for n in (1, 2, 7, 8))


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
        "D-2.1.3": "PASS", "D-2.1.7": "PASS", "D-2.1.8": "UNKNOWN", "D-2.1.6": "PASS",
    }  # fmt: skip
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


def test_what_is_stated_of_other_verdicts_is_looked_at_after_them(root: Root) -> None:
    root.items("""
@attested("D-2.2.1", "the team agreed")
def test_agreed(deliverables): pass
""")
    later = '@item("D+1.1.1")\ndef test_later(): assert at_most("load", 1, 2)'
    root.items(later, "suites/t_plus_1_week/test_day_plus_1.py")
    assert list(root.run().run.verdicts) == ["D+1.1.1", "D-2.2.1"]


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
        "end.json", "facts.jsonl", "run.json", "verdicts.jsonl",
    ]  # fmt: skip
    assert main(["report", str(folder)]) == 0
    assert (folder / "report.html").stat().st_size > len(before) / 2
