"""The people who may change data in the database by hand."""

from __future__ import annotations

from golive.environments import Environment
from golive.probes.data.postgres import connect
from golive.probing import probe
from golive.verdicts import ProbeError


@probe()
def database_operators(env: Environment) -> tuple[str, ...]:
    """The roles that may log in and are members of the operators' role, by any way."""
    group = env.postgres.operator_role
    step = "name it in postgres.operator_role"
    if not group:
        raise ProbeError("the operators' role", "none is declared", step)
    with connect(env, env.postgres.primary) as db:
        known = db.execute("select from pg_roles where rolname = %s", [group]).fetchone()
        if known is None:
            raise ProbeError(f"the role {group}", "the database has none of that name", step)
        # A superuser counts as a member of everything.
        rows = db.execute(
            "select rolname as name from pg_roles where rolcanlogin and not rolsuper"
            " and pg_has_role(oid, %s, 'member') order by 1",
            [group],
        ).fetchall()
    return tuple(row.name for row in rows)
