"""Faults of the configuration that is packaged with the release, and of its frontend."""

from __future__ import annotations

import re

from rehearsal.data import frontend, release
from rehearsal.faults import fault
from rehearsal.kernel.world import Rehearsal

TOUCHES = ("release/checkout",)
FILE = "config/rehearsal.env"


def _change(r: Rehearsal, pattern: str, replacement: str) -> None:
    """Change this environment's file in the checkout."""
    path = release.migrations(r).parent / FILE
    text, count = re.subn(pattern, replacement, path.read_text(encoding="utf-8"))
    assert count, f"{pattern} is not in {path}"
    path.write_text(text, encoding="utf-8")


@fault(
    "packaged-with-debug",
    expect_fail=["D-12.1.3"],
    title="the packaged configuration switches DEBUG on",
)
def packaged_with_debug(r: Rehearsal) -> None:
    _change(r, r"(?m)^DEBUG=.*$", "DEBUG=true")


@fault(
    "packaged-without-a-key",
    expect_fail=["D-12.1.3"],
    title="the packaged configuration lacks a key that is required",
)
def packaged_without_a_key(r: Rehearsal) -> None:
    _change(r, r"(?m)^SENTRY_DSN=.*\n", "")


@fault(
    "packaged-with-an-unknown-key",
    expect_fail=["D-12.1.3"],
    title="the packaged configuration has a key that nobody knows",
)
def packaged_with_an_unknown_key(r: Rehearsal) -> None:
    _change(r, r"(?m)^(LOG_LEVEL=.*)$", r"\1\nLEGACY_BOOKINGS=1")


@fault(
    "packaged-with-an-unfit-value",
    expect_fail=["D-12.1.3"],
    title="a number of the packaged configuration is none",
)
def packaged_with_an_unfit_value(r: Rehearsal) -> None:
    _change(r, r"(?m)^DB_POOL_SIZE=.*$", "DB_POOL_SIZE=many")


@fault(
    "packaged-with-few-keys",
    expect_fail=["D-12.1.3"],
    title="the packaged configuration ends after a dozen keys",
)
def packaged_with_few_keys(r: Rehearsal) -> None:
    _change(r, r"(?ms)^DB_POOL_SIZE=.*", "")


@fault(
    "packaged-with-a-host-of-staging",
    expect_fail=["D-12.1.3"],
    title="the packaged configuration sends customers to staging",
)
def packaged_with_a_host_of_staging(r: Rehearsal) -> None:
    _change(r, r"(?m)^FRONTEND_URL=.*$", "FRONTEND_URL=https://app.staging.bookedbarber.com")


@fault(
    "packaged-with-staging-database",
    expect_fail=["D-12.1.3"],
    title="the packaged configuration names staging's database",
)
def packaged_with_staging_database(r: Rehearsal) -> None:
    other = "secretsmanager:bookedbarber/staging/database#DATABASE_URL"
    _change(r, r"(?m)^DATABASE_URL=.*$", f"DATABASE_URL={other}")


@fault(
    "packaged-with-localhost",
    expect_fail=["D-12.1.3"],
    title="the packaged configuration names a developer's machine",
)
def packaged_with_localhost(r: Rehearsal) -> None:
    _change(r, r"(?m)^FRONTEND_URL=.*$", "FRONTEND_URL=https://localhost:3000")


@fault(
    "packaged-with-a-live-key",
    expect_fail=["D-12.1.3"],
    title="the packaged configuration takes money for rehearsals",
)
def packaged_with_a_live_key(r: Rehearsal) -> None:
    _change(r, r"(?m)^((?:NEXT_PUBLIC_)?STRIPE_PUBLISHABLE_KEY=pk_)test_", r"\1live_")


@packaged_with_debug.revert
@packaged_without_a_key.revert
@packaged_with_an_unknown_key.revert
@packaged_with_an_unfit_value.revert
@packaged_with_few_keys.revert
@packaged_with_a_host_of_staging.revert
@packaged_with_staging_database.revert
@packaged_with_localhost.revert
@packaged_with_a_live_key.revert
def package_as_released(r: Rehearsal) -> None:
    release.restore_checkout(r)


@fault(
    "frontend-built-for-staging",
    expect_fail=["D-12.1.3"],
    touches=["build/frontend", "edge"],
    title="the frontend was built with staging's addresses",
)
def frontend_built_for_staging(r: Rehearsal) -> None:
    frontend.build(r, "staging")


@frontend_built_for_staging.revert
def build_it_for_this_environment(r: Rehearsal) -> None:
    frontend.build(r)
