"""The paging service: whom an alert of each level is sent to, and what it says.

Alertmanager calls it with the alerts of a level. It sends a text and a mail to everybody whom
that level tells; those of level 1 are asked again, with their backups, until somebody answers.

Settings of the part `messages` that a fault may override: `levels` (level to ids of people, in
place of the roster's), `addresses` (id to `phone` and `email` in place of the roster's),
`cancelled` (levels that an answer cancels), `without_impact` (levels whose messages leave it
out), `vendors` (ids it knows, in place of all), `to_vendors` (whether they are notified at once),
`asks_backups` and `ignores_answers` (whether level 1 is asked again with its backups, and after an
answer).
"""

from __future__ import annotations

import threading
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

from rehearsal.kernel.world import Rehearsal
from rehearsal.staff import incidents, people

DUTY_ROLE = "technical_lead"
"""Who is asked whether outsiders are to be informed."""
Send = Callable[[str, str, str, str], None]
"""Sends to a phone number and an address a subject and a text."""
_LAST = 4


class Pager:
    def __init__(self, r: Rehearsal, send: Send) -> None:
        self._r, self._send = r, send
        self._lock = threading.Lock()
        self._firing: dict[tuple[int, str], Mapping[str, Any]] = {}

    def notify(self, level: int, notification: Mapping[str, Any]) -> None:
        """Take one call of Alertmanager. Raises KeyError where it is none."""
        for alert in notification["alerts"]:
            key = level, str(alert["labels"]["incident"])
            with self._lock:
                known = key in self._firing
                if alert["status"] != "firing":
                    self._firing.pop(key, None)
                    continue
                self._firing[key] = alert
            if not known and not self._cancelled(level, key[1]):
                self._page(level, alert, self._reported(level, backups=False))
                if level == 1:
                    self._ask_again(key)

    def _cancelled(self, level: int, incident: str) -> bool:
        """Whether an answer has ended a level: the first one always, others by a fault."""
        answered = self._incident(incident).get("acknowledged")
        return bool(answered) and level in (1, *self._setting("cancelled", []))

    def _ask_again(self, key: tuple[int, str]) -> None:
        def again() -> None:
            with self._lock:
                alert = self._firing.get(key)
            incident = self._incident(key[1])
            heeds = not self._setting("ignores_answers", False)
            if alert is not None and incident and not (incident["acknowledged"] and heeds):
                backups = self._setting("asks_backups", True)
                self._page(1, alert, self._reported(1, backups=backups))
                self._ask_again(key)

        timer = threading.Timer(incidents.ANSWER_S / incidents.CLOCK, again)
        timer.daemon = True
        timer.start()

    def _page(self, level: int, alert: Mapping[str, Any], reported: list[dict[str, Any]]) -> None:
        said = alert["annotations"]
        subject = f"Level {level}: {said['summary']}"
        lines = [f"{subject}."]
        if level not in self._setting("without_impact", []):
            lines.append(f"Impact: {said['impact']}")
        if "decision" in said:
            lines.append(f"Decision wanted: {said['decision']}")
        outsiders = self._outsiders() if level == _LAST else []
        lines += [f"{one['name']}: {one['phone']}, {one['email']}" for one in outsiders]
        for person in [*reported, *(outsiders if self._setting("to_vendors", False) else [])]:
            self._send(person["phone"], person["email"], subject, "\n".join(lines))

    # -- whom ------------------------------------------------------------------------------------

    def _reported(self, level: int, *, backups: bool) -> list[dict[str, Any]]:
        """Who is notified at a level: its own, and all before it once more."""
        roster = self._roster()
        wanted = self._setting("levels", {}).get(str(level))
        if wanted is None:
            levels = [one for one in roster["escalation"] if one["level"] <= level]
            roles = {role for one in levels for role in one["roles"]}
            wanted = [p["id"] for p in roster["person"] if roles & set(p["roles"])]
            if level == _LAST:
                wanted = [p["id"] for p in roster["person"] if DUTY_ROLE in p["roles"]]
            elif backups:
                wanted += [p["id"] for p in roster["person"] if roles & set(p["backs_up"])]
            elif level == 3:  # the executives' backups too
                roles = {role for one in levels if one["level"] == 3 for role in one["roles"]}
                wanted += [p["id"] for p in roster["person"] if roles & set(p["backs_up"])]
        other = self._setting("addresses", {})
        return [p | other.get(p["id"], {}) for p in roster["person"] if p["id"] in wanted]

    def _outsiders(self) -> list[dict[str, Any]]:
        """Legal counsel with backup, and vendors, as the last level names them."""
        roster = self._roster()
        levels = [one for one in roster["escalation"] if one["level"] == _LAST]
        roles = {role for one in levels for role in one["roles"]}
        vendors = [ident for one in levels for ident in one.get("vendors", [])]
        known = self._setting("vendors", vendors)
        return [
            *(p for p in roster["person"] if roles & {*p["roles"], *p["backs_up"]}),
            *(v for v in roster["vendor"] if v["id"] in vendors and v["id"] in known),
        ]

    def _roster(self) -> dict[str, Any]:
        return tomllib.loads(people.roster(self._r).read_text())

    def _incident(self, name: str) -> dict[str, Any]:
        return incidents.open_now(self._r.folder).get(name, {})

    def _setting(self, key: str, default: Any) -> Any:
        return self._r.setting("messages", key, default)


def escalation(r: Rehearsal) -> dict[str, Any]:
    """How others open incidents, and by which clock those are open."""

    def command(*words: str) -> list[str]:
        return r.command(*words, module="rehearsal.staff.incidents")

    return {
        "clock": incidents.CLOCK,
        "open_command": command(
            *("open", "{name}", "--severity", "{severity}", "--impact", "{impact}"),
            *("--resolve-after", "{resolve_after_s}"),
        ),
        "acknowledge_command": command("acknowledge", "{name}"),
        "close_command": command("close", "{name}"),
    }
