"""The commands by which the product's configuration is operated.

    config-tool deploy --set NAME=VALUE --as PERSON
    config-tool rollback --as PERSON
    config-tool history | status | flags-outage | plant-drift | remove-drift

A deploy makes the next revision and brings it to one instance after the other: the balancer drains
it, it is started again with its new file, and gets requests once it is healthy. Settings a fault
may override, on `config-tool`: `skips_restart` and `skips_instances` (of a rollback), `leaves_out`
(instances, of a deploy), `refuses` (deploys), `drains` (false: all instances are restarted
together), `records` (false: changes are not) and `names_actor`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from rehearsal.data import configuration, desired
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.world import PROJECT, Rehearsal
from rehearsal.parts import Endpoints
from rehearsal.parts.data.postgres import app_command
from rehearsal.parts.platform import aws
from rehearsal.parts.platform.app import FAULTS_FILE
from rehearsal.parts.platform.aws_configuration import resolve
from rehearsal.parts.platform.drift import deploying
from rehearsal.parts.traffic.balancer import BACKEND, balancer

_WATCHED_S = 1.5
"""How long an instance is watched after its change before the next one is touched."""
_LABEL = {"Key": "golive-drift-probe", "Value": "planted"}


def deploy(r: Rehearsal, actor: str, changes: dict[str, str]) -> dict[str, Any]:
    """Deploy other values of some variables. Raises RehearsalError."""
    with deploying(r):
        now = desired.variables(r)
        unknown = sorted(set(changes) - set(now))
        if unknown:
            raise RehearsalError(f"{', '.join(unknown)} is no variable of the configuration.")
        if r.setting("config-tool", "refuses", False):
            raise RehearsalError("Nothing may be deployed now.")
        before = desired.history(r)[-1]["revision"]
        found = {**now, **changes}
        revision = desired.commit(r, actor, found, "deploy", before)
        left_out = r.setting("config-tool", "leaves_out", [])
        _roll_out(r, found, [i for i in configuration.INSTANCES if i not in left_out])
        return {"revision": revision, "previous": before}


def rollback(r: Rehearsal, actor: str) -> dict[str, Any]:
    """Go back to the revision before. Raises RehearsalError."""
    with deploying(r):
        target = desired.previous(r)
        found = desired.variables(r, target)
        before = desired.history(r)[-1]["revision"]
        revision = desired.commit(r, actor, found, "rollback", before)
        skipped = r.setting("config-tool", "skips_instances", [])
        instances = [i for i in configuration.INSTANCES if i not in skipped]
        restart = not r.setting("config-tool", "skips_restart", False)
        _roll_out(r, found, instances, restart=restart)
        return {"revision": revision, "previous": before, "restored": target}


def put_back(r: Rehearsal) -> None:
    """Bring what is released to every instance again, as a new repository's first revision."""
    with deploying(r):
        desired.publish(r)
        _roll_out(r, desired.variables(r), configuration.INSTANCES)


def _roll_out(
    r: Rehearsal, variables: dict[str, str], instances: Any, *, restart: bool = True
) -> None:
    found = resolve(r, variables)
    if not r.setting("config-tool", "drains", True):
        _at_once(r, found, instances)
        return
    for instance in instances:
        configuration.deploy_file(r, instance, found)
        if restart:
            _restart(r, instance)


def _at_once(r: Rehearsal, found: dict[str, str], instances: Any) -> None:
    """Start all instances again together, as nobody should."""
    for instance in instances:
        configuration.deploy_file(r, instance, found)
        r.stop(instance)
    for instance in instances:
        r.start(instance)
    r.wait("they are in use", lambda: set(balancer.servers(r).values()) == {"UP"}, 15)


def _restart(r: Rehearsal, instance: str) -> None:
    """Start an instance again while the other one serves."""
    server = f"{BACKEND}/{instance}"
    balancer.ask(r, f"set server {server} state drain")
    try:
        r.wait(f"{instance} has no request", lambda: _sessions(r, instance) == 0, 10)
        r.restart(instance)
        balancer.ask(r, f"set server {server} health up")
    finally:
        balancer.ask(r, f"set server {server} state ready")
    r.wait(f"{instance} is in use", lambda: balancer.servers(r).get(instance) == "UP", 15)
    time.sleep(_WATCHED_S)


def _recorded(r: Rehearsal) -> list[dict[str, str]]:
    """The history as it is told."""
    found = desired.history(r)
    if not r.setting("config-tool", "records", True):
        return found[:1]
    named = r.setting("config-tool", "names_actor", True)
    return [{**entry, "actor": entry["actor"] if named else ""} for entry in found]


def _sessions(r: Rehearsal, instance: str) -> int:
    """Requests that an instance serves now."""
    rows = balancer.ask(r, "show stat").removeprefix("# ").splitlines()
    names = rows[0].split(",")
    for row in rows[1:]:
        fields = dict(zip(names, row.split(","), strict=False))
        if (fields.get("pxname"), fields.get("svname")) == (BACKEND, instance):
            return int(fields["scur"] or 0)
    return 0


def plant(r: Rehearsal, *, there: bool) -> None:
    """Put a label that nothing reads on a security group, or take it off."""
    with aws.told_as("The label could not be changed"):
        ec2 = aws.client(r, "ec2")
        name = next(iter(desired.SECURITY_GROUPS))
        groups = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [name]}])
        resource = [groups["SecurityGroups"][0]["GroupId"]]
        (ec2.create_tags if there else ec2.delete_tags)(Resources=resource, Tags=[_LABEL])


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


def endpoints(r: Rehearsal) -> Endpoints:
    """How a change of the configuration is deployed and taken back."""
    return {
        "configuration": {
            "deploy_command": words(r, "deploy", "--set", "{name}={value}", "--as", "{operator}"),
            "rollback_command": words(r, "rollback", "--as", "{operator}"),
            "history_command": words(r, "history"),
        },
        "drift": {
            "plant_command": words(r, "plant-drift"),
            "remove_command": words(r, "remove-drift"),
        },
    }


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0, or 1 with one paragraph on standard error."""
    options = _parser().parse_args(arguments)
    try:
        said = _do(Rehearsal(options.folder), options)
    except RehearsalError as error:
        print(str(error), file=sys.stderr)
        return 1
    print(json.dumps(said))
    return 0


def _do(r: Rehearsal, options: argparse.Namespace) -> Any:
    match options.verb:
        case "deploy":
            return deploy(r, options.actor, dict(options.set))
        case "rollback":
            return rollback(r, options.actor)
        case "history":
            return _recorded(r)
        case "flags-outage":
            return flags_outage(r)
        case _:
            plant(r, there=options.verb == "plant-drift")
            return {}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="config-tool", description=__doc__)
    parser.add_argument("folder", type=Path)
    verbs = parser.add_subparsers(dest="verb", required=True)
    change = verbs.add_parser("deploy", help="deploy other values")
    change.add_argument("--set", type=_assignment, action="append", required=True)
    change.add_argument("--as", dest="actor", required=True)
    back = verbs.add_parser("rollback", help="go back to the revision before")
    back.add_argument("--as", dest="actor", required=True)
    verbs.add_parser("history", help="who deployed which revision")
    verbs.add_parser("flags-outage", help="what flags answer once their service is gone")
    verbs.add_parser("plant-drift", help="make a difference that nothing reads")
    verbs.add_parser("remove-drift", help="take it back")
    return parser


def _assignment(text: str) -> tuple[str, str]:
    name, is_one, value = text.partition("=")
    if not is_one:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


if __name__ == "__main__":
    sys.exit(main())
