"""The schema's history: upgrade, downgrade, heads, digest, and the catalogue as plain data.

MIGRATIONS_DIR names another folder of revisions (a checkout of a release tag). A run goes one
revision at a time, so that each step is timed, logged to ``$MIGRATION_LOG`` as a JSON line, and
can be tried again when its short wait for a lock was in vain.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from rehearsal.app.settings import CommandError, database_url

HERE = Path(__file__).parent / "migrations"
LOCK_TIMEOUT_S = 2  # a migration that queues for a lock makes everything behind it queue too
LOCK_ATTEMPTS = 10
RUN_LOCK = 4207190  # advisory lock: one migration run at a time


class MigrationError(CommandError):
    """A run could not be made or finished; the message says why, in one paragraph."""


def folder() -> Path:
    return Path(os.environ.get("MIGRATIONS_DIR") or HERE)


def releases() -> dict[str, str]:
    """Release tag to its migration head."""
    text = (folder() / "releases.toml").read_text(encoding="utf-8")
    found: dict[str, str] = tomllib.loads(text)["releases"]
    return found


def losses() -> list[dict[str, str]]:
    """What a rollback loses by declaration: tables and columns with the reason."""
    text = (folder() / "losses.toml").read_text(encoding="utf-8")
    found: list[dict[str, str]] = tomllib.loads(text)["lost"]
    return found


def heads() -> dict[str, object]:
    """Every revision from base, the heads (exactly one where all is well), head per release."""
    script = _script()
    found = script.get_heads()
    return {
        "revisions": [
            {"revision": step.revision, "down_revision": step.down_revision, "title": step.doc}
            for step in reversed(list(script.walk_revisions()))
        ],
        "heads": sorted(found),
        "single_head": len(found) == 1,
        "releases": releases(),
    }


def digest(root: Path | None = None) -> dict[str, object]:
    """SHA-256 over ``sha256sum``-like lines of all files of the migrations, sorted by path."""
    root = root or folder()
    files = {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.suffix in {".py", ".toml", ".json"}
    }
    lines = "".join(f"{checksum}  {name}\n" for name, checksum in sorted(files.items()))
    return {"sha256": hashlib.sha256(lines.encode()).hexdigest(), "files": files}


def run(target: str, direction: str) -> dict[str, object]:
    """Move the database to a release or revision. Raises MigrationError.

    DATABASE_URL has to lead to PostgreSQL itself: concurrent index builds and the run's
    advisory lock need one session, which a transaction pooler does not give.
    """
    revision = releases().get(target if target.startswith("v") else f"v{target}", target)
    engine = sa.create_engine(
        database_url(),
        poolclass=sa.NullPool,
        connect_args={
            "application_name": "bookedbarber-migration",
            "options": f"-c lock_timeout={LOCK_TIMEOUT_S}s",
        },
    )
    log = _Log()
    began = time.perf_counter()
    with _alone(engine):
        steps = _path(engine, revision, direction)
        log.write("start", direction=direction, target=target, steps=[at for at, _ in steps])
        try:
            for at, leaves in steps:
                log.write("step-start", revision=at, direction=direction)
                step_began = time.perf_counter()
                _step(engine, leaves, direction)
                duration_s = round(time.perf_counter() - step_began, 3)
                log.write("step-end", revision=at, direction=direction, duration_s=duration_s)
        except Exception as error:
            reason = " ".join(str(getattr(error, "orig", error)).split()).rstrip(".")
            duration_s = round(time.perf_counter() - began, 3)
            log.write("failed", revision=at, error=reason, duration_s=duration_s)
            raise MigrationError(
                f"{direction} to {target} stopped at revision {at}: {reason}. The steps before it"
                " stand; fix the cause and run the same command again."
            ) from error
        duration_s = round(time.perf_counter() - began, 3)
        current = _current(engine)
        log.write("end", direction=direction, revision=current, duration_s=duration_s)
    return {
        "direction": direction,
        "target": target,
        "revision": current,
        "revisions": [at for at, _ in steps],
        "seconds": duration_s,
        "steps": log.steps,
    }


def schema() -> dict[str, Any]:
    """The public schema as sorted plain data, free of owners, grants and internal numbers."""
    engine = sa.create_engine(database_url(), poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text("SET LOCAL search_path TO pg_catalog"))
        return {
            kind: {
                row.name: {key: value for key, value in row._mapping.items() if key != "name"}
                for row in connection.execute(sa.text(query))
            }
            for kind, query in CATALOGUE.items()
        }


CATALOGUE = {
    "tables": """
        SELECT c.relname AS name, c.relpersistence AS persistence, c.reloptions AS options
        FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
        AND c.relname <> 'alembic_version' ORDER BY 1""",
    "columns": """
        SELECT c.relname || '.' || a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
               a.attnotnull AS not_null, pg_get_expr(d.adbin, d.adrelid) AS "default",
               a.attidentity AS identity, a.attgenerated AS generated
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
        AND a.attnum > 0 AND NOT a.attisdropped AND c.relname <> 'alembic_version'
        AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
        ORDER BY 1""",
    "constraints": """
        SELECT r.relname || '.' || o.conname AS name, pg_get_constraintdef(o.oid) AS definition,
               o.convalidated AS validated
        FROM pg_constraint o JOIN pg_class r ON r.oid = o.conrelid
        WHERE o.connamespace = 'public'::regnamespace AND o.contype <> 'n' -- 18 lists NOT NULL
        AND r.relname <> 'alembic_version'
        ORDER BY 1""",
    "indexes": """
        SELECT c.relname AS name, pg_get_indexdef(c.oid) AS definition, i.indisvalid AS valid,
               i.indisready AS ready
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        JOIN pg_class t ON t.oid = i.indrelid
        WHERE c.relnamespace = 'public'::regnamespace AND t.relname <> 'alembic_version'
        ORDER BY 1""",
    "sequences": """
        SELECT sequencename AS name, data_type::text AS type, start_value, increment_by, cycle
        FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1""",
    "views": """
        SELECT relname AS name, relkind AS kind, pg_get_viewdef(oid) AS definition FROM pg_class c
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('v', 'm')
        AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
        ORDER BY 1""",
    "functions": """
        SELECT p.oid::regprocedure::text AS name, pg_get_functiondef(p.oid) AS definition
        FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND p.prokind IN ('f', 'p')
        AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
        ORDER BY 1""",
    "triggers": """
        SELECT c.relname || '.' || t.tgname AS name, pg_get_triggerdef(t.oid) AS definition,
               t.tgenabled AS enabled
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE c.relnamespace = 'public'::regnamespace AND NOT t.tgisinternal ORDER BY 1""",
    "types": """
        SELECT t.typname AS name, t.typtype AS kind, array_agg(e.enumlabel ORDER BY e.enumsortorder)
               AS labels
        FROM pg_type t LEFT JOIN pg_enum e ON e.enumtypid = t.oid
        WHERE t.typnamespace = 'public'::regnamespace AND t.typtype IN ('e', 'd') GROUP BY 1, 2
        ORDER BY 1""",
}


class _Log:
    """JSON lines: event, at (UTC), revision, direction, duration_s. The last line says end."""

    def __init__(self) -> None:
        path = os.environ.get("MIGRATION_LOG")
        self._path = Path(path) if path else None
        self.steps: list[dict[str, object]] = []

    def write(self, event: str, **fields: object) -> None:
        line = {"event": event, "at": datetime.now(UTC).isoformat(), **fields}
        if event == "step-end":
            self.steps.append(fields)
        if self._path:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(folder()).replace("%", "%%"))
    return config


def _script() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _current(engine: sa.Engine) -> str | None:
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _path(engine: sa.Engine, revision: str, direction: str) -> list[tuple[str, str]]:
    """Revisions to run, each with the revision that the database is at afterwards."""
    current = _current(engine)
    script = _script()
    upward = direction == "upgrade"
    upper, lower = (revision, current) if upward else (current, revision)
    try:
        steps = list(script.iterate_revisions(upper or "base", lower or "base"))
    except Exception as error:
        raise MigrationError(
            f"no {direction} leads from {current or 'base'} to {revision}: {error}"
        ) from error
    if upward:
        return [(step.revision, step.revision) for step in reversed(steps)]
    return [(step.revision, str(step.down_revision or "base")) for step in steps]


def _step(engine: sa.Engine, leaves: str, direction: str) -> None:
    """One revision, tried again while somebody else holds the lock it needs."""
    move = command.upgrade if direction == "upgrade" else command.downgrade
    for attempt in range(1, LOCK_ATTEMPTS + 1):
        config = _config()
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            try:
                move(config, leaves)
                return
            except sa.exc.OperationalError as error:
                if getattr(error.orig, "sqlstate", "") != "55P03" or attempt == LOCK_ATTEMPTS:
                    raise


@contextmanager
def _alone(engine: sa.Engine) -> Iterator[None]:
    options = {"isolation_level": "AUTOCOMMIT"}
    with engine.connect().execution_options(**options) as guard:
        if not guard.scalar(sa.text(f"SELECT pg_try_advisory_lock({RUN_LOCK})")):
            raise MigrationError("another migration runs on this database; wait for its end")
        yield
