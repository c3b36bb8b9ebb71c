"""``golive doctor``: what an environment declares, what answers from here, and what is missing.

Exit status 1 where something declared does not answer; what is not declared is no failure.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from golive import diagnosis, environments
from golive.commands._saying import tell
from golive.diagnosis import Finding
from golive.items import read_cards
from golive.masking import Mask
from golive.verdicts import ProbeError

_SHOWN = 6


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--env", required=True, metavar="NAME", help="a name, or a path to a file")


def run(options: argparse.Namespace) -> int:
    root, suites, mask = Path.cwd(), Path("suites"), Mask()
    path = environments.find(options.env, suites)
    env = environments.load(path, suites / "product.toml", root, mask)
    findings = diagnosis.diagnose(env, read_cards(suites))
    width = max(len(f.section) for f in findings)
    for finding in findings:
        tell(mask(f"{finding.section:{width}}  {_told(finding)}"))
    refused = any(f.state == "refused" for f in findings)
    if not any(f.section == "postgres" and f.state != "not declared" for f in findings):
        return int(refused)
    return max(int(refused), _tell_rights(env, mask))


def _told(finding: Finding) -> str:
    count = len(finding.items)
    waits = f"; {count} items look at it" if count != 1 else "; 1 item looks at it"
    if finding.state == "not declared":
        keys = f"; its keys: {_listed(finding.keys)}" if finding.keys else ""
        return f"not declared: no {finding.title}{waits}{keys}"
    lacks = f"; not declared: {', '.join(finding.keys)}" if finding.keys else ""
    answers = _listed(finding.reported)
    return f"{finding.state}{': ' if answers else ''}{answers}{lacks}{waits}"


def _tell_rights(env: environments.Environment, mask: Mask) -> int:
    try:
        found = diagnosis.rights(env)
    except ProbeError as e:
        tell("", mask(f"PostgreSQL's rights: {e}"))
        return 1
    if not found.missing:
        tell("", "PostgreSQL's rights: nothing is missing")
        return 0
    tell("", f"PostgreSQL's rights: missing {', '.join(found.missing)}")
    tell(f"UNKNOWN without them: {'; '.join(dict.fromkeys(found.unseen)) or 'single claims'}")
    tell("", f"-- as a superuser, in {env.postgres.database}", *found.superuser.splitlines())
    tell("", "-- on a managed database, as its owner", *found.managed.splitlines())
    return 0


def _listed(texts: tuple[str, ...]) -> str:
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return ", ".join(texts[:_SHOWN]) + more
