"""What is known of a shop, from two sources, in one form: so that they can be compared."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

Hours = dict[str, tuple[str, ...]]
"""Spans like ``09:00-18:00`` by day, in lower case; a day without any is closed."""
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_STREETS = {
    "st": "street",
    "ave": "avenue",
    "av": "avenue",
    "rd": "road",
    "blvd": "boulevard",
    "dr": "drive",
    "ln": "lane",
    "ste": "suite",
    "fl": "floor",
    "pl": "place",
    "sq": "square",
    "hwy": "highway",
    "n": "north",
    "s": "south",
    "e": "east",
    "w": "west",
}
_COUNTRY = frozenset({"usa", "us", "united", "states", "of", "america"})
_STATES = {
    "America/New_York": "CT DE DC FL GA IN KY ME MD MA MI NH NJ NY NC OH PA RI SC TN VT VA WV",
    "America/Chicago": "AL AR FL IL IN IA KS KY LA MI MN MS MO NE ND OK SD TN TX WI",
    "America/Denver": "AZ CO ID KS MT NE ND NM NV OR SD TX UT WY",
    "America/Phoenix": "AZ",
    "America/Los_Angeles": "CA ID NV OR WA",
    "America/Anchorage": "AK",
    "America/Adak": "AK",
    "Pacific/Honolulu": "HI",
}


def differences(
    record: Mapping[str, Any], location: Mapping[str, Any], region: str = "US"
) -> list[str]:
    """In what a shop's record and its location at Google differ."""
    address = location.get("storefrontAddress") or {}
    region = str(address.get("regionCode") or region)
    found = []
    ours, theirs = hours_of_record(record.get("business_hours")), hours_of_location(location)
    if ours != theirs:
        days = [d for d in _DAYS if ours.get(d, ()) != theirs.get(d, ())]
        told = [f"{d} {_spans(ours, d)}, at Google {_spans(theirs, d)}" for d in days[:2]]
        found.append(f"hours: {'; '.join(told)}{' and more' if len(days) > 2 else ''}")
    phone = str((location.get("phoneNumbers") or {}).get("primaryPhone") or "")
    if _number(str(record.get("phone") or ""), region) != _number(phone, region):
        found.append(f"phone: {record.get('phone') or 'none'}, at Google {phone or 'none'}")
    lines = [*address.get("addressLines", []), address.get("locality", "")]
    lines += [address.get("administrativeArea", ""), address.get("postalCode", "")]
    mine = record.get("address")
    written = mine if isinstance(mine, str) else " ".join(str(v) for v in (mine or {}).values())
    if _words(written) != _words(" ".join(lines)):
        found.append(f"address: {written or 'none'}, at Google {', '.join(filter(None, lines))}")
    zone = str(record.get("timezone") or "")
    area = str(address.get("administrativeArea") or "")
    if not zone_fits(zone, region, area):
        found.append(f"time zone: {zone or 'none'}, where the address is in {area}, {region}")
    return found


def hours_of_record(value: Any) -> Hours:
    """Hours as a shop's record has them: by day, or as a list of entries with a day."""
    entries: Iterator[tuple[str, Any]]
    if isinstance(value, Mapping):
        entries = ((str(day), one) for day, one in value.items())
    else:
        entries = (
            (str(one.get("day") or one.get("day_of_week")), one)
            for one in value or []
            if isinstance(one, Mapping)
        )
    found: dict[str, list[str]] = {}
    for day, one in entries:
        name = _DAYS[int(day) % 7] if day.isdecimal() else day.lower()
        for span in one if isinstance(one, list) else [one]:
            if not isinstance(span, Mapping) or span.get("closed") or span.get("is_open") is False:
                continue
            begins = span.get("open") or span.get("start") or span.get("open_time")
            ends = span.get("close") or span.get("end") or span.get("close_time")
            if begins and ends:
                found.setdefault(name, []).append(f"{_clock(str(begins))}-{_clock(str(ends))}")
    return {day: tuple(sorted(spans)) for day, spans in found.items()}


def hours_of_location(location: Mapping[str, Any]) -> Hours:
    """Regular hours as Google tells them; what is zero is left out there."""
    found: dict[str, list[str]] = {}
    for period in (location.get("regularHours") or {}).get("periods", []):
        begins, ends = (
            f"{int(at.get('hours', 0)):02d}:{int(at.get('minutes', 0)):02d}"
            for at in (period.get("openTime") or {}, period.get("closeTime") or {})
        )
        found.setdefault(str(period["openDay"]).lower(), []).append(f"{begins}-{ends}")
    return {day: tuple(sorted(spans)) for day, spans in found.items()}


def zone_fits(zone: str, region: str, area: str) -> bool:
    """Whether a zone keeps the time of one that there is in a state of the United States, or in a
    country.

    Zones of the same time all year are one: Detroit's for New York's.
    """
    if region == "US":
        zones = [z for z, states in _STATES.items() if area.upper() in states.split()]
    else:
        zones = _zones_of(region)
    if not zones:
        return bool(zone)
    try:
        return _offsets(zone) in [_offsets(one) for one in zones]
    except (KeyError, ValueError, OSError):
        return False


def _zones_of(country: str) -> list[str]:
    from importlib.resources import files
    from pathlib import Path

    table = Path("/usr/share/zoneinfo/zone.tab")
    try:
        text = (
            table.read_text()
            if table.exists()
            else (files("tzdata") / "zoneinfo/zone.tab").read_text()
        )
    except (OSError, ModuleNotFoundError):
        return []
    rows = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    return [row[2] for row in rows if len(row) > 2 and row[0] == country]


def _offsets(zone: str) -> tuple[Any, Any]:
    year = datetime.now(ZoneInfo("UTC")).year
    known = ZoneInfo(zone)
    winter, summer = (datetime(year, month, 1, 12, tzinfo=known).utcoffset() for month in (1, 7))
    return winter, summer


def _number(text: str, region: str) -> str:
    import phonenumbers

    try:
        parsed = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return text
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def _words(text: str) -> frozenset[str]:
    words = re.findall(r"\w+", text.casefold().replace(".", ""))
    return frozenset(_STREETS.get(word, word) for word in words) - _COUNTRY


def _clock(text: str) -> str:
    """``9:00 AM``, ``09:00:00`` and ``9:00`` as ``09:00``."""
    match = re.fullmatch(
        r"(\d{1,2})(?::(\d{2}))?(?::\d{2})?\s*([ap])?\.?m?\.?", text.strip().lower()
    )
    if match is None:
        return text
    hour = int(match[1])
    if match[3]:
        hour = hour % 12 + (12 if match[3] == "p" else 0)
    return f"{hour:02d}:{match[2] or '00'}"


def _spans(hours: Hours, day: str) -> str:
    return " and ".join(hours.get(day, ())) or "closed"
