"""What a git repository on this machine holds at a commit, and when it was changed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from datetime import datetime

from golive.verdicts import ProbeError

_TIP = "check [release] in the environment file, and fetch the repository's tags"


class Repository:
    """A repository, bare or not, as git reads it; nothing is checked out.

    :param limit_s: how long one call of git may take.
    """

    def __init__(self, path: str, limit_s: float, step: str = _TIP) -> None:
        self.path, self._limit_s, self._step = path, limit_s, step

    def commit(self, ref: str) -> str:
        """The commit that a name stands for.

        :raises ProbeError: there is none.
        """
        return self._git("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}").decode().strip()

    def file(self, ref: str, path: str) -> bytes:
        """A file as it is at a commit.

        :raises ProbeError: it is not there.
        """
        return self._git("show", f"{ref}:{path.strip('/')}")

    def text(self, ref: str, path: str) -> str:
        """A text file as it is at a commit.

        :raises ProbeError: it is not there, or is no UTF-8.
        """
        try:
            return self.file(ref, path).decode()
        except UnicodeDecodeError as e:
            raise ProbeError(f"{path} at {ref}", e, "write it in UTF-8") from None

    def names(self, ref: str, *folders: str) -> list[str]:
        """The paths of all files at a commit, or of those below some folders.

        :raises ProbeError: there is no such commit.
        """
        words = ["ls-tree", "-r", "-z", "--name-only", "--full-tree", ref]
        below = [folder.strip("/") for folder in folders if folder.strip("/")]
        out = self._git(*words, *(["--", *below] if below else []))
        return [n for n in out.decode(errors="surrogateescape").split("\0") if n]

    def changed_at(self, ref: str, paths: Iterable[str]) -> datetime | None:
        """When the last commit up to ``ref`` that changed one of these was made, by its committer;
        None where none did."""
        words = ["log", "-1", "--format=%cI", ref, "--", *(p.strip("/") or "." for p in paths)]
        out = self._git(*words).decode().strip()
        return datetime.fromisoformat(out) if out else None

    def history(self, *, most_bytes: int) -> Iterator[tuple[str, bytes]]:
        """Each commit of any branch or tag, newest first: ``commit`` with its id, then ``line``
        with each line of its message and each that it added.

        :raises ProbeError: git fails, or the history is larger than ``most_bytes``.
        """
        words = ["log", "--all", "--full-history", "-p", "-m", "--text", "--no-color"]
        out = self._git(*words, "--no-renames", "--unified=0", "--format=%x00%H%n%B%x00")
        if len(out) > most_bytes:
            raise ProbeError(
                f"the history of {self.path}",
                f"it has {len(out):,} bytes; at most {most_bytes:,} are looked through",
                "scan it with a tool for large histories, and record the result",
            )
        # NUL, commit, its message, NUL, its changes: no file that git takes for text holds a NUL.
        pieces = out.split(b"\0")
        for said, changes in zip(pieces[1::2], pieces[2::2], strict=False):
            ident, _, message = said.partition(b"\n")
            yield "commit", ident
            yield "line", message
            yield from (("line", line[1:]) for line in changes.split(b"\n") if line[:1] == b"+")

    def _git(self, *words: str) -> bytes:
        subject = f"{words[-1]} in {self.path}"
        try:
            done = subprocess.run(
                ["git", "-C", self.path, *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self._limit_s,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as e:
            raise ProbeError(subject, e, self._step) from None
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace") or f"git {words[0]} finds nothing"
            raise ProbeError(subject, said, self._step)
        return done.stdout
