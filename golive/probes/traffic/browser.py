"""The payment pages as a browser shows them: every script that runs, and where card fields lie.

What HTML names is not all: scripts fetch further scripts, and the fields for a card number are
put into frames by one of them. So the pages are opened in Chromium, which has to be installed
where golive runs (``browser.program``).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from golive.environments import EdgeNode, Environment
from golive.probing import probe
from golive.verdicts import ProbeError

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Request

CARD_FIELDS = (
    "input[autocomplete^='cc-'], input[name^='card' i], input[id^='card' i],"
    " input[name='number'][inputmode='numeric']"
)
"""Fields into which a customer types a card's number, date or code."""
_SHARE_OF_LIMIT = 0.8
_QUIET_S = 1.0
"""So long has nothing to change before a page counts as complete."""
_FLAGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)


@dataclass(frozen=True, slots=True)
class PaymentPage:
    """A page on which customers pay, once its scripts have run."""

    url: str
    scripts: tuple[str, ...]
    """Addresses of the scripts that ran, without their queries: of the product's own only the
    path. Those that stand in the page itself go by the SHA-256 of their text. What runs in a
    frame of another origin, as the payment provider's, cannot reach the page and is left out."""
    card_fields: tuple[str, ...]
    """The origin that each field for a card was loaded from."""


@probe()
def payment_pages(env: Environment) -> tuple[PaymentPage, ...]:
    """The payment pages in Chromium, at every public host that has them on every node of the
    edge: their scripts, and whose the fields for a card are."""
    paths = env.application.paths.payment
    if not paths:
        step = "name the pages on which customers pay in application.paths.payment"
        raise ProbeError("the payment pages", "none is declared", step)
    nodes = (list[EdgeNode | None](env.edge.nodes) if env.edge.hosts else []) or [None]
    left = len(nodes) * len(paths)
    ends = time.monotonic() + _SHARE_OF_LIMIT * env.time_limits.probe
    found: list[PaymentPage] = []
    for node in nodes:
        with chromium(env, node) as browser:
            for path in paths:
                within_s = max(1.0, (ends - time.monotonic()) / left)
                found += _at_hosts(env, browser, path, within_s)
                left -= 1
    return tuple(found)


def _at_hosts(
    env: Environment, browser: Browser, path: str, within_s: float
) -> Iterator[PaymentPage]:
    """A page at every public host that has it; one at least has to.

    :raises ProbeError: none has it, or one answers otherwise than with it.
    """
    sites = [f"https://{host}" for host in env.edge.hosts] or [env.application.url]
    lacking = None
    there = False
    for site in sites:
        try:
            yield _look(env, browser, f"{site}{path}", within_s / len(sites))
        except _NotThere as e:  # a host of its own, for the API say, has no such page
            lacking = e
        else:
            there = True
    if lacking is not None and not there:
        raise lacking


class _NotThere(ProbeError):
    """The host has no such page."""


def _look(env: Environment, browser: Browser, url: str, within_s: float) -> PaymentPage:
    from playwright.sync_api import Error

    deadline = time.monotonic() + within_s
    # Certificates have an item of their own; a private authority is none that Chromium knows.
    context = browser.new_context(ignore_https_errors=True)
    page = context.new_page()
    ran: list[str] = []

    def asked(request: Request) -> None:
        if request.resource_type != "script":
            return
        frame = _origin(request.frame.url)
        if frame == _origin(page.url) or not frame.startswith("http"):  # about:blank is the page's
            ran.append(request.url)

    page.on("request", asked)
    try:
        answer = page.goto(url, wait_until="load", timeout=within_s * 1000)
        if answer is None or answer.status != 200:
            status = "no answer" if answer is None else f"status {answer.status}"
            kind = _NotThere if answer is not None and answer.status == 404 else ProbeError
            raise kind(url, status, "see application.paths.payment")
        fields = _settled(page, ran, deadline)
        inline = page.eval_on_selector_all(
            "script:not([src])",
            "found => found.filter(s => !s.type || /javascript|module/.test(s.type))"
            ".map(s => s.textContent)",
        )
    except Error as e:
        step = "open it in a browser, from the same machine"
        raise ProbeError(url, e.message.splitlines()[0], step) from None
    finally:
        context.close()
    own = {*env.edge.hosts, urlsplit(env.application.url).netloc}
    digests = [f"inline {hashlib.sha256(str(text).encode()).hexdigest()}" for text in inline]
    return PaymentPage(url, tuple(sorted({*(_named(s, own) for s in ran), *digests})), fields)


def _settled(page: Page, ran: list[str], deadline: float) -> tuple[str, ...]:
    """The origins of the card fields, once neither they nor the scripts change any more.

    Without any field it is waited for one until the deadline: they come last.
    """
    seen: tuple[object, ...] = ()
    since = time.monotonic()
    while True:
        fields = tuple(
            origin
            for frame in page.frames
            for origin in [_origin(frame.url)] * len(frame.query_selector_all(CARD_FIELDS))
        )
        now = time.monotonic()
        if (fields, len(ran)) != seen:
            seen, since = (fields, len(ran)), now
        if now > deadline or (fields and now - since > _QUIET_S):
            return fields
        page.wait_for_timeout(100)


def _origin(url: str) -> str:
    split = urlsplit(url)
    return f"{split.scheme}://{split.netloc}"


def _named(url: str, own: set[str]) -> str:
    split = urlsplit(url)
    return split.path if split.netloc in own else f"{_origin(url)}{split.path}"


@contextmanager
def chromium(env: Environment, node: EdgeNode | None = None) -> Iterator[Browser]:
    """Chromium, which asks one of the edge's own nodes for the public hosts, and in a rehearsal
    nobody outside this machine.

    :raises ProbeError: there is none, or it cannot be started.
    """
    from playwright.sync_api import Error, sync_playwright

    reported = env.browser
    program = shutil.which(reported.program)
    if program is None:
        raise ProbeError(
            "Chromium", f"{reported.program} is not there", "install it, or set browser.program"
        )
    hosts = env.edge.hosts if node is not None else []
    rules = [f"MAP {host}:443 {node.host}:{node.port}" for host in hosts if node is not None]
    if env.is_rehearsal:
        rules += ["MAP * ~NOTFOUND", "EXCLUDE 127.0.0.1"]
    root = ["--no-sandbox"] if os.geteuid() == 0 else []  # its sandbox refuses root
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=program,
                args=[*_FLAGS, *root, f"--host-resolver-rules={', '.join(rules)}"],
                env={**os.environ, **reported.variables},
            )
            try:
                yield browser
            finally:
                browser.close()
    except Error as e:
        raise ProbeError(
            "Chromium", e.message.splitlines()[0], f"start {program} by hand"
        ) from None
