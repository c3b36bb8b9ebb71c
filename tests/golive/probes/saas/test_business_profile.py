"""The shops' profiles, by Google's own clients against the rehearsal's stand-in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from golive.environments import Environment
from golive.probes.saas import business_profile
from golive.probes.saas.business_profile import Profiles
from golive.probes.traffic.pages import Page
from golive.verdicts import ProbeError, Unseen
from rehearsal.app.public_booking import details
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.saas import business_profile as stand_in
from rehearsal.parts.saas import google
from rehearsal.parts.saas.integrations import PARTS
from tests.golive.probes.answering import answering
from tests.rehearsal.lone_parts import running

EnvWith = Callable[..., Environment]
FIRST, SECOND = stand_in.LOCATIONS
HOST = "www.bookedbarber.test"


def shops(*locations: str) -> list[dict[str, str]]:
    return [{"shop": f"shop-{n}", "location": at} for n, at in enumerate(locations, 1)]


@pytest.fixture(scope="module")
def r(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    r = Rehearsal(tmp_path_factory.mktemp("integrations"))
    with running(r, PARTS[0]):
        yield r


@pytest.fixture
def told(r: Rehearsal) -> Iterator[Callable[..., None]]:
    """Put other values in place of the service's, until the test ends."""
    yield lambda **values: r.override(
        "integrations", **{f"profile_{k}": v for k, v in values.items()}
    )
    r.clear_override("integrations")


@pytest.fixture
def look(
    env_with: EnvWith, r: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Profiles]]:
    """Look at the profiles, with pages that answer as told."""
    with answering() as app:
        for n in (1, 2):
            app.says(f"/shops/shop-{n}", {"name": "a shop", **details(n)})

        def looked(status: int = 200, **changes: Any) -> Profiles:
            own = {
                "url": r.url("integrations", "/profile"),
                "token_url": r.url("integrations", "/google/token"),
                "tokeninfo_url": r.url("integrations", "/google/tokeninfo"),
                "client_id": google.CLIENT,
                "client_secret": {"file": str(r.secret_file(google.CLIENT_SECRET))},
                "refresh_token": {"file": str(r.secret_file(google.PROFILE_TOKEN))},
                "account": stand_in.ACCOUNT,
                "shops": shops(FIRST, SECOND),
                "shop_path": "/shops/{shop}",
            }
            instances = [{"name": "app-1", "url": app.url}]
            env = env_with(
                business_profile={**own, **changes},
                application={"url": f"https://{HOST}", "instances": instances},
            )
            monkeypatch.setattr(
                business_profile,
                "look_up",
                lambda _, urls: [Page(u, status, u, (u,), "", "", True) for u in urls],
            )
            return business_profile.business_profiles(env, business_profile.profile_grant(env))

        yield looked


def test_profiles_on_several_pages_are_in_order(look: Callable[..., Profiles]) -> None:
    found = look()
    assert (found.failure, found.missing) == ("", ())
    assert not isinstance(found.found, Unseen)
    assert len(found.found) == 2
    assert found.unverified == found.differing == found.mislinked == found.unread == []


@pytest.mark.parametrize(
    ("changed", "fact", "begins"),
    [
        ({"unverified": [SECOND]}, "unverified", "shop-2"),
        ({"links": {SECOND: "https://old.example/book"}}, "mislinked", "shop-2: https://old"),
        ({"links": {SECOND: f"http://{HOST}/book"}}, "mislinked", "shop-2: http://www"),
        ({"reviews": False}, "unread", "shop-1: status 403"),
        (
            {"fields": {SECOND: {"phoneNumbers": {"primaryPhone": "(212) 555-0199"}}}},
            "differing",
            "shop-2: phone",
        ),
    ],
)
def test_what_is_wrong_with_a_profile_is_told(
    look: Callable[..., Profiles],
    told: Callable[..., None],
    changed: dict[str, Any],
    fact: str,
    begins: str,
) -> None:
    told(**changed)
    assert str(getattr(look(), fact)[0]).startswith(begins)


def test_a_link_to_a_page_that_is_not_there_is_told(look: Callable[..., Profiles]) -> None:
    assert "answers 404" in str(look(404).mislinked)


def test_a_quota_of_zero_is_no_access_and_no_error_of_looking(
    look: Callable[..., Profiles], told: Callable[..., None]
) -> None:
    told(quota=0)
    found = look()
    assert "quota is 0" in found.failure
    assert isinstance(found.found, Unseen)


def test_shops_without_a_profile_are_listed(
    look: Callable[..., Profiles], told: Callable[..., None]
) -> None:
    told(gone=[SECOND])
    assert look().missing == ("shop-2 (locations/4712 is not among the account's)",)
    assert "none declared" in str(look(shops=shops(FIRST, "")).missing)


def test_no_shop_at_all_proves_nothing(look: Callable[..., Profiles]) -> None:
    with pytest.raises(ProbeError, match="no shop is declared"):
        look(shops=[])


def test_another_account_grants_nothing(look: Callable[..., Profiles]) -> None:
    assert "is not among the token's accounts" in look(account="accounts/1").failure


def test_a_shop_without_a_record_is_not_seen(look: Callable[..., Profiles]) -> None:
    found = look(shops=[{"shop": "shop-9", "location": FIRST}])
    assert isinstance(found.differing, Unseen)
    assert found.unverified == []
