"""People with roles, and what they say of an item: votes and decisions as they were signed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from golive import launch, procedure
from golive.claims import Claim, equal
from golive.items import card_of
from golive.people.roster import Person, Roster
from golive.people.statements import Signed, Statement, Vouched
from tests.checks import checks

SUITES = Path(__file__).parents[2] / "suites"


LAUNCH = launch.load(SUITES / "launch.toml")


PROCEDURE = procedure.load(SUITES / "procedure.toml")


NOW = datetime.now(UTC).replace(microsecond=0)


HOLDERS = {
    "tess": "technical_lead",
    "dave": "devops_lead",
    "sam": "security_lead",
    "paul": "product_manager",
    "elena": "executive_team",
}


BACKUPS = {"theo": "technical_lead", "dina": "devops_lead"}


class Resting:
    """Stands for the deliverables: everything rested on holds."""

    def resting(self, _: str, wanted: tuple[str, ...], **more: Any) -> Iterator[Claim]:
        yield equal("what it rests on", len(wanted), len(wanted))


def roster() -> Roster:
    people = {
        p: Person(
            id=p,
            name=p.title(),
            email="",
            phone="",
            roles=[HOLDERS[p]] if p in HOLDERS else [],
            backs_up=[BACKUPS[p]] if p in BACKUPS else [],
        )
        for p in (*HOLDERS, *BACKUPS)
    }
    return Roster(Path("roster.toml"), people, {}, ())


def says(item: str, by: str, minutes_ago: float, *, role: str = "", **data: Any) -> Signed:
    at = NOW - timedelta(minutes=minutes_ago)
    statement = Statement(
        kind="attest" if item else "approve",
        item=item,
        environment="staging",
        environment_kind="staging",
        candidate="v2.0.0",
        by=by,
        role=role or HOLDERS.get(by) or BACKUPS[by],
        text="as I see it",
        data=data,
        made_at=at,
        expires_at=at + timedelta(days=1),
    )
    return Signed(f"{at:%Y%m%dT%H%M%SZ}-{item}-{by}", Path("none"), statement)


def vouched(item: str, *said: Signed) -> Vouched:
    card = card_of(checks()[item])
    assert card is not None
    newest = sorted(said, key=lambda s: s.statement.made_at, reverse=True)
    return Vouched(PROCEDURE.items[item], card, newest, roster())
