"""What every section of an environment is made of: tables that refuse unknown keys, and secrets."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from golive.files import read_text
from golive.verdicts import GoliveError, ProbeError, Unseen

_MOST_SECRET_BYTES = 2**20


class Undeclared:
    """In place of what an environment's file does not declare; whoever reads it cannot look.

    :param title: what a whole section is about; empty for a key of one.
    """

    __slots__ = ("title",)

    def __init__(self, title: str) -> None:
        self.title = title

    def error(self, section: type, name: str) -> ProbeError:
        """Why a look that needs it is UNKNOWN."""
        if self.title:
            return ProbeError(
                f"[{name}]",
                f"the environment declares no {self.title}",
                f"write [{name}] (`golive doctor` tells its keys), or `golive not-applicable`"
                " for what the product does not have",
            )
        return ProbeError(
            f"[{table_of(section)}]",
            f"the environment does not declare its key {name}",
            f"write {name}; {section.__module__.replace('.', '/')}.py says what it means",
        )


def needed(title: str = "") -> Any:
    """A key that may be left out, but that a look which reads it cannot do without.

    :param title: what the section is about, where the key is one.
    """
    return msgspec.field(default=Undeclared(title))


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the environment file."""

    def __getattribute__(self, name: str) -> Any:
        """A declared value.

        :raises ProbeError: the file does not declare it.
        """
        value = super().__getattribute__(name)
        if value.__class__ is Undeclared:
            raise value.error(type(self), name)
        return value


class Asked:
    """A section as an item reads it: a key that is not declared is unseen, so that the item's
    claims about anything else are judged."""

    __slots__ = ("_section",)

    def __init__(self, section: Section) -> None:
        self._section = section

    def __getattr__(self, name: str) -> Any:
        try:
            value = getattr(self._section, name)
        except ProbeError as e:
            return Unseen(e)
        return Asked(value) if isinstance(value, Section) else value


def table_of(section: type) -> str:
    """The table of the environment's file that a section describes."""
    named: str = getattr(section, "TABLE", "")
    return named or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", section.__name__).lower()


def lacking(section: Any, table: Mapping[str, Any]) -> list[str]:
    """Keys that a table of the environment's file would need to be whole."""
    if not (isinstance(section, type) and issubclass(section, Section)):
        return []
    found = []
    for field in msgspec.structs.fields(section):
        if field.name not in table:
            needs = field.required or isinstance(field.default, Undeclared)
            found += [field.name] if needs else []
        elif isinstance(table[field.name], Mapping):
            inner = lacking(field.type, table[field.name])
            found += [f"{field.name}.{name}" for name in inner]
    return found


def value_of(section: Section, name: str) -> Any:
    """A key's value, or that it is :class:`Undeclared`."""
    return object.__getattribute__(section, name)


def declares(section: Section, path: str) -> bool:
    """Whether a key, or one below it (``redis.nodes``), is declared."""
    value: Any = section
    for name in path.split("."):
        value = value_of(value, name)
        if value.__class__ is Undeclared:
            return False
    return True


class Secret(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a secret is found: an environment variable, or a file (relative to its TOML)."""

    env: str = ""
    file: str = ""
    part: Literal["", "password"] = ""
    """What of a connection string it is; empty: the secret is the whole."""

    def __post_init__(self) -> None:
        # Anything else would be taken for no secret, and not be masked.
        if bool(self.env) == bool(self.file):
            raise ValueError("found no secret; expected either { env = ... } or { file = ... }")

    def reveal(self) -> str:
        """The secret itself. The loader has made sure that it can be read.

        :raises GoliveError: it has gone since.
        """
        return _part(self._whole(), self.part) if self.part else self._whole()

    def _whole(self) -> str:
        if self.env:
            value = os.environ.get(self.env)
            if not value:
                raise GoliveError(f"the environment variable {self.env} is unset or empty")
            return value
        try:
            value = read_text(Path(self.file), _MOST_SECRET_BYTES, "a secret", links=True).strip()
        except GoliveError as e:
            raise GoliveError(f"the secret file {e}") from None
        if not value:
            raise GoliveError(f"the secret file {self.file} is empty")
        return value


def _part(dsn: str, name: str) -> str:
    from psycopg import conninfo  # takes a tenth of a second, for few

    return str(conninfo.conninfo_to_dict(dsn).get(name, ""))
