"""Faults of papers in copies of a live world: what is frozen, looked at, and put back."""

from __future__ import annotations

import ast
import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from golive.probes import register_all
from golive.probes.transport.answers import Answers
from golive.probing import REGISTRY
from golive.verdicts import ProbeError
from rehearsal.faults import all_faults, waiting
from tests.campaign import frozen
from tests.campaign.__main__ import in_copies
from tests.campaign.paper_world import FACTS, WORLD, put_back
from tests.campaign.papers import for_papers, take_snapshot

READERS = {"papers_there", "paper", "read_roster", "roster.load"}
"""Functions by which a probe reads what people have written."""


def asked(name: str) -> ProbeError:
    return ProbeError(name, "connection refused", "start it")


# -- which faults, and which probes look for real --------------------------------------------------


def test_a_fault_of_a_running_part_is_not_tried_in_a_copy() -> None:
    faults = all_faults()
    assert for_papers(faults["minutes-signed-by-another"])
    assert not for_papers(faults["wal-replay-paused"])
    assert not for_papers(replace(faults["minutes-signed-by-another"], touches=("papersandmore",)))


def test_one_running_part_among_what_it_touches_is_enough_to_keep_it_out() -> None:
    fault = all_faults()["minutes-signed-by-another"]
    assert not for_papers(replace(fault, touches=("papers/a.md", "messages/levels")))


def test_faults_that_spoil_documents_share_no_round_with_what_has_them_made_again() -> None:
    """The status report, too, which nobody derives but who presented it states it."""
    faults = {**all_faults(), **waiting()}
    spoilt = [
        faults["report-of-yesterday-presented"],
        faults["vote-altered-in-the-decision-document"],
    ]
    other = faults["minutes-signed-by-another"]
    made = in_copies([other, *spoilt], frozenset({"D-1.D.1"}), frozenset())
    assert [{f.name for f in r} for r in made] == [{other.name}, {f.name for f in spoilt}]


def test_every_probe_that_is_to_look_for_real_is_registered() -> None:
    register_all()
    named = frozenset().union(*frozen.LOOKED_AT.values()) | set(frozen.JOINED)
    assert len(named) > 20
    assert named <= set(REGISTRY)


def test_no_probe_that_reads_papers_or_the_roster_is_frozen_unseen() -> None:
    """A new one would keep the facts of the live world, whatever a fault wrote."""
    register_all()
    known = frozenset().union(*frozen.LOOKED_AT.values()) | set(frozen.JOINED)
    reading = {
        name
        for name, p in REGISTRY.items()
        if READERS & _calls(Path(p.look.__code__.co_filename), name)
    }
    assert {"contact_test", "war_room", "escalation_drill", "authorisation"} <= reading
    assert reading <= known, "add them to LOOKED_AT or JOINED of tests/campaign/frozen.py"


def _name(called: ast.expr) -> str:
    if isinstance(called, ast.Attribute) and called.attr != "load":
        return called.attr
    return ast.unparse(called)


def _calls(path: Path, function: str) -> set[str]:
    """What a function of a module calls by name, through functions of the same module."""
    bodies = {
        n.name: {_name(c.func) for c in ast.walk(n) if isinstance(c, ast.Call)}
        for n in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(n, ast.FunctionDef)
    }
    found, new = set[str](), {function}
    while new:
        found |= new
        new = set[str]().union(*(bodies.get(n, set()) for n in new)) - found
    return found


def test_answers_of_what_only_a_running_part_knows_are_the_live_worlds() -> None:
    frozen_ones = Answers({"https://edge/book": 1, "http://stub:1/press": 2}, {})
    found = Answers({"http://stub:2/press": 3}, {"https://edge/book": asked("https://edge/book")})
    complete = frozen.completed(found, frozen_ones)
    assert complete.found == {"http://stub:2/press": 3, "https://edge/book": 1}
    assert complete.failed == {}


def test_an_answer_that_the_live_world_never_gave_stays_missing() -> None:
    found: Answers[int] = Answers({}, {"http://nowhere": asked("http://nowhere")})
    assert set(frozen.completed(found, Answers({}, {})).failed) == {"http://nowhere"}


def test_what_was_answered_in_the_copy_is_never_replaced() -> None:
    found = Answers({"http://stub/press": 404}, {})
    assert frozen.completed(found, Answers({"http://stub/press": 200}, {})).found == found.found


# -- facts that a change of people's files takes away ----------------------------------------------

ROSTER = """
[[person]]
id = "tess"
name = "Tess"
phone = "+12025550100"
roles = ["technical_lead"]
[[person]]
id = "greta"
name = "Greta"
roles = ["counsel"]
[[escalation]]
level = 1
roles = ["technical_lead"]
"""


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """A folder of people's files, as far as joined probes read it."""
    (tmp_path / "papers").mkdir()
    (tmp_path / "roster.toml").write_text(ROSTER)
    (tmp_path / "papers" / "war-room.md").write_text("---\nreceiver: room\nbridge: a\n---\n")
    return tmp_path


def test_facts_of_a_drill_no_longer_hold_when_somebody_it_pages_has_another_phone(
    people: Path,
) -> None:
    before = frozen.inputs(people)
    (people / "roster.toml").write_text(ROSTER.replace("550100", "550177"))
    stale = frozen.stale(before, frozen.inputs(people))
    signed = ["access_list_signature", "deployment_runbook", "flag_table", "manifest_signature"]
    assert stale == sorted(["authorisation", "escalation_drill", "operator_runs", *signed])


def test_somebody_that_no_drill_asks_may_be_another(people: Path) -> None:
    before = frozen.inputs(people)
    (people / "roster.toml").write_text(ROSTER.replace("greta", "gloria"))
    assert frozen.stale(before, frozen.inputs(people)) == []


def test_the_alert_of_the_war_room_rests_on_the_receiver_alone(people: Path) -> None:
    before, paper = frozen.inputs(people), people / "papers" / "war-room.md"
    paper.write_text(paper.read_text().replace("bridge: a", "bridge: b"))
    assert frozen.stale(before, frozen.inputs(people)) == []
    paper.write_text(paper.read_text().replace("receiver: room", "receiver: mailbox"))
    assert frozen.stale(before, frozen.inputs(people)) == ["war_room_alert"]


# -- folders ---------------------------------------------------------------------------------------


def test_a_snapshot_has_peoples_files_and_nothing_of_running_parts(tmp_path: Path) -> None:
    world = tmp_path / "live"
    for name in ("people/papers/a.md", "data/postgres/base", "backups/b", "state/notes.json"):
        (world / name).parent.mkdir(parents=True, exist_ok=True)
        (world / name).write_text(name)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(world / "state" / "control"))
        snapshot = take_snapshot(world, {"flags": b"facts"}, tmp_path / "snapshot")
    there = {str(p.relative_to(tmp_path / "snapshot")) for p in snapshot.folder.rglob("*.*")}
    assert there == {FACTS, f"{WORLD}/people/papers/a.md", f"{WORLD}/state/notes.json"}
    assert not (snapshot.folder / WORLD / "data").exists()
    assert not (snapshot.folder / WORLD / "state" / "control").exists()


def test_putting_back_undoes_whatever_a_fault_did_to_a_folder(tmp_path: Path) -> None:
    pristine, folder = tmp_path / "pristine", tmp_path / "folder"
    for place in (pristine, folder):
        for name in ("a/one", "a/two", "b/three"):
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(name)
            os.utime(place / name, ns=(1, 1))
    (folder / "a" / "one").write_text("spoilt")
    (folder / "a" / "two").unlink()
    (folder / "b" / "three").unlink()
    (folder / "b").rmdir()
    (folder / "c").mkdir()
    (folder / "c" / "new").write_text("new")
    put_back(pristine, folder)
    found = {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}
    assert found == {name: name for name in ("a/one", "a/two", "b/three")}
    assert not (folder / "c").exists()


def test_a_file_of_the_same_length_that_was_written_in_place_is_put_back(tmp_path: Path) -> None:
    pristine, folder = tmp_path / "pristine", tmp_path / "folder"
    for place in (pristine, folder):
        place.mkdir()
        (place / "slides.txt").write_text("all is well")
        os.utime(place / "slides.txt", ns=(1, 1))
    (folder / "slides.txt").write_text("all is lost")
    put_back(pristine, folder)
    assert (folder / "slides.txt").read_text() == "all is well"


def test_what_a_stub_appends_to_is_left_alone(tmp_path: Path) -> None:
    pristine, folder = tmp_path / "pristine", tmp_path / "folder"
    for place in (pristine, folder):
        (place / "messages").mkdir(parents=True)
    (folder / "messages" / "log.jsonl").write_text("sent")
    put_back(pristine, folder)
    assert (folder / "messages" / "log.jsonl").read_text() == "sent"
