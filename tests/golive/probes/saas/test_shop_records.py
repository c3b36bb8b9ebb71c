"""A shop's record and its profile at Google, written in different ways."""

from __future__ import annotations

from typing import Any

import pytest

from golive.probes.saas.shop_records import differences, hours_of_record, zone_fits

RECORD: dict[str, Any] = {
    "address": "101 Main Street, New York, NY 10001",
    "phone": "+12125551001",
    "timezone": "America/New_York",
    "business_hours": {
        "monday": {"open": "09:00", "close": "18:00", "closed": False},
        "sunday": {"closed": True},
    },
}
LOCATION: dict[str, Any] = {
    "phoneNumbers": {"primaryPhone": "(212) 555-1001"},
    "storefrontAddress": {
        "regionCode": "US",
        "postalCode": "10001",
        "administrativeArea": "NY",
        "locality": "New York",
        "addressLines": ["101 Main St."],
    },
    "regularHours": {
        "periods": [
            {
                "openDay": "MONDAY",
                "openTime": {"hours": 9},
                "closeDay": "MONDAY",
                "closeTime": {"hours": 18},
            }
        ]
    },
}


def test_the_same_in_other_words_is_no_difference() -> None:
    assert differences(RECORD, LOCATION) == []
    parts = {"street": "101 Main St", "city": "New York", "state": "NY", "zip": "10001"}
    assert differences({**RECORD, "address": parts}, LOCATION) == []
    assert differences({**RECORD, "address": f"{RECORD['address']}, USA"}, LOCATION) == []
    assert differences({**RECORD, "timezone": "America/Detroit"}, LOCATION) == []


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"phone": "+12125551002"}, "phone: +12125551002, at Google (212) 555-1001"),
        ({"phone": None}, "phone: none, at Google (212) 555-1001"),
        ({"timezone": "America/Chicago"}, "time zone: America/Chicago"),
        ({"timezone": "Mars/Olympus"}, "time zone: Mars/Olympus"),
        ({"timezone": None}, "time zone: none"),
        ({"address": "103 Main Street, New York, NY 10001"}, "address: 103 Main Street"),
        ({"address": None}, "address: none"),
        ({"business_hours": None}, "hours: monday closed, at Google 09:00-18:00"),
    ],
)
def test_a_difference_is_told_with_both_values(record: dict[str, Any], told: str) -> None:
    found = differences({**RECORD, **record}, LOCATION)
    assert len(found) == 1
    assert found[0].startswith(told)


@pytest.mark.parametrize(
    "hours",
    [
        {"monday": {"start": "9:00 AM", "end": "6:00 PM"}},
        {"Monday": [{"open": "09:00:00", "close": "18:00:00"}]},
        [{"day": "monday", "open_time": "09:00", "close_time": "18:00", "is_open": True}],
        [{"day_of_week": 0, "open": "9:00", "close": "18:00"}],
        {"monday": {"open": "09:00", "close": "18:00"}, "tuesday": {"is_open": False}},
    ],
)
def test_hours_are_read_in_every_form(hours: Any) -> None:
    assert hours_of_record(hours) == {"monday": ("09:00-18:00",)}


def test_a_zone_belongs_to_a_state_or_a_country() -> None:
    assert zone_fits("America/Phoenix", "US", "AZ")
    assert not zone_fits("America/Denver", "US", "HI")
    assert zone_fits("Europe/Berlin", "DE", "")
    assert not zone_fits("America/New_York", "DE", "")
