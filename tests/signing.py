"""SSH signatures made in this process, as ssh-keygen makes them, for tests of something else."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_ssh_private_key,
)

Keygen = Callable[..., "subprocess.CompletedProcess[bytes]"]


def signature(data: bytes, key: Ed25519PrivateKey, namespace: str) -> bytes:
    """The armoured signature over ``data``, by OpenSSH's PROTOCOL.sshsig."""

    def strings(*parts: bytes) -> bytes:
        return b"".join(len(part).to_bytes(4, "big") + part for part in parts)

    space, kind, digest = namespace.encode(), b"sha512", hashlib.sha512(data).digest()
    made = key.sign(b"SSHSIG" + strings(space, b"", kind, digest))
    line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    public = base64.b64decode(line.split()[1])
    blob = b"SSHSIG" + (1).to_bytes(4, "big")
    blob += strings(public, space, b"", kind, strings(b"ssh-ed25519", made))
    text = "\n".join(textwrap.wrap(base64.b64encode(blob).decode(), 70))
    return f"-----BEGIN SSH SIGNATURE-----\n{text}\n-----END SSH SIGNATURE-----\n".encode()


def instead_of(keygen: Keygen) -> Keygen:
    """Signs with Ed25519 keys that have no passphrase; leaves all else to ssh-keygen."""

    def called(
        *arguments: str, given: bytes | None = None, **more: float
    ) -> subprocess.CompletedProcess[bytes]:
        if arguments[:3] == ("-Y", "sign", "-f") and given is not None:
            key = _private(Path(arguments[3]))
            if key is not None:
                return subprocess.CompletedProcess([], 0, signature(given, key, arguments[5]), b"")
        return keygen(*arguments, given=given, **more)

    return called


def _private(path: Path) -> Ed25519PrivateKey | None:
    if path.stat().st_mode & 0o077:  # ssh-keygen refuses a key that others can read
        return None
    try:
        key = load_ssh_private_key(path.read_bytes(), None)
    except (TypeError, ValueError, UnsupportedAlgorithm):  # a passphrase, a public half, no key
        return None
    return key if isinstance(key, Ed25519PrivateKey) else None
