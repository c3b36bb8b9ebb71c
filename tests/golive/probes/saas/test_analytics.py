"""Hits of GA4 and of Meta's pixel, as they are read."""

from __future__ import annotations

import pytest

from golive.probes.saas.analytics import GA4, META, _among, _hits, _personal

PERSONAL = {"an e-mail address": ["ann@example.com"], "name or phone": ["Ann Lee", "+12025550199"]}
PATTERNS = ["https://*.google-analytics.com/g/collect", "http://127.0.0.1:80/g/collect"]


def test_several_events_of_one_request_are_several_hits() -> None:
    url = "https://region1.google-analytics.com/g/collect?v=2&tid=G-1&dl=https%3A%2F%2Fx"
    body = "en=page_view\r\nen=purchase&epn.value=45&cu=USD&ep.transaction_id=t1"
    first, second = _hits(GA4, "paid", url, body, PERSONAL)
    assert (first.event, first.to) == ("page_view", "G-1")
    assert (second.event, second.to, second.value, second.currency, second.transaction) == (
        *("purchase", "G-1", "45", "USD", "t1"),
    )


def test_a_pixel_is_read_from_address_form_and_multipart() -> None:
    address = "https://www.facebook.com/tr?id=7&ev=Purchase&cd[value]=45&cd[currency]=USD&eid=t1"
    parts = ("id", "7"), ("ev", "Purchase"), ("cd[value]", "45"), ("cd[currency]", "USD")
    lines = [f'--b\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in parts]
    multipart = (
        "".join(lines) + '--b\r\nContent-Disposition: form-data; name="eid"\r\n\r\nt1\r\n--b--'
    )
    form = "id=7&ev=Purchase&cd%5Bvalue%5D=45&cd%5Bcurrency%5D=USD&cd%5Border_id%5D=t1"
    bare = "https://www.facebook.com/tr/"
    for url, body in ((address, ""), (bare, form), (bare, multipart)):
        (hit,) = _hits(META, "paid", url, body, PERSONAL)
        assert (hit.event, hit.to, hit.value, hit.currency, hit.transaction) == (
            *("Purchase", "7", "45", "USD", "t1"),
        )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("https://x/g/collect?dl=https%3A%2F%2Fshop%2F", ()),
        ("ep.user=ANN%40example.com", ("an e-mail address",)),
        ("dl=https%3A%2F%2Fshop%2F%3Fmail%3Dbob%2540other.example", ("an e-mail address",)),
        ("ep.name=Ann%20Lee", ("name or phone",)),
        ("ep.name=ann+lee", ("name or phone",)),
        ("ep.phone=%2B1%20(202)%20555-0199", ("name or phone",)),
        ("em=b4c9a289323b21a01c3e940f150eb9b8c542587f1abfd8f0e1cc1ffc5e475514", ()),
    ],
)
def test_personal_data_is_found_however_it_is_encoded(text: str, found: tuple[str, ...]) -> None:
    assert _personal(text, PERSONAL) == found


@pytest.mark.parametrize(
    ("url", "is_among"),
    [
        ("https://region1.google-analytics.com/g/collect?v=2", True),
        ("https://www.google-analytics.com/g/collect", True),
        ("https://evil-google-analytics.com/g/collect", False),
        ("https://www.google-analytics.com/gtag/js", False),
        ("http://www.google-analytics.com/g/collect", False),
        ("http://127.0.0.1:80/g/collect", True),
    ],
)
def test_an_address_belongs_to_a_collector(url: str, is_among: bool) -> None:
    assert _among(url, PATTERNS) is is_among
