from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golive.claims import (
    Claim,
    Fixable,
    above,
    at_least,
    at_most,
    below,
    between,
    collect,
    each_at_least,
    each_at_most,
    equal,
    holds,
    no_failure,
    none_of,
    same_set,
)
from golive.verdicts import ProbeError, Unseen

NUMBERS = st.one_of(st.integers(-(10**12), 10**12), st.floats(-1e12, 1e12))


@given(NUMBERS, NUMBERS)
def test_a_comparison_is_python_s_and_never_reads_like_the_limit_it_is_not(
    observed: float, limit: float
) -> None:
    claims = {
        at_most("x", observed, limit, "ms"): observed <= limit,
        at_least("x", observed, limit, "ms"): observed >= limit,
        below("x", observed, limit, "ms"): observed < limit,
        above("x", observed, limit, "ms"): observed > limit,
    }
    for claim, wanted in claims.items():
        assert bool(claim) is wanted
        if observed != limit:
            assert claim.observed != claim.required.removeprefix("at most ").removeprefix(
                "at least "
            ).removeprefix("below ").removeprefix("above ")


@pytest.mark.parametrize("claim", [at_most, at_least, below, above])
def test_what_is_no_number_satisfies_no_limit(claim: Callable[..., Claim]) -> None:
    assert not claim("x", math.nan, 50)


@given(st.dictionaries(st.text("abc", min_size=1), NUMBERS | st.just(math.nan)), NUMBERS)
def test_a_claim_about_each_holds_for_all_of_at_least_one_and_tells_the_worst(
    observed: dict[str, float], limit: float
) -> None:
    for make, sign in ((each_at_most, 1), (each_at_least, -1)):
        claim = make("x", observed, limit)
        broken = {k: v for k, v in observed.items() if not sign * v <= sign * limit}
        assert bool(claim) is (bool(observed) and not broken)
        if broken:
            first = observed[claim.observed.partition(" ")[0]]
            no_numbers = any(map(math.isnan, broken.values()))
            assert (
                math.isnan(first)
                if no_numbers
                else first == sign * max(sign * v for v in broken.values())
            )


def test_nothing_is_proved_about_an_empty_set() -> None:
    assert not none_of("invalid indexes", [], among=0, of="user indexes")
    assert not same_set("nodes", [], [])
    assert not each_at_most("lag", {}, 10)
    assert not each_at_least("days left", {}, 60)
    assert repr(none_of("invalid indexes", [], among=0, of="user indexes")) == (
        "invalid indexes: no user indexes to look at; required none among at least one of"
        " user indexes"
    )


def test_what_was_looked_at_is_counted_and_may_be_nothing() -> None:
    for among in (["a", "b"], {"a": 1, "b": 2}, 2):
        assert none_of("torn", ["a"], among=among, of="files") == none_of(
            "torn", ["a"], among=2, of="files"
        )
        assert none_of("torn", [], among=among, of="files").observed == "none among 2 files"
    assert not none_of("torn", [], among=(), of="files")
    assert none_of("torn", [], among=(), of="files", may_be_empty=True)


def test_a_failure_is_told_in_place_of_what_is_required() -> None:
    assert no_failure("migration", "", "exit status 0")
    assert repr(no_failure("migration", "", "exit status 0")) == (
        "migration: exit status 0; required exit status 0"
    )
    broken = no_failure("migration", "a lock timeout", "exit status 0", see="its log")
    assert not broken
    assert repr(broken) == "migration: a lock timeout; required exit status 0; see its log"


def test_a_set_that_may_be_empty_says_so_and_is_judged_all_the_same() -> None:
    empty = none_of("late votes", [], among=0, of="votes", may_be_empty=True)
    assert empty
    assert repr(empty) == "late votes: there are no votes; required none among any votes"
    assert none_of("late votes", [], among=2, of="votes", may_be_empty=True)
    assert not none_of("late votes", ["tess"], among=2, of="votes", may_be_empty=True)
    assert not none_of("late votes", ["tess"], among=0, of="votes", may_be_empty=True)


def test_ids_of_all_offenders_are_data_however_many_a_message_shows() -> None:
    ids = [f"D-2.1.{n}" for n in range(1, 9)]
    claim = none_of("red", [f"{i} FAIL" for i in ids], among=9, of="verdicts", ids=ids)
    assert claim.ids == tuple(ids)
    assert "D-2.1.8" not in claim.observed
    assert none_of("red", [], among=9, of="verdicts", ids=[]).ids == ()


def test_a_list_that_a_message_cuts_is_kept_whole() -> None:
    names = [f"ix_{n}" for n in range(106)]
    claim = none_of("duplicates", names, among=200, of="indexes")
    assert claim.observed == "ix_0, ix_1, ix_2, ix_3, ix_4, ix_5 and 100 more (200 indexes)"
    assert claim.whole == tuple(names)
    assert none_of("duplicates", names[:6], among=200, of="indexes").whole == ()
    lags = dict.fromkeys(names, 11.0)
    assert each_at_most("lag", lags, 10, "s").whole[-1] == "ix_105 11 s"
    assert equal("left", names, []).whole == tuple(names)
    assert equal("left", "a long text", "").whole == ()
    differing = same_set("indexes", names, ["another"]).whole
    assert differing[:2] == ("another is missing", "ix_0 is not declared")
    assert len(differing) == 107


def test_a_list_without_end_is_kept_as_far_as_somebody_would_read() -> None:
    claim = none_of("orphans", range(5000), among=5000, of="rows")
    assert claim.whole[-2:] == ("1999", "and 3,000 more")


def test_what_mends_an_offender_is_kept_beside_it() -> None:
    found = [Fixable("a = b", "drop index concurrently b;"), Fixable("c"), "d"]
    claim = none_of("duplicates", found, among=9, of="indexes")
    assert claim.observed == "a = b, c, d (9 indexes)"
    assert claim.sql == ("drop index concurrently b;",)
    ages: dict[str, float] = {
        Fixable("visits", "analyze visits;"): math.inf,
        Fixable("shops", "analyze shops;"): 1.0,
    }
    assert each_at_most("last analysed", ages, 24, "h ago").sql == ("analyze visits;",)


def test_sets_differ_by_name() -> None:
    assert same_set("nodes", ["b", "a", "a"], {"a", "b"})
    broken = same_set("nodes", ["a", "c"], ["a", "b"], see="SHOW SERVERS STATE")
    assert not broken
    assert repr(broken) == (
        "nodes: a, c; missing b; not declared c; required exactly a, b; see SHOW SERVERS STATE"
    )


@pytest.mark.parametrize(
    ("claim", "text"),
    [
        (at_most("replay lag of db-2", 31, 10, "s"), "31 s; required at most 10 s"),
        (below("p95", 50.04, 50, "ms"), "50.04 ms; required below 50 ms"),
        (below("p95", 23.4, 50, "ms"), "23.4 ms; required below 50 ms"),
        (below("p95", math.inf, 50, "ms"), "more than can be told; required below 50 ms"),
        (below("p95", 0.0000123, 50, "ms"), "0.0000123 ms; required below 50 ms"),
        (at_most("fired after", math.inf, 120, "s"), "never; required at most 120 s"),
        (
            each_at_most("last analysed", {"visits": math.inf}, 24, "h ago"),
            "visits never (1 of 1); required each at most 24 h ago",
        ),
        (at_least("rows", 199_999, 200_000), "199,999; required at least 200,000"),
        (at_least("share", 0.8999, 0.9), "0.8999; required at least 0.9"),
        (equal("pool mode", "", "transaction"), "nothing; required transaction"),
        (equal("checksums", False, True), "no; required yes"),
        (holds("PING", False, [], "refused"), "none; required refused"),
        (
            none_of("duplicates", list("abcdefgh"), among=9, of="indexes"),
            "a, b, c, d, e, f and 2 more (9 indexes); required none among at least one of indexes",
        ),
        (
            each_at_most("lag", {"a": 1, "b": 30, "c": 31}, 10, "s"),
            "c 31 s, b 30 s (2 of 3); required each at most 10 s",
        ),
        (
            each_at_least("days left", {"a": 61, "b": 60}, 60, "d"),
            "2 measured, worst b 60 d; required each at least 60 d",
        ),
    ],
)
def test_a_claim_reads_subject_observed_required(claim: Claim, text: str) -> None:
    assert repr(claim) == f"{claim.subject}: {text}"


def test_only_judged_claims_are_evidence_and_only_of_the_innermost_collector() -> None:
    never_judged = at_most("a", 1, 2)
    with collect() as outer:
        assert at_most("b", 1, 2)
        with collect() as inner:
            assert not at_most("c", 3, 2)
        assert not equal("d", 1, 2)
    assert [c.subject for c in outer] == ["b", "d"]
    assert [c.subject for c in inner] == ["c"]
    assert bool(never_judged)
    assert len(outer) == 2


@pytest.mark.parametrize(
    ("observed", "text"),
    [
        (0, "0 d; required 0 to 7 d"),
        (7, "7 d; required 0 to 7 d"),
        (-1, "-1 d; required 0 to 7 d"),
        (7.5, "7.5 d; required 0 to 7 d"),
        (math.nan, "not a number; required 0 to 7 d"),
    ],
)
def test_a_span_has_both_ends_in_it(observed: float, text: str) -> None:
    claim = between("age", observed, 0, 7, "d")
    assert bool(claim) is (observed in (0, 7))
    assert repr(claim) == f"age: {text}"


UNSEEN = Unseen(ProbeError("the standby", "connection refused", "start it"))


@pytest.mark.parametrize(
    "claim",
    [
        at_most("a", cast(float, UNSEEN), 1),
        at_most("a", cast(float, UNSEEN.lag_s), 1),
        at_most("a", 1, cast(float, UNSEEN)),
        equal("a", UNSEEN, 1),
        none_of("a", [], among=cast(int, UNSEEN), of="b"),
        none_of("a", cast(list[str], UNSEEN.worse_than(3)), among=1, of="b"),
        each_at_most("a", cast(dict[str, float], UNSEEN), 1),
    ],
)
def test_a_claim_about_what_was_not_seen_goes_on_and_does_not_hold(claim: Claim) -> None:
    assert claim, "the check goes on to its next claim"
    assert not claim.holds
    assert claim.unseen is UNSEEN.error
    assert repr(claim) == (
        "a: could not be looked at: the standby: connection refused;"
        " required a look at it; see start it"
    )


@pytest.mark.parametrize(
    "use",
    [
        lambda u: u == 1, lambda u: u != 1, lambda u: u > 1, lambda u: u >= 1, lambda u: u + 1,
        lambda u: 1 - u, lambda u: u / 60, lambda u: u["x"], abs, round,
    ],
)  # fmt: off
def test_what_is_reckoned_from_what_was_not_seen_is_not_seen(use: Callable[[Any], Any]) -> None:
    found = use(UNSEEN)
    assert found is UNSEEN
    with pytest.raises(ProbeError, match="connection refused"):
        bool(found)
    assert holds("a", found, "b", "c").unseen is UNSEEN.error


@pytest.mark.parametrize(
    "use",
    [
        bool, len, list, str, float, int, "{}".format, "{:g}".format, lambda u: not u > 1,
        lambda u: 1 if u > 1 else 2, lambda u: 1 in u, lambda u: u in [1, 2],
        lambda u: 1 < u < 2, lambda u: {u}, max, sorted, lambda u: f"{u.name}",
        lambda u: u.names() or 1, "".join,
    ],
)  # fmt: off
def test_what_was_not_seen_can_be_taken_for_nothing(use: Callable[[Any], object]) -> None:
    with pytest.raises(ProbeError, match="connection refused"):
        use(UNSEEN)
