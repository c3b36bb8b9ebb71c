"""SSH signatures checked in this process: the quick half of :mod:`golive.people.signatures`.

A launch has hundreds of signatures, and starting ssh-keygen for each takes most of a status's
time. Here only the plain case is answered, and only with yes: an Ed25519, ECDSA or RSA key of the
allowed signers as golive writes them, a signature of exactly the form that PROTOCOL.sshsig of
OpenSSH describes, SHA-256 or SHA-512. Whatever is not exactly that is for ssh-keygen to judge,
which also says why something is wrong.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

_MAGIC = b"SSHSIG"
_ARMOUR = re.compile(
    rb"-----BEGIN SSH SIGNATURE-----\n((?:[A-Za-z0-9+/=]{1,76}\n)+)-----END SSH SIGNATURE-----\n"
)
_SIGNER = re.compile(
    r'(?P<id>[A-Za-z0-9_-]+) namespaces="golive-(?P<of>\*|[a-z]+)"'
    r'(?:,valid-after="(?P<since>\d{8})")?(?:,valid-before="(?P<until>\d{8})")?'
    r" (?P<kind>[a-z0-9-]+) (?P<key>[A-Za-z0-9+/=]+)"
)
_HASHES = {b"sha256": hashlib.sha256, b"sha512": hashlib.sha512}
_CURVES: dict[bytes, type[HashAlgorithm]] = {
    b"ecdsa-sha2-nistp256": SHA256,
    b"ecdsa-sha2-nistp384": SHA384,
    b"ecdsa-sha2-nistp521": SHA512,
}
_RSA: dict[bytes, type[HashAlgorithm]] = {b"rsa-sha2-256": SHA256, b"rsa-sha2-512": SHA512}


def is_good(
    data: bytes, armoured: bytes, signers: str, signer: str, namespace: str, at: datetime
) -> bool:
    """Whether a signature over ``data`` is plainly right; False says only that it has to be
    looked at more closely.

    :param signers: the text of an allowed signers file, see :meth:`golive.people.roster.Roster`.
    :param at: the time at which the key must have been valid.
    """
    match = _ARMOUR.fullmatch(armoured)
    if match is None:
        return False
    try:
        blob = base64.b64decode(match[1].replace(b"\n", b""), validate=True)
        if blob[:10] != _MAGIC + (1).to_bytes(4, "big"):
            return False
        key, space, reserved, kind, signature = _strings(blob[10:], 5)
        if space != namespace.encode() or reserved or kind not in _HASHES:
            return False
        line = _line_of(key, signers, signer, namespace, at)
        if line is None:
            return False
        digest = _HASHES[kind](data).digest()
        signed = _MAGIC + b"".join(_string(s) for s in (space, b"", kind, digest))
        return _fits(line, signature, signed)
    except (binascii.Error, ValueError, InvalidSignature, UnsupportedAlgorithm):
        return False


def _line_of(key: bytes, signers: str, signer: str, namespace: str, at: datetime) -> str | None:
    """The public key of the allowed signers that made a signature, if it counts then."""
    day = f"{at.astimezone(UTC):%Y%m%d}"
    for text in signers.splitlines():
        line = _SIGNER.fullmatch(text)
        if line is None or line["id"] != signer:
            continue
        of = line["of"]
        if (
            (of == "*" or f"golive-{of}" == namespace)
            and base64.b64decode(line["key"], validate=True) == key
            and (line["since"] is None or line["since"] <= day)
            and (line["until"] is None or day < line["until"])
        ):
            return f"{line['kind']} {line['key']}"
    return None


def _fits(line: str, signature: bytes, signed: bytes) -> bool:
    """Whether a key made a signature.

    :raises InvalidSignature: it did not.
    """
    public = load_ssh_public_key(line.encode())
    kind, raw = _strings(signature, 2)
    if isinstance(public, ed25519.Ed25519PublicKey) and kind == b"ssh-ed25519":
        public.verify(raw, signed)
    elif isinstance(public, rsa.RSAPublicKey) and kind in _RSA:
        public.verify(raw, signed, padding.PKCS1v15(), _RSA[kind]())
    elif isinstance(public, ec.EllipticCurvePublicKey) and kind in _CURVES:
        if kind != line.split()[0].encode():
            return False
        r, s = (int.from_bytes(n, "big", signed=True) for n in _strings(raw, 2))
        public.verify(utils.encode_dss_signature(r, s), signed, ec.ECDSA(_CURVES[kind]()))
    else:
        return False
    return True


def _strings(data: bytes, count: int) -> list[bytes]:
    """That many strings of SSH's wire format, and nothing behind them.

    :raises ValueError: it is something else.
    """
    found = []
    for _ in range(count):
        size = int.from_bytes(data[:4], "big")
        if len(data) < 4 + size or len(data) < 4:
            raise ValueError("a string is cut off")
        found.append(data[4 : 4 + size])
        data = data[4 + size :]
    if data:
        raise ValueError("something stands behind the last string")
    return found


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data
