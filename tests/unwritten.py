"""Which derived items are red whatever the rehearsal does, since what they need is not written.

Read from the suites' source, so that it is known without running anything.
"""

from __future__ import annotations

import ast
from pathlib import Path

from golive.items import read_cards
from golive.procedure import load


def resting_on_unwritten(suites: Path) -> set[str]:
    """Derived items that rest on an unwritten item, or on another such one, or ask for something
    that no check judges yet."""
    procedure, written = load(suites / "procedure.toml"), set(read_cards(suites))
    rests: dict[str, set[str]] = {}
    found: set[str] = set()
    for ident, (function, module) in _derived(suites).items():
        if _keyword(function, "whole"):  # it tells how things stand, written or not
            continue
        prefixes = _rests_on(function, module)
        rests[ident] = {i.id for p in prefixes for i in procedure.under(p) if i.id != ident}
        if not rests[ident] <= written or _keyword(function, "not_judged"):
            found.add(ident)
    before = -1
    while len(found) != before:
        before = len(found)
        found |= {ident for ident, others in rests.items() if others & found}
    return found


def _derived(suites: Path) -> dict[str, tuple[ast.FunctionDef, ast.Module]]:
    found = {}
    for path in sorted(suites.rglob("test_*.py")):
        module = ast.parse(path.read_text(encoding="utf-8"))
        for node in module.body:
            if not isinstance(node, ast.FunctionDef):
                continue
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and getattr(mark.func, "id", "") == "derived":
                    found[ast.literal_eval(mark.args[0])] = node, module
    return found


def _rests_on(function: ast.FunctionDef, module: ast.Module) -> list[str]:
    """What it asks `deliverables.of(item, kind, rests_on)` for; perhaps by a constant's name."""
    constants = {
        target.id: node.value
        for node in module.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for call in ast.walk(function):
        if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "of":
            asked = call.args[2]
            value = constants[asked.id] if isinstance(asked, ast.Name) else asked
            return [str(c.value) for c in ast.walk(value) if isinstance(c, ast.Constant)]
    raise AssertionError(f"{function.name}: rests on nothing")


def _keyword(function: ast.FunctionDef, name: str) -> bool:
    """Whether it passes an argument of that name to anything."""
    return any(
        keyword.arg == name
        for call in ast.walk(function)
        if isinstance(call, ast.Call)
        for keyword in call.keywords
    )
