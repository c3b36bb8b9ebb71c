"""The configuration that a release is packaged with for this environment, and the frontend that was
built for it: the files, not the processes.

Values are never told: an offender is the name of its variable and why.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from golive.environments import Environment
from golive.files import read_text, sha256
from golive.probes.platform import envfiles
from golive.probes.platform.dependencies import place
from golive.probes.platform.partial import known
from golive.probes.platform.references import Store, reference
from golive.probes.traffic.surface import is_own, may_be_asked, own_hosts
from golive.probing import probe
from golive.sections import declares
from golive.verdicts import GoliveError, ProbeError, Unseen, seen

_MOST_BYTES = 16 * 2**20
_OFF = frozenset({"false", "0", "no", "off"})
_LOOPBACK = re.compile(r"^(?:localhost|127(?:\.\d+){3}|::1|0\.0\.0\.0)$")
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s\"'<>,;]+", re.IGNORECASE)
_CODE = (".js", ".mjs", ".cjs", ".html", ".json", ".css")
_LIVE = re.compile(r"^(?:sk|pk|rk)_(live|test)_")


@dataclass(frozen=True, slots=True)
class Packaged:
    """What is packaged for this environment, by the names of its variables."""

    file: str
    keys: tuple[str, ...]
    missing: tuple[str, ...]
    """Keys that the schema requires and the file has not."""
    unknown: tuple[str, ...]
    """Keys that the schema does not know, or that stand twice."""
    unfit: tuple[str, ...]
    """Values that do not read as the schema says, or are still to be filled in."""
    debug: tuple[str, ...]
    """Switches for finding faults that are not off."""
    switches: int
    """How many of them there are."""
    others: tuple[str, ...]
    """Values of another environment, or of no environment but a developer's machine."""
    strangers: tuple[str, ...]
    """Public names, databases and caches that are none of those declared for this environment."""
    not_resolved: tuple[Unseen, ...]
    """References whose value could not be looked up, where it tells where something is."""
    placed: int
    """Addresses that were held against what is declared."""
    mode: tuple[str, ...]
    """Stripe's keys of the wrong mode."""
    stripe_keys: int
    unnamed: tuple[str, ...]
    """Hosts that DNS does not know."""
    names: tuple[str, ...]
    """Hosts that were looked up, or whose address is declared."""
    bundle: tuple[str, ...] | Unseen
    """What of the built frontend is not as the configuration says."""
    bundle_values: int
    digests: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of the file, by its path."""
    bundle_digests: Mapping[str, str] | Unseen = field(default_factory=dict)
    """SHA-256 of every file of the built frontend, by its path there."""

    @property
    def keys_count(self) -> int:
        """How many keys there are."""
        return len(self.keys)

    @property
    def foreign(self) -> list[str] | Unseen:
        """Everything that belongs to another environment, to localhost, or to nobody declared."""
        return known([*self.others, *self.strangers], self.not_resolved)


@probe()
def packaged_configuration(env: Environment) -> Packaged:
    """This environment's file in the release against its schema, what is declared of this
    environment, the files of others, and the built frontend."""
    path = env.configuration.env_file
    text = _read(env, path)
    own = envfiles.parse(text, path)
    if not own:
        raise ProbeError(f"the configuration {path}", "it has no variable", "package the file")
    schema = _schema(env)
    look = _Look(env, own)
    asked, unnamed = look.names()
    return Packaged(
        file=path,
        keys=tuple(own),
        missing=tuple(k for k in schema.get("required", schema["properties"]) if k not in own),
        unknown=(
            *(k for k in own if k not in schema["properties"]),
            *(f"{k} (twice)" for k in _twice(text)),
        ),
        unfit=tuple(_unfit(env, own, schema["properties"])),
        debug=tuple(k for k in env.package.debug if own.get(k, "false").lower() not in _OFF),
        switches=sum(k in own for k in env.package.debug),
        others=tuple(look.others()),
        strangers=tuple(look.strangers()),
        not_resolved=tuple(v for v in look.resolved.values() if isinstance(v, Unseen)),
        placed=len(look.placed),
        mode=tuple(look.of_another_mode()),
        stripe_keys=len(look.stripe),
        unnamed=tuple(unnamed),
        names=tuple(asked),
        bundle=seen(_bundle, env, own, look.elsewhere),
        bundle_values=len(_public(env, own)),
        digests={path: hashlib.sha256(text.encode()).hexdigest()},
        bundle_digests=seen(_bundle_digests, env),
    )


def _read(env: Environment, path: str) -> str:
    try:
        return read_text(place(env, path), _MOST_BYTES, "a file of the release", links=True)
    except GoliveError as e:
        step = "check deploy.checkout, configuration and package in the environment file"
        raise ProbeError(f"{path} in the release", e, step) from None


def _schema(env: Environment) -> dict[str, Any]:
    path = env.configuration.schema
    text = _read(env, path)
    envfiles.properties(text, path)
    found: dict[str, Any] = json.loads(text)
    return found


def _twice(text: str) -> list[str]:
    names = re.findall(r"(?m)^\s*(?:export\s+)?([A-Za-z_][\w.]*)\s*=", text)
    return sorted({n for n in names if names.count(n) > 1})


def _unfit(
    env: Environment, own: Mapping[str, str], properties: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """What a reference stands for is looked at in the processes; here it stands for itself."""
    for name, value in own.items():
        if name not in properties or reference(value, env) is not None:
            continue
        why = envfiles.unfit(value, properties[name])
        if why:
            yield f"{name} {why}"
        elif envfiles.is_placeholder(value, production=env.kind == "production"):
            yield f"{name} is still to be filled in"


class _Look:
    """One environment's variables against what is declared and what others have."""

    def __init__(self, env: Environment, own: Mapping[str, str]) -> None:
        self._env, self._own, self._package = env, own, env.package
        self.elsewhere = {
            name: envfiles.parse(_read(env, path), path)
            for name, path in self._package.others.items()
        }
        """The variables of other environments, by their names."""
        store = Store(env)
        places = [n for n in (*self._package.databases, *self._package.caches) if n in own]
        keys = [n for n in self._package.stripe if n in own]
        self.resolved: dict[str, str | Unseen] = {
            name: own[name] if at is None else seen(store.value, at)
            for name in (*places, *keys)
            for at in [reference(own[name], env)]
        }
        told = {n: v for n, v in self.resolved.items() if not isinstance(v, Unseen)}
        self.placed = {
            name: addresses for name in places if (addresses := _addresses(told.get(name, "")))
        }
        self.stripe = {n: m[1] for n in keys if (m := _LIVE.match(told.get(n, "")))}

    def others(self) -> Iterator[str]:
        """Variables with what belongs to another environment, or to a developer's machine."""
        declared = self._declared()
        expected = {self._env.name, self._env.kind}
        for name in self._package.environment_names:
            if name in self._own and self._own[name] not in expected:
                yield f"{name} names another environment"
        ours = own_hosts(self._env) | set(self._package.hosts)
        alike = {*self._package.databases, *self._package.caches, *self._package.stripe}
        for name, value in self._own.items():
            hosts = _hosts(value)
            for other, variables in self.elsewhere.items():
                # Not what this file names itself: that may be the very mistake.
                if hosts & (self._public(variables) - ours):
                    yield f"{name} names a host of {other}"
                elif variables.get(name) == value and (
                    (name in alike and value) or reference(value, self._env) is not None
                ):
                    yield f"{name} is that of {other}"
            here = [h for h in hosts if _LOOPBACK.match(h)]
            if here and not {a for a in _addresses(value) if _LOOPBACK.match(a[0])} <= declared:
                yield f"{name} names this machine"

    def strangers(self) -> Iterator[str]:
        """Public names that are none of the product's here; databases and caches that are none of
        those declared."""
        for name in (*self._package.public_urls, *self._package.allowed_hosts):
            hosts = sorted(_hosts(self._own.get(name, "")))
            if "*" in re.split(r"[,\s]+", self._own.get(name, "")):
                yield f"{name} names every host"
            for host in hosts:
                # A domain that all of the product's names are below may stand for them.
                is_ours = is_own(self._env, host) or is_own(self._env, f"any.{host}")
                if not is_ours and host not in self._package.hosts:
                    yield f"{name} names {host}, which is not declared"
        declared = self._declared()
        known_hosts = {host for host, _ in declared} | set(self._package.hosts)
        for name, addresses in self.placed.items():
            for host, port in addresses:
                is_named = (host, port) in declared or (port is None and host in known_hosts)
                if not is_named and host not in self._package.hosts:
                    yield f"{name} names {host}{f':{port}' if port else ''}, which is not declared"

    def of_another_mode(self) -> Iterator[str]:
        """Keys of Stripe that are live where they must not be, or the other way round."""
        wanted = "live" if self._env.kind == "production" else "test"
        for name, mode in self.stripe.items():
            if mode != wanted:
                yield f"{name} is a {mode} key"

    def names(self) -> tuple[list[str], list[str]]:
        """The hosts of public addresses: those whose address is known, and those without one."""
        asked: list[str] = []
        unnamed: list[str] = []
        every = {h for n in self._package.public_urls for h in _hosts(self._own.get(n, ""))}
        served = set(self._env.edge.hosts) if declares(self._env, "edge.hosts") else set()
        for host in sorted(every):
            if host in served and self._env.edge.nodes:
                asked.append(host)
            elif may_be_asked(self._env, host):
                asked.append(host)
                unnamed += [] if _has_address(host) else [host]
        return asked, unnamed

    def _public(self, variables: Mapping[str, str]) -> set[str]:
        """The public hosts that an environment's variables name."""
        names = (*self._package.public_urls, *self._package.allowed_hosts)
        found = {h for n in names for h in _hosts(variables.get(n, ""))}
        return {h for h in found if not _LOOPBACK.match(h)}

    def _declared(self) -> set[tuple[str, int | None]]:
        """Addresses of this environment's databases and caches."""
        env = self._env
        found: set[tuple[str, int | None]] = set()
        for keys in ("postgres.nodes", "postgres.poolers", "redis.nodes", "redis.sentinels"):
            if declares(env, keys):
                section, _, key = keys.partition(".")
                nodes = getattr(getattr(env, section), key)
                found |= {(node.host.lower(), node.port) for node in nodes}
        return found


# -- the frontend ----------------------------------------------------------------------------------


def _public(env: Environment, own: Mapping[str, str]) -> dict[str, str]:
    """What the build puts into the frontend."""
    prefix = env.package.frontend_prefix
    return {n: v for n, v in own.items() if prefix and n.startswith(prefix)}


def _bundle(
    env: Environment, own: Mapping[str, str], elsewhere: Mapping[str, Mapping[str, str]]
) -> tuple[str, ...]:
    folder = place(env, env.package.bundle)
    files = [p for p in sorted(folder.rglob("*")) if p.suffix in _CODE and p.is_file()]
    if not files:
        step = "name the folder of the built frontend in package.bundle"
        raise ProbeError(f"the frontend in {folder}", "it has no script and no page", step)
    text = "\n".join(_unescaped(_file(path)) for path in files)
    public = _public(env, own)
    found = []
    for name, backend in env.package.pairs.items():
        if own.get(name) != own.get(backend):
            found.append(f"{name} is not what {backend} is")
        if own.get(name, "") not in text or not own.get(name):
            found.append(f"{name} is not in the frontend as it was built")
    for other, variables in elsewhere.items():
        for name in public:
            value = variables.get(name, "")
            if value and value not in public.values() and value in text:
                found.append(f"the frontend has {name} of {other}")
    return tuple(dict.fromkeys(found))


def _bundle_digests(env: Environment) -> dict[str, str]:
    folder = place(env, env.package.bundle)
    try:
        return {
            p.relative_to(folder).as_posix(): sha256(p, _MOST_BYTES, "a built file", links=True)
            for p in sorted(folder.rglob("*"))
            if p.is_file()
        }
    except GoliveError as e:
        raise ProbeError(f"the frontend in {folder}", e, "check package.bundle") from None


def _file(path: Path) -> str:
    try:
        return read_text(path, _MOST_BYTES, "a file of the built frontend", links=True)
    except GoliveError as e:
        raise ProbeError(f"the frontend's {path.name}", e, "check package.bundle") from None


def _unescaped(text: str) -> str:
    """As a browser reads it: JSON and scripts may write a slash with a backslash."""
    return text.replace("\\/", "/").replace("\\u002F", "/").replace("\\u002f", "/")


# -- addresses -------------------------------------------------------------------------------------


def _addresses(value: str) -> list[tuple[str, int | None]]:
    """Hosts and ports in a value: of URLs, or of a list of ``host:port``."""
    found: list[tuple[str, int | None]] = []
    for url in _URL.findall(value):
        parts = re.sub(r"^[^/]*//(?:[^@/]*@)?", "", url).partition("/")[0].split(",")
        found += map(_split, parts)
    if not found and re.fullmatch(r"[\w.-]+:\d+(?:,[\w.-]+:\d+)*", value):
        found = [_split(part) for part in value.split(",")]
    return [(host, port) for host, port in found if host]


def _split(part: str) -> tuple[str, int | None]:
    try:
        url = urlsplit(f"//{part}")
        return (url.hostname or "").lower(), url.port
    except ValueError:
        return "", None


def _hosts(value: str) -> set[str]:
    """Hosts in a value: of URLs, of ``host:port``, or of a plain list of names."""
    found = {host for host, _ in _addresses(value)}
    plain = r"\*?\.?(?:[\w-]+\.)+[a-z]{2,}|localhost|127(?:\.\d+){3}"
    if not found and all(re.fullmatch(plain, p.strip(), re.IGNORECASE) for p in value.split(",")):
        found = {p.strip().lower().lstrip("*.") for p in value.split(",")}
    return found


def _has_address(host: str) -> bool:
    """Whether DNS knows a host.

    :raises ProbeError: nobody could be asked.
    """
    try:
        return bool(socket.getaddrinfo(host, None))
    except socket.gaierror as e:
        if e.errno == socket.EAI_AGAIN:
            raise ProbeError(f"the address of {host}", e, "look where DNS can be asked") from None
        return False
