"""The product as a customer uses it: signing in, looking around, booking."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from golive.environments import Environment
from golive.probes.transport.http import Client, access_token, client, json_object, shown
from golive.verdicts import ProbeError

_DAYS_AHEAD = 60
"""How far ahead a free time is looked for."""


@dataclass(frozen=True, slots=True)
class Served:
    """Where a started application answers."""

    url: str


class Customer:
    """A synthetic account, signed in to the application at one URL."""

    ANSWERS = 6
    """Requests of one look around."""

    def __init__(self, env: Environment, http: Client, url: str, token: str) -> None:
        self._env = env
        self._http = http
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}

    def look_around(self) -> list[str]:
        """Read one answer of every kind that a customer needs; paths refused, with the status.

        :raises ProbeError: the application does not answer.
        """
        paths = self._env.application.paths
        tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()
        wanted = [
            paths.health,
            paths.me,
            paths.services,
            paths.barbers,
            paths.appointments,
            f"{paths.slots}?appointment_date={tomorrow}",
        ]
        assert len(wanted) == self.ANSWERS
        refused = []
        for path in wanted:
            response = self._http.get(self._url + path, self._headers)
            if response.status_code != 200:
                refused.append(f"{path} answers {response.status_code}")
        return refused

    def book(self, count: int) -> int:
        """Book ``count`` free times in the coming weeks; how many bookings were accepted.

        Others may take a free time first, so a conflict is no refusal.

        :raises ProbeError: the application does not answer, or refuses a booking.
        """
        url = self._url + self._env.application.paths.appointments
        booked = 0
        for at in self._free_times():
            if booked == count:
                break
            response = self._http.post(
                url, {**at, "service": self._env.release.booking_service}, self._headers
            )
            if response.status_code == 409:
                continue
            if response.status_code not in {200, 201}:
                raise ProbeError(
                    f"a booking at {shown(url)}",
                    f"status {response.status_code}: {' '.join(response.text.split())[:200]}",
                    "see the application's log",
                )
            booked += 1
        return booked

    def _free_times(self) -> Iterator[dict[str, str]]:
        today = datetime.now(UTC).date()
        for ahead in range(1, _DAYS_AHEAD):
            day = (today + timedelta(days=ahead)).isoformat()
            url = f"{self._url}{self._env.application.paths.slots}?appointment_date={day}"
            answer: dict[str, Any] = json_object(self._http.get(url, self._headers), shown(url))
            for slot in answer.get("slots", []):
                if slot.get("available"):
                    yield {"date": day, "time": str(slot["time"])}


@contextmanager
def signed_in(env: Environment, url: str) -> Iterator[Customer]:
    """The first synthetic account, signed in to the application at ``url``.

    :raises ProbeError: it is refused, or is told to be somebody else.
    """
    account = env.application.accounts[0]
    with client(env) as http:
        token = access_token(env, http, url.rstrip("/"), account)
        me = url.rstrip("/") + env.application.paths.me
        found = http.json(me, {"Authorization": f"Bearer {token}"}).get("email")
        if str(found).lower() != account.email.lower():
            raise ProbeError(
                f"the account behind the token at {shown(me)}",
                f"it is {found}, where {account.email} signed in",
                "see how the application reads tokens",
            )
        yield Customer(env, http, url, token)
