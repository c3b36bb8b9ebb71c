"""The public status page: who may publish on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote

import msgspec

from golive.environments import Environment
from golive.probes.transport.rest import Api, api
from golive.probing import probe
from golive.verdicts import ProbeError

Row = TypeVar("Row")
_PER_PAGE = 100
_MOST_PAGES = 50


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who may publish on the page."""

    email: str
    name: str


class _Member(msgspec.Struct):
    email: str
    first_name: str | None = None
    last_name: str | None = None


@probe()
def status_page_members(env: Environment) -> tuple[Member, ...]:
    """Who may publish on the status page."""
    organization = env.status_page.organization
    if not organization:
        raise ProbeError(
            "the members of the status page",
            "status_page.organization is not declared",
            f"name it in {env.source or 'the environment file'}",
        )
    with _statuspage(env) as statuspage:
        path = f"/organizations/{quote(organization, safe='')}/users"
        found = _all(statuspage, path, list[_Member], "per_page")
    return tuple(
        Member(one.email, f"{one.first_name or ''} {one.last_name or ''}".strip()) for one in found
    )


@contextmanager
def _statuspage(env: Environment) -> Iterator[Api]:
    reported = env.status_page
    with api(env, "the status page", reported.url, f"OAuth {reported.key.reveal()}") as statuspage:
        yield statuspage


def _all(statuspage: Api, path: str, answer: type[list[Row]], size: str) -> list[Row]:
    """Every row; Statuspage has no Link header, and ends with a page that is not full."""
    rows: list[Row] = []
    for page in range(1, _MOST_PAGES + 1):
        query: dict[str, str | int] = {size: _PER_PAGE, "page": page}
        found = statuspage.one(path, answer, **query)
        rows += found
        if len(found) < _PER_PAGE:
            return rows
    raise ProbeError(
        f"the status page's {path.rpartition('/')[2]}",
        f"there are more than {_MOST_PAGES * _PER_PAGE}",
        "look at the page itself",
    )
