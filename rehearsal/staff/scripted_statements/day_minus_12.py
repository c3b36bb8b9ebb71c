"""Day -12: there is no service mesh, which two people sign."""

from __future__ import annotations

from rehearsal.kernel.world import Rehearsal
from rehearsal.staff.scripted_statements import Entry, entry, states

NO_MESH = "Two services talk to each other, through one ingress; no service mesh is installed."


@states("D-12.2.3")
def there_is_no_mesh(_: Rehearsal) -> list[Entry]:
    return [entry(role, text=NO_MESH) for role in ("technical_lead", "executive_team")]
