"""Google Business Profile: account management, business information, verifications and place
actions v1 below paths of these names, and reviews as v4 has them.

Settings that a fault may override at any time (part `integrations`): `profile_quota`,
`profile_gone`, `profile_unverified`, `profile_links` (by location), `profile_fields` (laid over a
location's, by location), `profile_reviews` (False: refused), `profile_accounts`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rehearsal.app.public_booking import DAYS, details
from rehearsal.parts.saas.google import PROFILE_SCOPES, Google
from rehearsal.parts.traffic.hosts import EDGE_HOSTS

ACCOUNT = "accounts/11259375"
LOCATIONS = {"locations/4711": 1, "locations/4712": 2}
"""The profiles of the shops of the launch, by the shops' numbers."""
PER_PAGE = 1
"""Google's default is 10; whoever reads the first page only is to notice here as well."""
Form = Mapping[str, str]


class BusinessProfile:
    """The profiles of one account."""

    def __init__(self, google: Google) -> None:
        self._google = google

    def setting(self, name: str, default: Any) -> Any:
        """A setting, as a fault has it."""
        return self._google._r.setting("integrations", f"profile_{name}", default)

    def answer(self, given: str, method: str, path: str, query: Form) -> tuple[int, Any, Any]:
        """Status, document and headers."""
        self._google.lets_in(given, PROFILE_SCOPES[0])
        quota = self.setting("quota", 300)
        if not quota:
            text = "Quota exceeded for quota metric 'Requests' and limit 'Requests per minute'"
            about = {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "RATE_LIMIT_EXCEEDED",
                "metadata": {"quota_limit_value": "0", "quota_unit": "1/min/{project}"},
            }
            raise self._google.error(429, "RESOURCE_EXHAUSTED", text, details=[about])
        gone = self.setting("gone", [])
        there = [name for name in LOCATIONS if name not in gone]
        match method, path.strip("/").split("/"):
            case "GET", ["accountmanagement", "v1", "accounts"]:
                names = self.setting("accounts", [ACCOUNT])
                found = [
                    {"name": n, "accountName": "BookedBarber", "type": "LOCATION_GROUP"}
                    for n in names
                ]
                return 200, {"accounts": found}, {}
            case "GET", ["businessinformation", "v1", *owner, "locations"]:
                if "/".join(owner) == ACCOUNT:
                    return 200, self._page(there, query), {}
            case "GET", ["verifications", "v1", "locations", ident, "VoiceOfMerchantState"]:
                name = f"locations/{ident}"
                has = name in there and name not in self.setting("unverified", [])
                waiting = {} if has else {"verify": {"hasPendingVerification": True}}
                told = {"hasVoiceOfMerchant": has, "hasBusinessAuthority": has, **waiting}
                return 200, told, {}
            case "GET", ["placeactions", "v1", "locations", ident, "placeActionLinks"]:
                return 200, {"placeActionLinks": self._links(f"locations/{ident}")}, {}
            case "GET", ["v4", *owner, "locations", _, "reviews"] if "/".join(owner) == ACCOUNT:
                if not self.setting("reviews", True):
                    raise self._google.error(403, "PERMISSION_DENIED", "No permission")
                review = {"reviewId": "r1", "starRating": "FIVE", "comment": "A good cut"}
                told = {"reviews": [review], "averageRating": 5, "totalReviewCount": 1}
                return 200, told, {}
        raise self._google.error(404, "NOT_FOUND", "Requested entity was not found.")

    def _page(self, names: list[str], query: Form) -> Any:
        at = int(query.get("pageToken") or 0)
        more = {"nextPageToken": str(at + PER_PAGE)} if len(names) > at + PER_PAGE else {}
        found = [self._location(name) for name in names[at : at + PER_PAGE]]
        return {"locations": found, "totalSize": len(names), **more}

    def _location(self, name: str) -> Any:
        shop = details(LOCATIONS[name])
        street = shop["address"].split(",")[0]
        periods = [
            {
                "openDay": day.upper(),
                "openTime": {"hours": 9},
                "closeDay": day.upper(),
                "closeTime": {"hours": 18},
            }
            for day in DAYS
        ]
        found = {
            "name": name,
            "title": f"Barber Shop {LOCATIONS[name]}",
            "storeCode": f"shop-{LOCATIONS[name]}",
            "phoneNumbers": {"primaryPhone": f"(212) 555-{shop['phone'][-4:]}"},
            "storefrontAddress": {
                "regionCode": "US",
                "postalCode": "10001",
                "administrativeArea": "NY",
                "locality": "New York",
                "addressLines": [street.replace("Street", "St")],
            },
            "regularHours": {"periods": periods},
        }
        return {**found, **self.setting("fields", {}).get(name, {})}

    def _links(self, name: str) -> list[Any]:
        slug = f"shop-{LOCATIONS.get(name, 0)}"
        uri = self.setting("links", {}).get(name, f"https://{EDGE_HOSTS[0]}/book?shop={slug}")
        kept = {"name": f"{name}/placeActionLinks/1", "placeActionType": "APPOINTMENT"}
        return [{**kept, "uri": uri, "isEditable": True, "providerType": "MERCHANT"}]
