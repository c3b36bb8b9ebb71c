from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store

from rehearsal.parts.traffic.certificates import Authority

NAMES = ("www.bookedbarber.test", "127.0.0.1")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "certificates")


def load(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_a_leaf_is_accepted_by_a_strict_verifier_with_its_intermediate(
    authority: Authority,
) -> None:
    issued = authority.issue("edge", NAMES)
    leaf, intermediate = x509.load_pem_x509_certificates(issued.chain.read_bytes())
    verifier = (
        PolicyBuilder()
        .store(Store([load(authority.root)]))
        .build_server_verifier(x509.DNSName("www.bookedbarber.test"))
    )
    assert len(verifier.verify(leaf, [intermediate])) == 3
    with pytest.raises(x509.verification.VerificationError):
        verifier.verify(leaf, [])


def test_a_leaf_carries_what_rfc_5280_asks_for(authority: Authority) -> None:
    leaf = load(authority.issue("edge", NAMES).leaf)
    extension = leaf.extensions.get_extension_for_class
    assert extension(x509.BasicConstraints).value.ca is False
    assert ExtendedKeyUsageOID.SERVER_AUTH in extension(x509.ExtendedKeyUsage).value
    assert extension(x509.SubjectKeyIdentifier).value.digest
    assert extension(x509.AuthorityKeyIdentifier).value.key_identifier
    alternative = extension(x509.SubjectAlternativeName).value
    assert alternative.get_values_for_type(x509.DNSName) == ["www.bookedbarber.test"]
    assert [str(ip) for ip in alternative.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc <= timedelta(days=366)


def test_a_leaf_is_kept_across_restarts_and_renewed_for_other_names(authority: Authority) -> None:
    first = authority.issue("edge", NAMES)
    serial = load(first.leaf).serial_number
    assert load(Authority(authority.folder).issue("edge", NAMES).leaf).serial_number == serial
    other = authority.issue("edge", [*NAMES, "app.bookedbarber.test"])
    assert load(other.leaf).serial_number != serial


def test_parts_that_ask_for_one_leaf_side_by_side_are_given_the_same(authority: Authority) -> None:
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(authority.issue, "edge", NAMES) for _ in range(8)]
    chains = {one.result().chain.read_bytes() for one in asked}
    expiries = {one.result().expires_at for one in asked}
    assert len(chains) == len(expiries) == 1
    pool = ThreadPoolExecutor(8)
    with pool:
        leaves = pool.map(
            lambda n: load(Authority(authority.folder / str(n % 2)).issue("x", NAMES).leaf),
            range(8),
        )  # two authorities, each founded by four
    assert len({leaf.serial_number for leaf in leaves}) == 2


def test_a_leaf_with_90_days_or_less_left_is_renewed(authority: Authority) -> None:
    old = authority.issue("edge", NAMES, days=59)
    left = old.expires_at - datetime.now(UTC)
    assert timedelta(days=58, hours=23) < left <= timedelta(days=59)
    renewed = authority.issue("edge", NAMES)
    assert renewed.expires_at - datetime.now(UTC) > timedelta(days=364)


def test_keys_are_readable_by_their_owner_only(authority: Authority) -> None:
    issued = authority.issue("edge", NAMES)
    for path in (issued.key, issued.bundle, authority.folder / "intermediate.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_the_root_key_is_never_written(authority: Authority) -> None:
    assert not (authority.folder / "root.key").exists()


@pytest.mark.parametrize(("sans", "days"), [([], 365), (NAMES, 0), (NAMES, 366)])
def test_impossible_requests_are_refused(
    authority: Authority, sans: list[str], days: float
) -> None:
    with pytest.raises(ValueError, match="edge"):
        authority.issue("edge", sans, days=days)
