"""What goes red beside the items that a fault was written for, as one file to review."""

from __future__ import annotations

import json
from collections.abc import Iterable

from rehearsal.faults import Fault, recorded
from tests.campaign.rows import Row

_HEAD = """\
# What goes red with a fault beside the items that it was written for.
# Written by `python -m tests.campaign --record`; look at what changes here before you commit it.

"""


def text(faults: Iterable[Fault], rows: Iterable[Row]) -> str:
    """The file as it has to be by what the campaign has seen, sorted by the faults' names.

    Faults that have not been tried, and those that could not, keep what is recorded of them.
    """
    by_name = {f.name: f for f in faults}
    found = dict(recorded())
    for row in rows:
        if row.red and row.fault in by_name:
            beside = sorted(set(row.red) - set(by_name[row.fault].expect_fail))
            found[row.fault] = tuple(beside)
    lines = [
        f"{json.dumps(name)} = {json.dumps(list(items))}\n"
        for name, items in sorted(found.items())
        if items
    ]
    return _HEAD + "".join(lines)
