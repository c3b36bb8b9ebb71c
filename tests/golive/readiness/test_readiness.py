"""Readiness: GO only when everything was looked at, holds, is fresh, and people have decided."""

from __future__ import annotations

import itertools
import json
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from golive import ledger
from golive.answer import (
    GO,
    MISSING,
    NO_GO,
    SCHEMA,
    STALE,
    SUSPECT,
    UNWRITTEN,
    Answer,
    decode,
    encode,
)
from golive.people import signatures
from golive.readiness import assess, counts, red
from golive.verdicts import GoliveError, Verdict
from tests.conftest import HELD, ITEMS, SIGNING, Project

BEFORE = [i for i in ITEMS if i.startswith("D-2")]
"""The items that GO rests on."""
GREEN = dict.fromkeys(BEFORE, Verdict.PASS)


def checks(project: Project) -> None:
    """A check of every item besides the attested one."""
    others = [i for i in ITEMS if i != "D-2.2.1"]
    project.folder.items(
        "".join(f'@item("{i}")\ndef test_{n}():\n    assert {n}\n\n' for n, i in enumerate(others)),
        "suites/t_minus_1_week/test_others.py",
    )


@pytest.fixture
def launch(project: Project) -> Project:
    """A launch that is GO: all looked at an hour ago, stated, and approved by those who decide."""
    return made(project)


def made(project: Project, **stated: Any) -> Project:
    """Such a launch, in which D-2.2.1 is stated with some fields otherwise."""
    project.fresh()
    checks(project)
    project.looked(GREEN)
    project.sign(**stated)
    approve(project)
    return project


def approve(project: Project) -> None:
    """Those who decide say go, on what they see now."""
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=next(_SECONDS))
    for person in ("elena", "tess"):
        decide(project, person, made_at=later)


_SECONDS = itertools.count(1)
"""So that of two decisions in the same moment the second is the newer one."""


def decide(project: Project, person: str, decision: str = "go", **fields: Any) -> None:
    """As `golive approve` signs it: on the readiness that it sees."""
    saw = {"readiness": look(project).readiness} | fields
    project.sign("", person, kind="approve", data={"decision": decision}, text="because", **saw)


def look(project: Project, env: str = "staging", **how: Any) -> Answer:
    """The answer as a new command finds it."""
    known: dict[str, Any] = {"today": datetime.now(UTC).date()}
    return assess(project.context(env), **(known | how))


def broken(answer: Answer) -> list[str]:
    return [r.name for r in answer.broken]


def state(answer: Answer, ident: str) -> tuple[str, str]:
    (found,) = [s for s in answer.standings if s.line.id == ident]
    return found.state, found.reason


def again(project: Project, ident: str, verdict: Verdict, **how: Any) -> Path:
    """A newer run that looked at one item."""
    return project.looked({ident: verdict}, **({"ago": timedelta(minutes=1)} | how))


def test_all_green_fresh_stated_and_approved_is_go(launch: Project) -> None:
    answer = look(launch)
    assert (answer.answer, broken(answer)) == (GO, [])
    assert (answer.earliest, answer.awaited, answer.in_the_way) == (answer.today, [], [])
    # What comes after the launch does not keep it from going.
    assert state(answer, "D+1.1.1")[0] == MISSING
    assert answer.holders == {
        "Product Manager": ["Paul Adeyemi"],
        "Technical Lead": ["Tess Lindqvist"],
    }


def test_counts_are_those_of_a_moment(launch: Project) -> None:
    now = datetime.now(UTC)
    again(launch, "D-2.1.1", Verdict.FAIL)
    there = counts(launch.context(), now)
    assert there["FAIL"] == 1
    assert there["PASS"] > 1
    assert sum(there.values()) == len(ITEMS)
    before = counts(launch.context(), now - timedelta(days=3))
    assert {"PASS", "FAIL"} & before.keys() == set()


def test_what_was_red_when_last_looked_at(launch: Project) -> None:
    assert red(launch.context()) == []
    again(launch, "D-2.2.1", Verdict.FAIL)
    again(launch, "D-2.1.1", Verdict.FAIL)
    again(launch, "D-2.1.2", Verdict.UNKNOWN)
    assert red(launch.context()) == ["D-2.1.1", "D-2.2.1"]
    assert red(launch.context(), but=["D-2.1.1"]) == ["D-2.2.1"]
    again(launch, "D-2.2.1", Verdict.PASS, ago=timedelta())
    waive(launch, "D-2.1.1")
    assert red(launch.context()) == [], "a waiver is told by itself"
    again(launch, "D-2.2.1", Verdict.FAIL, ago=timedelta(), candidate="v1.9.9")
    assert red(launch.context()) == []


def test_no_data_is_no_go(project: Project) -> None:
    project.fresh()
    checks(project)
    answer = look(project)
    assert answer.answer == NO_GO
    assert broken(answer) == ["looked-at", "approved"]
    assert (answer.changes, answer.changed_since, answer.days) == ([], None, [])


def test_an_item_without_a_check_keeps_it_from_going_and_no_day_can_be_named(
    launch: Project,
) -> None:
    (launch.path / "suites/t_minus_1_week/test_others.py").write_text("")
    shutil.rmtree(launch.path / "reports" / "runs")
    answer = look(launch)
    assert "written" in broken(answer)
    assert state(answer, "D-2.1.1")[0] == UNWRITTEN
    assert answer.earliest is None
    assert "have no check yet" in answer.earliest_reason


@pytest.mark.parametrize(
    ("verdict", "rule"),
    [
        (Verdict.FAIL, "failed"),
        (Verdict.UNKNOWN, "unknown"),
        (Verdict.PENDING, "pending"),
    ],
)
def test_the_newest_verdict_counts(launch: Project, verdict: Verdict, rule: str) -> None:
    again(launch, "D-2.1.1", verdict)
    answer = look(launch)
    # What was approved is not what stands now.
    assert (answer.answer, broken(answer)) == (NO_GO, [rule, "approved"])
    assert state(answer, "D-2.1.1") == (verdict, f"why D-2.1.1 is {verdict}")
    (waiting,) = answer.in_the_way
    assert waiting.since is not None
    again(launch, "D-2.1.1", Verdict.PASS, ago=timedelta(seconds=1))
    assert broken(look(launch)) == ["approved"]
    approve(launch)
    assert look(launch).answer == GO


def test_not_due_says_nothing_of_an_item(launch: Project) -> None:
    again(launch, "D-2.1.1", Verdict.NOT_DUE)
    assert look(launch).answer == GO


def test_green_of_a_run_that_did_not_end_does_not_count_but_its_red_does(launch: Project) -> None:
    again(launch, "D-2.1.1", Verdict.PASS, ended=False)
    answer = look(launch)
    assert broken(answer) == ["looked-at", "runs", "approved"]
    assert "did not end" in state(answer, "D-2.1.1")[1]
    assert answer.runs[0].cause.endswith("did not end")
    again(launch, "D-2.1.2", Verdict.FAIL, ended=False, ago=timedelta(seconds=2))
    assert "failed" in broken(look(launch))


def test_a_run_that_was_killed_is_accounted_for_by_the_next(launch: Project) -> None:
    killed = again(launch, "D-2.1.1", Verdict.PASS, ended=False)
    assert "runs" in broken(look(launch))
    again(launch, "D-2.1.1", Verdict.PASS, ago=timedelta(seconds=5))
    approve(launch)
    assert look(launch).answer == GO
    # From now on what it had found stays as it was.
    (killed / ledger.VERDICTS).write_text("")
    assert broken(look(launch)) == ["runs", "chain"]


def test_an_id_that_the_procedure_does_not_have_is_told(launch: Project) -> None:
    again(launch, "D-99.1.1", Verdict.PASS)
    answer = look(launch)
    assert broken(answer) == ["ids"]
    (rule,) = answer.broken
    assert rule.observed.startswith("1: D-99.1.1 (in ")


def test_a_clock_behind_the_newest_record_is_told(launch: Project) -> None:
    answer = look(launch, now=datetime.now(UTC) - timedelta(minutes=30))
    assert "clock" in broken(answer)
    assert "clock" not in broken(look(launch, now=datetime.now(UTC) - timedelta(minutes=4)))


def test_a_run_on_another_candidate_does_not_count(launch: Project) -> None:
    again(launch, "D-2.1.1", Verdict.FAIL, candidate="v1.9.9")
    answer = look(launch)
    assert answer.answer == GO
    assert answer.runs[0].cause == "it is about v1.9.9"


@pytest.mark.parametrize("damage", ["altered", "cut", "half a head", "no head"])
def test_a_damaged_run_is_told_and_never_go(launch: Project, damage: str) -> None:
    folder = again(launch, "D-2.1.1", Verdict.PASS)
    file = folder / (ledger.HEAD if "head" in damage else ledger.VERDICTS)
    text = file.read_text()
    file.write_text({"altered": text.replace("PASS", "PASS "), "cut": text[:20]}.get(damage, "{"))
    if damage == "no head":
        file.unlink()
    answer = look(launch)
    assert broken(answer) == ["runs"]
    assert answer.runs[0].started_at is None
    assert str(launch.path) not in answer.runs[0].cause
    assert answer.runs[0].cause


def test_what_was_looked_at_too_long_ago_is_stale(launch: Project) -> None:
    answer = look(launch, now=datetime.now(UTC) + timedelta(hours=25))
    assert "fresh" in broken(answer)
    found, reason = state(answer, "D-2.1.1")
    assert found == STALE
    assert reason.startswith("its PASS counted until ")


def test_waivers_count_up_to_the_limit(launch: Project) -> None:
    again(launch, "D-2.1.1", Verdict.FAIL)
    waive(launch, "D-2.1.1")
    answer = look(launch)
    assert state(answer, "D-2.1.1")[0] == Verdict.WAIVED
    assert "it was FAIL: why D-2.1.1 is FAIL" in state(answer, "D-2.1.1")[1]
    assert broken(answer) == ["waivers", "approved"]
    path = launch.path / "suites" / "launch.toml"
    path.write_text(
        path.read_text()
        .replace("[people]", "[people]\nwaivers = 1")
        .replace('"people" = {', '"people" = {"waivers" = 1, ')
    )
    assert "committed" in broken(look(launch))  # the run was made by other rules
    launch.looked(GREEN | {"D-2.1.1": Verdict.FAIL}, ago=timedelta(0))
    approve(launch)
    answer = look(launch)
    assert (answer.answer, broken(answer)) == (GO, [])


def waive(project: Project, ident: str) -> None:
    """As the owner, then as the second person."""
    reported: dict[str, Any] = {"kind": "waive", "text": "nobody uses it", "risk": "little"}
    now = datetime.now(UTC).replace(microsecond=0)
    reported["expires_at"] = now + timedelta(days=1)
    first = project.sign(ident, "paul", **reported)
    project.sign(ident, "tess", about=first.sha256, **reported)


def test_what_is_not_applicable_is_so_until_its_own_check_contradicts(launch: Project) -> None:
    def declared(**people: Any) -> tuple[str, str]:
        launch.launch(not_applicable=["D-2.1.1"], **people)
        launch.fresh()
        found = state(look(launch), "D-2.1.1")
        return str(found[0]), found[1]

    again(launch, "D-2.1.1", Verdict.FAIL)
    exempt: dict[str, Any] = {"kind": "not-applicable", "text": "we have none"}
    exempt["expires_at"] = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    first = launch.sign("D-2.1.1", "paul", **exempt)
    launch.sign("D-2.1.1", "tess", about=first.sha256, **exempt)
    assert declared()[0] == "NOT APPLICABLE"
    contradicted = declared(cross_checked=["D-2.1"])
    assert contradicted[0] == "FAIL"
    assert "it was declared not applicable, which this contradicts" in contradicted[1]
    again(launch, "D-2.1.1", Verdict.UNKNOWN)
    assert declared(cross_checked=["D-2.1"])[0] == "NOT APPLICABLE"


def test_half_a_waiver_is_none_and_says_why(launch: Project) -> None:
    again(launch, "D-2.1.1", Verdict.FAIL)
    launch.sign("D-2.1.1", "paul", kind="waive", text="nobody uses it", risk="little")
    answer = look(launch)
    assert broken(answer) == ["failed", "approved"]
    assert "nobody has signed as the second person" in state(answer, "D-2.1.1")[1]


def test_a_statement_that_lapses_after_a_green_run_makes_the_item_pending(project: Project) -> None:
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=5)
    launch = made(project, expires_at=soon)
    assert look(launch).answer == GO
    answer = look(launch, now=datetime.now(UTC) + timedelta(minutes=10))
    assert broken(answer) == ["pending", "approved"]
    assert "SUSPECT: paul signed it" in state(answer, "D-2.2.1")[1]


def test_a_statement_since_the_newest_run_asks_for_another_run(launch: Project) -> None:
    again(launch, "D-2.2.1", Verdict.PENDING)
    answer = look(launch)
    assert broken(answer) == ["pending", "approved"]
    expected = "stated since the newest run; run `pytest --item D-2.2.1` again"
    assert state(answer, "D-2.2.1")[1] == expected


def test_an_unreadable_statement_is_told(launch: Project) -> None:
    (launch.statements / "20261125T000000Z-D-2.2.1-paul-000000000000").mkdir()
    assert broken(look(launch)) == ["statements"]


def test_every_approver_has_to_say_go_and_nobody_no_go(launch: Project) -> None:
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=30)
    decide(launch, "tess", "no-go", made_at=later)
    answer = look(launch)
    assert broken(answer) == ["approved", "no-objection"]
    assert answer.awaited == ["technical_lead"]
    assert answer.decisions[0].kind == "no-go"
    decide(launch, "tess", "go", made_at=later + timedelta(seconds=30))
    assert look(launch).answer == GO


def test_no_approver_named_is_no_approval(launch: Project) -> None:
    launch.launch(approvers=[])
    launch.fresh()
    assert "approved" in broken(look(launch))


def test_a_run_with_uncommitted_changes_does_not_decide_but_may_rehearse(launch: Project) -> None:
    suite = launch.context().origin.suite
    unclean = msgspec.structs.replace(suite, clean=None)
    again(launch, "D-2.1.1", Verdict.PASS, suite=unclean)
    approve(launch)
    assert broken(look(launch)) == ["committed"]


def test_records_of_a_rehearsal_and_of_staging_never_mix(launch: Project) -> None:
    launch.looked(dict.fromkeys(BEFORE, Verdict.FAIL), ago=timedelta(0), env="rehearsal")
    assert look(launch).answer == GO
    answer = look(launch, "rehearsal", all_due=True)
    assert answer.is_rehearsal
    assert {"failed", "approved"} <= set(broken(answer))
    assert answer.decisions == []
    assert all(not s.said for s in answer.standings)
    # Nor when somebody calls another kind of environment by the same name.
    again(
        launch,
        "D-2.1.1",
        Verdict.FAIL,
        environment=ledger.EnvironmentRef("staging", "rehearsal", "x", "y"),
    )
    assert "runs" in broken(look(launch))


def test_today_decides_what_is_due(launch: Project) -> None:
    answer = look(launch, today=date.fromisoformat(launch.on(1)))
    assert (answer.answer, broken(answer)) == (NO_GO, ["looked-at"])
    assert [s.line.id for s in answer.in_the_way] == ["D+1.1.1"]
    assert "so it has to move" in answer.earliest_reason


def test_changes_are_since_the_moment_asked_for(launch: Project) -> None:
    launch.looked({"D-2.1.1": Verdict.FAIL}, ago=timedelta(hours=3))
    answer = look(launch, before=datetime.now(UTC) - timedelta(hours=2))
    changes = {c.id: (c.before, c.after) for c in answer.changes}
    assert changes["D-2.1.1"] == ("FAIL", "PASS")
    assert changes["D-2.1.2"] == (MISSING, "PASS")


def test_what_people_had_stated_then_is_part_of_how_it_was_then(project: Project) -> None:
    # It was green and stated an hour ago too: nothing has changed since a minute ago.
    launch = made(project, made_at=datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=50))
    answer = look(launch, before=datetime.now(UTC) - timedelta(minutes=5))
    assert answer.changes == []


def test_each_day_has_its_counts_and_today_is_as_the_answer_is(launch: Project) -> None:
    launch.looked(dict.fromkeys(BEFORE, Verdict.FAIL), ago=timedelta(days=2))
    again(launch, "D-2.2.1", Verdict.PENDING)
    answer = look(launch)
    assert answer.days[0].counts == {"FAIL": 12, MISSING: 1}
    assert answer.days[-1].counts == {"PASS": 11, "PENDING": 1, MISSING: 1}


def test_who_is_done_last_stands_first_with_planned_hours(launch: Project) -> None:
    again(launch, "D-2.1.1", Verdict.FAIL)
    again(launch, "D-2.1.2", Verdict.FAIL)
    (left,) = look(launch).remaining
    # One task, however much of it is open.
    assert (left.owner, left.items, left.minutes) == ("Product Manager", 2, 60)
    assert left.done_by == launch.launch_day - timedelta(days=2)


def test_a_person_who_states_something_anew_is_heard_once(launch: Project) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    launch.sign(made_at=now - timedelta(minutes=9))
    (item,) = [s for s in look(launch).standings if s.line.id == "D-2.2.1"]
    assert [s.is_superseded for s in item.said] == [False, True]
    assert item.said[1].cause.startswith("paul stated it again on ")


def test_an_answer_comes_back_from_json_as_it_was(launch: Project) -> None:
    again(launch, "D-2.1.1", Verdict.FAIL)
    answer = look(launch)
    assert decode(encode(answer), Path("answer.json")) == answer
    assert encode(look(launch, now=answer.made_at)) == encode(answer)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"schema": "1"}', b'{"schema": 1}', b"\xff"])
def test_what_is_no_answer_is_refused(data: bytes) -> None:
    with pytest.raises(GoliveError, match=r"^a\.json: "):
        decode(data, Path("a.json"))
    with pytest.raises(GoliveError, match=f"reads up to {SCHEMA}"):
        decode(b'{"schema": 99}', Path("a.json"))


# -- what a look was made with ------------------------------------------------------------------


def suspected(project: Project, ident: str = "D-2.1.1") -> str:
    """Why an item that was green does not count now."""
    answer = look(project)
    assert answer.answer == NO_GO
    assert "suspect" in broken(answer)
    found, reason = state(answer, ident)
    assert found == SUSPECT
    return reason


def test_a_verdict_of_a_check_that_is_another_now_is_suspect(launch: Project) -> None:
    path = launch.path / "suites/t_minus_1_week/test_others.py"
    path.write_text(path.read_text().replace("assert 0", "assert 0 == 0"))
    assert suspected(launch) == "its check has changed since; look again"


def test_a_verdict_whose_threshold_is_another_now_is_suspect(launch: Project) -> None:
    launch.folder.launch(launch.launch_day, people=SIGNING, wal_replay_s=10)
    launch.fresh()
    launch.looked(GREEN, limits={"wal_replay_s": 10})
    approve(launch)
    assert look(launch).answer == GO
    launch.folder.launch(launch.launch_day, people=SIGNING, wal_replay_s=300)
    launch.fresh()
    assert suspected(launch).startswith("the threshold wal_replay_s was 10 then and is 300 now")
    assert look(launch).rule_changes == ["threshold wal_replay_s: none, now 300"]


def test_a_verdict_by_another_golive_is_suspect(launch: Project) -> None:
    launch.looked(GREEN, ago=timedelta(0), engine="another")
    assert suspected(launch) == "golive itself has changed since; look again"


def test_a_verdict_on_an_environment_that_is_described_otherwise_now_is_suspect(
    launch: Project,
) -> None:
    launch.folder.environment("staging", title="Small", permits=["read"])
    assert suspected(launch) == "the environment is described otherwise since; look again"


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ([], "it proved nothing: no claim and no assertion was recorded; look again"),
        (
            [HELD, ledger.Claim("replay lag", "31 s", "at most 10 s", holds=False)],
            "it passed although a claim does not hold: replay lag; look again",
        ),
    ],
)
def test_a_pass_that_shows_nothing_is_suspect(
    launch: Project, claims: list[ledger.Claim], reason: str
) -> None:
    launch.looked(GREEN, ago=timedelta(0), claims=claims)
    assert suspected(launch) == reason


def test_a_run_with_a_plugin_that_nobody_named_is_suspect_and_its_red_counts(
    launch: Project,
) -> None:
    strange = ledger.Plugin(name="helper", source="suites/conftest.py", known=False)
    launch.looked(GREEN | {"D-2.1.2": Verdict.FAIL}, ago=timedelta(0), plugins=[strange])
    assert suspected(launch).startswith("helper (suites/conftest.py) was loaded, which golive did")
    assert state(look(launch), "D-2.1.2")[0] == Verdict.FAIL


# -- who says so ---------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["", "joel"])
def test_a_run_counts_once_somebody_on_the_roster_signed_it(launch: Project, by: str) -> None:
    folder = launch.looked(GREEN, ago=timedelta(0), by=by)
    answer = look(launch)
    if by:
        assert broken(answer) == ["approved"]
        assert answer.runs[0].by == by
        return
    assert broken(answer) == ["looked-at", "runs", "approved"]
    assert "nobody has signed its end" in state(answer, "D-2.1.1")[1]
    assert folder.name in next(r for r in answer.rules if r.name == "runs").observed


def test_a_run_that_a_stranger_signed_is_told(launch: Project) -> None:
    folder = launch.looked(GREEN, ago=timedelta(0))
    (folder / ledger.SIGNATURE).unlink()
    signatures.sign(folder / ledger.END, launch.keys["joel"], signatures.RUNS)
    answer = look(launch)
    assert "runs" in broken(answer)
    assert "the signature of ci is not valid" in answer.runs[0].cause


def test_a_run_edited_by_hand_with_its_digest_made_anew_is_told(launch: Project) -> None:
    folder = again(launch, "D-2.1.1", Verdict.FAIL)
    verdicts = folder / ledger.VERDICTS
    verdicts.write_text(verdicts.read_text().replace("FAIL", "PASS"))
    end = folder / ledger.END
    said = json.loads(end.read_text()) | {"digest": ledger.digest(folder)}
    end.write_text(json.dumps(said))
    answer = look(launch)
    assert "runs" in broken(answer)
    assert "not valid" in answer.runs[0].cause


# -- what was deleted ----------------------------------------------------------------------------


def test_a_run_that_was_deleted_is_missed_by_the_next(launch: Project) -> None:
    red = again(launch, "D-2.1.1", Verdict.FAIL)
    again(launch, "D-2.1.3", Verdict.PASS, ago=timedelta(seconds=5))
    shutil.rmtree(red)
    answer = look(launch)
    assert "chain" in broken(answer)
    (rule,) = [r for r in answer.rules if r.name == "chain"]
    assert rule.observed.startswith(f"1: {red.name} (")
    assert rule.observed.endswith("names it, but it is not here)")


def test_a_no_go_that_was_deleted_is_missed_by_what_came_after_it(launch: Project) -> None:
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=60)
    decide(launch, "tess", "no-go", made_at=later)
    launch.looked(GREEN, ago=timedelta(0))
    for folder in launch.statements.glob("*-approve-tess-*"):
        if '"no-go"' in (folder / "statement.json").read_text():
            shutil.rmtree(folder)
    approve(launch)
    answer = look(launch)
    assert (answer.answer, broken(answer)) == (NO_GO, ["chain"])


@pytest.mark.parametrize("name", [".x", "notes", "20261125T000000Z-staging-ab12"])
def test_what_lies_among_the_runs_and_is_none_is_told(launch: Project, name: str) -> None:
    (launch.context().reports / "runs" / name).mkdir()
    answer = look(launch)
    assert (answer.answer, broken(answer)) == (NO_GO, ["runs"])
    assert name in next(r for r in answer.rules if r.name == "runs").observed


def test_a_damaged_run_that_claims_another_environment_is_told(launch: Project) -> None:
    red = again(launch, "D-2.1.1", Verdict.FAIL)
    moved = red.rename(red.with_name(red.name.replace("-staging-", "-other-")))
    assert "runs" in broken(look(launch))
    (moved / ledger.VERDICTS).unlink()
    assert moved.name in next(r for r in look(launch).rules if r.name == "runs").observed


def test_a_store_that_was_not_compared_keeps_it_from_going(launch: Project) -> None:
    path = launch.path / "suites" / "launch.toml"
    path.write_text(path.read_text().replace('"candidate" =', '"store" = "/there", "candidate" ='))
    launch.looked(GREEN, ago=timedelta(0))
    approve(launch)
    assert broken(look(launch)) == ["store"]
    assert broken(look(launch, elsewhere=["a no-go"])) == ["store"]
    assert broken(look(launch, elsewhere=[])) == []


# -- what changed in the rules -------------------------------------------------------------------


def test_what_changed_in_approvers_and_roster_is_told(launch: Project) -> None:
    launch.roster(joel={"roles": ["support", "technical_lead"]}, leah=None)
    launch.launch(approvers=["executive_team"])
    launch.fresh()
    assert look(launch).rule_changes == [
        "approvers: technical_lead left",
        "roster: joel was support, now support, technical_lead",
        "roster: leah left",
    ]


def test_a_runner_that_was_given_a_key_since_is_told(launch: Project) -> None:
    roster = launch.path / "suites/people/roster.toml"
    roster.write_text(roster.read_text().replace('"id" = "ci"', '"id" = "ci2"'))
    assert look(launch).rule_changes == ["roster: ci left", "roster: ci2 came"]
