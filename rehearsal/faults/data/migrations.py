"""Faults of the candidate's migrations and their rollback, each released under the very tag."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rehearsal.data import release
from rehearsal.faults import Fault, fault
from rehearsal.kernel.world import Rehearsal

FIRST = "0004_booking_version.py"
BACKFILL = "0006_backfill.py"

SECOND_HEAD = """
from alembic import op

revision = "0009_loyalty_points"
down_revision = "0008_unified_role_required"


def upgrade() -> None:
    op.execute("ALTER TABLE users ADD COLUMN loyalty_points integer")


def downgrade() -> None:
    op.execute("ALTER TABLE users DROP COLUMN loyalty_points")
"""
# A volatile default is computed for every row, so the table is written again under its lock.
REWRITE = """
    op.execute("ALTER TABLE appointments ADD COLUMN weight float8 NOT NULL DEFAULT random()")
    op.execute("SELECT pg_sleep(9)")
    op.execute("ALTER TABLE appointments DROP COLUMN weight")


def downgrade() -> None:"""
DOWNGRADE = (
    'op.execute("ALTER TABLE appointments DROP COLUMN confirmation_code, DROP COLUMN version")'
)
FORGETFUL = """
    op.execute("ALTER TABLE appointments DROP COLUMN notes")
    op.execute("ALTER TABLE appointments ADD COLUMN notes varchar(2000)")
"""


def _add(name: str, text: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        with (folder / "versions" / name).open("a") as file:
            file.write(text)

    return edit


def _change(name: str, old: str, new: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        path = folder / "versions" / name
        text = path.read_text()
        assert old in text, f"{name} no longer says {old!r}"
        path.write_text(text.replace(old, new))

    return edit


def _released(
    name: str,
    expect_fail: list[str],
    title: str,
    edit: Callable[[Path], None],
    *,
    before_the_drill: bool = True,
) -> Fault:
    changed = "release/migrations" if before_the_drill else "release/later"
    touches = ["release/tag", changed]

    @fault(name, expect_fail=expect_fail, touches=touches, title=title)
    def put_out(r: Rehearsal) -> None:
        release.retag(r, edit)

    put_out.revert(release.publish)
    return put_out


_released(
    "second-migration-head",
    ["D-13.3.1"],
    "the candidate's migrations end in two heads",
    _add("0009_loyalty_points.py", SECOND_HEAD),
)
_released(
    "migration-rewrites-table",
    ["D-13.3.1"],
    "a migration writes the appointments again and locks them for 10 s",
    _change(FIRST, "\n\ndef downgrade() -> None:", REWRITE),
)
_released(
    "migration-meets-duplicates",
    ["D-13.3.1"],
    "confirmation codes of two characters are not unique, and the migration stops",
    _change(BACKFILL, "1, 10))", "1, 2))"),
)
_released(
    "downgrade-does-nothing",
    ["D-13.3.3"],
    "the downgrade of 0004 leaves its columns",
    _change(FIRST, DOWNGRADE, "pass"),
)
_released(
    "downgrade-loses-notes",
    ["D-13.3.3"],
    "the downgrade of 0004 empties the appointments' notes",
    _add(FIRST, FORGETFUL),
)

_released(
    "migration-changed-after-the-drill",
    ["D-13.D.3"],
    "a migration was changed and released again after it was tried",
    _add(FIRST, "\n# Changed after the drill.\n"),
    before_the_drill=False,
)


@fault(
    "rollback-slow",
    expect_fail=["D-13.3.3"],
    touches=["drills/rollback_delay_s"],
    title="the rollback takes 35 s longer",
)
def rollback_slow(r: Rehearsal) -> None:
    r.override("drills", rollback_delay_s=35)


@rollback_slow.revert
def rollback_as_it_is(r: Rehearsal) -> None:
    r.clear_override("drills", "rollback_delay_s")
