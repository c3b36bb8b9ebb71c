"""Signatures checked in this process: never right where ssh-keygen says wrong."""

from __future__ import annotations

import base64
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golive.people import signatures
from golive.people.signatures import RUNS, STATEMENTS
from golive.people.sshsig import is_good
from tests import signing
from tests.conftest import make_key

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TEXT = b'{"by":"ann"}\n'
KINDS = ("ed25519", "rsa", "ecdsa")


@dataclass(frozen=True)
class Signed:
    """A text with its signature, and the list that allows it."""

    armoured: bytes
    signers: str

    def good(self, **changes: object) -> bool:
        """What golive says in this process."""
        known: dict[str, object] = {
            "data": TEXT,
            "armoured": self.armoured,
            "signers": self.signers,
            "signer": "ann",
            "namespace": RUNS,
            "at": NOW,
        }
        return is_good(**(known | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="module", params=KINDS)
def signed(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    signing_here: signing.Keygen,
) -> Signed:
    folder = tmp_path_factory.mktemp(request.param)
    key = make_key(folder / "ann", request.param)
    (folder / "text").write_bytes(TEXT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signatures, "_ssh_keygen", signing_here)
        signatures.sign(folder / "text", key, RUNS)
    public = " ".join(key.with_suffix(".pub").read_text().split()[:2])
    return Signed((folder / "text.sig").read_bytes(), f'ann namespaces="golive-*" {public}\n')


@pytest.mark.parametrize("data", [b"", TEXT, bytes(range(256)) * 4096])
@pytest.mark.parametrize("namespace", [RUNS, STATEMENTS])
def test_what_tests_sign_in_this_process_is_what_ssh_keygen_makes(
    tmp_path: Path, data: bytes, namespace: str, signing_here: signing.Keygen
) -> None:
    key = str(make_key(tmp_path / "ann"))
    words = ("-Y", "sign", "-f", key, "-n", namespace)
    here = signatures._ssh_keygen(*words, given=data)
    itself = signing_here(*words, given=data)
    assert (here.args, itself.args[0]) == ([], "ssh-keygen")
    assert here.stdout == itself.stdout  # Ed25519 has one signature of a text


def keygen(data: bytes, armoured: bytes, signers: str, folder: Path) -> bool:
    """What ssh-keygen says."""
    (folder / "signers").write_text(signers)
    (folder / "sig").write_bytes(armoured)
    done = subprocess.run(
        [
            "ssh-keygen",
            "-Y",
            "verify",
            "-f",
            str(folder / "signers"),
            "-I",
            "ann",
            "-n",
            RUNS,
            "-s",
            str(folder / "sig"),
            f"-Overify-time={NOW:%Y%m%d%H%M%S}",
        ],
        input=data,
        capture_output=True,
        check=False,
        env={"TZ": "UTC", "PATH": "/usr/bin:/bin"},
    )
    return done.returncode == 0


def test_a_signature_of_each_kind_of_key_is_good(signed: Signed, tmp_path: Path) -> None:
    assert signed.good()
    assert keygen(TEXT, signed.armoured, signed.signers, tmp_path)


def test_nothing_else_is(signed: Signed) -> None:
    other = signed.signers.replace("ann", "ben")
    assert not signed.good(data=TEXT + b" ")
    assert not signed.good(namespace=STATEMENTS)
    assert not signed.good(signer="ben")
    assert not signed.good(signers=other)
    assert not signed.good(signers="")
    assert not signed.good(armoured=b"")
    assert not signed.good(armoured=signed.armoured + b"x")
    assert not signed.good(armoured=signed.armoured.replace(b"\n", b"\r\n"))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ('namespaces="golive-run"', True),
        ('namespaces="golive-statement"', False),
        ('namespaces="golive-*",valid-after="20261120"', True),
        ('namespaces="golive-*",valid-after="20261121"', False),
        ('namespaces="golive-*",valid-before="20261121"', True),
        ('namespaces="golive-*",valid-before="20261120"', False),
        ('namespaces="golive-*",cert-authority', False),
    ],
)
def test_a_key_counts_for_its_purpose_and_its_days(
    signed: Signed, tmp_path: Path, options: str, expected: bool
) -> None:
    signers = signed.signers.replace('namespaces="golive-*"', options)
    assert signed.good(signers=signers) is expected
    assert keygen(TEXT, signed.armoured, signers, tmp_path) is expected


def test_another_hash_or_something_behind_it_is_not_judged_here(signed: Signed) -> None:
    body = b"".join(signed.armoured.splitlines()[1:-1])
    blob = base64.b64decode(body)
    for changed in (
        blob.replace(b"sha512", b"sha256"),
        blob.replace(b"\x00\x00\x00\x06sha512", b"\x00\x00\x00\x03md5"),
        blob + b"\x00",
        blob[:-1],
        blob.replace(b"SSHSIG\x00\x00\x00\x01", b"SSHSIG\x00\x00\x00\x02"),
        b"",
    ):
        assert changed != blob
        assert not signed.good(armoured=armour(changed))
    assert signed.good(armoured=armour(blob))


@given(data=st.data())
def test_a_changed_byte_is_never_good(signed: Signed, data: st.DataObject) -> None:
    blob = bytearray(base64.b64decode(b"".join(signed.armoured.splitlines()[1:-1])))
    place = data.draw(st.integers(0, len(blob) - 1))
    blob[place] ^= data.draw(st.integers(1, 255))
    assert not signed.good(armoured=armour(bytes(blob)))


@given(blob=st.binary(max_size=300))
def test_whatever_it_is_given_it_says_yes_or_no(signed: Signed, blob: bytes) -> None:
    assert not signed.good(armoured=armour(b"SSHSIG\x00\x00\x00\x01" + blob))


def armour(blob: bytes) -> bytes:
    """A signature's bytes as ssh-keygen writes them down."""
    text = base64.b64encode(blob)
    lines = [text[n : n + 70] for n in range(0, len(text), 70)]
    ends = b"-----BEGIN SSH SIGNATURE-----", b"-----END SSH SIGNATURE-----"
    return b"".join(line + b"\n" for line in (ends[0], *lines, ends[1]))
