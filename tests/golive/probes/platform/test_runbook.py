"""A deployment runbook in a repository of its own: versions, dates, commands, references."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from golive.environments import Environment
from golive.probes.platform.runbook import Runbook, deployment_runbook
from golive.verdicts import ProbeError, Unseen
from tests.conftest import Project

EnvWith = Callable[..., Environment]
TEXT = """\
# Deployment

**Target version:** v2.0.0
**Rollback to:** `v1.9.0`

See [the chart](../chart/), [settings](../settings.toml#top), [below](#roll-back)
and `chart/values.yaml`; remote files such as `/etc/app.conf` are not looked for.

## Rolling out

| Step | Who | Minutes |
| --- | --- | --- |
| Bring it out | paul | 5 |

```bash
$ ./run/deploy.sh --to v2.0.0 \\
    --fast
deployed
$ git fetch --tags
```

## Verification

1. Ask it. Owner: Paul Adeyemi. Takes 2 min.

## Roll back

- Take it back (owner: product_manager; 10 minutes)

```
plain: settings
```

```sh
# a note
cd run && ./deploy.sh --to v1.9.0
sudo env X=1 git status --short | cat
```
"""
SCRIPT = "#!/bin/sh\ncase $1 in --help) echo 'usage: --to V --fast';; *) touch ran;; esac\n"


def commit(folder: Path, message: str, at: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    dated = {**clean, "GIT_COMMITTER_DATE": at, "GIT_AUTHOR_DATE": at}
    for words in (["add", "-A"], ["commit", "-qm", message], ["tag", "-f", "v2.0.0"]):
        subprocess.run(["git", *who, *words], cwd=folder, env=dated, check=True)


@pytest.fixture
def folder(project: Project) -> Path:
    """A checkout whose runbook was changed last."""
    folder = project.path / "product"
    for name, text in {
        "chart/values.yaml": "a: 1\n",
        "settings.toml": "",
        "run/deploy.sh": SCRIPT,
        "deploy.sh": SCRIPT,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    commit(folder, "chart", "2026-11-01T00:00:00Z")
    (folder / "docs").mkdir()
    (folder / "docs" / "deploy.md").write_text(TEXT)
    commit(folder, "runbook", "2026-11-02T00:00:00Z")
    return folder


@pytest.fixture
def looked(env_with: EnvWith, folder: Path, project: Project) -> Callable[..., Runbook]:
    """The runbook as it is seen, with another text where one is given."""

    def look(text: str = "", **more: Any) -> Runbook:
        if text and text != (folder / "docs" / "deploy.md").read_text():
            (folder / "docs" / "deploy.md").write_text(text)
            commit(folder, "again", "2026-11-03T00:00:00Z")
        env = env_with(
            release={"repository": str(folder), "tag": "v2.0.0"},
            people={"roster": str(project.path / "suites" / "people" / "roster.toml")},
            deploy={
                "checkout": str(folder),
                "runbook": "docs/deploy.md",
                "runbook_describes": ["run", "chart", "not/there"],
                "runbook_review": str(folder / "review.toml"),
                "runbook_reviewers": ["product_manager"],
                **more,
            },
        )
        return deployment_runbook(env)

    return look


def test_a_runbook_of_other_habits_is_read(looked: Callable[..., Runbook], folder: Path) -> None:
    book = looked()
    assert (book.target, book.previous) == ("v2.0.0", "v1.9.0")
    assert book.newer == []
    assert set(book.deployed_with) == {"run", "chart"}
    assert book.sections == ["deploy", "rollback", "verify"]
    assert (book.ownerless, book.endless) == ([], [])
    assert [c.text for c in book.commands] == [
        "./run/deploy.sh --to v2.0.0 --fast",
        "git fetch --tags",
        "cd run && ./deploy.sh --to v1.9.0",
        "sudo env X=1 git status --short | cat",
    ]
    assert book.unusable == [] or isinstance(book.unusable, Unseen)
    assert book.dangling == ()
    assert not list(folder.rglob("ran"))  # nothing was run but its help


def flaw(book: Runbook, words: str) -> str:
    [one] = [c for c in book.commands if words in c.text]
    return str(one.flaw)


def test_commands_that_cannot_be_run_are_told(looked: Callable[..., Runbook]) -> None:
    lines = ["./run/gone.sh", "./run/deploy.sh --slowly", "settings.toml/x", "nosuchprogram-x"]
    lines += ["git fetch --no-such-option", "echo 'open"]
    book = looked(TEXT + "\n```sh\n" + "\n".join(lines) + "\n```\n")
    assert "there is no ./run/gone.sh" in flaw(book, "gone")
    assert "knows no --slowly" in flaw(book, "slowly")
    assert "there is no program" in flaw(book, "nosuchprogram")
    assert "knows no --no-such-option" in flaw(book, "no-such-option")
    assert "no command line" in flaw(book, "open")


def test_a_script_that_knows_no_help_is_not_run(
    looked: Callable[..., Runbook], folder: Path
) -> None:
    (folder / "run" / "deploy.sh").write_text("#!/bin/sh\ntouch ran # --to --fast\n")
    book = looked()
    assert flaw(book, "--fast") == ""
    assert not list(folder.rglob("ran"))
    (folder / "run" / "deploy.sh").write_text("#!/bin/sh\ntouch ran # --to\n")
    assert "knows no --fast" in flaw(looked(), "--fast")
    (folder / "run" / "deploy.sh").chmod(0o644)
    assert "may not be executed" in flaw(looked(), "--fast")


def test_a_program_that_may_do_harm_is_not_asked_but_unseen(looked: Callable[..., Runbook]) -> None:
    text = TEXT + "\n```sh\nmktemp --until-done\n```\n"
    [one] = [c for c in looked(text).commands if "mktemp" in c.text]
    assert isinstance(one.flaw, Unseen)
    assert isinstance(looked(text).unusable, Unseen)
    declared = {"mktemp": ["echo", "--until-done"]}
    assert looked(text, runbook_commands=declared).unusable == []


def test_what_was_changed_later_is_told(looked: Callable[..., Runbook], folder: Path) -> None:
    (folder / "chart" / "values.yaml").write_text("a: 2\n")
    commit(folder, "chart again", "2026-11-04T00:00:00Z")
    assert looked().newer == ["chart"]


def test_references_to_nothing_are_told(looked: Callable[..., Runbook]) -> None:
    text = TEXT + "[a](../none.md) [b](#nowhere) `chart/none.yaml` https://other.dev/x\n"
    assert {line.split(" ")[0] for line in looked(text).dangling} >= {
        "../none.md",
        "#nowhere",
        "chart/none.yaml",
    }


def test_steps_of_nobody_and_without_end_are_told(looked: Callable[..., Runbook]) -> None:
    book = looked(TEXT.replace("paul", "somebody").replace("10 minutes", "soon"))
    assert len(book.ownerless) == 1
    assert len(book.endless) == 1
    assert looked("# Deployment\n\nJust do it.\n").sections == []


def test_a_review_counts_for_the_text_that_was_signed(
    looked: Callable[..., Runbook], folder: Path
) -> None:
    assert isinstance(looked().unreviewed, Unseen)
    digest = hashlib.sha256(TEXT.encode()).hexdigest()
    (folder / "review.toml").write_text(f'sha256 = "{digest}"\n')
    assert looked().unreviewed == ["product_manager: it is not signed"]
    book = replace(looked(), reviews={"product_manager": ""})
    assert book.unreviewed == []
    (folder / "review.toml").write_text('sha256 = "0"\n')
    assert looked().unreviewed == ["product_manager: it is not signed"]


def test_no_runbook_and_nothing_described_are_told(looked: Callable[..., Runbook]) -> None:
    with pytest.raises(ProbeError, match=r"docs/none\.md"):
        looked(runbook="docs/none.md")
    with pytest.raises(ProbeError, match="runbook describes"):
        looked(runbook_describes=["nowhere"])
