"""``golive approve``: who decides, what, about what; the newest word of a person counts."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest

from golive.cli import main
from golive.readiness import assess
from golive.verdicts import Verdict
from tests.conftest import SECRET, Project

Capture = pytest.CaptureFixture[str]


def say(project: Project, *words: str, by: str) -> int:
    return main([*words, "--key", str(project.keys[by]), "--env", "staging"])


@pytest.fixture
def project(project: Project) -> Project:
    project.fresh()
    return project


def decisions(project: Project) -> dict[str, str]:
    """Person to decision, of what holds."""
    found = project.context().statements.decisions()
    return {s.statement.by: s.statement.data["decision"] for s in found if s.valid}


def test_an_approver_decides(project: Project, capsys: Capture) -> None:
    package = project.folder.write("package.zip", "all of it")
    words = ("approve", "go", "--reason", "all green", "--about", str(package))
    assert say(project, *words, by="elena") == 0
    (decided,) = project.context().statements.decisions()
    assert decided.valid
    assert decided.statement.about == hashlib.sha256(b"all of it").hexdigest()
    said = capsys.readouterr().out
    assert "signed: approve: go, by Elena Marsh as executive team" in said
    assert "executive_team: go by elena" in said
    assert "technical_lead: not decided yet" in said


def test_a_decision_rests_on_the_readiness_as_it_is(project: Project, capsys: Capture) -> None:
    for decision in ("go", "no-go"):
        assert say(project, "approve", decision, "--reason", "x", by="elena") == 0
    context = project.context()
    now = assess(context, today=context.today).readiness
    assert {s.statement.readiness for s in context.statements.decisions()} == {now}
    assert f"rests on  the readiness {now[:12]}... as it is now" in capsys.readouterr().out
    project.looked({"D-2.1.1": Verdict.PASS}, ago=timedelta(seconds=9))
    assert assess(project.context(), today=context.today).readiness != now


def test_nothing_keeps_anybody_from_saying_no(project: Project, capsys: Capture) -> None:
    path = project.path / "suites" / "launch.toml"
    path.write_text(path.read_text().partition("[freshness]")[0])  # no answer can be given
    assert say(project, "approve", "go", "--reason", "x", by="elena") == 1
    assert "freshness" in capsys.readouterr().err
    assert say(project, "approve", "no-go", "--reason", "x", by="elena") == 0
    assert decisions(project) == {"elena": "no-go"}


def test_somebody_else_does_not_decide(project: Project, capsys: Capture) -> None:
    assert say(project, "approve", "go", "--reason", "x", by="paul") == 1
    said = capsys.readouterr().err
    assert "who decides on the launch: executive_team, technical_lead" in said
    assert not project.statements.exists()


def test_a_decision_needs_a_word_and_a_reason(project: Project, capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        say(project, "approve", "maybe", "--reason", "x", by="elena")
    assert say(project, "approve", "go", "--reason", " ", by="elena") == 1
    assert say(project, "approve", "go", "--reason", "x", "--about", "ABC", by="elena") == 1
    said = capsys.readouterr().err
    assert "--about: found 'ABC'" in said
    assert "expected a SHA-256 (64 digits" in said


def test_no_go_takes_back_a_go_for_good(project: Project) -> None:
    now = project.draft().made_at
    project.sign(
        "", "elena", kind="approve", data={"decision": "go"}, made_at=now - timedelta(hours=3)
    )
    assert decisions(project) == {"elena": "go"}
    no_go = project.sign(
        "",
        "elena",
        kind="approve",
        data={"decision": "no-go"},
        made_at=now - timedelta(hours=2),
        expires_at=now - timedelta(hours=1),
    )
    assert decisions(project) == {"elena": "no-go"}, "it does not run out"
    assert say(project, "revoke", no_go.id, "--reason", "x", by="elena") == 0
    assert decisions(project) == {}, "the go before it does not come back"


def test_a_no_go_under_somebodys_name_takes_the_go_back_until_that_person_decides_anew(
    project: Project,
) -> None:
    say(project, "approve", "go", "--reason", "x", by="elena")
    forged = project.sign(
        "",
        "elena",
        kind="approve",
        data={"decision": "no-go"},
        key="joel",
        made_at=project.draft().made_at,
    )
    assert decisions(project) == {}
    project.sign(
        "",
        "elena",
        kind="approve",
        data={"decision": "go"},
        made_at=forged.statement.made_at + timedelta(seconds=1),
    )
    assert decisions(project) == {"elena": "go"}


def test_who_decides_twice_within_a_second_is_heard_twice(project: Project) -> None:
    for decision in ("no-go", "go"):
        assert say(project, "approve", decision, "--reason", "x", by="elena") == 0
        assert decisions(project) == {"elena": decision}


def test_without_an_environment_nothing_is_signed(project: Project, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["approve", "go", "--reason", "x", "--key", str(project.keys["elena"])])
    assert ended.value.code == 2
    assert "--env" in capsys.readouterr().err


def test_a_reason_with_a_secret_decides_nothing(project: Project, capsys: Capture) -> None:
    assert say(project, "approve", "go", "--reason", f"with {SECRET}", by="elena") == 1
    reported = capsys.readouterr()
    assert "text: holds a secret" in reported.err
    assert SECRET not in reported.out + reported.err
    assert decisions(project) == {}
