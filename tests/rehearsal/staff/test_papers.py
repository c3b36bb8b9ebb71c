"""The rehearsal's papers are true papers: each is what its kind asks for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from golive import procedure
from golive.papers import Papers
from golive.papers.aftermath import Feedback
from golive.papers.approval import ExecutivePresentation, FinalApproval
from golive.papers.compliance import Certificates
from golive.papers.kinds import RiskRegister, all_kinds
from golive.papers.messages import Announcement, Message
from rehearsal.data import release
from rehearsal.kernel.world import PROJECT, Rehearsal
from rehearsal.staff import launch_tools, papers, people, scripts


@pytest.fixture(scope="module")
def r(tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    r = Rehearsal(tmp_path_factory.mktemp("papers"))
    release.publish(r)
    launch_tools.install(r)
    papers.write(r)
    return r


@pytest.mark.parametrize("name", papers.papers())
def test_every_paper_of_the_rehearsal_is_of_its_kind(r: Rehearsal, name: str) -> None:
    folder = people.papers(r)
    kinds = [k for k in all_kinds() if (folder / name) in set(folder.glob(k.file))]
    assert len(kinds) == 1, f"{name} is of {len(kinds)} kinds"
    assert Papers(folder).read(kinds[0], name).data


def test_every_kind_is_written_in_the_rehearsal() -> None:
    written = set(papers.papers())
    missing = [k.file for k in all_kinds() if "*" not in k.file and k.file not in written]
    assert missing == []


def test_papers_stay_the_same_to_the_byte(r: Rehearsal) -> None:
    name = "emergency-runbook.md"
    path = people.papers(r) / name
    before = path.read_bytes()
    papers.change(r, name, lambda data: data["triggers"].pop())
    assert path.read_bytes() != before
    papers.write(r, name)
    assert path.read_bytes() == before


def test_papers_are_written_again_on_another_day_only(
    r: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = people.papers(r) / "lessons-learned.md"
    today = path.read_bytes()
    path.write_text("what somebody makes of it in the meantime")
    papers.renew(r)
    assert path.read_text() == "what somebody makes of it in the meantime"
    monkeypatch.setattr(papers, "_today", lambda: datetime.now(UTC).date() + timedelta(days=1))
    papers.renew(r)
    tomorrow = f"written_on: {papers._today()}"
    assert tomorrow in path.read_text()
    monkeypatch.undo()
    papers.renew(r)
    assert path.read_bytes() == today


def test_what_papers_quote_of_other_files_is_so(r: Rehearsal) -> None:
    folder = people.papers(r)
    read = Papers(folder).read
    quoted = dict(read(FinalApproval).data.documents)
    shown = read(ExecutivePresentation).data
    quoted[shown.slides] = shown.slides_sha256
    quoted |= {c.certificate: c.certificate_sha256 for c in read(Certificates).data.certificates}
    assert len(quoted) >= 7
    assert quoted == {name: scripts.sha256(folder / name) for name in quoted}
    for sent in Papers(folder).all_of(Message):
        if sent.data.approved_text:
            approved = read(Announcement, sent.data.approved_text)
            assert sent.body.strip() == approved.body.strip()


def test_a_risk_stands_for_every_item_that_may_be_red(r: Rehearsal) -> None:
    register = Papers(people.papers(r)).read(RiskRegister).data
    lines = procedure.load(PROJECT / "suites" / "procedure.toml")
    assert register.uncovered(item.id for item in lines) == []


def test_everybody_who_holds_a_role_has_given_feedback(r: Rehearsal) -> None:
    given = {f.name: f.data.person for f in Papers(people.papers(r)).all_of(Feedback)}
    assert given == {f"feedback-{p}.md": p for p in {people.holder(x).id for x in people.ROLES}}
    papers.change(r, "feedback-tess.md", lambda d: d.update(went_well="little"))
    papers.write(r, "feedback-tess.md")
    kept = Papers(people.papers(r)).read(Feedback, "feedback-tess.md")
    assert "Tess Lindqvist" in kept.data.went_well
