"""Redis as a cache with a time to live; without Redis the application works, only slower."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from rehearsal.app.settings import Settings
from rehearsal.app.storage import Metrics

if TYPE_CHECKING:
    from redis import Redis

TIMEOUT_S = 0.3
REST_S = 2.0  # after a failure Redis is left alone, so that requests do not queue for time-outs


_COUNT = """
local n = redis.call('INCRBY', KEYS[1], ARGV[1])
if n == tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return {n, redis.call('PTTL', KEYS[1])}
"""


class CacheError(Exception):
    """Redis cannot be reached, or none is set; the message says which."""


class Cache:
    """JSON values by key. Failures count as misses, are counted as errors, and show in health."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._metrics = metrics
        self._rests_until = 0.0
        # Loading the client takes a fifth of a second, for which the first answer need not wait.
        self._loading = ThreadPoolExecutor(1).submit(_client, settings)

    def ping(self) -> None:
        """Raises CacheError."""
        client = self._loading.result()
        if client is None:
            raise CacheError("REDIS_URL is not set")
        from redis import RedisError

        try:
            client.ping()
        except RedisError as error:
            raise CacheError(type(error).__name__) from error

    def get(self, key: str) -> Any:
        value = self._try("get", key)
        self._metrics.cache.labels("miss" if value is None else "hit").inc()
        return None if value is None else json.loads(value)

    def put(self, key: str, value: Any, ttl_s: int) -> None:
        self._try("set", key, json.dumps(value, default=str), ex=ttl_s)

    def forget(self, *keys: str) -> None:
        self._try("delete", *keys)

    def count(self, key: str, by: int, window_ms: int) -> tuple[int, float] | None:
        """Count up within a window that begins with the first: how many, and the seconds left."""
        counted = self._try("eval", _COUNT, 1, key, by, window_ms)
        return None if counted is None else (int(counted[0]), max(0, int(counted[1])) / 1000)

    def _try(self, operation: str, *arguments: Any, **options: Any) -> Any:
        client = self._loading.result()
        if client is None or time.monotonic() < self._rests_until:
            return None
        from redis import RedisError

        try:
            return getattr(client, operation)(*arguments, **options)
        except RedisError:
            self._rests_until = time.monotonic() + REST_S
            self._metrics.cache.labels("error").inc()
            return None


def _client(settings: Settings) -> Redis | None:
    if not settings.redis_url:
        return None
    from redis import Redis
    from redis.sentinel import Sentinel

    limits: dict[str, Any] = {"socket_timeout": TIMEOUT_S, "socket_connect_timeout": TIMEOUT_S}
    if not settings.redis_sentinels:
        return Redis.from_url(settings.redis_url, **limits)
    named = Redis.from_url(settings.redis_url).connection_pool.connection_kwargs
    credentials = {key: named[key] for key in ("username", "password", "db") if key in named}
    watchers = Sentinel(  # type: ignore[no-untyped-call]
        list(settings.redis_sentinels),
        sentinel_kwargs={"password": settings.redis_sentinel_password or None, **limits},
    )
    master: Redis = watchers.master_for(  # type: ignore[no-untyped-call]
        settings.redis_master, **credentials, **limits
    )
    return master
