from __future__ import annotations

import ast
import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus, unquote, unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

from golive.masking import MASKED, Mask

SECRETS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"]), min_size=4
).filter(lambda s: not set(s) <= set("*"))
AROUND = st.text(st.sampled_from("ab 1:'\"\\<é"), max_size=5)


def masking(*secrets: str) -> Mask:
    mask = Mask()
    for secret in secrets:
        mask.add(secret)
    return mask


WRITTEN: dict[str, tuple[Callable[[str], str], Callable[[str], str]]] = {
    "plain": (str, str),
    "Python": (repr, ast.literal_eval),
    "JSON": (json.dumps, json.loads),
    "JSON with letters": (lambda text: json.dumps(text, ensure_ascii=False), json.loads),
    "URL": (lambda text: quote(text, safe=""), unquote),
    "path": (quote, unquote),
    "form": (quote_plus, unquote_plus),
    "HTML": (html.escape, html.unescape),
    "template": (lambda text: str(escape(text)), html.unescape),
}
"""Ways that a text is written, each with the way back."""


@given(SECRETS, AROUND, AROUND)
def test_no_way_of_writing_a_secret_passes(secret: str, before: str, behind: str) -> None:
    mask = masking(secret)
    for name, (write, read) in WRITTEN.items():
        shown = mask(write(f"{before}{secret}{behind}"))
        assert MASKED in shown, name
        assert secret not in read(shown), name


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


@pytest.mark.parametrize("short", ["", "abc"])
def test_what_is_too_short_to_be_told_from_text_is_refused(short: str) -> None:
    with pytest.raises(ValueError, match="too short to mask"):
        Mask().add(short)
