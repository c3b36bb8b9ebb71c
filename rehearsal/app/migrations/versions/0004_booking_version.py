"""Optimistic locking and confirmation codes: two columns that need no table rewrite.

v1.9.0 names its columns, so it neither sees nor has to fill these.
"""

from __future__ import annotations

from alembic import op

revision = "0004_booking_version"
down_revision = "0003_money"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE appointments ADD COLUMN version integer NOT NULL DEFAULT 1,"
        " ADD COLUMN confirmation_code varchar(16)"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE appointments DROP COLUMN confirmation_code, DROP COLUMN version")
