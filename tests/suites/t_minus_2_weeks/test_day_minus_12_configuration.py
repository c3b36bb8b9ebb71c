"""Day -12: configuration management, on literal facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from golive.claims import Claim
from golive.probes.platform.flags import Flag, Flags
from golive.probes.platform.launch_flags import (
    FlagOutage,
    FlagReferences,
    FlagTable,
    FlagToggle,
    TableEntry,
)
from golive.probes.platform.processes import ProcessVariables, Variables
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
    wrong = {"app-1": variables("app-1", empty=("DEBUG",)), "app-2": UNSEEN}
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
