"""Benchmarks: ``python -m tests.benchmarks [--quick]`` prints a table of times and ratios.

Nothing here fails for being slow; the table says what the aim is and what was seen. ``--soak``
looks for hours at a rehearsal that nobody breaks, and fails for what turns red (soak.py).
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

from golive import procedure
from golive.environments import Environment, TimeLimits
from golive.probing import REGISTRY, FactStore, Probe
from tests.benchmarks import launch
from tests.benchmarks.soak import SoakError, soak

ROOT = Path(__file__).resolve().parent.parent.parent
PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
GOLIVE = str(Path(sys.executable).with_name("golive"))
_UNUSED = ["anyio", "hypothesispytest", "locust", "platformdirs", "pytest11.testinfra"]
_UNUSED += ["schemathesis", "schemathesis-xdist"]
WITHOUT = [a for name in _UNUSED for a in ("-p", f"no:{name}")]


def best(times: int, run: Callable[[], object]) -> float:
    """The shortest of several runs, in seconds."""
    seen = []
    for _ in range(times):
        started = time.perf_counter()
        run()
        seen.append(time.perf_counter() - started)
    return min(seen)


def alternately(times: int, *runs: Callable[[], object]) -> list[float]:
    """The least CPU time of each of several commands, in seconds.

    They take turns, and what others do on this machine hardly counts.
    """
    seen: list[list[float]] = [[] for _ in runs]
    for _ in range(times):
        for run, spent in zip(runs, seen, strict=True):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            run()
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return list(map(min, seen))


def command(arguments: list[str], cwd: Path, **environment: str) -> Callable[[], None]:
    """Run a command that has to end well."""

    def run() -> None:
        done = subprocess.run(
            arguments,
            cwd=cwd,
            # Compiled tests are kept, as on a user's machine.
            env={**os.environ, **environment, "PYTHONDONTWRITEBYTECODE": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(arguments)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")

    return run


def two_roots(folder: Path) -> tuple[Path, Path]:
    """All items of the procedure as trivial items, and as many plain tests in as many files."""
    items, plain = folder / "items", folder / "plain"
    (items / "suites" / "environments").mkdir(parents=True)
    plain.mkdir()
    shutil.copy(ROOT / "markers.ini", items)
    shutil.copy(ROOT / "conftest.py", items)
    for name in ("procedure.toml", "launch.toml", "product.toml"):
        shutil.copy(ROOT / "suites" / name, items / "suites")
    shutil.copytree(ROOT / "suites" / "thresholds", items / "suites" / "thresholds")
    dead = (ROOT / "suites" / "environments" / "dead.toml").read_text()
    (items / "suites" / "environments" / "dead.toml").write_text(dead)
    rehearsed = dead.replace('kind = "staging"', 'kind = "rehearsal"')
    rehearsed = rehearsed.replace('name = "dead"', 'name = "kept"')
    (items / "suites" / "environments" / "kept.toml").write_text(rehearsed)
    settings = "[pytest]\naddopts = --import-mode=importlib\n"
    (plain / "pytest.ini").write_text(settings)
    (items / "pytest.ini").write_text(
        f"{settings}testpaths = suites\nenable_assertion_pass_hook = true\nstrict_markers = true\n"
    )
    blocks: dict[str, list[str]] = defaultdict(list)
    for line in procedure.load(ROOT / "suites" / "procedure.toml"):
        blocks[line.block].append(line.id)
    for block, ids in blocks.items():
        head = "from golive.claims import at_most\nfrom golive.items import item\n"
        (items / "suites" / f"test_{block}.py").write_text(
            head
            + "".join(
                f'\n@item("{ident}")\ndef test_{n}():\n    """It looks.\n\n'
                f'    Remedy: fix it.\n    """\n    assert at_most("x", {n}, 99)\n'
                for n, ident in enumerate(ids)
            )
        )
        (plain / f"test_{block}.py").write_text(
            "".join(
                f'\ndef test_{n}():\n    """It looks."""\n    assert {n} <= 99\n'
                for n in range(len(ids))
            )
        )
    return items, plain


def secrets_of_dead(folder: Path) -> dict[str, str]:
    """Values for every variable that the dead environment names."""
    import re

    text = (folder / "suites" / "environments" / "dead.toml").read_text()
    text += (folder / "suites" / "product.toml").read_text()
    return dict.fromkeys(re.findall(r'env\s*=\s*"(\w+)"', text), "benchmark-secret")


def side_by_side(probes: int, each_s: float) -> tuple[float, float]:
    """Wall time of gathering facts, and the slowest probe's, in seconds."""

    def look(_: object) -> float:
        threading.Event().wait(each_s)
        return each_s

    names = [f"benchmark_{n}" for n in range(probes)]
    for name in names:
        REGISTRY[name] = Probe(name, look, (), "read", "probe", name)
    env = Mock(spec=Environment, permits=["read"], time_limits=TimeLimits())
    env.name = "benchmark"
    slowest: list[float] = []
    store = FactStore(env, lambda facts: slowest.append(facts.duration_s))
    started = time.perf_counter()
    store.start(names)
    for name in names:
        store.get(name)
    wall = time.perf_counter() - started
    for name in names:
        del REGISTRY[name]
    return wall, max(slowest)


def own_cost(items: Path, plain: Path, tell: Callable[..., None]) -> None:
    """What golive adds to pytest: in a rehearsal, where compiled checks are kept as pytest keeps
    them, and in a run that may count, which compiles every check again."""
    secrets = secrets_of_dead(items)
    html = ["--html=report.html", "--self-contained-html"]
    bare = command([*PYTEST, *WITHOUT, *html], plain)
    given = [*PYTEST, *WITHOUT, "--today", "2099-01-01"]
    collect = command([*given, "--env", "kept", "--collect-only"], items)
    bare_collect = command([*PYTEST, *WITHOUT, "--collect-only"], plain)
    mine, others = alternately(5, collect, bare_collect)
    tell(
        "collect 479 items / 479 plain tests",
        f"{mine:.2f} s CPU",
        f"{others:.2f} s CPU",
        f"{mine / others:.2f} (at most 2; under 1 s)",
    )
    for name, env in (("rehearsed", "kept"), ("that may count", "dead")):
        for what, more in (("", []), (", pytest-html beside", html)):
            run = command([*given, "--env", env, "--report-only", *more], items, **secrets)
            mine, others = alternately(5, run, bare)
            tell(
                f"run 479 items {name}{what} / pytest-html",
                f"{mine:.2f} s CPU",
                f"{others:.2f} s CPU",
                f"{mine / others:.2f} (at most 1.5)",
            )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="without the rehearsal")
    parser.add_argument("--soak", action="store_true", help="the rehearsal for hours, nothing else")
    parser.add_argument("--hours", type=float, default=4, help="of the soak (default: 4)")
    parser.add_argument(
        "--every", type=float, default=30, metavar="MINUTES", help="its runs (default: 30)"
    )
    options = parser.parse_args()
    if options.soak:
        return _soaked(options.hours, options.every)

    def tell(*row: str) -> None:
        print("  ".join(f"{c:{w}}" for c, w in zip(row, (52, 22, 22, 30), strict=True)), flush=True)

    tell("what", "seen", "against", "ratio (aim)")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        items, plain = two_roots(folder)
        own_cost(items, plain, tell)
        wall, slowest = side_by_side(24, 0.2)
        tell(
            "24 probes side by side / the slowest of them",
            f"{wall:.3f} s",
            f"{slowest:.3f} s",
            f"{wall / slowest:.2f} (at most 1.3)",
        )
        decide(folder / "launch", tell)
        if not options.quick:
            rehearse(folder / "rehearsal", tell)
    return 0


def _soaked(hours: float, every_min: float) -> int:
    if hours <= 0 or every_min <= 0:
        print("--hours and --every: expected more than 0", file=sys.stderr)
        return 2

    def tell(*row: str) -> None:
        print("  ".join(f"{c:{w}}" for c, w in zip(row, (10, 22, 20, 0), strict=True)), flush=True)

    with tempfile.TemporaryDirectory() as temporary:
        try:
            return soak(Path(temporary), hours, every_min, tell)
        except SoakError as error:
            print(error, file=sys.stderr)
            return 1


def decide(folder: Path, tell: Callable[..., None]) -> None:
    """Times of status, launch page, package and verify over a launch as it is the day before."""
    folder.mkdir()
    context = launch.make(folder)
    size = f"479 items, {launch.about(context)}"
    status = [GOLIVE, "status", "--env", launch.ENVIRONMENT, "--fail-on", "looked-at-all"]
    seconds = best(3, command(status, folder))
    tell(f"status over {size}", f"{seconds:.2f} s", "2 s", f"{seconds / 2:.2f} (at most 1)")
    page = folder / "launch.html"
    command([*status, "--page", str(page)], folder)()
    tell("launch page of that", f"{page.stat().st_size / 1e6:.2f} MB", "1 MB", "at most 1")
    shown = interactive_s(page)
    tell("launch page interactive in Chromium", f"{shown:.2f} s", "1 s", f"{shown:.2f} (at most 1)")
    person = context.roster.holders("devops_lead")[0].id
    key = str(folder / "keys" / "devops_lead")
    package = [GOLIVE, "package", "--env", launch.ENVIRONMENT, "--out", "p.zip"]
    seconds = best(1, command([*package, "--as", person, "--key", key], folder))
    tell("package of that, signed", f"{seconds:.2f} s", "10 s", f"{seconds / 10:.2f} (at most 1)")
    seconds = best(2, command([GOLIVE, "verify", "p.zip"], folder))
    tell("verify that", f"{seconds:.2f} s", "5 s", f"{seconds / 5:.2f} (at most 1)")


def interactive_s(page: Path) -> float:
    """Until scripts have run and a filter answers, in seconds."""
    from playwright.sync_api import sync_playwright

    from rehearsal.kernel.binaries import find

    binary = find("chromium")
    root = ["--no-sandbox"] if os.geteuid() == 0 else []  # its sandbox refuses root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(binary.path), args=root, env={**os.environ, **binary.environment}
        )
        tab = browser.new_page()
        tab.goto("about:blank")

        def look() -> None:
            tab.goto(page.as_uri(), wait_until="domcontentloaded")
            tab.fill("#q", "standby")
            tab.wait_for_function("document.getElementById('shown').textContent !== '479 shown'")

        seconds = best(3, look)
        browser.close()
    return seconds


def rehearse(folder: Path, tell: Callable[..., None]) -> None:
    """Times of the rehearsal and of a block of items on it."""
    environment = {"GOLIVE_REHEARSAL": str(folder)}
    up = command([sys.executable, "-m", "rehearsal", "up"], ROOT, **environment)
    down = command([sys.executable, "-m", "rehearsal", "down"], ROOT, **environment)
    shutil.rmtree(ROOT / ".parts" / "prepared", ignore_errors=True)
    cold = best(1, up)
    tell("rehearsal up, cold", f"{cold:.1f} s", "15 s", f"{cold / 15:.2f} (at most 1)")
    try:
        block = [*PYTEST, "-m", "day_minus_13", "--report-only"]
        reports = f"--reports={folder.with_name('reports')}"
        seconds = best(1, command([*block, reports], ROOT, **environment))
        tell("pytest -m day_minus_13, warm", f"{seconds:.1f} s", "60 s", f"{seconds / 60:.2f}")
    finally:
        ended = best(1, down)
    tell("rehearsal down", f"{ended:.2f} s", "2 s", f"{ended / 2:.2f} (at most 1)")
    shutil.rmtree(folder)
    warm = best(1, up)
    tell("rehearsal up, prepared data", f"{warm:.1f} s", "5 s", f"{warm / 5:.2f} (at most 1)")
    down()


if __name__ == "__main__":
    sys.exit(main())
