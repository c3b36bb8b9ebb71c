from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from golive.environments import Environment
from golive.probes.transport.rest import api, each
from golive.verdicts import ProbeError
from tests.golive.probes.answering import Service, answering

EnvWith = Callable[..., Environment]


@pytest.fixture
def service() -> Iterator[Service]:
    with answering() as service:
        yield service


def listed(env: Environment, service: Service) -> list[int]:
    with api(env, "the list", service.url, "Bearer kestrel") as one:
        return [row for page in one.pages("/rows", list[int], per_page=2) for row in page]


def test_every_page_is_read_with_the_secret(env_with: EnvWith, service: Service) -> None:
    following = f'<{service.url}/rows?page=2>; rel="next", <{service.url}/rows?page=2>; rel="last"'
    service.says("/rows?per_page=2", [1, 2], Link=following)
    service.says("/rows?page=2", [3])
    assert listed(env_with(), service) == [1, 2, 3]
    assert [h["Authorization"] for h in service.headers] == ["Bearer kestrel"] * 2


def test_a_page_that_cannot_be_read_leaves_no_shorter_list(
    env_with: EnvWith, service: Service
) -> None:
    service.says("/rows?per_page=2", [1, 2], Link=f'<{service.url}/rows?page=2>; rel="next"')
    service.says("/rows?page=2", "later", status=503)
    with pytest.raises(ProbeError, match=r"the list at .*/rows: status 503"):
        listed(env_with(), service)


def test_the_secret_is_sent_nowhere_else(env_with: EnvWith, service: Service) -> None:
    with answering() as elsewhere:
        service.says("/rows?per_page=2", [1], Link=f'<{elsewhere.url}/rows>; rel="next"')
        with pytest.raises(ProbeError, match=f"its next page is elsewhere: {elsewhere.url}/rows"):
            listed(env_with(), service)
        assert elsewhere.asked == []


def test_pages_that_never_end_are_left(
    env_with: EnvWith, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("golive.probes.transport.rest._MOST_PAGES", 3)
    link = f'<{service.url}/rows?per_page=2>; rel="next"'
    service.says("/rows?per_page=2", [1], Link=link)
    with pytest.raises(ProbeError, match="more than 3 pages"):
        listed(env_with(), service)
    assert len(service.asked) == 3


@pytest.mark.parametrize(
    ("status", "headers", "step"),
    [
        (401, {}, "the secret in the environment file is valid"),
        (403, {}, "the secret in the environment file is valid"),
        (404, {}, "check the names in the environment file"),
        (
            403,
            {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": "1796083200"},
            "its rate limit is used up: wait until 00:00 UTC",
        ),
        (429, {}, "its rate limit is used up: wait, and look again"),
        (500, {}, "see the service's own status"),
    ],
)
def test_every_refusal_tells_what_to_do(
    env_with: EnvWith, service: Service, status: int, headers: dict[str, str], step: str
) -> None:
    service.says("/rows?per_page=2", {"message": "no"}, status=status, **headers)
    with pytest.raises(ProbeError) as error:
        listed(env_with(), service)
    assert error.value.cause == f'status {status}: {{"message": "no"}}'
    assert step in error.value.next_step


@pytest.mark.parametrize("body", [{"rows": []}, ["one"], b"<html>", b"\xff"])
def test_an_answer_of_another_shape_is_no_answer(
    env_with: EnvWith, service: Service, body: object
) -> None:
    service.says("/rows?per_page=2", body)
    with pytest.raises(ProbeError, match="the answer is not what its API tells"):
        listed(env_with(), service)


def test_each_key_has_its_own_answer_and_an_error_is_not_lost() -> None:
    assert each([3, 1, 2], lambda n: n * n) == {3: 9, 1: 1, 2: 4}

    def look(n: int) -> int:
        if n == 2:
            raise ProbeError("two", "it is even")
        return n

    with pytest.raises(ProbeError, match="it is even"):
        each([1, 2, 3], look)
