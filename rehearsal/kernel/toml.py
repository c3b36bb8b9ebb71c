"""Writing TOML, as far as the rehearsal needs it: tables of values, everything deeper inline."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any


def document(tables: Mapping[str, Mapping[str, Any]], comment: str) -> str:
    """A two-level document below a comment of one line: one table for each key."""
    lines = [f"# {comment}"]
    for name, values in tables.items():
        lines += ["", f"[{name}]", *(f"{key} = {inline(v)}" for key, v in values.items())]
    return "\n".join(lines) + "\n"


def inline(value: Any) -> str:
    """A value as TOML writes it on one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {inline(v)}" for key, v in value.items()) + " }"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(inline(v) for v in value) + "]"
    # Strings, numbers and truth values are written alike in JSON and TOML.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
