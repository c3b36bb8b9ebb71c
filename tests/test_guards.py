"""Guards over the suites as they are: ids, thresholds, faults, a world where nothing answers."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator, Mapping, Set
from functools import cache
from pathlib import Path

import pytest

from golive import launch, ledger, procedure
from golive.probes import register_all
from golive.probing import REGISTRY
from golive.verdicts import Verdict
from rehearsal.faults import all_faults
from tests import forking
from tests.suites.derived import derived
from tests.unwritten import resting_on_unwritten

ROOT = Path(__file__).resolve().parent.parent
SUITES = ROOT / "suites"


def run_suites(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the real suites in a process of their own."""
    given = ["-p", "no:cacheprovider", *arguments]
    return forking.run_pytest(given, folder=ROOT, variables=environment, within_s=300)


@cache
def dead_run(reports: Path) -> ledger.Run:
    """Every written item, in a world where nothing answers."""
    done = run_suites(
        *("--env=dead", "--today=2099-01-01", f"--reports={reports}"),
        GOLIVE_DEAD_SECRET="nothing-answers-here",
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "nothing-answers-here" not in done.stdout + done.stderr
    return ledger.read_run(ledger.runs(reports)[-1])


@pytest.fixture(scope="module")
def dead(tmp_path_factory: pytest.TempPathFactory) -> ledger.Run:
    return dead_run(tmp_path_factory.mktemp("dead"))


def test_no_item_passes_where_nothing_answers(dead: ledger.Run) -> None:
    assert dead.verdicts
    green = [v.id for v in dead.verdicts.values() if v.verdict is Verdict.PASS]
    assert green == []


def test_where_nothing_answers_no_item_is_accused(dead: ledger.Run) -> None:
    """Could not look is UNKNOWN: red would claim that something is wrong with the product."""
    accused = {v.id: v.message for v in dead.verdicts.values() if v.verdict is Verdict.FAIL}
    assert accused == {}


def test_every_unknown_tells_its_cause(dead: ledger.Run) -> None:
    unknown = [v for v in dead.verdicts.values() if v.verdict is Verdict.UNKNOWN]
    assert unknown
    broken = {v.id: v.message for v in unknown if not v.message.startswith("could not look at ")}
    assert broken == {}


def test_every_item_is_selected_or_told_as_unwritten(dead: ledger.Run) -> None:
    known = procedure.load(SUITES / "procedure.toml")
    selected = {line.id for line in dead.head.selected}
    unwritten = {line.id for line in dead.head.unwritten}
    assert selected | unwritten == set(known.items)
    assert not selected & unwritten


def test_the_procedure_has_479_items_of_which_62_are_vouched_for() -> None:
    items = list(procedure.load(SUITES / "procedure.toml"))
    assert len(items) == 479
    assert sum(i.way == "attested" for i in items) == 62


def test_every_attested_item_is_written(dead: ledger.Run) -> None:
    known = procedure.load(SUITES / "procedure.toml")
    vouched = {i.id for i in known if i.way == "attested"}
    assert vouched <= {line.id for line in dead.head.selected}


def test_marks_select_what_an_owner_expects() -> None:
    def selected(*arguments: str) -> int:
        done = run_suites("--collect-only", "-q", *arguments)
        return sum("::" in line for line in done.stdout.splitlines())

    assert selected("-m", "day_minus_13") == 15
    assert selected("-m", "day_minus_14", "--item", "D-14.1") == 5
    assert selected("--item", "D-13.1.2") == 1
    assert selected("-m", "t_minus_2_weeks and attested") == 9


def test_every_threshold_is_used_and_every_used_one_is_there() -> None:
    there = set(launch.load(SUITES / "launch.toml").limits.names())
    functions = [
        node
        for path in SUITES.rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    ]
    used = {name for function in functions for name in thresholds_of(function)}
    assert used == there


def thresholds_of(function: ast.FunctionDef) -> set[str]:
    """The thresholds that a function asks for, also by a local name of their table."""
    text = ast.unparse(function)
    tables = {"limits." + t: t for t in re.findall(r"\blimits\.(\w+)", text)}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            for target, value in _pairs(node.targets[0], node.value):
                if (said := ast.unparse(value)) in tables:
                    tables[ast.unparse(target)] = tables[said]
    asked = (
        (table, re.findall(rf"(?<![\w.]){re.escape(name)}\.(\w+)", text))
        for name, table in tables.items()
    )
    return {f"{table}.{key}" for table, keys in asked for key in keys}


def _pairs(target: ast.expr, value: ast.expr) -> list[tuple[ast.expr, ast.expr]]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        return list(zip(target.elts, value.elts, strict=False))
    return [(target, value)]


def test_a_threshold_is_seen_by_its_tables_local_name_too() -> None:
    text = "def f(limits):\n    a, most = 1, limits.redis\n    g(most.replicas, limits.tls.version)"
    function = ast.parse(text).body[0]
    assert isinstance(function, ast.FunctionDef)
    assert thresholds_of(function) == {"redis.replicas", "tls.version"}


def test_thresholds_stand_where_the_probes_of_their_system_do() -> None:
    files = {p.stem for p in (SUITES / launch.THRESHOLDS).glob("*.toml")}
    assert files
    assert files <= {p.parent.name for p in (ROOT / "golive" / "probes").glob("*/__init__.py")}


def test_every_machine_verified_item_has_a_fault_that_reddens_it(dead: ledger.Run) -> None:
    """But for those that cannot be green yet: those have literal verdicts (tests/suites)."""
    written = {line.id for line in dead.head.selected}
    machine = {line.id for line in dead.head.selected if line.way != "attested"}
    faults = all_faults().values()
    reddened = {ident for fault in faults for ident in fault.expect_fail}
    unwritten = resting_on_unwritten(SUITES)
    assert machine - {i for fault in faults for i in fault.all_red} - unwritten == set()
    assert reddened - written == set(), "a fault names an item that nobody has written"
    alone = [f.name for f in faults if set(f.expect_fail) <= unwritten]
    assert alone == [], "a fault of items that are red without it waits for what they rest on"


def test_every_item_that_cannot_be_green_yet_is_tried_on_literal_verdicts() -> None:
    assert resting_on_unwritten(SUITES) - set(derived()) == set()


def test_every_item_tells_how_it_is_verified_and_what_its_owner_does(dead: ledger.Run) -> None:
    silent = [v.id for v in dead.verdicts.values() if not v.how or not v.remedy]
    assert silent == []


# -- what the source may not say -----------------------------------------------------------------


def sources(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    """Every Python file below these folders, by its path from the root."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


IMPORTED = {
    "__future__",
    "collections",
    "collections.abc",
    "datetime",
    "functools",
    "itertools",
    "pathlib",
    "re",
    "typing",
    "urllib.parse",
    "zoneinfo",
    "golive",
    "golive.claims",
    "golive.deliverables",
    "golive.context",
    "golive.environments",
    "golive.items",
    "golive.launch",
    "golive.papers",
    "golive.people.roster",
    "golive.people.statements",
    "golive.reports",
    "golive.reports.documents",
    "golive.results",
    "golive.store",
    "golive.verdicts",
}
"""What an item may import, besides papers' kinds and what a probe's facts are."""
RECORDS = {"findings", "readiness"}
"""Modules of the engine that items may call: they read its own records, or facts."""
FILES = {
    "exists",
    "glob",
    "is_dir",
    "is_file",
    "iterdir",
    "open",
    "read_bytes",
    "read_text",
    "rglob",
    "stat",
    "unlink",
    "write_bytes",
    "write_text",
}


def by_hand(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Where an item looks at something by its own hand: line and what it does."""
    results = {
        name.name  # of modules that compare what is on record with what is declared
        for node in module.body
        if isinstance(node, ast.ImportFrom) and node.module == "golive.results"
        for name in node.names
    }
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            names = {a.name for a in node.names} - IMPORTED
            yield from ((node.lineno, f"imports {name}") for name in sorted(names))
        elif isinstance(node, ast.ImportFrom):
            where, names = node.module or "", {a.name for a in node.names}
            if where == "golive" and names <= RECORDS:
                continue
            if where == "golive.probing" and names <= {"Ask"}:  # by the engine, with a time limit
                continue
            if where == "golive.store" and names - {"Kept"}:
                yield node.lineno, f"imports {', '.join(names)} from {where}"
            if where == "golive.probes":  # a module's functions look, its types do not
                yield node.lineno, f"imports {', '.join(names)} from {where}"
            elif where not in IMPORTED and not where.startswith(
                ("golive.papers.", "golive.probes.")
            ):
                yield node.lineno, f"imports {where}"
        elif isinstance(node, ast.Call):
            given = [*node.args, *(k.value for k in node.keywords)]
            compares = ast.unparse(node.func).partition(".")[0] in results
            if not compares and any(isinstance(a, ast.Name) and a.id == "env" for a in given):
                yield node.lineno, f"calls {ast.unparse(node.func)} with the environment"
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called in FILES:
                yield node.lineno, f"calls {called}()"


def test_items_judge_facts_and_look_at_nothing_by_their_own_hand() -> None:
    """Only a probe has a time limit and a place in the ledger, with the time it looked at."""
    found = [
        f"{path}:{line} {what}"
        for path, module in sources("suites")
        for line, what in by_hand(module)
    ]
    assert found == []


def test_the_engine_names_no_item_of_this_launch() -> None:
    """Examples say "an item", messages what the item is about."""
    known = procedure.load(SUITES / "procedure.toml").items
    prefixes = {i.rpartition(".")[0] for i in known}
    names = "|".join(map(re.escape, sorted({*known, *(p for p in prefixes if "." in p)}, key=len)))
    named = re.compile(rf"(?<![\w.-])(?:{names})(?![\w-])")
    found = [
        f"{path.relative_to(ROOT)}:{number} {hit}"
        for path in sorted((ROOT / "golive").rglob("*"))
        if path.suffix in {".py", ".j2", ".js", ".css"}
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for hit in named.findall(line)
    ]
    assert found == []


def test_every_probe_is_asked_for_by_an_item_or_another_probe() -> None:
    register_all()
    wanted = {name for p in REGISTRY.values() for name in p.needs}
    for _, module in sources("suites"):
        for node in ast.walk(module):
            if isinstance(node, ast.FunctionDef):
                wanted |= {a.arg for a in (*node.args.args, *node.args.kwonlyargs)}
    assert {n for n, p in REGISTRY.items() if p.look.__module__.startswith("golive.")} <= wanted


def assigned(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    """What an assignment gives to what, one by one."""
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        yield from zip(target.elts, value.elts, strict=True)
    else:
        yield target, value


def padded(count: ast.expr, names: dict[str, ast.expr]) -> bool:
    """Whether a count is made to be at least one: `max(1, n)`, `n + 1`, or a name for such."""
    if isinstance(count, ast.Name):
        return count.id in names and padded(names[count.id], {})
    if isinstance(count, ast.Call):
        return isinstance(count.func, ast.Name) and count.func.id == "max"
    if isinstance(count, ast.BinOp) and isinstance(count.op, ast.Add):
        return any(isinstance(side, ast.Constant) for side in (count.left, count.right))
    return False


def test_no_set_is_made_to_look_non_empty_by_hand() -> None:
    """`may_be_empty=True` says that it may be, and the report then says that there are none."""
    found = []
    for path, module in sources("suites", "golive"):
        for scope in ast.walk(module):
            if not isinstance(scope, ast.FunctionDef):
                continue
            names = {
                target.id: value
                for node in ast.walk(scope)
                if isinstance(node, ast.Assign)
                for target, value in assigned(node.targets[0], node.value)
                if isinstance(target, ast.Name)
            }
            found += [
                f"{path}:{call.lineno}"
                for call in ast.walk(scope)
                if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "none_of"
                for given in call.keywords
                if given.arg == "among" and padded(given.value, names)
            ]
    assert found == []


# -- items stay short ----------------------------------------------------------------------------

SHORT = ("suites",)
"""Folders whose items are held to it."""
MOST_LINES = 20
"""Of an item's body without its docstring, as formatted: about ten is usual."""


def body_lines(function: ast.FunctionDef) -> int:
    """Lines from the first statement after the docstring to the last one."""
    body = function.body[ast.get_docstring(function) is not None :]
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_lines_of_a_body_are_counted_without_its_docstring() -> None:
    for text, lines in (
        ("def f():\n    x = 1\n\n    return x", 3),
        ('def f():\n    """One.\n\n    Two.\n    """\n    return g(\n        1,\n    )', 3),
        ('def f():\n    """One."""', 0),
    ):
        function = ast.parse(text).body[0]
        assert isinstance(function, ast.FunctionDef)
        assert body_lines(function) == lines


def test_no_item_is_longer_than_twenty_lines() -> None:
    """What needs more lacks a noun: a predicate of the facts, or of the paper, that it judges."""
    lengths = {
        f"{path}: {node.name}": body_lines(node)
        for path, module in sources(*SHORT)
        for node in module.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
    assert lengths
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


WITHOUT_CIRCLES = ("golive", "rehearsal", "suites")
"""Packages whose modules import one another in one direction."""


def imports_of(path: Path, modules: Set[str], module: str) -> set[str]:
    """The modules that one needs to be imported, packages on the way included; what is only for
    types is left out, what a function imports is not."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    named: set[str] = set()
    for node in set(ast.walk(tree)) - for_types:
        if isinstance(node, ast.Import):
            named |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{a.name}" for a in node.names}
            named |= {n if n in modules else node.module for n in inner}
    parts = (name.split(".") for name in named)
    whole = {".".join(p[:n]) for p in parts for n in range(1, len(p) + 1)} & modules
    return {n for n in whole if n != module and not f"{module}.".startswith(f"{n}.")}


def circles(imports: Mapping[str, set[str]]) -> list[list[str]]:
    """Groups of modules of which each needs every other one."""
    reached: dict[str, set[str]] = {}
    for start in imports:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            new = imports[waiting.pop()] - seen
            seen |= new
            waiting += new
        reached[start] = seen
    groups = {tuple(sorted(m for m in reached[n] if n in reached[m])) for n in reached}
    return [list(g) for g in sorted(groups) if g]


def test_a_circle_of_imports_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]
    assert circles({"a": {"b"}, "b": set()}) == []


def test_no_module_needs_itself_to_be_imported() -> None:
    files = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for package in WITHOUT_CIRCLES
        for path in sorted((ROOT / package).rglob("*.py"))
    }
    found = {module: imports_of(path, files.keys(), module) for module, path in files.items()}
    assert len(found) > 150
    assert circles(found) == []
