from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

import pytest

from golive.environments import Environment
from golive.probes import register_all
from golive.probes.declared import declared
from golive.probing import REGISTRY, Ended, Facts, FactStore, closure, disturbing, pause, probe
from golive.verdicts import NotPermitted, ProbeError

pytestmark = pytest.mark.usefixtures("registry")
PATIENCE_S = 20.0


def register(name: str, look: Callable[[Environment], object], effect: str = "read") -> None:
    """Register a probe of that name."""

    def named(env: Environment) -> object:
        return look(env)

    named.__name__ = name
    probe(effect=effect)(named)


def within(ask: Callable[[], object], limit_s: float = PATIENCE_S) -> object:
    """What ``ask`` returns or raises; a test that would hang fails."""
    answer: Future[object] = Future()

    def run() -> None:
        try:
            answer.set_result(ask())
        except BaseException as e:  # noqa: BLE001 - handed to whoever asks
            answer.set_exception(e)

    threading.Thread(target=run, daemon=True).start()
    return answer.result(limit_s)


@dataclass(frozen=True, slots=True)
class Nodes:
    count: int


@pytest.fixture
def env(env_with: Callable[..., Environment]) -> Environment:
    return env_with(permits=["read", "write", "load", "disrupt"], time_limits={"probe": PATIENCE_S})


def test_a_probe_is_registered_by_name_and_stays_callable(env: Environment) -> None:
    @probe(effect="load", limit="drill")
    def test_burst(env: Environment, test_nodes: Nodes) -> int:
        """A burst.

        More of it.
        """
        return test_nodes.count

    known = REGISTRY["test_burst"]
    assert (known.needs, known.effect, known.limit) == (("test_nodes",), "load", "drill")
    assert known.summary == "A burst."
    assert test_burst(env, Nodes(3)) == 3
    with pytest.raises(ValueError, match="effect 'loud' is none of read, write, load"):
        probe(effect="loud")
    with pytest.raises(ValueError, match="limit 'drlil' is none of connect, probe, drill"):
        probe(limit="drlil")
    test_burst.__module__ = "elsewhere"
    with pytest.raises(ValueError, match="two probes are named 'test_burst'"):
        register("test_burst", lambda _: None)


def test_what_the_source_declares_is_what_its_modules_register() -> None:
    register_all()
    own = [p for p in REGISTRY.values() if p.look.__module__.startswith("golive.probes.")]
    assert len(own) > 50
    assert [(p.name, p.summary, p.look.__module__) for p in own] == [
        (d.name, d.summary, d.module) for d in map(declared().get, [p.name for p in own]) if d
    ]
    assert {p.name for p in own} == set(declared())


def test_asking_for_a_probe_registers_it_with_what_it_needs_and_nothing_else() -> None:
    program = """
import sys
from golive.probes.declared import declared, register
from golive.probing import REGISTRY
names = set(declared())
assert not REGISTRY
register(["no_probe", "stripe_account"])
print(sorted(REGISTRY), sorted(m for m in sys.modules if m.startswith("golive.probes.data.")))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "stripe_account" in done.stdout, done.stderr
    assert "golive.probes.data.postgres" not in done.stdout


def test_every_probe_looks_once_and_all_that_share_it_get_the_same_facts(env: Environment) -> None:
    looks: list[str] = []

    @probe()
    def test_nodes(env: Environment) -> Nodes:
        looks.append("nodes")
        return Nodes(2)

    @probe()
    def test_lag(env: Environment, test_nodes: Nodes) -> int:
        looks.append("lag")
        return test_nodes.count * 10

    reported: list[Facts] = []
    store = FactStore(env, reported.append)
    assert store.start(["test_lag", "no probe"]) == (["test_nodes", "test_lag"], [])
    found = [store.get("test_lag") for _ in range(3)]
    assert found == [20, 20, 20]
    assert store.get("test_nodes") is store.get("test_nodes")
    assert looks == ["nodes", "lag"]
    assert [f.probe for f in reported] == ["test_nodes", "test_lag"]
    assert all(f.observed_at.utcoffset() is not None for f in reported)


def test_quiet_probes_look_side_by_side(env: Environment) -> None:
    all_at_once = threading.Barrier(6)

    def look(env: Environment) -> int:
        return all_at_once.wait(PATIENCE_S)  # passes only while all six are looking

    names = [f"test_quiet_{n}" for n in range(6)]
    for name in names:
        register(name, look)
    store = FactStore(env)
    store.start(names)
    assert sorted(store.get(name) for name in names) == [0, 1, 2, 3, 4, 5]


def test_a_loud_probe_waits_until_it_is_asked_for_and_until_no_quiet_one_looks(
    env: Environment,
) -> None:
    may_end, looking = threading.Event(), threading.Event()
    quiet_ended: list[bool] = []

    @probe(effect="write")
    def test_quiet(env: Environment) -> None:
        looking.set()
        may_end.wait(PATIENCE_S)
        quiet_ended.append(True)

    @probe(effect="disrupt")
    def test_loud(env: Environment) -> bool:
        return bool(quiet_ended)

    @probe()
    def test_after(env: Environment, test_loud: bool) -> bool:
        return test_loud

    names = ["test_quiet", "test_loud", "test_after"]
    assert disturbing(closure(names)) == {"test_loud", "test_after"}
    store = FactStore(env)
    assert store.start(names) == (["test_quiet"], [])
    assert looking.wait(PATIENCE_S)
    threading.Timer(0.05, may_end.set).start()
    assert within(lambda: store.get("test_after")) is True


def test_drills_on_copies_run_beside_long_looks_and_before_what_runs_alone(
    env: Environment,
) -> None:
    both_drill, may_end = threading.Barrier(2), threading.Event()
    drilled: list[str] = []
    quick_ended = threading.Event()

    @probe()
    def test_quick(env: Environment) -> None:
        quick_ended.set()

    @probe(effect="write", limit="drill")
    def test_long(env: Environment) -> None:
        may_end.wait(PATIENCE_S)

    def drill(name: str) -> None:
        assert quick_ended.is_set()
        both_drill.wait(PATIENCE_S)  # passes only while the other drills as well
        drilled.append(name)

    @probe(effect="disrupt", limit="drill", isolated=True)
    def test_restore(env: Environment) -> None:
        drill("restore")

    @probe(effect="disrupt", limit="drill", isolated=True)
    def test_migrate(env: Environment) -> None:
        drill("migrate")

    @probe(effect="load", limit="drill")
    def test_burst(env: Environment) -> list[str]:
        assert may_end.is_set()
        return sorted(drilled)

    store = FactStore(env)
    started = store.start(["test_quick", "test_long", "test_restore", "test_migrate", "test_burst"])
    assert started == (["test_quick", "test_long"], ["test_restore", "test_migrate"])
    within(lambda: (store.get("test_restore"), store.get("test_migrate")))
    threading.Timer(0.05, may_end.set).start()
    assert within(lambda: store.get("test_burst")) == ["migrate", "restore"]


def test_a_session_that_ends_early_waits_for_drills_to_clean_up_and_begins_none(
    env: Environment,
) -> None:
    drilling, may_end = threading.Event(), threading.Event()
    cleaned_up: list[bool] = []

    @probe(effect="disrupt", limit="drill", isolated=True)
    def test_restore(env: Environment) -> None:
        drilling.set()
        may_end.wait(PATIENCE_S)
        cleaned_up.append(True)

    @probe(effect="disrupt", limit="drill")
    def test_failover(env: Environment) -> None:
        raise AssertionError("it must not begin")

    store = FactStore(env)
    store.start(["test_restore"])
    assert drilling.wait(PATIENCE_S)
    threading.Timer(0.05, may_end.set).start()
    assert store.under_way() == ["test_restore"]
    assert within(store.finish) == Ended(waited=("test_restore",), left=())
    assert cleaned_up == [True]
    error = within(lambda: store.facts("test_failover").error)
    assert "the session ended first" in str(error)


@pytest.mark.parametrize("effect", ["write", "load", "disrupt"])
def test_a_look_that_changes_something_is_awaited_until_it_has_cleaned_up(
    env: Environment, effect: str
) -> None:
    begun, may_end = threading.Event(), threading.Event()
    cleaned_up: list[bool] = []

    @probe(effect=effect)
    def test_changes(env: Environment) -> None:
        try:
            begun.set()
            may_end.wait(PATIENCE_S)
        finally:
            cleaned_up.append(True)

    store = FactStore(env)
    threading.Thread(target=store.facts, args=("test_changes",), daemon=True).start()
    assert begun.wait(PATIENCE_S)
    threading.Timer(0.05, may_end.set).start()
    assert within(store.finish) == Ended(waited=("test_changes",), left=())
    assert cleaned_up == [True]


def test_a_look_that_only_reads_is_not_awaited(env: Environment) -> None:
    begun = threading.Event()

    @probe()
    def test_reads(env: Environment) -> None:
        begun.set()
        threading.Event().wait(PATIENCE_S)

    store = FactStore(env)
    store.start(["test_reads"])
    assert begun.wait(PATIENCE_S)
    assert within(store.finish, PATIENCE_S / 2) == Ended((), ())


def test_a_look_past_its_limit_is_awaited_at_the_end_and_told_where_it_is_left(
    env_with: Callable[..., Environment],
) -> None:
    may_end = threading.Event()

    @probe(effect="write")
    def test_slow(env: Environment) -> None:
        may_end.wait(PATIENCE_S)

    @probe(effect="write")
    def test_stuck(env: Environment) -> None:
        threading.Event().wait(PATIENCE_S)

    env = env_with(time_limits={"probe": 0.05, "drill": 0.5})
    store = FactStore(env)
    store.start(["test_slow", "test_stuck"])
    for name in ("test_slow", "test_stuck"):
        with pytest.raises(ProbeError, match=r"no answer within 0\.05 s"):
            store.get(name)
    threading.Timer(0.05, may_end.set).start()
    assert within(store.finish) == Ended(waited=("test_slow",), left=("test_stuck",))


def test_a_look_that_pauses_is_woken_by_the_end_of_the_session_and_cleans_up(
    env: Environment,
) -> None:
    paging = threading.Event()
    cleaned_up: list[bool] = []

    @probe(effect="write", limit="drill")
    def test_drill(env: Environment) -> None:
        try:
            paging.set()
            pause(PATIENCE_S * 10)
        finally:
            cleaned_up.append(True)

    store = FactStore(env)
    store.start(["test_drill"])
    assert paging.wait(PATIENCE_S)
    assert within(store.finish, PATIENCE_S / 2) == Ended(waited=("test_drill",), left=())
    assert cleaned_up == [True]
    assert "the session ended first" in str(within(lambda: store.facts("test_drill").error))


def test_a_quiet_probe_that_needs_a_loud_one_does_not_wait_for_itself(env: Environment) -> None:
    @probe(effect="load")
    def test_loud(env: Environment) -> int:
        return 1

    @probe()
    def test_after(env: Environment, test_loud: int) -> int:
        return test_loud + 1

    assert within(lambda: FactStore(env).get("test_after")) == 2


def test_what_could_not_look_fails_all_that_need_it_with_one_and_the_same_error(
    env: Environment,
) -> None:
    @probe()
    def test_nodes(env: Environment) -> None:
        raise ProbeError("db-1", "refused", "start it")

    @probe()
    def test_lag(env: Environment, test_nodes: Nodes) -> None:
        raise RuntimeError("this must never run")

    reported: list[Facts] = []
    store = FactStore(env, reported.append)
    caught = []
    for name in ("test_lag", "test_nodes", "test_lag"):
        with pytest.raises(ProbeError) as error:
            store.get(name)
        caught.append(error.value)
    assert len(set(map(id, caught))) == 1
    assert str(caught[0]) == "could not look at db-1: refused; next: start it"
    assert {f.probe: f.error for f in reported} == {"test_nodes": caught[0], "test_lag": caught[0]}


@pytest.mark.parametrize(
    "error", [KeyError("absent"), AssertionError("x"), SystemExit(0), TimeoutError("socket")]
)
def test_any_other_error_of_a_probe_also_means_that_it_could_not_look(
    env: Environment, error: BaseException
) -> None:
    def look(env: Environment) -> None:
        raise error

    register("test_broken", look)
    with pytest.raises(ProbeError) as caught:
        within(lambda: FactStore(env).get("test_broken"))
    assert caught.value.subject == "test_broken"
    assert type(error).__name__ in caught.value.cause
    assert caught.value.next_step == "see the probe test_broken"


def test_a_probe_past_its_time_limit_is_left_behind(env_with: Callable[..., Environment]) -> None:
    @probe(limit="drill")
    def test_hangs(env: Environment) -> None:
        """The standby."""
        threading.Event().wait(PATIENCE_S)

    env = env_with(time_limits={"drill": 0.05})
    with pytest.raises(ProbeError) as caught:
        within(lambda: FactStore(env).get("test_hangs"), PATIENCE_S / 2)
    assert str(caught.value) == (
        "could not look at The standby.: no answer within 0.05 s (time_limits.drill);"
        " next: see the probe test_hangs"
    )


def test_a_probe_that_needs_what_is_no_probe_says_so(env: Environment) -> None:
    @probe()
    def test_lag(env: Environment, test_nods: int) -> None: ...

    with pytest.raises(ProbeError, match="it needs 'test_nods', which is no probe"):
        within(lambda: FactStore(env).get("test_lag"))


def test_an_effect_that_is_not_permitted_is_never_had(
    env_with: Callable[..., Environment],
) -> None:
    looked: list[str] = []

    def noting(effect: str) -> Callable[[Environment], object]:
        return lambda _: looked.append(effect)

    for effect in ("read", "write", "load", "disrupt", "spend"):
        register(f"test_{effect}", noting(effect), effect)
    store = FactStore(env_with(permits=["write"]))
    for effect in ("read", "load", "disrupt", "spend"):
        with pytest.raises(NotPermitted, match=f"staging does not permit the effect '{effect}'"):
            store.get(f"test_{effect}")
    store.get("test_write")
    assert looked == ["write"]


def test_facts_that_could_not_be_kept_are_no_evidence(env: Environment) -> None:
    def reported(_: Facts) -> None:
        raise OSError("disk full")

    register("test_fine", lambda env: 7)
    with pytest.raises(ProbeError, match="its facts could not be kept: OSError: disk full"):
        within(lambda: FactStore(env, reported).get("test_fine"))
