"""Several threads may meet a type for the first time at the same moment."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import golive

FIRST_USE = """
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
import msgspec
from golive.decoding import convert, decode
sys.setswitchinterval(1e-6)
for round in range(30):
    inner = msgspec.defstruct("Inner", [(f"f{n}", int | None, None) for n in range(40)])
    outer = msgspec.defstruct("Outer", [("inners", list[inner]), ("one", inner)])
    at_once = Barrier(8)
    def first_use(n):
        at_once.wait()
        if n % 2:
            return decode(b'{"inners": [{"f1": 1}], "one": {}}', outer).inners[0].f1
        return convert({"f1": 1}, inner).f1
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(first_use, range(8))) == [1] * 8
print("whole")
"""


def test_types_that_several_threads_meet_first_at_once_are_learned_once() -> None:
    done = subprocess.run([sys.executable, "-c", FIRST_USE], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "whole\n"), done.stderr


def test_nothing_else_has_msgspec_learn_a_type() -> None:
    folder = Path(golive.__file__).parent
    typed = re.compile(
        r"msgspec\.(convert|\w+\.Decoder|\w+\.decode)\(([^()]|\([^()]*\))*(type=|, )"
    )
    found = [
        path.relative_to(folder).as_posix()
        for path in sorted(folder.rglob("*.py"))
        if path.name != "decoding.py" and typed.search(path.read_text())
    ]
    assert found == []
