"""Payment pages in real Chromium, served on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest

from golive.environments import Environment
from golive.probes.traffic import browser
from golive.probes.traffic.browser import PaymentPage
from golive.verdicts import ProbeError
from rehearsal.kernel.binaries import find
from tests.golive.probes.answering import Service, answering

FRAME = b"<input name='cardnumber' autocomplete='cc-number'>"
SCRIPT = b"setTimeout(() => { const f = document.createElement('iframe');"
"""Adds a frame a while after the page was there, as a payment provider's does."""


@pytest.fixture
def shop() -> Iterator[Service]:
    with answering() as service:
        yield service


@pytest.fixture
def provider() -> Iterator[Service]:
    with answering() as service:
        script = f"f.src = '{service.url}/card'; document.body.append(f); }}, 300);"
        service.says("/v3/", SCRIPT + script.encode(), Content_Type="text/javascript")
        own = b"<script src='/inner.js'></script>"  # the provider's own affair
        service.says("/card", FRAME + own, Content_Type="text/html")
        service.says("/inner.js", b"", Content_Type="text/javascript")
        yield service


@pytest.fixture
def env(shop: Service, env_with: Callable[..., Environment]) -> Environment:
    found = find("chromium")
    return env_with(
        browser={"program": str(found.path), "variables": dict(found.environment)},
        application={"url": shop.url},
    )


def paying(env: Environment, *paths: str) -> Environment:
    """The same, with these payment pages."""
    own = msgspec.structs.replace(env.application.paths, payment=list(paths))
    application = msgspec.structs.replace(env.application, paths=own)
    return msgspec.structs.replace(env, application=application)


def looked_at(env: Environment, url: str) -> PaymentPage:
    with browser.chromium(env) as found:
        return browser._look(env, found, url, 10.0)


def page(shop: Service, text: str, status: int = 200) -> str:
    shop.says("/pay", f"<!doctype html>{text}".encode(), status, Content_Type="text/html")
    return f"{shop.url}/pay"


def test_it_sees_scripts_that_scripts_fetch_and_fields_that_come_late(
    env: Environment, shop: Service, provider: Service
) -> None:
    more = b"const s = document.createElement('script'); s.src = '/more.js?v=2';"
    shop.says("/own.js", more + b"document.body.append(s);", Content_Type="text/javascript")
    shop.says("/more.js?v=2", b"", Content_Type="text/javascript")
    text = "<body><script>1</script><script src='/own.js'></script><script type='text/x'>{}"
    url = page(shop, f"{text}</script><script src='{provider.url}/v3/?a=1'></script>")
    provider.answers["/v3/?a=1"] = provider.answers["/v3/"]
    found = looked_at(env, url)
    one = "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"
    assert found.scripts == tuple(
        sorted(("/own.js", "/more.js", f"{provider.url}/v3/", f"inline {one}"))
    )
    assert found.card_fields == (provider.url,)


def test_a_field_in_the_page_itself_is_the_shops_own(env: Environment, shop: Service) -> None:
    assert looked_at(env, page(shop, FRAME.decode())).card_fields == (shop.url,)


def test_a_page_that_is_not_there_cannot_be_looked_at(
    env: Environment, shop: Service, dead_port: int
) -> None:
    with pytest.raises(ProbeError, match="status 404"):
        looked_at(env, f"{shop.url}/pay")
    with pytest.raises(ProbeError, match="ERR_CONNECTION_REFUSED"):
        looked_at(env, f"http://127.0.0.1:{dead_port}/pay")


def test_without_chromium_it_says_what_to_set(env_with: Callable[..., Environment]) -> None:
    nowhere = paying(env_with(browser={"program": "/nowhere/chromium"}), "/pay")
    with pytest.raises(ProbeError, match=r"/nowhere/chromium is not there.*browser\.program"):
        browser.payment_pages(nowhere)


def test_a_deployment_without_payment_pages_says_so(env: Environment) -> None:
    with pytest.raises(ProbeError, match=r"application\.paths\.payment"):
        browser.payment_pages(paying(env))


def test_every_payment_page_is_looked_at(env: Environment, shop: Service) -> None:
    url = page(shop, FRAME.decode())
    shop.says("/gift", b"<!doctype html>", Content_Type="text/html")
    with pytest.raises(ProbeError, match="/nothing: status 404"):
        browser.payment_pages(paying(env, "/pay", "/nothing"))
    quick = msgspec.structs.replace(env.time_limits, probe=4.0)
    env = msgspec.structs.replace(paying(env, "/pay", "/gift"), time_limits=quick)
    one, other = browser.payment_pages(env)
    assert (one.url, one.card_fields) == (url, (shop.url,))
    assert (other.url, other.card_fields) == (f"{shop.url}/gift", ())


def test_a_page_is_looked_at_at_every_host_that_has_it_on_every_node(
    env_with: Callable[..., Environment], monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = [{"name": f"edge-{n}", "host": f"10.0.0.{n}", "port": 8443} for n in (1, 2)]
    hosts = ["www.example", "api.example"]
    env = paying(env_with(edge={"hosts": hosts, "nodes": nodes}), "/pay", "/gift")
    seen: list[tuple[str, str]] = []

    @contextmanager
    def opened(_: Environment, node: Any) -> Iterator[str]:
        yield node.name

    def look(_: Environment, node: Any, url: str, within_s: float) -> PaymentPage:
        assert within_s > 0
        if url.startswith("https://api."):
            raise browser._NotThere(url, "status 404", "see application.paths.payment")
        seen.append((node, url))
        return PaymentPage(url, (), ())

    monkeypatch.setattr(browser, "chromium", opened)
    monkeypatch.setattr(browser, "_look", look)
    pages = [f"https://www.example{path}" for path in ("/pay", "/gift")]
    assert [p.url for p in browser.payment_pages(env)] == pages * 2
    assert seen == [(node, url) for node in ("edge-1", "edge-2") for url in pages]
    nowhere = env_with(edge={"hosts": hosts[1:], "nodes": nodes})
    with pytest.raises(ProbeError, match="status 404"):
        browser.payment_pages(paying(nowhere, "/pay"))
