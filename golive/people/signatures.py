"""Signatures of people, made by ssh-keygen with the keys they already have, and checked as it does.

Who may sign is said by allowed signers as ssh-keygen(1) describes them: each line names a person
or a role and a public key.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from golive import files
from golive.verdicts import GoliveError, ProbeError

DOCUMENTS = "golive-document"
STATEMENTS = "golive-statement"
PACKAGES = "golive-package"
RUNS = "golive-run"
"""Namespaces: a signature made for one of them never passes for another."""
MOST_BYTES = 2**30
"""Of what is signed."""
MOST_SIGNATURE_BYTES = 2**16
_LIMIT_S = 30.0
_PERSON_LIMIT_S = 300.0
"""For signing: somebody may have to type a passphrase, or touch a token."""


@dataclass(frozen=True, slots=True)
class Signature:
    """What is known of a file's signature. ``cause`` says why it is not valid."""

    path: Path
    signer: str
    exists: bool
    valid: bool
    cause: str = ""


def signature_of(path: Path, role: str = "") -> Path:
    """Where the signature of a file lies: beside it, as ssh-keygen names it.

    :param role: a further signer's, where several roles sign the same file.
    """
    return path.with_name(f"{path.name}.{role}.sig" if role else f"{path.name}.sig")


def sign(path: Path, key: Path, namespace: str = DOCUMENTS, *, place: Path | None = None) -> Path:
    """Sign a file with a private key (or a public one whose private half an agent holds).

    :param place: where the signature goes; default: beside the file.
    :raises GoliveError: the key cannot sign, or there is nothing to sign; says why.
    :raises OSError: the signature cannot be written.
    """
    given = files.read(path, MOST_BYTES, "a document to sign", links=True)
    if not key.is_file():
        raise GoliveError(f"{key}: there is no such key; expected an SSH key to sign with")
    target = place or signature_of(path)
    try:
        done = _ssh_keygen(
            *("-Y", "sign", "-f", str(key), "-n", namespace),
            given=given,
            limit_s=_PERSON_LIMIT_S,
        )
    except OSError as e:
        raise GoliveError(f"ssh-keygen: {e.strerror}; expected OpenSSH's client") from None
    except subprocess.TimeoutExpired:
        raise GoliveError(f"{key}: gave no signature in {_PERSON_LIMIT_S:g} s; try again") from None
    if done.returncode or not done.stdout:
        raise GoliveError(f"{path}: could not be signed with {key}: {_said(done)}")
    return files.write(target, done.stdout)


def verify(
    path: Path,
    signers: str,
    signer: str,
    namespace: str = DOCUMENTS,
    *,
    signature: Path | None = None,
    at: datetime | None = None,
) -> Signature:
    """Check a file's signature.

    :param signers: the text of an allowed signers file.
    :param signer: the principal of it that must have signed.
    :param signature: where it lies; default: beside the file.
    :param at: the time at which the key must have been valid; default: now.
    :raises ProbeError: ssh-keygen is not there.
    """
    place = signature_of(path) if signature is None else signature
    if not place.is_file():
        return Signature(place, signer, exists=False, valid=False, cause="it is not signed")
    try:
        given = files.read(path, MOST_BYTES, "what was signed", links=True)
        armoured = files.read(place, MOST_SIGNATURE_BYTES, "a signature")
    except GoliveError as e:
        return Signature(place, signer, exists=True, valid=False, cause=str(e))
    moment = (at or datetime.now(UTC)).astimezone(UTC)
    from golive.people import sshsig  # with all of cryptography, which few runs need

    if sshsig.is_good(given, armoured, signers, signer, namespace, moment):
        return Signature(place, signer, exists=True, valid=True)
    try:
        # ssh-keygen reads the signers more than once, so they cannot come through a pipe.
        with tempfile.NamedTemporaryFile("w", suffix=".signers") as allowed:
            allowed.write(signers)
            allowed.flush()
            done = _ssh_keygen(
                *("-Y", "verify", "-f", allowed.name, "-I", signer, "-n", namespace),
                # Without a zone, as OpenSSH before 9.1 wants it: times are UTC, see below.
                *("-s", str(place), f"-Overify-time={moment:%Y%m%d%H%M%S}"),
                given=given,
            )
    except (OSError, subprocess.TimeoutExpired) as e:
        raise ProbeError("a signature", e, "install OpenSSH's ssh-keygen") from None
    cause = "" if done.returncode == 0 else _said(done)
    return Signature(place, signer, exists=True, valid=done.returncode == 0, cause=cause)


def _ssh_keygen(
    *arguments: str, given: bytes | None = None, limit_s: float = _LIMIT_S
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["ssh-keygen", *arguments],
        input=given,
        stdin=subprocess.DEVNULL if given is None else None,
        capture_output=True,
        check=False,
        timeout=limit_s,
        env={**os.environ, "TZ": "UTC"},
    )


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    text = (done.stderr + done.stdout).decode(errors="replace")
    return " ".join(text.split()) or f"ssh-keygen ended with status {done.returncode}"
