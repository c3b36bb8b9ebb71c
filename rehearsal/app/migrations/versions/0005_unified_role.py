"""The unified role beside the old one, kept in step by a trigger while v1.9.0 still writes.

NOT VALID binds new rows at once without reading the table; 0008 validates the old ones.
"""

from __future__ import annotations

from alembic import op

revision = "0005_unified_role"
down_revision = "0004_booking_version"

# v1.9.0 writes role alone and the unified one follows; v2.0.0 writes both.
UPGRADE = """
ALTER TABLE users ADD COLUMN unified_role varchar(30);
CREATE FUNCTION unified_role_of(role text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE role WHEN 'admin' THEN 'platform_admin' WHEN 'barbershop' THEN 'shop_owner'
                     ELSE role END
$$;
CREATE FUNCTION users_fill_unified_role() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.unified_role IS NULL OR (TG_OP = 'UPDATE' AND NEW.role <> OLD.role
                                    AND NEW.unified_role IS NOT DISTINCT FROM OLD.unified_role)
    THEN NEW.unified_role := public.unified_role_of(NEW.role); END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER users_fill_unified_role BEFORE INSERT OR UPDATE ON users
    FOR EACH ROW EXECUTE FUNCTION users_fill_unified_role();
ALTER TABLE users ADD CONSTRAINT ck_users_unified_role
    CHECK (unified_role IS NOT NULL) NOT VALID;
"""

DOWNGRADE = """
DROP TRIGGER users_fill_unified_role ON users;
DROP FUNCTION users_fill_unified_role();
DROP FUNCTION unified_role_of(text);
ALTER TABLE users DROP COLUMN unified_role;
"""


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
