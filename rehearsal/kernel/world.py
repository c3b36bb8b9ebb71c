"""The rehearsal as parts, faults and commands see it: a folder and what can be done in it.

A ``Rehearsal`` is only a view. Everything it knows lies in the folder, so that the supervisor,
a fault from the command line and a test see the same world:

    state/       ports, overrides, fault notes, running parts (JSON, written atomically)
    secrets/     one file per secret, mode 0600
    logs/        one log per part
    data/        data directories, one folder per part
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rehearsal.kernel import binaries, control, ports
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.files import read_state, write_atomically, write_secret
from rehearsal.parts import Child

if TYPE_CHECKING:
    import psycopg
    import redis

PROJECT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
DATABASE = "bookedbarber"
OWNER_ROLE = "bookedbarber"
APP_ROLE = "bookedbarber_app"
MONITOR_ROLE = "golive_monitor"
BURST_ROLE = "golive_burst"
SCRATCH_NICENESS = 10
"""Of work on copies: it goes on beside the live parts and must not slow what is measured there."""


def default_folder() -> Path:
    """``$GOLIVE_REHEARSAL``, else ``.rehearsal`` in the project."""
    return Path(os.environ.get("GOLIVE_REHEARSAL") or PROJECT / ".rehearsal").resolve()


class Rehearsal:
    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder.resolve() if folder else default_folder()

    def __repr__(self) -> str:
        return f"Rehearsal({str(self.folder)!r})"

    # -- places ------------------------------------------------------------------------------

    def path(self, *names: str) -> Path:
        """A path beneath the folder; its parent folder exists afterwards."""
        path = self.folder.joinpath(*names)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def log(self, part: str) -> Path:
        return self.path("logs", f"{part}.log")

    def data(self, part: str) -> Path:
        return self.path("data", part)

    @property
    def migration_log(self) -> Path:
        """JSON lines of every migration run, the one that made the data first."""
        return self.path("migrations.jsonl")

    def port(self, name: str) -> int:
        """The port of that name: chosen at first use, remembered, below 32768."""
        return ports.port(self.folder, name)

    # -- secrets -----------------------------------------------------------------------------

    def secret_file(self, name: str) -> Path:
        """File (mode 0600) holding the secret, made with a random value at first use."""
        path = self.path("secrets", name)
        if not path.exists():
            path.parent.chmod(0o700)
            with self.locked("secrets"):
                if not path.exists():
                    write_secret(path, secrets.token_hex(20))
        return path

    def secret(self, name: str) -> str:
        return self.secret_file(name).read_text().strip()

    # -- what others learn ----------------------------------------------------------------

    def secret_reference(self, name: str) -> dict[str, str]:
        """Where others find a secret."""
        self.secret_file(name)
        return {"file": f"secrets/{name}"}

    def node(self, name: str) -> dict[str, Any]:
        """Where others reach what listens on the port of that name."""
        return {"name": name, "host": HOST, "port": self.port(name)}

    def url(self, name: str, path: str = "", scheme: str = "http") -> str:
        """The address of what listens on the port of that name."""
        return f"{scheme}://{HOST}:{self.port(name)}{path}"

    def command(self, *words: str, module: str = "rehearsal") -> list[str]:
        """Words that run a module of the rehearsal on this folder, from wherever they are run."""
        run = ["env", f"GOLIVE_REHEARSAL={self.folder}", f"PYTHONPATH={PROJECT}"]
        # -P: nothing of the folder that the command is run in may shadow a module.
        return [*run, sys.executable, "-P", "-m", module, *words]

    def program(self, name: str) -> list[str]:
        """Words that run a program from wherever it comes."""
        found = binaries.find(name)
        variables = [f"{key}={value}" for key, value in found.environment.items()]
        return ["env", *variables, str(found.path)] if variables else [str(found.path)]

    # -- settings that faults change ---------------------------------------------------------

    def setting(self, part: str, key: str, default: Any) -> Any:
        """The part's setting: ``default`` unless a fault has put another value in its place."""
        return self.overrides(part).get(key, default)

    def overrides(self, part: str) -> dict[str, Any]:
        """Every setting of the part that a fault has put another value in place of."""
        return dict(self._read("overrides").get(part, {}))

    def override(self, part: str, **settings: Any) -> None:
        """Put other values in place of the part's defaults; takes effect at its next start."""
        with self._change("overrides") as state:
            state.setdefault(part, {}).update(settings)

    def clear_override(self, part: str, *keys: str) -> None:
        """Back to the defaults: of the named settings, or of all of the part."""
        with self._change("overrides") as state:
            for key in keys or tuple(state.get(part, {})):
                state.get(part, {}).pop(key, None)

    # -- notes that survive the process ------------------------------------------------------

    def remember(self, key: str, value: Any) -> None:
        """Keep a JSON value, for a later process, e.g. what a fault has to put back."""
        with self._change("notes") as state:
            state[key] = value

    def recall(self, key: str) -> Any:
        """What was remembered. Raises RehearsalError where nothing was."""
        notes = self._read("notes")
        if key not in notes:
            raise RehearsalError(f"Nothing is remembered under {key!r} in {self.folder}.")
        return notes[key]

    def forget(self, key: str) -> None:
        with self._change("notes") as state:
            state.pop(key, None)

    # -- parts -------------------------------------------------------------------------------

    def start(self, part: str) -> None:
        """Start a stopped part and wait until it is ready."""
        self.ask("start", part=part)

    def stop(self, part: str) -> None:
        """Stop a part (or a child given to ``run``) and wait until its process is gone."""
        self.ask("stop", part=part)

    def restart(self, part: str) -> None:
        """Stop, prepare and start again, and wait until it is ready."""
        self.ask("restart", part=part)

    def reload(self, part: str) -> None:
        """Prepare again and send the part its reload signal."""
        self.ask("reload", part=part)

    def run(self, child: Child) -> int:
        """Have the supervisor start and own one more process; its pid. ``stop(name)`` ends it,
        so does ``down``. Meant for scratch instances."""
        answer = self.ask(
            "run",
            name=child.name,
            argv=child.argv,
            log=str(child.log),
            environment=child.environment,
            loads=child.loads,
            stop_signal=int(child.stop_signal),
            stop_within_s=child.stop_within_s,
            death_signal=int(child.death_signal),
            unprivileged=child.unprivileged,
        )
        return int(answer["pid"])

    def running(self) -> dict[str, int]:
        """Pid of every running part by name."""
        parts = self.ask("status")["parts"]
        return {name: part["pid"] for name, part in parts.items() if part["state"] == "ready"}

    def ask(self, verb: str, **request: Any) -> dict[str, Any]:
        """Have the supervisor do something; its answer. Raises RehearsalError."""
        secret, log = self.secret("control"), self.log("supervisor")
        return control.ask(self.folder, secret, log, verb, **request)

    # -- looking and waiting -----------------------------------------------------------------

    @cached_property
    def primary(self) -> Database:
        return Database(self, "postgres-primary")

    @cached_property
    def standby(self) -> Database:
        return Database(self, "postgres-standby")

    def redis(self, part: str = "redis-primary") -> redis.Redis:
        """Client of one Redis node or sentinel, as the administrator."""
        import redis  # a third of a second, which only those who talk to Redis should pay

        return redis.Redis(
            host="127.0.0.1",
            port=self.port(part),
            password=self.secret("redis-sentinel" if "sentinel" in part else "redis"),
            decode_responses=True,
            socket_timeout=5,
        )

    def wait(
        self,
        what: str,
        holds: Callable[[], bool],
        within_s: float = 10.0,
        every_s: float = 0.05,
    ) -> None:
        """Wait until ``holds`` is true; an exception of it counts as not yet.

        Raises RehearsalError, naming ``what``, when it does not hold within ``within_s``.
        """
        deadline = time.monotonic() + within_s
        last: Exception | None = None
        while True:
            try:
                if holds():
                    return
                last = None
            except Exception as error:
                if not isinstance(error, OSError) and not _comes_from_a_server(error):
                    raise
                last = error
            if time.monotonic() > deadline:
                reason = f" The last attempt said: {str(last).strip()}" if last else ""
                raise RehearsalError(f"Waited {within_s:g} s in vain until {what}.{reason}")
            time.sleep(every_s)

    def tool(
        self,
        program: str,
        *arguments: str | os.PathLike[str],
        environment: Mapping[str, str] | None = None,
        within_s: float = 120.0,
        check: bool = True,
        text_input: str | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of ``rehearsal.kernel.binaries`` to its end, as an ordinary user where it
        refuses root. Raises RehearsalError with the end of its output when it fails."""
        found = binaries.find(program)
        argv = [*binaries.as_user(program), str(found.path), *(str(word) for word in arguments)]
        done = subprocess.run(
            argv,
            env={**os.environ, **found.environment, **(environment or {})},
            input=text_input,
            stdin=None if text_input is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=within_s,
            check=False,
        )
        if check and done.returncode != 0:
            raise RehearsalError(
                f"{program} ended with exit status {done.returncode}: "
                f"{(done.stderr or done.stdout).strip()[-1500:]}"
            )
        return done

    # -- state on disk -----------------------------------------------------------------------

    def _read(self, name: str) -> dict[str, Any]:
        return read_state(self.folder / "state" / f"{name}.json")

    @contextmanager
    def _change(self, name: str) -> Iterator[dict[str, Any]]:
        with self.locked(name):
            state = self._read(name)
            yield state
            write_atomically(
                self.path("state", f"{name}.json"), json.dumps(state, indent=1, sort_keys=True)
            )

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Nobody else changes what goes by that name meanwhile; faults come and go side by side."""
        with self.path("state", f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _comes_from_a_server(error: Exception) -> bool:
    """Whether a client of PostgreSQL or Redis raised it; neither is loaded to find that out."""
    bases = {f"{base.__module__}.{base.__qualname__}" for base in type(error).__mro__}
    return not bases.isdisjoint(("psycopg.Error", "redis.exceptions.RedisError"))


class Database:
    """One PostgreSQL server of the rehearsal."""

    def __init__(self, r: Rehearsal, part: str) -> None:
        self.r = r
        self.part = part

    @property
    def port(self) -> int:
        return self.r.port(self.part)

    def dsn(self, *, user: str = "postgres", database: str = DATABASE) -> str:
        """libpq connection string, without a password."""
        return f"host=127.0.0.1 port={self.port} dbname={database} user={user} sslmode=require"

    def connect(
        self, *, user: str = "postgres", database: str = DATABASE, autocommit: bool = True
    ) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection as that role; the caller closes it (``with``)."""
        import psycopg  # a quarter of a second, which only those who talk to PostgreSQL should pay

        return psycopg.connect(
            self.dsn(user=user, database=database),
            password=self.r.secret(user),
            autocommit=autocommit,
            connect_timeout=5,
            application_name="rehearsal",
        )

    def sql(
        self,
        query: str,
        params: Sequence[Any] | Mapping[str, Any] | None = None,
        *,
        user: str = "postgres",
        database: str = DATABASE,
    ) -> list[tuple[Any, ...]]:
        """Run one statement on its own connection, in autocommit; its rows ([] where it
        returns none)."""
        with self.connect(user=user, database=database) as connection:
            cursor = connection.execute(query.encode(), params)
            return cursor.fetchall() if cursor.description else []
