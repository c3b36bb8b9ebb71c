"""``golive set-aside``: two people, and only what is damaged or missing."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from golive.cli import main
from golive.people.statements import BODY
from golive.readiness import assess
from golive.verdicts import Verdict
from tests.conftest import Project

Capture = pytest.CaptureFixture[str]
WHY = ("--reason", "the disk was full")


@pytest.fixture
def project(project: Project) -> Project:
    project.fresh()
    return project


def say(project: Project, *words: str, by: str) -> int:
    return main(["set-aside", *words, "--key", str(project.keys[by]), "--env", "staging"])


def both(project: Project, record: str) -> None:
    before = set(project.statements.iterdir()) if project.statements.is_dir() else set()
    assert say(project, record, *WHY, by="tess") == 0
    (first,) = set(project.statements.iterdir()) - before
    assert say(project, "--second", first.name, by="elena") == 0


def broken(project: Project) -> dict[str, str]:
    """The rules about records that do not hold, with what they say."""
    context = project.context()
    rules = assess(context, today=context.today).broken
    return {r.name: r.observed for r in rules if r.name in ("statements", "runs", "chain")}


def test_two_people_set_a_damaged_statement_aside(project: Project, capsys: Capture) -> None:
    no_go = project.sign("", "elena", kind="approve", data={"decision": "no-go"})
    (no_go.folder / f"{BODY}.sig").unlink()
    assert no_go.id in broken(project)["statements"]
    assert say(project, no_go.id, *WHY, by="tess") == 0
    said = capsys.readouterr().out
    assert f"{no_go.id}: its signature is not valid: it is not signed" in said
    assert "missing   a second person, as executive_team (Elena Marsh)" in said
    assert no_go.id in broken(project)["statements"]
    first = max(p.name for p in project.statements.iterdir() if "set-aside" in p.name)
    assert f"golive set-aside --second {first} --env staging" in said
    assert say(project, "--second", first, by="elena") == 0
    said = capsys.readouterr().out
    assert f"complete  {no_go.id} is set aside, signed by tess and elena" in said
    assert broken(project) == {}
    main(["statements", "--env", "staging"])
    assert f"set aside: {no_go.id}: by tess and elena" in capsys.readouterr().out
    (no_go.folder / "notes.txt").write_text("x")
    assert no_go.id in broken(project)["statements"]
    assert main(["statements", "--env", "staging", "--json"]) == 0
    reported = json.loads(capsys.readouterr().out)
    assert list(reported["disputed"]) == [no_go.id]
    assert reported["set_aside"][0]["by"] == ["tess", "elena"]


def test_a_damaged_run_is_set_aside(project: Project) -> None:
    run = project.looked({"D-2.1.1": Verdict.PASS}, ago=timedelta(hours=2))
    (run / "verdicts.jsonl").write_text("{")
    assert run.name in broken(project)["runs"]
    both(project, run.name)
    assert "runs" not in broken(project)


def test_a_run_that_nobody_signed_is_set_aside(project: Project) -> None:
    run = project.looked({"D-2.1.1": Verdict.PASS}, by="", ago=timedelta(hours=2))
    assert run.name in broken(project)["runs"]
    both(project, run.name)
    assert "runs" not in broken(project)


def test_what_is_missing_is_set_aside(project: Project) -> None:
    run = project.looked({"D-2.1.1": Verdict.FAIL}, ago=timedelta(hours=2))
    project.sign()
    shutil.rmtree(run)
    assert run.name in broken(project)["chain"]
    both(project, run.name)
    assert broken(project) == {}


def test_what_is_in_order_is_refused(project: Project, capsys: Capture) -> None:
    no_go = project.sign("", "elena", kind="approve", data={"decision": "no-go"})
    red = project.looked({"D-2.1.1": Verdict.FAIL}, ago=timedelta(hours=2))
    for record in (no_go.id, red.name):
        assert say(project, record, *WHY, by="tess") == 1
        assert f"{record}: is in order, so it counts" in capsys.readouterr().err
    assert say(project, "20261101T000000Z-staging-1234", *WHY, by="tess") == 1
    assert "is neither here nor missing" in capsys.readouterr().err
    assert [p.name for p in project.statements.iterdir()] == [no_go.id]


def rubbish(project: Project) -> Path:
    place = project.statements / ".x"
    place.mkdir(parents=True)
    return place


@pytest.mark.parametrize(
    ("words", "by", "said"),
    [
        ((".x",), "tess", "--reason: is missing"),
        ((), "tess", "expected a RECORD, or --second"),
        ((".x", *WHY), "paul", "expected one of executive_team, technical_lead"),
        ((".x", *WHY, "--role", "support"), "tess", "--role: found support"),
    ],
)
def test_who_may_not_or_says_nothing_is_refused(
    project: Project, capsys: Capture, words: tuple[str, ...], by: str, said: str
) -> None:
    rubbish(project)
    assert say(project, *words, by=by) == 1
    assert said in capsys.readouterr().err
    assert [p.name for p in project.statements.iterdir()] == [".x"]


def test_the_second_signs_only_what_the_first_has_seen(project: Project, capsys: Capture) -> None:
    place = rubbish(project)
    assert say(project, ".x", *WHY, by="tess") == 0
    first = max(p.name for p in project.statements.iterdir())
    for by, said in (("tess", "signed .* first"), ("paul", "paul has the roles product_manager")):
        assert say(project, "--second", first, by=by) == 1
        assert capsys.readouterr().err.count(said.split(" .* ")[0])
    (place / "more").write_text("x")
    assert say(project, "--second", first, by="elena") == 1
    assert ".x is not as tess saw it" in capsys.readouterr().err
    (place / "more").unlink()
    assert say(project, "--second", first, *WHY, by="elena") == 1
    assert "the second person signs what the first one wrote" in capsys.readouterr().err
    assert say(project, "--second", project.sign().id, by="elena") == 1
    assert "is a attest; expected the first part of a set-aside" in capsys.readouterr().err
