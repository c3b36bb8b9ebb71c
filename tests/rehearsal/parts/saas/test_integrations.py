"""The services behind the product, as far as they need no process of their own."""

from __future__ import annotations

import imaplib
from pathlib import Path

import dns.message
import dns.rcode
import pytest

from rehearsal.data import configuration
from rehearsal.kernel import ports
from rehearsal.parts.saas import collectors, google, mailbox, nameserver, twilio

RECORDS = {
    ("a.example", "CNAME"): ["b.example."],
    ("b.example", "TXT"): ['"v=spf1 -all"'],
}


def asked(name: str, kind: str = "TXT") -> dns.message.Message:
    wire = nameserver.answer(dns.message.make_query(name, kind).to_wire(), RECORDS)
    return dns.message.from_wire(wire)


def test_a_nameserver_follows_aliases_and_knows_what_is_not_there() -> None:
    assert [str(found[0]) for found in asked("a.example").answer] == [
        "b.example.",
        '"v=spf1 -all"',
    ]
    assert asked("A.EXAMPLE").answer
    missing = asked("c.example")
    assert (missing.rcode(), missing.answer) == (dns.rcode.NXDOMAIN, [])
    other = asked("b.example", "MX")
    assert (other.rcode(), other.answer) == (dns.rcode.NOERROR, [])


def test_a_mailbox_is_read_and_cleared_by_imap(tmp_path: Path) -> None:
    box = mailbox.Mailbox("seed@example", "a password")
    box.deliver(b"Subject: one\r\n\r\nbody\r\n")
    box.deliver(b"Subject: two\r\n\r\nbody\r\n")
    port = ports.port(tmp_path, "imap")
    mailbox.serve(port, box)
    with imaplib.IMAP4("127.0.0.1", port, timeout=5) as imap:
        with pytest.raises(imaplib.IMAP4.error):
            imap.login("seed@example", "another")
        imap.login("seed@example", "a password")
        imap.select("INBOX")
        assert imap.uid("SEARCH", "HEADER", "Subject", '"two"')[1] == [b"2"]
        found = imap.uid("FETCH", "2", "(BODY.PEEK[])")[1][0]
        assert found[1] == b"Subject: two\r\n\r\nbody\r\n"
        imap.uid("STORE", "2", "+FLAGS", r"(\Deleted)")
        imap.expunge()
    assert list(box.messages) == [1]


def test_the_services_and_the_released_configuration_name_the_same() -> None:
    released = configuration.source()
    assert released["GOOGLE_CLIENT_ID"] == google.CLIENT
    assert released["GOOGLE_REDIRECT_URI"] == google.REDIRECT
    assert released["TWILIO_PHONE_NUMBER"] == twilio.SENDER
    assert released["NEXT_PUBLIC_GTM_ID"] == collectors.CONTAINER
    assert released["NEXT_PUBLIC_GA4_MEASUREMENT_ID"] == collectors.MEASUREMENT
    assert released["NEXT_PUBLIC_META_PIXEL_ID"] == collectors.PIXEL
