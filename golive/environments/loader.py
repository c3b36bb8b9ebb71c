"""Finds, merges and checks the files that an environment consists of.

An environment is one TOML file. What it does not say comes from ``product.toml`` beside the
suites (the product's own paths and names); what a started environment only knows once it is
up (ports, say) comes from an overlay that it writes. Secrets stand in none of them, only the
names of the environment variables or files that hold them.
"""

from __future__ import annotations

import getpass
import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from golive.decoding import convert
from golive.environments.errors import explained
from golive.environments.model import Environment, Outline
from golive.masking import Mask
from golive.sections import Secret, declares, lacking
from golive.toml import read_toml
from golive.verdicts import GoliveError


def find(name_or_path: str, suites: Path) -> Path:
    """The file of an environment given by name or path.

    :raises GoliveError: there is none; names those there are.
    """
    folder = suites / "environments"
    if name_or_path.endswith(".toml") or os.sep in name_or_path:
        path = Path(name_or_path)
        if os.path.lexists(path):
            return path
        raise GoliveError(
            f"--env {name_or_path}: there is no such file; expected an environment as TOML"
        )
    path = folder / f"{name_or_path}.toml"
    if os.path.lexists(path):
        return path
    known = ", ".join(sorted(p.stem for p in folder.glob("*.toml"))) or "none"
    raise GoliveError(
        f"--env {name_or_path}: {folder} has no environment of that name;"
        f" expected one of {known}, or a path to a TOML file"
    )


def outline(path: Path, product: Path, root: Path) -> Outline:
    """The part of an environment that people's statements refer to.

    :raises GoliveError: as :func:`load`, but secrets are not looked for.
    """
    files = _layers(path, product, root)
    merged = _merged(_merged(files[2][1], files[1][1]), files[0][1])
    try:
        found = convert(_named(merged, path), Outline)
        return msgspec.structs.replace(found, source=str(path), fingerprint=_fingerprint(merged))
    except msgspec.ValidationError as e:
        raise GoliveError(explained(str(e), path, files, Outline)) from None


def load(path: Path, product: Path, root: Path, mask: Mask) -> Environment:
    """Read an environment and make every secret it names known to ``mask``.

    :param product: the file with the product's defaults.
    :param root: the folder that relative paths of a started environment refer to.
    :raises GoliveError: an unknown, missing or wrong key, or a secret that is not there; the
        message names the file, the key, what was found and what was expected.
    """
    files = _layers(path, product, root)
    # Before places of secrets become absolute: it is the same wherever the project lies.
    fingerprint = _fingerprint(_merged(_merged(files[2][1], files[1][1]), files[0][1]))
    for file, layer in files:
        if file is not None:
            _anchor_secrets(layer, file.parent)
    merged = _merged(_merged(files[2][1], files[1][1]), files[0][1])
    merged = _named(_declared(merged, files), path)
    try:
        env = convert(merged, Environment)
    except msgspec.ValidationError as e:
        raise GoliveError(explained(str(e), path, files, Environment)) from None
    _check(env, path)
    for where, value in _secrets(merged):
        try:
            mask.add(convert(value, Secret).reveal())
        except (GoliveError, ValueError) as e:
            raise GoliveError(f"{path}: {where}: {e}; expected the secret there") from None
    people = msgspec.structs.replace(
        env.people, roster=str(root / env.people.roster), papers=str(root / env.people.papers)
    )
    return msgspec.structs.replace(env, source=str(path), fingerprint=fingerprint, people=people)


def secrets_at_hand(path: Path, product: Path, root: Path, mask: Mask) -> list[str]:
    """Make known to ``mask`` what an environment names as secrets and this machine has.

    Nothing has to be up, and nothing else about the environment has to be right.

    :returns: the variables and files that are not at hand, or too short to look for.
    :raises GoliveError: one of its files cannot be read or is not TOML.
    """
    files = _layers(path, product, root, up=False)
    for file, layer in files:
        if file is not None:
            _anchor_secrets(layer, file.parent)
    overlay = files[0][0]
    missing = []
    if overlay is not None and not overlay.exists():
        missing.append(f"what {overlay} names, which is not there")
    for _, value in _secrets(_merged(_merged(files[2][1], files[1][1]), files[0][1])):
        name = value.get("env") or value.get("file") or "a secret without a name"
        try:
            mask.add(convert(value, Secret).reveal())
        except ValueError as e:  # msgspec's own is one too
            missing.append(
                name if isinstance(e, msgspec.ValidationError) else f"{name} (too short)"
            )
        except GoliveError:
            missing.append(name)
    return list(dict.fromkeys(missing))


def _named(merged: dict[str, Any], path: Path) -> dict[str, Any]:
    name = merged.get("name", path.stem)
    return {"name": name, "title": name, **merged}


def _declared(
    merged: dict[str, Any], files: list[tuple[Path | None, dict[str, Any]]]
) -> dict[str, Any]:
    """What is declared: without the sections of which only the product's names are known, and
    with the keys that stand in a connection string."""
    own = {key for _, layer in files[:2] for key in layer}
    sections = {f.name: f.type for f in msgspec.structs.fields(Environment)}
    found = {
        key: table
        for key, table in merged.items()
        if key in own or not isinstance(table, dict) or not lacking(sections.get(key), table)
    }
    postgres = found.get("postgres")
    if isinstance(postgres, dict) and "dsn" in postgres:
        path = next((f for f, layer in files if "dsn" in layer.get("postgres", {})), None)
        found["postgres"] = _from_dsn(dict(postgres), path)
    return found


_LOCAL = "/var/run/postgresql"
"""Where a server on this machine has its socket, where a connection string names no host."""
_TAKEN = {
    "dbname": "database",
    "user": "user",
    "sslmode": "sslmode",
    "sslrootcert": "sslrootcert",
    "host": "nodes",
    "port": "nodes",
    "password": "password",
}
"""What a connection string may say, and the keys of ``[postgres]`` that say the same."""
_PASSED_ON = frozenset(
    {"sslcert", "sslkey", "sslcrl", "sslnegotiation", "channel_binding", "require_auth"}
    | {"passfile", "krbsrvname", "gssencmode", "gsslib", "options"}
)
"""Settings of a connection that [postgres] has as ``libpq``."""
_WITHOUT_EFFECT = frozenset(
    {"application_name", "fallback_application_name", "connect_timeout", "client_encoding"}
    | {"target_session_attrs", "keepalives", "keepalives_idle", "keepalives_interval"}
    | {"keepalives_count", "tcp_user_timeout"}
)
"""Settings of a connection that golive chooses itself."""


def _from_dsn(table: dict[str, Any], path: Path | None) -> dict[str, Any]:
    """``[postgres]`` with the keys that its connection string tells; ``nodes`` and ``password``
    that stand beside it win."""
    from psycopg import ProgrammingError  # takes a tenth of a second, for few
    from psycopg.conninfo import conninfo_to_dict

    dsn = table.pop("dsn")
    where = f"{path}: postgres.dsn"
    try:
        is_secret = isinstance(dsn, dict)
        text = convert(dsn, Secret).reveal() if is_secret else convert(dsn, str)
        said = {key: str(value) for key, value in conninfo_to_dict(text).items()}
    except (GoliveError, ValueError, ProgrammingError) as e:
        # psycopg repeats the text, and with it the password.
        why = "it is no connection string" if isinstance(e, ProgrammingError) else e
        expected = "postgresql://user@host:port/database, or { env = ... } with a password in it"
        raise GoliveError(f"{where}: {why}; expected {expected}") from None
    if strange := sorted(said.keys() - _TAKEN.keys() - _PASSED_ON - _WITHOUT_EFFECT):
        known = ", ".join((*_TAKEN, *sorted(_PASSED_ON)))
        raise GoliveError(f"{where}: found {', '.join(strange)}; expected none but {known}")
    passed_on = {key: said[key] for key in said if key in _PASSED_ON}
    if passed_on:
        table["libpq"] = {**passed_on, **table.get("libpq", {})}
    if "password" in said and "password" not in table:
        if not is_secret:
            raise GoliveError(
                f"{where}: found a password; expected it outside of this file:"
                " dsn = { env = ... } or password = { env = ... }"
            )
        table["password"] = {**dsn, "part": "password"}
    for key in ("dbname", "user", "sslmode", "sslrootcert"):
        if key in said:
            table[_TAKEN[key]] = said[key]
    if "user" not in table:  # as libpq does
        table["user"] = os.environ.get("PGUSER") or getpass.getuser()
    if "nodes" not in table:
        host = said.get("host") or os.environ.get("PGHOST") or _LOCAL
        port = said.get("port") or os.environ.get("PGPORT") or "5432"
        table["nodes"] = [_primary(host, port, where)]
    return table


def _primary(host: str, port: str, where: str) -> dict[str, Any]:
    if "," in host:  # nothing says which of them is the primary
        raise GoliveError(
            f"{where}: found several hosts; expected one, or nodes with the role of each"
        )
    if not port.isdigit():
        raise GoliveError(f"{where}: found the port {port!r}; expected a number")
    name = "local" if host.startswith(("/", "@")) else host
    return {"name": name, "role": "primary", "host": host, "port": int(port)}


def overlay_path(raw: Mapping[str, Any], root: Path) -> Path | None:
    """Where a startable environment writes what it knows only once it is up."""
    started = raw.get("started")
    if not isinstance(started, dict):
        return None
    folder = Path(os.environ.get("GOLIVE_REHEARSAL") or str(started.get("folder", "")))
    return (folder if folder.is_absolute() else root / folder) / str(
        started.get("overlay", "endpoints.toml")
    )


def _layers(
    path: Path, product: Path, root: Path, *, up: bool = True
) -> list[tuple[Path | None, dict[str, Any]]]:
    """The files that make up an environment, the one that decides first.

    :param up: what a started environment writes has to be there.
    """
    base = read_toml(product)
    raw = read_toml(path)
    overlay_file = overlay_path(raw, root)
    overlay: dict[str, Any] = {}
    if overlay_file is not None and (up or overlay_file.exists()):
        if not os.path.lexists(overlay_file):
            raise GoliveError(
                f"{path}: [started] expects {overlay_file}, which is not there:"
                " the environment is not up"
            )
        overlay = read_toml(overlay_file)
    return [(overlay_file, overlay), (path, raw), (product, base)]


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    out = dict(below)
    for key, value in above.items():
        lower = out.get(key)
        both = isinstance(value, dict) and isinstance(lower, dict)
        # A secret's place is one thing: {env} above must not mix with {file} below.
        if both and not ({"env", "file"} & set(value)):
            out[key] = _merged(lower, value)  # type: ignore[arg-type]
        else:
            out[key] = value
    return out


def _anchor_secrets(value: Any, folder: Path) -> None:
    """Make the files that secrets name absolute: relative to the TOML that names them."""
    if isinstance(value, dict):
        if _is_secret(value) and "file" in value:
            value["file"] = str(folder / value["file"])
        for inner in value.values():
            _anchor_secrets(inner, folder)
    elif isinstance(value, list):
        for inner in value:
            _anchor_secrets(inner, folder)


def _is_secret(value: dict[str, Any]) -> bool:
    return value.keys() <= {"env", "file", "part"} and isinstance(
        value.get("env", value.get("file")), str
    )


def _secrets(value: Any, where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Where secrets are named, and how."""
    if isinstance(value, dict):
        if _is_secret(value):
            yield where.lstrip("."), value
            return
        for key, inner in value.items():
            yield from _secrets(inner, f"{where}.{key}")
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            yield from _secrets(inner, f"{where}[{n}]")


def _check(env: Environment, path: Path) -> None:
    """What the types cannot say."""
    if declares(env, "postgres.nodes"):
        primaries = [n.name for n in env.postgres.nodes if n.role == "primary"]
        if len(primaries) != 1:
            raise GoliveError(
                f"{path}: postgres.nodes: found {len(primaries)} nodes with role primary;"
                " expected exactly one"
            )
    for key in ("postgres.nodes", "redis.nodes", "application.instances", "edge.nodes"):
        if not declares(env, key):
            continue
        section, _, name = key.partition(".")
        names = [n.name for n in getattr(getattr(env, section), name)]
        if len(names) != len(set(names)):
            raise GoliveError(f"{path}: {key}: found a name twice; expected different names")
    if env.people.keys and not env.is_rehearsal:
        raise GoliveError(
            f"{path}: people.keys: found a folder of private keys; only a rehearsal may have"
            f" one, and kind is {env.kind!r}"
        )


def _fingerprint(merged: dict[str, Any]) -> str:
    return hashlib.sha256(msgspec.json.encode(merged, order="sorted")).hexdigest()
