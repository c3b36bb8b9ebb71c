from __future__ import annotations

import ast
import base64
import html
import json
import random
import re
import string
from collections.abc import Callable
from urllib.parse import quote, quote_plus, unquote, unquote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markupsafe import escape

from golive.masking import MASKED, Mask, given_away

SECRETS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"]), min_size=4
).filter(lambda s: not set(s) <= set("*"))
AROUND = st.text(st.sampled_from("ab 1:'\"\\<é"), max_size=5)


def masking(*secrets: str) -> Mask:
    mask = Mask()
    for secret in secrets:
        mask.add(secret)
    return mask


def in_lower_case(text: str, every: int = 1) -> str:
    """A quoted text with every (second) escape in lower case: %2f, which some proxies write."""
    count = iter(range(len(text)))
    return re.sub("%[0-9A-F]{2}", lambda m: m[0] if next(count) % every else m[0].lower(), text)


WRITTEN: dict[str, tuple[Callable[[str], str], Callable[[str], str]]] = {
    "plain": (str, str),
    "Python": (repr, ast.literal_eval),
    "JSON": (json.dumps, json.loads),
    "JSON with letters": (lambda text: json.dumps(text, ensure_ascii=False), json.loads),
    "URL": (lambda text: quote(text, safe=""), unquote),
    "path": (quote, unquote),
    "form": (quote_plus, unquote_plus),
    "URL in lower case": (lambda text: in_lower_case(quote(text, safe="")), unquote),
    "URL in both cases": (lambda text: in_lower_case(quote(text, safe=""), 2), unquote),
    "URL in a URL": (
        lambda text: quote(quote(text, safe=""), safe=""),
        lambda text: unquote(unquote(text)),
    ),
    "path in a URL in lower case": (
        lambda text: in_lower_case(quote(in_lower_case(quote(text)), safe="")),
        lambda text: unquote(unquote(text)),
    ),
    "form in a form": (
        lambda text: quote_plus(quote_plus(text)),
        lambda text: unquote_plus(unquote_plus(text)),
    ),
    "bytes": (
        lambda text: repr(text.encode()),
        lambda text: ast.literal_eval(text).decode(errors="replace"),
    ),
    "HTML": (html.escape, html.unescape),
    "template": (lambda text: str(escape(text)), html.unescape),
}
"""Ways that a text is written, each with the way back."""


@example("9999", "é", "")  # the escape before it ends in what it begins with
@given(SECRETS, AROUND, AROUND)
def test_no_way_of_writing_a_secret_passes(secret: str, before: str, behind: str) -> None:
    mask = masking(secret)
    for name, (write, read) in WRITTEN.items():
        shown = mask(write(f"{before}{secret}{behind}"))
        assert MASKED in shown, name
        try:
            back = read(shown)
        except (ValueError, SyntaxError):  # an escape was cut with it, so there is no way back
            back = shown
        assert secret not in back, name


@given(st.binary(max_size=7), SECRETS.filter(lambda s: len(s.encode()) >= 9), st.binary(max_size=7))
def test_a_secret_is_found_in_base64_wherever_it_begins(
    before: bytes, secret: str, behind: bytes
) -> None:
    mask = masking(secret)
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = mask(f"Authorization: Basic {encode(before + secret.encode() + behind).decode()}")
        assert MASKED in text
        # At most the characters that it shares with its neighbours are left of it.
        assert len(text) <= len(f"Authorization: Basic {MASKED}") + 4 * 7


@given(SECRETS, st.binary(max_size=3), st.binary(max_size=3))
def test_a_secret_is_found_in_hex(secret: str, before: bytes, behind: bytes) -> None:
    digits = (before + secret.encode() + behind).hex()
    for text in (digits, digits.upper()):
        shown = masking(secret)(text)
        assert MASKED in shown
        assert secret.encode().hex() not in shown.lower()


def test_a_secret_is_found_whatever_the_case_of_its_letters() -> None:
    assert masking("Kestrel-7f3A9c")("x-api-key: KESTREL-7F3a9C") == f"x-api-key: {MASKED}"


def test_twenty_secrets_are_masked_wherever_they_stand_in_a_megabyte() -> None:
    dice = random.Random(7)
    letters = string.ascii_letters + string.digits + "+/&%<>\"'@é"
    key = ("".join(dice.choices(letters[:62], k=64)) for _ in range(26))
    secrets = ["\n".join(key)] + [
        "".join(dice.choices(letters, k=dice.randint(12, 40))) for _ in range(19)
    ]
    mask = masking(*secrets)
    words = ["replay lag of db-1", "2.5 s;", "https://example.com/a%20b", '{"a": "é"}', *secrets]
    text = " ".join(dice.choices(words, k=40_000))[: 2**20]
    shown = mask(text)
    assert shown.count(MASKED) > 1000
    assert not [s for s in secrets if s in shown]


def test_a_text_of_nothing_but_beginnings_stays_as_it_is() -> None:
    mask = masking("a" * 400 + "b")
    assert mask("a" * 100_000) == "a" * 100_000  # and does not take without end


# -- in pieces ---------------------------------------------------------------------------------


@given(SECRETS, AROUND, AROUND, st.data())
def test_a_secret_in_pieces_is_masked_like_a_whole_one(
    secret: str, before: str, behind: str, data: st.DataObject
) -> None:
    mask = masking(secret)
    text = f"{before}{secret}{behind}\n"
    shown = held = ""
    while text:
        size = data.draw(st.integers(1, len(text)))
        now, held = mask.in_pieces(held + text[:size])
        shown, text = shown + now, text[size:]
    assert shown + held == mask(f"{before}{secret}{behind}\n")


def test_only_what_may_become_a_secret_is_held_back() -> None:
    mask = masking("kestrel", "kestrel-7f3a9c")
    assert mask.in_pieces("\r10 % of ke") == ("\r10 % of ", "ke")
    assert mask.in_pieces("\r10 %") == ("\r10 %", "")
    assert mask.in_pieces("a kestrel") == ("a ", "kestrel"), "there is a longer one"
    assert mask.in_pieces("a kestrel-7f3a9c") == (f"a {MASKED}", "")
    assert mask.in_pieces("a KEStrel%") == (f"a {MASKED}%", "")


def test_a_secret_that_ends_as_another_begins_is_masked_whole() -> None:
    assert masking("abcdefgh", "ghijklmn").in_pieces("abcdefgh") == (MASKED, "")


def test_what_is_left_of_a_secret_that_was_cut_short_is_masked() -> None:
    mask = masking("kestrel-7f3a9c")
    for size in range(4, 14):
        assert mask.in_cut(f"as kestrel-7f3a9c {'kestrel-7f3a9c'[:size]}... and") == (
            f"as {MASKED} {MASKED}... and"
        )
        assert mask.in_cut(f"as ...{'kestrel-7f3a9c'[-size:]} kestrel-7f3a9c") == (
            f"as ...{MASKED} {MASKED}"
        )
        assert mask.in_cut(f"a ...{'kestrel-7f3a9c'[-size:]}... b") == f"a ...{MASKED}... b"
    assert mask.in_cut(f"...{'kestrel-7f3a9c'[1:]}...") == f"...{MASKED}..."
    assert masking("ab...cd12").in_cut("as ab...cd12 and") == f"as {MASKED} and"
    assert mask.in_cut("as ...9c and ke... and so on") == "as ...9c and ke... and so on"


# -- what must not be handed on ----------------------------------------------------------------


PRIVATE = [
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----\n",
    "-----BEGIN PRIVATE KEY-----\nMII\n",
    "-----BEGIN PGP PRIVATE KEY BLOCK-----\n",
    "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n",
    "PuTTY-User-Key-File-3: ssh-ed25519\r\nEncryption: none\r\n",
    "AGE-SECRET-KEY-1QQPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGP",
]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("key", PRIVATE)
def test_a_private_key_is_found_wherever_it_stands(key: str, encoding: str) -> None:
    for before in ("", "minutes\n", "x" * (2**20 - 9), "x" * 2**20):
        data = f"{before}{key}and so on".encode(encoding)
        assert given_away(data, Mask()) == "holds a private key"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be"])
def test_a_secret_is_found_in_a_file_wherever_it_stands(encoding: str) -> None:
    mask = masking("kestrél-7f3a9c")
    for before in ("", "minutes\n", "x" * (2**20 - 4), "x" * (2**21 - 3), "é" * 2**19):
        data = f"{before}kestrél-7f3a9c and so on".encode(encoding)
        assert given_away(data, mask).startswith("holds a secret")


def test_what_gives_nothing_away_is_let_through() -> None:
    for text in (
        "the public key: ssh-ed25519 AAAA",
        "-----BEGIN PUBLIC KEY-----\nMII",
        "PuTTY-User-Key-File and PRIVATE KEY are words",
        f"postgresql://bob:{MASKED}@db-1",
    ):
        assert given_away(text.encode(), masking("kestrel-7f3a9c")) == ""
    assert given_away(bytes(range(256)) * 9000, masking("kestrel-7f3a9c")) == ""


@given(st.text(st.characters(exclude_characters="/"), max_size=200))
def test_text_without_secrets_is_left_alone(text: str) -> None:
    assert Mask()(text) == text
    assert masking("kestrel-7f3a9c")(text) == text


def test_a_secret_inside_another_leaves_nothing_of_the_longer_one() -> None:
    mask = masking("kestrel", "kestrel-7f3a9c")
    assert mask("kestrel-7f3a9c kestrel") == f"{MASKED} {MASKED}"


def test_each_line_of_a_key_is_a_secret() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END KEY-----"
    shown = masking(key)("E   hkiG9w0BAQEFAASC\n" + repr(key))
    assert "MIIEvQ" not in shown
    assert "hkiG9w" not in shown


def test_a_password_in_a_url_is_masked_though_nobody_named_it() -> None:
    assert Mask()("dsn=postgresql://bob:s3cret@db-1:5432/x and http://a/b@c") == (
        f"dsn=postgresql://bob:{MASKED}@db-1:5432/x and http://a/b@c"
    )
    assert Mask()("redis://:s3cret@cache:6379/0") == f"redis://:{MASKED}@cache:6379/0"


def test_an_address_and_a_later_at_sign_are_no_password() -> None:
    for text in (
        '{"url":"http://db-1:80","by":"joel@example.com"}',
        '[["http://db-1","b:c"],["x@y"]]',
        '{"html":"<a href=\\"http://db-1:80\\">joel@example.com</a>"}',
        "http://db-1:80/joel@example.com",
    ):
        assert Mask()(text) == text
        assert given_away(text.encode(), Mask()) == ""
    assert Mask()('{"url":"redis://:a"b@db-1"}') == f'{{"url":"redis://:{MASKED}@db-1"}}'


@pytest.mark.parametrize("short", ["", "abc"])
def test_what_is_too_short_to_be_told_from_text_is_refused(short: str) -> None:
    with pytest.raises(ValueError, match="too short to mask"):
        Mask().add(short)
