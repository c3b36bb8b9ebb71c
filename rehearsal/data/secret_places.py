"""A key in the release repository's history."""

from __future__ import annotations

from rehearsal.data import release
from rehearsal.kernel.world import Rehearsal

LEAK = "refs/heads/hotfix-keys"
"""A branch that nobody merged."""


def commit_key(r: Rehearsal, text: str) -> None:
    """Commit a file with that text on a branch of the release repository."""
    repository = release.repository(r)
    blob = release.git(repository, "hash-object", "-w", "--stdin", text=text)
    tree = release.git(repository, "mktree", text=f"100644 blob {blob}\tnotes.txt\n")
    made = release.git(repository, "commit-tree", tree, "-m", "Notes")
    release.git(repository, "update-ref", LEAK, made)


def forget_key(r: Rehearsal) -> None:
    """Delete that branch."""
    release.git(release.repository(r), "update-ref", "-d", LEAK)
