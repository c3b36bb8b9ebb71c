"""What bundles there are, how large one may be, and why one is refused."""

from __future__ import annotations

RUNS, STATEMENTS, DOCUMENTS = KINDS = ("runs", "statements", "documents")
MOST_BYTES = 256 * 2**20
"""Of a bundle."""
MOST_FILES = 10_000
"""In a bundle."""


class Refused(Exception):
    """One bundle cannot be taken; its text says why. The others can."""


def shown(name: str) -> str:
    """A name that a stranger chose, harmless in a terminal."""
    return ascii(name if len(name) <= 80 else f"{name[:80]}...")


def plain(text: str) -> str:
    """Text on one line without control characters or what reorders it."""
    line = " ".join(text.split())
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
