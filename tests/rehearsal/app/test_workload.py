"""Who the workload is: its customers take turns."""

from __future__ import annotations

import json
import ssl
from collections import Counter
from functools import partial

import httpx
import pytest

from rehearsal.app.workload import Person, turns
from rehearsal.parts.platform.app import CUSTOMERS


def test_customers_take_turns_so_that_nobody_has_hundreds_of_visits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    booked: Counter[str] = Counter()

    def answer(request: httpx.Request) -> httpx.Response:
        path, body = request.url.path, request.content
        if path.endswith("/login"):
            email = json.loads(body)["email"]
            return httpx.Response(200, json={"access_token": email, "refresh_token": "r"})
        if path.endswith("/slots"):
            return httpx.Response(200, json={"slots": [{"time": "09:00", "available": True}]})
        if path.endswith("/appointments/"):
            booked[request.headers["Authorization"].removeprefix("Bearer ")] += 1
            return httpx.Response(200, json={"id": 1})
        return httpx.Response(200, json=[{"id": 1}])

    mocked = partial(httpx.Client, transport=httpx.MockTransport(answer))
    monkeypatch.setattr("rehearsal.app.workload.httpx.Client", mocked)
    trust = ssl.create_default_context()
    for emails in turns():
        person = Person("http://app", emails, Counter(), trust)
        for _ in range(48):
            person.session()
            person.book_and_cancel()
    clients = {email: n for email, n in booked.items() if email.startswith("client")}
    assert len(clients) == 48
    assert set(clients.values()) == {2 * 3}  # each is asked for twice, with the same key
    assert not set(clients) & set(CUSTOMERS)  # these are for others
    assert booked["barber00001@example.com"] == 2 * 48
