"""Google Tag Manager, and where hits of GA4 and of Meta's pixel go.

Settings that a fault may override at any time (part `integrations`): `analytics_measurement`,
`analytics_pixel` (the ids in the container).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rehearsal.kernel.world import Rehearsal

CONTAINER, STAGING_CONTAINER = "GTM-BB2R9WZ", "GTM-STAGE7"
MEASUREMENT, STAGING_MEASUREMENT = "G-7KQ2M5V9RH", "G-STAGE7WXYZ"
PIXEL, STAGING_PIXEL = "918273645546374", "108070605040302"
SCRIPT = Path(__file__).with_name("gtm.js")


def url(r: Rehearsal, path: str) -> str:
    """An address of these services."""
    return r.url("integrations", f"/collectors{path}")


def answer(r: Rehearsal, path: str, query: dict[str, str]) -> tuple[int, Any, dict[str, str]]:
    """Status, document and headers."""
    if path != "/gtm.js":
        return 204, None, {}
    live = query.get("id") == CONTAINER
    measurement, pixel = (MEASUREMENT, PIXEL) if live else (STAGING_MEASUREMENT, STAGING_PIXEL)
    ids = {
        "url": url(r, ""),
        "measurement": r.setting("integrations", "analytics_measurement", measurement),
        "pixel": r.setting("integrations", "analytics_pixel", pixel),
    }
    text = SCRIPT.read_text(encoding="utf-8").replace('"IDS"', json.dumps(ids))
    return 200, text.encode(), {"Content-Type": "text/javascript; charset=utf-8"}
