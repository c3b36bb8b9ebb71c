"""The rehearsal's certificate authority: a root, one intermediate, and strict RFC 5280 leaves.

Everything lies in one folder:

    root.pem  intermediate.pem         what clients trust, and what servers must send along
    NAME.pem                           leaf alone
    NAME.chain.pem                     leaf + intermediate: what a server serves
    NAME.key                           private key, mode 0600
    NAME.bundle.pem                    chain + key in one file, mode 0600 (the form haproxy reads)

An authority and its leaves are kept across restarts, so that a client that trusts `root.pem` keeps
trusting it. A leaf is renewed when 90 days or less are left: the launch asks for 60, and a
rehearsal left standing for a month must not turn red by itself.
"""

from __future__ import annotations

import ipaddress
import os
import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LEAF_DAYS = 365  # clients refuse public leaves that live longer than 398 days
KEEP_WHILE_DAYS = 90
ROOT_DAYS = 3650
INTERMEDIATE_DAYS = 1825

# Parts are prepared side by side in threads of one process: only the first may found the
# authority, or issue a leaf that several of them serve.
_writing = threading.Lock()


@dataclass(frozen=True)
class Certificate:
    """Where one issued leaf lies, and until when it is valid."""

    name: str
    leaf: Path
    chain: Path
    key: Path
    bundle: Path
    expires_at: datetime


class Authority:
    """The certificate authority in `folder`; founded on first use, opened ever after."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "root.pem"
        self.intermediate = folder / "intermediate.pem"
        with _writing:
            if not _lives(self.intermediate, INTERMEDIATE_DAYS / 2):
                self._found()

    def issue(self, name: str, sans: Iterable[str], *, days: float = LEAF_DAYS) -> Certificate:
        """The leaf called `name` for the DNS names and addresses `sans`.

        A present leaf for the same names is kept while more than 90 days are left, or, where
        fewer are asked for, while it has what is asked for to the day. A leaf that is to end
        soon is backdated: 59 days before its end it is an old one, not a short one.

        Raises ValueError when `sans` is empty or `days` is outside (0, 365].
        """
        names = _general_names(sans)
        if not names:
            raise ValueError(f"certificate {name!r} needs at least one name or address")
        if not 0 < days <= LEAF_DAYS:
            raise ValueError(f"certificate {name!r}: days is {days}; required: 0 < days <= 365")
        with _writing:
            return self._issue(name, names, days)

    def _issue(self, name: str, names: list[x509.GeneralName], days: float) -> Certificate:
        files = self._files(name)
        kept = _read(files.leaf)
        least = min(KEEP_WHILE_DAYS, days - 1)
        fresh = _lives(files.leaf, least) and not _lives(files.leaf, days)
        if kept and fresh and _names_of(kept) == set(names) and self._signed(kept):
            return files
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        ends = now + timedelta(days=days)
        begins = min(now - timedelta(hours=1), ends - timedelta(days=LEAF_DAYS))
        issuer = _load(self.intermediate)
        leaf = (
            _builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key, begins, ends)
            .issuer_name(issuer.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(_issued_by(issuer), critical=False)
            .sign(_load_key(self.folder / "intermediate.key"), hashes.SHA256())
        )
        pem = leaf.public_bytes(serialization.Encoding.PEM)
        chain = pem + self.intermediate.read_bytes()
        _write(files.key, _key_bytes(key), secret=True)
        _write(files.chain, chain)
        _write(files.bundle, chain + _key_bytes(key), secret=True)
        _write(files.leaf, pem)  # last: its presence says that the others are there
        return self._files(name)

    def _files(self, name: str) -> Certificate:
        leaf = self.folder / f"{name}.pem"
        known = _read(leaf)
        return Certificate(
            name=name,
            leaf=leaf,
            chain=self.folder / f"{name}.chain.pem",
            key=self.folder / f"{name}.key",
            bundle=self.folder / f"{name}.bundle.pem",
            expires_at=known.not_valid_after_utc if known else datetime.min.replace(tzinfo=UTC),
        )

    def _signed(self, leaf: x509.Certificate) -> bool:
        """Whether `leaf` comes from today's intermediate and not from one founded earlier."""
        issuer = _load(self.intermediate)
        carried = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
        return carried == _issued_by(issuer)

    def _found(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        begins = datetime.now(UTC) - timedelta(hours=1)
        root_key = ec.generate_private_key(ec.SECP256R1())
        root_name = _organisation("BookedBarber Rehearsal Root CA")
        root = (
            _builder(root_name, root_key, begins, begins + timedelta(days=ROOT_DAYS))
            .issuer_name(root_name)
            .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
            .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
            .sign(root_key, hashes.SHA256())
        )
        key = ec.generate_private_key(ec.SECP256R1())
        name = _organisation("BookedBarber Rehearsal Intermediate CA")
        intermediate = (
            _builder(name, key, begins, begins + timedelta(days=INTERMEDIATE_DAYS))
            .issuer_name(root_name)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
            .add_extension(_issued_by(root), critical=False)
            .sign(root_key, hashes.SHA256())
        )
        _write(self.root, root.public_bytes(serialization.Encoding.PEM))
        _write(self.folder / "intermediate.key", _key_bytes(key), secret=True)
        # Last, because its presence says that the authority is complete.
        _write(self.intermediate, intermediate.public_bytes(serialization.Encoding.PEM))


def _builder(
    subject: x509.Name, key: ec.EllipticCurvePrivateKey, begins: datetime, ends: datetime
) -> x509.CertificateBuilder:
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _organisation(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "BookedBarber Rehearsal"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _issued_by(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    carried = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(carried)


def _usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_names(sans: Iterable[str]) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = []
    for san in sans:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(san)))
        except ValueError:
            names.append(x509.DNSName(san))
    return names


def _names_of(certificate: x509.Certificate) -> set[x509.GeneralName]:
    value = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(value)


def _lives(path: Path, days: float) -> bool:
    certificate = _read(path)
    if certificate is None:
        return False
    return certificate.not_valid_after_utc - datetime.now(UTC) > timedelta(days=days)


def _read(path: Path) -> x509.Certificate | None:
    return _load(path) if path.exists() else None


def _load(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{path} holds a {type(key).__name__}; required: an elliptic curve key")
    return key


def _key_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write(path: Path, content: bytes, *, secret: bool = False) -> None:
    """Replaces `path` in one step; a reader never sees half a file, nor a secret with 0644."""
    # Both edge nodes write the bundle that they share, perhaps at the same time.
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if secret else 0o644)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    draft.replace(path)
