"""A small launch of its own for the tests: a procedure, environments, and a root to run in."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import settings

import golive.commands
import golive.probes  # noqa: F401 - likewise
from golive import ledger, provenance
from golive.context import Context
from golive.environments import Environment, Secret, load
from golive.masking import Mask
from golive.people import signatures
from golive.people.statements import Signed, Statement, fingerprint, keep, read_statement
from golive.probes import register_all
from golive.probing import REGISTRY
from golive.readiness import as_line
from golive.sections import Undeclared
from golive.verdicts import Verdict
from rehearsal.kernel import ports
from tests import forking, signing
from tests.marking import (  # noqa: F401 - hooks
    pytest_collection_modifyitems,
    pytest_runtest_protocol,
)

# Tests start Python hundreds of times, and without compiled code each start takes twice as long.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.hookimpl(tryfirst=True)
def pytest_collection() -> None:
    """What is collected, thousands of tests, stays: there is no garbage worth looking for."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Look for garbage from here on, among what is new."""
    gc.freeze()
    gc.enable()


def _share_of_the_ports() -> None:
    """Give each parallel worker blocks of ports of its own, so that parts which tests run without
    a supervisor, which would claim a block, never meet another worker's."""
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    share = ports.BLOCKS // count
    ports.FIRST += number * share * ports.BLOCK
    ports.BLOCKS = share


_share_of_the_ports()

# Machines that run this are often busy. What decides about a change finds the same each time.
_SAME = os.environ.get("GOLIVE_TEST_SAME_EXAMPLES") == "1"
settings.register_profile("busy", deadline=None, derandomize=_SAME)
settings.load_profile("busy")

HTML = (
    *("-p", "pytest_metadata.plugin", "-p", "pytest_html.plugin", "-p", "pytest_html.fixtures"),
    *("--html=report.html", "--self-contained-html"),
)
"""Arguments for pytest-html's own report; its plugin is not loaded by itself in a small root."""

ROSTER = [
    {
        "id": person,
        "name": name,
        "email": f"{person}@example.com",
        "phone": "+12025550100",
        "roles": [role],
    }
    for person, name, role in (
        ("paul", "Paul Adeyemi", "product_manager"),
        ("tess", "Tess Lindqvist", "technical_lead"),
        ("elena", "Elena Marsh", "executive_team"),
    )
]
LAUNCH = date(2026, 12, 7)
SECRET_VARIABLE = "GOLIVE_TEST_SECRET"
SECRET = "kestrel-7f3a9c"

PROJECT = """\
[pytest]
addopts = --import-mode=importlib
testpaths = suites
enable_assertion_pass_hook = true
verbosity_assertions = 2
strict_markers = true
norecursedirs = environments .* reports
"""

MARKERS = """\
[block]
day_minus_2 = Two days before
day_plus_1 = The day after

[phase]
t_minus_1_week = The week before
t_plus_1_week = The week after

[owner]
product_manager = Product Manager
technical_lead = Technical Lead

[area]
db = Databases

[way]
probe = Looked at
evidence = Shown
derived = Follows
attested = Vouched for

[effect]
read = Looks
write = Writes
load = Loads
disrupt = Interrupts
spend = Costs
"""

ITEMS = {
    "D-2.1.1": ("probe", "read"),
    "D-2.1.2": ("probe", "read"),
    "D-2.1.3": ("probe", "write"),
    "D-2.1.4": ("probe", "spend"),
    "D-2.1.5": ("evidence", "disrupt"),
    "D-2.1.6": ("probe", "load"),
    "D-2.1.7": ("probe", "read"),
    "D-2.1.8": ("probe", "read"),
    "D-2.1.9": ("probe", "read"),
    "D-2.1.10": ("probe", "read"),
    "D-2.2.1": ("attested", "read"),
    "D-2.D.1": ("derived", "read"),
    "D+1.1.1": ("probe", "read"),
}
"""The small procedure: id to way and effect. ``D-2`` is due two days before the launch."""


def toml(value: Mapping[str, Any]) -> str:
    """A dictionary as TOML, one key a line."""

    def inline(inner: Any) -> str:
        if isinstance(inner, Mapping):
            return "{" + ", ".join(f"{json.dumps(k)} = {inline(v)}" for k, v in inner.items()) + "}"
        if isinstance(inner, (list, tuple)):
            return f"[{', '.join(map(inline, inner))}]"
        # TOML's basic strings and JSON's are the same but for DEL, which JSON lets stand.
        plain = inner.isoformat() if isinstance(inner, date) else json.dumps(inner)
        return plain.replace("\x7f", "\\u007F")

    return "".join(f"{json.dumps(key)} = {inline(inner)}\n" for key, inner in value.items())


def smallest(kind: Any) -> Any:
    """The smallest value of a type with which everything can be looked at: needed keys only.

    Built from the model, so that a key which it gains needs no change here.
    """
    origin = typing.get_origin(kind)
    if kind is Secret:
        return {"env": SECRET_VARIABLE}
    if origin is Literal:
        return typing.get_args(kind)[0]
    if origin in (typing.Union, types.UnionType):
        return smallest(typing.get_args(kind)[0])
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        needed = (
            f
            for f in msgspec.structs.fields(kind)
            if f.required or isinstance(f.default, Undeclared)
        )
        return {f.name: smallest(f.type) for f in needed}
    return {str: "x", int: 1, float: 1.0, bool: False}.get(kind) or (origin or kind)()


@cache
def _smallest_environment() -> dict[str, Any]:
    found: dict[str, Any] = smallest(Environment)
    return found


def small_environment(**changes: Any) -> dict[str, Any]:
    """A valid environment as its file says it, with the top-level tables of ``changes`` merged."""
    raw: dict[str, Any] = deepcopy(_smallest_environment())
    raw |= {"name": "staging", "kind": "staging", "title": "Small", "permits": ["read", "write"]}
    raw["people"] = {"roster": "suites/people/roster.toml", "papers": "papers"}
    raw["postgres"]["password"] = {"env": SECRET_VARIABLE}
    raw["postgres"]["nodes"] = [{"name": "db-1", "role": "primary", "host": "127.0.0.1"}]
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(raw.get(key), dict)
        raw[key] = raw[key] | value if both else value
    return raw


def small_procedure(items: Mapping[str, tuple[str, str]] = ITEMS) -> str:
    """The small procedure as its file says it."""
    blocks = []
    for prefix, mark, phase, owner, due in (
        ("D-2", "day_minus_2", "t_minus_1_week", "Product Manager", -2),
        ("D+1", "day_plus_1", "t_plus_1_week", "Technical Lead", 1),
    ):
        lines = [
            {"id": i, "title": f"Title of {i}", "area": "db", "way": way, "effect": effect}
            for i, (way, effect) in items.items()
            if i.startswith(prefix)
        ]
        task = {"title": "Task", "kind": "task", "time": "1 hour", "minutes": 60, "items": lines}
        blocks.append(
            {
                "mark": mark,
                "phase": phase,
                "chapter": "Chapter",
                "title": f"Block {mark}",
                "owner": owner,
                "due": due,
                "task": [task],
            }
        )
    return toml({"schema": 1, "block": blocks})


@dataclass(frozen=True)
class Done:
    """A finished pytest: exit status, what it said, and what it left behind."""

    ret: int
    out: str
    err: str
    root: Root

    @property
    def run(self) -> ledger.Run:
        """The newest run on disk."""
        return ledger.read_run(ledger.runs(self.root.reports)[-1])

    @property
    def verdicts(self) -> dict[str, str]:
        """Id to verdict, of the newest run."""
        return {i: v.verdict.value for i, v in self.run.verdicts.items()}

    @property
    def lines(self) -> list[str]:
        """What the terminal showed."""
        return self.out.splitlines()

    def error(self) -> str:
        """The one paragraph of a user's mistake."""
        found = [line for line in self.err.splitlines() if line.startswith("ERROR: ")]
        assert len(found) == 1, f"expected one paragraph of error:\n{self.err}\n{self.out}"
        return found[0].removeprefix("ERROR: ")

    def junit(self) -> dict[str, tuple[dict[str, str], str]]:
        """Id to the properties of its testcase and the text of what is inside it."""
        out: dict[str, tuple[dict[str, str], str]] = {}
        for case in ElementTree.parse(self.root.path / "junit.xml").iter("testcase"):
            found = [(p.get("name", ""), p.get("value", "")) for p in case.iter("property")]
            assert len(found) == len(dict(found)), f"a property twice: {found}"
            inside = [child for child in case if child.tag != "properties"]
            text = " ".join(f"<{c.tag}> {c.get('message')} {c.text}" for c in inside)
            out[dict(found)["id"]] = (dict(found), text)
        return out


class Folder:
    """A launch of its own in a folder: the small procedure, environments, and no item yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.write("suites/procedure.toml", small_procedure())
        self.launch()
        self.write("suites/product.toml", "")
        self.write("suites/people/roster.toml", toml({"schema": 1, "person": ROSTER}))
        self.environment("rehearsal", kind="rehearsal")
        self.environment("staging")

    @property
    def reports(self) -> Path:
        """Where runs and reports go."""
        return self.path / "reports"

    def write(self, name: str, text: str) -> Path:
        """Write a file of the folder."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def launch(
        self,
        day: object = LAUNCH,
        *,
        people: Mapping[str, object] | None = None,
        validity: Mapping[str, str] | None = None,
        **thresholds: object,
    ) -> None:
        """Write launch.toml."""
        launch = {"date": day, "candidate": "v2.0.0", "previous": "v1.9.0"}
        validity = {"default": "7 d"} | dict(validity or {})
        tables = {"launch": launch, "thresholds": thresholds, "validity": validity}
        self.write("suites/launch.toml", toml(tables | ({"people": people} if people else {})))

    def environment(self, name: str, **changes: Any) -> Path:
        """Write an environment."""
        raw = small_environment(**({"name": name} | changes))
        return self.write(f"suites/environments/{name}.toml", toml(raw))

    def items(self, text: str, name: str = "suites/t_minus_1_week/test_day_minus_2.py") -> None:
        """Write a block's file."""
        self.write(
            name,
            "import os, sys, time, logging, warnings\n"
            "import pytest\n"
            "from golive.claims import at_most, equal, none_of\n"
            "from golive.items import attested, derived, item\n"
            "from golive.verdicts import Pending, ProbeError\n"
            f"{text}\n",
        )

    @staticmethod
    def day(count: int) -> str:
        """A date that many days from the launch, as --today takes it."""
        return (LAUNCH + timedelta(days=count)).isoformat()


class Root(Folder):
    """Such a folder in which pytest runs with the engine, as a process of its own."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        super().__init__(pytester.path)
        self.write("pytest.ini", PROJECT)
        self.write("markers.ini", MARKERS)
        self.write("conftest.py", 'pytest_plugins = ("golive.plugin",)\n')

    def probes(self, text: str) -> None:
        """Write probes that exist in this root only."""
        self.write(
            "conftest.py",
            "import threading, time\n"
            "from golive.probing import probe\n"
            "from golive.verdicts import ProbeError\n"
            f"{text}\n"
            'pytest_plugins = ("golive.plugin",)\n',
        )

    def run(self, *arguments: str, env: str = "rehearsal") -> Done:
        """Run pytest to its end."""
        done = forking.run_pytest([*self.command[3:], "--env", env, *arguments], folder=Path.cwd())
        out, err = done.stdout, done.stderr
        sys.stdout.write(out)
        sys.stderr.write(err)
        assert "INTERNALERROR" not in out + err, out + err
        return Done(done.returncode, out, err, self)

    def run_inside(self, *arguments: str) -> Done:
        """Run pytest to its end in this process: quicker, for runs that end before any item."""
        done = self.pytester.runpytest_inprocess("-p", "no:cacheprovider", *arguments)
        return Done(int(done.ret), str(done.stdout), str(done.stderr), self)

    @property
    def command(self) -> list[str]:
        """How pytest is started."""
        return [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]


STATED = """
@attested("D-2.2.1", "everybody was notified", by=("product_manager",))
def test_everybody_was_told(vouched):
    '''Signed.

    Remedy: tell them.'''
"""
"""The attested item of the small procedure, which its owner states alone."""
SIGNING = {
    "second_signers": ["technical_lead"],
    "approvers": ["executive_team", "technical_lead"],
    "two_signatures": [],
    "not_applicable": ["D-2.1.7"],
}
"""What launch.toml says of people, where they sign."""
PEOPLE = {
    "paul": ("Paul Adeyemi", ["product_manager"], []),
    "leah": ("Leah Okoro", [], ["product_manager"]),
    "tess": ("Tess Lindqvist", ["technical_lead"], []),
    "elena": ("Elena Marsh", ["executive_team"], []),
    "joel": ("Joel Abrams", ["support"], []),
}
"""Who signs in tests: id to name, roles and roles that the person backs up."""
RUNNER = "ci"
"""The machine whose key signs runs in tests."""
COMMIT = "c9d6fab0"
HELD = ledger.Claim("subject", "1", "at least 1", holds=True)
"""What a green verdict rests on in tests."""


class Project:
    """People with real keys in a launch folder, who can sign.

    ``keys`` has each person's private key. The item D-2.2.1 is written, as :data:`STATED`.
    """

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.path = folder.path
        self.keys = {i: make_key(self.path / "keys" / i) for i in (*PEOPLE, RUNNER)}
        self.launch_day = datetime.now(UTC).date() + timedelta(days=14)
        self.launch()
        folder.items(STATED)
        self.roster()

    def launch(self, **people: list[str]) -> None:
        """Write launch.toml, two weeks before the launch: :data:`SIGNING`, with some otherwise."""
        self.folder.launch(self.launch_day, people=SIGNING | people)

    def fresh(self, **hours: str) -> None:
        """Write how long verdicts count into launch.toml, below what it has."""
        path = self.path / "suites" / "launch.toml"
        ways = dict.fromkeys(("probe", "evidence", "derived", "attested"), "24 h") | hours
        lines = "".join(f'{way} = "{length}"\n' for way, length in ways.items())
        path.write_text(path.read_text() + f"\n[freshness]\n{lines}")

    def looked(
        self,
        verdicts: Mapping[str, Verdict],
        *,
        ago: timedelta = timedelta(hours=1),
        ended: bool = True,
        env: str = "staging",
        message: str = "why {id} is {verdict}",
        by: str = RUNNER,
        limits: Mapping[str, float] | None = None,
        claims: Sequence[ledger.Claim] = (HELD,),
        **head: Any,
    ) -> Path:
        """A run that found this, begun so long ago; its folder.

        :param ended: if not, it was killed.
        :param by: who signs it; empty: nobody.
        """
        context = self.context(env)
        at = datetime.now(UTC) - ago
        known: dict[str, Any] = {
            "id": f"{at:%Y%m%dT%H%M%SZ}-{env}-{len(ledger.runs(context.reports)):04x}",
            "environment": ledger.EnvironmentRef(
                context.environment.name,
                context.environment.kind,
                context.environment.title,
                context.origin.fingerprint,
            ),
            "candidate": context.launch.candidate,
            "launch_date": context.launch.date,
            "today": at.date(),
            "who": "nightly",
            "host": "ci",
            "started_at": at,
            "suite": context.origin.suite,
            "engine": context.origin.engine,
            "rules": context.rules,
            "before": context.tips(),
            "packages": {},
            "windows": {},
            "selected": [as_line(i) for i in context.procedure if i.id in verdicts],
            "unwritten": [],
        }
        book = ledger.Ledger(context.reports, ledger.Head(**(known | head)), Mask())
        for ident, verdict in verdicts.items():
            reported = "" if verdict is Verdict.PASS else message.format(id=ident, verdict=verdict)
            book.add_verdict(
                ledger.ItemVerdict(
                    id=ident,
                    verdict=verdict,
                    started_at=at,
                    duration_s=0.1,
                    message=reported,
                    claims=list(claims) if verdict is Verdict.PASS else [],
                    check=context.origin.checks.get(ident, ""),
                    limits=dict(limits or {}),
                )
            )
        if not ended:
            os.close(book._verdicts)  # and with it the lock that says it goes on
            return book.folder
        signing = ledger.Signing(by, self.keys[by], context.roster) if by else None
        _, cause = book.close(0, signing)
        assert not cause
        return book.folder

    def on(self, day: int) -> str:
        """A date that many days from the launch."""
        return (self.launch_day + timedelta(days=day)).isoformat()

    def roster(self, **changes: Mapping[str, Any] | None) -> Path:
        """Write the roster: fields laid over a person by id; None leaves the person out."""
        people = []
        for n, (ident, (name, roles, backs_up)) in enumerate(PEOPLE.items()):
            fields = {
                "id": ident,
                "name": name,
                "email": f"{ident}@example.com",
                "phone": f"+12025550{100 + n}",
                "roles": roles,
                "backs_up": backs_up,
                "keys": [{"public": self.public(ident)}],
            }
            change = changes.get(ident, {})
            if change is not None:
                people.append(fields | dict(change))
        runners = [{"id": RUNNER, "title": "CI", "keys": [{"public": self.public(RUNNER)}]}]
        text = toml({"schema": 1, "person": people, "runner": runners})
        return self.folder.write("suites/people/roster.toml", text)

    def public(self, person: str) -> str:
        """Somebody's public key, as the roster has it."""
        return " ".join(self.keys[person].with_suffix(".pub").read_text().split()[:2])

    def context(self, env: str = "staging") -> Context:
        """The context as a new command finds it."""
        return Context.open(env, self.path)

    @property
    def statements(self) -> Path:
        """Where what is signed lies."""
        return self.context().statements.folder

    def draft(
        self, item: str = "D-2.2.1", by: str = "paul", *, chained: bool = True, **fields: Any
    ) -> Statement:
        """What would be signed: a true statement, with some fields otherwise."""
        context = self.context()
        now = datetime.now(UTC).replace(microsecond=0)
        line = context.procedure.items.get(item)
        values: dict[str, Any] = {
            "kind": "attest",
            "item": item,
            "title": line.title if line else "",
            "fingerprint": fingerprint(line.title, context.cards.get(item)) if line else "",
            "environment": "staging",
            "environment_kind": "staging",
            "candidate": context.launch.candidate,
            "by": by,
            "role": (context.roster.roles_of(by) or ["nobody"])[0],
            "text": "everybody was notified",
            "before": context.tips() if chained else {},
            "made_at": now,
            "expires_at": now + timedelta(days=7),
        }
        if fields.get("data") == {"decision": "go"}:
            values["readiness"] = "0" * 64
        return Statement(**(values | fields))

    def sign(
        self,
        item: str = "D-2.2.1",
        by: str = "paul",
        *,
        files: Sequence[Path] = (),
        key: str = "",
        **fields: Any,
    ) -> Signed:
        """Sign a statement and put it into the folder, whether it will hold or not.

        :param key: whose key is used; default: the person's own.
        """
        said = self.draft(item, by, **fields)
        return keep(said, files, self.keys[key or by], self.statements)

    def cause(self, signed: Signed) -> str:
        """Why it does not hold, as a new command finds it; empty where it holds."""
        return self.context().statements.check(read_statement(signed.folder)).cause


def make_key(path: Path, kind: str = "ed25519") -> Path:
    """A private key of one's own, with its public half beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = _key_of(path.name, kind)
    for name, text in zip((path, path.with_suffix(".pub")), made, strict=True):
        name.write_text(text)
        name.chmod(0o600)
    return path


@cache
def _key_of(name: str, kind: str) -> tuple[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "key"
        of = ("-t", kind, *(("-b", "2048") if kind == "rsa" else ()))  # longer ones take seconds
        subprocess.run(["ssh-keygen", "-q", *of, "-N", "", "-C", name, "-f", str(path)], check=True)
        return path.read_text(), path.with_suffix(".pub").read_text()


def pytest_unconfigure() -> None:
    """End what was started for the whole session."""
    forking.end()


@pytest.fixture(autouse=True, scope="session")
def signing_here() -> Iterator[signing.Keygen]:
    """Signatures are made in this process, which starts none for each; gives ssh-keygen itself."""
    itself = signatures._ssh_keygen
    signatures._ssh_keygen = signing.instead_of(itself)
    yield itself
    signatures._ssh_keygen = itself


@pytest.fixture
def ssh_keygen(signing_here: signing.Keygen, monkeypatch: pytest.MonkeyPatch) -> signing.Keygen:
    """For tests whose subject it is: ssh-keygen signs."""
    monkeypatch.setattr(signatures, "_ssh_keygen", signing_here)
    return signing_here


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A launch folder with people who can sign, and the working directory in it."""
    monkeypatch.setenv(SECRET_VARIABLE, SECRET)
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "launch").mkdir()
    monkeypatch.chdir(tmp_path / "launch")

    def committed(_: Path, suites: Path) -> ledger.Suite:
        return ledger.Suite(COMMIT, clean=True, digest=provenance.suite_digest(suites))

    monkeypatch.setattr(provenance, "suite", committed)  # what git says has tests of its own
    return Project(Folder(tmp_path / "launch"))


@pytest.fixture
def root(registry: None, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Root:
    """A root with the small procedure and its environments, and no item yet.

    Probes are registered first: pytester forgets modules that were imported since it began.
    """
    monkeypatch.setenv(SECRET_VARIABLE, SECRET)
    monkeypatch.delenv("GOLIVE_REHEARSAL", raising=False)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # a start costs half as much
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(pytester.path)
    return Root(pytester)


@pytest.fixture(scope="session")
def aws_url() -> Iterator[str]:
    """Where moto answers as Amazon's services; whoever uses it empties it first."""
    from moto.server import ThreadedMotoServer  # slow to import, for few

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def env_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Environment]:
    """Load the small environment with some tables changed."""

    def make(*, product: Mapping[str, Any] | None = None, **changes: Any) -> Environment:
        monkeypatch.setenv(SECRET_VARIABLE, SECRET)
        path, defaults = tmp_path / "small.toml", tmp_path / "product.toml"
        path.write_text(toml(small_environment(**changes)), encoding="utf-8")
        defaults.write_text(toml(product or {}), encoding="utf-8")
        return load(path, defaults, tmp_path, Mask())

    return make


@pytest.fixture
def registry() -> Iterator[None]:
    """Probes registered in a test are forgotten after it; golive's own are imported but once."""
    register_all()
    known = dict(REGISTRY)
    yield
    REGISTRY.clear()
    REGISTRY.update(known)
