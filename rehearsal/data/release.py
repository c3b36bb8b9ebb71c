"""The release repository: `<folder>/release.git`, bare, with a tag per release.

    v1.9.0   migrations/ up to that release's head
    v2.0.0   migrations/ of the candidate

and the deploy artefacts of each (`rehearsal/product`, see `rehearsal.data.product`).

`<folder>/release/` is the checkout of the candidate that drills migrate with. The tags are
always the same commits: author, dates and content do not depend on when or where it is made.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

from rehearsal.data import dependencies, product
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.world import PROJECT, Rehearsal
from rehearsal.parts import Endpoints

MIGRATIONS = "migrations"
_HERE = PROJECT / "rehearsal" / "app" / "migrations"
BACKEND = "backend/app"
"""The application's own code, inside the checkout."""
_APP = PROJECT / "rehearsal" / "app"
_NO_SOURCE = shutil.ignore_patterns("__pycache__", "migrations")
_DATES = {"v1.9.0": "2026-05-04T09:00:00+00:00", "v2.0.0": "2026-11-02T09:00:00+00:00"}
_WHO = "BookedBarber Releases"


def repository(r: Rehearsal) -> Path:
    """The bare repository."""
    return r.path("release.git")


def migrations(r: Rehearsal) -> Path:
    """The candidate's migrations, checked out."""
    return r.path("release", MIGRATIONS)


def checkout(r: Rehearsal) -> Path:
    """The candidate as it is checked out: the product's own files beside its migrations."""
    return r.path("release")


def publish(r: Rehearsal) -> None:
    """Make repository and checkout again. Raises RehearsalError when git fails.

    They are made aside, so that whoever reads them meanwhile finds the old ones.
    """
    with r.locked("release"):
        made, bare = r.path("release.new"), r.path("release.new.git")
        for folder in (made, bare):
            shutil.rmtree(folder, ignore_errors=True)
        _git(r.folder, "init", "--quiet", "--initial-branch=main", str(made))
        for tag in heads():
            _lay_out(made / MIGRATIONS, tag)
            product.lay_out(made, tag.removeprefix("v"))
            shutil.copytree(_APP, made / BACKEND, dirs_exist_ok=True, ignore=_NO_SOURCE)
            dependencies.lay_out(made)
            _git(made, "add", "--all")
            _git(made, "commit", "--quiet", "--message", f"Release {tag}", tag=tag)
            _git(made, "tag", "--annotate", tag, "--message", f"Release {tag}", tag=tag)
        _git(r.folder, "clone", "--quiet", "--bare", str(made), str(bare))
        _git(made, "remote", "add", "origin", str(repository(r)))
        _take_place(bare, repository(r))
        _take_place(made, checkout(r))


def _take_place(new: Path, of: Path) -> None:
    old = of.with_name(f"{of.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if of.exists():
        of.rename(old)
    new.rename(of)
    shutil.rmtree(old, ignore_errors=True)


def heads(folder: Path = _HERE) -> dict[str, str]:
    """Release tag to the head of its migrations, oldest first."""
    found: dict[str, str] = tomllib.loads((folder / "releases.toml").read_text())["releases"]
    return found


def restore_checkout(r: Rehearsal) -> None:
    """Put the checkout back to what the tag says, whatever was changed or added in it."""
    with r.locked("release"):
        _git(checkout(r), "reset", "--quiet", "--hard", _newest_tag())
        _git(checkout(r), "clean", "--quiet", "-dfx")


def retag(r: Rehearsal, edit: Callable[[Path], None]) -> None:
    """Change the candidate's migrations and move its tag there, as if it had been released so:
    `edit` is given their folder. `publish` takes it back."""
    with r.locked("release"):
        edit(migrations(r))
        _retag(r)


def retag_with(
    r: Rehearsal, path: str, edit: Callable[[str], str] | None, *, now: bool = False
) -> None:
    """As `retag`, for a text file of the checkout; None deletes it.

    :param now: the commit is made now, and not when the release was.
    """
    file = checkout(r) / path
    with r.locked("release"):
        if edit is None:
            file.unlink()
        else:
            file.write_text(edit(file.read_text()))
        _retag(r, now=now)


def _retag(r: Rehearsal, *, now: bool = False) -> None:
    checkout, tag = migrations(r).parent, _newest_tag()
    _git(checkout, "add", "--update")
    _git(checkout, "add", "--", "*.py", "*.toml")
    dated = "" if now else tag
    _git(checkout, "commit", "--quiet", "--message", f"Release {tag} again", tag=dated)
    _git(checkout, "tag", "--annotate", "--force", tag, "--message", f"Release {tag}", tag=tag)
    _git(checkout, "push", "--quiet", "--force", "origin", f"refs/tags/{tag}")


def _newest_tag() -> str:
    return list(heads())[-1]


def _lay_out(folder: Path, tag: str) -> None:
    """The migrations as they were at a release: no revision after its head, no later tag."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(_HERE, folder, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    releases = heads()
    if tag == list(releases)[-1]:
        return
    # Revisions are named by their number in the chain, so that names order as they apply.
    for path in (folder / "versions").glob("*.py"):
        if path.stem > releases[tag]:
            path.unlink()
    kept = list(releases)[: list(releases).index(tag) + 1]
    lines = [f"{json.dumps(one)} = {json.dumps(releases[one])}" for one in kept]
    (folder / "releases.toml").write_text("\n".join(["[releases]", *lines]) + "\n")
    for later in (folder / "losses.toml", *folder.glob("schema-*.json")):
        later.unlink(missing_ok=True)


def git(folder: Path, *words: str, text: str = "") -> str:
    """What git prints, as the releases' own author. Raises RehearsalError when it fails."""
    return _git(folder, *words, text=text)


def _git(folder: Path, *words: str, tag: str = "", text: str = "") -> str:
    date = _DATES.get(tag, "")
    mail = "releases@bookedbarber.test"
    done = subprocess.run(
        ["git", *words],
        cwd=folder,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{role}_NAME": _WHO for role in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{role}_EMAIL": mail for role in ("AUTHOR", "COMMITTER")},
            **({f"GIT_{role}_DATE": date for role in ("AUTHOR", "COMMITTER")} if date else {}),
        },
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RehearsalError(f"`git {' '.join(words)}` failed: {done.stderr.strip()[-600:]}")
    return done.stdout.strip()


def endpoints(r: Rehearsal) -> Endpoints:
    """The repository, the two releases that the launch is between, and what each declares."""
    previous, candidate = list(heads())[-2:]
    return {
        "release": {
            "repository": str(repository(r)),
            "tag": candidate,
            "previous_tag": previous,
            "migrations": MIGRATIONS,
            "declared_schema": f"{MIGRATIONS}/schema-{candidate}.json",
            "loss_list": f"{MIGRATIONS}/losses.toml",
        },
        "deploy": {"checkout": str(migrations(r).parent)},
    }


def move_tag(r: Rehearsal) -> None:
    """Have the candidate's tag name another commit with the same files."""
    tag, folder = _newest_tag(), repository(r)
    made = [tag + "^{tree}", "-p", tag + "^{commit}", "-m", f"Release {tag}, again"]
    commit = _git(folder, "commit-tree", *made, tag=tag).strip()
    r.remember("moved tag", _git(folder, "rev-parse", f"refs/tags/{tag}").strip())
    _git(folder, "update-ref", f"refs/tags/{tag}", commit)


def restore_tag(r: Rehearsal) -> None:
    """Have the candidate's tag name its own commit again."""
    _git(repository(r), "update-ref", f"refs/tags/{_newest_tag()}", r.recall("moved tag"))
    r.forget("moved tag")
