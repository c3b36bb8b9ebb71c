"""Secrets of the configuration: whether each is its environment's own, and where else one stands.

Values are looked for in memory; what is told is the secret's name and the place.
"""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit

from golive.environments import Environment
from golive.environments import SecretFile as DeclaredFile
from golive.masking import spellings
from golive.probes.platform import envfiles
from golive.probes.platform.processes import process_id
from golive.probes.platform.references import Missing, Store, reference
from golive.probes.traffic.surface import AssetFinder, may_be_asked, sites
from golive.probes.transport.http import Address, Client, client
from golive.probes.transport.machines import Machine
from golive.probes.transport.repository import Repository
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen, seen, unseen_among

if TYPE_CHECKING:
    import requests

_LOG_DAYS = 7
_MOST_BYTES = 512 * 2**20
_SHORTEST = 8
"""Characters below which a value stands in ordinary text by chance."""
_UNPACKING = {".gz": "zcat", ".bz2": "bzcat", ".xz": "xzcat", ".zst": "zstdcat"}
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_MOST_ASSETS = 200


@dataclass(frozen=True, slots=True)
class Searched:
    """One kind of place that was looked through for every secret."""

    places: int
    found: tuple[str, ...]
    """Place and secret's name of each one that was met."""


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A file with secrets, on a machine."""

    path: str
    mode: int
    owner: str
    service_user: str

    @property
    def flaw(self) -> str:
        """Who else may read it; empty where nobody may."""
        if self.mode & 0o077:
            return f"{self.path} has mode {self.mode:04o}"
        return "" if self.owner == self.service_user else f"{self.path} belongs to {self.owner}"


@dataclass(frozen=True, slots=True)
class ConfiguredSecrets:
    """The secrets that the released file refers to, by the variable's name."""

    resolved: Mapping[str, str | Unseen]
    """Digests of the current values."""
    empty: tuple[str, ...]
    in_the_open: list[str] | Unseen
    """Variables that are secret by the schema, and stand in the released file itself."""
    shared: tuple[str, ...] | Unseen
    """Secrets whose value another environment, a default or an example has, and which."""
    files: tuple[SecretFile, ...] | Unseen

    @property
    def unresolved(self) -> list[str] | Unseen:
        """Secrets that are not there; unseen where none is known not to be, and one may not be
        read."""
        unseen = {n: v.error for n, v in self.resolved.items() if isinstance(v, Unseen)}
        gone = [f"{n} ({e.subject})" for n, e in unseen.items() if isinstance(e, Missing)]
        missed = unseen_among(self.resolved.values())
        return missed if missed is not None and not gone else gone

    @property
    def open_files(self) -> list[str] | Unseen:
        """Files that somebody else than the service may read."""
        if isinstance(self.files, Unseen):
            return self.files
        return [f.flaw for f in self.files if f.flaw]


@dataclass(frozen=True, slots=True)
class SecretsElsewhere:
    """Every kind of place in which no secret may stand."""

    history: Searched | Unseen
    images: Searched | Unseen
    logs: Searched | Unseen
    bundle: Searched | Unseen
    errors: Searched | Unseen


@probe()
def configured_secrets(env: Environment) -> ConfiguredSecrets:
    """The secrets that the released file refers to, as they are now."""
    variables, values = _released(env)
    known = {name: v for name, v in values.items() if not isinstance(v, Unseen)}
    return ConfiguredSecrets(
        {n: v if isinstance(v, Unseen) else envfiles.digest(v) for n, v in values.items()},
        tuple(name for name, value in known.items() if not value.strip()),
        seen(_in_the_open, env, variables),
        seen(_shared, env, {n: v for n, v in known.items() if v.strip()}),
        seen(_files, env),
    )


@probe(limit="drill")
def secrets_elsewhere(env: Environment) -> SecretsElsewhere:
    """Every secret looked for where none may stand: history, images, logs, pages, errors."""
    _, values = _released(env)
    words = {n: v for n, v in values.items() if not isinstance(v, Unseen)}
    search = Search(words)
    if not search.names:
        cause = "no secret could be looked up, so none can be looked for"
        raise ProbeError("secrets where none may stand", cause, "see the claims of the secrets")
    looks = (_in_history, _in_images, _in_logs, _in_bundle, _in_errors)
    return SecretsElsewhere(*(seen(look, env, search) for look in looks))


class Search:
    """Looks for values in bytes, in each spelling that a file could hold them in."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._words: dict[str, set[bytes]] = {}
        for name, value in values.items():
            parts = {value, *_passwords(value)}
            words = {s.lower().encode() for p in parts if len(p) >= _SHORTEST for s in spellings(p)}
            if words:
                self._words[name] = words

    @property
    def names(self) -> list[str]:
        """The secrets that are looked for."""
        return list(self._words)

    def __call__(self, data: bytes) -> list[str]:
        """The names of those that stand in it."""
        folded = data.lower()
        return [n for n, words in self._words.items() if any(w in folded for w in words)]


def _passwords(value: str) -> Iterator[str]:
    """The password of an address, which stands alone elsewhere."""
    if "://" in value:
        try:
            password = urlsplit(value).password
        except ValueError:
            return
        if password:
            yield unquote(password)


def _released(env: Environment) -> tuple[dict[str, str], dict[str, str | Unseen]]:
    """The released file's variables, and the current value of each secret that it refers to.

    :raises ProbeError: it refers to none.
    """
    variables = _variables(env, env.configuration.env_file)
    store = Store(env)
    found: dict[str, str | Unseen] = {}
    for name, value in variables.items():
        at = reference(value, env)
        if at is not None and at.service == "secretsmanager":
            found[name] = seen(store.value, at)
    if not found:
        raise ProbeError(
            f"the secrets of {env.configuration.env_file}",
            "it refers to none",
            f"write {env.configuration.secret_prefix}NAME#KEY for each secret there",
        )
    return variables, found


def _variables(env: Environment, path: str) -> dict[str, str]:
    repository = Repository(env.release.repository, env.time_limits.probe)
    text = repository.text(env.release.tag, path)
    return envfiles.parse(text, f"{path} at {env.release.tag}")


def _in_the_open(env: Environment, variables: Mapping[str, str]) -> list[str]:
    repository = Repository(env.release.repository, env.time_limits.probe)
    path = env.configuration.schema
    schema = envfiles.properties(repository.text(env.release.tag, path), path)
    secret = {n for n, p in schema.items() if p.get("x-secret") or p.get("writeOnly")}
    return [n for n in secret & set(variables) if reference(variables[n], env) is None]


def _shared(env: Environment, values: Mapping[str, str]) -> tuple[str, ...]:
    """Secrets that another file has, whichever variable of it.

    :raises ProbeError: none of the others is declared, or a value of one cannot be looked up, and
        nothing was found in the rest.
    """
    others = env.configuration.other_env_files
    if not others:
        step = "declare configuration.other_env_files: of other environments, defaults, examples"
        raise ProbeError("values of other environments", "none is declared", step)
    store, found, missed = Store(env), list[str](), list[Unseen]()
    for path in others:
        theirs: set[str] = set()
        for value in _variables(env, path).values():
            at = reference(value, env)
            told = value if at is None else seen(store.value, at)
            if isinstance(told, Unseen):
                missed.append(told)
            else:
                theirs.add(told)
        found += [f"{name} (as in {path})" for name, value in values.items() if value in theirs]
    if missed and not found:
        raise missed[0].error
    return tuple(found)


def _files(env: Environment) -> tuple[SecretFile, ...]:
    """:raises ProbeError: none is declared, or one cannot be looked at."""
    declared = env.configuration.secret_files
    if not declared:
        step = "declare configuration.secret_files, or that the service has none: see section.py"
        raise ProbeError("files with secrets", "none is declared", step)
    return tuple(_file(env, one) for one in declared)


def _file(env: Environment, declared: DeclaredFile) -> SecretFile:
    machine = Machine(declared.address)
    mode, owner = machine.answer("stat", "-L", "-c", "%a %U", "--", declared.path).split()
    user = declared.user
    if not user:
        process = next((p for p in env.configuration.processes if p.name == declared.process), None)
        if process is None:
            raise ProbeError(
                f"the service user of {declared.path}",
                "neither user nor process is declared for it",
                "declare one of them in configuration.secret_files",
            )
        pid = process_id(process)
        user = Machine(process.address).answer("stat", "-c", "%U", "--", f"/proc/{pid}").strip()
    return SecretFile(declared.path, int(mode, 8), owner, user)


# -- places ----------------------------------------------------------------------------------------


def _in_history(env: Environment, search: Search) -> Searched:
    """Every line that was ever added, in any branch or tag."""
    repository = Repository(env.release.repository, env.time_limits.drill)
    found: dict[str, None] = {}
    commit, commits = "", 0
    for kind, line in repository.history(most_bytes=_MOST_BYTES):
        if kind == "commit":
            commit, commits = line.decode(errors="replace")[:12], commits + 1
        else:
            found |= {f"commit {commit}: {name}": None for name in search(line)}
    if not commits:
        raise ProbeError(f"the history of {repository.path}", "it has no commit", "fetch it")
    return Searched(commits, tuple(found))


def _in_images(env: Environment, search: Search) -> Searched:
    """Every blob of OCI layouts, and every file of archives that ``docker save`` makes."""
    declared = env.configuration.images
    if not declared:
        step = "declare configuration.images: OCI layouts, or archives of docker save"
        raise ProbeError("layers of images", "none is declared", step)
    found, blobs = list[str](), 0
    for one in declared:
        path = Path(one)
        files = sorted(path.glob("blobs/*/*")) if path.is_dir() else [path]
        if not files or not all(f.is_file() for f in files):
            step = "check configuration.images"
            raise ProbeError(f"the image {path}", "there is no blob in it", step)
        for file in files:
            for content in _unpacked(file):
                blobs += 1
                found += [f"{path.name}, {file.name[:12]}: {name}" for name in search(content)]
    return Searched(blobs, tuple(dict.fromkeys(found)))


def _unpacked(path: Path) -> Iterator[bytes]:
    """What a blob, or each member of an archive, holds; layers keep their files as they are.

    :raises ProbeError: it cannot be read, or is packed in a way that is not known here.
    """
    try:
        content = _plain(path.read_bytes(), path)
        yield content
        if tarfile.is_tarfile(io.BytesIO(content)):
            with tarfile.open(fileobj=io.BytesIO(content)) as archive:
                for member in archive:
                    file = archive.extractfile(member) if member.isfile() else None
                    packed = file.read() if file else b""
                    if packed[:2] == _GZIP:
                        yield _plain(packed, path)
    except (OSError, tarfile.TarError, EOFError, zlib.error) as e:
        raise ProbeError(f"the image file {path}", e, "check that it is whole") from None


def _plain(content: bytes, path: Path) -> bytes:
    if content[:4] == _ZSTD:
        cause, step = "it is packed with zstd", "save the image with layers packed by gzip"
        raise ProbeError(f"the image file {path}", cause, step)
    return gzip.decompress(content) if content[:2] == _GZIP else content


def _in_logs(env: Environment, search: Search) -> Searched:
    """What was logged in the last seven days, rotated files included."""
    if not env.application.logs:
        raise ProbeError("the logs", "none is declared", "declare them under application.logs")
    found, files, size = list[str](), 0, 0
    for log in env.application.logs:
        machine = Machine(log.address)
        for path in _recent(machine, log.path):
            size += int(machine.answer("stat", "-c", "%s", "--", path))
            if size > _MOST_BYTES:
                raise ProbeError(
                    f"the logs up to {path}",
                    f"they have more than {_MOST_BYTES:,} bytes",
                    "scan them where they are, and declare the ones that are left",
                )
            program = _UNPACKING.get(PurePosixPath(path).suffix, "cat")
            text = machine.answer(program, "--", path)
            files += 1
            found += [f"{path}: {name}" for name in search(text.encode(errors="surrogateescape"))]
    if not files:
        raise ProbeError("the logs", "no file was written to in 7 days", "check application.logs")
    return Searched(files, tuple(found))


def _recent(machine: Machine, log: str) -> list[str]:
    """Files of a log or of a folder of logs, and those that it was rotated to beside it."""
    recent = ("-type", "f", "-mtime", f"-{_LOG_DAYS}", "-print")
    path = PurePosixPath(log)
    pattern = re.sub(r"([\\*?[])", r"\\\1", path.name) + "[.-]*"
    beside = machine.answer(
        *("find", str(path.parent), "-maxdepth", "1", "-name", pattern), *recent
    ).splitlines()
    return list(dict.fromkeys([*machine.answer("find", log, *recent).splitlines(), *beside]))


def _in_bundle(env: Environment, search: Search) -> Searched:
    """The pages that customers see, with every asset of their own host, at the first site that
    serves them."""
    paths = env.application.paths
    pages = dict.fromkeys([*paths.pages, *paths.payment, *paths.signed_in_pages])
    for base, at in sites(env):
        if at is not None or may_be_asked(env, urlsplit(base).hostname or ""):
            looked, found = _site(env, base, at, pages, search)
            if len(looked) > len(pages):
                return Searched(len(looked), tuple(found))
    cause = "no site has a page that loads anything of its own host"
    raise ProbeError("the frontend bundle", cause, "check application.paths.pages")


def _site(
    env: Environment, base: str, at: Address | None, pages: Iterable[str], search: Search
) -> tuple[list[str], dict[str, None]]:
    """What was asked for at a site, and the secrets that stood in the answers."""
    queue, looked, found = [urljoin(base, path) for path in pages], list[str](), dict[str, None]()
    with client(env, at) as http:
        while queue and len(looked) < _MOST_ASSETS:
            url = queue.pop(0)
            looked.append(url)
            answer = http.get(url)
            text = "\n".join(answer.headers.values()).encode() + b"\n" + answer.content
            found |= {f"{urlsplit(url).path}: {name}": None for name in search(text)}
            if "html" in answer.headers.get("Content-Type", "") and answer.status_code == 200:
                assets = [urljoin(url, one) for one in AssetFinder.paths(answer.text, url)]
                queue += [one for one in assets if one not in (*looked, *queue)]
    return looked, found


def _in_errors(env: Environment, search: Search) -> Searched:
    """What every instance answers to requests that it has to refuse."""
    found, answers = list[str](), 0
    for instance in env.application.instances:
        with client(env) as http:
            for what, status, content in _refused(env, instance.url, http):
                answers += status >= 400
                found += [f"{instance.name}, {what}: {name}" for name in search(content)]
    if not answers:
        raise ProbeError("error responses", "nothing was refused", "check application.paths")
    return Searched(answers, tuple(dict.fromkeys(found)))


def _refused(env: Environment, url: str, http: Client) -> Iterator[tuple[str, int, bytes]]:
    paths, base = env.application.paths, url.rstrip("/")
    asks: list[tuple[str, Callable[[], requests.Response]]] = [
        ("a path that is not there", lambda: http.get(f"{base}/golive-not-there")),
        ("without a token", lambda: http.get(base + paths.me)),
        (
            "with a token of nobody",
            lambda: http.get(base + paths.me, {"Authorization": "Bearer golive.not.one"}),
        ),
        ("a wrong method", lambda: http.post(base + paths.health, {})),
        ("a login of nobody", lambda: http.post(base + paths.login, _NOBODY)),
        ("a body of another shape", lambda: http.post(base + paths.login, [])),
        ("a query of another type", lambda: http.get(f"{base}{paths.slots}?appointment_date=%00")),
    ]
    for what, ask in asks:
        answer = ask()
        headers = "\n".join(answer.headers.values()).encode()
        yield what, answer.status_code, headers + b"\n" + answer.content


_NOBODY = {"email": "golive-nobody@example.com", "password": "golive-nobody"}
