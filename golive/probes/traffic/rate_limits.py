"""Whether the API's limits hold: counted over all instances, told to whoever is refused, and for
nobody else."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from golive.environments import Environment
from golive.probes.money.section import Webhook
from golive.probes.traffic.section import ApiClient, ApiLimit
from golive.probes.transport.http import Client, client, shown
from golive.probing import pause, probe
from golive.verdicts import ProbeError, Unseen, seen

if TYPE_CHECKING:
    import requests

_OVER = 4
"""Requests beyond the limit."""
_MOST_BURST = 500
_LONGEST_WINDOW_S = 120.0
_TRIES = 3
"""Bursts, since a window may end in one."""
_MARGIN_S = 0.3
_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class LimitBurst:
    """One burst of one client against one class."""

    name: str
    allowed: int
    most: int
    """What may pass, with what came back while it lasted."""
    passed: int
    failed: tuple[str, ...]
    """Answers that are neither a pass nor a refusal."""
    passed_after_refusal: int
    instances: tuple[str, ...]
    """Which answered."""
    refused: int
    silent: tuple[str, ...]
    """Refusals that do not tell what they should, e.g. ``no Retry-After``."""
    returned: bool
    """Whether the client may ask again once the window is over."""
    waits_s: float
    other_refused: int
    """Refusals of another client meanwhile."""
    others_asked: int

    @property
    def exact(self) -> bool:
        return self.allowed <= self.passed <= self.most

    def __str__(self) -> str:
        return f"{self.name}: {self.passed} of {self.allowed} passed"


@dataclass(frozen=True, slots=True)
class WebhookBurst:
    """Signed events in a row at one route."""

    name: str
    sent: int
    statuses: dict[int, int]

    @property
    def limited(self) -> int:
        return self.statuses.get(429, 0)

    @property
    def refused(self) -> int:
        """Events that were not taken for another reason than a limit."""
        return sum(n for s, n in self.statuses.items() if not 200 <= s < 300 and s != 429)

    def __str__(self) -> str:
        told = ", ".join(f"{n} of {s}" for s, n in sorted(self.statuses.items()))
        return f"{self.name}: {told}"


@dataclass(frozen=True, slots=True)
class RateLimits:
    """What clients and providers met."""

    declared: tuple[str, ...]
    bursts: tuple[LimitBurst, ...] | Unseen
    behind: tuple[str, ...] | Unseen
    """The instances that should count together."""
    webhooks: tuple[WebhookBurst, ...] | Unseen

    def _those(self, wrong: Any) -> list[str] | Unseen:
        if isinstance(self.bursts, Unseen):
            return self.bursts
        return [str(wrong(b)) for b in self.bursts if wrong(b)]

    @property
    def inexact(self) -> list[str] | Unseen:
        """Classes that let more or fewer pass than they should."""
        return self._those(lambda b: "" if b.exact else b)

    @property
    def on_few(self) -> list[str] | Unseen:
        """Classes whose burst did not meet each instance, so that nothing was counted together."""
        if isinstance(self.behind, Unseen):
            return self.behind
        wanted = set(self.behind)
        return self._those(
            lambda b: (
                f"{b.name}: only {', '.join(b.instances) or 'nobody'}"
                if wanted - set(b.instances)
                else ""
            )
        )

    @property
    def not_refused(self) -> list[str] | Unseen:
        return self._those(lambda b: "" if b.refused else f"{b.name}: no 429")

    @property
    def gaps(self) -> list[str] | Unseen:
        """Classes that let something pass after a refusal, within the window."""
        return self._those(
            lambda b: (
                f"{b.name}: {b.passed_after_refusal} after a refusal"
                if b.passed_after_refusal
                else ""
            )
        )

    @property
    def silent(self) -> list[str] | Unseen:
        return self._those(lambda b: f"{b.name}: {', '.join(b.silent)}" if b.silent else "")

    @property
    def failed(self) -> list[str] | Unseen:
        return self._those(lambda b: f"{b.name}: {', '.join(b.failed)}" if b.failed else "")

    @property
    def without_return(self) -> list[str] | Unseen:
        return self._those(
            lambda b: "" if b.returned else f"{b.name}: still refused after {b.waits_s:g} s"
        )

    @property
    def spread(self) -> list[str] | Unseen:
        """Classes in which another client was refused for what the first one did."""
        return self._those(
            lambda b: (
                f"{b.name}: {b.other_refused} of {b.others_asked} of another client"
                if b.other_refused
                else ""
            )
        )

    @property
    def limited_webhooks(self) -> list[WebhookBurst] | Unseen:
        if isinstance(self.webhooks, Unseen):
            return self.webhooks
        return [w for w in self.webhooks if w.limited]

    @property
    def untaken_webhooks(self) -> list[WebhookBurst] | Unseen:
        if isinstance(self.webhooks, Unseen):
            return self.webhooks
        return [w for w in self.webhooks if w.refused]


@probe(effect="load", limit="drill")
def rate_limits(env: Environment) -> RateLimits:
    """A burst of a synthetic client for each class of requests, through the balancer, and another
    client's meanwhile; signed events beyond every limit."""
    limits = env.api.limits
    if not limits:
        raise ProbeError("the API's limits", "api.limits is empty", "declare each class there")
    return RateLimits(
        declared=tuple(one.name for one in limits),
        bursts=seen(lambda: tuple(_burst(env, one) for one in limits)),
        behind=seen(lambda: tuple(i.name for i in env.application.instances)),
        webhooks=seen(_webhooks, env),
    )


def _base(env: Environment) -> str:
    """The balancer, which is what shares requests among instances."""
    from golive.sections import declares

    at = env.balancer.url if declares(env, "balancer.url") else env.application.url
    return at.rstrip("/")


# -- limits ----------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Tally:
    passed: int = 0
    refused: int = 0
    passed_after_refusal: int = 0
    instances: set[str] = field(default_factory=set)
    failed: Counter[str] = field(default_factory=Counter)
    silent: Counter[str] = field(default_factory=Counter)
    waits_s: float = 0.0


def _burst(env: Environment, limit: ApiLimit) -> LimitBurst:
    """:raises ProbeError: the burst cannot be made as it is declared."""
    if len(env.api.clients) < 2:
        raise ProbeError(
            "the API's limits",
            "api.clients names fewer than two, so that none is another",
            "declare two synthetic clients",
        )
    if limit.allowed + _OVER > _MOST_BURST or limit.window_s > _LONGEST_WINDOW_S:
        raise ProbeError(
            f"the limit {limit.name}",
            f"{limit.allowed} in {limit.window_s:g} s is no small burst",
            f"give synthetic clients a limit of {_MOST_BURST - _OVER} in"
            f" {_LONGEST_WINDOW_S:g} s at most, and declare that",
        )
    one, other, *_ = env.api.clients
    with ExitStack() as stack:
        # A connection each, so that nothing sticks to one instance.
        connections = [stack.enter_context(client(env)) for _ in range(_AT_ONCE)]
        for attempt in range(_TRIES):
            if attempt:
                pause(limit.window_s + _MARGIN_S)  # what was asked before is forgotten
            began = time.monotonic()
            tally, others = _fire(env, connections, limit, one, other)
            took_s = time.monotonic() - began
            refills = math.ceil(limit.allowed * took_s / limit.window_s) if limit.refills else 0
            if took_s < limit.window_s and 0 <= tally.passed - limit.allowed <= refills:
                break  # else a window that began before may have ended in the burst
        if took_s >= limit.window_s:
            raise ProbeError(
                f"the limit {limit.name}",
                f"{limit.allowed + _OVER} requests took {took_s:.1f} s, and the window"
                f" {limit.window_s:g} s",
                "give synthetic clients a longer window, or look when less goes on",
            )
        waits_s = min(max(tally.waits_s, limit.window_s), 2 * limit.window_s) + _MARGIN_S
        pause(waits_s)
        again = _ask(env, connections[0], limit, one)
    return LimitBurst(
        name=limit.name,
        allowed=limit.allowed,
        most=limit.allowed + refills,
        passed=tally.passed,
        failed=tuple(f"{n} times {what}" for what, n in tally.failed.items()),
        passed_after_refusal=0 if limit.refills else tally.passed_after_refusal,
        instances=tuple(sorted(tally.instances)),
        refused=tally.refused,
        silent=tuple(tally.silent),
        returned=again.status_code != 429,
        waits_s=waits_s,
        other_refused=others.refused,
        others_asked=others.passed + others.refused,
    )


def _fire(
    env: Environment,
    connections: list[Client],
    limit: ApiLimit,
    one: ApiClient,
    other: ApiClient,
) -> tuple[_Tally, _Tally]:
    """One request after the other, so that their order is known, on a few connections in turn; then
    a few of another client."""
    tally, others = _Tally(), _Tally()
    for number in range(limit.allowed + _OVER):
        _count(env, tally, _ask(env, connections[number % len(connections)], limit, one))
    for number in range(min(3, limit.allowed)):
        _count(env, others, _ask(env, connections[number % len(connections)], limit, other))
    return tally, others


def _count(env: Environment, tally: _Tally, answer: requests.Response) -> None:
    tally.instances.add(answer.headers.get(env.application.instance_header, "nobody"))
    if answer.status_code == 429:
        tally.refused += 1
        _judge_refusal(env, tally, answer)
    elif answer.status_code >= 500:
        tally.failed[f"status {answer.status_code}"] += 1
    else:
        tally.passed += 1
        tally.passed_after_refusal += bool(tally.refused)


def _judge_refusal(env: Environment, tally: _Tally, answer: requests.Response) -> None:
    after = answer.headers.get("Retry-After", "")
    if not after:
        tally.silent["no Retry-After"] += 1
    elif after.isdigit():
        tally.waits_s = max(tally.waits_s, float(after))
    elif "," not in after:  # else a date
        tally.silent[f"Retry-After {after!r}"] += 1
    for name in env.api.rate_headers:
        if name not in answer.headers:
            tally.silent[f"no {name}"] += 1


def _ask(env: Environment, http: Client, limit: ApiLimit, who: ApiClient) -> requests.Response:
    url = _base(env) + limit.path
    headers = {env.api.client_header: who.key.reveal()}
    body = {} if limit.method.upper() == "GET" else {"json": limit.body}
    return http.send(limit.method.upper(), url, headers, **body)


# -- webhooks --------------------------------------------------------------------------------------


def _webhooks(env: Environment) -> tuple[WebhookBurst, ...]:
    """:raises ProbeError: none is declared."""
    if not env.stripe.webhooks:
        raise ProbeError("Stripe's webhooks", "stripe.webhooks is empty", "declare each there")
    count = max(limit.allowed for limit in env.api.limits) + _OVER
    if count > _MOST_BURST:
        raise ProbeError(
            "Stripe's webhooks", f"{count} events are no small burst", "see api.limits"
        )
    return tuple(_events(env, webhook, count) for webhook in env.stripe.webhooks)


def _events(env: Environment, webhook: Webhook, count: int) -> WebhookBurst:
    url = webhook.url or _base(env) + env.stripe.paths.webhook
    statuses: Counter[int] = Counter()
    secret = webhook.secret.reveal().encode()

    def send(share: range) -> list[int]:
        with client(env) as http:
            return [http.send("POST", url, _signed(secret), data=_EVENT).status_code for _ in share]

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for found in pool.map(send, [range(n, count, _AT_ONCE) for n in range(_AT_ONCE)]):
            statuses.update(found)
    if set(statuses) == {404}:
        raise ProbeError(shown(url), "status 404: there is no such route", "check stripe.paths")
    return WebhookBurst(webhook.name, count, dict(statuses))


_EVENT = json.dumps(
    {
        "id": "evt_golive_limits",
        "object": "event",
        "type": "golive.synthetic",
        "created": 1_700_000_000,
        "livemode": False,
        "data": {"object": {"id": "golive_limits", "object": "golive"}},
    }
).encode()
"""An event of a kind that no application acts on, and always the same: one that keeps what it was
sent keeps it once."""


def _signed(secret: bytes) -> dict[str, str]:
    at = str(int(time.time()))
    digest = hmac.new(secret, at.encode() + b"." + _EVENT, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={at},v1={digest}", "Content-Type": "application/json"}
