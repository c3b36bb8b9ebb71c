"""The commands by which the configuration is operated: `config-tool VERB`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from rehearsal.data import configuration
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.world import PROJECT, Rehearsal
from rehearsal.parts.data.postgres import app_command
from rehearsal.parts.platform.app import FAULTS_FILE


def flags_outage(r: Rehearsal) -> dict[str, bool]:
    """What the candidate's code answers once the flag service is gone."""
    variables = {
        **configuration.effective(r, "app-1"),
        "FLAGS_REFRESH_SECONDS": "1",
        "APP_FAULTS": str(r.path(FAULTS_FILE)),
    }
    said = app_command(r, "", "flags", environment={**variables, "PYTHONPATH": str(PROJECT)})
    found: dict[str, bool] = json.loads(said)
    return found


def words(r: Rehearsal, *verb: str) -> list[str]:
    """The command line of a verb."""
    return [*r.command(str(r.folder), *verb, module="rehearsal.staff.config_tool")]


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0, or 1 with one paragraph on standard error."""
    parser = argparse.ArgumentParser(prog="config-tool", description=__doc__)
    parser.add_argument("folder", type=Path)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("flags-outage", help="what flags answer once their service is gone")
    options = parser.parse_args(arguments)
    r = Rehearsal(options.folder)
    try:
        said = flags_outage(r)
    except RehearsalError as error:
        print(str(error), file=sys.stderr)
        return 1
    print(json.dumps(said))
    return 0


if __name__ == "__main__":
    sys.exit(main())
