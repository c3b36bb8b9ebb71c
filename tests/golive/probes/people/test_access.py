"""Who may do what, and the war room, on literal facts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from math import isnan
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace as changed

from golive.claims import Claim
from golive.environments import Environment
from golive.papers.kinds import RoleTable, Shift, WarRoom
from golive.people.roster import Person, Roster
from golive.probes.people import war_room as room
from golive.probes.people.war_room import Room, Screen, TestAlert, oldest_update
from golive.probes.platform.aws import AwsGroups, AwsUser
from golive.probes.saas.status_page import Member
from golive.verdicts import Pending, ProbeError, Unseen
from tests.golive.probes.answering import Service, answering
from tests.golive.probes.conftest import Shelf, by_everyone

EnvWith = Callable[..., Environment]
Judged = Callable[..., Claim | None]
NOW = datetime.now(UTC)
ROLES = {"ada": ("lead", ""), "bob": ("", "lead"), "cyd": ("manager", ""), "dan": ("", "manager")}
PEOPLE = {
    ident: Person(
        id=ident,
        name=ident.title(),
        email=f"{ident}@example.com",
        phone="",
        roles=[holds] * bool(holds),
        backs_up=[backs] * bool(backs),
    )
    for ident, (holds, backs) in ROLES.items()
}
TABLE = RoleTable(
    date=date(2026, 12, 7),
    shifts=[
        Shift(role=role, primary=primary, backup=backup, starts="06:00", ends="17:00")
        for role, primary, backup in (("lead", "ada", "bob"), ("manager", "cyd", "dan"))
    ],
    access={"lead": ["deploy", "database"], "manager": ["status-page"]},
)
USERS = tuple(AwsUser(name, True, NOW - timedelta(days=2)) for name in ("ada", "bob@example.com"))


def access(judged: Judged, table: RoleTable = TABLE, **more: Any) -> Claim | None:
    facts: dict[str, Any] = {
        "vouched": by_everyone(*PEOPLE),
        "papers": Shelf(table),
        "context": SimpleNamespace(
            owner_roles=["lead", "manager"],
            team=list(PEOPLE.values()),
            roster=Roster(Path("roster.toml"), PEOPLE, {}, ()),
        ),
        "aws_groups": AwsGroups({"deploy": ("ada", "bob@example.com")}),
        "aws_users": USERS,
        "database_operators": ("ada", "bob"),
        "status_page_members": (Member("Cyd@example.com", "Cyd"), Member("dan@example.com", "")),
    }
    return judged("D-5.3.2", **facts | more)


def test_everybody_with_the_access_of_the_role_is_green(judged: Judged) -> None:
    assert access(judged) is None


@pytest.mark.parametrize(
    ("more", "broken"),
    [
        ({"aws_groups": AwsGroups({"deploy": ("ada",)})}, "access that a role lacks: bob: deploy"),
        ({"database_operators": ("ada",)}, "access that a role lacks: bob: database"),
        (
            {"status_page_members": (Member("dan@example.com", ""),)},
            "access that a role lacks: cyd: status-page",
        ),
        (
            {"aws_groups": AwsGroups({"deploy": ("ada", "bob@example.com", "wanda")})},
            "access outside the role table: wanda: deploy",
        ),
        (
            {"database_operators": ("ada", "bob", "cyd")},
            "access outside the role table: cyd: database",
        ),
        (
            {"aws_users": (replace(USERS[0], has_second_factor=False), USERS[1])},
            "users without a second factor: ada",
        ),
        ({"aws_users": ()}, "no users to look at"),
        (
            {"aws_users": (replace(USERS[0], last_used_at=NOW - timedelta(days=8)),)},
            "last login: ada 8",
        ),
        ({"aws_users": (replace(USERS[0], last_used_at=None),)}, "last login: ada never"),
    ],
)
def test_access_each_clause(judged: Judged, more: dict[str, Any], broken: str) -> None:
    assert broken in str(access(judged, **more))


def test_a_group_that_cannot_be_read_hides_its_accesses_alone(judged: Judged) -> None:
    hidden = AwsGroups({"deploy": Unseen(ProbeError("the IAM group deployers", "AccessDenied"))})
    assert "the IAM group deployers" in str(access(judged, aws_groups=hidden))
    broken = access(judged, aws_groups=hidden, database_operators=("ada", "cyd"))
    assert "access that a role lacks: bob: database" in str(broken)
    broken = access(judged, aws_groups=hidden, database_operators=("ada", "bob", "cyd"))
    assert "access outside the role table: cyd: database" in str(broken)


NO_RIGHT = Unseen(ProbeError("the IAM user ada", "AccessDenied", "permit it to the reading key"))


@pytest.mark.parametrize(
    ("ada", "bob", "broken"),
    [
        ({"has_second_factor": NO_RIGHT}, {}, ""),
        ({"has_second_factor": NO_RIGHT}, {"has_second_factor": False}, "factor: bob@example.com"),
        ({"last_used_at": None, "use_unseen": NO_RIGHT}, {}, ""),
        ({"last_used_at": NOW - timedelta(days=9), "use_unseen": NO_RIGHT}, {}, ""),
        ({"use_unseen": NO_RIGHT}, {"last_used_at": None}, "last login: bob@example.com never"),
        (
            {"last_used_at": None, "use_unseen": NO_RIGHT},
            {"last_used_at": None},
            "last login: bob@example.com never (1 of 1)",
        ),
        ({"last_used_at": None, "use_unseen": NO_RIGHT}, {"has_second_factor": False}, "factor: "),
    ],
)
def test_a_right_that_lacks_hides_nothing_of_other_users_and_clauses(
    judged: Judged, ada: dict[str, Any], bob: dict[str, Any], broken: str
) -> None:
    claim = access(judged, aws_users=(replace(USERS[0], **ada), replace(USERS[1], **bob)))
    assert claim is not None
    assert broken in str(claim)
    assert (claim.unseen is NO_RIGHT.error) is not bool(broken)


def test_whoever_was_seen_to_log_in_lately_is_judged_by_that(judged: Judged) -> None:
    assert access(judged, aws_users=(replace(USERS[0], use_unseen=NO_RIGHT), USERS[1])) is None


def test_without_a_look_at_the_users_the_rest_is_judged(judged: Judged) -> None:
    claim = access(judged, aws_users=NO_RIGHT)
    assert claim is not None
    assert claim.unseen is NO_RIGHT.error
    with pytest.raises(Pending, match="dan"):
        access(judged, aws_users=NO_RIGHT, vouched=by_everyone("ada", "bob", "cyd"))


def test_the_table_names_holders_and_backups_as_the_roster_does(judged: Judged) -> None:
    other = [changed(TABLE.shifts[0], primary="bob", backup="ada"), TABLE.shifts[1]]
    assert "lead by the table: bob" in str(access(judged, changed(TABLE, shifts=other)))
    other = [changed(TABLE.shifts[0], backup="dan"), TABLE.shifts[1]]
    assert "backup of lead by the table: dan" in str(access(judged, changed(TABLE, shifts=other)))
    bare = changed(TABLE, access={"lead": ["deploy"]})
    assert "kinds of access in the role table: deploy; missing" in str(access(judged, bare))


def test_a_role_that_somebody_has_not_accepted_is_pending(judged: Judged) -> None:
    with pytest.raises(Pending, match="dan"):
        access(judged, vouched=by_everyone("ada", "bob", "cyd"))


# -- T0-0600.1.3 --------------------------------------------------------------------------------

PLAN = WarRoom(
    event="e", bridge="/b", backup_bridge="/c", screens=["/s", "/t"], receiver="war-room"
)
SCREEN = Screen("/s", 200, NOW - timedelta(seconds=20), NOW)
ROOM = Room({"bridge": 200, "backup bridge": 200}, (SCREEN, replace(SCREEN, url="/t")))
ALERT = TestAlert(NOW, 60.0, {"war-room": NOW + timedelta(seconds=4)})


@pytest.mark.parametrize(
    ("more", "broken"),
    [
        ({}, ""),
        ({"bridges": {"bridge": 200, "backup bridge": 503}}, "do not answer: backup bridge"),
        ({"screens": ()}, "no screens to look at"),
        ({"screens": (replace(SCREEN, status=404),)}, "screens that do not load: /s (status 404)"),
        ({"screens": (replace(SCREEN, updated_at=NOW - timedelta(hours=1)),)}, "data: /s 3,600 s"),
        ({"screens": (replace(SCREEN, updated_at=None),)}, "data: /s not a number"),
        ({"alert": replace(ALERT, told_at={"on-call": NOW})}, "arrived: at war-room not a number"),
        (
            {"alert": replace(ALERT, told_at={"war-room": NOW + timedelta(seconds=61)})},
            "arrived: at war-room 61 s later",
        ),
        ({"plan": changed(PLAN, backup_bridge="/b")}, "bridges: /b; required two"),
    ],
)
def test_the_war_room_each_clause(judged: Judged, more: dict[str, Any], broken: str) -> None:
    alert, plan = more.pop("alert", ALERT), more.pop("plan", PLAN)
    found = replace(ROOM, **more)
    claim = judged("T0-0600.1.3", war_room=found, war_room_alert=alert, papers=Shelf(plan))
    assert broken in str(claim) if broken else claim is None


def test_a_screen_tells_by_its_oldest_data() -> None:
    text = "<p>Updated 2026-12-07T10:00:00+00:00</p> bookings updated: 2026-12-07 09:30Z"
    assert oldest_update(text) == datetime(2026, 12, 7, 9, 30, tzinfo=UTC)
    assert oldest_update("up to date: 2026-12-07T10:00:00Z") is None
    assert oldest_update("Updated 2026-12-07 10:00") is None  # without a zone it says nothing
    assert isnan(Screen("/s", 200, None, NOW).age_s)


@pytest.fixture
def service() -> Iterator[Service]:
    with answering() as service:
        yield service


def test_rooms_are_asked_as_the_paper_names_them(
    env_with: EnvWith, service: Service, tmp_path: Path
) -> None:
    env = env_with()
    with pytest.raises(ProbeError, match=r"the paper war-room\.md"):
        room.war_room(env)
    service.says("/b", b"waiting")
    service.says("/s", b"Updated 2026-12-07T10:00:00+00:00")
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "war-room.md").write_text(
        f"---\nevent: e1\nbridge: {service.url}/b\nbackup_bridge: {service.url}/gone\n"
        f"screens: [{service.url}/s]\nreceiver: war-room\n---\nThe room.\n"
    )
    found = room.war_room(env)
    assert found.bridges == {"bridge": 200, "backup bridge": 404}
    assert [s.updated_at for s in found.screens] == [datetime(2026, 12, 7, 10, tzinfo=UTC)]


def test_a_test_alert_is_sent_again_until_somebody_is_told(
    env_with: EnvWith, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []

    def inbox(_: Environment) -> list[dict[str, Any]]:
        if len(sent) < 3:  # the first two were lost in a group that was being closed
            return []
        at = datetime.now(UTC).isoformat()
        labels = sent[-1]["labels"]
        return [{"receiver": "r", "received_at": at, "alert": room.TEST_ALERT, "labels": labels}]

    monkeypatch.setattr(room, "_SEND_AGAIN_S", 0.0)
    monkeypatch.setattr(room, "_POLL_S", 0.001)
    monkeypatch.setattr(room, "_post", lambda _, alerts: sent.extend(alerts))
    monkeypatch.setattr(room, "inbox", inbox)
    monkeypatch.setattr(room, "paper", lambda *_: SimpleNamespace(receiver="r"))
    alert = room.war_room_alert(env_with())
    assert alert.after_s("r") >= 0
    assert sent[0] == sent[1] == sent[2]
