"""``golive approve``: who decides, what, about what; the newest word of a person counts."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest

from golive.cli import main
from golive.readiness import assess
from golive.verdicts import Verdict
from tests.conftest import SECRET, Office

Capture = pytest.CaptureFixture[str]


def say(office: Office, *words: str, by: str) -> int:
    return main([*words, "--key", str(office.keys[by]), "--env", "staging"])


@pytest.fixture
def office(office: Office) -> Office:
    office.fresh()
    return office


def decisions(office: Office) -> dict[str, str]:
    """Person to decision, of what holds."""
    found = office.desk().statements.decisions()
    return {s.statement.by: s.statement.data["decision"] for s in found if s.valid}


def test_an_approver_decides(office: Office, capsys: Capture) -> None:
    package = office.folder.write("package.zip", "all of it")
    words = ("approve", "go", "--reason", "all green", "--about", str(package))
    assert say(office, *words, by="elena") == 0
    (decided,) = office.desk().statements.decisions()
    assert decided.valid
    assert decided.statement.about == hashlib.sha256(b"all of it").hexdigest()
    said = capsys.readouterr().out
    assert "signed: approve: go, by Elena Marsh as executive team" in said
    assert "executive_team: go by elena" in said
    assert "technical_lead: not decided yet" in said


def test_a_decision_rests_on_the_readiness_as_it_is(office: Office, capsys: Capture) -> None:
    for decision in ("go", "no-go"):
        assert say(office, "approve", decision, "--reason", "x", by="elena") == 0
    desk = office.desk()
    now = assess(desk, today=desk.today).readiness
    assert {s.statement.readiness for s in desk.statements.decisions()} == {now}
    assert f"rests on  the readiness {now[:12]}... as it is now" in capsys.readouterr().out
    office.looked({"D-2.1.1": Verdict.PASS}, ago=timedelta(seconds=9))
    assert assess(office.desk(), today=desk.today).readiness != now


def test_nothing_keeps_anybody_from_saying_no(office: Office, capsys: Capture) -> None:
    path = office.path / "suites" / "launch.toml"
    path.write_text(path.read_text().partition("[freshness]")[0])  # no answer can be given
    assert say(office, "approve", "go", "--reason", "x", by="elena") == 1
    assert "freshness" in capsys.readouterr().err
    assert say(office, "approve", "no-go", "--reason", "x", by="elena") == 0
    assert decisions(office) == {"elena": "no-go"}


def test_somebody_else_does_not_decide(office: Office, capsys: Capture) -> None:
    assert say(office, "approve", "go", "--reason", "x", by="paul") == 1
    said = capsys.readouterr().err
    assert "who decides on the launch: executive_team, technical_lead" in said
    assert not office.statements.exists()


def test_a_decision_needs_a_word_and_a_reason(office: Office, capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        say(office, "approve", "maybe", "--reason", "x", by="elena")
    assert say(office, "approve", "go", "--reason", " ", by="elena") == 1
    assert say(office, "approve", "go", "--reason", "x", "--about", "ABC", by="elena") == 1
    said = capsys.readouterr().err
    assert "--about: found 'ABC'" in said
    assert "expected a SHA-256 (64 digits" in said


def test_no_go_takes_back_a_go_for_good(office: Office) -> None:
    now = office.draft().made_at
    office.sign("", "elena", kind="approve", data={"decision": "go"},
                made_at=now - timedelta(hours=3))  # fmt: skip
    assert decisions(office) == {"elena": "go"}
    no_go = office.sign("", "elena", kind="approve", data={"decision": "no-go"},
                made_at=now - timedelta(hours=2), expires_at=now - timedelta(hours=1))  # fmt: skip
    assert decisions(office) == {"elena": "no-go"}, "it does not run out"
    assert say(office, "revoke", no_go.id, "--reason", "x", by="elena") == 0
    assert decisions(office) == {}, "the go before it does not come back"


def test_a_no_go_under_somebodys_name_takes_the_go_back_until_that_person_decides_anew(
    office: Office,
) -> None:
    say(office, "approve", "go", "--reason", "x", by="elena")
    forged = office.sign("", "elena", kind="approve", data={"decision": "no-go"}, key="joel",
                         made_at=office.draft().made_at)  # fmt: skip
    assert decisions(office) == {}
    office.sign("", "elena", kind="approve", data={"decision": "go"},
                made_at=forged.statement.made_at + timedelta(seconds=1))  # fmt: skip
    assert decisions(office) == {"elena": "go"}


def test_who_decides_twice_within_a_second_is_heard_twice(office: Office) -> None:
    for decision in ("no-go", "go"):
        assert say(office, "approve", decision, "--reason", "x", by="elena") == 0
        assert decisions(office) == {"elena": decision}


def test_without_an_environment_nothing_is_signed(office: Office, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["approve", "go", "--reason", "x", "--key", str(office.keys["elena"])])
    assert ended.value.code == 2
    assert "--env" in capsys.readouterr().err


def test_a_reason_with_a_secret_decides_nothing(office: Office, capsys: Capture) -> None:
    assert say(office, "approve", "go", "--reason", f"with {SECRET}", by="elena") == 1
    told = capsys.readouterr()
    assert "text: holds a secret" in told.err
    assert SECRET not in told.out + told.err
    assert decisions(office) == {}
