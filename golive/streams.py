"""Masks what leaves a session past its reports: streams, the terminal, logs, pytest's trace.

What a secret's owner must know: what goes through Python's streams and logs is masked. What a
child process writes to a file descriptor that it has inherited is not (pytest's default capturing
catches it, ``-s`` and the other ways of ``--capture`` do not), nor what ``os.write(1, ...)`` does,
nor what somebody writes to a stream that was taken before the secrets were known, under ``-s``.
"""

from __future__ import annotations

import codecs
import io
import logging
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any, TextIO

import pytest

from golive.masking import Mask

_STREAMS = ("stdout", "stderr", "__stdout__", "__stderr__")


def mask_all(config: pytest.Config, mask: Mask) -> None:
    """From now on, mask what is written to the streams of this process and to pytest's terminal,
    what any log handler formats, and what pytest traces (``--debug``).

    It stays so after the session: a thread that is still under way may speak later.
    """
    masked: dict[int, Masked] = {}

    def wrapped(stream: TextIO) -> Masked:
        # One for each, so that what is held back keeps its order with what others write.
        return masked.setdefault(id(stream), Masked(stream, mask))

    for name in _STREAMS:
        if (stream := getattr(sys, name)) is not None:
            setattr(sys, name, wrapped(stream))
    _wrap_below_capture(config, wrapped)
    terminal = config.pluginmanager.getplugin("terminalreporter")
    if terminal is not None:
        terminal._tw._file = wrapped(terminal._tw._file)
    _mask_logs(mask)
    root = config.trace.root
    if (write := root._writer) is not None:
        root.setwriter(lambda text: write(mask.in_cut(text)))

    def end() -> None:
        for stream in masked.values():
            stream.end()

    config.add_cleanup(end)


def _wrap_below_capture(config: pytest.Config, wrapped: Callable[[TextIO], Masked]) -> None:
    """What pytest puts back as streams between its items, and what tee-sys writes to besides.

    Its streams themselves stay: others may have kept them, and what they catch is masked as part
    of a report.
    """
    capture = config.pluginmanager.getplugin("capturemanager")
    capturing = None if capture is None else capture._global_capturing
    for side in () if capturing is None else (capturing.out, capturing.err):
        if side is not None:
            own = getattr(side, "syscapture", side)  # of a file descriptor's, that of the stream
            own._old = wrapped(own._old)
            if hasattr(own.tmpfile, "_other"):
                own.tmpfile._other = wrapped(own.tmpfile._other)


def _mask_logs(mask: Mask) -> None:
    """Every handler formats by this, whoever adds it and whenever."""
    formatted = logging.Handler.format

    def masked(self: logging.Handler, record: logging.LogRecord) -> str:
        return mask(formatted(self, record))

    logging.Handler.format = masked  # type: ignore[method-assign]


class Masked:
    """A text stream that masks secrets, also where one comes in pieces.

    What may turn out to be the beginning of a secret is held back until more comes, also when the
    stream is flushed: everything else is shown at once.
    """

    def __init__(self, below: TextIO, mask: Mask) -> None:
        self._below = below
        self._mask = mask
        self._held = ""
        self._lock = threading.RLock()
        self._bytes = _Bytes(self, below)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._below, name)

    @property
    def buffer(self) -> _Bytes:
        """The same stream for bytes."""
        self._below.buffer  # noqa: B018 - where the one below has none, this one has none
        return self._bytes

    def write(self, text: str) -> int:
        """Write text, as any stream does."""
        with self._lock:
            if rest := self._bytes.rest():
                self.take(rest, raw=True)
            self.take(text)
        return len(text)

    def take(self, text: str, *, raw: bool = False) -> None:
        """Show what may be shown.

        :param raw: it was decoded from bytes, and goes on as the same bytes.
        """
        with self._lock:
            shown, self._held = self._mask.in_pieces(self._held + text)
            self._put(shown, raw)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write texts one after another."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Have what may be shown reach its end."""
        with self._lock:
            self._below.flush()

    def end(self) -> None:
        """Nothing more is to come: show what was held back, if that gives no secret away."""
        with self._lock:
            if not self._below.closed:
                self.take(self._bytes.rest(), raw=True)
                held, self._held = self._held, ""
                self._put(self._mask.at_end(held))
                self._below.flush()

    def detach(self) -> None:
        """Refused: who holds the stream below writes past the mask.

        :raises io.UnsupportedOperation: always.
        """
        raise io.UnsupportedOperation("a masked stream cannot be taken apart")

    def _put(self, text: str, raw: bool = False) -> None:
        if raw and text:
            self._below.flush()
            self._below.buffer.write(text.encode(errors="surrogateescape"))
        elif text:
            self._below.write(text)


class _Bytes:
    """The bytes' side of a masked stream."""

    def __init__(self, text: Masked, below: TextIO) -> None:
        self._text = text
        self._below = below
        self._lock = text._lock
        # Whatever is no UTF-8 comes through it as it is.
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._below.buffer, name)

    @property
    def raw(self) -> _Bytes:
        """Nothing lies below it that does not mask."""
        return self

    def write(self, data: bytes) -> int:
        """Write bytes, as any stream does."""
        with self._lock:
            self._text.take(self._decoder.decode(data), raw=True)
        return memoryview(data).nbytes

    def writelines(self, lines: Iterable[bytes]) -> None:
        """Write bytes one after another."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Have what may be shown reach its end."""
        with self._lock:
            self._below.flush()
            self._below.buffer.flush()

    def rest(self) -> str:
        """What is left of a letter that did not come to its end."""
        return self._decoder.decode(b"", final=True)

    def detach(self) -> None:
        """Refused, like that of the text.

        :raises io.UnsupportedOperation: always.
        """
        self._text.detach()
