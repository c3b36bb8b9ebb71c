"""Stand-ins for what an attested item of the last weeks is given: people, statements, papers."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from msgspec.structs import replace as changed

from golive import launch, procedure
from golive.papers import kinds
from golive.people.roster import Person, Roster
from golive.verdicts import Pending
from tests.checks import broken

SUITES = Path(__file__).parents[2] / "suites"


LAUNCH = launch.load(SUITES / "launch.toml")


PROCEDURE = procedure.load(SUITES / "procedure.toml")


TODAY = date(2026, 12, 1)


AT = datetime(2026, 12, 1, 12, tzinfo=UTC)


PEOPLE = {
    "paul": ["product_manager"],
    "quinn": ["qa_lead"],
    "elena": ["executive_team"],
    "tess": ["technical_lead"],
    "amy": ["support_lead", "support"],
    "mina": ["support"],
}


DIGESTS = {
    "slides.pdf": "a" * 64,
    "executive-presentation.md": "b" * 64,
    "architecture.md": "c" * 64,
    "business-case.md": "d" * 64,
}


RIGHT = ["tess", "30", "roll back", "v1.9.0", "5"]


def days(count: int) -> date:
    return TODAY + timedelta(count)


def signed(by: str, hours_ago: float = 0, **data: Any) -> Any:
    statement = SimpleNamespace(by=by, data=data, made_at=AT - timedelta(hours=hours_ago))
    return SimpleNamespace(statement=statement, valid=True)


class Said:
    """Stands for what people stated of the item."""

    def __init__(self, *valid: Any) -> None:
        self.valid = self.counted = list(valid)

    def of(self, person: str) -> Any:
        return next((s for s in self.valid if s.statement.by == person), None)

    def claims(self) -> None:
        if not self.valid:
            raise Pending("not stated yet")

    def by_everyone(self, people: list[str], _: str) -> bool:
        if any(self.of(p) is None for p in people):
            raise Pending("somebody has not")
        return True


class Shelf:
    """Stands for the papers: one of each kind."""

    def __init__(self, *papers: Any) -> None:
        self.papers = {type(p): p for p in papers}

    def read(self, kind: Any) -> Any:
        return SimpleNamespace(data=self.papers[kind], sha256="0" * 64)


class Context(SimpleNamespace):
    """Stands for the context on a day of the last week."""

    def __init__(self, **more: Any) -> None:
        people = {
            p: Person(id=p, name=p, email="", phone="", roles=roles) for p, roles in PEOPLE.items()
        }
        super().__init__(
            today=TODAY,
            launch=LAUNCH,
            roster=Roster(Path("roster.toml"), people, {}, ()),
            team=[people[p] for p in ("paul", "quinn", "elena", "tess")],
            statements=SimpleNamespace(exempted=lambda: ["D-14.1.1"]),
            audience=lambda _: ["amy", "mina"],
            vouched=lambda _: Said(signed("tess", 1)),
            signed_otherwise=lambda _, __: [],
            ending_early=lambda _, __: [],
        )
        vars(self).update(more)

    def reloaded(self) -> Context:
        return self

    def digests(self, names: tuple[str, ...]) -> dict[str, str]:
        return {n: DIGESTS[n] for n in names}

    def ids_of(self, block: str) -> list[str]:
        return [i.id for i in PROCEDURE if i.block == block]


def judge(ident: str, **facts: Any) -> str:
    """The subject of the claim that breaks an item; empty when it is green."""
    return broken(ident, {"context": Context(), "limits": LAUNCH.limits, "vouched": Said()} | facts)


def risk(number: int = 1, **changes: Any) -> kinds.Risk:
    known = kinds.Risk(
        id=f"R-{number}",
        title="it breaks",
        area="db",
        likelihood="low",
        impact="high",
        score="high" if number == 1 else "low",
        owner="tess",
        mitigation="fix it",
        mitigated_by=days(2),
        trigger="an alert",
        scored_on=TODAY,
        review_on=TODAY,
        decision="reduce",
        decided_by="elena",
        covers=["#8", "D-14.1.1"] if number == 1 else [],
    )
    return changed(known, **changes)


def register(count: int = 10, ago: int = 0, **first: Any) -> kinds.RiskRegister:
    risks = [risk(1, **first), *(risk(n) for n in range(2, count + 1))]
    return kinds.RiskRegister(changed_on=days(-ago), risks=risks)
