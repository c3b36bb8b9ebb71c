from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from math import inf
from types import SimpleNamespace
from typing import Any

import pytest

from golive.claims import Claim
from golive.environments import Environment
from golive.probes.data import failover
from golive.probes.data.failover import (
    STEPS,
    FailoverDrill,
    Reads,
    Reconnection,
    failover_drill,
    on_a_cluster_of_its_own,
)
from golive.probing import REGISTRY
from golive.verdicts import ProbeError, Unseen

APP_1 = Reconnection("app-1", 1.2, 3, 70, (), restarted=False)
APP_2 = replace(APP_1, name="app-2")
GREEN = FailoverDrill(
    primary="db-1",
    standby="db-2",
    writes_per_s=41.0,
    acknowledged=480,
    lost=(),
    without_standby=Reads(asked=110, refused=(), from_standbys=0),
    promotion_failure="",
    timeline_before=3,
    timeline_after=4,
    attempts_on_old=5,
    taken_by_old=(),
    instances=(APP_1, APP_2),
    rebuild_failure="",
    in_recovery=("db-1",),
    rebuilt_streams=True,
    lacking=(),
    durations_s=dict.fromkeys(STEPS, 2.0),
)
UNSEEN = Unseen(ProbeError("app-1", "its metrics do not tell", "tell it"))
COMMANDS = {f"{what}_command": ["false"] for what in ("stop", "start", "promote", "rebuild")}

Judge = Callable[..., Claim | None]
EnvWith = Callable[..., Environment]


def drill(**changes: Any) -> FailoverDrill:
    return replace(GREEN, **changes)


def with_app(**changes: Any) -> FailoverDrill:
    return drill(instances=(APP_1, replace(APP_2, **changes)))


def taking(step: str, seconds: float) -> FailoverDrill:
    return drill(durations_s=GREEN.durations_s | {step: seconds})


@pytest.fixture
def judge(judged: Judge, env_with: EnvWith) -> Callable[[FailoverDrill], Claim | None]:
    env = env_with()
    return lambda found: judged("D-14.2.2", failover_drill=found, env=env)


def test_a_failover_that_went_well_is_green(judge: Callable[..., Claim | None]) -> None:
    assert judge(GREEN) is None
    assert judge(taking("writes restored", 60.0)) is None
    assert judge(drill(timeline_after=7)) is None


@pytest.mark.parametrize(
    ("found", "subject", "observed"),
    [
        (drill(writes_per_s=9.9), "synthetic writes, acknowledged", "9.9 /s"),
        (
            drill(without_standby=Reads(110, ("app-2: /me answers 503 (37 times)",), 0)),
            "reads refused without standby",
            "app-2: /me answers 503 (37 times)",
        ),
        (drill(without_standby=Reads(0, (), 0)), "reads refused without standby", "no reads"),
        (drill(without_standby=Reads(9, (), 2)), "reads that a standby answered meanwhile", "2"),
        (drill(promotion_failure="no quorum"), "promotion of db-2", "no quorum"),
        (drill(timeline_after=3), "timeline of db-2", "3"),
        (taking("writes restored", 60.1), "writes restored", "60.1 s"),
        (taking("writes restored", inf), "writes restored", "never"),
        (drill(lost=("write 7 on timeline 3",)), "acknowledged writes lost", "write 7"),
        (drill(acknowledged=0), "acknowledged writes lost", "no acknowledged writes to look at"),
        (drill(taken_by_old=("db-1 took write -1",)), "writes that db-1 took", "write -1"),
        (drill(attempts_on_old=0), "writes that db-1 took", "no attempts to look at"),
        (drill(instances=(APP_1,)), "application instances", "1"),
        (with_app(after_s=61.0), "instances reconnected", "app-2 61 s"),
        (with_app(refused_since=("503",) * 3), "requests refused afterwards", "app-2: 503 (3"),
        (with_app(restarted=True), "instances started again", "app-2"),
        (drill(rebuild_failure="disk full"), "rebuilding db-1", "disk full"),
        (drill(in_recovery=()), "standbys afterwards", "none"),
        (drill(in_recovery=("db-2",)), "standbys afterwards", "db-2"),
        (drill(rebuilt_streams=False), "WAL receiver of db-1", "no"),
        (drill(lacking=("write 9 on timeline 4",)), "writes that db-1 lacks", "write 9"),
        (taking("old primary rebuilt", inf), "steps without a duration", "old primary rebuilt"),
    ],
)
def test_each_clause_of_a_failover_turns_it_red(
    judge: Callable[..., Claim | None], found: FailoverDrill, subject: str, observed: str
) -> None:
    claim = judge(found)
    assert claim is not None
    assert claim.subject == subject
    assert observed in claim.observed


def test_what_could_not_be_seen_is_not_taken_for_sound(
    judge: Callable[..., Claim | None],
) -> None:
    for found in (drill(lost=UNSEEN), drill(lacking=UNSEEN), with_app(restarted=UNSEEN)):
        claim = judge(found)
        assert claim is not None
        assert claim.unseen is not None
    both = drill(
        instances=(replace(APP_1, restarted=UNSEEN), replace(APP_2, restarted=True)),
    )
    assert both.restarted == ["app-2"]


def test_the_drill_runs_beside_others_only_on_a_cluster_of_its_own(env_with: EnvWith) -> None:
    probe = REGISTRY["failover_drill"]
    assert not on_a_cluster_of_its_own(env_with())
    assert not probe.is_isolated(env_with(failover=COMMANDS))
    own = {**COMMANDS, "cluster_command": ["true"], "end_command": ["true"]}
    assert probe.is_isolated(env_with(failover=own))


@pytest.mark.parametrize(
    ("cluster", "told"),
    [
        ({"nodes": [], "instances": []}, "no primary"),
        ({"nodes": [{"name": "a", "role": "primary", "host": "h", "port": 1}]}, "no standby"),
    ],
)
def test_a_cluster_that_lacks_a_role_is_told(
    env_with: EnvWith, cluster: dict[str, Any], told: str
) -> None:
    answer = {"endpoint": {"host": "127.0.0.1", "port": 1}, "instances": [], **cluster}
    own = {
        **COMMANDS,
        "cluster_command": [
            "{python}",
            "-c",
            f"import json; print(json.dumps({answer!r}))".replace("{", "{{").replace("}", "}}"),
        ],
        "end_command": ["true"],
    }
    with pytest.raises(ProbeError, match=told):
        failover_drill(env_with(failover=own))


def test_a_cluster_that_does_not_start_is_ended_all_the_same(
    env_with: EnvWith, tmp_path: Any
) -> None:
    ended = tmp_path / "ended"
    own = {
        **COMMANDS,
        "cluster_command": ["false"],
        "end_command": ["sh", "-c", f"echo once >> {ended}"],
    }
    with pytest.raises(ProbeError, match=r"failover\.cluster_command"):
        failover_drill(env_with(failover=own))
    assert ended.read_text().splitlines() == ["once", "once"]


def test_the_declared_cluster_needs_an_address_that_stays(env_with: EnvWith) -> None:
    env = env_with(
        failover=COMMANDS,
        postgres={
            "nodes": [
                {"name": "db-1", "role": "primary", "host": "127.0.0.1", "port": 1},
                {"name": "db-2", "role": "standby", "host": "127.0.0.1", "port": 1},
            ],
            "poolers": [],
        },
    )
    with pytest.raises(ProbeError, match=r"no pooler and no failover\.endpoint"):
        failover_drill(env)


def test_nothing_declared_is_told_with_what_to_write(env_with: EnvWith) -> None:
    with pytest.raises(ProbeError, match="no pooler"):
        failover_drill(env_with())


def test_servers_that_do_not_answer_are_no_failover(env_with: EnvWith, dead_port: int) -> None:
    node = {"host": "127.0.0.1", "port": dead_port}
    env = env_with(
        failover={**COMMANDS, "endpoint": node},
        application={"instances": [{"name": "app-1", "url": "http://127.0.0.1:1"}]},
        postgres={
            "nodes": [
                {"name": "db-1", "role": "primary", **node},
                {"name": "db-2", "role": "standby", **node},
            ]
        },
    )
    with pytest.raises(ProbeError, match="db-1 at 127"):
        failover_drill(env)


# -- the watchers --------------------------------------------------------------------------------


def test_writes_are_counted_over_a_time_and_told_by_timeline(env_with: EnvWith) -> None:
    writes = failover._Writes(env_with(), failover._At("h", 1), "ledger")
    assert writes.first_beyond(1) == inf
    assert writes.per_s(0.0, 0.0) == writes.per_s(inf, 5.0) == 0.0
    writes.acks += [failover._Ack(at / 10, at, 1 + (at >= 30)) for at in range(10, 50)]
    assert writes.first_beyond(1) == 3.0
    assert writes.per_s(2.0, 4.0) == pytest.approx(10.5)


def watched(env: Environment, *answers: tuple[float, str]) -> failover._Requests:
    """An instance whose requests took a tenth of a second each."""
    app = failover._Requests(env, failover._App("app-1", "http://127.0.0.1:1"))
    app._answers += [failover._Answer(at, at + 0.1, refused) for at, refused in answers]
    return app


def test_an_instance_has_reconnected_with_its_first_answer_after_writes_were(
    env_with: EnvWith, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failover, "_started", lambda *_: 100.0)
    answers = [(1.0, ""), (2.0, "503"), (2.5, ""), (3.0, "503"), (4.0, ""), (5.0, "503")]
    app = watched(env_with(), *answers)
    app._started = 100.5
    found = app.reconnection(began=1.5, restored=2.6)
    assert found.after_s == pytest.approx(2.6)
    assert replace(found, after_s=2.6) == Reconnection("app-1", 2.6, 2, 1, ("503",), False)
    app._started = 90.0
    assert app.reconnection(1.5, 2.6).restarted
    never = app.reconnection(1.5, inf)
    assert (never.after_s, never.answers_since) == (inf, 0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("# HELP x\nprocess_start_time_seconds 1.79596e+09\n", 1.79596e9),
        ('process_start_time_seconds{job="a"} 17.5\n', 17.5),
        ("process_start_time_seconds_total 3\n", None),
        ("", None),
    ],
)
def test_when_a_process_began_is_read_from_its_metrics(
    env_with: EnvWith, text: str, seconds: float | None
) -> None:
    http: Any = SimpleNamespace(get=lambda url: SimpleNamespace(text=text))
    if seconds is not None:
        assert failover._started(env_with(), http, "http://app-1") == seconds
        return
    with pytest.raises(ProbeError, match="process_start_time_seconds is not among"):
        failover._started(env_with(), http, "http://app-1")


def test_a_watcher_ends_with_its_block() -> None:
    class Count(failover._Watcher):
        turns = 0

        def _go(self) -> None:
            while not self._ends.wait(0.001):
                self.turns += 1

    with Count(threads=2) as count:
        time.sleep(0.05)
    turns = count.turns
    assert turns > 0
    time.sleep(0.02)
    assert count.turns == turns
