"""The agent that deploys the product's configuration: it resolves the released file, and puts the
result where each instance is started from.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from rehearsal.data import configuration, desired, images
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts import Endpoints, Part
from rehearsal.parts.platform import aws_configuration
from rehearsal.parts.platform.aws import aws

_EVERY_S = 1.0


class ConfigAgent(Part):
    name = "config-agent"
    title = "deploys the product's configuration"
    loads = aws.loads
    needs = ("aws", "release")
    port_names = ()

    def prepare(self, r: Rehearsal) -> None:
        for instance in configuration.INSTANCES:
            configuration.deployed(r, instance).unlink(missing_ok=True)

    def command(self, r: Rehearsal) -> list[str]:
        return [sys.executable, "-m", "rehearsal.parts.platform.configuration", str(r.folder)]

    def ready(self, r: Rehearsal) -> bool:
        return all(configuration.deployed(r, one).exists() for one in configuration.INSTANCES)

    def endpoints(self, r: Rehearsal) -> Endpoints:
        from rehearsal.staff import config_tool, launch_flags

        return {
            "flags": {
                "table": str(launch_flags.table(r)),
                "outage_command": config_tool.words(r, "flags-outage"),
            },
            "configuration": {
                "processes": [
                    {"name": one, "pid_file": str(configuration.pid_file(r, one))}
                    for one in configuration.INSTANCES
                ],
                "secret_files": [
                    {"path": str(configuration.deployed(r, one)), "process": one}
                    for one in configuration.INSTANCES
                ],
                "images": [str(images.folder(r, name)) for name in images.NAMES],
            },
        }


def deploy(r: Rehearsal) -> None:
    """Deploy what is released to every instance. Raises RehearsalError."""
    desired.publish(r)
    variables = aws_configuration.resolve(r, configuration.released(r))
    for instance in configuration.INSTANCES:
        configuration.deploy_file(r, instance, variables)


def main(r: Rehearsal) -> None:
    aws_configuration.furnish(r)
    deploy(r)
    aws_configuration.make_security_groups(r)  # after the files, which instances wait for
    while True:
        time.sleep(_EVERY_S)
        if aws_configuration.is_empty(r):  # AWS was started again, and keeps nothing
            aws_configuration.furnish(r)
            aws_configuration.make_security_groups(r)


PARTS = (ConfigAgent(),)

if __name__ == "__main__":
    main(Rehearsal(Path(sys.argv[1])))
