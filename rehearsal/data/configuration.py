"""The product's configuration, as it is released and as it is deployed.

A release has a file for each environment, `config/ENVIRONMENT.env`. Its values are text, or
references that a deploy resolves:

    secretsmanager:NAME#KEY      a key of a JSON secret of AWS Secrets Manager
    ssm:NAME                     a parameter of AWS Systems Manager: an address of this machine

What an instance gets lies resolved in `<folder>/deployed/INSTANCE.env`, readable by its user only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from rehearsal.data import release
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.files import write_atomically
from rehearsal.kernel.world import PROJECT, Rehearsal

ENVIRONMENT = "rehearsal"
FOLDER = "config"
SECRET, PARAMETER = "secretsmanager:", "ssm:"
INSTANCES = ("app-1", "app-2")
_SOURCE = PROJECT / "rehearsal" / "product" / FOLDER


def parsed(text: str) -> dict[str, str]:
    """An environment file's variables. Raises RehearsalError for a line that is none."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, is_one, value = line.partition("=")
        if not is_one:
            raise RehearsalError(f"Line {number} of an environment file is {line!r}.")
        found[name] = value
    return found


def written(variables: Mapping[str, str]) -> str:
    """An environment file with these variables."""
    return "".join(f"{name}={value}\n" for name, value in variables.items())


def source(environment: str = ENVIRONMENT) -> dict[str, str]:
    """What the working tree would release for an environment."""
    return parsed((_SOURCE / f"{environment}.env").read_text())


def released(r: Rehearsal) -> dict[str, str]:
    """The candidate's configuration of this environment, with its references."""
    return parsed((release.checkout(r) / FOLDER / f"{ENVIRONMENT}.env").read_text())


def references(variables: Mapping[str, str]) -> dict[str, str]:
    """Those of the variables that are references, by name."""
    return {n: v for n, v in variables.items() if v.startswith((SECRET, PARAMETER))}


def resolved(variables: Mapping[str, str], look: Callable[[str], str]) -> dict[str, str]:
    """The variables with what their references say; `look` is given one reference."""
    found = references(variables)
    return {name: look(v) if name in found else v for name, v in variables.items()}


def deployed(r: Rehearsal, instance: str) -> Path:
    """The file that an instance is started with."""
    return r.path("deployed", f"{instance}.env")


def deploy_file(r: Rehearsal, instance: str, variables: Mapping[str, str]) -> None:
    """Put an instance's file in place; it counts from its next start on."""
    write_atomically(deployed(r, instance), written(variables), 0o600)


def effective(r: Rehearsal, instance: str) -> dict[str, str]:
    """What an instance would be started with; nothing where nothing is deployed, as for a part
    that is run alone."""
    path = deployed(r, instance)
    return parsed(path.read_text()) if path.exists() else {}


def pid_file(r: Rehearsal, instance: str) -> Path:
    """Where an instance writes its process id."""
    return r.path("run", f"{instance}.pid")
