"""Environment files, the references in them, and the schema that their values have to fit.

A value is never shown: what is told of it is its name, and a digest that is worth something in
this session only.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from golive.verdicts import ProbeError

_LINE = re.compile(r"\s*(?:export\s+)?(?P<name>[A-Za-z_][\w.]*)\s*=\s?(?P<value>.*)", re.DOTALL)
_KEY = secrets.token_bytes(32)
"""Of this session: a digest that is written down must not be a value that can be guessed."""
_PLACEHOLDER = re.compile(
    # Of a name that ends with .example, nobody has to fill in anything.
    r"(?<![a-z0-9.])example(?![a-z0-9])|(?<![a-z0-9-])example\.(?:com|net|org)(?![a-z0-9])|"
    r"(?<![a-z0-9])(?:change[-_ ]?me|replace[-_ ]?me|placeholder|todo|dummy|x{3,}|"
    r"your[-_ ](?:\w+[-_ ])*(?:key|token|secret|password|id|here)|insert[-_ ]\w+[-_ ]here)"
    r"(?![a-z0-9])|^<[^>]*>$|^\$\{[^}]*\}$|^\{\{.*\}\}$",
    re.IGNORECASE,
)
_TEST_KEY = re.compile(r"^(?:sk|pk|rk)_test_")
_BOOLEANS = frozenset({"true", "false", "1", "0", "yes", "no", "on", "off"})


def parse(text: str, where: str) -> dict[str, str]:
    """The variables of an environment file: ``NAME=value`` lines, perhaps with ``export``, quotes,
    comments and blank lines.

    :raises ProbeError: a line is none of these.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            step = "write NAME=value on each line"
            raise ProbeError(where, f"line {number} is no variable", step)
        found[match["name"]] = _unquoted(match["value"].strip())
    return found


def _unquoted(value: str) -> str:
    if value[:1] in ("'", '"'):
        end = value.find(value[0], 1)
        return value[1:end] if end > 0 else value
    return re.split(r"\s+#", value, maxsplit=1)[0] if value else ""


def plain_digest(value: str) -> str:
    """SHA-256 of a value, as an agent that hashes on the spot tells it."""
    return hashlib.sha256(value.encode("utf-8", "surrogateescape")).hexdigest()


def kept(plain: str) -> str:
    """What may be written down of a digest: another one, keyed for this session."""
    return hmac.new(_KEY, plain.encode(), hashlib.sha256).hexdigest()[:16]


def digest(value: str) -> str:
    """What may be written down of a value."""
    return kept(plain_digest(value))


def is_placeholder(value: str, *, production: bool) -> bool:
    """Whether somebody has still to fill it in, or it is a key for tests where none may be."""
    return bool(_PLACEHOLDER.search(value)) or (production and bool(_TEST_KEY.match(value)))


def properties(text: str, where: str) -> dict[str, dict[str, Any]]:
    """The properties of a JSON schema, by the variable's name.

    :raises ProbeError: it is no schema of an object.
    """
    try:
        found = json.loads(text)["properties"]
        if isinstance(found, dict) and all(isinstance(v, dict) for v in found.values()):
            return found
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise ProbeError(where, "it has no properties by name", "write a JSON schema of an object")


def unfit(value: str, schema: Mapping[str, Any]) -> str:
    """Why a value, which is text, does not read as its schema says; empty where it does. Keywords
    that say nothing of one value are passed over."""
    kind = schema.get("type", "string")
    if kind in ("integer", "number"):
        try:
            number = int(value) if kind == "integer" else float(value)
        except ValueError:
            return f"is no {kind}"
        if not schema.get("minimum", number) <= number <= schema.get("maximum", number):
            return f"is not within {schema.get('minimum', '')}..{schema.get('maximum', '')}"
        return ""
    if kind == "boolean":
        return "" if value.lower() in _BOOLEANS else "is no boolean"
    if "enum" in schema and value not in schema["enum"]:
        return f"is none of {', '.join(map(str, schema['enum']))}"
    if len(value) < schema.get("minLength", 0):
        return f"has less than {schema['minLength']} characters"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        return f"does not fit {schema['pattern']}"
    if schema.get("format") == "uri" and not (urlsplit(value).scheme and urlsplit(value).netloc):
        return "is no URL"
    return ""
