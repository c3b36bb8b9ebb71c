"""The account that customers' mail is sent from, as SendGrid's v3 API has it.

What it takes for the seed mailbox it delivers there at once, signed with DKIM; of everything it
takes it posts events to the application, signed as SendGrid's event webhook signs them.

Settings that a fault may override at any time (part `integrations`): `mail_scopes`,
`mail_account`, `mail_plan`, `mail_credits`, `mail_domain_valid`, `mail_records` (laid over the
nameserver's, None: gone), `mail_key_known`, `mail_suppresses`, `mail_altered`, `mail_delivers`,
`mail_signs`.
"""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from functools import cached_property
from pathlib import Path
from typing import Any

from rehearsal.kernel.files import write_secret
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.saas.mailbox import Mailbox
from rehearsal.parts.saas.nameserver import Records

ACCOUNT = "bookedbarber-live"
DOMAIN = "notify.bookedbarber.example"
SENDER = f"bookings@{DOMAIN}"
SEED = "seed@inbox.bookedbarber.example"
SUPPRESSED = "seed+suppressed@inbox.bookedbarber.example"
SCOPES = ("mail.send",)
UNASKED_SCOPES = ("2fa_required", "sender_verification_eligible")
"""What SendGrid gives every key beside what it was made for."""
KEY, READING_KEY = "customer-mail-key", "customer-mail-reading-key"
EVENT_KEY = "customer-mail-event-key"
MAILBOX_PASSWORD = "seed-mailbox-password"  # noqa: S105 - the name of its file
EVENTS_PATH = "/api/v2/webhooks/sendgrid"
CREDITS = {"remain": 1_450_000, "total": 1_500_000, "used": 50_000, "overage": 0}
_NUMBER = "u1234567"


def key(r: Rehearsal, name: str = KEY) -> str:
    """A key as SendGrid makes them, the same at every call: its id lies between its dots."""
    path = r.path("secrets", name)
    if not path.exists():
        write_secret(path, f"SG.{secrets.token_urlsafe(16)}.{secrets.token_urlsafe(32)}")
    return path.read_text().strip()


def event_keys(r: Rehearsal) -> tuple[Path, str]:
    """The file of the private key that events are signed with, and the public one in base 64."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    path = r.path("secrets", EVENT_KEY)
    if not path.exists():
        made = ec.generate_private_key(ec.SECP256R1())
        pem = made.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        write_secret(path, pem.decode())
    known = serialization.load_pem_private_key(path.read_bytes(), None)
    der = known.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return path, base64.b64encode(der).decode()


class SendGrid:
    """One account.

    :param post: delivers a body with headers to a path of the application.
    :param refused: makes the exception that an answer other than 2xx is.
    """

    def __init__(
        self,
        r: Rehearsal,
        mailbox: Mailbox,
        post: Callable[[str, bytes, dict[str, str]], int],
        refused: Callable[[int, Any], Exception],
    ) -> None:
        self._r, self._mailbox, self._post, self._refused = r, mailbox, post, refused
        self._suppressed: set[str] = set()

    def setting(self, name: str, default: Any) -> Any:
        """A setting, as a fault has it."""
        return self._r.setting("integrations", f"mail_{name}", default)

    # -- the API -------------------------------------------------------------------------------

    def answer(
        self, given: str, method: str, path: str, body: Any
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, document (None: none) and headers."""
        scopes = list(self.setting("scopes", SCOPES))
        if given == f"Bearer {key(self._r, READING_KEY)}":
            may = {"*"}
        elif given == f"Bearer {key(self._r)}":
            may = {*scopes, "scopes.read"}
        else:
            raise self._errors(401, "The provided authorization grant is invalid")

        def needs(scope: str) -> None:
            if not may & {"*", scope}:
                raise self._errors(403, "access forbidden")

        match method, path.strip("/").split("/"):
            case "GET", ["scopes"]:
                return 200, {"scopes": [*scopes, *UNASKED_SCOPES]}, {}
            case "POST", ["mail", "send"]:
                needs("mail.send")
                return 202, None, {"X-Message-Id": self._send(body)}
            case _ if "*" not in may:
                raise self._errors(403, "access forbidden")
            case "GET", ["api_keys", ident]:
                known = key(self._r).split(".")[1]
                if ident != known or not self.setting("key_known", True):
                    raise self._errors(404, "unable to find API key")
                return 200, {"api_key_id": ident, "name": "production", "scopes": scopes}, {}
            case "GET", ["user", "username"]:
                return 200, {"username": self.setting("account", ACCOUNT), "user_id": 7}, {}
            case "GET", ["user", "account"]:
                return 200, {"type": self.setting("plan", "paid"), "reputation": 99.4}, {}
            case "GET", ["user", "credits"]:
                today = datetime.now(UTC).date()
                following = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
                about = {"reset_frequency": "monthly", "last_reset": f"{today.replace(day=1)}"}
                about["next_reset"] = f"{following}"
                return 200, {**CREDITS, **about, **self.setting("credits", {})}, {}
            case "GET", ["whitelabel", "domains"]:
                return 200, [self._domain()], {}
            case "POST", ["asm", "suppressions", "global"]:
                self._suppressed.update(body["recipient_emails"])
                return 201, {"recipient_emails": body["recipient_emails"]}, {}
            case "GET", ["asm", "suppressions", "global", email]:
                there = email in self._suppressed
                return 200, {"recipient_email": email} if there else {}, {}
            case "DELETE", ["asm", "suppressions", "global", email]:
                self._suppressed.discard(email)
                return 204, None, {}
        raise self._errors(404, "Not Found")

    def _errors(self, status: int, text: str) -> Exception:
        return self._refused(status, {"errors": [{"message": text, "field": None, "help": None}]})

    def _domain(self) -> Any:
        valid = bool(self.setting("domain_valid", True))
        hosts = {
            "mail_cname": (f"em7.{DOMAIN}", f"{_NUMBER}.wl001.sendgrid.example"),
            "dkim1": (f"s1._domainkey.{DOMAIN}", f"s1.domainkey.{_NUMBER}.wl001.sendgrid.example"),
            "dkim2": (f"s2._domainkey.{DOMAIN}", f"s2.domainkey.{_NUMBER}.wl001.sendgrid.example"),
        }
        return {
            "id": 7,
            "subdomain": "em7",
            "domain": DOMAIN,
            "username": ACCOUNT,
            "automatic_security": True,
            "default": True,
            "valid": valid,
            "dns": {
                kind: {"valid": valid, "type": "cname", "host": host, "data": to}
                for kind, (host, to) in hosts.items()
            },
        }

    # -- sending -------------------------------------------------------------------------------

    def _send(self, mail: Any) -> str:
        ident = secrets.token_urlsafe(16)
        sender = str(mail["from"]["email"])
        if sender.rpartition("@")[2] != DOMAIN:
            raise self._errors(403, "The from address does not match a verified Sender Identity")
        for n, person in enumerate(mail["personalizations"]):
            for to in person["to"]:
                self._deliver(f"{ident}.recvd-{n}", sender, str(to["email"]), mail)
        return ident

    def _deliver(self, ident: str, sender: str, to: str, mail: Any) -> None:
        custom = mail.get("custom_args", {})
        if to in self._suppressed and self.setting("suppresses", True):
            reasons = [{"event": "dropped", "reason": "Unsubscribed Address"}]
        else:
            reasons = [{"event": "processed"}, {"event": "delivered", "response": "250 OK"}]
            if self.setting("delivers", True) and to in {SEED, SUPPRESSED}:
                self._mailbox.deliver(self._signed(sender, to, mail))
        about = {"email": to, "timestamp": int(time.time()), "sg_message_id": ident, **custom}
        events = [{**about, "sg_event_id": secrets.token_urlsafe(16), **one} for one in reasons]
        threading.Thread(target=self._notify, args=(events,), daemon=True).start()

    def _notify(self, events: list[Any]) -> None:
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        body, at = json.dumps(events).encode(), str(int(time.time()))
        headers = {"Content-Type": "application/json"}
        if self.setting("signs", True):
            private = serialization.load_pem_private_key(event_keys(self._r)[0].read_bytes(), None)
            assert isinstance(private, ec.EllipticCurvePrivateKey)
            made = private.sign(at.encode() + body, ec.ECDSA(hashes.SHA256()))
            headers["X-Twilio-Email-Event-Webhook-Signature"] = base64.b64encode(made).decode()
            headers["X-Twilio-Email-Event-Webhook-Timestamp"] = at
        self._post(EVENTS_PATH, body, headers)

    def _signed(self, sender: str, to: str, mail: Any) -> bytes:
        import dkim

        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = sender, to, mail["subject"]
        message["Date"] = format_datetime(datetime.now(UTC))
        message["Message-ID"] = make_msgid(domain=DOMAIN)
        for name, value in mail.get("headers", {}).items():
            message[name] = value
        message.set_content("\n".join(part["value"] for part in mail["content"]))
        raw = message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        covered = [b"from", b"to", b"subject", b"date", b"message-id"]
        line = dkim.sign(raw, b"s1", DOMAIN.encode(), self._dkim[0], include_headers=covered)
        added = b"-- \r\nsent by somebody else\r\n" if self.setting("altered", False) else b""
        return bytes(line + raw + added)

    @cached_property
    def _dkim(self) -> tuple[bytes, str]:
        """The private key in PEM, and the public one as its record has it."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = made.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        der = made.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return pem, base64.b64encode(der).decode()

    def records(self) -> Records:
        """What the nameserver tells of the sender's domain."""
        found: Records = {}
        for about in self._domain()["dns"].values():
            found[about["host"], "CNAME"] = [f"{about['data']}."]
        public = self._dkim[1]
        halves = f'"k=rsa; t=s; p={public[:200]}" "{public[200:]}"'
        for n in (1, 2):
            found[f"s{n}.domainkey.{_NUMBER}.wl001.sendgrid.example", "TXT"] = [halves]
        spf = '"v=spf1 ip4:192.0.2.0/24 -all"'
        found[f"{_NUMBER}.wl001.sendgrid.example", "TXT"] = [spf]
        found["_dmarc.bookedbarber.example", "TXT"] = [
            '"v=DMARC1; p=quarantine; rua=mailto:dmarc@bookedbarber.example"'
        ]
        for name, changed in self.setting("records", {}).items():
            host, _, kind = name.rpartition("/")
            if changed is None:
                found.pop((host, kind), None)
            else:
                found[host, kind] = changed
        return found
