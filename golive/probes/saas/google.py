"""Google's OAuth: an access token for a refresh token, and what Google tells of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from typing import Any
from urllib.parse import urlsplit

from golive.environments import Environment
from golive.masking import Hidden
from golive.probes.transport.http import client, shown
from golive.sections import Secret
from golive.verdicts import ProbeError, Unseen

_REFUSED = frozenset({"invalid_grant", "invalid_client", "unauthorized_client", "deleted_client"})
"""Answers of the token endpoint that say that the token or its client is no good."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a refresh token is good for."""

    failure: str
    """Why no access token comes for it; empty where one does."""
    token: Hidden
    client_id: str
    """Whom it was granted to, as tokeninfo tells."""
    scopes: tuple[str, ...]
    refresh_lives_s: float
    """How long the refresh token itself lives; infinite where Google tells no end, as of clients
    whose consent screen is published."""

    def __repr__(self) -> str:
        return f"Grant(to {self.client_id}, {self.failure or 'valid'})"

    @property
    def ends(self) -> str | Unseen:
        """When the refresh token ends; unseen where none was refreshed."""
        if self.failure:
            step = "connect the calendar again"
            return Unseen(ProbeError("the end of the refresh token", self.failure, step))
        days = self.refresh_lives_s / 86_400
        return "none" if days == inf else f"in {days:.0f} d, as while the client is being tested"

    @property
    def of(self) -> str:
        """The number of the project that its client belongs to."""
        return project_of(self.client_id)


def project_of(client_id: str) -> str:
    """The number of the project that an OAuth client's id begins with; empty where it has none."""
    number = client_id.partition("-")[0]
    return number if number.isdecimal() else ""


def granted(
    env: Environment,
    token_url: str,
    tokeninfo_url: str,
    client_id: str,
    secret: Secret,
    token: Secret,
) -> Grant:
    """Refresh a token, and look at what comes.

    :raises ProbeError: Google cannot be asked, or answers otherwise than it tells.
    """
    form = {
        "grant_type": "refresh_token",
        "client_id": client_id,
        "client_secret": secret.reveal(),
        "refresh_token": token.reveal(),
    }
    with client(env, foreign=True) as http:
        answer = http.form(token_url, form)
        told = _document(answer, token_url)
        if answer.status_code in {400, 401} and told.get("error") in _REFUSED:
            why = " ".join(str(told.get(k, "")) for k in ("error", "error_description")).strip()
            return Grant(why, Hidden(""), client_id, (), 0.0)
        if answer.status_code != 200 or not told.get("access_token"):
            raise ProbeError(
                f"an access token at {shown(token_url)}",
                f"status {answer.status_code}: {told.get('error', 'no access_token')}",
                "see Google's own status, and look again",
            )
        made = str(told["access_token"])
        info = http.get(f"{tokeninfo_url}?access_token={made}")
        about = _document(info, tokeninfo_url)
    if info.status_code != 200:
        raise ProbeError(f"tokeninfo at {shown(tokeninfo_url)}", f"status {info.status_code}", "")
    ends = told.get("refresh_token_expires_in")
    return Grant(
        "",
        Hidden(made),
        str(about.get("aud") or about.get("azp") or ""),
        tuple(sorted(str(about.get("scope", "")).split())),
        inf if ends is None else float(ends),
    )


def _document(answer: Any, url: str) -> Mapping[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        cause = f"status {answer.status_code}, and no JSON object"
        raise ProbeError(shown(url), cause, "check its address in the environment file")
    return found


@contextmanager
def service(env: Environment, name: str, version: str, url: str, token: str) -> Iterator[Any]:
    """One of Google's APIs by its own client, with an access token.

    :raises ProbeError: it cannot be asked, or refuses.
    """
    import google_auth_httplib2
    import httplib2
    from google.auth.exceptions import GoogleAuthError
    from google.oauth2 import credentials
    from googleapiclient.discovery import build
    from googleapiclient.errors import Error

    where = f"{name} at {shown(url)}" if url else name
    step = "check what the refresh token was granted for, and whether the API is switched on"
    tokens: Any = credentials.Credentials
    try:
        local = urlsplit(url).hostname == "127.0.0.1"  # needs no proxy
        proxy = None if local else httplib2.proxy_info_from_environment
        http = httplib2.Http(timeout=env.time_limits.connect, proxy_info=proxy)
        yield build(
            name,
            version,
            http=google_auth_httplib2.AuthorizedHttp(tokens(token), http=http),
            static_discovery=True,
            cache_discovery=False,
            client_options={"api_endpoint": url} if url else None,
        )
    except (Error, GoogleAuthError, ValueError) as e:
        raise ProbeError(where, e, step) from None
    except (httplib2.HttpLib2Error, OSError) as e:
        raise ProbeError(where, e, "check that it can be reached from here") from None
    except (KeyError, TypeError) as e:
        raise ProbeError(where, f"the answer cannot be read: {e!r}", "see its API") from None
