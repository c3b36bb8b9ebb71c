"""What a soak tells: which items turned red by themselves, when, and for how long."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from golive.ledger import ItemVerdict
from golive.verdicts import Verdict
from tests.benchmarks import __main__ as benchmarks
from tests.benchmarks import soak
from tests.benchmarks.soak import SoakError, turned_red

PASS, FAIL, UNKNOWN, PENDING = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN, Verdict.PENDING


def look(minutes: float, **found: Verdict) -> soak.Look:
    at = datetime(2026, 11, 1, tzinfo=UTC)
    return minutes, {
        name: ItemVerdict(id=name, verdict=v, started_at=at, duration_s=1, message=f"{name} is red")
        for name, v in found.items()
    }


def test_what_turned_red_is_told_with_when_and_for_how_long() -> None:
    looks = [
        look(0, A=PASS, B=PASS, C=PASS, D=FAIL),
        look(30, A=PASS, B=FAIL, C=UNKNOWN, D=FAIL),
        look(60, A=PASS, B=PASS, C=UNKNOWN, D=FAIL),
        look(90, A=FAIL, B=FAIL, C=PENDING, D=FAIL),
    ]
    assert [turn.row() for turn in turned_red(looks)] == [
        ("0 min", "D FAIL", "stayed red", "D is red"),
        ("30 min", "B FAIL", "for 30 min", "B is red"),
        ("30 min", "C UNKNOWN", "stayed red", "C is red"),
        ("90 min", "A FAIL", "stayed red", "A is red"),
        ("90 min", "B FAIL", "stayed red", "B is red"),
    ]
    assert turned_red(looks[:1]) == turned_red(looks)[:1]
    assert not turned_red([look(0, A=PASS), look(30, A=PASS)])


@pytest.mark.parametrize(
    ("second", "status", "said"), [(PASS, 0, "nothing turned red"), (FAIL, 1, "A FAIL")]
)
def test_the_exit_status_says_whether_anything_turned_red(
    second: Verdict,
    status: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    verbs: list[str] = []
    looks = iter([look(0, A=PASS), look(0, A=PASS), look(0, A=second)])
    monkeypatch.setattr(soak, "_rehearsal", lambda verb, _: verbs.append(verb))
    monkeypatch.setattr(soak, "_look", lambda *_: next(looks)[1])
    words = ["benchmarks", "--soak", "--hours", "0.0001", "--every", "0.004"]
    monkeypatch.setattr("sys.argv", words)
    assert benchmarks.main() == status
    assert said in capsys.readouterr().out
    assert verbs == ["up", "down"]


def test_a_soak_whose_runs_look_at_nothing_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    verbs: list[str] = []

    def nothing(*_: Any) -> None:
        raise SoakError("no item is green")

    monkeypatch.setattr(soak, "_rehearsal", lambda verb, _: verbs.append(verb))
    monkeypatch.setattr(soak, "_look", nothing)
    monkeypatch.setattr("sys.argv", ["benchmarks", "--soak"])
    assert benchmarks.main() == 1
    assert "no item is green" in capsys.readouterr().err
    assert verbs == ["up", "down"]


def test_it_looks_at_once_each_time_anew_and_in_the_end() -> None:
    assert list(soak._moments(4 * 3600, 1800)) == [n * 1800 for n in range(9)]
    assert list(soak._moments(100, 60)) == [0, 60, 100]
    assert Path(soak.__file__).name in (benchmarks.__doc__ or "")
