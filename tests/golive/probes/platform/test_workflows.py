"""What of CI workflows is found, with zizmor itself."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from golive.environments import Environment
from golive.probes.platform.workflows import Workflows, ci_workflows
from golive.verdicts import Unseen

EnvWith = Callable[..., Environment]
PINNED = "actions/checkout@d5491e7e7124a22dd73fa746ba129c59f9dc6d5d"
SOUND = f"""name: CI
on: push
permissions: {{contents: read}}
jobs:
  unit:
    runs-on: ubuntu-24.04
    steps:
      - uses: {PINNED}
      - run: make test
"""
PLACE = ".github/workflows/ci.yml"


@pytest.fixture
def audited(env_with: EnvWith, tmp_path: Path) -> Callable[..., Workflows | Unseen]:
    def of(text: str, place: str = PLACE) -> Workflows | Unseen:
        path = tmp_path / "checkout" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return ci_workflows(env_with(deploy={"checkout": str(tmp_path / "checkout")}))

    return of


Audited = Callable[..., Workflows]


def test_a_sound_workflow_has_none(audited: Audited) -> None:
    assert audited(SOUND) == Workflows((PLACE,), (), ())


@pytest.mark.parametrize(
    ("old", "new", "weakness"),
    [
        (PINNED, "actions/checkout@main", "unpinned-uses"),
        ("make test", "echo ${{ github.event.pull_request.title }}", "template-injection"),
    ],
)
def test_a_weakness_is_told_with_its_line(
    audited: Audited, old: str, new: str, weakness: str
) -> None:
    text = SOUND.replace(old, new)
    line = text[: text.index(new)].count("\n") + 1
    (told,) = audited(text).weaknesses
    assert told.startswith(f"{PLACE}:{line}: ")
    assert told.endswith(f"({weakness})")


def test_a_comment_in_the_file_excuses_nothing(audited: Audited) -> None:
    text = SOUND.replace(PINNED, "actions/checkout@main # zizmor: ignore[unpinned-uses]")
    assert len(audited(text).weaknesses) == 1


def test_secrets_are_told_by_kind_and_never_shown(audited: Audited) -> None:
    key = "AKIAQ3EGRHBOOKEDBARB"
    found = audited(f"build:\n  script: [x]\n  variables: {{K: {key}}}\n", ".gitlab-ci.yml")
    assert found.secrets == (".gitlab-ci.yml:3: an AWS access key",)
    assert found.weaknesses == ()
    assert key not in repr(found)


def test_what_zizmor_cannot_read_is_unseen(audited: Audited) -> None:
    found = audited("on: push\njobs: {a: {steps: 5}}\n")
    assert isinstance(found.weaknesses, Unseen)
    assert PLACE in str(found.weaknesses.error)


@pytest.mark.parametrize("broken", ["on: push\njobs: [\n", ""])
def test_one_that_is_no_yaml_is_unseen_and_hides_no_weakness(audited: Audited, broken: str) -> None:
    found = audited(broken, ".github/workflows/broken.yml")
    assert isinstance(found, Workflows)
    assert isinstance(found.weaknesses, Unseen)
    (told,) = audited(SOUND.replace(PINNED, "actions/checkout@main")).weaknesses
    assert told.endswith("(unpinned-uses)")


def test_without_zizmor_it_is_unseen(audited: Audited, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    found = audited(SOUND)
    assert isinstance(found.weaknesses, Unseen)
    assert "not installed" in str(found.weaknesses.error)


def test_without_a_checkout_all_is_unseen(env_with: EnvWith) -> None:
    assert isinstance(ci_workflows(env_with()), Unseen)
