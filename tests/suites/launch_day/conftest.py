"""The rehearsal's papers of launch day, written once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from golive import readiness
from golive.probes.people import mail
from golive.probes.traffic import pages
from golive.verdicts import Verdict
from rehearsal.data import release
from rehearsal.kernel.world import Rehearsal
from rehearsal.staff import launch_tools, papers
from tests.suites.launch_day.announced import MAIL, World


@pytest.fixture(scope="module")
def r(tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    r = Rehearsal(tmp_path_factory.mktemp("telling"))
    release.publish(r)
    launch_tools.install(r)
    r.remember(papers.UPDATE, {"day": str(datetime.now(UTC).date()), "id": MAIL})
    papers.write(r)
    return r


@pytest.fixture
def world(r: Rehearsal, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(r)
    first = datetime.now(UTC).replace(hour=20, minute=5) - timedelta(days=2)
    world.looks = [SimpleNamespace(at=first, verdicts={"T0-1230.2.5": Verdict.PASS})]
    monkeypatch.setattr(pages, "_looker", world.looker)
    monkeypatch.setattr(mail, "activity", world.activity)
    monkeypatch.setattr(mail, "replies", lambda _, since: world.inbox)
    monkeypatch.setattr(readiness, "looks", lambda *_: world.looks)
    monkeypatch.setattr(
        readiness,
        "newest",
        lambda _, wanted: {
            i: SimpleNamespace(verdict=SimpleNamespace(verdict=world.verdicts[i]))
            for i in wanted
            if i in world.verdicts
        },
    )
    return world
