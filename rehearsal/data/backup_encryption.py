"""Backups as they leave for the buckets: sealed, so that who can read a bucket reads nothing.

Each object has a data key of its own (AES-256-GCM), which the first region's KMS makes and both
regions' wrap: the copy can be opened when the first region is gone. What opening needs besides
KMS stands in the object's metadata:

    cipher        AES-256-GCM
    nonce         base64
    key-REGION    the data key, wrapped by that region's KMS, base64

The object's name is bound into both the wrapping and the seal, so that one object cannot be put
in another's place. Encryption in the bucket (SSE-KMS) comes on top and is the bucket's own.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import json
import os
import sys
from pathlib import Path
from typing import Any

from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.platform import aws

CIPHER = "AES-256-GCM"
_NONCE_BYTES = 12
_CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def seal(r: Rehearsal, name: str, content: bytes) -> tuple[bytes, dict[str, str]]:
    """The object's sealed content, and the metadata that opening it needs."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    context = {"object": name}
    made = aws.client(r, "kms").generate_data_key(
        KeyId=aws.alias(aws.SOURCE_BUCKET), KeySpec="AES_256", EncryptionContext=context
    )
    key, wrapped = made["Plaintext"], {aws.SOURCE_REGION: made["CiphertextBlob"]}
    # The region that the copy belongs in, wherever it may lie at the moment.
    second = r.setting("aws", "copy_region", aws.COPY_REGION)
    wrapped[second] = aws.client(r, "kms", second).encrypt(
        KeyId=aws.alias(aws.COPY_BUCKET), Plaintext=key, EncryptionContext=context
    )["CiphertextBlob"]
    nonce = os.urandom(_NONCE_BYTES)
    return AESGCM(key).encrypt(nonce, content, name.encode()), {
        "cipher": CIPHER,
        "nonce": base64.b64encode(nonce).decode(),
        **{f"key-{at}": base64.b64encode(blob).decode() for at, blob in wrapped.items()},
    }


def unwrap(kms: Any, region: str, name: str, metadata: dict[str, str]) -> bytes:
    """The object's data key, by the KMS of a region.

    Raises RehearsalError when the object is not sealed, or not for that region.
    """
    if metadata.get("cipher") != CIPHER:
        raise RehearsalError(f"{name} is not sealed: its metadata names no cipher {CIPHER}.")
    if f"key-{region}" not in metadata:
        raise RehearsalError(f"{name} has no data key that {region} could unwrap.")
    with aws.told_as(f"{region} does not unwrap the data key of {name}"):
        made = kms.decrypt(
            CiphertextBlob=_bytes(name, metadata, f"key-{region}"),
            EncryptionContext={"object": name},
        )
    return bytes(made["Plaintext"])


def unseal(kms: Any, region: str, name: str, sealed: bytes, metadata: dict[str, str]) -> bytes:
    """What was sealed. Raises RehearsalError when it cannot be opened or is not what it was."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    key = unwrap(kms, region, name, metadata)
    try:
        return AESGCM(key).decrypt(_bytes(name, metadata, "nonce"), sealed, name.encode())
    except (InvalidTag, ValueError):
        raise RehearsalError(
            f"{name} does not open: its content or its key is not the one it was sealed with."
        ) from None


def _bytes(name: str, metadata: dict[str, str], key: str) -> bytes:
    try:
        return base64.b64decode(metadata.get(key, ""), validate=True)
    except binascii.Error as error:
        raise RehearsalError(f"The metadata {key!r} of {name} is no base64: {error}.") from None


# -- as a command ------------------------------------------------------------------------------


def add_arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--key", required=True, metavar="OBJECT", help="the object's name")
    verb.add_argument("--region", required=True, help="whose KMS is asked")
    verb.add_argument(
        "--from", dest="source", metavar="FILE", help="its content, - for stdin; else the bucket's"
    )
    verb.add_argument("--meta", metavar="JSON", help="its metadata, where --from is given")
    verb.add_argument("--to", required=True, metavar="FILE", help="- for stdout")


def decrypt(r: Rehearsal, options: Any) -> None:
    """Open a sealed object, from a file or from the region's bucket.

    Access to KMS is not the rehearsal's own: it comes from AWS_ACCESS_KEY_ID and
    AWS_SECRET_ACCESS_KEY, as it would on a machine that recovers. A fault may override, on
    `drills`, `opens_for_anyone`: then the command has access of its own.
    """
    if r.setting("drills", "opens_for_anyone", False):
        secrets = ("aws-access-key-id", "aws-secret-access-key")
        os.environ.update(zip(_CREDENTIALS, map(r.secret, secrets), strict=True))
    missing = [name for name in _CREDENTIALS if not os.environ.get(name)]
    if missing:
        raise RehearsalError(
            f"Nothing opens {options.key} without access to KMS: {' and '.join(missing)} not set."
        )
    if (options.source is None) != (options.meta is None):
        raise RehearsalError("--from and --meta belong together: the one tells of the other.")
    credentials = tuple(os.environ[name] for name in _CREDENTIALS)
    try:
        if options.source is None:
            sealed, metadata = _fetched(r, options.key, options.region, credentials)
        else:
            sealed, metadata = _content(options.source), _metadata(options.meta)
        kms = aws.client(r, "kms", options.region, credentials)
        content = unseal(kms, options.region, options.key, sealed, metadata)
        if options.to == "-":
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
            return
        # What was a backup's is for nobody else.
        with open(options.to, "wb", opener=_private) as file:
            file.write(content)
    except OSError as error:
        raise RehearsalError(f"{options.key} was not written out: {error}") from error
    print(json.dumps({"key": options.key, "to": options.to, "size_bytes": len(content)}))


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _content(source: str) -> bytes:
    return sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()


def _metadata(text: str) -> dict[str, str]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise RehearsalError(f"--meta is no JSON: {error}.") from None
    if not isinstance(found, dict):
        raise RehearsalError(f"--meta is {text[:40]!r}; expected a JSON object.")
    return {str(name): str(value) for name, value in found.items()}


def _fetched(
    r: Rehearsal, name: str, region: str, credentials: tuple[str, ...]
) -> tuple[bytes, dict[str, str]]:
    bucket = aws.SOURCE_BUCKET if region == aws.SOURCE_REGION else aws.COPY_BUCKET
    with aws.told_as(f"s3://{bucket}/{name} cannot be had"):
        found = aws.client(r, "s3", region, credentials).get_object(Bucket=bucket, Key=name)
        return found["Body"].read(), dict(found["Metadata"])
