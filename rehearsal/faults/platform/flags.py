"""Faults of the feature flags: in the service, on paper, on an instance."""

from __future__ import annotations

from rehearsal.faults import fault
from rehearsal.faults.saas import saas_stubs
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.platform.app import set_app_faults
from rehearsal.staff import launch_flags

TOUCHES = ["saas-stubs/flags"]
TABLE = ["launch-flags"]


@fault(
    "flag-unlike-the-table",
    expect_fail=["D-12.3.3"],
    title="a flag's launch state is another than the approved one",
)
def flag_unlike_the_table(r: Rehearsal) -> None:
    saas_stubs.patch(r, "flag-unlike-the-table", flags={"express-payouts": {"rollout": 25}})


@flag_unlike_the_table.revert
def set_it_as_approved(r: Rehearsal) -> None:
    saas_stubs.restore(r, "flag-unlike-the-table")


@fault(
    "referenced-flag-gone",
    expect_fail=["D-12.3.3"],
    title="a flag that the code asks for is not in the flag service",
)
def referenced_flag_gone(r: Rehearsal) -> None:
    saas_stubs.flag_gone(r, "referenced-flag-gone", "sms-reminders")


@referenced_flag_gone.revert
def make_it_again(r: Rehearsal) -> None:
    saas_stubs.restore(r, "referenced-flag-gone")


@fault(
    "flags-kept-for-ever",
    expect_fail=["D-12.3.3"],
    touches=["app-2/flags"],
    title="one instance never asks again how the flags are",
)
def flags_kept_for_ever(r: Rehearsal) -> None:
    set_app_faults(r, flags_kept=["app-2"])


@flags_kept_for_ever.revert
def ask_again(r: Rehearsal) -> None:
    set_app_faults(r, flags_kept=None)


@fault(
    "flag-default-unsafe",
    expect_fail=["D-12.3.3"],
    touches=["app/flag-defaults"],
    title="a flag is on while the flag service is down",
)
def flag_default_unsafe(r: Rehearsal) -> None:
    set_app_faults(r, flag_defaults={"express-payouts": True})


@flag_default_unsafe.revert
def restore_its_default(r: Rehearsal) -> None:
    set_app_faults(r, flag_defaults=None)


@fault(
    "flag-table-without-a-flag",
    expect_fail=["D-12.3.3"],
    touches=TABLE,
    title="the launch table leaves a flag out",
)
def flag_table_without_a_flag(r: Rehearsal) -> None:
    _written(r, entries={"calendar-sync": None})


@fault(
    "flag-without-owner",
    expect_fail=["D-12.3.3"],
    touches=TABLE,
    title="a flag's owner is nobody on the roster",
)
def flag_without_owner(r: Rehearsal) -> None:
    _written(r, entries={"calendar-sync": {"owner": "somebody"}})


@fault(
    "flag-table-unsigned",
    expect_fail=["D-12.3.3"],
    touches=TABLE,
    title="nobody has approved the launch table",
)
def flag_table_unsigned(r: Rehearsal) -> None:
    _written(r, signer="")


def _written(r: Rehearsal, **settings: object) -> None:
    r.override("launch-flags", **settings)
    launch_flags.approve(r)


@flag_table_without_a_flag.revert
@flag_without_owner.revert
@flag_table_unsigned.revert
def approve_the_table(r: Rehearsal) -> None:
    r.clear_override("launch-flags")
    launch_flags.approve(r)
