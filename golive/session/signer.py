"""Who signs a run, or why nobody does."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from golive.ledger import Signing
from golive.session.setup import Setup
from golive.verdicts import GoliveError

if TYPE_CHECKING:
    from golive.context import Context


class Signer:
    """The key that signs this session's run."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._hold = ExitStack()
        """What the key needs until the end."""
        self.signing: Signing | None = None
        self.words = ""
        """The signer in words."""
        self.unsigned = ""
        """Why nobody signs, or has signed, the run."""

    @property
    def is_settled(self) -> bool:
        """Whether it is known who signs, or that nobody does."""
        return bool(self._setup.is_rehearsal or self.signing or self.unsigned)

    def find(self, context: Context) -> None:
        """Look for a key of somebody on the roster, and try it out.

        :raises GoliveError: a key or a person that was named cannot sign.
        """
        from golive.signing import signers  # what a rehearsal never needs

        words, named, key = self._named()
        try:
            roster = context.roster
            found = signers.at_hand(
                context, roster.everybody, named, Path(key) if key else None, words
            )
            signer = self._hold.enter_context(found)
            signers.try_out(signer)
        except GoliveError as e:
            if named or key:
                raise
            none = isinstance(e, signers.NoKey)
            self.unsigned = "no key of the roster is at hand" if none else self._setup.plain(e)
            return
        self.signing = Signing(signer.person.id, signer.key, roster)
        self.words = f"{signer.person.id} with {signer.reported}"

    def _named(self) -> tuple[tuple[str, str], str, str]:
        """Person and key that were named, and where such are named."""
        option = self._setup.config.option
        if option.person or option.key:
            return ("--as", "--key"), option.person, option.key
        words = ("GOLIVE_AS", "GOLIVE_KEY")
        person, key = (os.environ.get(word, "") for word in words)
        return words, person, key

    def ended(self, cause: str) -> None:
        """The run is closed. ``cause``: why nobody has signed it although somebody should have."""
        self._hold.close()
        self.unsigned = cause or self.unsigned
