"""Unique confirmation codes and payment intents, built while the tables stay writable.

A failed concurrent build leaves an invalid index; dropping it first makes a rerun work.
"""

from __future__ import annotations

from alembic import op

revision = "0007_unique_codes"
down_revision = "0006_backfill"

UPGRADE = (
    "DROP INDEX CONCURRENTLY IF EXISTS uq_payments_intent",
    "CREATE UNIQUE INDEX CONCURRENTLY uq_payments_intent ON payments (stripe_payment_intent_id)",
    "DROP INDEX CONCURRENTLY IF EXISTS ix_payments_intent",
    "DROP INDEX CONCURRENTLY IF EXISTS uq_appointments_code",
    """CREATE UNIQUE INDEX CONCURRENTLY uq_appointments_code ON appointments (confirmation_code)
    WHERE confirmation_code IS NOT NULL""",
)
DOWNGRADE = (
    "DROP INDEX CONCURRENTLY IF EXISTS uq_appointments_code",
    "DROP INDEX CONCURRENTLY IF EXISTS ix_payments_intent",
    "CREATE INDEX CONCURRENTLY ix_payments_intent ON payments (stripe_payment_intent_id)",
    "DROP INDEX CONCURRENTLY IF EXISTS uq_payments_intent",
)


def _each_alone(statements: tuple[str, ...]) -> None:
    with op.get_context().autocommit_block():
        for statement in statements:
            op.execute(statement)


def upgrade() -> None:
    _each_alone(UPGRADE)


def downgrade() -> None:
    _each_alone(DOWNGRADE)
