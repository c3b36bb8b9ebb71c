"""Calendar, mail, text messages and paging, each speaking its real API, in one process.

    /calendar/v3/...         Google Calendar
    /v3/...                  SendGrid; POST /v3/mail/send delivers at once
    /2010-04-01/...          Twilio; what is sent is delivered at once
    /inbound/mail?since=ISO  the mails that came back, as a receiver of SendGrid's Inbound Parse
                             keeps them
    POST /pager/level-N      Alertmanager's webhook (see rehearsal/staff/pager.py)

Everything sent and received is one line of `messages/log.jsonl`. Who is asked to reply with a code
does so at once, from the phone or the address on the roster.

Settings that a fault may override, at any time: one table for each person's id, with `sms_from`,
`mail_from` (where the answer comes from), `days_ago` (when it came), `late_minutes` (after the
question, by its own clock), `silent`, `undeliverable`, `mail_bounces`;
`nights` (who answered a test by night); `numbers` (that Twilio has for us); `domains`; those of
the pager; every one that begins with `calendar` (see rehearsal/staff/calendar.py).
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from hmac import compare_digest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit
from zoneinfo import ZoneInfo

from rehearsal.kernel.world import Rehearsal
from rehearsal.parts import Endpoints, Part
from rehearsal.staff import calendar as launch_calendar
from rehearsal.staff import people
from rehearsal.staff.pager import Pager, escalation

if TYPE_CHECKING:
    from collections.abc import Iterator

CALENDAR_TOKEN, MAIL_KEY, SMS_TOKEN = "calendar-token", "mail-key", "sms-token"
INBOX_KEY = "inbox-key"
ACCOUNT = "AC" + "7b" * 16
NUMBER = "+12025550180"
SENDER, REPLY_TO = "launch@mail.bookedbarber.example", "reply@mail.bookedbarber.example"
MAIL_DOMAIN = "mail.bookedbarber.example"
MOST_PER_PAGE = 20
"""Fewer than the services' own: whoever reads the first page only is to notice here as well."""
_CODE = re.compile(r"[Rr]eply with (?:the code )?([A-Z0-9]{6,})")
_NIGHT = (("23:10", 4), ("23:12", 6))
"""When, on the evening before, the test by night was sent, and the minutes until the answer."""
Query = dict[str, str]
Entry = dict[str, Any]


class Messages(Part):
    name = "messages"
    title = "calendar, mail, text messages, pager"

    def command(self, r: Rehearsal) -> list[str]:
        words = [str(r.port(self.name)), str(r.folder), f"http://127.0.0.1:{r.port('saas-stubs')}"]
        return [sys.executable, "-m", "rehearsal.parts.people.messages", *words]

    def environment(self, r: Rehearsal) -> dict[str, str]:
        return {
            "MESSAGES_CALENDAR_TOKEN": r.secret(CALENDAR_TOKEN),
            "MESSAGES_MAIL_KEY": r.secret(MAIL_KEY),
            "MESSAGES_SMS_TOKEN": r.secret(SMS_TOKEN),
            "MESSAGES_INBOX_KEY": r.secret(INBOX_KEY),
        }

    def endpoints(self, r: Rehearsal) -> Endpoints:
        return {
            "calendar": {
                "url": r.url(self.name, "/calendar/v3/"),
                "calendar": launch_calendar.CALENDAR,
                "credentials": r.secret_reference(CALENDAR_TOKEN),
                "time_zone": launch_calendar.ZONE,
            },
            "mail": {
                "url": r.url(self.name),
                "key": r.secret_reference(MAIL_KEY),
                "sender": SENDER,
                "reply_to": REPLY_TO,
                "inbox": r.url(self.name, "/inbound/mail"),
                "inbox_key": r.secret_reference(INBOX_KEY),
            },
            "sms": {
                "url": r.url(self.name),
                "account": ACCOUNT,
                "token": r.secret_reference(SMS_TOKEN),
                "sender": NUMBER,
            },
            "escalation": escalation(r),
        }


class Refused(Exception):
    """An answer other than 200: its status, and what the service says."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.status, self.body = status, body


class Post:
    """Everything sent and received, and the people who answer."""

    def __init__(self, r: Rehearsal) -> None:
        self.r = r
        self._path = r.path("messages", "log.jsonl")
        self._lock = Lock()
        self._entries: list[Entry] = []
        if self._path.exists():
            self._entries = [json.loads(line) for line in self._path.read_text().splitlines()]
        else:
            self._path.touch()

    def entries(self, kind: str) -> list[Entry]:
        """What there is of a kind, newest first; the tests by night included."""
        with self._lock:
            found = [e for e in (*self._entries, *self._nights()) if e["kind"] == kind]
        return sorted(found, key=lambda e: str(e["at"]), reverse=True)

    def send_text(self, to: str, body: str, sender: str = NUMBER) -> Entry:
        """Send a text; the person at that number may answer."""
        person = self._person("phone", to)
        lost = person.get("undeliverable", False)
        entry = _text(sender, to, body, datetime.now(UTC), "out", lost=lost)
        self._keep([entry, *([] if lost else self._answers("sms", person, body, sender))])
        return entry

    def send_mail(
        self, to: str, subject: str, text: str, *, ident: str, sender: str, reply_to: str
    ) -> Entry:
        """Send a mail; the person at that address may answer."""
        person = self._person("email", to)
        lost = bool(person.get("mail_bounces", False))
        entry = _mail(ident, sender, to, subject, text, datetime.now(UTC), "out", lost=lost)
        self._keep([entry, *([] if lost else self._answers("mail", person, text, reply_to))])
        return entry

    def page(self, phone: str, address: str, subject: str, text: str) -> None:
        """Send what the pager says to somebody."""
        self.send_text(phone, text)
        ident = f"{secrets.token_urlsafe(16)}.recvd-0"
        self.send_mail(address, subject, text, ident=ident, sender=SENDER, reply_to=REPLY_TO)

    def _answers(self, kind: str, person: Entry, said: str, to: str) -> Iterator[Entry]:
        code = _CODE.search(said)
        if code is None or not person or person.get("silent"):
            return
        at = datetime.now(UTC) - timedelta(days=person.get("days_ago", 0))
        at += timedelta(minutes=person.get("late_minutes", 0))
        if kind == "sms":
            sender = str(person.get("sms_from", person["phone"]))
            yield _text(sender, to, code[1], at, "in")
        else:
            ident, sender = secrets.token_hex(8), str(person.get("mail_from", person["email"]))
            yield _mail(ident, sender, to, f"Re: {code[1]}", f"{code[1]}\n", at, "in")

    def _person(self, key: str, value: str) -> Entry:
        """Who is reached there by the roster, with the settings about that person."""
        roster = tomllib.loads(people.roster(self.r).read_text())
        for person in roster["person"]:
            if person[key] == value:
                return {**person, **self.r.setting("messages", person["id"], {})}
        return {}

    def _nights(self) -> Iterator[Entry]:
        zone = ZoneInfo(launch_calendar.ZONE)
        known = {p.id: p for p in people.PEOPLE}
        backup = next(p.id for p in people.PEOPLE if "security_lead" in p.backs_up)
        wanted = [people.holder("security_lead").id, backup]
        for ident, (clock, minutes) in zip(
            self.r.setting("messages", "nights", wanted), _NIGHT, strict=False
        ):
            at = datetime.now(zone).replace(
                hour=int(clock[:2]), minute=int(clock[3:]), second=0, microsecond=0
            ) - timedelta(days=1)
            code, phone = f"NIGHT{ident.upper()}", people.phone(known[ident])
            said = f"BookedBarber launch contact test. Reply with the code {code}."
            yield _text(NUMBER, phone, said, at, "out", sid=f"SM{code:0>32}".lower())
            answered = at + timedelta(minutes=minutes)
            yield _text(phone, NUMBER, code, answered, "in", sid=f"SM{code:1>32}".lower())

    def _keep(self, entries: Iterable[Entry]) -> None:
        with self._lock, self._path.open("a") as file:
            for entry in entries:
                self._entries.append(entry)
                file.write(json.dumps(entry) + "\n")


def _text(
    sender: str, to: str, body: str, at: datetime, way: str, *, lost: bool = False, sid: str = ""
) -> Entry:
    return {
        "kind": "sms",
        "sid": sid or f"SM{secrets.token_hex(16)}",
        "from": sender,
        "to": to,
        "body": body,
        "at": at.astimezone(UTC).isoformat(),
        "way": way,
        "status": "received" if way == "in" else "undelivered" if lost else "delivered",
    }


def _mail(
    ident: str,
    sender: str,
    to: str,
    subject: str,
    text: str,
    at: datetime,
    way: str,
    *,
    lost: bool = False,
) -> Entry:
    return {
        "kind": "mail" if way == "out" else "inbound",
        "id": ident,
        "from": sender,
        "to": to,
        "subject": subject,
        "text": text,
        "at": at.astimezone(UTC).isoformat(),
        "status": "not_delivered" if lost else "delivered",
    }


# -- Twilio --------------------------------------------------------------------------------------


class Twilio:
    """The 2010-04-01 API of one account."""

    def __init__(self, post: Post) -> None:
        self._post = post

    def answer(self, method: str, path: str, query: Query, form: Query) -> tuple[int, Any]:
        """Status and document. Raises Refused."""
        prefix = f"/Accounts/{ACCOUNT}"
        rest = path.removesuffix(".json").removeprefix(prefix)
        if not path.startswith(prefix):
            raise self._refused(404, 20404, f"The requested resource {path} was not found")
        match method, rest.strip("/").split("/"):
            case "GET", [""]:
                return 200, {
                    "sid": ACCOUNT,
                    "status": "active",
                    "type": "Full",
                    "friendly_name": "BookedBarber",
                }
            case "GET", ["IncomingPhoneNumbers"]:
                return 200, self._page(
                    path, query, "incoming_phone_numbers", [*map(_number, self._numbers())]
                )
            case "POST", ["Messages"]:
                return 201, self._send(form)
            case "GET", ["Messages"]:
                found = [_message(e) for e in self._post.entries("sms") if _wanted(e, query)]
                return 200, self._page(path, query, "messages", found)
            case "GET", ["Messages", sid]:
                for entry in self._post.entries("sms"):
                    if entry["sid"] == sid:
                        return 200, _message(entry)
        raise self._refused(404, 20404, f"The requested resource {path} was not found")

    def _numbers(self) -> list[str]:
        return list(self._post.r.setting("messages", "numbers", [NUMBER]))

    def _send(self, form: Query) -> Any:
        to, sender, body = (form.get(key, "") for key in ("To", "From", "Body"))
        if not re.fullmatch(r"\+[1-9]\d{6,14}", to):
            raise self._refused(400, 21211, f"Invalid 'To' Phone Number: {to}")
        if sender not in self._numbers():
            raise self._refused(400, 21606, f"The 'From' phone number {sender} is not yours")
        if not body:
            raise self._refused(400, 21602, "Message body is required")
        # That it has arrived is told by the next look, as with the real one.
        return {**_message(self._post.send_text(to, body, sender)), "status": "queued"}

    def _page(self, path: str, query: Query, key: str, found: list[Any]) -> Any:
        page = int(query.get("Page", 0))
        size = min(MOST_PER_PAGE, max(1, int(query.get("PageSize", 50))))
        more = {**query, "Page": page + 1, "PageToken": f"PA{page + 1}"}
        there_is = len(found) > (page + 1) * size
        return {
            key: found[page * size : (page + 1) * size],
            "page": page,
            "page_size": size,
            "uri": f"/2010-04-01{path}",
            "next_page_uri": f"/2010-04-01{path}?{urlencode(more)}" if there_is else None,
        }

    @staticmethod
    def _refused(status: int, code: int, text: str) -> Refused:
        more = f"https://www.twilio.com/docs/errors/{code}"
        return Refused(status, {"code": code, "message": text, "more_info": more, "status": status})


def _wanted(entry: Entry, query: Query) -> bool:
    at = datetime.fromisoformat(entry["at"])

    def moment(key: str) -> datetime | None:
        text = query.get(key)
        if not text:
            return None
        found = datetime.fromisoformat(text)
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    since, until = moment("DateSent>"), moment("DateSent<")
    return (
        query.get("To", entry["to"]) == entry["to"]
        and query.get("From", entry["from"]) == entry["from"]
        and (since is None or at >= since)
        and (until is None or at <= until)
    )


def _message(entry: Entry) -> Any:
    at = format_datetime(datetime.fromisoformat(entry["at"]))
    lost = entry["status"] == "undelivered"
    return {
        "sid": entry["sid"],
        "account_sid": ACCOUNT,
        "from": entry["from"],
        "to": entry["to"],
        "body": entry["body"],
        "direction": "inbound" if entry["way"] == "in" else "outbound-api",
        "status": entry["status"],
        "error_code": 30003 if lost else None,
        "error_message": "Unreachable destination handset" if lost else None,
        "num_segments": str(-(-len(entry["body"]) // 153)),
        "num_media": "0",
        "date_created": at,
        "date_sent": at,
        "date_updated": at,
        "uri": f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{entry['sid']}.json",
    }


def _number(number: str) -> Any:
    return {
        "sid": f"PN{int(number):032d}",
        "account_sid": ACCOUNT,
        "phone_number": number,
        "friendly_name": "Launch",
        "capabilities": {"sms": True, "voice": True, "mms": True},
        "status": "in-use",
    }


# -- SendGrid ------------------------------------------------------------------------------------


class SendGrid:
    """The v3 API of one account, with mail activity."""

    def __init__(self, post: Post) -> None:
        self._post = post

    def answer(
        self, method: str, path: str, query: Query, body: Any
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, document (None: none) and headers. Raises Refused."""
        match method, path.strip("/").split("/"):
            case "POST", ["mail", "send"]:
                return 202, None, {"X-Message-Id": self._send(body)}
            case "GET", ["messages"]:
                return 200, {"messages": self._activity(query)}, {}
            case "GET", ["messages", ident]:
                return 200, self._detail(ident), {}
            case "GET", ["whitelabel", "domains"]:
                found = self._post.r.setting("messages", "domains", [MAIL_DOMAIN])
                return 200, [_domain(n, name) for n, name in enumerate(found, 1)], {}
            case "GET", ["user", "account"]:
                return 200, {"type": "paid", "reputation": 99.7}, {}
            case "GET", ["user", "username"]:
                return 200, {"username": "sg-rehearsal", "user_id": 1}, {}
            case "GET", ["scopes"]:
                scopes = ["mail.send", "messages.read", "user.account.read", "whitelabel.read"]
                return 200, {"scopes": scopes}, {}
        raise _errors(404, "", "Not Found")

    def _send(self, mail: Any) -> str:
        ident = secrets.token_urlsafe(16)
        sender = _address(mail, "from")
        reply_to = mail["reply_to"]["email"] if "reply_to" in mail else sender
        if sender.rpartition("@")[2] not in self._post.r.setting(
            "messages", "domains", [MAIL_DOMAIN]
        ):
            raise _errors(403, "from", "The from address does not match a verified Sender Identity")
        text = "\n".join(part["value"] for part in mail.get("content", []))
        reported = [
            (person, to)
            for person in mail.get("personalizations", [])
            for kind in ("to", "cc", "bcc")
            for to in person.get(kind, [])
        ]
        if not reported:
            raise _errors(400, "personalizations", "At least one recipient is required.")
        for _, to in reported:
            if not re.fullmatch(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+", to["email"]):
                raise _errors(
                    400, "personalizations.0.to.0.email", "Does not contain a valid address."
                )
        for n, (person, to) in enumerate(reported):
            self._post.send_mail(
                to["email"],
                person.get("subject", mail.get("subject", "")),
                text,
                ident=f"{ident}.recvd-{n}",
                sender=sender,
                reply_to=reply_to,
            )
        return ident

    def _activity(self, query: Query) -> list[Any]:
        try:
            limit = min(1000, int(query.get("limit", 10)))
            wanted = _conditions(query.get("query", ""))
        except ValueError as error:
            raise _errors(400, "query", f"invalid query: {error}") from None
        reported = [_reported(e) for e in self._post.entries("mail")]
        return [m for m in reported if all(holds(m) for holds in wanted)][:limit]

    def _detail(self, ident: str) -> Any:
        for entry in self._post.entries("mail"):
            if entry["id"] == ident:
                event = "delivered" if entry["status"] == "delivered" else "bounce"
                at = _reported(entry)["last_event_time"]
                events = [{"event_name": name, "processed": at} for name in ("processed", event)]
                return {**_reported(entry), "events": events, "teaser": entry["text"][:120]}
        raise _errors(404, "msg_id", "Message not found")


def _address(mail: Any, key: str) -> str:
    try:
        return str(mail[key]["email"])
    except (KeyError, TypeError):
        raise _errors(400, key, f"The {key} object must be provided.") from None


def _errors(status: int, field: str, text: str) -> Refused:
    return Refused(status, {"errors": [{"message": text, "field": field or None, "help": None}]})


def _reported(entry: Entry) -> dict[str, Any]:
    at = datetime.fromisoformat(entry["at"])
    return {
        "msg_id": entry["id"],
        "from_email": entry["from"],
        "to_email": entry["to"],
        "subject": entry["subject"],
        "status": entry["status"],
        "opens_count": 0,
        "clicks_count": 0,
        "last_event_time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


_CONDITION = re.compile(
    r'(?P<name>\w+)\s*(?:(?P<how>=|!=|LIKE)\s*"(?P<value>[^"]*)"'
    r'|BETWEEN\s+TIMESTAMP\s*"(?P<since>[^"]*)"\s+AND\s+TIMESTAMP\s*"(?P<until>[^"]*)")',
    re.IGNORECASE,
)


def _conditions(text: str) -> list[Callable[[Mapping[str, Any]], bool]]:
    """Conditions joined by AND. Raises ValueError."""
    found: list[Callable[[Mapping[str, Any]], bool]] = []
    at = 0
    while at < len(text.rstrip()):
        match = _CONDITION.match(text, at)
        if match is None or match["name"] not in _reported({**_EMPTY}):
            raise ValueError(text[at:])
        found.append(_condition(match))
        at = match.end()
        joined = re.compile(r"\s+AND\s+", re.IGNORECASE).match(text, at)
        at = joined.end() if joined else at
        if not joined and at < len(text.rstrip()):
            raise ValueError(text[at:])
    return found


_EMPTY = {
    **dict.fromkeys(("id", "from", "to", "subject", "status"), ""),
    "at": "2026-01-01T00:00:00+00:00",
}


def _condition(match: re.Match[str]) -> Callable[[Mapping[str, Any]], bool]:
    name, how, value = match["name"], (match["how"] or "").upper(), match["value"]
    if not how:
        since, until = match["since"], match["until"]
        return lambda m: since <= str(m[name]) <= until
    if how == "LIKE":
        like = re.compile(".*".join(re.escape(part) for part in value.split("%")), re.DOTALL)
        return lambda m: bool(like.fullmatch(str(m[name])))
    return lambda m: (str(m[name]) == value) is (how == "=")


def _domain(n: int, name: str) -> Any:
    hosts = {"mail_cname": "em1", "dkim1": "s1._domainkey", "dkim2": "s2._domainkey"}
    dns = {
        kind: {"valid": True, "type": "cname", "host": f"{host}.{name}"}
        for kind, host in hosts.items()
    }
    return {
        "id": n,
        "user_id": 1,
        "subdomain": "em1",
        "domain": name,
        "username": "sg-rehearsal",
        "automatic_security": True,
        "default": n == 1,
        "valid": True,
        "dns": dns,
    }


# -- Google Calendar -----------------------------------------------------------------------------


def calendar(now: Mapping[str, Any], method: str, path: str, query: Query, body: Any) -> Any:
    """The v3 API. Raises Refused."""
    match method, path.strip("/").split("/"):
        case "POST", ["freeBusy"]:
            return _free_busy(now, body)
        case "GET", ["calendars", owner, "events"] if owner in (
            launch_calendar.CALENDAR,
            "primary",
        ):
            return _listed(now, query)
        case "GET", ["calendars", owner, "events", ident] if owner in (
            launch_calendar.CALENDAR,
            "primary",
        ):
            for name, event in now["events"].items():
                if launch_calendar.ident(name) == ident:
                    return launch_calendar.reported(name, event)
    error = {"domain": "global", "reason": "notFound", "message": "Not Found"}
    raise Refused(404, {"error": {"errors": [error], "code": 404, "message": "Not Found"}})


def _listed(now: Mapping[str, Any], query: Query) -> Any:
    since, until = (_time(query.get(key)) for key in ("timeMin", "timeMax"))
    found = []
    for name, event in now["events"].items():
        start, end = launch_calendar.times(event)
        if (
            (since is None or end > since)
            and (until is None or start < until)
            and query.get("q", "").lower() in event["summary"].lower()
            and (event["status"] != "cancelled" or query.get("showDeleted") == "true")
        ):
            found.append((start, launch_calendar.reported(name, event)))
    found.sort(key=lambda pair: pair[0])
    at = int(query.get("pageToken", 0))
    size = min(MOST_PER_PAGE // 2, int(query.get("maxResults", 250)))
    more = {"nextPageToken": str(at + size)} if len(found) > at + size else {}
    items = [event for _, event in found[at : at + size]]
    return {"kind": "calendar#events", "timeZone": launch_calendar.ZONE, "items": items, **more}


def _free_busy(now: Mapping[str, Any], body: Any) -> Any:
    since, until = _time(body["timeMin"]), _time(body["timeMax"])
    assert since is not None
    assert until is not None
    reported: dict[str, Any] = {}
    for one in body["items"]:
        mail = one["id"]
        known = any(people.email(p) == mail for p in people.PEOPLE)
        if not known or mail in now["unreadable"]:
            reported[mail] = {"errors": [{"domain": "global", "reason": "notFound"}], "busy": []}
        else:
            reported[mail] = {"busy": launch_calendar.busy(now, mail, since, until)}
    span = {"timeMin": body["timeMin"], "timeMax": body["timeMax"]}
    return {"kind": "calendar#freeBusy", **span, "calendars": reported}


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


# -- serving -------------------------------------------------------------------------------------


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    post: Post
    pager: Pager
    site: str

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def _serve(self, method: str) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        split = urlsplit(self.path)
        path, query = unquote(split.path), dict(parse_qsl(split.query))
        try:
            status, document, headers = self._answer(method, path, query, content)
        except Refused as refused:
            status, document, headers = refused.status, refused.body, {}
        except (ValueError, KeyError, TypeError) as error:
            status, document, headers = 400, {"message": f"Bad request: {error!r}"}, {}
        body = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _answer(
        self, method: str, path: str, query: Query, content: bytes
    ) -> tuple[int, Any, dict[str, str]]:
        if path.startswith("/2010-04-01/"):
            given = f"{ACCOUNT}:{os.environ['MESSAGES_SMS_TOKEN']}".encode()
            self._let_in(
                f"Basic {base64.b64encode(given).decode()}",
                {"code": 20003, "message": "Authenticate", "status": 401},
            )
            form = dict(parse_qsl(content.decode()))
            rest = path.removeprefix("/2010-04-01")
            return (*Twilio(self.post).answer(method, rest, query, form), {})
        if path.startswith("/v3/"):
            denied = {"errors": [{"field": None, "message": "authorization required"}]}
            self._let_in(f"Bearer {os.environ['MESSAGES_MAIL_KEY']}", denied)
            body = json.loads(content) if content else None
            return SendGrid(self.post).answer(method, path.removeprefix("/v3"), query, body)
        if path.startswith("/calendar/v3/"):
            text = "Invalid Credentials"
            error = {"errors": [{"reason": "authError", "message": text}], "code": 401}
            self._let_in(
                f"Bearer {os.environ['MESSAGES_CALENDAR_TOKEN']}",
                {"error": {**error, "message": text}},
            )
            body = json.loads(content) if content else None
            rest = path.removeprefix("/calendar/v3")
            return 200, calendar(self._calendar(), method, rest, query, body), {}
        if path == "/inbound/mail" and method == "GET":
            self._let_in(f"Bearer {os.environ['MESSAGES_INBOX_KEY']}", {"error": "who are you?"})
            return 200, self._inbound(query), {}
        level = re.fullmatch(r"/pager/level-(\d)", path)
        if level and method == "POST":
            self.pager.notify(int(level[1]), json.loads(content))
            return 200, {}, {}
        raise Refused(404, {"message": f"there is no {method} {path}"})

    def _let_in(self, wanted: str, denied: Any) -> None:
        if not compare_digest(self.headers.get("Authorization", "").encode(), wanted.encode()):
            raise Refused(401, denied)

    def _calendar(self) -> dict[str, Any]:
        settings = sorted(self.post.r.overrides("messages").items())
        patches = [patch for name, patch in settings if name.startswith("calendar")]
        timeline = people.papers(self.post.r) / "launch-timeline.md"
        return launch_calendar.state(self.site, timeline, patches)

    def _inbound(self, query: Query) -> list[Any]:
        since = _time(query.get("since"))
        return [
            {"received_at": e["at"], **{key: e[key] for key in ("from", "to", "subject", "text")}}
            for e in self.post.entries("inbound")
            if since is None or datetime.fromisoformat(e["at"]) >= since
        ]

    def log_message(self, *_: object) -> None:
        """The log of messages says it all."""


def main(port: int, folder: Path, site: str) -> None:
    _Handler.post = Post(Rehearsal(folder))
    _Handler.pager = Pager(_Handler.post.r, _Handler.post.page)
    _Handler.site = site
    ThreadingHTTPServer.daemon_threads = True
    ThreadingHTTPServer(("127.0.0.1", port), _Handler).serve_forever()


PARTS = (Messages(),)

if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
