"""What leaves a browser to measure a visit: hits of GA4 and of Meta's pixel along a journey.

Every hit is taken down as it leaves, with the page's own Content-Security-Policy in force, and
answered here, so that no synthetic visit or purchase reaches the product's real figures.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote_plus, urlsplit

from golive.environments import Environment
from golive.probes.traffic.browser import chromium
from golive.probing import pause, probe
from golive.sections import declares
from golive.verdicts import ProbeError

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

_QUIET_S = 0.6
"""So long has nothing to leave before a page counts as through."""
_MOST_S = 30.0
"""So long is waited for what has to leave."""
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
GA4, META = "GA4", "Meta"


@dataclass(frozen=True, slots=True)
class Hit:
    """One event that left."""

    kind: str
    """``GA4`` or ``Meta``."""
    step: str
    event: str
    to: str
    """The measurement id, or the pixel's."""
    value: str
    currency: str
    transaction: str
    personal: tuple[str, ...]
    """What of the visitor it carries: the kinds of it."""

    def __str__(self) -> str:
        return f"{self.kind} {self.event} at {self.step}"


@dataclass(frozen=True, slots=True)
class Visits:
    """Journeys without a choice, after refusing, and twice after accepting."""

    steps: tuple[tuple[str, str, str, bool], ...]
    """Each step with its events of GA4 and Meta, and whether it is the purchase."""
    pages: int
    """Pages opened in one journey."""
    undecided: tuple[Hit, ...]
    refused: tuple[Hit, ...]
    accepted: tuple[tuple[Hit, ...], ...]
    containers: tuple[str, ...]
    """Ids of the containers that were loaded."""

    @property
    def hits(self) -> tuple[Hit, ...]:
        """All that left after accepting."""
        return tuple(hit for journey in self.accepted for hit in journey)

    @property
    def miscounted(self) -> list[str]:
        """Steps at which not exactly one event of each kind left, in any of the journeys."""
        found: dict[str, None] = {}
        for journey in self.accepted:
            count = Counter((hit.step, hit.kind, hit.event) for hit in journey)
            for step, ga4, meta, _ in self.steps:
                for kind, event in ((GA4, ga4), (META, meta)):
                    if event and count[step, kind, event] != 1:
                        found[f"{step}: {count[step, kind, event]} of {kind} {event}"] = None
        return list(found)

    def targets(self, kind: str) -> tuple[str, ...]:
        """The ids that hits of a kind went to."""
        return tuple(sorted({hit.to for hit in self.hits if hit.kind == kind}))

    @property
    def measurement_ids(self) -> tuple[str, ...]:
        """Where hits of GA4 went."""
        return self.targets(GA4)

    @property
    def pixel_ids(self) -> tuple[str, ...]:
        """Where hits of Meta went."""
        return self.targets(META)

    @property
    def purchases(self) -> list[Hit]:
        """The purchase events."""
        wanted = {(GA4, ga4) for _, ga4, _, is_one in self.steps if is_one}
        wanted |= {(META, meta) for _, _, meta, is_one in self.steps if is_one}
        return [hit for hit in self.hits if (hit.kind, hit.event) in wanted]

    @property
    def incomplete_purchases(self) -> list[str]:
        """Purchases without value, currency or transaction id, or with another one's id."""
        found = []
        for hit in self.purchases:
            lacks = [n for n in ("value", "currency", "transaction") if not getattr(hit, n)]
            lacks += ["value"] if hit.value and not _is_amount(hit.value) else []
            if lacks:
                found.append(f"{hit} lacks {', '.join(lacks)}")
        for kind in (GA4, META):
            ids = [
                {h.transaction for h in journey if h in self.purchases and h.kind == kind}
                for journey in self.accepted
            ]
            again = set.intersection(*ids) - {""} if len(ids) > 1 else set()
            if again:
                found.append(f"{kind}: two purchases with the id {', '.join(sorted(again))}")
        return found

    @property
    def personal(self) -> list[str]:
        """Hits with personal data."""
        told = (f"{hit}: {', '.join(hit.personal)}" for hit in self.hits if hit.personal)
        return list(dict.fromkeys(told))


@probe(effect="write", limit="drill")
def analytics_visits(env: Environment) -> Visits:
    """The journey in Chromium: before any choice, after refusing, and twice after accepting; every
    hit that leaves, with its parameters."""
    own, containers = env.analytics, list[str]()
    if not own.steps:
        raise ProbeError("analytics", "no step is declared", "name them in analytics.steps")
    at_edge = declares(env, "edge") and env.edge.hosts and env.edge.nodes
    site = f"https://{env.edge.hosts[0]}" if at_edge else env.application.url.rstrip("/")
    with chromium(env, env.edge.nodes[0] if at_edge else None) as browser:
        undecided = _journey(env, browser, site, "", containers)
        refused = _journey(env, browser, site, own.refuse, containers)
        accepted = tuple(_journey(env, browser, site, own.accept, containers) for _ in range(2))
    return Visits(
        tuple((s.name, s.ga4, s.meta, s.is_purchase) for s in own.steps),
        len(own.steps),
        undecided,
        refused,
        accepted,
        tuple(sorted(set(containers))),
    )


def _journey(
    env: Environment, browser: Browser, site: str, choice: str, containers: list[str]
) -> tuple[Hit, ...]:
    """Everything that leaves along all steps, a choice made on the first page.

    :param choice: selector of what is clicked first; empty: nothing.
    """
    from playwright.sync_api import Error

    own = env.analytics
    accounts = env.application.accounts[:1] if declares(env, "application.accounts") else []
    emails = [account.email for account in accounts]
    personal = {"an e-mail address": emails, "name or phone": own.personal}
    found: list[Hit] = []
    step = own.steps[0].name
    # Certificates have an item of their own; a private authority is none that Chromium knows.
    context = browser.new_context(ignore_https_errors=True)

    def left(route: Route) -> None:
        url, body = route.request.url, route.request.post_data or ""
        kind = GA4 if _among(url, own.ga4_urls) else META
        found.extend(_hits(kind, step, url, body, personal))
        route.fulfill(status=204)

    def is_a_hit(url: str) -> bool:
        return _among(url, own.ga4_urls) or _among(url, own.meta_urls)

    def asked(request: Any) -> None:
        if _among(request.url, own.container_urls):
            containers.append(dict(parse_qsl(urlsplit(request.url).query)).get("id", "none"))

    try:
        context.route(is_a_hit, left)
        page = context.new_page()
        page.on("request", asked)
        for n, one in enumerate(own.steps):
            step = one.name
            _open(page, f"{site}{one.path}")
            if n == 0 and choice:
                page.click(choice, timeout=_MOST_S * 1000)
            for field, value in one.fill.items():
                typed = value
                for account in accounts:
                    typed = typed.replace("{email}", account.email)
                    typed = typed.replace("{password}", account.password.reveal())
                page.fill(field, typed)
            if one.click:
                with page.expect_navigation(timeout=_MOST_S * 1000):
                    page.click(one.click)
            wanted = {(GA4, one.ga4), (META, one.meta)} if choice == own.accept else set()
            _settle(page, found, step, {w for w in wanted if w[1]})
    except Error as e:
        subject = f"the step {step} at {site}"
        next_step = "take it in a browser; check analytics.steps, accept and refuse"
        raise ProbeError(subject, e.message.splitlines()[0], next_step) from None
    finally:
        context.close()
    return tuple(found)


def _open(page: Page, url: str) -> None:
    answer = page.goto(url, wait_until="load", timeout=_MOST_S * 1000)
    if answer is None or answer.status >= 400:
        status = "no answer" if answer is None else f"status {answer.status}"
        raise ProbeError(url, status, "check analytics.steps in the environment file")


def _settle(page: Page, found: list[Hit], step: str, wanted: set[tuple[str, str]]) -> None:
    """Wait for what has to leave, and then until nothing more does."""
    ends = time.monotonic() + _MOST_S
    count, since = -1, time.monotonic()
    while time.monotonic() < ends:
        pause(0.0)  # the end of the session ends the look
        if len(found) != count:
            count, since = len(found), time.monotonic()
        lacking = wanted - {(hit.kind, hit.event) for hit in found if hit.step == step}
        if not lacking and time.monotonic() - since > _QUIET_S:
            return
        page.wait_for_timeout(50)


def _hits(
    kind: str, step: str, url: str, body: str, personal: dict[str, list[str]]
) -> Iterable[Hit]:
    """The events of one request: GA4 sends several as lines of one body."""
    shared = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    lines = [line for line in body.splitlines() if line.strip()] if kind == GA4 else [body]
    carried = _personal(f"{url} {body}", personal)
    for line in lines or [""]:
        own = {**shared, **dict(parse_qsl(line, keep_blank_values=True)), **_multipart(line)}
        if kind == GA4:
            names = ("en", "tid", "epn.value", "cu", "ep.transaction_id")
        else:
            names = ("ev", "id", "cd[value]", "cd[currency]", "eid")
        event, to, value, currency, transaction = (own.get(name, "") for name in names)
        if kind == META:
            transaction = transaction or own.get("cd[order_id]", "")
        currency = currency or own.get("ep.currency", "")
        yield Hit(kind, step, event, to, value, currency, transaction, carried)


def _multipart(body: str) -> dict[str, str]:
    """The fields of a form as multipart/form-data, as Meta's pixel sends long ones."""
    return dict(re.findall(r'name="([^"]+)"\r?\n\r?\n(.*?)\r?\n--', body, re.DOTALL))


def _personal(text: str, personal: dict[str, list[str]]) -> tuple[str, ...]:
    """What of the visitor a hit carries, however often it is encoded."""
    plain = text
    for _ in range(3):
        plain = f"{plain} {unquote_plus(plain)}"[:200_000]
    plain = plain.casefold()
    digits = re.sub(r"\D", "", plain)
    found = []
    for what, values in personal.items():
        for value in values:
            number = re.sub(r"\D", "", value)
            is_phone = len(number) >= 7 and not re.search(r"[a-z]", value, re.IGNORECASE)
            if value.casefold() in plain or (is_phone and number in digits):
                found.append(what)
    if _ADDRESS.search(plain):
        found.append("an e-mail address")
    return tuple(dict.fromkeys(found))


def _among(url: str, patterns: Iterable[str]) -> bool:
    """Whether an address begins as one of the patterns says, up to the end of a word of it."""
    split = urlsplit(url)
    for pattern in patterns:
        wanted = urlsplit(pattern)
        host = wanted.netloc
        same = split.netloc == host or (
            host.startswith("*.") and f".{split.netloc}".endswith(host.removeprefix("*"))
        )
        if same and split.scheme == wanted.scheme and split.path.startswith(wanted.path):
            return True
    return False


def _is_amount(text: str) -> bool:
    try:
        return float(text) > 0
    except ValueError:
        return False
