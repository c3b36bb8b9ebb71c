from __future__ import annotations

import io
import sys
import threading

import pytest

from golive.masking import MASKED, Mask
from golive.streams import Masked

SECRET = "kestrél-7f3a9c"


@pytest.fixture
def below() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")


@pytest.fixture
def stream(below: io.TextIOWrapper) -> Masked:
    mask = Mask()
    mask.add(SECRET)
    return Masked(below, mask)


def written(below: io.TextIOWrapper) -> str:
    below.flush()
    assert isinstance(below.buffer, io.BytesIO)
    return below.buffer.getvalue().decode()


def test_a_secret_is_masked_however_it_is_cut(stream: Masked, below: io.TextIOWrapper) -> None:
    for size in range(1, len(SECRET)):
        for at in range(0, len(SECRET), size):
            assert stream.write(SECRET[at : at + size]) == len(SECRET[at : at + size])
            stream.flush()
        stream.write(";")
    assert written(below) == f"{MASKED};" * (len(SECRET) - 1)


def test_a_secret_is_masked_however_its_bytes_are_cut(
    stream: Masked, below: io.TextIOWrapper
) -> None:
    raw = SECRET.encode()
    for size in range(1, len(raw)):
        for at in range(0, len(raw), size):
            stream.buffer.write(raw[at : at + size])
            stream.buffer.flush()
        stream.buffer.write(b";")
    assert written(below) == f"{MASKED};" * (len(raw) - 1)


def test_progress_is_shown_at_once(stream: Masked, below: io.TextIOWrapper) -> None:
    for percent in ("10", "20"):
        stream.write(f"\r{percent} %")
        stream.flush()
        assert written(below).endswith(f"\r{percent} %")


def test_flushing_gives_no_half_of_a_secret_away(stream: Masked, below: io.TextIOWrapper) -> None:
    stream.write(f"it is {SECRET[:9]}")
    stream.flush()
    assert written(below) == "it is "
    stream.write(" no more")
    assert written(below) == f"it is {SECRET[:9]} no more", "it was none"


@pytest.mark.parametrize(("last", "shown"), [("ke", "ke"), (SECRET[:9], MASKED), (SECRET, MASKED)])
def test_the_end_shows_what_was_held_back(
    stream: Masked, below: io.TextIOWrapper, last: str, shown: str
) -> None:
    stream.write(f"so {last}")
    stream.end()
    stream.end()
    assert written(below) == f"so {shown}"


def test_bytes_that_are_no_text_pass_as_they_are(stream: Masked, below: io.TextIOWrapper) -> None:
    raw = bytes(range(256)) * 3
    stream.write("é")
    stream.buffer.write(raw)
    stream.write("é")
    stream.end()
    assert isinstance(below.buffer, io.BytesIO)
    assert below.buffer.getvalue() == "é".encode() + raw + "é".encode()


def test_it_is_a_stream_like_the_one_below() -> None:
    assert sys.__stdout__ is not None
    stream = Masked(sys.__stdout__, Mask())
    assert stream.encoding == sys.__stdout__.encoding
    assert stream.errors == sys.__stdout__.errors
    assert stream.isatty() == sys.__stdout__.isatty()
    assert stream.fileno() == sys.__stdout__.fileno()
    assert stream.writable()
    assert not stream.closed
    assert stream.buffer.fileno() == stream.fileno()
    print(end="", file=stream)


def test_what_would_go_round_it_is_refused(stream: Masked) -> None:
    with pytest.raises(io.UnsupportedOperation, match="masked"):
        stream.detach()
    assert stream.buffer.raw is stream.buffer


def test_threads_do_not_mix_their_lines(stream: Masked, below: io.TextIOWrapper) -> None:
    def talk() -> None:
        for _ in range(300):
            stream.write(f"a {SECRET} b\n")

    threads = [threading.Thread(target=talk) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert written(below) == f"a {MASKED} b\n" * 1200


def test_what_cannot_be_encoded_is_told_and_not_kept() -> None:
    mask = Mask()
    mask.add("kestrel")
    below = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    stream = Masked(below, mask)
    with pytest.raises(UnicodeEncodeError):
        stream.write("é")
    stream.write("e")
    assert written(below) == "e"
