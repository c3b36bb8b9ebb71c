"""What must not reach an output: secrets, and characters that drive a terminal or reorder a line.

Everything that leaves golive passes through a mask; whatever somebody else wrote is cleaned too.
"""

from __future__ import annotations

import base64
import json
import re
import string
from bisect import bisect_left
from collections.abc import Iterator
from functools import cached_property
from itertools import groupby
from urllib.parse import quote, quote_plus

MASKED = "********"
_SHORTEST = 4
"""Characters below which a secret would blank out ordinary words."""
_IN_URL = re.compile(
    # A quote before a comma and the like ends a value of JSON or HTML: no more belongs to it.
    r"(?P<before>(?<=[a-z0-9+.-])://[^\s:/@\"]*:)(?P<password>(?:[^\s/@\"]|\"(?![,:}\]>]))++)(?=@)",
    re.IGNORECASE | re.ASCII,
)
_IN_URL_BYTES = re.compile(_IN_URL.pattern.encode(), re.IGNORECASE)
_FOLDED = {ord(c): c.lower() for c in string.ascii_uppercase}

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_])")
_UNSEEN = re.compile(
    # Control characters but tab and newline, what reorders or hides text, and half characters.
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_PRIVATE_KEY = re.compile(
    rb"PRIVATE KEY(?: BLOCK)? ?----|PuTTY-User-Key-File-\d|AGE-SECRET-KEY-1[0-9A-Z]{20}"
)


def clean(text: str) -> str:
    """Text without terminal escapes; other invisible characters become visible ones."""
    if _UNSEEN.search(text) is None:
        return text
    return _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", _ANSI.sub("", text.replace("\r\n", "\n")))


class Hidden:
    """A secret that comes up while something is looked at, such as an access token: among facts and
    wherever else it is written it is masked."""

    __slots__ = ("_secret",)

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def __repr__(self) -> str:
        return MASKED

    def reveal(self) -> str:
        """The secret itself."""
        return self._secret


class Mask:
    """Replaces known secrets, in every spelling a report could hold, and passwords in URLs.

    The case of ASCII letters is not looked at: an escape may be ``%2f`` or ``%2F``, and programs
    write names and headers in a case of their own.
    """

    def __init__(self) -> None:
        self._spellings: set[str] = set()
        self._known = self._backwards = _Known(set())

    def add(self, secret: str) -> None:
        """Make a secret known.

        :raises ValueError: it is too short to be told from ordinary text.
        """
        if len(secret) < _SHORTEST:
            raise ValueError(f"found a secret of under {_SHORTEST} characters, too short to mask")
        self._spellings |= {_folded(s) for s in spellings(secret)}
        self._known = _Known(self._spellings)
        self._backwards = _Known({s[::-1] for s in self._spellings})

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        spans = self._known.found(text)
        if spans:
            shown, at = [], 0
            for start, end in spans:
                shown += [text[at:start], MASKED]
                at = end
            text = "".join([*shown, text[at:]])
        if "://" in text:
            text = _IN_URL.sub(rf"\g<before>{MASKED}", text)
        return text

    def in_pieces(self, text: str) -> tuple[str, str]:
        """What may be shown of a text that goes on, masked, and the rest, which may turn out to be
        the beginning of a secret: it belongs before what comes next."""
        cut = self._known.beginning(text)
        for start, end in self._known.found(text):
            if start < cut < end:  # one ends as another begins
                cut = end
        return self(text[:cut]), text[cut:]

    def at_end(self, rest: str) -> str:
        """What may be shown of such a rest once nothing follows: no half of a secret."""
        return rest if len(rest) < _SHORTEST else MASKED

    def in_cut(self, text: str) -> str:
        """A text without secrets in which others have cut long values short with ``...``: nothing
        of what was left of a secret there either."""
        pieces = self(text).split("...")
        for n, piece in enumerate(pieces):
            if n:
                left = len(piece) - self._backwards.beginning(piece[::-1])
                piece = self.at_end(piece[:left]) + piece[left:]
            if n + 1 < len(pieces):
                cut = self._known.beginning(piece)
                piece = piece[:cut] + self.at_end(piece[cut:])
            pieces[n] = piece
        return "...".join(pieces)

    def finds(self, data: bytes) -> bool:
        """Whether a secret, or a password in an address, stands in a text of UTF-8."""
        if self._known.stands_in(data):
            return True
        passwords = _IN_URL_BYTES.finditer(data) if b"://" in data else ()
        return any(match["password"] != MASKED.encode() for match in passwords)


class _Known:
    """Spellings that are looked for. They are made ready when the first text comes."""

    def __init__(self, words: set[str]) -> None:
        self._given = frozenset(words)

    @cached_property
    def _words(self) -> list[str]:
        return sorted(self._given)

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        return re.compile(_tree(self._words)) if self._given else None

    @cached_property
    def _heads(self) -> set[str]:
        return {w[:n] for w in self._given for n in range(1, _SHORTEST + 1)}

    @cached_property
    def _longest(self) -> int:
        return max(map(len, self._given), default=0)

    def found(self, text: str) -> list[tuple[int, int]]:
        """Where they stand, from left to right, the longest of those that begin together."""
        pattern = self._pattern
        if pattern is None:
            return []
        return [match.span() for match in pattern.finditer(_folded(text))]

    @cached_property
    def _bytes_pattern(self) -> re.Pattern[bytes] | None:
        words = sorted(w.encode().decode("latin-1") for w in self._given)  # a letter for each byte
        return re.compile(_tree(words).encode("latin-1")) if words else None

    def stands_in(self, data: bytes) -> bool:
        """Whether one of them does."""
        pattern = self._bytes_pattern
        return pattern is not None and pattern.search(data.lower()) is not None

    def beginning(self, text: str) -> int:
        """Where the longest end of the text starts with which one of them could begin."""
        first = max(0, len(text) - self._longest + 1)
        end = _folded(text[first:])
        for at in range(len(end)):
            if end[at : at + _SHORTEST] in self._heads:
                rest = end[at:]
                # The next in order begins with it, if any does; it itself may be one of them.
                near = bisect_left(self._words, rest)
                near += near < len(self._words) and self._words[near] == rest
                if near < len(self._words) and self._words[near].startswith(rest):
                    return first + at
        return len(text)


def _folded(text: str) -> str:
    """The text in lower case as far as that changes no length and looks at no neighbour."""
    return text.lower() if text.isascii() else text.translate(_FOLDED)


def _tree(words: list[str]) -> str:
    """A pattern of sorted words. What they begin with in common is looked at once, so that their
    number hardly counts, and of two that begin alike the longer one is found."""
    branches = []
    for _, group in groupby((w for w in words if w), key=lambda w: w[0]):
        alike = list(group)
        first, last = alike[0], alike[-1]  # in order, so all share what these two share
        same = next((n for n, c in enumerate(first) if last[n : n + 1] != c), len(first))
        rest = [w[same:] for w in alike]
        branches.append(re.escape(first[:same]) + (_tree(rest) if rest != [""] else ""))
    return f"(?:{'|'.join(branches)}){'' if words[0] else '?'}"


def given_away(data: bytes, mask: Mask) -> str:
    """Why a file must not be handed on: it holds a private key, a secret that the mask knows, or
    a password in an address. Empty where nothing of that is found. Text is found in UTF-8, UTF-16
    and UTF-32; what is compressed is not unpacked."""
    if private_key(data):
        return "holds a private key"
    if any(map(mask.finds, _texts(data))):
        return "holds a secret, or a password in an address"
    return ""


def private_key(data: bytes) -> bool:
    """Whether a private key stands in it: OpenSSH's, PEM, PGP's, SSH2's, PuTTY's or age's."""
    narrow = data.replace(b"\0", b"")  # as UTF-8 has it, where it is UTF-16 or UTF-32
    return any(_PRIVATE_KEY.search(d) for d in (data, narrow))


def _texts(data: bytes) -> Iterator[bytes]:
    """As UTF-8 has it, whatever it is in."""
    yield data
    if zeros := data.count(0):
        yield data.replace(b"\0", b"")  # wide letters of ASCII
        if zeros * 8 > len(data):
            for encoding in ("utf-16-le", "utf-16-be"):
                yield data.decode(encoding, errors="replace").encode(errors="replace")


def spellings(secret: str) -> set[str]:
    """A secret as it stands in URLs, once or twice escaped, JSON, Python source, HTML, hex and
    base64."""
    raw = secret.encode()
    quoted = {quote(secret, safe=""), quote(secret), quote_plus(secret)}
    html = secret.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    found = {
        secret,
        " ".join(secret.split()),  # messages are brought to one line
        *quoted,
        *(quote(once, safe=safe) for once in quoted for safe in ("", "/")),
        raw.hex(),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        repr("\"'" + secret)[4:-1],  # inside a longer text that holds both quotes
        repr(raw)[2:-1],
        repr(b"\"'" + raw)[5:-1],
        html,
        html.replace('"', "&quot;").replace("'", "&#x27;"),
        html.replace('"', "&#34;").replace("'", "&#39;"),
    }
    found |= {line for line in secret.splitlines() if len(line) >= 2 * _SHORTEST}
    found |= _in_base64(raw)
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
