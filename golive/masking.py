"""What must not reach an output: secrets, and characters that drive a terminal or reorder a line.

Everything that leaves golive passes through a mask; whatever somebody else wrote is cleaned too.
"""

from __future__ import annotations

import base64
import json
import re
from urllib.parse import quote, quote_plus

MASKED = "********"
_SHORTEST = 4
"""Characters below which a secret would blank out ordinary words."""
_IN_URL = re.compile(r"(?P<before>[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s/@]+(?=@)", re.IGNORECASE)

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_])")
_UNSEEN = re.compile(
    # Control characters but tab and newline, what reorders or hides text, and half characters.
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def clean(text: str) -> str:
    """Text without terminal escapes; other invisible characters become visible ones."""
    if _UNSEEN.search(text) is None:
        return text
    return _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", _ANSI.sub("", text.replace("\r\n", "\n")))


class Mask:
    """Replaces known secrets, in every spelling a report could hold, and passwords in URLs."""

    def __init__(self) -> None:
        self._spellings: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def add(self, secret: str) -> None:
        """Make a secret known.

        :raises ValueError: it is too short to be told from ordinary text.
        """
        if len(secret) < _SHORTEST:
            raise ValueError(f"found a secret of under {_SHORTEST} characters, too short to mask")
        self._spellings |= spellings(secret)
        longest_first = sorted(self._spellings, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        if self._pattern is not None:
            text = self._pattern.sub(MASKED, text)
        if "://" in text:
            text = _IN_URL.sub(rf"\g<before>{MASKED}", text)
        return text


def spellings(secret: str) -> set[str]:
    """A secret as it stands in URLs, JSON, Python source, HTML and base64."""
    html = secret.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    found = {
        secret,
        " ".join(secret.split()),  # messages are brought to one line
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        repr("\"'" + secret)[4:-1],  # inside a longer text that holds both quotes
        html,
        html.replace('"', "&quot;").replace("'", "&#x27;"),
        html.replace('"', "&#34;").replace("'", "&#39;"),
    }
    found |= {line for line in secret.splitlines() if len(line) >= 2 * _SHORTEST}
    found |= _in_base64(secret.encode())
    return {s for s in found if len(s) >= _SHORTEST}


def _in_base64(raw: bytes) -> set[str]:
    """What base64 makes of it wherever it stands, e.g. behind ``user:`` in a header."""
    found = {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode().rstrip("=")}
    for before in range(3):
        first = -(-before * 8 // 6)  # characters that what stands before has a part in
        last = (before + len(raw)) * 8 // 6  # and from here what stands behind has one
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            found.add(encode(bytes(before) + raw).decode()[first:last])
    return {s for s in found if len(s) >= 2 * _SHORTEST}
