"""Items judged on facts made by hand, by the thresholds of the real launch."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from golive import launch
from golive.claims import Claim, same_set
from golive.environments import Paths
from golive.sections import Undeclared
from golive.verdicts import Pending
from tests.checks import SUITES, breaking


@pytest.fixture
def judged() -> Callable[..., Claim | None]:
    """Judge an item on literal facts; the claim that breaks it, None when it is green."""
    limits = launch.load(SUITES / "launch.toml").limits
    return lambda ident, **facts: breaking(ident, {"limits": limits} | facts)


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Takes the right to some operations of Amazon's services: of one region or all of them, of
    whatever is asked for or just of the one that is named so."""
    from botocore.client import BaseClient
    from botocore.exceptions import ClientError

    ask: Any = BaseClient._make_api_call  # type: ignore[attr-defined]
    refused: set[tuple[str, str, str]] = set()

    def asked(client: Any, operation: str, values: Any) -> Any:
        region = client.meta.region_name
        if any(
            one == operation and of in ("", region) and (not about or about in values.values())
            for one, of, about in refused
        ):
            code = "403" if operation.startswith("Head") else "AccessDenied"
            raise ClientError({"Error": {"Code": code, "Message": "no right"}}, operation)
        return ask(client, operation, values)

    monkeypatch.setattr(BaseClient, "_make_api_call", asked)
    return lambda *operations, region="", about="": refused.update(
        (one, region, about) for one in operations
    )


class Shelf:
    """Stands for the papers: what each kind, or each file of a kind, says."""

    def __init__(self, *papers: Any, **named: Any) -> None:
        self._papers = {type(p): p for p in papers} | named

    def read(self, kind: Any, name: str = "") -> Any:
        key = name.removesuffix(".md").replace("-", "_") if name else kind
        return SimpleNamespace(data=self._papers[key])


def by_everyone(*people: str) -> Any:
    """Stands for what these people have stated in person."""

    def asked(wanted: list[str], what: str) -> Claim:
        missing = [p for p in wanted if p not in people]
        if missing:
            raise Pending(", ".join(missing))
        return same_set(what, wanted, wanted)

    return SimpleNamespace(by_everyone=asked)


@pytest.fixture
def paths() -> dict[str, Any]:
    """Paths of a product, each its own name."""
    return {
        field.name: f"/{field.name}" if field.type is str else [f"/{field.name}"]
        for field in msgspec.structs.fields(Paths)
        if field.required or field.default.__class__ is Undeclared
    }


@pytest.fixture
def dead_port() -> Iterator[int]:
    """A port that is taken and where nothing listens, so that connecting is refused."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]
