"""REST APIs of services that people work with: typed answers, every page of a list, or an error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec

from golive.decoding import decode
from golive.environments import Environment
from golive.probes.transport.http import Client, client, shown
from golive.verdicts import ProbeError

if TYPE_CHECKING:
    import requests

T = TypeVar("T")
Key = TypeVar("Key")
_MOST_PAGES = 500
_AT_ONCE = 6
_REFUSED = frozenset({401, 403})
_TOO_MANY = frozenset({403, 420, 429})


class Api:
    """A service below one URL, asked with one secret."""

    def __init__(self, http: Client, who: str, url: str, headers: Mapping[str, str]) -> None:
        self._http, self._who, self._url, self._headers = http, who, url.rstrip("/"), headers

    def one(self, path: str, answer: type[T], **query: str | int) -> T:
        """The document at a path.

        :raises ProbeError: no answer, another status than 200, or a document of another shape.
        """
        return self._read(self._get(self._url + path + _written(query)), path, answer)

    def pages(self, path: str, answer: type[T], **query: str | int) -> Iterator[T]:
        """The documents of a list: of its first page, and of those that its Link header names.

        :raises ProbeError: as for ``one``, for any page; or the pages lead elsewhere or never end.
        """
        url = self._url + path + _written(query)
        for _ in range(_MOST_PAGES):
            response = self._get(url)
            yield self._read(response, path, answer)
            following = response.links.get("next", {}).get("url")
            if following is None:
                return
            # The secret goes along, so it goes to nobody else.
            if urlsplit(following)[:2] != urlsplit(self._url)[:2]:
                raise self._error(path, f"its next page is elsewhere: {shown(following)}")
            url = following
        raise self._error(path, f"it has more than {_MOST_PAGES} pages")

    def _get(self, url: str) -> requests.Response:
        return self._http.get(url, {**self._headers, "Accept": "application/json"})

    def _read(self, response: requests.Response, path: str, answer: type[T]) -> T:
        status = response.status_code
        if status != 200:
            said = " ".join(response.text.split())[:200]
            raise self._error(path, f"status {status}: {said}", _step(response))
        try:
            return decode(response.content, answer)
        except (msgspec.DecodeError, UnicodeDecodeError) as e:
            raise self._error(path, f"the answer is not what its API tells: {e}") from None

    def _error(self, path: str, cause: str, step: str = "") -> ProbeError:
        where = f"{self._who} at {shown(self._url + path)}"
        return ProbeError(where, cause, step or "check its address in the environment file")


@contextmanager
def api(env: Environment, who: str, url: str, authorization: str, **headers: str) -> Iterator[Api]:
    """A service whose every request carries that Authorization header."""
    with client(env, foreign=True) as http:
        yield Api(http, who, url, {"Authorization": authorization, **headers})


def each(keys: Iterable[Key], look: Callable[[Key], T]) -> dict[Key, T]:
    """What ``look`` says of each key, a few at a time; the first error that there is."""
    keys = list(keys)
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return dict(zip(keys, threads.map(look, keys), strict=True))


def _written(query: Mapping[str, str | int]) -> str:
    return f"?{urlencode(query)}" if query else ""


def _step(response: requests.Response) -> str:
    status, headers = response.status_code, response.headers
    if status in _TOO_MANY and (headers.get("X-RateLimit-Remaining") == "0" or status != 403):
        reset = headers.get("X-RateLimit-Reset", "")
        until = (
            f" until {datetime.fromtimestamp(int(reset), UTC):%H:%M} UTC" if _is_time(reset) else ""
        )
        return f"its rate limit is used up: wait{until}, and look again"
    if status in _REFUSED:
        return "check that the secret in the environment file is valid and may read this"
    if status == 404:
        return "check the names in the environment file, and that the secret may read this"
    return "see the service's own status, and look again"


def _is_time(text: str) -> bool:
    return text.isdecimal() and len(text) <= 11
