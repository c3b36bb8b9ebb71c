"""Mail to customers, by SendGrid's SDK, IMAP and DNS against the rehearsal's stand-ins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from math import inf
from typing import Any

import pytest

from golive.environments import Environment
from golive.probes.saas import customer_mail, mail_dns, mailbox
from golive.verdicts import ProbeError, Unseen
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.saas import sendgrid
from rehearsal.parts.saas.integrations import DNS, IMAP, PARTS
from tests.golive.probes.answering import answering
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
    yield lambda **values: r.override("integrations", **{f"mail_{k}": v for k, v in values.items()})
    r.clear_override("integrations")


def reached(env_with: EnvWith, r: Rehearsal, url: str = "", **changes: Any) -> Environment:
    def secret(name: str) -> dict[str, str]:
        return {"file": str(r.secret_file(name))}

    own = {
        "url": url or r.url("integrations", "/sendgrid"),
        "account": sendgrid.ACCOUNT,
        "key": secret(sendgrid.KEY),
        "reading_key": secret(sendgrid.READING_KEY),
        "scopes": ["mail.send"],
        "sender": sendgrid.SENDER,
        "seed": sendgrid.SEED,
        "suppressed": sendgrid.SUPPRESSED,
        "mailbox": f"imap://127.0.0.1:{r.port(IMAP)}",
        "mailbox_user": sendgrid.SEED,
        "mailbox_password": secret(sendgrid.MAILBOX_PASSWORD),
        "nameservers": [f"127.0.0.1:{r.port(DNS)}"],
        "events_path": "/events",
        "events_query": "select",
    }
    return env_with(customer_mail={**own, **changes}, windows={"integration_s": 1.0})


@pytest.fixture
def env(env_with: EnvWith, r: Rehearsal) -> Environment:
    sendgrid.key(r)
    sendgrid.key(r, sendgrid.READING_KEY)
    return reached(env_with, r)


# -- the account -----------------------------------------------------------------------------------


def test_the_account_is_told_without_the_scopes_that_every_key_has(env: Environment) -> None:
    found = customer_mail.customer_mail_account(env)
    assert (found.name, found.plan, found.scopes) == (sendgrid.ACCOUNT, "paid", ("mail.send",))
    assert found.of_the_key == sendgrid.ACCOUNT
    assert isinstance(found.mails_per_day, float)


def test_a_key_of_another_account_is_told_as_such(
    env: Environment, told: Callable[..., None]
) -> None:
    told(key_known=False)
    assert customer_mail.customer_mail_account(env).of_the_key == "another account"


def test_what_one_key_may_not_read_leaves_the_rest(env_with: EnvWith, r: Rehearsal) -> None:
    same = {"file": str(r.secret_file(sendgrid.KEY))}  # the sending key may not read the account
    found = customer_mail.customer_mail_account(reached(env_with, r, reading_key=same))
    assert found.scopes == ("mail.send",)
    assert isinstance(found.plan, Unseen)
    assert "403" in str(found.plan.error)


def test_nothing_that_answers_is_an_error_without_the_key(
    env_with: EnvWith, r: Rehearsal, dead_port: int
) -> None:
    dead = reached(env_with, r, f"http://127.0.0.1:{dead_port}")
    with pytest.raises(ProbeError) as caught:
        customer_mail.customer_mail_account(dead)
    assert sendgrid.key(r) not in str(caught.value)


@pytest.mark.parametrize(
    ("credits_", "a_day"),
    [
        ({"reset_frequency": "daily", "total": 100, "remain": 3}, 100.0),
        (
            {"reset_frequency": "monthly", "total": 9, "remain": 300, "next_reset": "2026-12-10"},
            30.0,
        ),
        ({"reset_frequency": "monthly", "remain": 310}, 10.0),
        ({"remain": 300, "next_reset": "2026-11-30"}, 300.0),
    ],
)
def test_credits_are_spread_over_the_days_to_their_renewal(
    credits_: dict[str, Any], a_day: float
) -> None:
    assert customer_mail.per_day(credits_, date(2026, 11, 30)) == a_day


# -- the domain ------------------------------------------------------------------------------------


def test_the_domain_and_its_records_are_in_order(env: Environment) -> None:
    found = customer_mail.mail_domain(env)
    assert found.failures == ()
    assert found.unresolved == []
    assert not isinstance(found.records, Unseen)
    assert [one.kind for one in found.records] == ["SPF", "DKIM", "DKIM", "DMARC"]


@pytest.mark.parametrize(
    ("changed", "told_of"),
    [
        ({f"s2._domainkey.{sendgrid.DOMAIN}/CNAME": None}, "DKIM at s2._domainkey"),
        ({"_dmarc.bookedbarber.example/TXT": None}, "DMARC at _dmarc."),
        ({"_dmarc.bookedbarber.example/TXT": ['"v=DMARC1; rua=mailto:x@y"']}, "no policy"),
        (
            {
                f"em7.{sendgrid.DOMAIN}/CNAME": None,
                f"em7.{sendgrid.DOMAIN}/TXT": ['"v=spf1 -all"', '"v=spf1 ~all"'],
            },
            "2 records",
        ),
        (
            {
                f"s1._domainkey.{sendgrid.DOMAIN}/CNAME": None,
                f"s1._domainkey.{sendgrid.DOMAIN}/TXT": ['"k=rsa; p="'],
            },
            "its key is revoked",
        ),
    ],
)
def test_a_record_that_does_not_do_is_told(
    env: Environment, told: Callable[..., None], changed: dict[str, Any], told_of: str
) -> None:
    told(records=changed)
    unresolved = customer_mail.mail_domain(env).unresolved
    assert not isinstance(unresolved, Unseen)
    assert len(unresolved) == 1
    assert told_of in unresolved[0]


def test_a_domain_that_is_not_authenticated_is_a_failure(env_with: EnvWith, r: Rehearsal) -> None:
    found = customer_mail.mail_domain(reached(env_with, r, sender="x@other.example"))
    assert found.failures == ("other.example is no authenticated domain of the account",)


def test_without_a_nameserver_the_records_alone_are_not_seen(
    env_with: EnvWith, r: Rehearsal, dead_port: int
) -> None:
    env = reached(env_with, r, nameservers=[f"127.0.0.1:{dead_port}"])
    found = customer_mail.mail_domain(env)
    assert found.failures == ()
    assert isinstance(found.records, Unseen)


# -- the seed message ------------------------------------------------------------------------------


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[str, ...]]:
    """What the application has stored: of forged events, of the n-th message that was sent."""
    kept = {"forged": (), "suppressed": ("dropped",), "seed": ("processed", "delivered")}
    sent: list[str] = []
    send = customer_mail._send

    def sending(env: Environment, own: Any, to: str, subject: str) -> str:
        sent.append(send(env, own, to, subject))
        return sent[-1]

    def stored(_: Environment, __: str, *, message: str) -> tuple[str, ...]:
        if message not in sent:
            return kept["forged"]
        return kept["suppressed" if sent.index(message) == 0 else "seed"]

    monkeypatch.setattr(customer_mail, "_send", sending)
    monkeypatch.setattr(customer_mail, "stored", stored)
    monkeypatch.setattr(
        customer_mail, "_forge", lambda _, token: {"without a signature": f"{token}-forged0"}
    )
    return kept


def test_a_message_arrives_signed_and_leaves_nothing_behind(
    env: Environment, events: dict[str, tuple[str, ...]]
) -> None:
    assert events
    found = customer_mail.seed_message(env)
    assert found.delivered_after_s < 5
    assert not isinstance(found.signatures, Unseen)
    assert found.signatures.by(sendgrid.DOMAIN), str(found.signatures)
    assert (found.was_stored, found.not_suppressed, found.forged_stored) == (True, [], ())
    with mailbox.opened(env) as box:
        assert box.titled("golive") == []


def test_what_is_wrong_with_a_message_is_told(
    env: Environment, events: dict[str, tuple[str, ...]], told: Callable[..., None]
) -> None:
    events.update(forged=("delivered",), seed=("processed",))
    told(altered=True, suppresses=False)
    found = customer_mail.seed_message(env)
    assert not isinstance(found.signatures, Unseen)
    assert not found.signatures.by(sendgrid.DOMAIN)
    assert "body hash mismatch" in str(found.signatures)
    assert found.was_stored is False
    assert found.forged_stored == ("without a signature",)
    assert found.not_suppressed == ["it came to the mailbox"]


def test_a_message_that_does_not_come_never_came(
    env: Environment, events: dict[str, tuple[str, ...]], told: Callable[..., None]
) -> None:
    assert events
    told(delivers=False)
    assert customer_mail.seed_message(env).delivered_after_s == inf


def test_a_key_that_may_not_send_is_no_lost_message(
    env: Environment, events: dict[str, tuple[str, ...]], told: Callable[..., None]
) -> None:
    assert events
    told(scopes=["stats.read"])
    with pytest.raises(ProbeError, match="status 403: access forbidden"):
        customer_mail.seed_message(env)


def test_a_password_goes_over_no_plain_connection_to_elsewhere(
    env_with: EnvWith, r: Rehearsal
) -> None:
    env = reached(env_with, r, mailbox="imap://mail.example:143")
    with pytest.raises(ProbeError, match="use imaps://"), mailbox.opened(env):
        pass


def test_forged_events_are_sent_and_a_wrong_path_is_no_refusal(
    env_with: EnvWith, r: Rehearsal
) -> None:
    with answering() as app:  # it answers GET alone
        plain = reached(env_with, r)
        env = env_with(
            customer_mail={"events_path": "/nowhere", "seed": "x@y.example"},
            application={"url": app.url, "instances": [{"name": "a", "url": app.url}]},
        )
        assert plain
        with pytest.raises(ProbeError, match="status 501"):
            customer_mail._forge(env, "token")


def test_a_signature_is_aligned_with_the_domain_or_one_above_it() -> None:
    assert mail_dns.Signatures(("example.com",), ()).by("mail.example.com")
    assert mail_dns.Signatures(("em.example.com",), ()).by("example.com")
    assert not mail_dns.Signatures(("badexample.com",), ()).by("example.com")
    assert str(mail_dns.Signatures((), ())) == "no signature"
