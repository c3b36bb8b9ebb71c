"""Texts to customers, by Twilio's SDK against the rehearsal's stand-in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf
from typing import Any

import pytest

from golive.environments import Environment
from golive.probes.saas import customer_sms
from golive.verdicts import ProbeError, Unseen
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.saas import twilio
from rehearsal.parts.saas.integrations import PARTS
from tests.rehearsal.lone_parts import running

EnvWith = Callable[..., Environment]


@pytest.fixture(scope="module")
def r(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    r = Rehearsal(tmp_path_factory.mktemp("integrations"))
    with running(r, PARTS[0]):
        yield r


@pytest.fixture
def told(r: Rehearsal) -> Iterator[Callable[..., None]]:
    """Put other values in place of the service's, until the test ends."""
    yield lambda **values: r.override("integrations", **{f"sms_{k}": v for k, v in values.items()})
    r.clear_override("integrations")


@pytest.fixture
def env_of(env_with: EnvWith, r: Rehearsal) -> Callable[..., Environment]:
    own = {
        "url": r.url("integrations", "/twilio"),
        "account": twilio.ACCOUNT,
        "token": {"file": str(r.secret_file(twilio.TOKEN))},
        "sender": twilio.SENDER,
        "test_number": twilio.TEST,
        "nobodys_number": twilio.NOBODYS,
        "countries": list(twilio.COUNTRIES),
        "callback_base": "https://www.bookedbarber.test",
        "status_path": "/status",
        "statuses_query": "select",
    }
    return lambda **changes: env_with(
        customer_sms={**own, **changes}, windows={"integration_s": 1.0}
    )


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[str, ...]]:
    """What the application has stored: of the first text, and of the one to nobody."""
    kept: dict[str, tuple[str, ...]] = {"first": ("delivered",), "nobody": ("undelivered",)}
    sent: dict[str, str] = {}
    send = customer_sms._send

    def sending(env: Environment, sender: str, to: str, body: str) -> str:
        sid = send(env, sender, to, body)
        sent[sid] = "nobody" if to == twilio.NOBODYS else "first"
        return sid

    def looked(_: Environment, __: str, *, message: str) -> tuple[str, ...]:
        return kept[sent[message]]

    monkeypatch.setattr(customer_sms, "_send", sending)
    monkeypatch.setattr(customer_sms, "stored", looked)
    monkeypatch.setattr(customer_sms, "_forged", lambda _: ())
    return kept


def test_the_account_is_in_order(env_of: Callable[..., Environment]) -> None:
    found = customer_sms.customer_sms_account(env_of())
    assert (found.status, found.kind, found.currency) == ("active", "Full", "USD")
    assert (found.balance, found.price) == (412.5, 0.0085)
    assert (found.blocked, found.cannot_send, found.not_approved) == ((), (), ())
    assert found.days(4000) == pytest.approx(12.13, abs=0.01)


@pytest.mark.parametrize(
    ("changed", "fact", "value"),
    [
        ({"blocked": ["CA"]}, "blocked", ("CA",)),
        ({"capable": False}, "cannot_send", (f"{twilio.SENDER}: has no capability for SMS",)),
        ({"campaign": "FAILED"}, "not_approved", (f"{twilio.SENDER}: its campaign is FAILED",)),
        ({"type": "Trial"}, "kind", "Trial"),
    ],
)
def test_what_is_wrong_with_the_account_is_told(
    env_of: Callable[..., Environment],
    told: Callable[..., None],
    changed: dict[str, Any],
    fact: str,
    value: object,
) -> None:
    told(**changed)
    assert getattr(customer_sms.customer_sms_account(env_of()), fact) == value


def test_another_sender_is_told_of(env_of: Callable[..., Environment]) -> None:
    account = customer_sms.customer_sms_account(env_of(sender="+12025550199"))
    assert account.cannot_send == ("+12025550199: is no number of the account",)
    service = customer_sms.customer_sms_account(env_of(sender=twilio.SERVICE))
    assert (service.cannot_send, service.not_approved) == ((), ())


def test_a_country_without_a_price_leaves_the_rest(env_of: Callable[..., Environment]) -> None:
    found = customer_sms.customer_sms_account(env_of(countries=["US", "DE"]))
    assert isinstance(found.price, Unseen)
    assert isinstance(found.days(4000), Unseen)
    assert found.blocked == ("DE",)
    assert found.not_approved == ()


def test_a_wrong_token_is_an_error_that_does_not_tell_it(
    env_of: Callable[..., Environment], r: Rehearsal
) -> None:
    wrong = {"file": str(r.secret_file("another-token"))}
    with pytest.raises(ProbeError, match="status 401") as caught:
        customer_sms.customer_sms_account(env_of(token=wrong))
    assert r.secret("another-token") not in str(caught.value)


def test_nothing_that_answers_is_an_error(
    env_of: Callable[..., Environment], dead_port: int
) -> None:
    with pytest.raises(ProbeError, match="check that it can be reached"):
        customer_sms.customer_sms_account(env_of(url=f"http://127.0.0.1:{dead_port}"))


def test_texts_arrive_and_stop_is_heeded(
    env_of: Callable[..., Environment], stored: dict[str, tuple[str, ...]]
) -> None:
    assert stored
    for _ in range(2):  # START lets texts through again
        found = customer_sms.synthetic_texts(env_of())
        assert found.delivered_after_s < 5
        assert (found.was_stored, found.failure_was_stored) == (True, True)
        assert found.after_stop == ""


def test_what_is_wrong_with_texts_is_told(
    env_of: Callable[..., Environment],
    stored: dict[str, tuple[str, ...]],
    told: Callable[..., None],
) -> None:
    stored.update(first=("sent",), nobody=("sent", "delivered"))
    told(delivers=False, heeds_stop=False)
    found = customer_sms.synthetic_texts(env_of())
    assert (found.delivered_after_s, found.ended_as) == (inf, "undelivered")
    assert (found.was_stored, found.failure_was_stored) == (False, False)
    assert found.after_stop.startswith("it was sent")


def test_the_signature_is_that_of_twilios_own_validator() -> None:
    from twilio.request_validator import RequestValidator

    form = {"MessageSid": "SM1", "MessageStatus": "delivered", "To": "+1202"}
    url = "https://www.bookedbarber.test/status"
    assert RequestValidator("token").validate(url, form, twilio.signature("token", url, form))
