"""HTTP requests, each straight to a named address, with the trust that the environment declares."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from golive.environments import Account, Environment
from golive.verdicts import ProbeError

if TYPE_CHECKING:
    import requests


@dataclass(frozen=True, slots=True)
class Address:
    """Where to connect for a URL, whatever DNS says of the name in it."""

    host: str
    port: int


class Client:
    """Requests that follow no redirect. Used as a context; connections are kept inside it."""

    def __init__(self, env: Environment, session: requests.Session, limit_s: float = 0.0) -> None:
        self._env = env
        self._limit_s = limit_s
        self._session = session

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> requests.Response:
        """:raises ProbeError: no answer; an answer of any status is an answer."""
        return self._send("GET", url, headers=headers)

    def streamed(self, url: str) -> requests.Response:
        """An answer whose content is still to be read; used as a context.

        :raises ProbeError: no answer; an answer of any status is an answer.
        """
        return self._send("GET", url, stream=True)

    def post(
        self,
        url: str,
        document: Mapping[str, Any] | Sequence[Any],
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send a JSON document.

        :raises ProbeError: no answer; an answer of any status is an answer.
        """
        return self._send("POST", url, headers=headers, json=document)

    def send(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, **body: Any
    ) -> requests.Response:
        """A request of any method, with ``json`` or ``data`` as its body.

        :raises ProbeError: no answer; an answer of any status is an answer.
        """
        return self._send(method, url, headers=headers, **body)

    def put(
        self,
        url: str,
        document: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Put a JSON document, or nothing.

        :raises ProbeError: no answer; an answer of any status is an answer.
        """
        return self._send("PUT", url, headers=headers, json=document)

    def form(
        self, url: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> requests.Response:
        """Send the fields of a form.

        :raises ProbeError: no answer; an answer of any status is an answer.
        """
        return self._send("POST", url, headers=headers, data=dict(fields))

    def post_bytes(self, url: str, content: bytes, headers: Mapping[str, str]) -> requests.Response:
        """Send content as it is.

        :raises ProbeError: no answer; an answer of any status is an answer.
        """
        return self._send("POST", url, headers=headers, data=content)

    def json(self, url: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The JSON object at a URL.

        :raises ProbeError: no answer, another status than 200, or no JSON object.
        """
        return json_object(self.get(url, headers), shown(url))

    def _send(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, **body: Any
    ) -> requests.Response:
        import requests

        # The name in the URL, for the connection may go elsewhere.
        named = {"Host": urlsplit(url).netloc.rpartition("@")[2], **(headers or {})}
        limit_s = self._env.time_limits.connect
        how: dict[str, Any] = {
            "timeout": (limit_s, self._limit_s or limit_s),
            "allow_redirects": False,
            **body,
        }
        try:
            return self._session.request(method, url, headers=named, **how)
        except (requests.RequestException, OSError) as e:
            raise ProbeError(shown(url), _cause(e), _next_step(e)) from None


@contextmanager
def client(
    env: Environment,
    at: Address | None = None,
    *,
    foreign: bool = False,
    limit_s: float = 0.0,
) -> Iterator[Client]:
    """A client whose every connection goes to ``at``, or where DNS says.

    Certificates are verified for the name in the URL.

    :param foreign: for hosts that are not the product's: the public authorities are trusted too,
        where the environment declares one of its own.
    :param limit_s: an answer is waited for this long; 0: as for a connection.
    """
    import requests
    from requests.adapters import HTTPAdapter

    class Directed(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            if foreign and env.tls.ca_file:
                trust = ssl.create_default_context()
                try:
                    trust.load_verify_locations(env.tls.ca_file)
                except OSError as e:
                    raise ProbeError(
                        f"the authorities in {env.tls.ca_file}", e, "check tls.ca_file"
                    ) from None
                kwargs["ssl_context"] = trust
            super().init_poolmanager(*args, **kwargs)

        def build_connection_pool_key_attributes(
            self, request: Any, verify: Any, cert: Any = None
        ) -> Any:
            where: dict[str, Any]
            pool: dict[str, Any]
            where, pool = super().build_connection_pool_key_attributes(  # type: ignore[assignment]
                request, verify, cert
            )
            if at is not None:
                if where["scheme"] == "https":
                    pool |= {"server_hostname": where["host"], "assert_hostname": where["host"]}
                where |= {"host": at.host, "port": at.port}
            return where, pool

    with requests.Session() as session:
        session.trust_env = False  # a proxy would stand between the probe and what it looks at
        session.verify = True if foreign else env.tls.ca_file or True
        session.mount("https://", Directed())
        session.mount("http://", Directed())
        yield Client(env, session, limit_s)


@dataclass(frozen=True, slots=True)
class Redirect:
    """What a plain HTTP request is answered."""

    host: str
    status: int
    to: str
    """Where it is sent; empty when nowhere."""

    @property
    def to_https(self) -> bool:
        """Whether it is sent to the same host over HTTPS."""
        to = urlsplit(self.to)
        return (
            self.status in {301, 302, 303, 307, 308}
            and to.scheme == "https"
            and to.hostname == self.host
        )

    def __str__(self) -> str:
        return f"status {self.status} to {self.to or 'nowhere'}"


def redirect_of(http: Client, url: str) -> Redirect:
    """What a request for a plain HTTP URL is answered.

    :raises ProbeError: no answer.
    """
    answer = http.get(url)
    host = urlsplit(url).hostname or ""
    return Redirect(host, answer.status_code, answer.headers.get("Location", ""))


def access_token(env: Environment, http: Client, base_url: str, account: Account) -> str:
    """Log a synthetic account in.

    :raises ProbeError: it is refused or the answer holds no token.
    """
    url = base_url + env.application.paths.login
    answer = json_object(
        http.post(url, {"email": account.email, "password": account.password.reveal()}),
        f"the login of {account.email} at {shown(url)}",
    )
    token = answer.get("access_token")
    if not isinstance(token, str) or not token:
        raise ProbeError(
            f"the login of {account.email} at {shown(url)}",
            f"the answer holds no access_token, only {', '.join(answer) or 'nothing'}",
            "use an account without second factor, and check application.paths.login",
        )
    return token


def json_object(response: requests.Response, subject: str) -> dict[str, Any]:
    """The JSON object of a response.

    :raises ProbeError: its status is not 200, or it holds none.
    """
    import requests

    if response.status_code != 200:
        raise ProbeError(
            subject,
            f"status {response.status_code}: {' '.join(response.text.split())[:200]}",
            "check the path and the account in the environment file",
        )
    try:
        document = response.json()
    except requests.JSONDecodeError:
        document = None
    if not isinstance(document, dict):
        raise ProbeError(subject, "the answer is no JSON object", "check the path")
    return document


def shown(url: str) -> str:
    """A URL for messages: without user, password, query and fragment."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def port_of(url: str) -> int:
    """The port a URL means."""
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)


def _cause(error: BaseException) -> BaseException:
    """The innermost reason: requests wraps urllib3's errors, and those wrap the system's."""
    inner = getattr(error.args[0], "reason", None) if error.args else None
    return inner if isinstance(inner, BaseException) else error


def _next_step(error: BaseException) -> str:
    import requests

    if isinstance(error, requests.exceptions.SSLError):
        return "see the chain that is served, or check tls.ca_file in the environment file"
    return "check that it runs, and its address in the environment file"
