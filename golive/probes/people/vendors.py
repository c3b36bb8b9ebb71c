"""The vendors whose support is called in an emergency: where a ticket is opened."""

from __future__ import annotations

import re
from dataclasses import dataclass

from golive.environments import Environment
from golive.people.roster import Vendor
from golive.probes.people.contacts import is_address, is_e164, is_placeholder, read_roster
from golive.probes.traffic.pages import look_up
from golive.probing import probe


@dataclass(frozen=True, slots=True)
class Portals:
    """What the portal of each vendor answers with, by the vendor's id."""

    status: dict[str, int]

    def closed(self, vendor: Vendor) -> str:
        """Why no ticket can be opened there; empty where one can."""
        status = self.status.get(vendor.id)
        return "" if status == 200 else f"{vendor.portal or 'no portal'} (status {status})"


@probe()
def vendor_portals(env: Environment) -> Portals:
    """The page of every portal on the roster."""
    vendors = [v for v in read_roster(env).vendors.values() if is_link(v.portal)]
    pages = {p.url: p.status for p in look_up(env, [v.portal for v in vendors])}
    return Portals({v.id: pages[v.portal] for v in vendors})


def is_link(text: str) -> bool:
    """Whether it is written as the address of a page."""
    return bool(re.fullmatch(r"https?://[^\s/]+\S*", text))


def left_open(vendor: Vendor) -> list[str]:
    """Fields of a roster's entry that are empty, still to be filled in, or no such thing."""
    fields = {
        "name": not is_placeholder(vendor.name),
        "phone": is_e164(vendor.phone),
        "email or portal": is_address(vendor.email) or is_link(vendor.portal),
        "sla_hours": vendor.sla_hours is not None,
        "account": not is_placeholder(vendor.account),
    }
    return [name for name, filled in fields.items() if not filled]
