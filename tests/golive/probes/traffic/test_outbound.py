"""Whom the public pages have a browser talk to, on every host that serves them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from golive.environments import Environment
from golive.probes.traffic import outbound
from golive.probes.traffic.pages import Page
from golive.verdicts import ProbeError

EnvWith = Callable[..., Environment]
MANIFEST: Any = SimpleNamespace(outbound=())


def served(**pages: str) -> Callable[[Environment, Iterable[str]], tuple[Page, ...]]:
    """Stands for the sites: text by host; every other one answers 404."""

    def look_up(_: Environment, urls: Iterable[str]) -> tuple[Page, ...]:
        found = []
        for url in urls:
            text = pages.get(url.removeprefix("https://").partition(".")[0])
            status = 404 if text is None else 200
            found.append(Page(url, status, url, (url,), "", text or "", complete=True))
        return tuple(found)

    return look_up


def test_the_pages_of_every_public_host_count(
    env_with: EnvWith, paths: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    env = env_with(
        application={"paths": paths | {"pages": ["/"]}, "url": "https://www.example"},
        edge={"hosts": ["www.example", "app.example", "api.example"]},
    )
    www, app = (f"<script src='https://{h}/x.js'></script>" for h in ("one.net", "two.net"))
    monkeypatch.setattr(outbound, "look_up", served(www=www, app=app))
    found = outbound.outbound(env, MANIFEST)
    assert found.on_pages == ("one.net", "two.net")
    assert found.pages == 2
    monkeypatch.setattr(outbound, "look_up", served())
    with pytest.raises(ProbeError, match="status 404"):
        outbound.outbound(env, MANIFEST)
