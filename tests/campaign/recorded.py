"""What goes red beside the items that a fault was written for, as one file to review."""

from __future__ import annotations

import json
from collections.abc import Iterable

from rehearsal.faults import UNSEEN, Fault, recorded, seen
from tests.campaign.rows import Row

_HEAD = """\
# What goes red with a fault beside the items that it was written for.
# What is not in here or below [unseen] is taken as it comes. Written by
# `python -m tests.campaign --record`; look at what changes here before you commit it.

"""


def text(faults: Iterable[Fault], rows: Iterable[Row]) -> str:
    """The file as it has to be by what the campaign has seen, sorted by the faults' names.

    Faults that have not been tried, and those that could not, keep what is recorded of them.
    """
    by_name = {f.name: f for f in faults}
    found, known = dict(recorded()), set(seen())
    for row in rows:
        if not row.wrong and row.fault in by_name:
            beside = sorted(set(row.red) - set(by_name[row.fault].expect_fail))
            found[row.fault] = tuple(beside)
            known.add(row.fault)
    here = [_line(name, found.get(name, ())) for name in sorted(known)]
    believed = [_line(n, items) for n, items in sorted(found.items()) if items and n not in known]
    table = [f"\n# Believed, and not yet recorded by a campaign.\n[{UNSEEN}]\n"] if believed else []
    return _HEAD + "".join([*here, *table, *believed])


def _line(name: str, items: Iterable[str]) -> str:
    return f"{json.dumps(name)} = {json.dumps(list(items))}\n"
