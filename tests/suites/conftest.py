"""What tests of several blocks ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from golive import ledger
from golive.context import Context
from golive.environments import Outline, People
from golive.items import Card
from golive.masking import Mask
from golive.people.roster import load as load_roster
from golive.provenance import Origin
from tests.conftest import make_key, toml
from tests.suites import recorded_facts
from tests.suites.derived import EACH, LAUNCH, PROCEDURE, ROLES, World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    keys = tmp_path / "keys"
    people = []
    for n, role in enumerate(ROLES):
        public = make_key(keys / role).with_suffix(".pub").read_text()
        people.append(
            {
                "id": role,
                "name": role,
                "email": f"{role}@example.com",
                "phone": f"+12025550{100 + n}",
                "roles": [role],
                "keys": [{"public": public}],
            }
        )
    roster = tmp_path / "roster.toml"
    roster.write_text(toml({"schema": 1, "person": people}))
    assert load_roster(roster).holders("finance")
    outline = Outline(
        name="rehearsal",
        kind="rehearsal",
        title="",
        people=People(
            roster=str(roster),
            papers="papers",
            keys=str(keys),
            documents=str(tmp_path / "documents"),
        ),
    )
    origin = Origin("golive", "", ledger.Suite("", None), {i.id: "own" for i in PROCEDURE})
    context = Context(
        tmp_path, tmp_path / "reports", outline, LAUNCH, PROCEDURE, known_origin=origin
    )
    takes = {i: f"def check({', '.join(p)}): ..." for i, p in recorded_facts.FACTS.items()}
    context.__dict__["cards"] = {
        i.id: (Card(i.id, each=i.id in EACH), takes.get(i.id, "")) for i in PROCEDURE
    }
    world = World(context, Mask(), keys)
    world.written()
    return world
