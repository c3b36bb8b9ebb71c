"""The records by which receivers of mail judge a sender: SPF, DKIM, DMARC."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from golive.environments import Environment
from golive.verdicts import ProbeError


@dataclass(frozen=True, slots=True)
class MailRecord:
    """One record, and why it does not do; empty where it does."""

    kind: str
    """``SPF``, ``DKIM`` or ``DMARC``."""
    name: str
    failure: str

    def __str__(self) -> str:
        return f"{self.kind} at {self.name}: {self.failure or 'resolves'}"


class Resolver:
    """Texts of TXT records, from the nameservers that the environment declares, or this machine's
    own."""

    def __init__(self, env: Environment) -> None:
        import dns.exception
        import dns.nameserver
        import dns.resolver

        declared = env.customer_mail.nameservers
        try:
            self._dns = dns.resolver.Resolver(configure=not declared)
            if declared:
                self._dns.nameservers = [
                    dns.nameserver.Do53Nameserver(host, int(port or 53))
                    for host, _, port in (one.rpartition(":") for one in declared)
                ]
        except (dns.exception.DNSException, ValueError) as e:
            step = "check customer_mail.nameservers: each is address:port"
            raise ProbeError("the nameservers", e, step) from None
        self._dns.lifetime = env.time_limits.connect

    def texts(self, name: str) -> list[str]:
        """The TXT records of a name, aliases followed; none where it or they do not exist.

        :raises ProbeError: no nameserver answers, or each fails.
        """
        import dns.exception
        import dns.resolver

        try:
            found = self._dns.resolve(name, "TXT")
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except dns.exception.DNSException as e:
            step = "check that nameservers can be reached from here"
            raise ProbeError(f"the TXT records of {name}", e, step) from None
        return [b"".join(one.strings).decode(errors="replace") for one in found]

    def text(self, name: bytes | str, **_: Any) -> bytes | None:
        """One TXT record, as who verifies DKIM asks for it."""
        plain = name.decode() if isinstance(name, bytes) else name
        found = [t for t in self.texts(plain.rstrip(".")) if "p=" in t]
        return found[0].encode() if found else None


def spf(dns: Resolver, host: str) -> MailRecord:
    """SPF of what stands in the envelope: one record, no more (RFC 7208, 4.5)."""
    found = [t for t in dns.texts(host) if re.match(r"v=spf1( |$)", t, re.IGNORECASE)]
    return MailRecord("SPF", host, _one(found))


def dkim(dns: Resolver, host: str) -> MailRecord:
    """The public key of a selector; an empty one is revoked (RFC 6376, 3.6.1)."""
    found = [t for t in dns.texts(host) if re.search(r"(^|;)\s*p\s*=", t)]
    if found and not re.search(r"(^|;)\s*p\s*=\s*[^;\s]", found[0]):
        return MailRecord("DKIM", host, "its key is revoked")
    return MailRecord("DKIM", host, _one(found))


def dmarc(dns: Resolver, domain: str) -> MailRecord:
    """DMARC of a domain, or of the nearest one above it that has a record."""
    labels = domain.split(".")
    first = f"_dmarc.{domain}"
    for n in range(len(labels) - 1):
        name = f"_dmarc.{'.'.join(labels[n:])}"
        found = [t for t in dns.texts(name) if t.lower().replace(" ", "").startswith("v=dmarc1")]
        if found:
            has_policy = re.search(r";\s*p\s*=\s*(none|quarantine|reject)", found[0], re.IGNORECASE)
            failure = _one(found) or ("" if has_policy else f"no policy in {found[0]!r}")
            return MailRecord("DMARC", name, failure)
    return MailRecord("DMARC", first, _one([]))


def _one(found: Iterable[str]) -> str:
    count = len(list(found))
    return (
        "" if count == 1 else "no record" if not count else f"{count} records, of which one counts"
    )


@dataclass(frozen=True, slots=True)
class Signatures:
    """The DKIM signatures of a message: whose hold, and why others do not."""

    valid: tuple[str, ...]
    """Domains whose signature was verified with the key in DNS."""
    broken: tuple[str, ...]

    def by(self, domain: str) -> bool:
        """Whether one is aligned with a sender's domain, relaxed (RFC 7489, 3.1.1)."""
        ours = domain.lower()
        return any(
            one == ours or ours.endswith(f".{one}") or one.endswith(f".{ours}")
            for one in self.valid
        )

    def __str__(self) -> str:
        told = [*(f"valid of {one}" for one in self.valid), *self.broken]
        return "; ".join(told) or "no signature"


def signatures(dns: Resolver, message: bytes) -> Signatures:
    """Verify every DKIM signature of a message.

    :raises ProbeError: a key cannot be asked for.
    """
    import dkim as dkimpy

    text = re.sub(rb"\r?\n", b"\r\n", message)
    count = len(re.findall(rb"(?im)^dkim-signature:", text.split(b"\r\n\r\n")[0]))
    valid, broken = [], []
    for n in range(count):
        reader = dkimpy.DKIM(text)
        try:
            holds = reader.verify(n, dnsfunc=dns.text)
            failure = "the signature does not match"
        except dkimpy.DKIMException as e:
            holds, failure = False, str(e)
        domain = (reader.domain or b"?").decode(errors="replace").lower()
        if holds:
            valid.append(domain)
        else:
            broken.append(f"broken of {domain}: {failure}")
    return Signatures(tuple(valid), tuple(broken))
