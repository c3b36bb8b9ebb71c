"""Faults of the candidate's migrations and their rollback, each released under the very tag."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rehearsal.data import release
from rehearsal.faults import Fault, fault
from rehearsal.kernel.world import Rehearsal

FIRST = "0004_booking_version.py"
BACKFILL = "0006_backfill.py"
LAST = "0009_mfa_and_exports.py"
APPLIED = "    op.execute(TABLES)\n"
"""What the last one does."""

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
RAISE = """
    op.execute("UPDATE payments SET amount = amount + 1 WHERE id % 100 = 0")
"""
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
    touches = ["release/tag", "checkout", changed]  # reverting lays all of it out again

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
    "migration-adds-a-column",
    ["D-13.3.1"],
    "the migrations add a column that the candidate's schema does not declare",
    _change(LAST, "    enabled_at timestamptz\n", "    enabled_at timestamptz,\n    device text\n"),
)
_released(
    "migration-changes-payments",
    ["D-13.3.1"],
    "a migration raises the amount of payments",
    _change(LAST, APPLIED, APPLIED + RAISE),
)


def _hides_services(folder: Path) -> None:
    """Between the first migration and the last, v1.9.0 finds no services."""
    _change(
        FIRST,
        "\n\ndef downgrade() -> None:",
        '    op.execute("ALTER TABLE services RENAME TO services_moved")\n\n\n'
        "def downgrade() -> None:",
    )(folder)
    back = f"""    op.execute("ALTER TABLE services_moved RENAME TO services")\n{APPLIED}"""
    _change(LAST, APPLIED, f"""    op.execute("SELECT pg_sleep(2)")\n{back}""")(folder)


_released(
    "migration-hides-services",
    ["D-13.3.1"],
    "the release before finds no services while the data is migrated",
    _hides_services,
)
_released(
    "downgrade-fails",
    ["D-13.3.3"],
    "the downgrade of 0004 gives up",
    _change(FIRST, DOWNGRADE, 'raise RuntimeError("there is no way back")'),
)
_released(
    "downgrade-changes-new-bookings",
    ["D-13.3.3"],
    "the downgrade of 0004 changes what was booked last",
    _add(
        FIRST,
        """
    op.execute(
        "UPDATE appointments SET price = price + 1"
        " WHERE id > (SELECT max(id) - 5 FROM appointments)"
    )
""",
    ),
)
_released(
    "downgrade-renames-a-column",
    ["D-13.3.3"],
    "after the downgrade of 0004 the release before does not find the prices",
    _add(FIRST, """    op.execute("ALTER TABLE services RENAME base_price TO price")\n"""),
)
_released(
    "loss-not-declared",
    ["D-13.3.3"],
    "what the rollback loses of the users is not on the list",
    lambda folder: _without_loss(folder, "unified_role"),
)


def _without_loss(folder: Path, column: str) -> None:
    path = folder / "losses.toml"
    head, *losses = path.read_text().split("[[lost]]")
    kept = [loss for loss in losses if f'"{column}"' not in loss]
    assert len(kept) < len(losses), f"{path.name} does not list {column}"
    path.write_text("[[lost]]".join([head, *kept]))


@fault(
    "migrations-not-as-tagged",
    expect_fail=["D-13.3.1"],
    touches=["release/migrations", "checkout"],
    title="what the drill runs is not what the tag has",
)
def migrations_not_as_tagged(r: Rehearsal) -> None:
    _add(FIRST, "\n# Not committed.\n")(release.migrations(r))


@migrations_not_as_tagged.revert
def check_the_tag_out(r: Rehearsal) -> None:
    release.restore_checkout(r)


@fault(
    "copy-at-the-candidate",
    # There is nothing left to migrate on it.
    expect_fail=["D-13.3.1"],
    touches=["drills/copied_release"],
    title="the copy already has the candidate's schema before the migration",
)
def copy_at_the_candidate(r: Rehearsal) -> None:
    r.override("drills", copied_release=list(release.heads())[-1])


@copy_at_the_candidate.revert
def copy_at_the_release_before(r: Rehearsal) -> None:
    r.clear_override("drills", "copied_release")


@fault(
    "migration-leaves-a-table-each-time",
    expect_fail=["D-13.3.1"],
    touches=["drills/after_migration"],
    title="each run of the migration leaves a table of its own",
)
def migration_leaves_a_table(r: Rehearsal) -> None:
    made = "create table %I ()', 'migrated_' || floor(extract(epoch from clock_timestamp()) * 1000)"
    r.override("drills", after_migration=f"do $$ begin execute format('{made}); end $$")


@migration_leaves_a_table.revert
def migration_leaves_none(r: Rehearsal) -> None:
    r.clear_override("drills", "after_migration")


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
