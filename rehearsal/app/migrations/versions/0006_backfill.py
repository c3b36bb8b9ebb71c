"""Fill the new columns of existing rows, in batches that each commit.

Only coming bookings need a code: nobody presents one for a visit that is over.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006_backfill"
down_revision = "0005_unified_role"

BATCH_ROWS = 5_000  # well under a second of row locks each
# Rows that somebody holds are waited for: one that was left out would fail 0008. A booking that is
# being made holds its client's key alone, which such a lock lets be.

ROLES = """
UPDATE users SET unified_role = public.unified_role_of(role) WHERE id IN
    (SELECT id FROM users WHERE unified_role IS NULL ORDER BY id LIMIT :batch
     FOR NO KEY UPDATE)
"""
CODES = """
UPDATE appointments SET confirmation_code =
       upper(substr(md5(concat_ws('/', id, user_id, created_at AT TIME ZONE 'UTC')), 1, 10))
WHERE id IN
    (SELECT id FROM appointments
     WHERE confirmation_code IS NULL AND status IN ('pending', 'confirmed')
     ORDER BY id LIMIT :batch FOR NO KEY UPDATE)
"""


def upgrade() -> None:
    with op.get_context().autocommit_block():
        connection = op.get_bind()
        for statement in (ROLES, CODES):
            while connection.execute(sa.text(statement), {"batch": BATCH_ROWS}).rowcount:
                pass


def downgrade() -> None:
    """Nothing to undo: the columns themselves go with 0005 and 0004."""
