"""The context: where what people write and sign lies, without a secret."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from golive.context import Context
from golive.papers import Paper, Papers
from golive.papers.kinds import RiskRegister
from golive.verdicts import GoliveError, Pending
from tests.conftest import SECRET_VARIABLE, Project


def test_it_opens_without_any_secret(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SECRET_VARIABLE)
    context = project.context()
    assert (context.environment.name, context.environment.kind) == ("staging", "staging")
    assert context.statements.folder == project.path / "reports" / "statements"
    assert context.papers == project.path / "papers"
    assert context.documents == project.path / "reports" / "documents" / "staging"
    assert context.keys is None


def test_an_environment_names_its_own_places(project: Project) -> None:
    places = {"statements": "signed", "documents": "/srv/documents"}
    people = {"roster": "suites/people/roster.toml", "papers": "papers"} | places
    project.folder.environment("staging", people=people)
    context = project.context()
    assert context.statements.folder == project.path / "signed"
    assert context.documents == Path("/srv/documents")


def test_elsewhere_than_beside_the_suites_it_says_so(project: Project, tmp_path: Path) -> None:
    with pytest.raises(GoliveError, match="expected to be called beside the suites"):
        Context.open("staging", tmp_path)
    with pytest.raises(GoliveError, match="moon"):
        Context.open("moon", project.path)


def test_a_missing_roster_is_told_by_name(project: Project) -> None:
    (project.path / "suites/people/roster.toml").unlink()
    with pytest.raises(GoliveError, match=r"roster\.toml"):
        project.context().roster  # noqa: B018


def test_what_was_signed_since_is_seen_anew(project: Project) -> None:
    context = project.context()
    assert context.statements.everything() == []
    signed = project.sign()
    assert context.statements.everything() == []
    assert [s.id for s in context.reloaded().statements.everything()] == [signed.id]


MINUTE = timedelta(minutes=1)


def test_papers_are_named_by_the_digest_of_their_bytes(project: Project) -> None:
    project.folder.write("papers/runbook.md", "# Runbook\n")
    digest = hashlib.sha256(b"# Runbook\n").hexdigest()
    assert project.context().digests(("runbook.md",)) == {"runbook.md": digest}


def test_a_paper_that_is_missing_or_a_link_is_still_to_be_written(project: Project) -> None:
    with pytest.raises(Pending, match=r"runbook\.md is not there; `golive init"):
        project.context().digests(("runbook.md",))
    project.folder.write("papers/other.md", "x")
    (project.path / "papers/runbook.md").symlink_to(project.path / "papers/other.md")
    with pytest.raises(Pending, match=r"runbook\.md: is a symbolic link"):
        project.context().digests(("runbook.md",))


def test_papers_are_read_as_they_were_signed_newest_first(project: Project) -> None:
    place = project.path / "papers" / RiskRegister.file

    def write(day: int) -> Path:
        front = f"changed_on: 2026-12-{day:02}\nrisks: []"
        project.folder.write(f"papers/{RiskRegister.file}", f"---\n{front}\n---\n\n# Risks\n")
        return place

    now = datetime.now(UTC).replace(microsecond=0)
    project.sign(files=[write(1)], made_at=now - timedelta(minutes=2))
    project.sign(files=[write(2)], made_at=now - timedelta(minutes=1))
    project.sign(files=[write(3)], kind="waive", risk="r")
    project.sign("D-2.2.3", files=[place])
    signed = project.context().signed_papers("D-2.2.1", RiskRegister)
    assert [paper.data.changed_on.day for paper in signed] == [2, 1]
    assert project.context().signed_papers("D-2.2.2", RiskRegister) == []


def test_what_was_signed_unreadable_is_left_out_once_it_is_signed_again(project: Project) -> None:
    """Else whoever reads the first register would stumble over it for ever."""
    place = project.path / "papers" / RiskRegister.file

    def write(front: str) -> Path:
        project.folder.write(f"papers/{RiskRegister.file}", f"---\n{front}\n---\n\n# Risks\n")
        return place

    now = datetime.now(UTC).replace(microsecond=0)
    project.sign(files=[write("changed_on: 2026-12-01\nrisks: []")], made_at=now - MINUTE * 3)
    project.sign(files=[write("changed_on: someday\nrisks: []")], made_at=now - MINUTE * 2)
    with pytest.raises(Pending, match="changed_on"):
        project.context().signed_papers("D-2.2.1", RiskRegister)
    project.sign(files=[write("changed_on: 2026-12-03\nrisks: []")], made_at=now - MINUTE)
    context = project.context()
    signed = context.signed_papers("D-2.2.1", RiskRegister)
    assert [paper.data.changed_on.day for paper in signed] == [3, 1]
    assert context.signed_otherwise("D-2.2.1", signed[0]) == []


def test_it_is_made_anew_with_statements_read_again_and_checks_read_once(project: Project) -> None:
    context = project.context()
    cards, before = context.cards, context.statements
    assert set(cards) == {"D-2.2.1"}
    reloaded = context.reloaded()
    assert reloaded.cards is cards
    assert reloaded.statements is not before
    assert reloaded.statements.vouched("D-2.2.1").all == []
    project.sign()
    assert reloaded.reloaded().statements.vouched("D-2.2.1").valid


def test_a_paper_signed_for_another_item_in_another_version_is_told(project: Project) -> None:
    place = project.path / "papers" / RiskRegister.file

    def read() -> Paper[RiskRegister]:
        return Papers(place.parent).read(RiskRegister)

    def write(day: int) -> Path:
        front = f"changed_on: 2026-12-{day:02}\nrisks: []"
        project.folder.write(f"papers/{RiskRegister.file}", f"---\n{front}\n---\n\n# Risks\n")
        return place

    write(1)
    assert project.context().signed_otherwise("D-2.2.1", read()) == [], "nobody has signed yet"
    first = read().sha256
    project.sign(files=[place])
    assert project.context().signed_otherwise("D-2.2.1", read()) == []
    write(2)
    assert project.context().signed_otherwise("D-2.2.1", read()) == [first]


def test_a_rehearsals_launch_day_is_as_far_ahead_as_the_procedure_has_it(project: Project) -> None:
    context = project.context()
    assert context.launch_day("D-2.2.1") == context.launch.date
    assert context.launch_day("D-2.2.1", 3) == context.launch.date + timedelta(days=3)
    project.folder.environment("staging", kind="rehearsal")
    in_two_days = datetime.now(UTC).date() + timedelta(days=2)
    assert project.context().launch_day("D-2.2.1") == in_two_days


def test_statements_that_end_on_launch_day_or_before_are_told(project: Project) -> None:
    context = project.context()
    begins = datetime.combine(context.launch.date, time(), UTC)

    def ending(by: str, at: datetime) -> Any:
        made = datetime.now(UTC)
        ends = SimpleNamespace(kind="attest", item="", by=by, made_at=made, expires_at=at)
        return SimpleNamespace(statement=ends)

    said = [ending("a", begins + timedelta(days=1)), ending("b", begins + timedelta(hours=23))]
    context.statements.entitlement = SimpleNamespace(ends=lambda s: s.expires_at)  # type: ignore[assignment]
    day = context.launch.date
    assert context.ending_early("D-2.2.1", said) == [f"b ({day} 23:00 UTC)"]
