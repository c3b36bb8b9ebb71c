"""The worked examples of the README do what it says they do."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from rehearsal import faults
from rehearsal.faults import all_faults, inject, revert
from rehearsal.kernel.world import Rehearsal

README = Path(__file__).resolve().parent.parent / "README.md"


def example(name: str) -> str:
    """The Python block that the README marks with this name."""
    match = re.search(
        rf"<!-- example: {name} -->\n```python\n(.*?)```", README.read_text(), re.DOTALL
    )
    assert match is not None, f"README.md has no example {name!r}"
    return match[1]


def test_the_item_and_the_probe_judge_what_they_say(root: Any) -> None:
    for name in ("markers.ini", "suites/procedure.toml"):
        shutil.copy(README.parent / name, root.path / name)
    root.launch(greeting_characters=40)
    root.probes(example("probe"))
    root.write("suites/t_minus_2_weeks/test_day_minus_12.py", example("item"))

    done = root.run("--item", "D-12.1.1")
    assert done.ret == 0
    assert done.verdicts == {"D-12.1.1": "PASS"}

    root.environment("rehearsal", kind="rehearsal", title="a shop with a very long name indeed")
    done = root.run("--item", "D-12.1.1")
    assert done.ret == 1
    assert "length of the greeting: 46; required at most 40" in done.out
    assert "next: shorten the greeting" in done.out


def test_the_check_is_judged_on_literal_facts(root: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    root.write("suites/t_minus_2_weeks/test_day_minus_12.py", example("item"))
    monkeypatch.chdir(root.path)
    written = compile(example("judged"), "README.md", "exec")
    test: dict[str, Any] = {}
    root.launch(greeting_characters=40)
    exec(written, test)
    test["test_a_long_greeting_is_red"]()

    root.launch(greeting_characters=400)
    exec(written, test)
    with pytest.raises(AssertionError):
        test["test_a_long_greeting_is_red"]()


def test_the_fault_breaks_and_mends_what_it_says(tmp_path: Path) -> None:
    exec(compile(example("fault"), "README.md", "exec"), {"__name__": "rehearsal.faults.readme"})
    try:
        r = Rehearsal(tmp_path)
        assert all_faults()["long-greeting"].expect_fail == ("D-12.1.1",)
        assert all_faults()["long-greeting"].touches == ("app/greeting",)
        inject(r, "long-greeting")
        assert len(r.setting("app-1", "greeting", "Welcome")) > 40
        revert(r, "long-greeting")
        assert r.setting("app-1", "greeting", "Welcome") == "Welcome"
    finally:
        faults._registry.pop("long-greeting", None)
