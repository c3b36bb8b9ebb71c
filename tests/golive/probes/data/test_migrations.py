"""Migration and rollback drills: the items on literal facts, and the tools of the probe."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from golive.claims import Claim
from golive.environments import Environment
from golive.probes.data.migrations import (
    Locks,
    Migration,
    MigrationDrill,
    Rollback,
    _LockSamples,
    _Tag,
    differences,
    migration_drill,
    rollback_drill,
)
from golive.probes.data.rows import RowChanges
from golive.probes.data.tables import Integrity, Violations
from golive.verdicts import ProbeError, Unseen

Judge = Callable[..., Claim | None]
SAME = RowChanges(noted=200_000, missing=0, changed=0, added=7, dropped_columns=())
SOUND = Integrity(
    node="db-2",
    declared=(Violations("overlaps", "appointments", empty=False, rows=0),),
    foreign_keys=(),
    constraints=1,
    unproved_constraints={},
    sequences=1,
    sequences_behind=(),
)
OVERLAPS = replace(SOUND, declared=(Violations("overlaps", "appointments", False, 3, ("id 7",)),))

MIGRATION = Migration(
    previous_tag="v1.9.0",
    tag="v2.0.0",
    rows_percent={"appointments": 99.0},
    heads=("0009",),
    expected_before="0003",
    expected_after="0009",
    version_before="0003",
    version_after="0009",
    failure="",
    duration_s=60.0,
    revisions=("0004", "0009"),
    rerun_failure="",
    rerun_changes=(),
    schema_parts=200,
    schema_differences=(),
    locks=Locks(40, {"appointments (AccessExclusiveLock)": 0.3}),
    requests=50,
    refused=(),
    digest="ab" * 32,
    digest_differences=(),
    rows={"appointments": SAME},
    broken_before={"overlaps": 0},
    integrity=SOUND,
)
ROLLBACK = Rollback(
    bookings=100,
    failure="",
    duration_s=9.0,
    version_after="0003",
    schema_differences=(),
    older={"appointments": SAME},
    newer={"appointments": replace(SAME, noted=120)},
    undeclared_losses=(),
    refused=(),
)


def test_a_good_migration_is_green(judged: Judge) -> None:
    assert judged("D-13.3.1", migration_drill=MigrationDrill(MIGRATION, None, "")) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"heads": ("0009", "0009b")}, "migration heads: 0009, 0009b; required 0009"),
        ({"heads": ()}, "migration heads: none"),
        ({"digest_differences": ("versions/0004.py",)}, "unlike the tag's: versions/0004.py"),
        ({"version_before": "0009"}, "began at: 0009; required 0003"),
        ({"failure": "duplicate key"}, "migration: duplicate key; required exit status 0"),
        ({"rows_percent": {"appointments": 89.9}}, "appointments 89.9 %"),
        ({"rows_percent": {}}, "nothing was measured"),
        ({"revisions": ()}, "migrations applied: 0"),
        ({"duration_s": 1801.0}, "required at most 30 min"),
        ({"version_after": "0008"}, "ended at: 0008; required 0009"),
        ({"schema_differences": ("tables x is missing",)}, "tables x is missing"),
        ({"schema_parts": 0}, "no declared parts to look at"),
        ({"rerun_failure": "exists already"}, "a second run does: exists already"),
        ({"rerun_changes": ("0009",)}, "a second run does: 0009; required none"),
        ({"rows": {"users": replace(SAME, missing=2)}}, "users: 2 missing of 200,000"),
        ({"rows": {}}, "no tables to look at"),
        ({"locks": Locks(1, {})}, "samples of locks: 1"),
        ({"locks": Locks(60, {"users (ShareLock)": 5.3})}, r"users \(ShareLock\) 5.3 s"),
        ({"refused": ("/health answers 500",)}, "/health answers 500"),
        ({"requests": 0}, "no asked to look at"),
        ({"integrity": OVERLAPS}, r"newly broken: overlaps \(3 in appointments, e.g. id 7\)"),
    ],
)
def test_each_clause_of_the_migration_can_fail(
    judged: Judge, changes: dict[str, Any], message: str
) -> None:
    drill = MigrationDrill(replace(MIGRATION, **changes), None, "")
    assert re.search(message, repr(judged("D-13.3.1", migration_drill=drill)))


def test_a_schema_that_nobody_declared_hides_nothing_else(judged: Judge) -> None:
    unseen = Unseen(ProbeError("[release]", "does not declare its key declared_schema"))
    partly = replace(MIGRATION, schema_parts=unseen, schema_differences=unseen)
    claim = judged("D-13.3.1", migration_drill=MigrationDrill(partly, None, ""))
    assert claim is not None
    assert claim.unseen is unseen.error
    slow = replace(partly, locks=Locks(60, {"users (ShareLock)": 5.3}))
    claim = judged("D-13.3.1", migration_drill=MigrationDrill(slow, None, ""))
    assert claim is not None
    assert "users (ShareLock) 5.3 s" in claim.observed


def test_a_rule_that_was_broken_before_is_not_the_migrations_fault(judged: Judge) -> None:
    as_before = replace(MIGRATION, integrity=OVERLAPS, broken_before={"overlaps": 3})
    assert judged("D-13.3.1", migration_drill=MigrationDrill(as_before, None, "")) is None


def test_a_good_rollback_is_green(judged: Judge, env_with: Callable[..., Environment]) -> None:
    assert judged("D-13.3.3", rollback_drill=ROLLBACK, env=env_with()) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bookings": 99}, "bookings made in the candidate: 99"),
        ({"failure": "no way back"}, "rollback: no way back"),
        ({"duration_s": 901.0}, "rollback: 901 s; required at most 900 s"),
        ({"schema_differences": ("columns a.b is missing",)}, "columns a.b is missing"),
        ({"older": {"users": replace(SAME, changed=1)}}, "before the migration.*1 changed"),
        ({"newer": {"users": replace(SAME, missing=1)}}, "written since.*1 missing"),
        ({"older": {}}, "no all to look at"),
        ({"newer": {"users": replace(SAME, noted=99)}}, "rows written since: 99"),
        ({"undeclared_losses": ("users.avatar",)}, "no list declares: users.avatar"),
        ({"refused": ("/login answers 500",)}, "refuses afterwards: /login answers 500"),
    ],
)
def test_each_clause_of_the_rollback_can_fail(
    judged: Judge, env_with: Callable[..., Environment], changes: dict[str, Any], message: str
) -> None:
    drill = replace(ROLLBACK, **changes)
    assert re.search(message, repr(judged("D-13.3.3", rollback_drill=drill, env=env_with())))


def test_a_rollback_that_was_not_tried_is_not_looked_at(
    env_with: Callable[..., Environment],
) -> None:
    drill = MigrationDrill(replace(MIGRATION, failure="x"), None, "the migration failed: x")
    with pytest.raises(ProbeError, match="the migration failed: x; next: fix"):
        rollback_drill(env_with(), drill)


def test_differences_name_the_place() -> None:
    declared = {"columns": {"a.b": {"type": "text", "null": False}, "a.c": {}}, "tables": {}}
    found = {"columns": {"a.b": {"type": "int", "null": False}, "a.d": {}}, "tables": {}}
    assert differences(found, declared) == [
        "columns a.b type is 'int', not 'text'",
        "columns a.c is missing",
        "columns a.d is not declared",
    ]
    assert differences(declared, declared) == []


def test_a_lock_counts_from_the_sample_before_to_the_sample_after() -> None:
    samples = _LockSamples()
    began = samples._last
    lock = ("users", "AccessExclusiveLock", 7)
    for second, seen in enumerate([set(), {lock}, {lock}, set(), {lock}, set()], start=1):
        samples.add(seen, began + second)
    found = samples.found()
    assert found.samples == 6
    assert found.held_s == {"users (AccessExclusiveLock)": 3.0}
    assert found.longest_s == 3.0


def test_locks_that_could_not_be_sampled_are_not_looked_at() -> None:
    samples = _LockSamples()
    samples.error = OSError("gone")
    with pytest.raises(ProbeError, match="the locks on the copy: gone"):
        samples.found()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a tag, and a later change that the tag does not have."""
    folder = tmp_path / "repository"
    (folder / "m" / "versions").mkdir(parents=True)
    (folder / "m" / "versions" / "0001.py").write_text("one")
    (folder / "m" / "README.md").write_text("for people")
    (folder / "m" / "schema.json").write_text('{"tables": {"users": {}}}')
    (folder / "m" / "losses.toml").write_text(
        '[[lost]]\ntable = "a"\ncolumn = "b"\nreason = "r"\n'
        '[[lost]]\ntable = "c"\ncolumn = "*"\nreason = "r"\n'
    )

    def git(*words: str) -> None:
        who = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"]
        subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)

    git("init")
    git("add", ".")
    git("commit", "-m", "one")
    git("tag", "v2.0.0")
    (folder / "m" / "versions" / "0001.py").write_text("two")
    git("commit", "-am", "two")
    return folder


def test_a_tag_tells_its_files_whatever_came_later(
    repository: Path, env_with: Callable[..., Environment]
) -> None:
    tag = _Tag(env_with(release={"repository": str(repository), "tag": "v2.0.0"}))
    one = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
    run = {"versions/0001.py": one}
    assert tag.differing("m", run) == ()
    assert tag.differing("m", {**run, "versions/0002.py": "x"}) == ("versions/0002.py",)
    assert tag.differing("m", {"versions/0001.py": "x"}) == ("versions/0001.py",)
    assert tag.digest("m", run) == tag.digest("m", {"other.py": "x"})
    both = {"m/versions/0001.py": one, "m/versions/versions/0001.py": "x"}
    assert tag.differing(["m"], {"m/versions/0001.py": one}) == ()
    assert tag.differing(["m/versions"], both) == ("m/versions/versions/0001.py",)
    assert tag.differing(["m/versions/"], {"m/versions/0001.py": one}) == ()
    assert tag.json("m/schema.json") == {"tables": {"users": {}}}
    assert tag.losses("m/losses.toml", {"a.b", "a.z", "c.d"}) == {"a.b", "c.d"}


@pytest.mark.parametrize("name", ["2026.11.3", "release/of-november", "the commit"])
def test_a_release_need_not_be_a_tag_of_a_version(
    repository: Path, env_with: Callable[..., Environment], name: str
) -> None:
    words = ["git", "-C", str(repository), "rev-parse", "v2.0.0"]
    commit = subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
    if name != "the commit":
        subprocess.run(["git", "-C", str(repository), "branch", name, commit], check=True)
    named = commit if name == "the commit" else name
    tag = _Tag(env_with(release={"repository": str(repository), "tag": named}))
    tag.verify()
    assert tag.json("m/schema.json") == {"tables": {"users": {}}}


@pytest.mark.parametrize(
    ("path", "tag", "said"),
    [
        ("m/none.json", "v2.0.0", "none.json"),
        ("m/schema.json", "v3.0.0", "v3.0.0"),
        ("m/README.md", "v2.0.0", "README.md"),
    ],
)
def test_a_tag_that_cannot_be_read_is_told(
    repository: Path, env_with: Callable[..., Environment], path: str, tag: str, said: str
) -> None:
    env = env_with(release={"repository": str(repository), "tag": tag})
    with pytest.raises(ProbeError, match=said):
        _Tag(env).json(path)


def test_nothing_is_restored_where_the_release_cannot_be_read(
    env_with: Callable[..., Environment],
) -> None:
    env = env_with(release={"repository": "/nonexistent", "tag": "v2.0.0"})
    with pytest.raises(ProbeError, match=r"the tag .* in /nonexistent"):
        migration_drill(env)
