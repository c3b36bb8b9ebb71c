"""Public SSH keys as numbers, so that one key cannot pass as two.

A key can be written in more than one way: with a zero before a number, with a compressed point,
with bytes after it. Only the one way in which OpenSSH writes it is taken.
"""

from __future__ import annotations

import base64
import binascii

_FIELD_25519 = 2**255 - 19
_LEAST_RSA_BITS, _MOST_RSA_BITS = 2048, 16384

KINDS = (
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)
"""No certificates: who may sign is said by the roster alone. No DSA: it is too weak."""


def identity(public: str) -> str:
    """What a key is: the same text for the same private key, however the line is written.

    The exponent of an RSA key and the application of a token's are left out: who can sign with
    one such key can sign with the other.

    :param public: a line as in an authorized_keys file.
    :raises ValueError: it is no key, is too weak, or is not written as OpenSSH writes it.
    """
    kind, text = [*public.split()[:2], "", ""][:2]
    if kind not in KINDS:
        raise ValueError("is of no kind that can sign")
    try:
        wire = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is damaged") from None
    if base64.b64encode(wire).decode() != text:
        raise ValueError("is not written as OpenSSH writes it: its base64 ends in loose bits")
    parts = _parts(wire)
    if not parts or parts[0] != kind.encode():
        raise ValueError("is damaged: it holds a key of another kind than it says")
    name = kind.removeprefix("sk-").removesuffix("@openssh.com")
    wanted = {"ssh-ed25519": 2, "ssh-rsa": 3}.get(name, 3) + (name != kind)
    if len(parts) != wanted:
        raise ValueError(f"is damaged: it has {len(parts)} parts; expected {wanted}")
    if name == "ssh-ed25519":
        return f"ed25519 {_point_25519(parts[1]):x}"
    if name == "ssh-rsa":
        return f"rsa {_modulus(parts[1], parts[2]):x}"
    return _nist(name.removeprefix("ecdsa-sha2-"), parts[1], parts[2])


def _parts(wire: bytes) -> list[bytes]:
    found = []
    while wire:
        size = int.from_bytes(wire[:4], "big")
        if len(wire) < 4 + size:
            raise ValueError("is damaged: it is cut off, or has bytes after its end")
        found.append(wire[4 : 4 + size])
        wire = wire[4 + size :]
    return found


def _number(mpint: bytes) -> int:
    value = int.from_bytes(mpint, "big", signed=True)
    if value <= 0 or mpint != value.to_bytes(value.bit_length() // 8 + 1, "big"):
        raise ValueError("is not written as OpenSSH writes it: a number of it has a zero too many")
    return value


def _modulus(exponent: bytes, modulus: bytes) -> int:
    e, n = _number(exponent), _number(modulus)
    if n.bit_length() < _LEAST_RSA_BITS:
        raise ValueError(f"is of {n.bit_length()} bits; expected at least {_LEAST_RSA_BITS}")
    if n.bit_length() > _MOST_RSA_BITS or not n % 2 or not e % 2 or e < 3:
        raise ValueError("is damaged: its numbers are those of no RSA key")
    return n


def _point_25519(point: bytes) -> int:
    if len(point) != 32:
        raise ValueError(f"is damaged: it has {len(point)} bytes; expected 32")
    if int.from_bytes(point, "little") % 2**255 >= _FIELD_25519:
        raise ValueError("is not written as OpenSSH writes it: its number is beyond the field")
    return int.from_bytes(point, "little")


def _nist(name: str, curve: bytes, point: bytes) -> str:
    if curve != name.encode():
        raise ValueError("is not written as OpenSSH writes it: its curve has another name")
    if point[:1] != b"\x04":
        raise ValueError("is not written as OpenSSH writes it: its point is compressed")
    # Imported here, so that a run without such a key never pays for it.
    from cryptography.hazmat.primitives.asymmetric import ec

    curves = {"nistp256": ec.SECP256R1(), "nistp384": ec.SECP384R1(), "nistp521": ec.SECP521R1()}
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(curves[name], point)
    except ValueError:
        raise ValueError("is damaged: its point is not on the curve") from None
    return f"{name} {point.hex()}"
