"""The services behind the product, each speaking its real API, in one process.

    /sendgrid/v3/...     the account that customers' mail is sent from; its mailbox over IMAP,
                         its DNS records from a nameserver
    /twilio/...          the account that texts to customers are sent from
    /google/...          OAuth and the calendar that a barber has connected
    /profile/...         the shops' profiles at Google
    /collectors/...      Google Tag Manager, GA4 and Meta's pixel

What each says, and what faults may change of it, stands in its own module beside this one.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from rehearsal.kernel.world import Rehearsal
from rehearsal.parts import Endpoints, Part, answers
from rehearsal.parts.saas import (
    business_profile,
    collectors,
    google,
    mailbox,
    nameserver,
    sendgrid,
    twilio,
)
from rehearsal.parts.traffic.hosts import EDGE_HOSTS, authority

PUBLIC_URL = f"https://{EDGE_HOSTS[0]}"
IMAP, DNS = "integrations-imap", "integrations-dns"
BARBER = 60
"""One of the seed's barbers, with a connected calendar; the workload books the first twenty."""


class Integrations(Part):
    name = "integrations"
    title = "mail, SMS, Google and analytics of the product"
    port_names = ("integrations", IMAP, DNS)

    def prepare(self, r: Rehearsal) -> None:
        sendgrid.event_keys(r)

    def command(self, r: Rehearsal) -> list[str]:
        words = [str(r.port(name)) for name in self.ports]
        return [sys.executable, "-m", "rehearsal.parts.saas.integrations", *words, str(r.folder)]

    def ready(self, r: Rehearsal) -> bool:
        return answers(r.port(self.name))

    def endpoints(self, r: Rehearsal) -> Endpoints:
        google.client_secret(r)
        for name in (sendgrid.KEY, sendgrid.READING_KEY):
            sendgrid.key(r, name)
        return {
            "customer_mail": {
                "url": r.url(self.name, "/sendgrid"),
                "account": sendgrid.ACCOUNT,
                "key": r.secret_reference(sendgrid.KEY),
                "reading_key": r.secret_reference(sendgrid.READING_KEY),
                "sender": sendgrid.SENDER,
                "seed": sendgrid.SEED,
                "suppressed": sendgrid.SUPPRESSED,
                "mailbox": f"imap://127.0.0.1:{r.port(IMAP)}",
                "mailbox_user": sendgrid.SEED,
                "mailbox_password": r.secret_reference(sendgrid.MAILBOX_PASSWORD),
                "nameservers": [f"127.0.0.1:{r.port(DNS)}"],
            },
            "customer_sms": {
                "url": r.url(self.name, "/twilio"),
                "account": twilio.ACCOUNT,
                "token": r.secret_reference(twilio.TOKEN),
                "sender": twilio.SENDER,
                "test_number": twilio.TEST,
                "nobodys_number": twilio.NOBODYS,
                "countries": list(twilio.COUNTRIES),
                "callback_base": PUBLIC_URL,
            },
            "customer_calendar": {
                "url": r.url(self.name, "/google/calendar/v3/"),
                "token_url": r.url(self.name, "/google/token"),
                "tokeninfo_url": r.url(self.name, "/google/tokeninfo"),
                "consent_url": r.url(self.name, "/google/o/oauth2/"),
                "project": google.PROJECT,
                "client_id": google.CLIENT,
                "client_secret": r.secret_reference(google.CLIENT_SECRET),
                "refresh_token": r.secret_reference(google.REFRESH_TOKEN),
                "calendar": google.CALENDAR,
                "barber_id": BARBER,
                "time_zone": google.ZONE,
            },
            "business_profile": {
                "url": r.url(self.name, "/profile"),
                "token_url": r.url(self.name, "/google/token"),
                "tokeninfo_url": r.url(self.name, "/google/tokeninfo"),
                "client_id": google.CLIENT,
                "client_secret": r.secret_reference(google.CLIENT_SECRET),
                "refresh_token": r.secret_reference(google.PROFILE_TOKEN),
                "account": business_profile.ACCOUNT,
                "shops": [
                    {"shop": f"shop-{n}", "location": at}
                    for at, n in business_profile.LOCATIONS.items()
                ],
            },
            "analytics": {
                "container": collectors.CONTAINER,
                "measurement_id": collectors.MEASUREMENT,
                "pixel_id": collectors.PIXEL,
                "container_urls": [collectors.url(r, "/gtm.js")],
                "ga4_urls": [collectors.url(r, "/g/collect")],
                "meta_urls": [collectors.url(r, "/tr")],
            },
        }


def variables(r: Rehearsal) -> dict[str, str]:
    """The product's variables that have to do with these services, beside those of its released
    configuration."""
    return {
        "SENDGRID_API_URL": r.url(integrations.name, "/sendgrid"),
        "SENDGRID_FROM": sendgrid.SENDER,
        "SENDGRID_WEBHOOK_PUBLIC_KEY": sendgrid.event_keys(r)[1],
        "PUBLIC_URL": PUBLIC_URL,
        "GTM_URL": collectors.url(r, "/gtm.js"),
        "GOOGLE_API_URL": r.url(integrations.name, "/google"),
        "GOOGLE_CALENDAR_BARBER": str(BARBER),
        "GOOGLE_CALENDAR_ID": google.CALENDAR,
        "GOOGLE_CALENDAR_ZONE": google.ZONE,
        "GOOGLE_CALENDAR_REFRESH_TOKEN": r.secret(google.REFRESH_TOKEN),
    }


def keys(r: Rehearsal) -> dict[str, str]:
    """The product's keys to these services, by the names of its variables."""
    return {
        "SENDGRID_API_KEY": sendgrid.key(r),
        "TWILIO_ACCOUNT_SID": twilio.ACCOUNT,
        "TWILIO_AUTH_TOKEN": r.secret(twilio.TOKEN),
        "GOOGLE_CLIENT_SECRET": google.client_secret(r),
    }


class Refused(Exception):
    """An answer other than 2xx: its status, and what the service says."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.status, self.body = status, body


class Services:
    """All of them, with what they keep."""

    def __init__(self, r: Rehearsal) -> None:
        self.r = r
        password = r.secret(sendgrid.MAILBOX_PASSWORD)
        self.mailbox = mailbox.Mailbox(sendgrid.SEED, password)
        self.sendgrid = sendgrid.SendGrid(r, self.mailbox, self.post, Refused)
        self.twilio = twilio.Twilio(r, self.post, Refused)
        self.google = google.Google(r, Refused)
        self.profile = business_profile.BusinessProfile(self.google)

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> int:
        """Deliver a callback to the application, as its users reach it; the status."""
        import urllib3

        url = urlsplit(path if path.startswith("http") else f"{PUBLIC_URL}{path}")
        named = {**headers, "Host": url.netloc}
        try:
            with urllib3.HTTPSConnectionPool(
                "127.0.0.1",
                self.r.port("edge-1"),
                server_hostname=url.netloc,
                assert_hostname=url.netloc,
                ca_certs=str(authority(self.r).root),
                timeout=10,
                retries=False,
            ) as edge:
                return edge.request("POST", url.path, body=body, headers=named).status
        except urllib3.exceptions.HTTPError as e:
            print(f"{url.geturl()}: {e}", file=sys.stderr, flush=True)
            return 0

    def answer(
        self, given: Any, method: str, path: str, query: dict[str, str], content: bytes
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, document (bytes: as they are, None: none) and headers. Raises Refused."""
        authorization = str(given.get("Authorization", ""))
        if path.startswith("/sendgrid/v3/"):
            body = json.loads(content) if content else None
            rest = path.removeprefix("/sendgrid/v3")
            return self.sendgrid.answer(authorization, method, rest, body)
        if path.startswith("/twilio/"):
            form = dict(parse_qsl(content.decode(), keep_blank_values=True))
            rest = path.removeprefix("/twilio")
            return self.twilio.answer(authorization, method, rest, query, form)
        if path.startswith("/collectors/"):
            return collectors.answer(self.r, path.removeprefix("/collectors"), query)
        if path.startswith("/profile/"):
            rest = path.removeprefix("/profile")
            return self.profile.answer(authorization, method, rest, query)
        if path.startswith("/google/"):
            is_json = "json" in str(given.get("Content-Type", ""))
            form = {} if is_json else dict(parse_qsl(content.decode()))
            body = json.loads(content) if is_json and content else None
            rest = path.removeprefix("/google")
            return self.google.answer(authorization, method, rest, query, form, body)
        raise Refused(404, {"message": f"there is no {method} {path}"})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    services: Services

    def _serve(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        split = urlsplit(self.path)
        path, query = unquote(split.path), dict(parse_qsl(split.query, keep_blank_values=True))
        try:
            status, document, headers = self.services.answer(
                self.headers, self.command, path, query, content
            )
        except Refused as refused:
            status, document, headers = refused.status, refused.body, {}
        except (ValueError, KeyError, TypeError) as error:
            status, document, headers = 400, {"message": f"Bad request: {error!r}"}, {}
        kind = {"Content-Type": "application/json; charset=utf-8"}
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        if document is None:
            kind, body = {}, b""
        self.send_response(status)
        for name, value in {**kind, **headers}.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Nothing that anybody reads."""


def main(port: int, imap: int, dns: int, folder: Path) -> None:
    services = _Handler.services = Services(Rehearsal(folder))
    mailbox.serve(imap, services.mailbox)
    nameserver.serve(dns, services.sendgrid.records)
    ThreadingHTTPServer.daemon_threads = True
    ThreadingHTTPServer(("127.0.0.1", port), _Handler).serve_forever()


integrations = Integrations()
PARTS = (integrations,)

if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
