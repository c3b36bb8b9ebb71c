"""Feature flags as an instance evaluates them: Unleash's, or its own safe defaults."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from typing import Any

from rehearsal.app.settings import Settings
from rehearsal.app.storage import Faults

DEFAULTS = {
    "booking-v2": True,
    "express-payouts": False,
    "calendar-sync": False,
    "sms-reminders": False,
    "reduced-scope": False,
    "maintenance-mode": False,
}
"""What each flag answers while nobody tells: customers can book, and nothing unproven is on."""
_GRACE = 3
"""Refreshes that may fail in a row before the defaults count."""
_WITHIN_S = 2.0


class FlagClient:
    """Asks the flag service every few seconds, beside the requests."""

    def __init__(self, settings: Settings) -> None:
        self._url, self._token = settings.flags_url, settings.flags_token
        self._refresh_s = settings.flags_refresh_s
        self._direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self._told: dict[str, bool] = {}
        self._told_at = float("-inf")
        self._frozen = False
        self.defaults = dict(DEFAULTS)

    def start(self) -> None:
        """Begin to ask, where there is somebody to ask."""
        if self._url:
            threading.Thread(target=self._follow, daemon=True, name="flags").start()

    def is_enabled(self, name: str) -> bool:
        """Whether a flag is on; its safe default while the service is away."""
        return self.evaluated().get(name, False)

    def evaluated(self) -> dict[str, bool]:
        """Every flag as it is now."""
        return {**self.defaults, **(self._told if self.is_told else {})}

    @property
    def is_told(self) -> bool:
        """Whether the service has told lately, so that no default counts."""
        age_s = time.monotonic() - self._told_at
        return self._frozen or age_s < _GRACE * self._refresh_s + _WITHIN_S

    def keep_for_ever(self, frozen: bool) -> None:
        """Ask no more, and go on with what is known."""
        self._frozen = frozen and bool(self._told)

    def refresh(self) -> None:
        """Ask once. Raises OSError or ValueError where the service does not tell."""
        headers = {"Authorization": self._token, "Accept": "application/json"}
        where = f"{self._url}/client/features"
        request = urllib.request.Request(where, headers=headers)  # noqa: S310 - a setting
        with self._direct.open(request, timeout=_WITHIN_S) as answer:
            features = json.load(answer)["features"]
        self._told = {str(f["name"]): _for_all(f) for f in features}
        self._told_at = time.monotonic()

    def cut_off(self) -> None:
        """Ask where nobody answers from now on, as in an outage of the service."""
        self._url = "http://127.0.0.1:9"

    def _follow(self) -> None:
        while True:
            if not self._frozen:
                with suppress(OSError, ValueError, KeyError):  # told by `is_told`
                    self.refresh()
            time.sleep(self._refresh_s)


def _for_all(feature: dict[str, Any]) -> bool:
    """Whether it is on for everybody: nobody is asked who they are."""
    strategies = feature.get("strategies") or [{}]
    rollouts = [str(s.get("parameters", {}).get("rollout", "100")) for s in strategies]
    return bool(feature["enabled"]) and "100" in rollouts


def without_service(settings: Settings) -> dict[str, bool]:
    """What an instance that knew every flag answers once the service is gone. Raises OSError or
    ValueError where the service does not tell in the first place."""
    client = FlagClient(settings)
    client.defaults |= Faults(settings.faults_file).orders().get("flag_defaults") or {}
    client.refresh()
    client.cut_off()
    ends = time.monotonic() + 30
    while client.is_told and time.monotonic() < ends:
        try:
            client.refresh()
        except (OSError, ValueError):
            time.sleep(0.1)
    return client.evaluated()
