"""Faults of the variables that the instances run with."""

from __future__ import annotations

from rehearsal.faults import fault
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.traffic.balancer import balancer

TOUCHES = ["app-2/variables"]
INSTANCE = "app-2"


def started_with(r: Rehearsal, **variables: str | None) -> None:
    """Start an instance with other values; None: without it."""
    r.override(INSTANCE, variables=variables)
    r.restart(INSTANCE)


def is_up(r: Rehearsal) -> bool:
    """Whether the balancer sends requests to it again."""
    return balancer.servers(r).get(INSTANCE) == "UP"


@fault(
    "instance-of-an-old-file",
    expect_fail=["D-12.3.1"],
    title="one instance was started with the file of an earlier release",
    settled=is_up,
    reverted=is_up,
)
def instance_of_an_old_file(r: Rehearsal) -> None:
    started_with(r, FRONTEND_URL="https://bookedbarber.test", NEXT_PUBLIC_META_PIXEL_ID=None)


@fault(
    "instance-with-another-variable",
    expect_fail=["D-12.3.1"],
    title="an instance has a variable that nobody released",
    settled=is_up,
    reverted=is_up,
)
def instance_with_another_variable(r: Rehearsal) -> None:
    started_with(r, LEGACY_BOOKING="on")


@fault(
    "required-variable-empty",
    expect_fail=["D-12.3.1"],
    title="a required variable of an instance is empty",
    settled=is_up,
    reverted=is_up,
)
def required_variable_empty(r: Rehearsal) -> None:
    started_with(r, SENTRY_DSN="")


@fault(
    "variable-placeholder-left",
    expect_fail=["D-12.3.1"],
    title="a placeholder was left in an instance's variables",
    settled=is_up,
    reverted=is_up,
)
def placeholder_left(r: Rehearsal) -> None:
    started_with(r, GOOGLE_CLIENT_SECRET="changeme")  # noqa: S106 - that it is none is the fault


@instance_of_an_old_file.revert
@instance_with_another_variable.revert
@required_variable_empty.revert
@placeholder_left.revert
def start_it_as_released(r: Rehearsal) -> None:
    r.clear_override(INSTANCE, "variables")
    r.restart(INSTANCE)
