"""The campaign's own arithmetic: rounds, narrowing down, judging, what is recorded."""

from __future__ import annotations

import dataclasses
import itertools
import json
import pickle
import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golive import ledger
from golive.claims import Claim, holds, none_of
from golive.deliverables import NOBODY_WROTE, NOT_GREEN
from golive.environments import Environment
from golive.probes import register_all
from golive.probing import REGISTRY, Facts, FactStore
from golive.verdicts import Verdict
from rehearsal import faults
from rehearsal.faults import UNSEEN, Fault, all_faults, waiting
from rehearsal.faults import recorded as faults_recorded
from tests.campaign import live, reach, recorded, rounds, rows, worker
from tests.campaign.__main__ import Campaign, concerned, in_turn, live_rounds, untried
from tests.campaign.judging import Tried, planned
from tests.campaign.live import World
from tests.campaign.rounds import Attempt, Planned
from tests.campaign.rows import Row, resting_on_unwritten

UNWRITTEN = [f"D-2.1.{n}" for n in range(1, 7)]
PLACES = ("postgres", "postgres/refunds", "postgres/payouts", "redis", "messages/elena")


def judged(broken: Mapping[str, Claim | None]) -> dict[str, ledger.ItemVerdict]:
    """Items that fail, each by the claim given; those without one pass."""
    return {
        ident: ledger.ItemVerdict(
            id=ident,
            verdict=Verdict.PASS if c is None else Verdict.FAIL,
            started_at=datetime(2026, 12, 1, tzinfo=UTC),
            duration_s=0.1,
            remedy="look",
            message="" if c is None else repr(c),
            claims=[]
            if c is None
            else [ledger.Claim(c.subject, c.observed, c.required, c.holds, ids=list(c.ids))],
        )
        for ident, c in broken.items()
    }


LAG = holds("lag", False, "31 s", "at most 10 s")


def resting(*ids: str) -> Claim:
    reported = [f"{i} FAIL" for i in ids]
    return none_of(NOT_GREEN, reported, among=9, of="verdicts", ids=ids)


def a_fault(name: str, touches: Collection[str], red: Collection[str]) -> Planned:
    items = frozenset(red)
    return Planned(name, frozenset(touches), items, items, items)


# -- what the baseline excuses ------------------------------------------------------------------


def test_what_rests_on_unwritten_items_alone_is_excused_however_many_they_are() -> None:
    nobody = {i: holds(NOBODY_WROTE, False, "D-2.9.9", "a check of each") for i in UNWRITTEN}
    verdicts = judged({**nobody, "D-2.D.1": resting(*UNWRITTEN)})
    assert set(resting_on_unwritten(verdicts)) == {*UNWRITTEN, "D-2.D.1"}


def test_a_seventh_item_that_fails_by_itself_is_never_excused() -> None:
    """A message shows six members and counts the rest; the seventh was not looked at."""
    nobody = {i: holds(NOBODY_WROTE, False, "D-2.9.9", "a check of each") for i in UNWRITTEN}
    verdicts = judged({**nobody, "D-2.1.7": LAG, "D-2.D.1": resting(*UNWRITTEN, "D-2.1.7")})
    assert set(resting_on_unwritten(verdicts)) == set(UNWRITTEN)


def test_a_claim_that_names_nobody_excuses_nothing() -> None:
    reported = holds(NOT_GREEN, False, "D-2.1.1 FAIL", "none")
    verdicts = judged({"D-2.1.1": holds(NOBODY_WROTE, False, "x", "y"), "D-2.D.1": reported})
    assert set(resting_on_unwritten(verdicts)) == {"D-2.1.1"}


# -- what follows from what ---------------------------------------------------------------------


def test_an_item_follows_only_where_all_that_it_names_are_red() -> None:
    found = judged(
        {
            "D-13.1.1": LAG,
            "D-13.D.1": resting("D-13.1.1"),
            "D-2.D.1": resting("D-13.D.1"),
            "D-9.D.2": resting("D-13.1.1", "D-9.2.1"),
        }
    )
    assert rows.followers(found, {"D-13.1.1"}) == {"D-13.D.1", "D-2.D.1"}


def test_each_follower_is_laid_to_those_that_it_names() -> None:
    found = judged(
        {
            "D-1.1.1": LAG,
            "D-1.1.2": LAG,
            "D-1.D.1": resting("D-1.1.1"),
            "D-1.D.2": resting("D-1.D.1"),
            "D-1.D.3": resting("D-1.1.2"),
        }
    )
    assert rows.due_to(found, {"D-1.1.1"}) == {"D-1.D.1", "D-1.D.2"}


# -- judging one fault --------------------------------------------------------------------------


def judge(found: Mapping[str, Claim | None], **named: Any) -> Row:
    arguments = {"reverted": judged(dict.fromkeys(found)), "duration_s": 1.0, "how": "alone"}
    return rows.row("a-fault", {"A"}, judged(found), **{**arguments, **named})


def test_a_fault_that_does_exactly_what_it_says_is_right() -> None:
    row = judge({"A": LAG, "B": None})
    assert (row.wrong, row.red, row.expected_red) == ("", ("A",), ("A",))
    assert row.messages[0].startswith("A FAIL: lag")


@pytest.mark.parametrize(
    ("found", "named", "wrong"),
    [
        ({"A": None}, {}, "not red: A"),
        ({"A": LAG, "B": LAG}, {}, r"red beside what it names: B \(lag"),
        ({"A": LAG}, {"reverted": judged({"A": LAG})}, "A is not green after reverting: lag"),
        ({"A": LAG}, {"reverted": {}}, "A was not looked at after reverting"),
        ({"A": LAG}, {"error": "inject: it hangs"}, "inject: it hangs"),
        ({"A": holds("", False, "x", "y")}, {}, "A: its claim is not whole"),
    ],
)
def test_what_is_wrong_with_a_fault_is_told(
    found: Mapping[str, Claim | None], named: dict[str, Any], wrong: str
) -> None:
    assert re.search(wrong, judge(found, **named).wrong)


def test_what_is_excused_or_follows_needs_no_look_of_its_own() -> None:
    found = {"A": LAG, "B": LAG, "C": LAG}
    row = judge(found, excused={"B"}, follows={"C"}, reverted=judged({"A": None}))
    assert row.wrong.startswith("red beside what it names: C")
    assert "after reverting" not in row.wrong


def test_the_table_tells_what_is_wrong_how_often_it_was_tried_and_what_is_left() -> None:
    right = judge({"A": LAG})
    wrong = rows.row(
        "b|c", {"B"}, {}, reverted={}, duration_s=2.0, how="round 3", error="it | hangs"
    )
    text = rows.table([wrong, right], 4, {"Z": "nobody wrote it"})
    assert text.index("| a-fault |") < text.index("it \\| hangs")
    assert "| 2.0 | round 3 | 1 |" in text
    assert "- Z nobody wrote it" in text
    assert text.endswith("1 passed, 1 failed; 4 not tried for want of time.\n")


# -- judging a round ----------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _all_are_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The faults that these tests make up."""
    names = ("cache", "balancer", *"abcdefgh")
    monkeypatch.setattr(faults, "seen", lambda: frozenset(names))


@pytest.fixture
def world(tmp_path: Path, known: dict[str, Fault]) -> World:
    """One whose items A to D take the facts of these probes."""
    made = World(tmp_path, say=lambda _: None)
    taken = {"A": "redis_cluster", "B": "balancer_config", "C": "redis_cluster", "D": "stripe"}
    made.probes = {item: frozenset({probe}) for item, probe in taken.items()}
    return made


CACHE, BALANCER = a_fault("cache", ["redis"], ["A"]), a_fault("balancer", ["balancer"], ["B"])


def tried(found: Mapping[str, Claim | None], *together: Planned) -> Tried:
    green = judged(dict.fromkeys(found))
    return Tried(together or (CACHE, BALANCER), "round 1", judged(found), green, {}, 4.0)


def test_a_round_whose_reds_are_what_its_faults_name_is_right(world: World) -> None:
    made = world.judge(tried({"A": LAG, "B": LAG, "C": None}))
    assert made.suspects == []
    assert {n: r.red for n, r in made.rows.items()} == {"cache": ("A",), "balancer": ("B",)}
    assert {r.duration_s for r in made.rows.values()} == {2.0}


def test_what_is_missing_is_held_against_the_fault_that_names_it_alone(world: World) -> None:
    made = world.judge(tried({"A": LAG, "B": None, "C": None}))
    assert made.suspects == ["balancer"]
    assert made.rows["balancer"].wrong == "not red: B"


def test_what_is_red_beside_is_held_against_those_that_touch_what_it_looks_at(
    world: World,
) -> None:
    assert world.judge(tried({"A": LAG, "B": LAG, "C": LAG})).suspects == ["cache"]


def test_what_is_red_and_nobody_could_have_touched_is_held_against_all(world: World) -> None:
    world.probes["D"] = frozenset({"stripe_account"})
    assert world.judge(tried({"A": LAG, "B": LAG, "D": LAG})).suspects == ["cache", "balancer"]


def test_a_follower_that_is_recorded_is_right_and_one_that_is_not_is_wrong(world: World) -> None:
    found = {"A": LAG, "B": LAG, "C": LAG}
    assert world.judge(tried(found)).rows["cache"].wrong.startswith("red beside what it names: C")
    found = {"A": LAG, "B": LAG, "E": resting("A")}
    assert world.judge(tried(found)).rows["cache"].wrong == "", "E says itself that A is why"
    recorded_too = dataclasses.replace(CACHE, expected=frozenset("AE"))
    made = world.judge(tried(found, recorded_too, BALANCER))
    assert made.suspects == []
    assert made.rows["cache"].red == ("A", "E")
    assert made.rows["balancer"].red == ("B",)


def test_a_follower_that_is_not_red_is_missed(world: World) -> None:
    recorded_too = dataclasses.replace(CACHE, expected=frozenset("AE"))
    made = world.judge(tried({"A": LAG, "B": LAG, "E": None}, recorded_too, BALANCER))
    assert made.rows["cache"].wrong == "not red: E"


def test_recording_takes_what_is_surely_a_faults_own(world: World) -> None:
    world.recording = True
    beside = {"A": LAG, "B": LAG, "C": LAG}
    assert world.judge(tried(beside)).rows["cache"].expected_red == ("A", "C")
    world.probes["C"] = frozenset({"redis_cluster", "balancer_config"})
    both = world.judge(tried(beside))
    assert both.suspects == ["cache", "balancer"]  # not alone: nobody knows whose
    alone = world.judge(tried({"A": LAG, "C": LAG}, CACHE))
    assert alone.suspects == []
    assert alone.rows["cache"].expected_red == ("A", "C")


def test_recording_lays_what_follows_to_the_fault_whose_items_it_follows_from(
    world: World,
) -> None:
    world.recording = True
    world.probes["C"] = frozenset({"redis_cluster", "balancer_config"})
    world.probes["D"] = frozenset({"redis_cluster"})
    made = world.judge(tried({"A": LAG, "B": LAG, "D": LAG, "E": resting("D")})).rows
    assert made["cache"].expected_red == ("A", "D", "E")
    assert made["balancer"].expected_red == ("B",)


def test_what_follows_from_a_fault_is_its_own_though_something_excused_keeps_it_red(
    world: World,
) -> None:
    """With the excused one green, it would be red beside what the fault names."""
    world.recording = True
    world.excused = {"C": "the machine was busy"}
    both = tried({"A": LAG, "C": LAG, "E": resting("A", "C")}, CACHE)
    both.reverted = judged({"A": None, "C": LAG, "E": resting("C")})
    made = world.judge(both).rows["cache"]
    assert (made.wrong, made.expected_red) == ("", ("A", "E"))


def test_a_document_that_waits_for_others_follows_from_them() -> None:
    said = judged({"E": LAG, "F": LAG})
    waits = "the Summary rests on what is still to come: E is PENDING; E: not stated yet by ada"
    to_come = msgspec.structs.replace(said["E"], verdict=Verdict.PENDING, message=waits, claims=[])
    assert rows.not_green(to_come) == {"E"}
    unsigned = msgspec.structs.replace(
        to_come, message="made and true, but not signed: E is PENDING"
    )
    assert rows.not_green(unsigned) == frozenset()


def test_recording_does_not_take_a_fault_that_misses_what_it_was_written_for(world: World) -> None:
    world.recording = True
    assert world.judge(tried({"A": None, "C": LAG}, CACHE)).rows["cache"].wrong == "not red: A"


def test_only_what_remembers_a_busy_machine_is_its_noise(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.probes["A"] = frozenset({"query_times"})
    found = judged({"A": LAG, "B": LAG, "E": resting("A"), "F": resting("A", "B")})
    monkeypatch.setattr(live, "_CALM_S", (0.0, 0.0))
    monkeypatch.setattr(World, "look", lambda *_, **__: dict(found))
    monkeypatch.setattr(World, "_save", lambda _: None)
    world.patient = False
    world.baseline()
    assert set(world.unsound) == {"A", "B", "E", "F"}
    assert world.noise == {"A", "E"}


def test_what_is_red_without_any_fault_is_nobodys(world: World) -> None:
    world.excused = {"C": "nobody has written it"}
    assert world.judge(tried({"A": LAG, "B": LAG, "C": LAG})).suspects == []


# -- a pass over rounds ---------------------------------------------------------------------------


class Town(World):
    """A world in memory: each fault turns some items red while it is in force, ``sticky`` ones
    also afterwards, and every look is noted."""

    def __init__(
        self, folder: Path, does: Mapping[str, Collection[str]], sticky: Collection[str] = ()
    ) -> None:
        super().__init__(folder, say=lambda _: None)
        self.does, self.sticky = does, set(sticky)
        self.red_now: set[str] = set()
        self.looks: list[list[str]] = []
        self.says: dict[str, Claim] = {}
        """What red items say, where it is not the lag."""
        self.probes = {item: frozenset({"redis_cluster"}) for item in "ABCDEF"}

    def look(
        self, items: Iterable[str] = (), *, broken: Collection[str] = ()
    ) -> dict[str, ledger.ItemVerdict]:
        chosen = sorted(items)
        self.looks.append(chosen)
        return judged(
            {i: self.says.get(i, LAG) if i in self.red_now else None for i in chosen or self.probes}
        )

    def _each(self, together: Sequence[Planned], do: Callable[[Any, str], None]) -> dict[str, str]:
        for f in together:
            if do is self._revert:
                self.red_now -= set(self.does[f.name]) - self.sticky
            else:
                self.red_now |= set(self.does[f.name])
        return {}


def passed_over(town: Town, made: Sequence[rounds.Round], tmp_path: Path) -> dict[str, Row]:
    campaign = Campaign(tmp_path / "reports", sum(map(len, made)))
    live_rounds(town, made, campaign, until=float("inf"))
    assert len(campaign.rows) == campaign.total
    return {r.fault: r for r in campaign.rows}


def on_redis(name: str, *red: str) -> Planned:
    return a_fault(name, [f"redis/{name}"], red)


def test_what_a_round_has_shown_to_be_green_is_not_looked_at_again(tmp_path: Path) -> None:
    town = Town(tmp_path, {"a": "AC", "b": "B"})
    round_ = (on_redis("a", "A"), on_redis("b", "B"))
    town.attempt(round_, 1)
    town.looks.clear()
    town.attempt(round_[:1], 2)
    assert town.looks[0] == ["A", "B", "C"]


def test_what_the_next_round_leaves_alone_is_seen_green_in_it(
    tmp_path: Path, known: dict[str, Fault]
) -> None:
    town = Town(tmp_path, {"a": "A", "b": "B"})
    found = passed_over(town, [(on_redis("a", "A"),), (on_redis("b", "B"),)], tmp_path)
    assert {n: r.wrong for n, r in found.items()} == {"a": "", "b": ""}
    assert town.looks == [[], [], ["B"]]


def test_what_the_next_round_turns_red_again_is_seen_green_before(
    tmp_path: Path, known: dict[str, Fault]
) -> None:
    town = Town(tmp_path, {"a": "A", "b": "A"})
    found = passed_over(town, [(on_redis("a", "A"),), (on_redis("b", "A"),)], tmp_path)
    assert {n: r.wrong for n, r in found.items()} == {"a": "", "b": ""}
    assert town.looks == [[], ["A"], [], ["A"]]


def test_what_stays_red_is_laid_to_the_fault_that_was_reverted(
    tmp_path: Path, known: dict[str, Fault], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_BEFORE_TRYING_AGAIN_S", 0.0)
    town = Town(tmp_path, {"a": "A", "b": "B"}, sticky="A")
    found = passed_over(town, [(on_redis("a", "A"),), (on_redis("b", "B"),)], tmp_path)
    assert "A is not green after reverting" in found["a"].wrong


def test_lasting_damage_is_told_once_and_no_later_fault_is_blamed_for_it(
    tmp_path: Path, known: dict[str, Fault], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_BEFORE_TRYING_AGAIN_S", 0.0)
    town = Town(tmp_path, {"a": "AE", "b": "B", "c": "C"}, sticky="E")
    made = [(on_redis(n, n.upper()),) for n in "abc"]
    found = passed_over(town, made, tmp_path)
    assert {n: r.wrong for n, r in found.items() if n != "a"} == {"b": "", "c": ""}
    assert len(town.damage) == 1
    assert town.damage[0].startswith("E is not green after reverting: ")
    assert town.damage[0].endswith("(after a)")


@pytest.mark.parametrize(("red", "is_noise"), [("E", True), ("A", False)])
def test_a_short_pass_excuses_what_remembers_a_busy_machine_but_where_a_fault_names_it(
    tmp_path: Path,
    known: dict[str, Fault],
    monkeypatch: pytest.MonkeyPatch,
    red: str,
    is_noise: bool,
) -> None:
    monkeypatch.setattr(live, "_BEFORE_TRYING_AGAIN_S", 0.0)
    monkeypatch.setattr(live, "_UNTIL_FORGOTTEN_S", (0.0,))
    town = Town(tmp_path, {"a": ["A", red], "b": "B"}, sticky=red)
    town.patient = False
    town.probes |= {red: frozenset({"query_times"})}
    found = passed_over(town, [(on_redis("a", "A"),), (on_redis("b", "B"),)], tmp_path)
    assert (red in town.restless) is is_noise
    assert bool(town.damage) is not is_noise
    assert found["b"].wrong == ""
    if not is_noise:
        assert "A is not green after reverting" in found["a"].wrong


def test_a_fault_is_not_tried_while_a_busy_machine_has_its_item_red(
    tmp_path: Path, known: dict[str, Fault], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Excused as the item is, it would be right whatever came."""
    monkeypatch.setattr(live, "_UNTIL_FORGOTTEN_S", (0.0,))
    town = Town(tmp_path, {"a": "AE", "e": "E"}, sticky="E")
    town.probes |= {"E": frozenset({"query_times"})}
    found = passed_over(town, [(on_redis("a", "A"),), (on_redis("e", "E"),)], tmp_path)
    assert found["a"].wrong == ""
    assert "without it" in found["e"].wrong
    assert "these stayed red" in town.last_look()
    town = Town(tmp_path, {"a": "AE", "e": "E"}, sticky="E")
    town.patient = False
    town.probes |= {"E": frozenset({"query_times"})}
    campaign = Campaign(tmp_path / "reports", 2)
    live_rounds(town, [(on_redis("a", "A"),), (on_redis("e", "E"),)], campaign, float("inf"))
    assert [r.fault for r in campaign.rows] == ["a"]


def test_what_a_busy_machine_has_left_red_is_excused_until_it_is_green(
    tmp_path: Path, known: dict[str, Fault], monkeypatch: pytest.MonkeyPatch
) -> None:
    town = Town(tmp_path, {"a": "A", "b": "BE"})
    town.probes |= {"E": frozenset({"query_times"})}
    town.restless, town.excused = {"E"}, {"E": "slow"}
    found = passed_over(town, [(on_redis("a", "A"),), (on_redis("b", "B"),)], tmp_path)
    assert town.restless == set()
    assert found["a"].wrong == ""
    assert "red beside what it names: E" in found["b"].wrong


def test_what_is_red_for_nothing_but_noise_is_nobodys(
    tmp_path: Path, known: dict[str, Fault], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_BEFORE_TRYING_AGAIN_S", 0.0)
    monkeypatch.setattr(live, "_UNTIL_FORGOTTEN_S", (0.0,))
    town = Town(tmp_path, {"a": "AEF", "b": "B"}, sticky="EF")
    town.says = {"F": resting("E")}
    town.patient = False
    town.probes |= {"E": frozenset({"query_times"})}
    found = passed_over(town, [(on_redis("a", "A"),), (on_redis("b", "B"),)], tmp_path)
    assert {n: r.wrong for n, r in found.items()} == {"a": "", "b": ""}
    assert all(r.tries == 1 for r in found.values())


def test_in_a_pass_a_mismatch_is_laid_to_its_fault_and_what_is_beside_is_told(
    tmp_path: Path, known: dict[str, Fault], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_BEFORE_TRYING_AGAIN_S", 0.0)
    names = "abc"
    town = Town(tmp_path, {"a": "A", "b": "BE", "c": "C"})
    together = tuple(on_redis(n, n.upper()) for n in names)
    found = passed_over(town, [together], tmp_path)
    assert [n for n, r in found.items() if r.wrong] == ["b"]
    assert "red beside what it names: E" in found["b"].wrong
    assert found["b"].how == "alone"
    assert found["a"].tries > 1


# -- planning -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("some", "others", "shared"),
    [
        (["postgres"], ["postgres/refunds"], True),
        (["postgres/refunds"], ["postgres"], True),
        (["postgres/refunds"], ["postgres/refunds"], True),
        (["postgres/refunds"], ["postgres/payouts"], False),
        (["postgres"], ["postgres-standby"], False),
        (["*"], ["anything"], True),
        ([], ["postgres"], False),
    ],
)
def test_places_overlap_where_one_lies_in_the_other(
    some: list[str], others: list[str], shared: bool
) -> None:
    assert rounds.overlap(some, others) is shared


FAULTS = st.lists(
    st.builds(
        lambda touches, red: (frozenset(touches), frozenset(red)),
        st.sets(st.sampled_from(PLACES), min_size=1, max_size=2),
        st.sets(st.sampled_from("ABCDEF"), min_size=1, max_size=3),
    ),
    max_size=14,
).map(lambda made: [a_fault(f"f{n}", t, r) for n, (t, r) in enumerate(made)])


@given(FAULTS, st.sets(st.sampled_from(["f0", "f3", "f5"])), st.integers(0, 3))
def test_rounds_have_each_fault_once_and_none_that_conflict(
    faults: list[Planned], first: set[str], at_most: int
) -> None:
    made = rounds.plan(faults, first=first, at_most=at_most)
    assert sorted(f.name for r in made for f in r) == sorted(f.name for f in faults)
    for together in made:
        assert not any(rounds.conflict(a, b) for a, b in itertools.combinations(together, 2))
        assert not at_most or len(together) <= at_most


@given(FAULTS, st.sets(st.sampled_from(["f0", "f3"])), st.integers(0, 40))
def test_the_order_loses_no_round_and_begins_with_what_changed(
    faults: list[Planned], first: set[str], turn: int
) -> None:
    made = rounds.plan(faults, first=first)
    ordered = rounds.in_order(made, first=first, turn=turn)
    assert sorted(ordered, key=repr) == sorted(made, key=repr)
    urgent = [any(f.name in first for f in r) for r in ordered]
    assert urgent == sorted(urgent, reverse=True)


def test_faults_of_unlike_places_and_items_share_one_round() -> None:
    faults = [a_fault(f"f{n}", [f"part-{n}"], [f"item-{n}"]) for n in range(40)]
    assert [len(r) for r in rounds.plan(faults)] == [40]


def test_another_turn_begins_with_another_round() -> None:
    made = [(a_fault(f"f{n}", ["part"], [f"item-{n}"]),) for n in range(5)]
    begun = {rounds.in_order(made, turn=turn)[0][0].name for turn in range(5)}
    assert len(begun) == 5


def test_a_round_is_followed_by_one_that_leaves_its_items_alone() -> None:
    one, two, three = (
        (a_fault("a", ["x"], ["A", "B"]),),
        (a_fault("b", ["x"], ["A"]),),
        (a_fault("c", ["x"], ["C"]),),
    )
    assert rounds.in_order([one, two, three]) == [two, three, one] or rounds.in_order(
        [one, two, three]
    ) == [one, three, two]


# -- narrowing down -----------------------------------------------------------------------------


class Trials:
    """Attempts over faults of which some are wrong, always or so often."""

    def __init__(self, wrong: Mapping[str, int]) -> None:
        self.left = dict(wrong)
        self.tried: list[list[str]] = []

    def __call__(self, together: Sequence[Planned], number: int) -> Attempt:
        names = [f.name for f in together]
        self.tried.append(names)
        bad = [n for n in names if self.left.get(n, 0) > 0]
        for name in bad:
            self.left[name] -= 1
        # Nobody can tell whose doing a stray red is: all of the round are suspects.
        return Attempt({n: row_of(n, "stray" if bad else "") for n in names})


def row_of(name: str, wrong: str = "") -> Row:
    return Row(name, (), (), (), wrong, 0.0)


def settled(trials: Callable[[Sequence[Planned], int], Attempt], count: int) -> dict[str, Row]:
    faults = [a_fault(f"f{n}", [f"p{n}"], [f"i{n}"]) for n in range(count)]
    found = list(rounds.settle(faults, trials))
    assert len(found) == count
    return {r.fault: r for r in found}


def test_a_round_that_is_right_is_tried_once() -> None:
    trials = Trials({})
    assert {r.tries for r in settled(trials, 8).values()} == {1}
    assert len(trials.tried) == 1


def test_a_mismatch_is_narrowed_down_to_its_fault_and_no_other_is_blamed() -> None:
    trials = Trials({"f5": 99})
    found = settled(trials, 8)
    assert [n for n, r in found.items() if r.wrong] == ["f5"]
    assert trials.tried[-2:] == [["f5"], ["f5"]] or ["f5"] in trials.tried
    assert len(trials.tried) <= 9


def test_two_wrong_ones_of_a_round_are_both_found() -> None:
    found = settled(Trials({"f1": 99, "f6": 99}), 8)
    assert sorted(n for n, r in found.items() if r.wrong) == ["f1", "f6"]


def test_suspects_of_the_same_red_item_are_tried_apart_and_others_together() -> None:
    """Halves would have two of them together once more, and tell nothing."""
    tried: list[list[str]] = []

    def attempt(together: Sequence[Planned], number: int) -> Attempt:
        names = [f.name for f in together]
        tried.append(names)
        if number > 1:
            return Attempt({n: row_of(n) for n in names})
        red = {"f0": {"A"}, "f1": {"A", "B"}, "f2": {"B"}, "f3": {"C"}}
        return Attempt(
            {n: row_of(n, "stray") for n in names}, {n: frozenset(i) for n, i in red.items()}
        )

    settled(attempt, 4)
    assert tried[1:] == [["f0", "f2", "f3"], ["f1"]]


def test_what_goes_wrong_once_is_right_and_tells_its_tries() -> None:
    found = settled(Trials({"f2": 1}), 4)
    assert not any(r.wrong for r in found.values())
    assert {r.tries for r in found.values()} == {2}


def test_a_single_fault_is_tried_alone_twice_before_it_is_wrong() -> None:
    trials = Trials({"f0": 99})
    found = settled(trials, 1)
    assert (found["f0"].wrong, found["f0"].tries) == ("stray", 2)
    assert trials.tried == [["f0"], ["f0"]]


def test_a_first_attempt_that_was_made_is_not_made_again() -> None:
    trials = Trials({})
    faults = [a_fault("f0", ["p"], ["i"])]
    made = Attempt({"f0": row_of("f0")})
    assert [r.fault for r in rounds.settle(faults, trials, made=made)] == ["f0"]
    assert trials.tried == []


# -- the project's faults -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def known() -> dict[str, Fault]:
    register_all()
    return all_faults() | waiting()


def test_what_faults_touch_is_in_words_that_probes_or_papers_know(known: dict[str, Fault]) -> None:
    words = {place.partition("/")[0] for places in reach.REACH.values() for place in places}
    for fault in known.values():
        strange = {p.partition("/")[0] for p in fault.touches} - words - set(reach.WRITTEN)
        assert not strange, f"{fault.name} touches {strange}, which nobody looks at"


def test_every_probe_says_what_it_looks_at(known: dict[str, Fault]) -> None:
    assert set(reach.REACH) == set(REGISTRY)


def test_a_probe_that_does_not_say_so_is_always_looked_at_again(
    monkeypatch: pytest.MonkeyPatch, known: dict[str, Fault]
) -> None:
    monkeypatch.delitem(reach.REACH, "redis_cluster")
    assert "redis_cluster" in reach.touched(["papers/anything.md"])


def test_what_a_probe_needs_is_looked_at_with_it(known: dict[str, Fault]) -> None:
    assert reach.reach("cross_region_copy") >= reach.reach("wal_archive")
    assert {"wal_archive", "cross_region_copy"} <= reach.touched(["archive"])
    assert "redis_cluster" not in reach.touched(["archive", "postgres/refunds"])


def test_faults_share_a_round_where_only_what_follows_is_the_same() -> None:
    faults = all_faults()
    derived = frozenset({"D-9.D.2"})
    one, two = (planned(faults[n], derived) for n in ("notice-silent", "control-evidence-gone"))
    assert "D-9.D.2" in one.expected & two.expected
    assert not rounds.conflict(one, two)


def test_a_fault_of_what_is_red_without_it_is_wrong_and_says_so() -> None:
    row = untried(all_faults()["statement-slowed"], {"D-13.1.2": "D-13.1.2 FAIL: p95 70 ms"})
    assert row.wrong == "without any fault: D-13.1.2 FAIL: p95 70 ms"


def test_every_turn_has_all_faults_what_changed_first() -> None:
    faults = list(all_faults().values())[:7]
    first = {faults[3].name}
    for turn in range(6):
        ordered = in_turn(faults, first, turn)
        assert {f.name for f in ordered} == {f.name for f in faults}
        assert ordered[0] is faults[3]
    assert in_turn(faults, first, 1)[1] is faults[1]


def test_a_change_concerns_the_faults_of_its_file_of_its_probe_and_of_its_items(
    known: dict[str, Fault],
) -> None:
    faults = all_faults().values()
    own = concerned({"rehearsal/faults/backup/encryption.py"}, faults)
    assert own == {f.name for f in faults if f.area == "encryption"}
    probe = concerned({"golive/probes/data/redis.py"}, faults)
    assert {"redis-link-broken", "redis-without-password"} <= probe
    assert "notice-silent" not in probe
    item = concerned({"suites/emergency/test_contacts.py"}, faults)
    assert {"answer-of-20-days-ago", "delegation-expired"} <= item
    assert concerned({"README.md"}, faults) == set()


def test_rows_and_table_stand_there_before_the_campaign_ends(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    campaign = Campaign(tmp_path, total=2)
    campaign.add(dataclasses.replace(row_of("right"), red=("D-1.1.1",), how="round 1"))
    campaign.add(row_of("other", "it hangs"))
    lines = (tmp_path / "campaign.jsonl").read_text().splitlines()
    assert [json.loads(line)["fault"] for line in lines] == ["right", "other"]
    assert "1 passed, 1 failed; 0 not tried" in (tmp_path / "campaign.md").read_text()
    reported = capsys.readouterr().out
    assert re.search(r"1/2 ok +right +D-1\.1\.1 \(round 1\)", reported)
    assert re.search(r"2/2 WRONG other .*\n +it hangs", reported)


# -- what is recorded ---------------------------------------------------------------------------


def test_what_is_recorded_is_of_faults_that_there_are_and_beside_what_they_name(
    known: dict[str, Fault],
) -> None:
    for name, items in faults_recorded().items():
        assert name in known
        assert not set(items) & set(known[name].expect_fail), name


def test_recording_keeps_what_was_not_tried_and_sorts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "recorded", lambda: {"z": ("Z",), "b": ("OLD",), "c": ("C",)})
    monkeypatch.setattr(recorded, "seen", lambda: frozenset({"z", "b"}))
    faults = [all_faults()["notice-silent"]]
    red = ("D-9.2.1", "D-9.D.2", "D-1.1.1")
    made = recorded.text(faults, [Row("notice-silent", (), red, (), "", 1.0)])
    assert list(tomllib.loads(made)) == ["b", "notice-silent", "z", "unseen"]
    assert tomllib.loads(made)["notice-silent"] == ["D-1.1.1", "D-9.D.2"]
    assert tomllib.loads(made)["unseen"] == {"c": ["C"]}
    assert made.startswith("# What goes red")


def test_recording_what_could_not_be_tried_changes_nothing() -> None:
    fault = all_faults()["notice-silent"]
    untried = Row(fault.name, (), (), (), "inject: it hangs", 1.0)
    kept = tomllib.loads(recorded.text([fault], [untried]))
    there = kept | kept.pop(UNSEEN, {})
    assert there == {n: list(items) for n, items in faults_recorded().items()}


def test_what_goes_red_beside_is_taken_as_it_comes_until_it_is_recorded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = {"A": LAG, "C": LAG}
    assert world.judge(tried(beside, CACHE)).suspects == ["cache"]
    monkeypatch.setattr(faults, "seen", frozenset)
    assert world.judge(tried(beside, CACHE)).suspects == []
    assert world.judge(tried({"A": None, "C": LAG}, CACHE)).suspects == ["cache"]


# -- the worker ---------------------------------------------------------------------------------


def test_a_store_begins_with_the_kept_facts_and_looks_no_more_at_them(
    monkeypatch: pytest.MonkeyPatch, env_with: Callable[..., Environment], known: dict[str, Fault]
) -> None:
    for name in ("__init__", "_future"):  # put back afterwards
        monkeypatch.setattr(FactStore, name, getattr(FactStore, name))
    at = datetime(2026, 12, 1, tzinfo=UTC)
    stores: list[FactStore] = []
    worker.seed({"redis_cluster": Facts("redis_cluster", at, 0.1, value="kept")}, stores)
    noted: list[Facts] = []
    store = FactStore(env_with(), noted.append)
    assert noted == []  # nobody has asked
    assert store.get("redis_cluster") == "kept"
    assert store.get("redis_cluster") == "kept"
    assert [(f.probe, f.observed_at, f.value) for f in noted] == [("redis_cluster", at, "kept")]
    assert stores == [store]
    assert worker.gathered(stores)["redis_cluster"].observed_at == at


def test_facts_that_cannot_be_copied_are_not_kept() -> None:
    at = datetime(2026, 12, 1, tzinfo=UTC)
    good, bad = Facts("a", at, 0.1, value=1), Facts("b", at, 0.1, value=lambda: 1)
    kept = worker.portable({"a": good, "b": bad})
    assert list(kept) == ["a"]
    assert pickle.loads(kept["a"]) == good
