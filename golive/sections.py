"""What every section of an environment is made of: tables that refuse unknown keys, and secrets."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from golive.files import read_text
from golive.verdicts import GoliveError

_MOST_SECRET_BYTES = 2**20


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the environment file."""


class Secret(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a secret is found: an environment variable, or a file (relative to its TOML)."""

    env: str = ""
    file: str = ""

    def __post_init__(self) -> None:
        # Anything else would be taken for no secret, and not be masked.
        if bool(self.env) == bool(self.file):
            raise ValueError("found no secret; expected either { env = ... } or { file = ... }")

    def reveal(self) -> str:
        """The secret itself. The loader has made sure that it can be read.

        :raises GoliveError: it has gone since.
        """
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
