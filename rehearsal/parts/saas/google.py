"""Google as the product meets it: the consent screen's address, the token endpoint, tokeninfo and
the calendar that a barber has connected.

Settings that a fault may override at any time (part `integrations`): `google_revoked`,
`google_testing` (the consent screen is not published), `google_redirects` (those registered).
"""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from rehearsal.kernel.files import write_secret
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.traffic.hosts import EDGE_HOSTS

PROJECT, STAGING_PROJECT = "481516234200", "108070605040"
CLIENT = f"{PROJECT}-live.apps.googleusercontent.com"
STAGING_CLIENT = f"{STAGING_PROJECT}-staging.apps.googleusercontent.com"
CLIENT_SECRET, REFRESH_TOKEN = "google-client-secret", "google-refresh-token"
PROFILE_TOKEN = "google-profile-refresh-token"  # noqa: S105 - the name of its file
SCOPES = ("https://www.googleapis.com/auth/calendar.events",)
PROFILE_SCOPES = ("https://www.googleapis.com/auth/business.manage",)
CALENDAR = "golive-test@group.calendar.google.com"
ZONE = "America/New_York"
CALLBACK_PATH = "/api/v2/api/calendar/callback"
LIVES_S = 3599
REDIRECT = f"https://{EDGE_HOSTS[0]}{CALLBACK_PATH}"
"""The application's redirect URI."""
Form = Mapping[str, str]


def client_secret(r: Rehearsal) -> str:
    """The client's secret as Google makes them, the same at every call."""
    path = r.path("secrets", CLIENT_SECRET)
    if not path.exists():
        write_secret(path, f"GOCSPX-{secrets.token_urlsafe(21)}")
    return path.read_text().strip()


class Google:
    """One project with one client.

    :param refused: makes the exception that an answer other than 2xx is.
    """

    def __init__(self, r: Rehearsal, refused: Callable[[int, Any], Exception]) -> None:
        self._r, self._refused = r, refused
        self._tokens: dict[str, tuple[float, tuple[str, ...]]] = {}
        self._events: dict[str, dict[str, Any]] = {}

    def setting(self, name: str, default: Any) -> Any:
        """A setting, as a fault has it."""
        return self._r.setting("integrations", f"google_{name}", default)

    def answer(
        self, given: str, method: str, path: str, query: Form, form: Form, body: Any
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, document and headers."""
        match method, path.strip("/").split("/"):
            case "POST", ["token"]:
                return 200, self._token(form), {}
            case "GET", ["tokeninfo"]:
                return 200, self._info(query.get("access_token", "")), {}
            case "GET", ["o", "oauth2", "v2", "auth"]:
                return 302, None, {"Location": self._consent(query)}
            case _, ["calendar", "v3", "calendars", ident, "events", *rest]:
                self.lets_in(given, SCOPES[0])
                if ident == CALENDAR:
                    return self._calendar(method, rest, query, body)
        raise self.error(404, "NOT_FOUND", "Requested entity was not found.")

    def error(self, status: int, name: str, text: str, **more: Any) -> Exception:
        """An error as Google's APIs tell it."""
        reason = {"errors": [{"domain": "global", "reason": name, "message": text}]}
        body = {"code": status, "message": text, "status": name, **reason, **more}
        return self._refused(status, {"error": body})

    def _denied(self, status: int, error: str, text: str) -> Exception:
        return self._refused(status, {"error": error, "error_description": text})

    def lets_in(self, given: str, scope: str) -> None:
        """Refuse who has no valid access token of that scope."""
        ends, scopes = self._tokens.get(given.removeprefix("Bearer "), (0.0, ()))
        if ends < time.time():
            raise self.error(401, "UNAUTHENTICATED", "Invalid Credentials")
        if scope not in scopes:
            raise self.error(403, "PERMISSION_DENIED", "Insufficient authentication scopes.")

    # -- OAuth ---------------------------------------------------------------------------------

    def _token(self, form: Form) -> Any:
        client = (form.get("client_id"), form.get("client_secret"))
        if client != (CLIENT, client_secret(self._r)):
            raise self._refused(
                401, {"error": "invalid_client", "error_description": "Unauthorized"}
            )
        known = {
            self._r.secret(REFRESH_TOKEN): ("calendar", SCOPES),
            self._r.secret(PROFILE_TOKEN): ("profile", PROFILE_SCOPES),
        }
        name, scopes = known.get(form.get("refresh_token", ""), ("", ()))
        if not scopes or name in self.setting("revoked", []):
            raise self._denied(400, "invalid_grant", "Token has been expired or revoked.")
        made = f"ya29.{secrets.token_urlsafe(24)}"
        self._tokens[made] = (time.time() + LIVES_S, scopes)
        told = {"access_token": made, "expires_in": LIVES_S, "token_type": "Bearer"}
        testing = {"refresh_token_expires_in": 604_799} if self.setting("testing", False) else {}
        return {**told, "scope": " ".join(scopes), **testing}

    def _info(self, token: str) -> Any:
        ends, scopes = self._tokens.get(token, (0.0, ()))
        if ends < time.time():
            raise self._refused(
                400, {"error": "invalid_token", "error_description": "Invalid Value"}
            )
        about = {"azp": CLIENT, "aud": CLIENT, "scope": " ".join(scopes), "access_type": "offline"}
        return {**about, "expires_in": str(int(ends - time.time()))}

    def _consent(self, query: Form) -> str:
        registered = self.setting("redirects", [REDIRECT])
        failure = ""
        if query.get("client_id") not in {CLIENT, STAGING_CLIENT}:
            failure = "invalid_client"
        elif query.get("redirect_uri") not in registered:
            failure = "redirect_uri_mismatch"
        base = self._r.url("integrations", "/google")
        if failure:
            told = base64.urlsafe_b64encode(f"\n\x15{failure}\x12 Error 400".encode()).decode()
            return f"{base}/signin/oauth/error?{urlencode({'authError': told})}"
        return f"{base}/v3/signin/identifier?{urlencode({'client_id': query['client_id']})}"

    # -- the calendar --------------------------------------------------------------------------

    def _calendar(
        self, method: str, rest: list[str], query: Form, body: Any
    ) -> tuple[int, Any, dict[str, str]]:
        match method, rest:
            case "GET", []:
                return 200, self._listed(query), {}
            case "POST", []:
                ident = body.get("id") or secrets.token_hex(13)
                if ident in self._events:
                    said = "The requested identifier already exists."
                    raise self.error(409, "duplicate", said)
                return 200, self._kept(ident, body), {}
            case (("PUT" | "PATCH"), [ident]) if ident in self._events:
                kept = self._events[ident] if method == "PATCH" else {}
                return 200, self._kept(ident, {**kept, **body}), {}
            case "GET", [ident] if ident in self._events:
                return 200, self._events[ident], {}
            case "DELETE", [ident] if ident in self._events:
                del self._events[ident]
                return 204, None, {}
        raise self.error(404, "notFound", "Not Found")

    def _kept(self, ident: str, body: Any) -> Any:
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        event = {"created": now, **body, "id": ident, "status": "confirmed", "updated": now}
        for end in ("start", "end"):
            at = datetime.fromisoformat(body[end]["dateTime"])
            zone = ZoneInfo(body[end].get("timeZone", ZONE))
            # An offset counts for more than the zone.
            at = at.astimezone(zone) if at.tzinfo else at.replace(tzinfo=zone)
            event[end] = {"dateTime": at.isoformat(), "timeZone": str(zone)}
        self._events[ident] = event
        return event

    def _listed(self, query: Form) -> Any:
        def moment(name: str) -> datetime | None:
            return datetime.fromisoformat(query[name]) if query.get(name) else None

        since, until, updated = moment("timeMin"), moment("timeMax"), moment("updatedMin")
        found = [
            e
            for e in list(self._events.values())
            if (since is None or datetime.fromisoformat(e["end"]["dateTime"]) > since)
            and (until is None or datetime.fromisoformat(e["start"]["dateTime"]) < until)
            and (updated is None or datetime.fromisoformat(e["updated"]) >= updated)
        ]
        return {"kind": "calendar#events", "timeZone": ZONE, "items": found}
