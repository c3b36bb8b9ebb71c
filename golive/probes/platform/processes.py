"""The environment variables that running instances really have, against the released file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from golive.environments import Environment
from golive.environments import Process as DeclaredProcess
from golive.probes.platform import envfiles
from golive.probes.platform.references import Store, reference
from golive.probes.transport.http import client
from golive.probes.transport.machines import Machine
from golive.probes.transport.repository import Repository
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen, seen, unseen_among

_OF_THE_SYSTEM = frozenset(
    [
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TERM", "PWD"),
        *("OLDPWD", "SHLVL", "HOSTNAME", "TMPDIR", "_", "VIRTUAL_ENV", "PYTHONPATH"),
        *("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PYTHONHASHSEED", "PYTHON_VERSION"),
        *("PYTHON_SHA256", "GPG_KEY", "NODE_VERSION", "YARN_VERSION", "INVOCATION_ID"),
        *("JOURNAL_STREAM", "NOTIFY_SOCKET", "MAINPID", "LISTEN_PID", "LISTEN_FDS"),
        *("MALLOC_ARENA_MAX", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV"),
    ]
)
_OF_PLATFORMS = (
    *("LC_", "SYSTEMD_", "KUBERNETES_", "ECS_CONTAINER_METADATA", "AWS_CONTAINER_", "RENDER_"),
    "XDG_",
)


@dataclass(frozen=True, slots=True)
class Variables:
    """One process's variables: names, and digests that hold for this session."""

    instance: str
    digests: Mapping[str, str]
    empty: tuple[str, ...]
    placeholders: tuple[str, ...]
    unfit: tuple[str, ...] | Unseen
    """Those that do not read as the schema says, with why."""


@dataclass(frozen=True)
class ProcessVariables:
    """The released variables, and those of every declared process."""

    released: Mapping[str, str | Unseen]
    """Digest by name; unseen where what is referred to could not be looked up."""
    processes: Mapping[str, Variables | Unseen]

    @cached_property
    def looked_at(self) -> list[str]:
        """The instances whose variables were read."""
        return [v.instance for v in self._seen]

    @cached_property
    def compared(self) -> int:
        """Released variables times processes."""
        return len(self.released) * len(self._seen)

    @property
    def missing(self) -> list[str] | Unseen:
        """Released variables that a process does not have."""
        return self._found(
            f"{v.instance}: {name}"
            for v in self._seen
            for name in self.released
            if name not in v.digests
        )

    @property
    def extra(self) -> list[str] | Unseen:
        """Variables that a process has and the release does not."""
        return self._found(
            f"{v.instance}: {name}"
            for v in self._seen
            for name in v.digests
            if name not in self.released
        )

    @property
    def differing(self) -> list[str] | Unseen:
        """Variables whose value is not the released one."""
        found = self._found(
            f"{v.instance}: {name}"
            for v in self._seen
            for name, wanted in self.released.items()
            if not isinstance(wanted, Unseen) and v.digests.get(name, wanted) != wanted
        )
        unresolved = unseen_among(self.released.values())
        return unresolved if unresolved is not None and not found else found

    def stale(self, names: Collection[str]) -> list[str] | Unseen:
        """Those of the variables whose value in a process is not the current one."""
        released = {n: v for n, v in self.released.items() if n in names}
        return ProcessVariables(released, self.processes).differing

    @property
    def divergent(self) -> list[str] | Unseen:
        """Variables on which two processes differ."""
        names = {name for v in self._seen for name in v.digests}
        return self._found(
            name for name in sorted(names) if len({v.digests.get(name) for v in self._seen}) > 1
        )

    @property
    def empty(self) -> list[str] | Unseen:
        """Variables without a value."""
        return self._found(f"{v.instance}: {name}" for v in self._seen for name in v.empty)

    @property
    def placeholders(self) -> list[str] | Unseen:
        """Variables that somebody has still to fill in."""
        return self._found(f"{v.instance}: {name}" for v in self._seen for name in v.placeholders)

    @property
    def unfit(self) -> list[str] | Unseen:
        """Variables that do not read as their type and range say."""
        unseen = unseen_among(v.unfit for v in self._seen)
        told = [v for v in self._seen if not isinstance(v.unfit, Unseen)]
        found = self._found(f"{v.instance}: {why}" for v in told for why in _told(v.unfit))
        return unseen if unseen is not None and not found else found

    @property
    def _seen(self) -> list[Variables]:
        return [v for v in self.processes.values() if not isinstance(v, Unseen)]

    def _found(self, offenders: Iterator[str]) -> list[str] | Unseen:
        """The offenders; unseen where there is none among those that could be looked at, and one
        could not be."""
        found = list(offenders)
        unseen = unseen_among(self.processes.values())
        return unseen if unseen is not None and not found else found


def _told(unfit: tuple[str, ...] | Unseen) -> tuple[str, ...]:
    return () if isinstance(unfit, Unseen) else unfit


@probe()
def process_variables(env: Environment) -> ProcessVariables:
    """The variables of every running instance, and what the released file makes of them."""
    declared = env.configuration.processes
    if not declared:
        raise ProbeError(
            "the processes of the instances",
            "none is declared",
            "declare each with its pid_file, pid_command or hashes_url in configuration.processes",
        )
    released = released_values(env)
    schema = seen(_schema, env)
    values = {name: v for name, v in released.items() if not isinstance(v, Unseen)}
    return ProcessVariables(
        {n: v if isinstance(v, Unseen) else envfiles.digest(v) for n, v in released.items()},
        {one.name: seen(_variables, env, one, schema, values) for one in declared},
    )


def released_values(env: Environment) -> dict[str, str | Unseen]:
    """The released file's variables with what their references say now.

    :raises ProbeError: there is no such file at the candidate's tag.
    """
    repository = Repository(env.release.repository, env.time_limits.probe)
    path = env.configuration.env_file
    text = repository.text(env.release.tag, path)
    store = Store(env)
    found: dict[str, str | Unseen] = {}
    for name, value in envfiles.parse(text, f"{path} at {env.release.tag}").items():
        at = reference(value, env)
        found[name] = value if at is None else seen(store.value, at)
    if not found:
        raise ProbeError(
            f"{path} at {env.release.tag}", "it has no variable", "name the released file"
        )
    return found


def _schema(env: Environment) -> dict[str, dict[str, object]]:
    repository = Repository(env.release.repository, env.time_limits.probe)
    path = env.configuration.schema
    return envfiles.properties(repository.text(env.release.tag, path), path)


def _variables(
    env: Environment,
    declared: DeclaredProcess,
    schema: dict[str, dict[str, object]] | Unseen,
    released: Mapping[str, str],
) -> Variables:
    besides = env.configuration.not_configured
    if declared.hashes_url:
        told = _hashes(env, declared)
        plain = {name: value for name, value in told.items() if not _ambient(name, besides)}
        values = {n: v for n, v in released.items() if plain.get(n) == envfiles.plain_digest(v)}
        empty = tuple(n for n, d in plain.items() if d == envfiles.plain_digest(""))
        digests = {n: envfiles.kept(d) for n, d in plain.items()}
    else:
        read = _environ(declared)
        values = {n: v for n, v in read.items() if not _ambient(n, besides)}
        empty = tuple(n for n, v in values.items() if not v.strip())
        digests = {n: envfiles.digest(v) for n, v in values.items()}
    production = env.kind == "production"
    filled = {n: v for n, v in values.items() if v.strip()}
    return Variables(
        declared.name,
        digests,
        empty,
        tuple(n for n, v in filled.items() if envfiles.is_placeholder(v, production=production)),
        schema
        if isinstance(schema, Unseen)
        else tuple(
            f"{n} {why}" for n, v in filled.items() if (why := envfiles.unfit(v, schema.get(n, {})))
        ),
    )


def running_variables(env: Environment, declared: DeclaredProcess) -> dict[str, str]:
    """Digests of a process's variables by name, for comparing it with itself.

    :raises ProbeError: it cannot be looked at.
    """
    return dict(_variables(env, declared, {}, {}).digests)


def _ambient(name: str, besides: list[str]) -> bool:
    """Whether a variable is the system's or the platform's, and no configuration of ours."""
    return name in _OF_THE_SYSTEM or name in besides or name.startswith(_OF_PLATFORMS)


def _environ(declared: DeclaredProcess) -> dict[str, str]:
    """A process's environment as its machine's kernel tells it."""
    machine, pid = Machine(declared.address), process_id(declared)
    said = machine.answer("cat", "--", f"/proc/{pid}/environ")
    pairs = [entry.partition("=") for entry in said.split("\0") if "=" in entry]
    if not pairs:
        raise ProbeError(
            f"the environment of {declared.name}",
            f"process {pid} on {declared.address} shows none",
            "check that the process id is the running instance's, and look as its user or root",
        )
    return {name: value for name, _, value in pairs}


def process_id(declared: DeclaredProcess) -> int:
    """The process id of a running instance.

    :raises ProbeError: nothing tells it, or no process has it.
    """
    machine = Machine(declared.address)
    if declared.pid_command:
        text, told_by = machine.answer(*declared.pid_command), declared.pid_command[0]
    elif declared.pid_file:
        text, told_by = machine.read(declared.pid_file), declared.pid_file
    else:
        raise ProbeError(
            f"the process of {declared.name}",
            "nothing tells its process id",
            "declare pid_file, pid_command or hashes_url in configuration.processes",
        )
    pid = text.strip()
    if not pid.isdecimal() or int(pid) == 0:
        cause = f"{told_by} names no process"
        raise ProbeError(f"the process of {declared.name}", cause, "check that it runs")
    return int(pid)


def _hashes(env: Environment, declared: DeclaredProcess) -> dict[str, str]:
    headers = {}
    if declared.hashes_token is not None:
        headers["Authorization"] = f"Bearer {declared.hashes_token.reveal()}"
    with client(env) as http:
        told = http.json(declared.hashes_url, headers)
    found = {str(name): str(value).lower() for name, value in told.items()}
    if not found or any(len(value) != 64 for value in found.values()):
        raise ProbeError(
            f"the variables of {declared.name} at its hashes_url",
            "the answer is not SHA-256 by name",
            "see configuration.processes in golive/probes/platform/section.py",
        )
    return found
