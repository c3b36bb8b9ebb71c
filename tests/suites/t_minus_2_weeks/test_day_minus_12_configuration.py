"""Day -12: configuration management, on literal facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from golive.claims import Claim
from golive.probes.platform.config_rollback import ConfigRollback, HistoryEntry
from golive.probes.platform.drift import Drift, PlantedDrift
from golive.probes.platform.flags import Flag, Flags
from golive.probes.platform.launch_flags import (
    FlagOutage,
    FlagReferences,
    FlagTable,
    FlagToggle,
    TableEntry,
)
from golive.probes.platform.processes import ProcessVariables, Variables
from golive.probes.platform.references import Missing
from golive.probes.platform.runbook import SECTIONS, Command, Runbook, Step
from golive.probes.platform.secret_exposure import (
    ConfiguredSecrets,
    Searched,
    SecretFile,
    SecretsElsewhere,
)
from golive.verdicts import ProbeError, Unseen
from tests.checks import breaking

Judged = Callable[..., Claim | None]
UNSEEN = Unseen(ProbeError("app-2", "it does not answer"))
INSTANCES = ("app-1", "app-2")
RELEASED = {"DEBUG": "d1", "SECRET_KEY": "s1"}


@pytest.fixture
def judged() -> Judged:
    return lambda ident, **facts: breaking(ident, facts)


def subject(claim: Claim | None) -> str:
    return "" if claim is None else claim.subject


def an_environment(*instances: str) -> Any:
    named = [SimpleNamespace(name=i) for i in instances]
    flags = SimpleNamespace(synthetic="golive-synthetic")
    return SimpleNamespace(application=SimpleNamespace(instances=named), flags=flags)


def variables(instance: str, digests: Mapping[str, str] = RELEASED, **more: Any) -> Variables:
    return Variables(
        instance, digests, *(more.get(k, ()) for k in ("empty", "placeholders", "unfit"))
    )


def processes(*found: Variables, released: Mapping[str, Any] = RELEASED) -> ProcessVariables:
    return ProcessVariables(released, {v.instance: v for v in found})


def of_variables(judged: Judged, facts: ProcessVariables, *instances: str) -> str:
    env = an_environment(*(instances or INSTANCES))
    return subject(judged("D-12.3.1", process_variables=facts, env=env))


def both(**more: Any) -> ProcessVariables:
    return processes(variables("app-1"), variables("app-2", **more))


def test_instances_that_run_with_the_released_variables_are_green(judged: Judged) -> None:
    assert of_variables(judged, both()) == ""


@pytest.mark.parametrize(
    ("facts", "broken"),
    [
        (processes(variables("app-1")), "instances whose variables are read"),
        (both(digests={"DEBUG": "d1"}), "variables missing"),
        (both(digests={**RELEASED, "OLD": "o"}), "variables not released"),
        (both(digests={**RELEASED, "DEBUG": "d2"}), "values unlike the release's"),
        (both(empty=("DEBUG",)), "variables that are empty"),
        (both(placeholders=("DEBUG",)), "placeholders and test keys"),
        (both(unfit=("DEBUG is no boolean",)), "values of another type or range"),
    ],
)
def test_each_way_to_run_with_other_variables_is_red(
    judged: Judged, facts: ProcessVariables, broken: str
) -> None:
    assert of_variables(judged, facts) == broken


def test_instances_that_differ_are_red_though_the_release_cannot_be_looked_up(
    judged: Judged,
) -> None:
    unknown = {**RELEASED, "SECRET_KEY": UNSEEN}
    differing = processes(
        variables("app-1"), variables("app-2", {**RELEASED, "SECRET_KEY": "s2"}), released=unknown
    )
    assert of_variables(judged, differing) == "variables that differ between instances"


def test_another_set_of_instances_than_the_declared_one_is_red(judged: Judged) -> None:
    assert of_variables(judged, both(), "app-1", "app-2", "app-3") == "instances"


def test_an_instance_that_cannot_be_looked_at_hides_no_fault_of_the_other(judged: Judged) -> None:
    half = ProcessVariables(RELEASED, {"app-1": variables("app-1"), "app-2": UNSEEN})
    claim = judged("D-12.3.1", process_variables=half, env=an_environment(*INSTANCES))
    assert claim is not None
    assert claim.unseen is not None
    wrong: dict[str, Variables | Unseen] = {
        "app-1": variables("app-1", empty=("DEBUG",)),
        "app-2": UNSEEN,
    }
    claim = judged(
        "D-12.3.1",
        process_variables=ProcessVariables(RELEASED, wrong),
        env=an_environment(*INSTANCES),
    )
    assert subject(claim) == "variables that are empty"


def test_what_cannot_be_looked_up_is_not_taken_for_equal(judged: Judged) -> None:
    unknown = {**RELEASED, "SECRET_KEY": UNSEEN}
    facts = processes(variables("app-1"), variables("app-2"), released=unknown)
    claim = judged("D-12.3.1", process_variables=facts, env=an_environment(*INSTANCES))
    assert claim is not None
    assert claim.unseen is not None


# -- flags -----------------------------------------------------------------------------------------


def a_flag(name: str, state: str = "on") -> Flag:
    share = state if state.endswith("%") else ""
    return Flag(name, "", state != "off", state == "on", stale=False, share=share)


def flag_facts(**changed: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "flags": Flags({n: a_flag(n, s) for n, s in (("new", "on"), ("old", "off"))}),
        "flag_references": FlagReferences({"new": ("a.py",), "old": ("b.py",)}, 2),
        "flag_table": FlagTable(
            (
                TableEntry("new", "ada", default=True, launch="on"),
                TableEntry("old", "ada", default=False, launch="off"),
            ),
            "",
        ),
        "flag_toggle": FlagToggle(
            "golive-synthetic", {"app-1": 1.0, "app-2": 2.0}, {"app-1": 1.0, "app-2": 60.0}
        ),
        "flag_outage": FlagOutage({"new": True, "old": False}),
        "env": an_environment(*INSTANCES),
        "context": SimpleNamespace(roster=SimpleNamespace(people={"ada": None})),
    }
    return facts | changed


def of_flags(judged: Judged, **changed: Any) -> str:
    return subject(judged("D-12.3.3", **flag_facts(**changed)))


def test_flags_as_the_table_has_them_are_green_beside_the_synthetic_one(judged: Judged) -> None:
    assert of_flags(judged) == ""
    found = {**flag_facts()["flags"].all, "golive-synthetic": a_flag("golive-synthetic", "off")}
    assert of_flags(judged, flags=Flags(found)) == ""


def test_each_way_that_flags_are_not_prepared_is_red(judged: Judged) -> None:
    facts = flag_facts()
    table, toggle, found = facts["flag_table"], facts["flag_toggle"], facts["flags"].all
    owned, _ = table.entries
    gone = Flags({"new": found["new"]})
    assert of_flags(judged, flags=gone) == "flags of the service"
    assert of_flags(judged, flags=Flags({})) == "flags of the service"
    nobody = FlagReferences({}, 2)
    assert of_flags(judged, flag_references=nobody) == "flags of the service"
    short = replace(table, entries=(owned,))
    assert of_flags(judged, flag_table=short) == "flags of the launch table"
    ownerless = replace(table, entries=(owned, TableEntry("old", "", default=False, launch="off")))
    assert of_flags(judged, flag_table=ownerless) == "flags without an owner on the roster"
    part = Flags({**found, "new": a_flag("new", "25%")})
    assert of_flags(judged, flags=part) == "states unlike the table's"
    unsigned = replace(table, signature_cause="it is not signed")
    assert of_flags(judged, flag_table=unsigned) == "approval of the table"
    stuck = replace(toggle, back_s={"app-1": 1.0, "app-2": float("inf")})
    assert of_flags(judged, flag_toggle=stuck) == "synthetic flag shown"
    alone = replace(toggle, over_s={"app-1": 1.0})
    assert of_flags(judged, flag_toggle=alone) == "instances that showed it"
    unsafe = FlagOutage({"new": True, "old": True})
    assert of_flags(judged, flag_outage=unsafe) == "flags that are not safe in an outage"
    silent = FlagOutage({"new": True})
    assert of_flags(judged, flag_outage=silent) == "flags that are not safe in an outage"


# -- secrets ---------------------------------------------------------------------------------------


def own(**changed: Any) -> ConfiguredSecrets:
    facts = ConfiguredSecrets(
        {"KEY": "k1"}, (), [], (), (SecretFile("/etc/app.env", 0o600, "app", "app"),)
    )
    return replace(facts, **changed)


def nowhere(**changed: Any) -> SecretsElsewhere:
    none = Searched(3, ())
    return replace(SecretsElsewhere(none, none, none, none, none), **changed)


def of_secrets(judged: Judged, secrets: Any = None, elsewhere: Any = None, **more: Any) -> str:
    released = more.get("released", {"KEY": "k1"})
    variables_ = processes(variables("app-1", {"KEY": "k1"}), released=released)
    return subject(
        judged(
            "D-12.3.2",
            configured_secrets=secrets or own(),
            secrets_elsewhere=elsewhere or nowhere(),
            process_variables=variables_,
        )
    )


def test_secrets_that_are_their_environments_own_are_green(judged: Judged) -> None:
    assert of_secrets(judged) == ""


def test_each_way_that_a_secret_is_not_proper_is_red(judged: Judged) -> None:
    gone = Unseen(Missing("secretsmanager:a#KEY", "it is not there"))
    assert of_secrets(judged, own(resolved={"KEY": gone})) == "secrets that are not there"
    assert of_secrets(judged, own(resolved={})) == "secrets that are not there"
    assert of_secrets(judged, own(empty=("KEY",))) == "secrets that are empty"
    assert of_secrets(judged, own(in_the_open=["KEY"])) == "secrets in the released file"
    assert of_secrets(judged, own(shared=("KEY",))) == "secrets of others"
    readable = own(files=(SecretFile("/etc/app.env", 0o640, "app", "app"),))
    assert of_secrets(judged, readable) == "files that others may read"
    roots = own(files=(SecretFile("/etc/app.env", 0o600, "backup", "app"),))
    assert of_secrets(judged, roots) == "files that others may read"
    assert of_secrets(judged, released={"KEY": "k2"}) == "instances with another version"
    places = {
        "history": "secrets in git",
        "images": "secrets in images",
        "logs": "secrets in logs",
        "bundle": "secrets in pages",
        "errors": "secrets in errors",
    }
    for place, claim in places.items():
        met = nowhere(**{place: Searched(3, ("there: KEY",))})
        assert of_secrets(judged, elsewhere=met) == claim
        assert of_secrets(judged, elsewhere=nowhere(**{place: Searched(0, ())})) == claim


def test_a_secret_that_may_not_be_read_is_not_said_to_be_missing(judged: Judged) -> None:
    claim = judged(
        "D-12.3.2",
        configured_secrets=own(resolved={"KEY": UNSEEN}),
        secrets_elsewhere=nowhere(images=UNSEEN),
        process_variables=processes(variables("app-1", {"KEY": "k1"}), released={"KEY": UNSEEN}),
    )
    assert claim is not None
    assert claim.unseen is not None


# -- drift -----------------------------------------------------------------------------------------

INF = float("inf")


def of_drift(judged: Judged, drift: Drift | None = None, **changed: Any) -> str:
    env: Any = SimpleNamespace(drift=SimpleNamespace(sources=["files", "flags"], rule="Drift"))
    planted = PlantedDrift(
        rule_loaded=True, reported_min=1, alerted_min=15, unreported_min=1, resolved_min=1
    )
    return subject(
        judged(
            "D-12.3.4",
            config_drift=drift or Drift(59, {"files": 0, "flags": 0}),
            planted_drift=replace(planted, **changed),
            env=env,
        )
    )


def test_drift_that_is_looked_for_is_green(judged: Judged) -> None:
    assert of_drift(judged) == ""


def test_each_way_that_drift_goes_unseen_is_red(judged: Judged) -> None:
    both = {"files": 0.0, "flags": 0.0}
    for age in (61, INF):
        assert of_drift(judged, Drift(age, both)) == "since the last comparison"
    assert of_drift(judged, Drift(1, {"files": 0})) == "sources compared"
    assert of_drift(judged, Drift(1, {})) == "sources compared"
    assert of_drift(judged, Drift(1, {**both, "flags": 2})) == "sources that differ from git"
    assert of_drift(judged, rule_loaded=False) == "rule of the alert"
    for stage in ("reported_min", "alerted_min", "unreported_min", "resolved_min"):
        late: Any = {stage: INF}
        assert of_drift(judged, **late) == "planted difference"
    assert of_drift(judged, alerted_min=15.1) == "planted difference"


# -- rollback --------------------------------------------------------------------------------------

BEFORE = {"app-1": "a", "app-2": "a", "balancer": "b", "flags": "f"}
NOW = datetime(2026, 11, 30, tzinfo=UTC)


def of_rollback(judged: Judged, **changed: Any) -> str:
    history = tuple(HistoryEntry(NOW, what, "omar", what) for what in ("deploy", "rollback"))
    facts = ConfigRollback(
        "", "", 15, BEFORE, {**BEFORE, "app-1": "c", "app-2": "c"}, BEFORE, 1000, (), history
    )
    return subject(judged("D-12.3.5", config_rollback=replace(facts, **changed)))


def test_a_change_that_goes_and_comes_unnoticed_is_green(judged: Judged) -> None:
    assert of_rollback(judged) == ""


def test_each_way_that_a_change_does_not_roll_back_is_red(judged: Judged) -> None:
    assert of_rollback(judged, deploy_failure="refused") == "the deploy command"
    assert of_rollback(judged, rollback_failure="no revision") == "the rollback command"
    assert of_rollback(judged, duration_min=16) == "change and rollback"
    half = {**BEFORE, "app-1": "c"}
    assert of_rollback(judged, changed=half) == "instances it did not reach"
    assert of_rollback(judged, after=half) == "not as before"
    for other in ("balancer", "flags"):
        assert of_rollback(judged, after={**BEFORE, other: "x"}) == "not as before"
    assert of_rollback(judged, requests=999) == "requests meanwhile"
    assert of_rollback(judged, failures=("/: status 502",)) == "requests that failed"
    one = (HistoryEntry(NOW, "deploy", "omar"),)
    assert of_rollback(judged, history=one) == "changes on record"
    nobody = (HistoryEntry(NOW, "deploy", "omar"), HistoryEntry(NOW, "rollback", " "))
    assert of_rollback(judged, history=nobody) == "changes by nobody"


def test_what_was_not_seen_after_a_rollback_is_not_taken_for_back(judged: Judged) -> None:
    assert of_rollback(judged, after={**BEFORE, "flags": UNSEEN}) == "not as before"
    assert of_rollback(judged, after={**BEFORE, "flags": UNSEEN, "app-2": "c"}) == "not as before"


# -- runbook ---------------------------------------------------------------------------------------


def a_runbook(**changed: Any) -> Runbook:
    book = Runbook(
        target="v2.0.0",
        previous="v1.9.0",
        changed_at=NOW,
        deployed_with={"scripts": NOW},
        steps=tuple(Step(s, f"do {s}", "DevOps Lead", has_duration=True) for s in SECTIONS),
        commands=tuple(Command(n, f"run {n}", "") for n in range(10)),
        references=3,
        dangling=(),
        reviews={"technical_lead": "", "devops_lead": ""},
        people=frozenset({"devops lead"}),
    )
    return replace(book, **changed)


def of_runbook(judged: Judged, **changed: Any) -> str:
    env = SimpleNamespace(release=SimpleNamespace(tag="v2.0.0", previous_tag="v1.9.0"))
    return subject(judged("D-12.D.3", deployment_runbook=a_runbook(**changed), env=env))


def test_a_runbook_that_can_be_followed_is_green(judged: Judged) -> None:
    assert of_runbook(judged) == ""


def test_each_way_that_a_runbook_cannot_be_followed_is_red(judged: Judged) -> None:
    steps, commands = a_runbook().steps, a_runbook().commands
    assert of_runbook(judged, target="v1.9.0") == "version that it deploys"
    assert of_runbook(judged, previous="") == "version that it rolls back to"
    later = {"scripts": NOW + timedelta(seconds=1)}
    assert of_runbook(judged, deployed_with=later) == "changed after the runbook"
    assert of_runbook(judged, changed_at=None) == "changed after the runbook"
    assert of_runbook(judged, steps=steps[:2]) == "sections with steps"
    for owner in ("", "somebody"):
        other = (*steps, replace(steps[0], owner=owner))
        assert of_runbook(judged, steps=other) == "steps without an owner"
    endless = (*steps, replace(steps[0], has_duration=False))
    assert of_runbook(judged, steps=endless) == "steps without a duration"
    assert of_runbook(judged, commands=commands[:9]) == "commands"
    bad = (*commands, Command(9, "x", "there is no x"))
    assert of_runbook(judged, commands=bad) == "commands that cannot be run"
    assert of_runbook(judged, dangling=("a.md is not there",)) == "references to nothing"
    unsigned = {"technical_lead": "", "devops_lead": "it is not signed"}
    assert of_runbook(judged, reviews=unsigned) == "reviews that do not count"
    assert of_runbook(judged, reviews={}) == "reviews that do not count"
