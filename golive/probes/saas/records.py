"""What callbacks of services left in the product's database, by queries that the environment
declares."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from golive.environments import Environment
from golive.probes.data.postgres import connect
from golive.probing import pause
from golive.sections import declares

T = TypeVar("T")
_EVERY_S = 0.3


def application(env: Environment) -> str:
    """Where the product's API is asked: at its first instance, or else where its users are."""
    if declares(env, "application.instances") and env.application.instances:
        return env.application.instances[0].url.rstrip("/")
    url: str = env.application.url
    return url.rstrip("/")


def stored(env: Environment, query: str, **values: object) -> tuple[str, ...]:
    """The first column of the rows that a query finds on the primary, as texts.

    :raises ProbeError: the database cannot be asked.
    """
    with connect(env, env.postgres.primary) as db:
        return tuple(str(row[0]) for row in db.execute(query.encode(), values).fetchall())


def wait_for(look: Callable[[], T], enough: Callable[[T], bool], within_s: float) -> T:
    """What a look finds, once it is enough or the time is over."""
    ends = time.monotonic() + within_s
    while True:
        found = look()
        if enough(found) or time.monotonic() >= ends:
            return found
        pause(_EVERY_S)
