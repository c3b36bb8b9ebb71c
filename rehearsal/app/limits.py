"""How many requests a client may make: shared counters in Redis, one for each class and client.

API clients name themselves by ``X-API-Key`` and have small limits, counted one by one over all
instances. Everybody else has one so generous that it is counted in steps, which costs nothing.
What has to get through whatever happens is never counted: health checks, metrics, webhooks.
Without Redis nobody is limited.

Orders of the rehearsal, under ``limits``: ``per_instance``, ``one_for_all`` (clients share a
counter), ``no_retry_after``, ``no_headers``, ``webhooks`` (they are counted like reads),
``endless`` (a window lasts a quarter of an hour), ``off``, ``gaps`` (every other request passes a
limit), ``fails`` (who is over a limit gets status 500).
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from rehearsal.app.shop import Shop


@dataclass(frozen=True)
class Limit:
    """So many requests in a window, which begins with the first of them."""

    name: str
    allowed: int
    window_s: float


READS, WRITES = Limit("reads", 12, 5.0), Limit("writes", 6, 5.0)
"""Of API clients."""
ORDINARY = Limit("ordinary", 1_000_000, 60.0)
STEP = 1_000
KEY_HEADER = "X-API-Key"
WEBHOOKS = ("/api/v2/webhooks/", "/api/v2/billing/webhook/")
EXEMPT = ("/health", "/api/v1/health/", "/metrics", "/static/", *WEBHOOKS)
_MOST_ADDRESSES = 10_000


class Limited:
    """Answers 429 once a client has used up what it may ask for."""

    def __init__(self, app: ASGIApp, shop: Shop) -> None:
        self._app, self._shop = app, shop
        self._counted: dict[str, int] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        headers = {key.lower(): value.decode("latin-1") for key, value in scope["headers"]}
        client = self._shop.settings.api_clients.get(headers.get(KEY_HEADER.lower().encode(), ""))
        path = scope["path"]
        is_webhook = path.startswith(WEBHOOKS)
        orders = self._orders() if client or is_webhook else frozenset()
        if is_webhook and "webhooks" in orders:
            client = "webhooks"
        elif path.startswith(EXEMPT):
            return await self._app(scope, receive, send)
        if client is None:
            peer = scope["client"][0] if scope.get("client") else ""
            address = headers.get(b"x-forwarded-for", peer).partition(",")[0].strip()
            if await self._is_ordinary(address):
                return await self._app(scope, receive, send)
            return await self._refuse(send, ORDINARY, 0, ORDINARY.window_s, orders)
        limit = READS if scope["method"] in {"GET", "HEAD"} or client == "webhooks" else WRITES
        counter = f"{limit.name}:{client}"
        if "per_instance" in orders:
            counter += f":{self._shop.settings.instance}"
        if "one_for_all" in orders:
            counter = limit.name
        if "endless" in orders:
            limit = replace(limit, window_s=900.0)
        found = await self._count(counter, 1, limit)
        if found is None or "off" in orders:
            return await self._app(scope, receive, send)
        used, left_s = found
        if used > limit.allowed + 1 and used % 2 and "gaps" in orders:
            return await self._app(scope, receive, send)
        if used > limit.allowed:
            return await self._refuse(send, limit, 0, left_s, orders)

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    *_headers(limit, limit.allowed - used, left_s, orders),
                ]
            await send(message)

        return await self._app(scope, receive, told)

    def _orders(self) -> frozenset[str]:
        return frozenset(self._shop.database.orders("limits") or ())

    async def _is_ordinary(self, address: str) -> bool:
        """Count a request of somebody who is no API client, in steps; whether it may pass."""
        if len(self._counted) > _MOST_ADDRESSES:
            self._counted.clear()
        self._counted[address] = self._counted.get(address, 0) + 1
        if self._counted[address] % STEP:
            return True
        found = await self._count(f"{ORDINARY.name}:{address}", STEP, ORDINARY)
        return found is None or found[0] <= ORDINARY.allowed

    async def _count(self, counter: str, by: int, limit: Limit) -> tuple[int, float] | None:
        """How many there were in this window and how long it still lasts; None without Redis."""
        from starlette.concurrency import run_in_threadpool

        window_ms = int(limit.window_s * 1000)
        return await run_in_threadpool(self._shop.cache.count, f"limit:{counter}", by, window_ms)

    async def _refuse(
        self, send: Send, limit: Limit, left: int, left_s: float, orders: Collection[str]
    ) -> None:
        body = b'{"error":{"type":"rate_limited","message":"Too many requests; try again later"}}'
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            *_headers(limit, left, left_s, orders),
        ]
        if "no_retry_after" not in orders:
            headers.append((b"retry-after", str(_whole(left_s)).encode()))
        status = 500 if "fails" in orders else 429
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _headers(
    limit: Limit, left: int, left_s: float, orders: Collection[str]
) -> list[tuple[bytes, bytes]]:
    if "no_headers" in orders:
        return []
    told = {"limit": limit.allowed, "remaining": left, "reset": _whole(left_s)}
    return [(f"x-ratelimit-{name}".encode(), str(n).encode()) for name, n in told.items()]


def _whole(seconds: float) -> int:
    """Whole seconds, rounded up: whoever waits so long may ask again."""
    return max(1, math.ceil(seconds))
