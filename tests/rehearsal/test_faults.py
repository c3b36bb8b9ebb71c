"""The registry of faults: applied once, reverted once, across processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal import cli, faults
from rehearsal.faults import fault
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.world import Rehearsal


@pytest.fixture
def r(tmp_path: Path) -> Rehearsal:
    return Rehearsal(tmp_path)


@pytest.fixture(autouse=True)
def _registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "_registry", {})
    monkeypatch.setattr(faults, "_load", lambda: None)


def break_something(name: str = "break-it") -> faults.Fault:
    @fault(
        name,
        expect_fail=["D-14.1.1"],
        touches=["postgres"],
        title="Something is broken",
        settled=lambda r: (r.folder / "broken").exists(),
        reverted=lambda r: not (r.folder / "broken").exists(),
        within_s=0.2,
    )
    def breaking(r: Rehearsal) -> None:
        r.remember("was", "whole")
        r.path("broken").touch()

    @breaking.revert
    def reverting(r: Rehearsal) -> None:
        assert r.recall("was") == "whole"
        r.path("broken").unlink()

    return breaking


def test_a_fault_is_applied_and_healed_by_different_processes(r: Rehearsal) -> None:
    break_something()
    faults.inject(r, "break-it")
    later = Rehearsal(r.folder)
    assert list(faults.in_force(later)) == ["break-it"]
    faults.revert(later, "break-it")
    assert faults.in_force(r) == {}
    assert not (r.folder / "broken").exists()


def test_twice_is_a_clear_message_and_no_damage(r: Rehearsal) -> None:
    break_something()
    faults.inject(r, "break-it")
    with pytest.raises(RehearsalError, match=r"'break-it' is in force already.*revert break-it"):
        faults.inject(r, "break-it")
    faults.revert(r, "break-it")
    with pytest.raises(RehearsalError, match="'break-it' is not in force"):
        faults.revert(r, "break-it")


def test_a_fault_that_does_not_show_can_still_be_healed(r: Rehearsal) -> None:
    breaking = break_something()
    breaking.settled = lambda r: False
    with pytest.raises(RehearsalError, match="in vain until the fault break-it shows"):
        faults.inject(r, "break-it")
    faults.revert(r, "break-it")
    assert faults.in_force(r) == {}


def test_everything_is_healed_newest_first(r: Rehearsal) -> None:
    for name in ("first", "second"):
        one = break_something(name)
        one.settled = one.reverted = None
        one.restores = lambda r: None
        faults.inject(r, name)
    assert faults.revert_all(r) == ["second", "first"]
    assert faults.revert_all(r) == []


def test_an_unknown_name_is_told_with_near_ones(r: Rehearsal) -> None:
    break_something()
    with pytest.raises(RehearsalError, match=r"no fault 'brake-it'. Did you mean break-it\?"):
        faults.inject(r, "brake-it")


def test_a_name_is_used_once_and_reddens_something() -> None:
    break_something()
    with pytest.raises(RehearsalError, match="'break-it' is defined twice"):
        break_something()
    with pytest.raises(RehearsalError, match="names no item"):
        fault("harmless", expect_fail=[], touches=["postgres"], title="Nothing")(lambda r: None)


def test_the_list_shows_what_is_in_force(
    r: Rehearsal, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOLIVE_REHEARSAL", str(r.folder))
    break_something()
    faults.inject(r, "break-it")
    assert cli.main(["faults"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "break-it" in line)
    assert line.startswith(" * ")
    assert "D-14.1.1" in line
    assert "Something is broken" in line
    assert cli.main(["revert"]) == 0
    assert cli.main(["revert", "break-it"]) == 1
    assert "is not in force" in capsys.readouterr().err


def test_every_fault_of_the_project_can_be_healed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    for name, one in faults.all_faults().items():
        assert one.restores is not None, name
        assert one.title, name
