"""The packaged configuration of other layouts and habits."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from golive.environments import Environment
from golive.probes.platform.package import Packaged, packaged_configuration
from golive.verdicts import ProbeError, Unseen

OWN = """ENVIRONMENT=staging
DEBUG=off
API_URL=https://api.shop.example
ALLOWED_HOSTS=www.shop.example, .shop.example
DATABASE_URL=postgresql://app:word@127.0.0.1:5432/shop
REDIS_URL=redis://cache.internal:6379/0
STRIPE_KEY=pk_test_0123456789abcdef
NEXT_PUBLIC_API_URL=https://api.shop.example
NEXT_PUBLIC_STRIPE=pk_test_0123456789abcdef
"""
OTHER = OWN.replace("shop.example", "live.example").replace("ENVIRONMENT=staging", "ENVIRONMENT=p")
OTHER = OTHER.replace("127.0.0.1:5432", "db.live.example").replace("cache.internal", "cache.live")
OTHER = OTHER.replace("pk_test_0123456789abcdef", "pk_live_0123456789abcdef")


@pytest.fixture
def packaged(
    tmp_path: Path, env_with: Callable[..., Environment], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Packaged]:
    """What is packaged, with the file, the frontend or the section otherwise."""
    resolved = {"api.shop.example"}

    def addresses(host: str, *_: Any) -> list[str]:
        if host not in resolved:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [host]

    monkeypatch.setattr(socket, "getaddrinfo", addresses)

    def look(
        own: str = OWN,
        *,
        bundle: str | None = None,
        bundle_folder: str = "out",
        kind: str = "staging",
        **section: Any,
    ) -> Packaged:
        names = [line.partition("=")[0] for line in OWN.splitlines()]
        schema = {"properties": {name: {"type": "string"} for name in names}, "required": names}
        built = 'a("https:\\/\\/api.shop.example","pk_test_0123456789abcdef")'
        files = {
            "own.env": own,
            "other.env": OTHER,
            "schema.json": json.dumps(schema),
            "out/main.js": built if bundle is None else bundle,
        }
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
        declared = {
            "bundle": bundle_folder,
            "others": {"production": "other.env"},
            "environment_names": ["ENVIRONMENT"],
            "debug": ["DEBUG"],
            "public_urls": ["API_URL", "NEXT_PUBLIC_API_URL"],
            "allowed_hosts": ["ALLOWED_HOSTS"],
            "databases": ["DATABASE_URL"],
            "caches": ["REDIS_URL"],
            "stripe": ["STRIPE_KEY"],
            "hosts": ["cache.internal"],
            "pairs": {"NEXT_PUBLIC_API_URL": "API_URL", "NEXT_PUBLIC_STRIPE": "STRIPE_KEY"},
        } | section
        env = env_with(
            kind=kind,
            deploy={"checkout": str(tmp_path)},
            configuration={"env_file": "own.env", "schema": "schema.json"},
            package=declared,
            edge={"hosts": ["www.shop.example"], "nodes": []},
        )
        return packaged_configuration(env)

    return look


def test_all_in_order(packaged: Callable[..., Packaged]) -> None:
    found = packaged()
    assert (found.missing, found.unknown, found.unfit, found.debug) == ((), (), (), ())
    assert (found.foreign, found.mode, found.unnamed, found.bundle) == ([], (), (), ())
    assert (found.placed, found.switches, found.stripe_keys, found.keys_count) == (2, 1, 1, 9)


@pytest.mark.parametrize(
    ("old", "new", "foreign"),
    [
        (
            "https://api.shop",
            "https://api.live",
            [
                "API_URL names a host of production",
                "NEXT_PUBLIC_API_URL names a host of production",
                "API_URL names api.live.example, which is not declared",
                "NEXT_PUBLIC_API_URL names api.live.example, which is not declared",
            ],
        ),
        (
            "ENVIRONMENT=staging",
            "ENVIRONMENT=production",
            ["ENVIRONMENT names another environment"],
        ),
        (
            "127.0.0.1:5432",
            "127.0.0.1:9999",
            [
                "DATABASE_URL names this machine",
                "DATABASE_URL names 127.0.0.1:9999, which is not declared",
            ],
        ),
        (
            "cache.internal",
            "cache.elsewhere",
            ["REDIS_URL names cache.elsewhere:6379, which is not declared"],
        ),
        (
            "ALLOWED_HOSTS=www.shop.example, .shop.example",
            "ALLOWED_HOSTS=*",
            ["ALLOWED_HOSTS names every host"],
        ),
    ],
)
def test_what_is_not_this_environments(
    packaged: Callable[..., Packaged], old: str, new: str, foreign: list[str]
) -> None:
    assert packaged(OWN.replace(old, new)).foreign == foreign


def test_keys_that_stand_twice_are_missing_or_unknown(packaged: Callable[..., Packaged]) -> None:
    found = packaged(OWN.replace("DEBUG=off\n", "") + "EXTRA=1\nAPI_URL=https://api.shop.example\n")
    assert found.missing == ("DEBUG",)
    assert found.unknown == ("EXTRA", "API_URL (twice)")
    assert found.switches == 0


def test_debug_in_any_spelling(packaged: Callable[..., Packaged]) -> None:
    assert packaged(OWN.replace("DEBUG=off", "DEBUG=True")).debug == ("DEBUG",)
    assert packaged(OWN.replace("DEBUG=off", "DEBUG='0'")).debug == ()
    assert packaged(OWN.replace("DEBUG=off", "DEBUG=")).debug == ("DEBUG",)


def test_stripe_is_live_in_production_and_nowhere_else(packaged: Callable[..., Packaged]) -> None:
    live = OWN.replace("pk_test_", "pk_live_")
    assert packaged(live).mode == ("STRIPE_KEY is a live key",)
    assert packaged(live, kind="production", others={}).mode == ()
    assert packaged(kind="production").mode == ("STRIPE_KEY is a test key",)


def test_hosts_that_dns_does_not_know(packaged: Callable[..., Packaged]) -> None:
    other = OWN.replace("https://api.shop", "https://apis.shop")
    assert packaged(other).unnamed == ("apis.shop.example",)


def test_what_the_frontend_was_built_with(packaged: Callable[..., Packaged]) -> None:
    staging = 'a("https://api.live.example","pk_live_0123456789abcdef")'
    assert packaged(bundle=staging).bundle == (
        "NEXT_PUBLIC_API_URL is not in the frontend as it was built",
        "NEXT_PUBLIC_STRIPE is not in the frontend as it was built",
        "the frontend has NEXT_PUBLIC_API_URL of production",
        "the frontend has NEXT_PUBLIC_STRIPE of production",
    )
    apart = OWN.replace("NEXT_PUBLIC_API_URL=https://api.", "NEXT_PUBLIC_API_URL=https://www.")
    found = packaged(apart).bundle
    assert not isinstance(found, Unseen)
    assert found[0] == "NEXT_PUBLIC_API_URL is not what API_URL is"


def test_a_bundle_that_is_not_there_hides_nothing_else(packaged: Callable[..., Packaged]) -> None:
    found = packaged(bundle_folder="elsewhere")
    assert isinstance(found.bundle, Unseen)
    assert "no script and no page" in str(found.bundle.error)
    assert found.foreign == []


def test_a_file_that_is_not_there_cannot_be_looked_at(packaged: Callable[..., Packaged]) -> None:
    with pytest.raises(ProbeError, match=r"elsewhere\.env"):
        packaged(others={"production": "elsewhere.env"})
    with pytest.raises(ProbeError, match="no variable"):
        packaged("# nothing\n")


def test_a_reference_that_cannot_be_looked_up_leaves_its_place_unseen(
    packaged: Callable[..., Packaged],
) -> None:
    own = OWN.replace("redis://cache.internal:6379/0", "secretsmanager:shop/redis#URL")
    foreign = packaged(own).foreign
    assert isinstance(foreign, Unseen)
    known_one = packaged(own.replace("ENVIRONMENT=staging", "ENVIRONMENT=x")).foreign
    assert known_one == ["ENVIRONMENT names another environment"]


def test_values_are_never_told(packaged: Callable[..., Packaged]) -> None:
    assert "word" not in str(packaged(OWN.replace("5432", "9999")))


def test_what_was_looked_at_is_on_record_with_its_digest(packaged: Callable[..., Packaged]) -> None:
    found = packaged(bundle="run()")
    assert found.digests == {"own.env": hashlib.sha256(OWN.encode()).hexdigest()}
    assert found.bundle_digests == {"main.js": hashlib.sha256(b"run()").hexdigest()}
