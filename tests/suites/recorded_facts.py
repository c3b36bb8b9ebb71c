"""What the newest looks at items have on record of their probes, literally: by item and probe."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

KEYS = ("DATABASE_URL", "LOG_LEVEL")
DIGESTS = {"DATABASE_URL": "a1b2c3d4e5f60718", "LOG_LEVEL": "0f1e2d3c4b5a6978"}
INSTANCES = ("app-1", "app-2")

IMAGE = "ab" * 32
FILES = {
    "release/config/app.env": "e0" * 32,
    "js/app.js": "f0" * 32,
    "k8s/app.yaml": "d0" * 32,
    "app/Chart.yaml": "c0" * 32,
}
"""What the release manifest lists of an archive."""

VERSION = "2026-10-28.endive"
ENTRY = {
    "id": "txn_1",
    "type": "charge",
    "amount_cents": 3100,
    "fee_cents": 120,
    "currency": "usd",
    "day": "2026-11-29",
}


def transaction(intent: str, cents: int, status: str = "succeeded", **changes: Any) -> Any:
    """A synthetic payment that was given back."""
    known = {"intent": intent, "taken_cents": cents, "returned_cents": cents, "status": status}
    return known | changes


def operation(name: str, **changes: Any) -> Any:
    """What became of an operation's calls."""
    known = {"operation": name, "calls": 7, "statuses": {"200": 2, "405": 5}, "p95_ms": 27.8}
    return known | {"failures": []} | changes


def hit(kind: str, to: str) -> Any:
    """A hit of a landing page."""
    known = dict.fromkeys(("event", "value", "currency", "transaction"), "")
    return {"kind": kind, "step": "landing", "to": to, "personal": [], **known}


FACTS: dict[str, dict[str, Any]] = {
    "D-11.1.1": {
        "webhook_drill": {"transactions": [transaction("pi_1", 0, "canceled")]},
        "webhook_endpoints": {
            "account": "acct_1",
            "all": [{"enabled": True, "api_version": VERSION, "livemode": False}],
        },
    },
    "D-11.1.2": {"payment_drill": {"transactions": [transaction("pi_2", 3100)]}},
    "D-11.1.3": {"payout_drill": {"transactions": [transaction("pi_3", 3300)]}},
    "D-11.1.4": {"refund_drill": {"transactions": [transaction("pi_4", 3100)]}},
    "D-11.1.5": {
        "reconciliation": {"days": ["2026-11-29"], "stripe": [ENTRY], "ledger": [ENTRY]},
    },
    "D-11.2.1": {
        "calendar_client": {"client_id": "4711-a.apps.googleusercontent.com"},
        "calendar_grant": {"failure": "", "refresh_lives_s": None},
    },
    "D-11.2.2": {"customer_mail_account": {"name": "shop-live", "plan": "paid"}},
    "D-11.2.3": {"customer_sms_account": {"sid": "AC1", "kind": "Full"}},
    "D-11.2.4": {
        "profile_grant": {
            "failure": "",
            "client_id": "4712-a.apps.googleusercontent.com",
            "refresh_lives_s": None,
        }
    },
    "D-11.2.5": {
        "analytics_visits": {
            "steps": [],
            "pages": 1,
            "undecided": [],
            "refused": [],
            "accepted": [[hit("GA4", "G-1"), hit("Meta", "99")]],
            "containers": ["GTM-1"],
        }
    },
    "D-11.3.1": {
        "api_run": {
            "tag": "v2.0.0",
            "document": 2,
            "operations": [operation("GET /health"), operation("GET /me", calls=4)],
        }
    },
    "D-11.3.3": {"api_document": {"operations": 2}},
    "D-12.1.1": {"release_images": {"built": [{"name": "backend", "digest": f"sha256:{IMAGE}"}]}},
    "D-12.1.3": {
        "packaged_configuration": {
            "keys": list(KEYS),
            "digests": {"config/app.env": "e0" * 32},
            "bundle_digests": {"js/app.js": "f0" * 32},
        }
    },
    "D-12.2.1": {"manifest_validation": {"digests": {"k8s/app.yaml": "d0" * 32}}},
    "D-12.2.2": {"helm_chart": {"digests": {"helm/app/Chart.yaml": "c0" * 32}}},
    "D-12.3.1": {
        "process_variables": {
            "released": DIGESTS,
            "processes": {name: {"instance": name, "digests": DIGESTS} for name in INSTANCES},
        }
    },
    "D-12.3.2": {"configured_secrets": {"resolved": {"DATABASE_URL": DIGESTS["DATABASE_URL"]}}},
    "D-12.3.3": {
        "flag_table": {"entries": [{"name": "booking", "launch": "on"}]},
        "flags": {"all": {"booking": {"enabled": True}}},
        "flag_outage": {"answers": {"booking": True}},
    },
    "D-12.3.4": {"config_drift": {"differences": {"balancer": 0.0, "flags": 0.0}}},
    "D-12.3.5": {"config_rollback": {"duration_min": 3.2}},
}
"""Everything in order."""


def facts(item: str = "", probe: str = "", **changes: Any) -> dict[str, dict[str, Any]]:
    """All of it, one probe of an item with other fields; without any, it could not look."""
    found = deepcopy(FACTS)
    if probe and changes:
        found[item][probe].update(changes)
    elif probe:
        del found[item][probe]
    return found
