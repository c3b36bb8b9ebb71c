"""Make the unified role required without a scan under an exclusive lock.

VALIDATE reads the table under a lock that lets writes through; SET NOT NULL then trusts the
validated constraint (PostgreSQL 12 and newer) and takes its exclusive lock only for a moment.
"""

from __future__ import annotations

from alembic import op

revision = "0008_unified_role_required"
down_revision = "0007_unique_codes"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE users VALIDATE CONSTRAINT ck_users_unified_role")
    op.execute("ALTER TABLE users ALTER COLUMN unified_role SET NOT NULL")
    op.execute("ALTER TABLE users DROP CONSTRAINT ck_users_unified_role")


def downgrade() -> None:
    op.execute(
        "ALTER TABLE users ADD CONSTRAINT ck_users_unified_role"
        " CHECK (unified_role IS NOT NULL) NOT VALID"
    )
    op.execute("ALTER TABLE users ALTER COLUMN unified_role DROP NOT NULL")
