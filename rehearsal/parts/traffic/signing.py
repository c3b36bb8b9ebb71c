"""Signs a body as a provider does: its headers, printed as JSON.

python -m rehearsal.parts.traffic.signing Twilio /api/v2/webhooks/sms < body
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sys
import time
from urllib.parse import parse_qsl

from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.saas import sendgrid, twilio
from rehearsal.parts.saas.integrations import PUBLIC_URL


def headers(r: Rehearsal, provider: str, path: str, body: bytes) -> dict[str, str]:
    """What the provider sends along. Raises KeyError for one that is not known."""
    at = str(int(time.time()))
    return {"Twilio": _twilio, "SendGrid": _sendgrid, "Stripe": _stripe}[provider](
        r, path, body, at
    )


def _twilio(r: Rehearsal, path: str, body: bytes, _: str) -> dict[str, str]:
    form = dict(parse_qsl(body.decode(), keep_blank_values=True))
    url = PUBLIC_URL + path
    return {"X-Twilio-Signature": twilio.signature(r.secret(twilio.TOKEN), url, form)}


def _sendgrid(r: Rehearsal, _: str, body: bytes, at: str) -> dict[str, str]:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    private = serialization.load_pem_private_key(sendgrid.event_keys(r)[0].read_bytes(), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    made = base64.b64encode(private.sign(at.encode() + body, ec.ECDSA(hashes.SHA256())))
    return {
        "X-Twilio-Email-Event-Webhook-Signature": made.decode(),
        "X-Twilio-Email-Event-Webhook-Timestamp": at,
    }


def _stripe(r: Rehearsal, _: str, body: bytes, at: str) -> dict[str, str]:
    secret = r.secret("stripe-webhook-secret").encode()
    digest = hmac.new(secret, at.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={at},v1={digest}"}


if __name__ == "__main__":
    from rehearsal.kernel.world import default_folder

    provider, path = sys.argv[1:3]
    made = headers(Rehearsal(default_folder()), provider, path, sys.stdin.buffer.read())
    print(json.dumps(made))
