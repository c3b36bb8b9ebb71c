"""A mailbox of our own, read over IMAP."""

from __future__ import annotations

import imaplib
import ipaddress
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from golive.environments import Environment
from golive.verdicts import ProbeError

_PORTS = {"imap": 143, "imaps": 993}


class Mailbox:
    """The INBOX of one user."""

    def __init__(self, imap: imaplib.IMAP4) -> None:
        self._imap = imap

    def titled(self, text: str) -> list[bytes]:
        """The messages whose subject has that text, as they came."""
        self._imap.select("INBOX")  # again: another session's news are seen by a new look only
        found = []
        for uid in self._uids(text):
            _, parts = self._imap.uid("FETCH", uid, "(BODY.PEEK[])")
            found += [part[1] for part in parts if isinstance(part, tuple)]
        return found

    def drop(self, text: str) -> None:
        """Delete the messages whose subject has that text."""
        self._imap.select("INBOX")
        for uid in self._uids(text):
            self._imap.uid("STORE", uid, "+FLAGS", r"(\Deleted)")
        self._imap.expunge()

    def _uids(self, text: str) -> list[str]:
        _, found = self._imap.uid("SEARCH", "HEADER", "Subject", f'"{text}"')
        return [uid for line in found if line for uid in line.decode().split()]


@contextmanager
def opened(env: Environment) -> Iterator[Mailbox]:
    """The seed mailbox.

    :raises ProbeError: it cannot be opened, or would be over a plain connection to elsewhere.
    """
    reported = env.customer_mail
    url = urlsplit(reported.mailbox)
    subject = f"the seed mailbox at {url.scheme}://{url.hostname}"
    host, limit_s = url.hostname or "", env.time_limits.connect
    if url.scheme not in _PORTS or not host:
        raise ProbeError(subject, "it is no imaps:// address", "check customer_mail.mailbox")
    if url.scheme == "imap" and not _is_here(host):
        raise ProbeError(subject, "the password would go over a plain connection", "use imaps://")
    imap: imaplib.IMAP4 | None = None
    try:
        port = url.port or _PORTS[url.scheme]
        if url.scheme == "imaps":
            trust = ssl.create_default_context()
            if env.tls.ca_file:
                trust.load_verify_locations(env.tls.ca_file)
            imap = imaplib.IMAP4_SSL(host, port, ssl_context=trust, timeout=limit_s)
        else:
            imap = imaplib.IMAP4(host, port, timeout=limit_s)
        imap.login(reported.mailbox_user, reported.mailbox_password.reveal())
        yield Mailbox(imap)
    except (imaplib.IMAP4.error, OSError) as e:
        step = "check mailbox, mailbox_user and mailbox_password of [customer_mail]"
        raise ProbeError(subject, e, step) from None
    finally:
        if imap is not None:
            with suppress(imaplib.IMAP4.error, OSError):
                imap.logout()


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
