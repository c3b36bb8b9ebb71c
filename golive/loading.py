"""What a session was made with besides golive: files of the suites, plugins, the command line.

All of it can change what a check finds, so a run says what there was. Code that is loaded can do
anything to the process that it is in; what is written here shows what was loaded, before it had
a say.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import importlib.metadata
import sys
import sysconfig
import types
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from golive import provenance
from golive.launch import is_file
from golive.ledger import Plugin
from golive.verdicts import GoliveError

_OWN = Path(__file__).resolve().parent
_BROUGHT = (
    "pytest",
    "pytest-html",
    "pytest-metadata",
    "pytest-xdist",
    "pytest-testinfra",
    "anyio",
    "hypothesis",
    "locust",
    "platformdirs",
)
"""Packages with pytest plugins that golive and what it needs bring."""
_STEPS_IN = ("pdbinvoke", "pdbtrace")
"""Of pytest's own plugins, those that let somebody change what goes on."""
_JUDGE = (".py", ".toml")
"""Files of the suites that say what has to hold; people may write others at any time."""
_STARTUP = ("sitecustomize", "usercustomize")
"""Modules that Python itself imports where it finds them."""


@dataclass(frozen=True, slots=True)
class _Stamp:
    sha256: str
    changed_ns: int
    """When it was last written, renamed or linked; nobody sets this by hand."""
    inode: int


class Sources:
    """The suites as they are before anything of them is imported.

    :raises GoliveError: a file cannot be read.
    """

    def __init__(self, root: Path, suites: Path) -> None:
        self._root = root
        self._suites = suites
        self._stamps = self._stamped()
        shared = provenance.shared_code(suites)
        self._checks = {
            p: provenance.file_digest(p, shared)
            for p in self._stamps
            if p.suffix == ".py" and suites in p.parents
        }

    def check(self, path: Path) -> str:
        """SHA-256 of the check in a file, as golive compares it; empty: it is none of the suites'.

        Nothing matches the empty one.
        """
        return self._checks.get(path, "")

    def forget_compiled(self) -> None:
        """Remove what Python and pytest have compiled of the suites: it need not be from there.

        :raises GoliveError: it cannot be removed.
        """
        places = [self._suites]
        if sys.pycache_prefix:
            places.append(Path(sys.pycache_prefix, *self._suites.parts[1:]))
        for path in (p for place in places for p in place.rglob("*.pyc")):
            try:
                path.unlink(missing_ok=True)
            except OSError as e:
                raise GoliveError(
                    f"{path}: cannot be removed: {e.strerror}; expected that golive may compile"
                    " the suites itself"
                ) from None

    def unchanged(self) -> None:
        """That the suites are still as they were.

        :raises GoliveError: one was written since, were it with the same bytes; names it.
        """
        now = self._stamped()
        other = {p for p in {*now, *self._stamps} if now.get(p) != self._stamps.get(p)}
        if other:
            names = ", ".join(sorted(p.relative_to(self._root).as_posix() for p in other)[:6])
            raise GoliveError(
                f"{names}: was written while this session began; expected suites that nobody"
                " touches meanwhile: run again"
            )

    def _stamped(self) -> dict[Path, _Stamp]:
        beside = ("conftest.py", "markers.ini", "pyproject.toml", "pytest.ini")
        judged = [p for kind in _JUDGE for p in self._suites.rglob(f"*{kind}")]
        found = {}
        for path in [*judged, *(self._root / n for n in beside)]:
            if not path.is_file() or "__pycache__" in path.parts:
                continue
            try:
                at = path.stat()
                found[path] = _Stamp(_sha256(path), at.st_ctime_ns, at.st_ino)
            except OSError as e:
                raise GoliveError(f"{path}: cannot be read: {e.strerror}") from None
        return found


class Loaded:
    """The plugins of a session, as they come.

    :param named: what launch.toml names.
    """

    def __init__(self, config: pytest.Config, named: Sequence[str]) -> None:
        self._config = config
        self._root = Path(config.rootpath)
        self._named = named
        self._registered: Sequence[tuple[str, object]] = ()
        self._own: set[int] = set()
        self._found: dict[tuple[str, int], Plugin] = {}

    def follow(self, registered: Sequence[tuple[str, object]], *, own: object) -> None:
        """Look at these, and at what comes to them.

        :param registered: names and plugins, those too that are gone again.
        :param own: a plugin that golive has made itself.
        """
        self._registered = registered
        self._own.add(id(own))

    def strange(self) -> list[str]:
        """What keeps a run from counting, in words: golive did not bring it, nobody named it."""
        return [
            p.name if p.source.endswith(p.name) else f"{p.name} ({p.source})"
            for p in self.plugins()
            if not p.known
        ]

    def plugins(self) -> list[Plugin]:
        """All so far, and what else of the command line and of Python has a say."""
        for name, plugin in self._registered:
            key = name, id(plugin)
            if key not in self._found:
                self._found[key] = self._described(name, plugin)
        return [*self._settings(), *self._startup(), *self._found.values()]

    def _described(self, name: str, plugin: object) -> Plugin:
        module = plugin if isinstance(plugin, types.ModuleType) else _module_of(plugin)
        text = getattr(module, "__file__", None)
        file = Path(text) if isinstance(text, str) else None
        named = tuple(w for w in self._named if not is_file(w))
        inside = file is not None and _OWN in file.resolve().parents
        # Nothing of golive's own is of a package that it brings.
        brought = _brought(file, named if inside else (*_BROUGHT, *named)) if file else ""
        known = (
            (bool(brought) and name not in _STEPS_IN)
            or inside
            or (file is None and id(plugin) in self._own)
            or (file == self._root / "conftest.py" and _only_loads_golive(file, module))
        )
        if name.isdigit():  # pytest's word for a plugin without a name: it is another each time
            name = type(plugin).__name__
        if file is not None and file.is_absolute() and name == str(file):
            name = self._relative(file)
        return Plugin(
            name=name,
            source=brought
            or self._package(plugin)
            or (self._relative(file) if file else f"{module.__name__}, no file"),
            sha256=_sha256(file) if file is not None and file.is_file() else "",
            known=known or self._is_named(file),
        )

    def _settings(self) -> list[Plugin]:
        """What the command line sets otherwise than the project does."""
        found = [f"-o {text}" for text in self._config.option.override_ini or ()]
        file = self._config.inipath
        if file is None or file.parent != self._root:
            found.append("-c or --rootdir")
        return [
            Plugin(name=name, source="the command line", known=name in self._named)
            for name in found
        ]

    def _startup(self) -> list[Plugin]:
        python = Path(sysconfig.get_path("stdlib"))
        found = []
        for name in _STARTUP:
            file = getattr(sys.modules.get(name), "__file__", None)
            if file and Path(file).parent != python:
                path = Path(file)
                found.append(
                    Plugin(
                        name=name,
                        source=self._relative(path),
                        sha256=_sha256(path),
                        known=self._is_named(path),
                    )
                )
        return found

    def _package(self, plugin: object) -> str:
        for one, dist in self._config.pluginmanager.list_plugin_distinfo():
            if one is plugin:
                return f"{dist.project_name} {dist.version}"
        return ""

    def _is_named(self, file: Path | None) -> bool:
        named = [(self._root / w).resolve() for w in self._named if is_file(w)]
        return file is not None and file.resolve() in named

    def _relative(self, path: Path) -> str:
        inside = path.is_relative_to(self._root)
        return path.relative_to(self._root).as_posix() if inside else str(path)


def _module_of(plugin: object) -> types.ModuleType:
    kind = plugin if isinstance(plugin, type) else type(plugin)
    return sys.modules.get(kind.__module__) or types.ModuleType(kind.__module__)


def _only_loads_golive(file: Path, module: types.ModuleType) -> bool:
    """Whether the project's conftest is as golive ships it: it holds the line that loads golive."""
    try:
        body = ast.parse(file.read_bytes()).body
    except (SyntaxError, ValueError):
        return False
    code = [s for s in body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    expected = ast.dump(ast.parse('pytest_plugins = ("golive.plugin",)').body[0])
    names = {n for n in vars(module) if not n.startswith(("__", "@"))}
    return [ast.dump(s) for s in code] == [expected] and names == {"pytest_plugins"}


def _brought(file: Path, packages: Iterable[str]) -> str:
    """The one of the packages, with its version, that a file is of, if it is as it came."""
    for name in packages:
        dist = _distribution(name)
        if dist is None or not file.is_relative_to(str(dist.locate_file(""))):
            continue  # its list of files, which may be long, does not have this one
        version, files = _files_of(dist)
        if str(file) in files:
            return f"{name} {version}" if files[str(file)] == _record_digest(file) else ""
    return ""


@cache
def _distribution(package: str) -> importlib.metadata.Distribution | None:
    try:
        return importlib.metadata.distribution(package)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return None


@cache
def _files_of(dist: importlib.metadata.Distribution) -> tuple[str, dict[str, str]]:
    """A package's version, and the digests that came with its files."""
    files = [f for f in dist.files or () if f.suffix == ".py" and f.hash]
    return dist.version, {
        str(dist.locate_file(f)): f.hash.value for f in files if f.hash and f.hash.mode == "sha256"
    }


def _record_digest(file: Path) -> str:
    """A file's SHA-256 as the records of packages spell it."""
    digest = hashlib.sha256(file.read_bytes()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
