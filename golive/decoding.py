"""msgspec's decoding, for several threads at once.

msgspec learns a type at its first use. Two threads that do so at the same moment crash the
interpreter (seen with 0.22.0), so a type is learned under a lock before it is used.
"""

from __future__ import annotations

import threading
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")
_learning = threading.Lock()
_learned: set[Any] = set()


def decode(data: bytes | str, kind: type[T], *, strict: bool = True) -> T:
    """A value from JSON.

    :raises msgspec.MsgspecError: it is none of that type.
    :raises RecursionError: it is nested too deeply.
    :raises UnicodeDecodeError: it is no UTF-8.
    """
    return msgspec.json.decode(data, type=_known(kind), strict=strict)


def decode_lines(data: bytes, kind: type[T]) -> list[T]:
    """Values from JSON, one on each line.

    :raises msgspec.MsgspecError, RecursionError, UnicodeDecodeError: as :func:`decode`.
    """
    return msgspec.json.Decoder(_known(kind)).decode_lines(data)


def convert(value: Any, kind: type[T], *, strict: bool = True, str_keys: bool = False) -> T:
    """A value from plain dicts and lists.

    :raises msgspec.ValidationError: it is none of that type.
    """
    return msgspec.convert(value, _known(kind), strict=strict, str_keys=str_keys)


def _known(kind: type[T]) -> type[T]:
    if kind not in _learned:
        with _learning:
            msgspec.json.Decoder(kind)
            _learned.add(kind)
    return kind
