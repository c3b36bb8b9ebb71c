from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from golive import launch
from golive.verdicts import GoliveError

LAUNCH = """[launch]
date = 2026-12-07
candidate = "v2.0.0"
previous = "v1.9.0"

[thresholds]
query_p95_ms = 50
share = 0.9
"""


def load(tmp_path: Path, text: str = LAUNCH) -> launch.Launch:
    path = tmp_path / "launch.toml"
    path.write_text(text)
    return launch.load(path)


def test_days_count_from_the_launch_and_thresholds_are_numbers_by_name(tmp_path: Path) -> None:
    for text in (LAUNCH, LAUNCH.replace("2026-12-07", '"2026-12-07"')):
        found = load(tmp_path, text)
        assert found.due(-13) == date(2026, 11, 24)
        assert found.due(1) == date(2026, 12, 8)
        assert found.limits.query_p95_ms == 50
        assert found.limits.names() == ["query_p95_ms", "share"]


def test_a_store_may_be_named(tmp_path: Path) -> None:
    assert load(tmp_path).store == ""
    named = LAUNCH.replace("\n[thr", 'store = "s3://launch/store"\n[thr')
    assert load(tmp_path, named).store == "s3://launch/store"


def test_plugins_may_be_named(tmp_path: Path) -> None:
    assert load(tmp_path).plugins == ()
    named = LAUNCH.replace("\n[thr", 'plugins = ["pytest-timeout", "suites/conftest.py"]\n[thr')
    assert load(tmp_path, named).plugins == ("pytest-timeout", "suites/conftest.py")


def test_thresholds_that_are_asked_for_are_noted_where_they_are(tmp_path: Path) -> None:
    limits = load(tmp_path).limits
    with launch.asked() as outer:
        assert limits.share == 0.9
        with launch.asked() as inner:
            assert limits.query_p95_ms == 50
        assert limits.get("share") == limits.values()["share"]
    assert limits.share == 0.9
    assert (outer, inner) == ({"share": 0.9, "query_p95_ms": 50}, {"query_p95_ms": 50})
    with launch.asked() as others:
        limits.get("share")
        limits.values()
    assert others == {}


def test_a_threshold_that_is_not_there_is_no_number_by_accident(tmp_path: Path) -> None:
    limits = load(tmp_path).limits
    with pytest.raises(GoliveError, match=r"launch\.toml: thresholds\.nope: the key is missing"):
        _ = limits.nope


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("date = 2026-12-07", 'date = "07.12.2026"', r"launch\.date: found '07.12.2026'; expected"),
        ("date = 2026-12-07", "date = 2026-12-07T09:00:00", r"launch\.date: found datetime"),
        ("date = 2026-12-07", "date = 20261207", r"launch\.date: found 20261207; expected a date"),
        ("date = 2026-12-07\n", "", r"launch\.date: the key is missing; expected"),
        ("date =", "day =", r"launch\.day: unknown key; expected date, candidate, previous"),
        ('"v2.0.0"', "2", r"launch\.candidate: found 2; expected a version"),
        ('"v1.9.0"', '""', r"launch\.previous: found ''; expected a version"),
        ("[thr", 'plugins = "x"\n[thr', r"launch\.plugins: found 'x'; expected a list of names"),
        ("[thr", 'plugins = ["x.py"]\n[thr', r"plugins: found 'x.py'; expected packages, or files"),
        ("[thr", 'plugins = ["suites/../x.py"]\n[thr', r"found 'suites/\.\./x\.py'; expected"),
        ("[thr", 'plugins = ["/suites/x.py"]\n[thr', r"found '/suites/x\.py'; expected"),
        ("[thr", 'store = ""\n[thr', r"launch\.store: found ''; expected a folder or a URL"),
        ("[thr", "store = 7\n[thr", r"launch\.store: found 7; expected a folder or a URL"),
        ("= 50", '= "50"', r"thresholds\.query_p95_ms: found '50'; expected a number"),
        ("= 50", "= true", r"thresholds\.query_p95_ms: found True; expected a number"),
        ("= 50", "= nan", r"thresholds\.query_p95_ms: found nan; expected a number"),
        (
            "[thresholds]",
            "[limits]",
            r"limits: unknown key; expected launch, thresholds, people, validity or freshness",
        ),
    ],
)
def test_a_wrong_launch_is_refused_with_file_key_found_and_expected(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in LAUNCH
    with pytest.raises(GoliveError, match=message) as caught:
        load(tmp_path, LAUNCH.replace(old, new))
    assert str(caught.value).startswith(f"{tmp_path / 'launch.toml'}: ")
    assert "\n" not in str(caught.value)


def test_thresholds_of_a_folder_are_tables_of_numbers(tmp_path: Path) -> None:
    (tmp_path / "thresholds").mkdir()
    (tmp_path / "thresholds" / "data.toml").write_text("[redis]\nmemory_percent = 80\n")
    limits = load(tmp_path).limits
    with launch.asked() as noted:
        assert limits.redis.memory_percent == 80
    assert noted == {"redis.memory_percent": 80}
    assert limits.get("redis.memory_percent") == 80
    with pytest.raises(GoliveError, match=r"thresholds\.redis\.nope: the key is missing"):
        _ = limits.redis.nope


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("[redis]\nmemory = 'much'\n", r"thresholds\.redis\.memory: found 'much'; expected a num"),
        ("[redis.memory]\npercent = 1\n", r"thresholds\.redis\.memory: found .*expected a number"),
        ("redis = 80\n", r"more\.toml: redis: found 80; expected a table"),
        ("[tls]\nversion = 1.3\n", r"more\.toml: tls: stands in .*data\.toml as well; expected it"),
    ],
)
def test_a_threshold_that_is_no_number_or_stands_twice_is_refused(
    tmp_path: Path, said: str, error: str
) -> None:
    (tmp_path / "thresholds").mkdir()
    (tmp_path / "thresholds" / "data.toml").write_text("[tls]\nversion = 1.2\n")
    (tmp_path / "thresholds" / "more.toml").write_text(said)
    with pytest.raises(GoliveError, match=error):
        load(tmp_path)
