"""A small mixed load over the public API: what a few customers and barbers do in a day.

Whatever it books it cancels, and it books only times that the API offers. Customers take turns:
visits that were cancelled stay, and nobody has hundreds of them.
"""

from __future__ import annotations

import itertools
import os
import random
import ssl
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from rehearsal.app.settings import DEFAULT_PASSWORD, CommandError

CLIENTS, BARBERS = 3, 1  # signed in at once; as many requests wait for each other at most
CUSTOMERS = range(3, 51)
"""Numbers of the seed's customers who take turns; it has at least 50."""


class WorkloadError(CommandError):
    """Too much of the load failed for its figures to mean anything."""


class Person:
    """One signed-in user with a connection of their own; who it is changes with each session."""

    def __init__(
        self, url: str, emails: Sequence[str], counts: Counter[str], trust: ssl.SSLContext
    ) -> None:
        self._http = httpx.Client(base_url=url, timeout=10, verify=trust, trust_env=False)
        self._turns, self._counts = itertools.cycle(emails), counts
        self._email = next(self._turns)
        self._chance = random.Random(self._email)  # noqa: S311 - a choice of pages, not a secret
        self._sign_in()

    def _call(self, method: str, path: str, **options: Any) -> Any:
        response = self._http.request(method, path, **options)
        if response.status_code == 401 and "login" not in path:
            self._sign_in()
            response = self._http.request(method, path, **options)
        self._counts[f"{response.status_code}"] += 1
        return response.json() if response.is_success else None

    def _sign_in(self) -> None:
        password = os.environ.get("SEED_PASSWORD", DEFAULT_PASSWORD)
        body = {"email": self._email, "password": password}
        answer = self._call("POST", "/api/v2/auth/login", json=body)
        if answer is None:
            raise WorkloadError(f"{self._email} cannot sign in; is the database seeded?")
        self._http.headers["Authorization"] = f"Bearer {answer['access_token']}"
        self._refresh_token = answer["refresh_token"]

    def actions(self) -> list[Any]:
        """The mix: reading is frequent, booking less so, signing in rare."""
        return [
            self.look_around,
            self.own_visits,
            self.free_times,
            self.barbers,
            self.services,
            self.free_times,
            self.own_visits,
            self.book_and_cancel,
            self.health,
            self.session,
        ]

    def dense_actions(self) -> list[Any]:
        """All of the mix, and more of what takes many statements for a request: figures of
        statements for less work."""
        often = [self.book_and_cancel, self.look_around, self.health]
        return [*dict.fromkeys(self.actions()), *often, *often, self.health]

    def session(self) -> None:
        self._email = next(self._turns)
        self._sign_in()
        self._call("POST", "/api/v2/auth/refresh", json={"refresh_token": self._refresh_token})

    def look_around(self) -> None:
        self._call("GET", "/api/v2/auth/me")
        self._call("GET", "/api/v2/dashboard/overview")

    def own_visits(self) -> None:
        listed = self._call("GET", "/api/v2/appointments/", params={"limit": 20})
        for visit in (listed or {"appointments": []})["appointments"][:2]:
            self._call("GET", f"/api/v2/appointments/{visit['id']}")
        if "barber" in self._email:
            self._call("GET", "/api/v2/appointments/all/list", params={"limit": 50})

    def services(self) -> None:
        for service in (self._call("GET", "/api/v2/services/", params={"limit": 5}) or [])[:2]:
            self._call("GET", f"/api/v2/services/{service['id']}")
        self._call("GET", "/api/v2/services/categories")

    def barbers(self) -> None:
        shop = self._chance.randint(1, 20)
        for barber in self._call("GET", "/api/v2/barbers/", params={"organization_id": shop}) or []:
            self._call("GET", f"/api/v2/barbers/{barber['id']}")
            self._call("GET", f"/api/v2/barbers/{barber['id']}/profile")
            self._call("GET", f"/api/v2/services/barbers/{barber['id']}")

    def free_times(self) -> None:
        self._slots()
        self._call("GET", "/api/v2/appointments/slots/next-available")

    def book_and_cancel(self) -> None:
        day, free, barber = self._slots()
        if not free:
            return
        key = {"Idempotency-Key": f"workload-{time.time_ns()}-{self._email}"}
        body = {"date": day, "time": free[0], "service": "Shave", "barber_id": barber}
        visit = self._call("POST", "/api/v2/appointments/", json=body, headers=key)
        if visit is None:
            return
        self._call("POST", "/api/v2/appointments/", json=body, headers=key)
        path = f"/api/v2/appointments/{visit['id']}"
        self._call("POST", f"{path}/reschedule", json={"date": day, "time": free[-1]})
        self._call("PUT", f"{path}/cancel")

    def health(self) -> None:
        self._call("GET", "/api/v1/health/detailed")

    def _slots(self) -> tuple[str, list[str], int]:
        barbers = self._call("GET", "/api/v2/barbers/") or []
        barber = self._chance.choice(barbers)["id"] if barbers else 0
        day = (datetime.now(UTC) + timedelta(days=self._chance.randint(1, 30))).date().isoformat()
        query = {"appointment_date": day, "barber_id": barber}
        found = self._call("GET", "/api/v2/appointments/slots", params=query)
        return (
            day,
            [slot["time"] for slot in (found or {"slots": []})["slots"] if slot["available"]],
            barber,
        )


def turns() -> list[list[str]]:
    """Addresses of who takes turns, a list for each that is signed in at once."""
    shares = [CUSTOMERS[k::CLIENTS] for k in range(CLIENTS)]
    clients = [[f"client{n:05}@example.com" for n in share] for share in shares]
    return [*clients, *([f"barber{n:05}@example.com"] for n in range(1, BARBERS + 1))]


def workload(
    url: str, seconds: float, rate: float, ca_file: str | None, *, dense: bool = False
) -> dict[str, object]:
    """Start ``rate`` actions per second for ``seconds`` (0: until stopped).

    Raises WorkloadError when the application answers nothing, or over 1 % with status 5xx.
    """
    counts: Counter[str] = Counter()
    trust = ssl.create_default_context(cafile=ca_file)
    try:
        emails = turns()
        with ThreadPoolExecutor(len(emails)) as pool:
            people = list(pool.map(lambda some: Person(url, some, counts, trust), emails))
    except httpx.HTTPError as error:
        raise WorkloadError(f"{url} does not answer: {error!r}") from error
    stop, began = threading.Event(), time.monotonic()
    plan = [
        (person, action)
        for person in people
        for action in (person.dense_actions() if dense else person.actions())
    ]
    random.Random(1).shuffle(plan)  # noqa: S311

    def live(share: list[tuple[Person, Any]]) -> None:
        """One person's actions in turn, at an even pace: a connection is never shared."""
        pace_s = len(people) / rate
        for _, action in itertools.cycle(share):
            if stop.is_set() or (seconds and time.monotonic() - began >= seconds):
                return
            started = time.monotonic()
            try:
                action()
            except (httpx.HTTPError, WorkloadError):
                counts["no answer"] += 1
            stop.wait(max(0.0, pace_s - (time.monotonic() - started)))

    with ThreadPoolExecutor(len(people)) as pool:
        try:
            shares = [[turn for turn in plan if turn[0] is person] for person in people]
            for outcome in [pool.submit(live, share) for share in shares]:
                outcome.result()
        finally:
            stop.set()
    failed = sum(n for status, n in counts.items() if status == "no answer" or status >= "500")
    total = sum(counts.values())
    if failed > total * 0.01:
        raise WorkloadError(f"{failed} of {total} requests to {url} failed: {dict(counts)}")
    return {
        "requests": total,
        "by_status": dict(counts),
        "seconds": round(time.monotonic() - began, 2),
    }
