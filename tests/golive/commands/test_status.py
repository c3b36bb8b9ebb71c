"""``golive status``: the answer for a terminal, a machine, a dashboard and a browser."""

from __future__ import annotations

import json
import re
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from golive.answer import Answer, decode
from golive.cli import main
from golive.readiness import assess
from golive.verdicts import Verdict
from tests.conftest import ITEMS, Project

DOCS = Path(__file__).parents[3] / "docs"
GREEN = dict.fromkeys([i for i in ITEMS if i.startswith("D-2")], Verdict.PASS)
Told = Any


@pytest.fixture
def launch(project: Project) -> Project:
    """A launch of which one item failed and nobody has decided."""
    project.fresh()
    others = [i for i in ITEMS if i != "D-2.2.1"]
    project.folder.items(
        "".join(f'@item("{i}")\ndef test_{n}():\n    assert {n}\n\n' for n, i in enumerate(others)),
        "suites/t_minus_1_week/test_others.py",
    )
    project.looked(GREEN, ago=timedelta(days=2))
    project.looked(GREEN | {"D-2.1.1": Verdict.FAIL})
    project.sign()
    return project


def reported(
    capsys: pytest.CaptureFixture[str], *words: str, env: str = "staging"
) -> tuple[int, str]:
    """Exit status, and what was said."""
    status = main(["status", "--env", env, *words])
    said = capsys.readouterr()
    return status, said.out + said.err


def test_the_terminal_says_what_is_in_the_way_and_whose_it_is(
    launch: Project, capsys: Told
) -> None:
    status, out = reported(capsys)
    assert status == 1
    assert out.startswith("NO-GO  v2.0.0 on Small, 14 days to launch")
    assert "BROKEN  failed         items that failed: 1: D-2.1.1; required none" in out
    assert "  holds   written" in out
    assert "In the way: 1 of 12" in out
    assert "  Product Manager: 1 FAIL (1 h planned" in out
    assert re.search(r"FAIL     D-2\.1\.1 +Title of D-2\.1\.1 since .*: why D-2\.1\.1 is FAIL", out)
    assert "D-2.1.1       STALE -> FAIL" in out or "D-2.1.1       PASS -> FAIL" in out
    assert "Earliest day for GO: " in out


def test_go_is_exit_status_0(launch: Project, capsys: Told) -> None:
    launch.looked({"D-2.1.1": Verdict.PASS}, ago=timedelta(seconds=9))
    for person in ("elena", "tess"):
        saw = assess(launch.context(), today=launch.context().today).readiness
        launch.sign(
            "", person, kind="approve", data={"decision": "go"}, text="because", readiness=saw
        )
    status, out = reported(capsys)
    assert status == 0
    assert out.startswith("GO  v2.0.0")
    assert "nothing stands in the way" in out


@pytest.mark.parametrize(
    ("rules", "status"),
    [(["failed"], 1), (["written"], 0), (["written", "failed"], 1), (["written", "fresh"], 0)],
)
def test_fail_on_names_the_rules_that_decide_the_exit_status(
    launch: Project, capsys: Told, rules: list[str], status: int
) -> None:
    words = [w for rule in rules for w in ("--fail-on", rule)]
    assert reported(capsys, *words)[0] == status


def test_a_rule_that_there_is_not_is_refused(launch: Project, capsys: Told) -> None:
    status, out = reported(capsys, "--fail-on", "lucky")
    assert status == 1
    assert "--fail-on: found lucky; expected one of looked-at-all, written, " in out


def test_json_is_the_answer_with_every_key_that_the_documentation_names(
    launch: Project, capsys: Told
) -> None:
    _, out = reported(capsys, "--json")
    answer = decode(out.encode(), Path("-"))
    assert answer.in_the_way[0].line.id == "D-2.1.1"
    text = (DOCS / "readiness.md").read_text()
    table = text.partition("<!-- example: keys of Answer -->")[2].partition("\n\n")[0]
    keys = [k for row in table.splitlines()[3:] for k in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert sorted(keys) == sorted(Answer.__struct_fields__)
    rules = re.findall(
        r"`([a-z-]+)`", text.partition("## The rules")[2].partition("\n\nThe ear")[0]
    )
    assert {r.name for r in answer.rules} <= set(rules)


def test_ctrf_counts_what_is_in_the_way_as_failed(launch: Project, capsys: Told) -> None:
    reported(capsys, "--ctrf", "out/ctrf.json")
    found = json.loads(Path("out/ctrf.json").read_text())
    summary = found["results"]["summary"]
    counts = {k: summary[k] for k in ("tests", "passed", "failed", "pending", "skipped", "other")}
    assert counts == {
        "tests": 13,
        "passed": 11,
        "failed": 1,
        "pending": 0,
        "skipped": 1,
        "other": 0,
    }
    assert found["results"]["extra"] == {
        "answer": "NO-GO",
        "brokenRules": ["failed", "approved"],
        "rehearsal": False,
    }
    (failed,) = [t for t in found["results"]["tests"] if t["status"] == "failed"]
    assert failed["name"] == "D-2.1.1 Title of D-2.1.1"
    assert (failed["rawStatus"], failed["message"]) == ("FAIL", "why D-2.1.1 is FAIL")


def test_page_writes_the_launch_page(launch: Project, capsys: Told) -> None:
    reported(capsys, "--page", "out/launch.html")
    html = Path("out/launch.html").read_text()
    assert '<h1 class="no-go">NO-GO</h1>' in html
    assert "why D-2.1.1 is FAIL" in html


def test_since_may_be_a_run_or_a_day(launch: Project, capsys: Told) -> None:
    first = min((launch.path / "reports" / "runs").iterdir()).name
    for since in (first, launch.on(-15)):
        assert "Changed since " in reported(capsys, "--since", since)[1]
    status, out = reported(capsys, "--since", "yesterday")
    assert (status, out.split(":")[1].strip()) == (1, "--since")


def test_today_is_a_day_of_ones_choice(launch: Project, capsys: Told) -> None:
    assert "1 day after launch" in reported(capsys, "--today", launch.on(1))[1]
    status, out = reported(capsys, "--today", "soon")
    assert status == 1
    assert "--today: found 'soon'; expected a date" in out


def test_a_rehearsal_says_that_it_decides_nothing(launch: Project, capsys: Told) -> None:
    assert reported(capsys, env="rehearsal")[1].startswith("REHEARSAL, decides nothing: NO-GO")


def test_no_run_at_all_is_no_go(launch: Project, capsys: Told) -> None:
    shutil.rmtree(launch.path / "reports" / "runs")
    status, out = reported(capsys)
    assert status == 1
    assert "BROKEN  looked-at" in out


def test_terminal_escapes_in_a_run_reach_no_terminal(launch: Project, capsys: Told) -> None:
    launch.looked({"D-2.1.2": Verdict.FAIL}, ago=timedelta(seconds=5), who="\x1b[31mred")
    assert "\x1b" not in reported(capsys)[1]
