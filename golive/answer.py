"""The answer to "can we launch": what `golive status --json` writes and the launch page shows.

Plain data with a version, so that a page, a package and a dashboard say the same thing.
docs/readiness.md describes it.
"""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import msgspec

from golive.decoding import convert
from golive.ledger import Claim, Line
from golive.verdicts import COULD_NOT_LOOK, GoliveError

SCHEMA = 2
GO, NO_GO = "GO", "NO-GO"
STALE = "STALE"
"""It was looked at, but too long ago to count."""
SUSPECT = "SUSPECT"
SUSPECTED = f"; {SUSPECT}: "
"""In a reason, before why a statement that lies there does not hold."""
"""It was green, but by a check, threshold, environment or code that is another today."""
MISSING = "NOT LOOKED AT"
UNWRITTEN = "UNWRITTEN"
"""In the procedure, but no check of it exists."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One condition of GO. ``name`` is what ``--fail-on`` takes."""

    name: str
    subject: str
    observed: str
    required: str
    holds: bool


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A person's statement, as far as a page shows it. ``cause``: why it does not hold."""

    id: str
    kind: str
    by: str
    """Name of the person."""
    role: str
    text: str
    risk: str = ""
    made_at: datetime
    expires_at: datetime
    cause: str = ""
    is_superseded: bool = False
    """Whether the same person has stated it again since."""
    evidence: list[str] = []
    links: list[str] = []


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How one item stands now."""

    line: Line
    due: date
    is_due: bool
    counts: bool
    """Whether GO rests on it."""
    state: str
    """A verdict, SUSPECT, STALE, NOT LOOKED AT or UNWRITTEN."""
    is_open: bool
    """Whether it stands in the way."""
    reason: str = ""
    since: datetime | None = None
    """Since when it stands in the way without a break, as far as runs tell."""
    looked_at: datetime | None = None
    fresh_until: datetime | None = None
    run: str = ""
    how: str = ""
    remedy: str = ""
    claims: list[Claim] = []
    said: list[Said] = []


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """An item that stands differently than before."""

    id: str
    title: str
    owner: str
    before: str
    after: str
    reason: str = ""


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """How many items stood how at the end of a day."""

    day: date
    counts: dict[str, int]


class RunRef(msgspec.Struct, frozen=True, kw_only=True):
    """A run that was read. ``cause``: why it, or what of it, does not count."""

    id: str
    started_at: datetime | None = None
    ended_at: datetime | None = None
    who: str = ""
    host: str = ""
    digest: str = ""
    commit: str = ""
    clean: bool | None = None
    by: str = ""
    """Whose signature its end carries, by id on the roster."""
    counts: dict[str, int] = {}
    cause: str = ""


class Remaining(msgspec.Struct, frozen=True, kw_only=True):
    """What one owner still has to do: planned minutes, and the day on which it can be done."""

    owner: str
    items: int
    minutes: int
    done_by: date


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Everything, for one environment and candidate at one moment."""

    schema: int = SCHEMA
    environment: str
    environment_kind: str
    environment_title: str
    candidate: str
    launch_date: date
    today: date
    made_at: datetime
    answer: str
    rules: list[Rule]
    standings: list[Standing]
    changes: list[Change]
    changed_since: datetime | None
    days: list[Day]
    runs: list[RunRef]
    remaining: list[Remaining]
    """The owner whose work ends last first: the critical path."""
    earliest: date | None
    """The first day on which GO is possible; None where that cannot be said."""
    earliest_reason: str
    decisions: list[Said]
    awaited: list[str]
    """Roles that decide on the launch and have not said GO."""
    holders: dict[str, list[str]]
    """Names of the people behind each owner."""
    readiness: str
    """SHA-256 of what an approval rests on: every item before the launch as it stands, and the
    run that says so."""
    rule_changes: list[str]
    """What changed in thresholds, approvers and roster since the first run on record."""
    rules_since: datetime | None
    """When that run began; None where there is none."""
    elsewhere: list[str] | None
    """Records that the store holds and that are not here; None where none was compared."""

    @property
    def is_rehearsal(self) -> bool:
        """Whether it decides nothing."""
        return self.environment_kind == "rehearsal"

    @property
    def broken(self) -> list[Rule]:
        """The rules that do not hold."""
        return [r for r in self.rules if not r.holds]

    @property
    def in_the_way(self) -> list[Standing]:
        """The items that GO rests on and that do not hold."""
        return [s for s in self.standings if s.counts and s.is_open]


def shortened(reason: str, most: int = 160) -> str:
    """A reason for a terminal: what is asked of people is cut, and what to do next; why something
    does not hold, or could not be looked at, never is."""
    if len(reason) <= most:
        return reason
    if reason.startswith(COULD_NOT_LOOK):
        return reason.partition("; next: ")[0]
    asked, mark, cause = reason.partition(SUSPECTED)
    if len(asked) > most:
        asked = f"{asked[:most].rstrip()} …"
    return f"{asked}{mark}{cause}"


def encode(answer: Answer) -> bytes:
    """As JSON, the same bytes for the same answer."""
    return msgspec.json.format(msgspec.json.encode(answer, order="sorted"), indent=1) + b"\n"


def decode(data: bytes, where: Path) -> Answer:
    """From JSON.

    :raises GoliveError: it is no answer, or is newer than this golive; names ``where``.
    """
    try:
        raw = msgspec.json.decode(data)
        schema = raw.get("schema") if isinstance(raw, dict) else None
        if not isinstance(schema, int) or schema > SCHEMA:
            raise GoliveError(
                f"{where}: schema: found {schema!r}; this golive reads up to {SCHEMA}"
            )
        return convert(raw, Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
        raise GoliveError(f"{where}: is damaged: {e}") from None
