"""Faults of the packages that the product is made of."""

from __future__ import annotations

import json
import re
from datetime import timedelta

from rehearsal.data import dependencies, release
from rehearsal.faults import fault
from rehearsal.kernel.world import Rehearsal

TOUCHES = ("release/checkout",)
KNOWN = "GHSA-8q59-q68h-6hv4"
"""The advisory by which an audit of Python packages shows that it works."""


def _relock(r: Rehearsal, pattern: str, replacement: str) -> None:
    """Change the backend's lock file in the checkout."""
    path = release.migrations(r).parent / dependencies.BACKEND
    text, count = re.subn(pattern, replacement, path.read_text(encoding="utf-8"), count=1)
    assert count, f"{pattern} is not in {path}"
    path.write_text(text, encoding="utf-8")


@fault(
    "dependency-with-high-advisory",
    expect_fail=["D-12.1.4"],
    title="the backend is locked to a package with a high advisory",
)
def dependency_with_high_advisory(r: Rehearsal) -> None:
    _relock(r, r"(?m)^pyjwt==[\w.]+", "pyjwt==2.3.0")


@fault(
    "dependency-not-pinned",
    expect_fail=["D-12.1.4"],
    title="the lock file names no single version of a package",
)
def dependency_not_pinned(r: Rehearsal) -> None:
    _relock(r, r"(?m)^jinja2==", "jinja2>=")


@fault(
    "dependency-without-hash",
    expect_fail=["D-12.1.4"],
    title="the lock file has no hash of one package",
)
def dependency_without_hash(r: Rehearsal) -> None:
    _relock(r, r"(?m)^(uvicorn==[\w.]+)(?: \\\n +--hash=\S+)+", r"\1")


@fault(
    "frontend-lock-empty",
    expect_fail=["D-12.1.4"],
    title="the frontend's lock file names no package",
)
def frontend_lock_empty(r: Rehearsal) -> None:
    path = release.migrations(r).parent / dependencies.FRONTEND
    document = json.loads(path.read_text(encoding="utf-8"))
    document["packages"] = {"": document["packages"][""]}
    path.write_text(json.dumps(document), encoding="utf-8")


@dependency_with_high_advisory.revert
@dependency_not_pinned.revert
@dependency_without_hash.revert
@frontend_lock_empty.revert
def lock_as_released(r: Rehearsal) -> None:
    release.restore_checkout(r)


@fault(
    "package-added-on-one-instance",
    expect_fail=["D-12.1.4"],
    touches=["build/packages"],
    title="one instance has a package that nobody locked",
)
def package_added_on_one_instance(r: Rehearsal) -> None:
    dependencies.add_package(r, dependencies.INSTANCES[1], "left_pad", "1.3.0")


@package_added_on_one_instance.revert
def install_as_locked(r: Rehearsal) -> None:
    dependencies.install(r)


@fault(
    "advisories-ten-days-old",
    expect_fail=["D-12.1.4"],
    touches=["build/advisories"],
    title="the advisories were fetched ten days ago",
)
def advisories_ten_days_old(r: Rehearsal) -> None:
    dependencies.fetch_advisories(r, age=timedelta(days=10))


@fault(
    "advisories-without-a-known-one",
    expect_fail=["D-12.1.4"],
    touches=["build/advisories"],
    title="the audit does not know a weakness that everybody knows",
)
def advisories_without_a_known_one(r: Rehearsal) -> None:
    next(dependencies.advisories(r).rglob(f"{KNOWN}.json")).unlink()


@advisories_ten_days_old.revert
@advisories_without_a_known_one.revert
def fetch_advisories_again(r: Rehearsal) -> None:
    dependencies.fetch_advisories(r)


@fault(
    "waiver-of-a-weakness-expired",
    expect_fail=["D-12.1.4", "D-12.1.1"],
    touches=["build/waivers"],
    title="the time for which a weakness was accepted is over",
)
def waiver_of_a_weakness_expired(r: Rehearsal) -> None:
    dependencies.write_waivers(r, for_days=-1)


@waiver_of_a_weakness_expired.revert
def accept_it_again(r: Rehearsal) -> None:
    dependencies.write_waivers(r)
