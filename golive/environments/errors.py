"""What is wrong in a TOML file, in golive's words instead of msgspec's."""

from __future__ import annotations

import re
import typing
from pathlib import Path
from typing import Any

import msgspec

_AT = re.compile(r"^(?P<what>.*?)(?: - at `(?P<at>.*)`)?$", re.DOTALL)


def explained(
    error: str,
    path: Path,
    files: list[tuple[Path | None, dict[str, Any]]],
    model: type[msgspec.Struct],
    what_it_is: str = "golive's environment model",
) -> str:
    """msgspec's words as ours: the file that says it, the key, found and expected."""
    match = _AT.match(error)
    what = match["what"] if match else error
    at = (match["at"] if match and match["at"] else "$").removeprefix("$").lstrip(".")
    keys = re.findall(r"[^.\[\]]+", at)
    unknown = re.search(r"unknown field `(.*)`", what)
    if unknown:
        key = ".".join([*keys, unknown[1]])
        file = _file_with([*keys, unknown[1]], files) or path
        return f"{file}: {key}: unknown key; expected a key of {what_it_is}"
    missing = re.search(r"missing required field `(.*)`", what)
    if missing:
        key = ".".join([*keys, missing[1]])
        return f"{path}: {key}: the key is missing; expected a value for it"
    wrong = re.search(r"Expected `(.*)`, got `(.*)`", what)
    file = _file_with(keys, files) or path
    if wrong:
        return f"{file}: {at or 'the file'}: found {wrong[2]}; expected {wrong[1]}"
    choice = re.search(r"Invalid enum value (.*)", what)
    if choice:
        words = ", ".join(map(repr, typing.get_args(_type_at(keys, model))))
        return f"{file}: {at}: found {choice[1]}; expected one of {words}"
    return f"{file}: {at or 'the file'}: {what[:1].lower()}{what[1:]}"


def _type_at(keys: list[str], model: type[msgspec.Struct]) -> Any:
    kind: Any = model
    for key in keys:
        kind = next((a for a in typing.get_args(kind) if a is not type(None)), kind)
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            kind = {f.name: f.type for f in msgspec.structs.fields(kind)}.get(key, kind)
    return kind


def _file_with(keys: list[str], files: list[tuple[Path | None, dict[str, Any]]]) -> Path | None:
    for file, layer in files:
        value: Any = layer
        for key in keys:
            if isinstance(value, dict) and key in value:
                value = value[key]
            elif isinstance(value, list) and (key == "..." or key.isdigit()):
                value = value[int(key)] if key.isdigit() and int(key) < len(value) else value[:1]
            else:
                break
        else:
            return file
    return None
