"""Who may have made a run."""

from __future__ import annotations

import re
from pathlib import Path

from golive import ledger
from golive.context import Context
from golive.store.limits import Refused, shown
from golive.verdicts import GoliveError, ProbeError

_ENVIRONMENT = re.compile(r"[A-Za-z0-9_-]{1,100}")


class Makers:
    """Who may have made the runs of each environment: whoever is on the roster of the suites in a
    folder. Outside rehearsals a run that has ended carries such a signature, or does not travel.

    :param root: the folder with ``suites/``; default: the working directory.
    """

    def __init__(self, root: Path | None = None) -> None:
        self._root = (root or Path.cwd()).resolve()
        self._contexts: dict[str, Context | str] = {}

    def refuse(self, run: ledger.Run) -> None:
        """Refuse a run that nobody stands for.

        :raises Refused: nobody has signed its end who may, or that cannot be reported here.
        """
        environment = run.head.environment
        context = self._context(environment.name)
        # As it is described here; a run could say of production that it is a rehearsal.
        kind = environment.kind if isinstance(context, str) else context.environment.kind
        if run.end is None or kind == "rehearsal":
            return
        if isinstance(context, str):
            raise Refused(f"is unverified, since nothing here says who may have made it: {context}")
        try:
            cause = ledger.unsigned(run, context.roster)
        except (GoliveError, ProbeError) as e:
            raise Refused(f"is unverified, since nobody can tell who made it: {e}") from None
        if cause:
            raise Refused(
                f"{cause}; expected a signature of somebody on {context.roster_file.name}"
            )

    def _context(self, environment: str) -> Context | str:
        """The context of an environment, or why there is none."""
        if environment not in self._contexts:
            try:
                if not _ENVIRONMENT.fullmatch(environment):
                    raise GoliveError(f"{shown(environment)} is no name of an environment")
                self._contexts[environment] = Context.open(environment, self._root)
            except (GoliveError, OSError) as e:
                self._contexts[environment] = str(e)
        return self._contexts[environment]
