from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from golive.claims import Claim
from golive.environments import Environment
from golive.probes.traffic.plain_http import PlainHttp, PlainTraffic
from golive.probes.traffic.surface import Surface
from golive.probes.traffic.tls import (
    InstalledCertificate,
    Served,
    ServedCertificate,
    TlsEstate,
    _covers,
    accepted_versions,
    tls_estate,
)
from golive.verdicts import ProbeError, Unseen
from rehearsal.parts.traffic.certificates import Authority

LEAF = ServedCertificate(
    "CN=www", "aa" * 32, datetime(2027, 6, 1, tzinfo=UTC), 190.0, "EC secp256r1", True, True
)
CHAIN = (LEAF, replace(LEAF, subject="CN=intermediate", fingerprint="bb" * 32, is_leaf=False))
SERVED = tuple(
    Served("www.example.com", f"10.0.0.{n}:443", CHAIN, ("*.example.com",), "") for n in (1, 2)
)
FILE = InstalledCertificate(
    "www.example.com", "10.0.0.1:443", "/tls.pem", "aa" * 32, ("cc" * 32, "aa" * 32)
)
WHOLE = replace(
    FILE,
    others=CHAIN[1:],
    served_chains=(("cc" * 32, "bb" * 32), ("aa" * 32, "bb" * 32, "ff" * 32)),
)
"""With the intermediate; another one that is sent too stands elsewhere."""
EXPIRED = replace(CHAIN[1], days_left=-1.0)
OTHER = replace(CHAIN[1], subject="CN=other", fingerprint="dd" * 32)
GREEN = TlsEstate(SERVED, (FILE, WHOLE), (), 2, 2, ())
LOST = Unseen(ProbeError("a page at https://www.example.test/", "refused"))
QUIET = Surface({}, "", (), {})
PLAIN = PlainTraffic("", LOST, LOST)

POOLER = {
    "name": "p",
    "host": "127.0.0.1",
    "admin_user": "stats",
    "admin_password": {"env": "GOLIVE_TEST_SECRET"},
}

Judge = Callable[..., Claim | None]
EnvWith = Callable[..., Environment]


def served(**changes: Any) -> TlsEstate:
    return replace(GREEN, served=(replace(SERVED[0], **changes), SERVED[1]))


def certificate(which: int, **changes: Any) -> TlsEstate:
    chain = [replace(c, **changes) if n == which else c for n, c in enumerate(CHAIN)]
    return replace(GREEN, served=tuple(replace(s, chain=tuple(chain)) for s in SERVED))


def test_sound_certificates_are_green(judged: Judge) -> None:
    assert judged("D-14.1.5", tls_estate=GREEN) is None


def test_a_service_may_keep_the_certificate_to_itself(judged: Judge) -> None:
    assert judged("D-14.1.5", tls_estate=replace(GREEN, installed=())) is None


@pytest.mark.parametrize(
    ("facts", "subject", "observed"),
    [
        (replace(GREEN, undeclared=("db at 10.0.0.5:5432",)), "undeclared", "db at 10.0.0.5"),
        (replace(GREEN, served=(), installed=()), "days left", "nothing was measured"),
        (replace(GREEN, reached=0), "endpoints looked at", "0"),
        (certificate(0, days_left=59.9), "days left", "www.example.com at 10.0.0.1:443: CN=www"),
        (certificate(1, days_left=-1.0), "days left", "CN=intermediate"),
        (served(names=("*.elsewhere",)), "names missing", "10.0.0.1:443 has *.elsewhere"),
        (served(names=()), "names missing", "no name"),
        (served(distrust="no path"), "not trusted", "www.example.com at 10.0.0.1:443: no path"),
        (certificate(0, key_is_strong=False, key="RSA 1024"), "keys", "RSA 1024"),
        (
            served(chain=(replace(LEAF, fingerprint="dd" * 32), CHAIN[1])),
            "two certificates",
            "10.0.0.1:443 serves dddddddddddd; 10.0.0.2:443 serves aaaaaaaaaaaa",
        ),
        (
            replace(GREEN, installed=(replace(FILE, fingerprint="ee" * 32),)),
            "not served",
            "/tls.pem of www.example.com at 10.0.0.1:443 holds eeeeeeeeeeee",
        ),
        (
            replace(GREEN, installed=(replace(WHOLE, others=(EXPIRED,)),)),
            "days left",
            "/tls.pem of www.example.com at 10.0.0.1:443: CN=intermediate",
        ),
        (
            replace(GREEN, installed=(replace(WHOLE, others=(OTHER,)),)),
            "not served",
            "continues with CN=other, and what is served does not",
        ),
        (
            replace(GREEN, installed=(replace(WHOLE, error="has another's key"),)),
            "not served",
            "/tls.pem of www.example.com at 10.0.0.1:443 has another's key",
        ),
    ],
)
def test_each_clause_reddens(judged: Judge, facts: TlsEstate, subject: str, observed: str) -> None:
    broken = judged("D-14.1.5", tls_estate=facts)
    assert broken is not None
    assert subject in broken.subject
    assert observed in broken.observed


@pytest.mark.parametrize(
    ("pattern", "name", "covers"),
    [
        ("www.example.com", "WWW.example.com.", True),
        ("*.example.com", "www.example.com", True),
        ("*.example.com", "a.www.example.com", False),
        ("*.example.com", "example.com", False),
        ("*.com", "example.com", False),
        ("w*.example.com", "www.example.com", False),
        ("10.0.0.1", "10.0.0.1", True),
    ],
)
def test_which_names_an_alternative_name_covers(pattern: str, name: str, covers: bool) -> None:
    assert _covers(pattern, name) is covers


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@contextmanager
def tls_server(chain: Path, key: Path) -> Iterator[int]:
    """A server on loopback that completes handshakes and says nothing; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(chain, key)

    def serve(connection: socket.socket) -> None:
        try:
            with context.wrap_socket(connection, server_side=True) as secured:
                secured.recv(1)
        except OSError:
            pass  # the handshakes that are tried here and should fail

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)


def environment(
    env_with: EnvWith, authority: Authority, port: int, file: Path, name: str = "www.example.test"
) -> Environment:
    node = {"host": "127.0.0.1", "port": port, "certificate_file": str(file)}
    return env_with(
        tls={"ca_file": str(authority.root), "endpoints": [{"name": name, "nodes": [node]}]}
    )


def test_a_full_chain_is_trusted_and_is_the_installed_one(
    env_with: EnvWith, authority: Authority
) -> None:
    issued = authority.issue("www", ["www.example.test"], days=59)
    with tls_server(issued.chain, issued.key) as port:
        found = tls_estate(environment(env_with, authority, port, issued.chain), QUIET, PLAIN)
        versions = accepted_versions("www.example.test", "127.0.0.1", port, 2.0)
    (chain,) = found.served
    assert chain.distrust == ""
    assert chain.covers_name
    assert [c.is_leaf for c in chain.chain] == [True, False]
    assert 58.9 < chain.leaf.days_left < 59
    assert found.installed[0].is_served
    assert versions == ("TLS 1.2", "TLS 1.3")


def test_a_missing_intermediate_another_name_and_another_file_show(
    env_with: EnvWith, authority: Authority
) -> None:
    issued, other = (authority.issue(name, [f"{name}.example.test"]) for name in ("www", "old"))
    with tls_server(issued.leaf, issued.key) as port:
        env = environment(env_with, authority, port, other.chain, "app.example.test")
        found = tls_estate(env, QUIET, PLAIN)
    (chain,) = found.served
    assert chain.distrust.endswith("it sends 0 intermediates")
    assert not chain.covers_name
    assert not found.installed[0].is_served


def test_each_certificate_and_the_key_of_a_file_are_looked_at(
    env_with: EnvWith, authority: Authority, tmp_path: Path
) -> None:
    issued, other = (authority.issue(name, [f"{name}.example.test"]) for name in ("www", "old"))
    root, key = authority.root.read_text(), issued.key.read_text()
    leaf, chain = issued.leaf.read_text(), issued.chain.read_text()
    foreign = Authority(tmp_path / "foreign").intermediate.read_text()
    files = {
        "leaf": (leaf, ""),
        "bundle": (key + chain + root, ""),
        "foreign": (leaf + foreign, "which issued none of those before it"),
        "without intermediate": (leaf + root, "which issued none of those before it"),
        "of another key": (chain + other.key.read_text(), "has a key that is not its first"),
        "encrypted": (chain + key.replace(" PRIVATE", " ENCRYPTED PRIVATE"), ""),
    }
    with tls_server(issued.chain, issued.key) as port:
        for name, (text, says) in files.items():
            file = tmp_path / "tls.pem"
            file.write_text(text)
            env = environment(env_with, authority, port, file)
            [found] = tls_estate(env, QUIET, PLAIN).installed
            assert (says in found.flaw) if says else not found.flaw, (name, found.flaw)


def test_what_is_served_over_tls_must_be_declared(env_with: EnvWith, authority: Authority) -> None:
    issued = authority.issue("www", ["www.example.test"])
    with tls_server(issued.chain, issued.key) as port:
        node = {"host": "127.0.0.1", "port": port}
        env = env_with(
            tls={
                "ca_file": str(authority.root),
                "endpoints": [{"name": "www.example.test", "nodes": [node]}],
            },
            edge={
                "hosts": ["www.example.test", "app.example.test"],
                "nodes": [{"name": "edge-1"} | node],
            },
            balancer={"url": f"https://127.0.0.1:{port}"},
            postgres={"sslmode": "require", "poolers": [POOLER]},
            redis={"tls": True, "sentinels": [{"name": "s", "host": "127.0.0.1", "port": 7}]},
        )
        found = tls_estate(env, QUIET, PLAIN)
    assert found.expected == 6
    assert found.undeclared == (
        f"app.example.test at 127.0.0.1:{port}",
        "any name at 127.0.0.1:5432",
        "any name at 127.0.0.1:6432",
        "any name at 127.0.0.1:7",
    )


def test_what_pages_name_and_redirects_lead_to_is_looked_at(
    env_with: EnvWith, authority: Authority
) -> None:
    first = authority.issue("www", ["www.example.test"])
    other = authority.issue("api", ["127.0.0.1"], days=59)
    with tls_server(first.chain, first.key) as port, tls_server(other.chain, other.key) as second:
        env = environment(env_with, authority, port, first.chain)
        env = msgspec.structs.replace(
            env,
            application=env_with(application={"url": f"https://127.0.0.1:{port}"}).application,
        )
        own = Surface({}, "", (), {f"127.0.0.1:{port}": "/", f"127.0.0.1:{second}": "/"})
        by_page = tls_estate(env, own, PLAIN)
        sent = PlainHttp((), {}, (), (f"127.0.0.1:{second}", "elsewhere.example:443"))
        by_redirect = tls_estate(env, QUIET, PlainTraffic("", LOST, sent))
        blind = tls_estate(env, replace(QUIET, named=LOST), PLAIN)
    for found in (by_page, by_redirect):
        assert found.met == (f"127.0.0.1:{second}",)  # the other one is declared
        assert found.reached == 2
        assert min(found.days_left.values()) < 60
    assert isinstance(blind.reached, Unseen)
    assert len(blind.served) == 1


def test_one_endpoint_that_is_down_hides_no_other(
    env_with: EnvWith, authority: Authority, judged: Judge, dead_port: int
) -> None:
    issued = authority.issue("www", ["www.example.test"], days=59)
    with tls_server(issued.chain, issued.key) as port:
        nodes = [{"host": "127.0.0.1", "port": p} for p in (port, dead_port)]
        endpoints = [{"name": "www.example.test", "nodes": nodes}]
        env = env_with(tls={"ca_file": str(authority.root), "endpoints": endpoints})
        found = tls_estate(env, QUIET, PLAIN)
    assert isinstance(found.reached, Unseen)
    assert f"127.0.0.1:{dead_port}" in found.reached.error.subject
    broken = judged("D-14.1.5", tls_estate=replace(found, undeclared=(), expected=1))
    assert broken is not None
    assert broken.subject == "days left"


def test_nothing_listens(env_with: EnvWith, authority: Authority, dead_port: int) -> None:
    with pytest.raises(ProbeError, match=f"www.example.test at 127.0.0.1:{dead_port}"):
        tls_estate(environment(env_with, authority, dead_port, Path()), QUIET, PLAIN)
    with pytest.raises(ProbeError, match="Server rejected the connection"):
        accepted_versions("www.example.test", "127.0.0.1", dead_port, 1.0)


AT_ONCE = """
import sys, threading
from golive.probes.traffic import tls
from golive.verdicts import ProbeError
sys.setswitchinterval(1e-6)
begin, failed = threading.Barrier(2), []

def look(probe):
    begin.wait()
    try:
        probe()
    except ProbeError:
        pass
    except BaseException as e:
        failed.append(repr(e))

looks = (lambda: tls.accepted_versions("x", "127.0.0.1", {port}, 1.0), lambda: tls._scan(None, []))
threads = [threading.Thread(target=look, args=(one,)) for one in looks]
[t.start() for t in threads], [t.join() for t in threads]
print(failed)
"""


def test_two_probes_may_be_the_first_to_use_the_library_at_once(dead_port: int) -> None:
    """Its modules import one another, and each thread began at another one."""
    words = [sys.executable, "-c", AT_ONCE.replace("{port}", str(dead_port))]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
