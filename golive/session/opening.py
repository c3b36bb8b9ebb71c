"""A run begins: its environment is there, and it says what it looks at and with."""

from __future__ import annotations

import getpass
import importlib.metadata
import os
import platform
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from golive import ledger, procedure
from golive.context import Context
from golive.environments import Environment
from golive.readiness import as_line
from golive.session.setup import Setup
from golive.toml import read_toml
from golive.verdicts import GoliveError

_PACKAGES = ("golive", "pytest", "pytest-html", "psycopg", "redis", "requests", "boto3", "sslyze")


def start_environment(setup: Setup) -> None:
    """Start the environment where its file says how.

    :raises GoliveError: that did not end well.
    """
    started = read_toml(setup.env_file).get("started")
    if not isinstance(started, dict) or not isinstance(started.get("command"), list):
        return
    command = [str(a).format(python=sys.executable) for a in started["command"]]
    try:
        done = subprocess.run(command, cwd=setup.root, stdout=2, check=False)
    except OSError as e:
        raise GoliveError(
            f"{setup.env_file}: started.command: {command[0]} cannot be run: {e.strerror}"
        ) from None
    if done.returncode:
        raise GoliveError(
            f"{setup.env_file}: started.command: {' '.join(command[1:])} ended with status"
            f" {done.returncode}; what it said stands above"
        )


def head_of(
    setup: Setup,
    env: Environment,
    context: Context,
    selected: Sequence[procedure.Item],
    collected: int,
) -> ledger.Head:
    """What is known of a run before its first item.

    :param collected: how many items there were before some were left out.
    """
    now = datetime.now(UTC)
    return ledger.Head(
        id=f"{now:%Y%m%dT%H%M%S.%f}Z-{env.name}-{secrets.token_hex(2)}",
        environment=ledger.EnvironmentRef(env.name, env.kind, env.title, env.fingerprint),
        candidate=setup.launch.candidate,
        launch_date=setup.launch.date,
        today=setup.today,
        who=_who(),
        host=platform.node(),
        started_at=now,
        before=context.tips(),
        packages=_packages(),
        windows={k: float(v) for k, v in msgspec.structs.asdict(env.windows).items()},
        deselected=collected - len(selected),
        report_only=setup.config.option.report_only,
        **_looked_with(setup, context),
        **_looked_at(setup, context, selected),
    )


def _looked_with(setup: Setup, context: Context) -> dict[str, Any]:
    return {
        "suite": context.origin.suite,
        "engine": context.origin.engine,
        "plugins": setup.loaded.plugins(),
        "rules": _rules(context),
    }


def _looked_at(
    setup: Setup, context: Context, selected: Sequence[procedure.Item]
) -> dict[str, Any]:
    lines = setup.procedure
    return {
        "selected": [as_line(i) for i in sorted(selected, key=lambda i: i.order)],
        "unwritten": [as_line(i) for i in lines if i.id not in context.cards],
        "blocks": dict(Counter(i.block for i in lines)),
    }


def _rules(context: Context) -> ledger.Rules:
    try:
        return context.rules
    except GoliveError:
        return ledger.Rules()  # without a roster nobody decides; items that need it say so


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"uid {os.getuid()}"


def _packages() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
