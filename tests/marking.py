"""Which tests are `live`, which are `unit`, and which of them stay together under xdist.

Live are those that start something which takes seconds: parts of the rehearsal, its commands, a
database, a browser, Amazon's services. All others are unit tests, and one that starts such a
program fails with the word to write here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import pytest

from rehearsal.kernel.binaries import PARTS, SOURCES

HERE = Path(__file__).resolve().parent

LIVE_FILES = {
    "golive/probes/data/test_database_live.py",
    "golive/probes/saas/test_analytics_live.py",
    "golive/load/test_running.py",
    "golive/probes/saas/test_business_profile.py",
    "golive/probes/saas/test_customer_calendar.py",
    "golive/probes/saas/test_customer_mail.py",
    "golive/probes/saas/test_customer_sms.py",
    "golive/test_first_use.py",
    "golive/probes/data/test_redis_live.py",
    "golive/probes/observe/test_container_use.py",
    "golive/probes/data/test_rows.py",
    "golive/probes/platform/test_helm_chart.py",
    "golive/probes/traffic/test_browser.py",
    "rehearsal/data/test_backup_encryption.py",
    "rehearsal/data/test_drills.py",
    "rehearsal/data/test_product.py",
    "golive/probes/traffic/test_assets_live.py",
    "rehearsal/data/test_failover.py",
    "rehearsal/data/test_tier.py",
    "rehearsal/kernel/test_process_pool.py",
    "rehearsal/parts/data/test_database_parts.py",
    "rehearsal/parts/observe/test_monitoring.py",
    "rehearsal/parts/platform/test_aws.py",
    "rehearsal/parts/platform/test_zones.py",
    "rehearsal/parts/saas/test_saas_stubs.py",
    "rehearsal/parts/traffic/test_assets.py",
    "rehearsal/parts/traffic/test_balancer.py",
    "rehearsal/parts/traffic/test_edge.py",
    "rehearsal/test_up_and_down.py",
}
"""All tests of these files."""
LIVE_FIXTURES = {
    ("golive/probes/observe/test_thresholds.py", "env"),
    ("golive/probes/people/test_escalation.py", "env"),
    ("golive/probes/people/test_messages.py", "r"),
    ("golive/probes/money/test_drills.py", "server"),
    ("golive/reports", "browser"),
    ("golive/test_sound_variants.py", "server"),
    ("rehearsal/app/test_app.py", "server"),
    ("rehearsal/data/test_backups.py", "store"),
    ("", "aws_url"),
}
"""All tests that use these: where they stand, and their names."""


SHARED = ("aws_url", "browser")
"""Fixtures of a whole session or package that are worth having in one worker only."""
PROGRAMS = {program for source in SOURCES for program in source.programs}


def _fixtures(item: pytest.Item) -> Iterator[pytest.FixtureDef[object]]:
    """Every fixture that a test uses, with those that it asks for by the name of a parameter."""
    parameters = getattr(getattr(item, "callspec", None), "params", {}).values()
    names = [*getattr(item, "fixturenames", ()), *(p for p in parameters if isinstance(p, str))]
    # Looked up by pytest already, but for those that parameters name.
    known = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    look_up = item.session._fixturemanager.getfixturedefs
    seen: set[str] = set()
    while names:
        name = names.pop()
        if name not in seen:
            seen.add(name)
            for fixture in known.get(name) or look_up(name, item) or ():
                yield fixture
                names += fixture.argnames


def _group(item: pytest.Item, fixtures: Sequence[pytest.FixtureDef[object]]) -> str:
    """Whose set-up a test shares; empty: it shares none that is worth it."""
    names = {f.argname for f in fixtures}
    for name in SHARED:
        if name in names:
            return name
    once = any(f.scope == "module" and not f._autouse for f in fixtures)
    return item.path.stem if once else ""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test; those that share what is set up once stay on one worker of xdist."""
    for item in items:
        if not item.path.is_relative_to(HERE):
            continue  # pytest loads this also before items of the suites: `pytest --item D-1.2.1`
        fixtures = list(_fixtures(item))
        at = item.path.relative_to(HERE).as_posix()
        live = at in LIVE_FILES or any((f.baseid, f.argname) in LIVE_FIXTURES for f in fixtures)
        item.add_marker("live" if live else "unit")
        if group := _group(item, fixtures):
            item.add_marker(pytest.mark.xdist_group(group))


class _Watch:
    """Refuses that a unit test starts a program of the rehearsal."""

    def __init__(self) -> None:
        self.on = False
        sys.addaudithook(self._heard)

    def _heard(self, event: str, values: tuple[Any, ...]) -> None:
        if not self.on or event != "subprocess.Popen":
            return
        words = [os.fsdecode(word) for word in values[1] if not isinstance(word, int)]
        # What a test wrote itself, to be taken for such a program, is none.
        own = Path(gettempdir())
        paths = [Path(word) for word in words]
        real = {p.name for p in paths if p.is_relative_to(PARTS) or not p.is_relative_to(own)}
        if real & PROGRAMS or "rehearsal" in words[1:3]:
            raise AssertionError(f"a unit test starts {words}; name it in tests/marking.py as live")


_watch = _Watch()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Watch what a unit test starts."""
    _watch.on = item.get_closest_marker("unit") is not None
    try:
        return (yield)
    finally:
        _watch.on = False
