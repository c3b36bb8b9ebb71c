"""The launch table of the feature flags, as the product manager has approved it.

Settings a fault may override, on `launch-flags`: `entries` (fields by flag; null leaves one out),
`signer` (a person's id; nobody where it is empty).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rehearsal.kernel import toml
from rehearsal.kernel.files import write_atomically
from rehearsal.kernel.world import Rehearsal
from rehearsal.staff import people, saas_stubs

_OWNERS = {
    "booking-v2": "hugo",
    "express-payouts": "ivan",
    "calendar-sync": "hugo",
    "sms-reminders": "ivan",
    "reduced-scope": "paul",
    "maintenance-mode": "tess",
}
_SAFE = ("booking-v2",)
"""What stays on while the flag service is down: without it nobody could book."""


def table(r: Rehearsal) -> Path:
    return r.path("launch-flags", "launch-flags.toml")


def approve(r: Rehearsal) -> None:
    """Write the table, and have it signed."""
    changes: dict[str, Any] = r.setting("launch-flags", "entries", {})
    entries = [
        {
            "name": name,
            "owner": _OWNERS[name],
            "default": name in _SAFE,
            "launch": "off" if name in saas_stubs.OFF else "on",
            **(changes.get(name) or {}),
        }
        for name in saas_stubs.FLAGS
        if name != saas_stubs.SYNTHETIC and changes.get(name, {}) is not None
    ]
    path = table(r)
    path.with_name(f"{path.name}.sig").unlink(missing_ok=True)
    rows = [[f"{key} = {toml.inline(value)}" for key, value in e.items()] for e in entries]
    text = "\n\n".join("\n".join(["[[flags]]", *row]) for row in rows)
    write_atomically(path, text + "\n", 0o644)
    signer = r.setting("launch-flags", "signer", people.holder("product_manager").id)
    if signer:
        people.sign_as(r, path, signer)
