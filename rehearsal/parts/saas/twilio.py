"""The account that texts to customers are sent from, as Twilio's APIs have it: 2010-04-01 below
/api, and messaging, pricing and accounts v1 below paths of these names.

What it is given to send is delivered at once, its status callback posted with Twilio's signature.
A number that has texted STOP gets nothing until it texts START.

Settings that a fault may override at any time (part `integrations`): `sms_type`, `sms_status`,
`sms_balance`, `sms_blocked` (countries), `sms_capable`, `sms_campaign`, `sms_delivers`,
`sms_signs`, `sms_invalid` (the status that a number nobody has ends with), `sms_heeds_stop`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode

from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.traffic.hosts import EDGE_HOSTS

TOKEN = "customer-sms-token"  # noqa: S105 - the name of its file
ACCOUNT = "AC" + "3c" * 16
SENDER, TEST, NOBODYS = "+12025550110", "+12025550111", "+12025550142"
COUNTRIES = ("US", "CA")
SERVICE, BRAND, CAMPAIGN = "MG" + "5a" * 16, "BN" + "6b" * 16, "QE" + "7c" * 16
STATUS_PATH, INBOUND_PATH = "/api/v2/webhooks/sms/status", "/api/v2/webhooks/sms/incoming"
PRICE = {"US": "0.0083", "CA": "0.0085"}
Form = Mapping[str, str]


def signature(token: str, url: str, form: Form) -> str:
    """X-Twilio-Signature of a request."""
    text = url + "".join(f"{name}{form[name]}" for name in sorted(form))
    digest = hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


class Twilio:
    """One account.

    :param post: delivers a body with headers to a URL.
    :param refused: makes the exception that an answer other than 2xx is.
    """

    def __init__(
        self,
        r: Rehearsal,
        post: Callable[[str, bytes, dict[str, str]], int],
        refused: Callable[[int, Any], Exception],
    ) -> None:
        self._r, self._post, self._refused = r, post, refused
        self._messages: dict[str, dict[str, Any]] = {}
        self._stopped: set[tuple[str, str]] = set()

    def setting(self, name: str, default: Any) -> Any:
        """A setting, as a fault has it."""
        return self._r.setting("integrations", f"sms_{name}", default)

    def answer(
        self, given: str, method: str, path: str, query: Form, form: Form
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, document and headers."""
        wanted = base64.b64encode(f"{ACCOUNT}:{self._r.secret(TOKEN)}".encode()).decode()
        if given != f"Basic {wanted}":
            raise self._error(401, 20003, "Authenticate")
        words = path.removesuffix(".json").strip("/").split("/")
        match method, words:
            case "GET", ["api", "2010-04-01", "Accounts", sid] if sid == ACCOUNT:
                return 200, self._account(), {}
            case _, ["api", "2010-04-01", "Accounts", sid, *rest] if sid == ACCOUNT:
                return self._of_account(method, rest, query, form)
            case "GET", ["messaging", "v1", *rest]:
                return 200, self._messaging(rest), {}
            case "GET", ["pricing", "v1", "Messaging", "Countries", country]:
                return 200, self._prices(country), {}
            case "GET", ["accounts", "v1", "Messaging", "GeoPermissions"]:
                return 200, {"permissions": self._permissions(query.get("CountryCode"))}, {}
        raise self._error(404, 20404, f"The requested resource {path} was not found")

    def _error(self, status: int, code: int, text: str) -> Exception:
        more = f"https://www.twilio.com/docs/errors/{code}"
        body = {"code": code, "message": text, "more_info": more, "status": status}
        return self._refused(status, body)

    def _account(self) -> Any:
        return {
            "sid": ACCOUNT,
            "friendly_name": "BookedBarber",
            "type": self.setting("type", "Full"),
            "status": self.setting("status", "active"),
        }

    def _of_account(
        self, method: str, rest: list[str], query: Form, form: Form
    ) -> tuple[int, Any, dict[str, str]]:
        match method, rest:
            case "GET", ["Balance"]:
                balance = self.setting("balance", "412.50")
                return 200, {"account_sid": ACCOUNT, "balance": balance, "currency": "USD"}, {}
            case "GET", ["IncomingPhoneNumbers"]:
                known = [n for n in (SENDER, TEST) if query.get("PhoneNumber", n) == n]
                found = [self._number(n) for n in known]
                uri = f"/2010-04-01/Accounts/{ACCOUNT}/IncomingPhoneNumbers.json"
                about = {"page": 0, "page_size": 50, "uri": uri, "next_page_uri": None}
                return 200, {"incoming_phone_numbers": found, **about}, {}
            case "POST", ["Messages"]:
                return 201, self._send(form), {}
            case "GET", ["Messages", sid] if sid in self._messages:
                return 200, self._messages[sid], {}
        raise self._error(404, 20404, "The requested resource was not found")

    def _number(self, number: str) -> Any:
        capable = bool(self.setting("capable", True))
        return {
            "sid": f"PN{int(number):032d}",
            "account_sid": ACCOUNT,
            "phone_number": number,
            "friendly_name": number,
            "capabilities": {"sms": capable, "voice": True, "mms": capable},
            "status": "in-use",
            "sms_url": f"https://{EDGE_HOSTS[0]}{INBOUND_PATH}",
            "bundle_sid": None,
        }

    def _messaging(self, rest: list[str]) -> Any:
        campaign = {
            "sid": CAMPAIGN,
            "account_sid": ACCOUNT,
            "brand_registration_sid": BRAND,
            "messaging_service_sid": SERVICE,
            "campaign_status": self.setting("campaign", "VERIFIED"),
        }
        number = {"sid": f"PN{int(SENDER):032d}", "service_sid": SERVICE, "phone_number": SENDER}
        service = {"sid": SERVICE, "account_sid": ACCOUNT, "friendly_name": "customers"}
        match rest:
            case ["Services"]:
                return self._listed("services", [service])
            case ["Services", sid, "PhoneNumbers"] if sid == SERVICE:
                return self._listed("phone_numbers", [number])
            case ["Services", sid, "Compliance", "Usa2p"] if sid == SERVICE:
                return self._listed("compliance", [campaign])
            case ["a2p", "BrandRegistrations", sid] if sid == BRAND:
                return {"sid": BRAND, "account_sid": ACCOUNT, "status": "APPROVED"}
            case ["Tollfree", "Verifications"]:
                return self._listed("verifications", [])
        raise self._error(404, 20404, "The requested resource was not found")

    @staticmethod
    def _listed(key: str, found: list[Any]) -> Any:
        return {key: found, "meta": {"key": key, "page": 0, "page_size": 50, "next_page_url": None}}

    def _prices(self, country: str) -> Any:
        if country not in PRICE:
            raise self._error(404, 20404, f"{country} was not found")
        price = {"base_price": PRICE[country], "current_price": PRICE[country]}
        carrier = {"carrier": "any", "mcc": "310", "mnc": "1"}
        return {
            "country": country,
            "iso_country": country,
            "price_unit": "USD",
            "outbound_sms_prices": [{**carrier, "prices": [{**price, "number_type": "local"}]}],
            "inbound_sms_prices": [],
        }

    def _permissions(self, country: str | None) -> list[Any]:
        blocked = self.setting("blocked", [])
        return [
            {"country_code": one, "type": "country", "enabled": one not in blocked}
            for one in COUNTRIES
            if country in {None, one}
        ]

    # -- sending -------------------------------------------------------------------------------

    def _send(self, form: Form) -> Any:
        to, sender, body = (form.get(key, "") for key in ("To", "From", "Body"))
        if not re.fullmatch(r"\+[1-9]\d{6,14}", to):
            raise self._error(400, 21211, f"Invalid 'To' Phone Number: {to}")
        if sender not in (SENDER, TEST):
            raise self._error(400, 21606, f"The 'From' phone number {sender} is not yours")
        if (sender, to) in self._stopped and self.setting("heeds_stop", True):
            raise self._error(400, 21610, "Attempt to send to unsubscribed recipient")
        status, code = "delivered", None
        if to == NOBODYS:
            status, code = self.setting("invalid", "undelivered"), 30005
        elif not self.setting("delivers", True):
            status, code = "undelivered", 30003
        if status == "delivered":
            code = None
        sid = f"SM{secrets.token_hex(16)}"
        at = format_datetime(datetime.now(UTC))
        made = {
            "sid": sid,
            "account_sid": ACCOUNT,
            "from": sender,
            "to": to,
            "body": body,
            "direction": "outbound-api",
            "status": status,
            "error_code": code,
            "error_message": None if code is None else "Unknown destination handset",
            "num_segments": "1",
            "date_created": at,
            "date_sent": at,
            "date_updated": at,
            "uri": f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{sid}.json",
        }
        self._messages[sid] = made
        word = body.strip().upper()
        if to == SENDER and word == "STOP":
            self._stopped.add((SENDER, sender))
        if to == SENDER and word == "START":
            self._stopped.discard((SENDER, sender))
        calls = []
        if form.get("StatusCallback"):
            fields = {
                "MessageSid": sid,
                "MessageStatus": status,
                "SmsSid": sid,
                "SmsStatus": status,
            }
            fields |= {"To": to, "From": sender, "AccountSid": ACCOUNT, "ApiVersion": "2010-04-01"}
            if code is not None:
                fields["ErrorCode"] = str(code)
            calls.append((form["StatusCallback"], fields))
        if to == SENDER:
            fields = {"MessageSid": sid, "From": sender, "To": to, "Body": body}
            fields |= {"AccountSid": ACCOUNT, "SmsStatus": "received"}
            calls.append((f"https://{EDGE_HOSTS[0]}{INBOUND_PATH}", fields))
        threading.Thread(target=self._call_back, args=(calls,), daemon=True).start()
        # That it has arrived is told by the next look, as with the real one.
        return {**made, "status": "queued", "error_code": None, "error_message": None}

    def _call_back(self, calls: list[tuple[str, dict[str, str]]]) -> None:
        for url, fields in calls:
            token = self._r.secret(TOKEN) if self.setting("signs", True) else "another"
            headers = {
                "Content-Type": "application/x-www-form-urlencoded",
                "X-Twilio-Signature": signature(token, url, fields),
            }
            self._post(url, urlencode(fields).encode(), headers)
