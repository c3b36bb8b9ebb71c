"""Signatures: only the right key, in the right role, over the very bytes, for this purpose."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from golive.people.signatures import sign, signature_of, verify
from golive.verdicts import GoliveError

pytestmark = pytest.mark.usefixtures("ssh_keygen")


@pytest.fixture
def people(tmp_path: Path) -> dict[str, Path]:
    """Keys of two roles, the list of allowed signers, and a document."""
    lines = []
    for role in ("database_administrator", "security_lead"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / role)], check=True
        )
        public = " ".join((tmp_path / f"{role}.pub").read_text().split()[:2])
        lines.append(f'{role} namespaces="golive-*" {public}\n')
    (tmp_path / "allowed_signers").write_text("".join(lines))
    (tmp_path / "report.html").write_text("p95 is 3 ms")
    return {
        "dba": tmp_path / "database_administrator",
        "security": tmp_path / "security_lead",
        "allowed": tmp_path / "allowed_signers",
        "document": tmp_path / "report.html",
    }


def test_a_signature_of_the_owner_is_valid(people: dict[str, Path]) -> None:
    sign(people["document"], people["dba"])
    found = verify(people["document"], people["allowed"].read_text(), "database_administrator")
    assert (found.exists, found.valid, found.cause) == (True, True, "")


def test_a_signature_of_another_role_is_not(people: dict[str, Path]) -> None:
    sign(people["document"], people["security"])
    found = verify(people["document"], people["allowed"].read_text(), "database_administrator")
    assert found.exists
    assert not found.valid
    assert found.cause


def test_one_altered_byte_breaks_it(people: dict[str, Path]) -> None:
    sign(people["document"], people["dba"])
    people["document"].write_text("p95 is 2 ms")
    assert not verify(
        people["document"], people["allowed"].read_text(), "database_administrator"
    ).valid


def test_a_signature_for_another_purpose_is_not_taken(people: dict[str, Path]) -> None:
    sign(people["document"], people["dba"], namespace="golive-waiver")
    assert not verify(
        people["document"], people["allowed"].read_text(), "database_administrator"
    ).valid


def test_a_document_without_a_signature_says_so(people: dict[str, Path]) -> None:
    found = verify(people["document"], people["allowed"].read_text(), "database_administrator")
    assert (found.exists, found.valid, found.cause) == (False, False, "it is not signed")


def test_signing_again_replaces_the_old_signature(people: dict[str, Path]) -> None:
    sign(people["document"], people["security"])
    assert sign(people["document"], people["dba"]) == signature_of(people["document"])
    assert verify(people["document"], people["allowed"].read_text(), "database_administrator").valid


def test_a_key_counts_only_while_the_list_says_so(people: dict[str, Path]) -> None:
    sign(people["document"], people["dba"])
    role, options, *key = people["allowed"].read_text().splitlines()[0].split()
    dated = f'{role} {options},valid-before="20200101000000Z" {" ".join(key)}\n'
    found = verify(people["document"], dated, role)
    assert (found.exists, found.valid) == (True, False)
    assert verify(people["document"], dated, role, at=datetime(2019, 1, 1, tzinfo=UTC)).valid


def test_signing_names_the_key_or_document_that_is_not_there(people: dict[str, Path]) -> None:
    with pytest.raises(GoliveError, match="no such key"):
        sign(people["document"], people["dba"].with_name("lost"))
    with pytest.raises(GoliveError, match="No such file"):
        sign(people["document"].with_name("lost.html"), people["dba"])


def test_a_key_that_cannot_sign_leaves_no_signature(people: dict[str, Path]) -> None:
    people["dba"].write_text("no key")
    with pytest.raises(GoliveError, match="could not be signed"):
        sign(people["document"], people["dba"])
    assert not signature_of(people["document"]).exists()
