"""``golive pull``: fetch the runs, statements and signed documents of others."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from golive.commands._saying import tell as say
from golive.commands.push import arguments, folders, progress, store, tell
from golive.context import Context
from golive.masking import clean
from golive.signing import signed
from golive.store import DOCUMENTS, pull
from golive.verdicts import GoliveError

__all__ = ["arguments", "run"]


def run(options: argparse.Namespace) -> int:
    done = pull(store(options), folders(options), options.env, progress)
    status = tell(done, "pulled", options)
    fetched = [folders(options)[DOCUMENTS] / ident for ident in done.moved[DOCUMENTS]]
    for env in dict.fromkeys(signed.read(folder).document.environment for folder in fetched):
        for page in _laid_out(env, options.reports):
            if not options.json:
                say(f"signed by others: {page}")
    return status


def _laid_out(env: str, reports: Path) -> list[Path]:
    """Documents that were put where they belong, as far as this folder knows the environment."""
    try:
        return signed.lay_out(Context.open(env, reports=reports))
    except GoliveError as e:
        print(clean(f"kept in {reports / 'signed'}, not laid out: {e}"), file=sys.stderr)
        return []
