"""The shops' profiles at Google: who owns them, what they say, where their booking links lead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from golive.environments import Environment
from golive.probes.saas.customer_calendar import own_hosts
from golive.probes.saas.google import Grant, granted, service
from golive.probes.saas.records import application
from golive.probes.saas.shop_records import differences
from golive.probes.traffic.pages import look_up
from golive.probes.transport.http import client, shown
from golive.probing import probe
from golive.verdicts import ProbeError, Unseen, seen, unseen_among

_FIELDS = "name,title,storeCode,phoneNumbers,storefrontAddress,regularHours"
_REVIEWS = "https://mybusiness.googleapis.com/v4"
_BOOKING = frozenset({"APPOINTMENT", "ONLINE_APPOINTMENT"})
_PAGE = 100


@dataclass(frozen=True, slots=True)
class Profile:
    """A shop's profile, beside its record."""

    shop: str
    location: str
    verified: bool | Unseen
    """Whether it is verified and may speak for the business (Voice of Merchant)."""
    differs: tuple[str, ...] | Unseen
    """In what it differs from the shop's record."""
    link: str | Unseen
    """Why its booking link does not do; empty where it leads to a page of this host."""
    reviews: str | Unseen
    """Why its reviews cannot be read; empty where they can."""


@dataclass(frozen=True, slots=True)
class Profiles:
    """The profiles of the shops of the launch."""

    failure: str
    """Why Google grants no access to its APIs; empty where it does."""
    missing: tuple[str, ...] | Unseen
    """Shops without a profile in our account."""
    found: tuple[Profile, ...] | Unseen

    @property
    def unverified(self) -> list[str] | Unseen:
        """Shops whose profile is not verified."""
        return self._that("verified", lambda p: [] if p.verified else [p.shop])

    @property
    def differing(self) -> list[str] | Unseen:
        """In what profiles differ from the shops' records."""
        return self._that("differs", lambda p: [f"{p.shop}: {one}" for one in p.differs])

    @property
    def mislinked(self) -> list[str] | Unseen:
        """Booking links that do not lead to a page of this host."""
        return self._that("link", lambda p: [f"{p.shop}: {p.link}"] if p.link else [])

    @property
    def unread(self) -> list[str] | Unseen:
        """Profiles whose reviews cannot be read."""
        return self._that("reviews", lambda p: [f"{p.shop}: {p.reviews}"] if p.reviews else [])

    def _that(self, name: str, told: Any) -> list[str] | Unseen:
        """What is told of each profile of which it was seen; unseen where nothing is, and some
        were not seen."""
        if isinstance(self.found, Unseen):
            return self.found
        known = [p for p in self.found if not isinstance(getattr(p, name), Unseen)]
        said = [one for p in known for one in told(p)]
        unseen = unseen_among(getattr(p, name) for p in self.found)
        return unseen if unseen is not None and not said else said


@probe()
def profile_grant(env: Environment) -> Grant:
    """The refresh token of the profiles' account, refreshed."""
    own = env.business_profile
    return granted(
        env, own.token_url, own.tokeninfo_url, own.client_id, own.client_secret, own.refresh_token
    )


class _NoAccess(Exception):
    """Google grants no access to the API."""


@probe()
def business_profiles(env: Environment, profile_grant: Grant) -> Profiles:
    """Every shop of the launch: its profile beside its record, its booking link, its reviews."""
    own = env.business_profile
    if profile_grant.failure:
        raise ProbeError("the profiles at Google", profile_grant.failure, "grant access again")
    if not own.shops:
        step = "name every shop of the launch in business_profile.shops"
        raise ProbeError("the profiles at Google", "no shop is declared", step)
    token = profile_grant.token.reveal()
    try:
        locations = _locations(env, token)
    except _NoAccess as e:
        step = "have Google approve the project for its Business Profile APIs"
        unseen = Unseen(ProbeError("the profiles at Google", e, step))
        return Profiles(str(e), unseen, unseen)
    told = [
        f"{one.shop} ({one.location or 'none declared'} is not among the account's)"
        for one in own.shops
        if one.location not in locations
    ]
    found = [
        _profile(env, token, one.shop, locations[one.location])
        for one in own.shops
        if one.location in locations
    ]
    return Profiles("", tuple(told), tuple(found))


def _locations(env: Environment, token: str) -> dict[str, Mapping[str, Any]]:
    """The locations of our account, by name.

    :raises _NoAccess: the project is not approved, its quota is zero, or the account not ours.
    """
    account = env.business_profile.account
    with _asking(env, "accountmanagement", "mybusinessaccountmanagement", token) as google:
        ours: list[str] = []
        request = google.accounts().list()
        while request is not None:
            page = _answered(request)
            ours += [str(one["name"]) for one in page.get("accounts", [])]
            request = google.accounts().list_next(request, page)
    if account not in ours:
        raise _NoAccess(f"{account} is not among the token's accounts: {', '.join(ours) or 'none'}")
    with _asking(env, "businessinformation", "mybusinessbusinessinformation", token) as google:
        listed = google.accounts().locations()
        found: dict[str, Mapping[str, Any]] = {}
        request = listed.list(parent=account, readMask=_FIELDS, pageSize=_PAGE)
        while request is not None:
            page = _answered(request)
            found |= {str(one["name"]): one for one in page.get("locations", [])}
            request = listed.list_next(request, page)
    return found


def _answered(request: Any) -> Any:
    """What Google answers.

    :raises _NoAccess: the quota is zero, as of projects that are not approved, or the API is off.
    """
    from googleapiclient.errors import HttpError

    try:
        return request.execute()
    except HttpError as e:
        details: Any = e.error_details if isinstance(e.error_details, list) else []
        for one in details:
            about = one.get("metadata", {}) if isinstance(one, Mapping) else {}
            if str(about.get("quota_limit_value")) == "0":
                raise _NoAccess("the project's quota is 0, so it is not approved") from None
            if isinstance(one, Mapping) and one.get("reason") == "SERVICE_DISABLED":
                raise _NoAccess("the API is not switched on in the project") from None
        raise


def _profile(env: Environment, token: str, shop: str, location: Mapping[str, Any]) -> Profile:
    name = str(location["name"])
    return Profile(
        shop,
        name,
        seen(_verified, env, token, name),
        seen(_differs, env, shop, location),
        seen(_link, env, token, name),
        seen(_reviews, env, token, name),
    )


def _verified(env: Environment, token: str, name: str) -> bool:
    with _asking(env, "verifications", "mybusinessverifications", token) as google:
        told = google.locations().getVoiceOfMerchantState(name=name).execute()
    return bool(told.get("hasVoiceOfMerchant"))


def _differs(env: Environment, shop: str, location: Mapping[str, Any]) -> tuple[str, ...]:
    url = application(env) + env.business_profile.shop_path.replace("{shop}", shop)
    with client(env) as http:
        return tuple(differences(http.json(url), location))


def _link(env: Environment, token: str, name: str) -> str:
    """Why the booking link does not lead to a page of this host."""
    with _asking(env, "placeactions", "mybusinessplaceactions", token) as google:
        told = google.locations().placeActionLinks().list(parent=name).execute()
    links = told.get("placeActionLinks", [])
    found = [str(one["uri"]) for one in links if one.get("placeActionType") in _BOOKING]
    if not found:
        return "it has no booking link"
    hosts = own_hosts(env)
    for url in found:
        split = urlsplit(url)
        if split.scheme != "https" or split.netloc not in hosts:
            return f"{shown(url)} is not https at {' or '.join(hosts)}"
        page = next(iter(look_up(env, [url])))
        if not page.is_there or urlsplit(page.final_url).netloc not in hosts:
            return f"{shown(url)} answers {page.status} at {shown(page.final_url)}"
    return ""


def _reviews(env: Environment, token: str, name: str) -> str:
    base = f"{env.business_profile.url.rstrip('/')}/v4" if env.business_profile.url else _REVIEWS
    url = f"{base}/{env.business_profile.account}/{name}/reviews?pageSize=1"
    with client(env, foreign=True) as http:
        answer = http.get(url, {"Authorization": f"Bearer {token}"})
    if answer.status_code in {429, 500, 502, 503, 504}:
        raise ProbeError(f"reviews at {shown(url)}", f"status {answer.status_code}", "look again")
    return "" if answer.status_code == 200 else f"status {answer.status_code}"


@contextmanager
def _asking(env: Environment, path: str, name: str, token: str) -> Iterator[Any]:
    own = env.business_profile.url.rstrip("/")
    with service(env, name, "v1", f"{own}/{path}/" if own else "", token) as google:
        yield google
