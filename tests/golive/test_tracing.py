"""Procedures in Markdown: what is read as a line, what differs, and what becomes an item."""

from __future__ import annotations

import json
import tempfile
import tomllib
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from golive import procedure, tracing
from golive.cli import main
from golive.tracing import Difference, Document, Line
from golive.tracing.words import mark_of
from golive.verdicts import GoliveError

ROOT = Path(__file__).resolve().parents[2]
SUITES = ROOT / "suites"
SOURCE = SUITES / "procedure.toml"
PROCEDURE = procedure.load(SOURCE)
BLOCKS: list[dict[str, Any]] = tomllib.loads(SOURCE.read_text())["block"]
STYLES = ("numbered", "not indented", "headings", "bold")


def escaped(text: str) -> str:
    return "".join(f"\\{c}" if c in "\\`*_[]<>#|" else c for c in text)


def rendered(blocks: list[dict[str, Any]] = BLOCKS, style: str = "numbered") -> str:
    """A procedure as Markdown, in one of the ways in which people write it."""
    out = ["# Go-live procedure", "", "What has to hold before we launch:", "", "- everything", ""]
    chapter = title = None
    for b in blocks:
        if b["chapter"] != chapter:
            chapter, title = b["chapter"], None
            out += [f"## {chapter}", ""]
        if b["title"] != title:
            title, number = b["title"], 0
            out += [f"### {title}", ""]
            out += [f"**Owner:** {b['owner']}", ""] if b["owner"] else []
        for t in b["task"]:
            number += 1
            time = f" ({t['time']})" if "time" in t else ""
            titles = [i["title"] for i in t["items"]]
            boxes = [f"- [ ] {escaped(i)}" for i in titles]
            if t["kind"] in {"task", "deliverable"}:
                if style == "numbered":
                    out += [f"{number}. **{t['title']}**{time}", *(f"   {box}" for box in boxes)]
                elif style == "not indented":
                    out += [f"{number}. **{t['title']}**{time}", *boxes]
                elif style == "headings":
                    out += [f"#### {t['title']}{time}", *boxes]
                else:
                    out += [f"**{t['title']}**{time}:", "", *(f"* [x] **{i}**" for i in titles)]
            else:
                out += [f"**{t['title']}:**", ""] if t["title"] != title else []
                out += [_bullet(i, t["kind"]) for i in titles]
            out.append("")
    return "\n".join(out)


def _bullet(title: str, kind: str) -> str:
    if kind == "contact":
        return f"- **{title}**: [Name] - [Phone]"
    name, colon, rest = title.partition(": ")
    return f"- **{escaped(name)}**{colon}{escaped(rest)}"


def trace(markdown: str, of: procedure.Procedure = PROCEDURE) -> tuple[Difference, ...]:
    return tracing.trace(tracing.parse(markdown, Path("p.md")), of).differences


def only(differences: tuple[Difference, ...]) -> Difference:
    assert len(differences) == 1, differences
    return differences[0]


def changed(change: Callable[[list[dict[str, Any]]], None]) -> tuple[Difference, ...]:
    """The differences after one change of the document."""
    blocks = deepcopy(BLOCKS)
    change(blocks)
    return trace(rendered(blocks))


# ---------------------------------------------------------------- the project's own procedure


@pytest.mark.parametrize("style", STYLES)
def test_a_procedure_that_says_what_the_items_say_has_no_differences(style: str) -> None:
    document = tracing.parse(rendered(style=style), Path("p.md"))
    assert len(document.lines) == 479
    assert tracing.trace(document, PROCEDURE).differences == ()
    assert [text for _, text in document.prose] == ["everything"]


@pytest.mark.parametrize(
    "dress",
    [
        lambda text: "\ufeff---\ntitle: x\n---\n" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("### ", "### \N{ROCKET}\ufe0f "),
        lambda text: text.replace("**Owner:** ", "*Owner*: "),
        lambda text: text.replace("- [ ]", "- [x]"),
        lambda text: text.replace("- [ ] ", "- [ ] <!-- checked -->"),
        lambda text: text + "\n```\n- [ ] not a line\n```\n\n<!--\n- [ ] nor this\n-->\n",
    ],
)
def test_how_a_document_is_dressed_makes_no_difference(dress: Callable[[str], str]) -> None:
    assert trace(dress(rendered())) == ()


def test_owners_may_stand_in_headings_and_headings_be_underlined() -> None:
    text = rendered(style="bold")
    for owner in {b["owner"] for b in BLOCKS} - {""}:
        text = text.replace(f"\n\n**Owner:** {owner}\n", f" (Owner: {owner})\n")
    lines = text.splitlines()
    for n, line in enumerate(lines):
        for marks, under in (("# ", "==="), ("## ", "---")):
            if line.startswith(marks):
                lines[n] = f"{line.removeprefix(marks)}\n{under}"
    assert trace("\n".join(lines)) == ()


def test_a_dropped_line_is_an_item_without_a_line() -> None:
    reported = only(changed(lambda b: b[0]["task"][0]["items"].pop(2)))
    assert (reported.kind, reported.ids, reported.line) == ("item", ("D-14.1.3",), None)
    assert reported.expected == "Load balancer configuration validated"
    assert reported.block == "Day -14: Infrastructure Readiness Assessment"


def test_an_added_line_is_a_line_without_an_item() -> None:
    reported = only(
        changed(lambda b: b[0]["task"][0]["items"].insert(2, {"title": "Tea is ready"}))
    )
    assert (reported.kind, reported.ids, reported.found) == ("line", (), "Tea is ready")
    assert reported.line is not None
    assert rendered().splitlines()[reported.line - 2] == "   - [ ] Redis cache cluster operational"


def test_a_renamed_line_is_a_changed_title_of_its_item() -> None:
    def rename(blocks: list[dict[str, Any]]) -> None:
        blocks[0]["task"][0]["items"][1]["title"] = "Redis cache cluster is operational"

    reported = only(changed(rename))
    assert (reported.kind, reported.about, reported.ids) == ("title", "item", ("D-14.1.2",))
    assert reported.found == "Redis cache cluster is operational"
    assert reported.expected == "Redis cache cluster operational"


def test_a_changed_owner_is_told_once_for_all_items_of_the_block() -> None:
    reported = only(changed(lambda b: b[0].update(owner="QA Lead")))
    assert (reported.kind, reported.found, reported.expected) == ("owner", "QA Lead", "DevOps Lead")
    assert len(reported.ids) == 19
    assert rendered().splitlines()[(reported.line or 0) - 1] == "**Owner:** DevOps Lead"


def test_an_owner_that_is_no_longer_named_is_a_changed_owner() -> None:
    reported = only(changed(lambda b: b[0].update(owner="")))
    assert (reported.kind, reported.found, reported.expected) == ("owner", "", "DevOps Lead")


def test_an_owner_of_one_line_is_told_for_its_item_alone() -> None:
    text = rendered().replace(
        "Load balancer configuration validated",
        "Load balancer configuration validated (Owner: QA Lead)",
        1,
    )
    reported = only(trace(text))
    assert (reported.kind, reported.ids, reported.found) == ("owner", ("D-14.1.3",), "QA Lead")


def test_a_changed_duration_is_told_once_for_the_task() -> None:
    reported = only(changed(lambda b: b[0]["task"][1].update(time="3.5 hours")))
    assert (reported.kind, reported.found, reported.expected) == (
        "duration",
        "3.5 hours",
        "3 hours",
    )
    assert reported.ids == tuple(f"D-14.2.{n}" for n in range(1, 6))


@pytest.mark.parametrize("same", ["120 min", "2h", "approx. 2 hrs", "1 hour 60 minutes"])
def test_the_same_duration_in_other_words_is_no_difference(same: str) -> None:
    assert changed(lambda b: b[0]["task"][0].update(time=same)) == ()


def test_a_range_that_begins_where_the_last_one_ended_is_a_window() -> None:
    document = tracing.parse(
        "# Launch\n## Day 0: Rollback\n### Respond (0-5 minutes)\n- [ ] a\n"
        "### Restore (5-15 minutes)\n- [ ] b\n### Later (2-3 hours)\n- [ ] c\n",
        Path("p.md"),
    )
    assert [ln.minutes for ln in document.lines] == [5, 10, 180]


@pytest.mark.parametrize(
    ("old", "new", "about", "count"),
    [
        ("Day -14: Infrastructure", "Day -15: Infrastructure", "block", 19),
        ("6:00 AM - 7:00 AM: Team", "6:30 AM - 7:00 AM: Team", "block", 15),
        ("6:00 AM - 7:00 AM: Team", "Team", "block", 15),
    ],
)
def test_another_day_or_clock_time_is_told_once_as_a_changed_time(
    old: str, new: str, about: str, count: int
) -> None:
    assert old in rendered()
    reported = only(trace(rendered().replace(old, new)))
    assert (reported.kind, reported.about, len(reported.ids)) == ("time", about, count)


def test_a_task_on_another_day_is_a_changed_time_and_due_day() -> None:
    text = rendered().replace("**Database Performance** (Day +2)", "**Database Performance** (T+3)")
    reported = {d.about: d for d in trace(text)}
    assert {d.kind for d in reported.values()} == {"time"}
    assert (reported["task"].found, reported["task"].expected) == ("T+3", "Day +2")
    assert reported["block"].expected == "Performance Tuning and Optimization (day +2)"


def test_the_same_clock_time_in_other_words_is_no_difference() -> None:
    text = rendered().replace("12:30 PM - 1:00 PM:", "12:30\N{EN DASH}13:00:")
    assert trace(text.replace("### Day -14:", "### T-14:")) == ()


@pytest.mark.parametrize(
    ("old", "new", "about", "count"),
    [
        ("## T-0 Day: Launch Execution", "## T-0 Day: The Launch", "chapter", 150),
        (": Launch Day Wrap-Up", ": Launch Day Ends", "block", 15),
        ("**Team Debriefing**", "**Debriefing of teams**", "task", 5),
    ],
)
def test_a_renamed_chapter_block_or_task_is_told_once(
    old: str, new: str, about: str, count: int
) -> None:
    reported = only(trace(rendered().replace(old, new)))
    assert (reported.kind, reported.about, len(reported.ids)) == ("title", about, count)


def test_a_line_in_another_task_has_moved() -> None:
    def move(blocks: list[dict[str, Any]]) -> None:
        item = blocks[0]["task"][0]["items"].pop(1)
        blocks[0]["task"][2]["items"].append(item)

    reported = only(changed(move))
    assert (reported.kind, reported.ids) == ("moved", ("D-14.1.2",))
    assert reported.found.endswith("/ Security Infrastructure Audit")
    assert reported.expected.endswith("/ Infrastructure Health Check")


def test_a_line_in_another_block_has_moved() -> None:
    def move(blocks: list[dict[str, Any]]) -> None:
        blocks[7]["task"][0]["items"].append(blocks[0]["task"][0]["items"].pop(1))

    reported = only(changed(move))  # not its owner too, which is the other block's
    assert (reported.kind, reported.ids) == ("moved", ("D-14.1.2",))
    assert reported.expected.startswith("Day -14")
    assert reported.found.startswith("Day -7")


def test_a_line_out_of_its_order_has_moved() -> None:
    def swap(blocks: list[dict[str, Any]]) -> None:
        items = blocks[0]["task"][0]["items"]
        items.insert(0, items.pop(3))

    reported = only(changed(swap))
    assert (reported.kind, reported.ids, reported.found) == (
        "moved",
        ("D-14.1.4",),
        "at the beginning",
    )
    assert reported.expected == "behind D-14.1.3 Load balancer configuration validated"


def test_lines_of_the_same_title_are_told_apart_by_where_they_stand() -> None:
    def drop(blocks: list[dict[str, Any]]) -> None:
        for block in blocks:
            for task in block["task"]:
                task["items"] = [i for i in task["items"] if i["id"] != gone.id]

    same = [i for i in PROCEDURE if i.title == "Emergency procedures reviewed"]
    assert len(same) == 4
    for gone in same:
        assert only(changed(drop)).ids == (gone.id,)


PLACES = [
    (b, t, i)
    for b, block in enumerate(BLOCKS)
    for t, task in enumerate(block["task"])
    for i in range(len(task["items"]))
    if len(task["items"]) > 1
]


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(PLACES), st.sampled_from(["drop", "add", "rename"]), st.sampled_from(STYLES))
def test_any_one_change_of_any_line_is_exactly_that_difference(
    place: tuple[int, int, int], change: str, style: str
) -> None:
    b, t, i = place
    blocks = deepcopy(BLOCKS[max(0, b - 1) : b + 2])
    titles = {block["title"] for block in blocks}
    near = procedure.Procedure(SOURCE, {i.id: i for i in PROCEDURE if i.block_title in titles})
    blocks = deepcopy([block for block in BLOCKS if block["title"] in titles])
    items = next(k for k in blocks if k == BLOCKS[b])["task"][t]["items"]
    item = dict(items[i])
    if change == "drop":
        del items[i]
    elif change == "add":
        items.insert(i, {"title": "Zebra crossing repainted"})
    else:
        items[i]["title"] = item["title"] + " zz"
    reported = only(trace(rendered(blocks, style), near))
    assert reported.kind == {"drop": "item", "add": "line", "rename": "title"}[change]
    assert reported.ids == (() if change == "add" else (item["id"],))


# ---------------------------------------------------------------- other houses' procedures

AIRLINE = """\
Check-in cutover, Terminal 2
============================

Responsible: Station manager

| Phase | Responsible | Duration |
|-------|-------------|----------|
| Freeze the kiosks | Kiosk team | 45 min |

## T-3: Prepare kiosks (Owner: Kiosk team)

1. Image 42 kiosks with build 7.1 (90 min)
2. Print *paper* boarding cards
   - 4,000 for each counter
3. Brief counter staff - Owner: Duty manager

## T-0 Night

### 22:00 \N{EN DASH} 22:45: Freeze the kiosks

| # | Step | Who is notified | Responsible | Duration (min) |
|---|------|-------------|-------------|----------------|
| 1 | Close kiosk sessions | gates | Kiosk team | 15 |
| 2 | Stop the bag tag `printer` feed | belts | Baggage context | 30 |

### 23:30 Switch (Owner: Network context)

- [ ] Point DCS at the new host
  - [x] Host answers
    on **both** ports
  - [ ] Gate readers
        paired <!-- not - [ ] this -->
- \\[ ] has no box
- \N{BALLOT BOX} Boarding test

      - [ ] code is no line

## Back-out

1. Point DCS at the old host
2. Reopen kiosk sessions

## Contacts

| Role | Phone |
|---|---|
| Duty manager | 555-0100 |
| Network context | 555-0101 |

## Success metrics

| Metric | Required | Target |
|---|---|---|
| Boarding time | <20 min | 15 min |
"""

HOSPITAL = """\
# Records migration

## 1. Day -2, 08:00: Rehearse

**Responsible: Records project | Duration: 3 hours**

**Dry run** (2 hours)

- [ ] Copy of the archive mounted
- [ ] 500 charts compared

  Owner: Dr. Abara
- [ ] 500 charts compared

**Deliverables:**

- Comparison report
- Sign-off by the medical director (Owner: Medical director)

## 2. Go-Live Day

> **Note:** theatre lists freeze at 05:00.

### Wave A: Wards

| Field | Value |
|---|---|
| Owner | Ward systems |
| Duration | 1 h 30 min |

| Done | Check | Start |
|---|---|---|
| [ ] | Drug charts open | 06:00 |
| [x] | Allergies shown \\| printed | 06:30 |

### Wave B: Theatres

1. **Anaesthesia** (45 min, Owner: Theatre lead)
   1. [ ] Monitors paired
   2. [ ] \N{SYRINGE} Pumps paired
- [ ] Blood bank answers

## Rollback triggers

- Chart missing for more than 10 minutes
- Wrong patient shown

## Escalation

1. Level 1 (0-15 min): Ward systems
2. Level 2 (15-60 min): Medical director
"""

BANK = """\
# Phase 1 - Freeze

*Owner*: Batch context\\
*Start*: 18:00

- Stop inbound files
- Stop outbound files

# Phase 2 - Move

Owner: Data context

1. **Copy** (2-4 hours)
   - Copy ledgers
   - Copy standing orders
2. **Check**
   - Totals agree

# Notes

- Bring a torch
"""


def _document(text: str) -> Document:
    return tracing.parse(text, Path("p.md"))


def _reported(document: Document, line: Line) -> tuple[object, ...]:
    block = document.blocks[line.block]
    task = document.tasks[line.task] if line.task != line.block else ""
    return block.title, task, line.title, line.owner, line.time, line.minutes, line.due


def test_an_airlines_steps_tables_and_nested_boxes_are_read() -> None:
    document = _document(AIRLINE)
    kiosks, freeze = "T-3: Prepare kiosks", "22:00 \N{EN DASH} 22:45: Freeze the kiosks"
    switch = "23:30 Switch"
    assert [_reported(document, ln) for ln in document.lines] == [
        (kiosks, "", "Image 42 kiosks with build 7.1", "Kiosk team", "90 min", 90, -3),
        (kiosks, "", "Print paper boarding cards", "Kiosk team", "", None, -3),
        (kiosks, "", "Brief counter staff", "Duty manager", "", None, -3),
        (freeze, "", "Close kiosk sessions", "Kiosk team", "15 min", 15, 0),
        (freeze, "", "Stop the bag tag printer feed", "Baggage context", "30 min", 30, 0),
        (switch, "", "Point DCS at the new host", "Network context", "", None, 0),
        (switch, "", "Host answers on both ports", "Network context", "", None, 0),
        (switch, "", "Gate readers paired", "Network context", "", None, 0),
        (switch, "", "Boarding test", "Network context", "", None, 0),
        ("Back-out", "", "Point DCS at the old host", "", "", None, None),
        ("Back-out", "", "Reopen kiosk sessions", "", "", None, None),
        ("Contacts", "", "Duty manager", "", "", None, None),
        ("Contacts", "", "Network context", "", "", None, None),
        ("Success metrics", "", "Boarding time: <20 min (target: 15 min)", "", "", None, None),
    ]
    assert [ln.number for ln in document.lines][:3] == [12, 13, 15]
    assert document.prose == (
        (14, "4,000 for each counter"),
        (33, "[ ] has no box"),
        (36, "a checkbox that was not read: - [ ] code is no line"),
    )
    assert [ln.title for ln in document.lines if ln.ticked] == ["Host answers on both ports"]
    assert {b.chapter for b in document.blocks.values()} == {
        "Check-in cutover, Terminal 2",
        "T-0 Night",
    }


def test_a_hospitals_bold_tasks_properties_and_waves_are_read() -> None:
    document = _document(HOSPITAL)
    project, wards = "Day -2, 08:00: Rehearse", "Wave A: Wards"
    theatres = "Wave B: Theatres"
    triggers = "Rollback triggers"
    assert [_reported(document, ln) for ln in document.lines] == [
        (project, "Dry run", "Copy of the archive mounted", "Records project", "2 hours", 120, -2),
        (project, "Dry run", "500 charts compared", "Dr. Abara", "2 hours", 120, -2),
        (project, "Dry run", "500 charts compared", "Records project", "2 hours", 120, -2),
        (project, "Deliverables", "Comparison report", "Records project", "", None, -2),
        (
            project,
            "Deliverables",
            "Sign-off by the medical director",
            "Medical director",
            "",
            None,
            -2,
        ),
        (wards, "", "Drug charts open", "Ward systems", "06:00", None, 0),
        (wards, "", "Allergies shown | printed", "Ward systems", "06:30", None, 0),
        (theatres, "Anaesthesia", "Monitors paired", "Theatre lead", "45 min", 45, 0),
        (theatres, "Anaesthesia", "Pumps paired", "Theatre lead", "45 min", 45, 0),
        (theatres, "", "Blood bank answers", "", "", None, 0),
        (triggers, "", "Chart missing for more than 10 minutes", "", "", None, None),
        (triggers, "", "Wrong patient shown", "", "", None, None),
        ("Escalation", "", "Level 1 (0-15 min): Ward systems", "", "", None, None),
        ("Escalation", "", "Level 2 (15-60 min): Medical director", "", "", None, None),
    ]
    assert [ln.kind for ln in document.lines][-5:] == [
        "task",
        "trigger",
        "trigger",
        "escalation",
        "escalation",
    ]


def test_a_banks_phases_without_a_single_checkbox_are_read() -> None:
    document = _document(BANK)
    move = "Phase 2 - Move"
    assert [_reported(document, ln) for ln in document.lines] == [
        ("Phase 1 - Freeze", "", "Stop inbound files", "Batch context", "18:00", None, None),
        ("Phase 1 - Freeze", "", "Stop outbound files", "Batch context", "18:00", None, None),
        (move, "Copy", "Copy ledgers", "Data context", "2-4 hours", 240, None),
        (move, "Copy", "Copy standing orders", "Data context", "2-4 hours", 240, None),
        (move, "Check", "Totals agree", "Data context", "", None, None),
    ]
    assert document.prose == ((21, "Bring a torch"),)


def test_a_schedule_in_a_table_is_read_by_its_columns() -> None:
    document = _document(
        "# Day 0: Launch\n\n| Time | Task |\n|---|---|\n| 09:00 | Freeze |\n| 09:30 | Move |\n\n"
        "| | | Step | Lead time | Estimate |\n|-|-|-|-|-|\n| 1 | \u2705 | Check | x | 5 min |\n"
    )
    assert [(ln.title, ln.time, ln.minutes) for ln in document.lines] == [("Check", "5 min", 5)]
    assert [n for n, _ in document.prose] == [5, 6]  # the block has a checkbox
    document = _document("# D-Day\n\n| Time | Task |\n|---|---|\n| 09:00 | Freeze |\n")
    assert [(ln.title, ln.time, ln.due) for ln in document.lines] == [("Freeze", "09:00", 0)]


def test_a_line_without_a_list_is_a_line_and_a_checkbox_without_words_is_told() -> None:
    document = _document("# T-1\n\n[ ] Doors shut\n[x] Lights out\n\n- [ ]\n")
    assert [(ln.number, ln.title) for ln in document.lines] == [
        (3, "Doors shut"),
        (4, "Lights out"),
    ]
    assert document.prose == ((6, "a checkbox without words"),)


# ---------------------------------------------------------------- days, times, owners, durations


def _only(document: Document) -> Line:
    assert len(document.lines) == 1, document
    return document.lines[0]


@pytest.mark.parametrize(
    ("heading", "due"),
    [
        *(
            ("2 Weeks Before Go-Live", -14),
            ("3 DAYS BEFORE LAUNCH", -3),
            ("1 week before launch", -7),
        ),
        *(("Two weeks before the launch: A", -14), ("5 Days After Cutover: A", 5)),
        *(("T+1 to T+3 Months: Growth", 30), ("Month +2: A", 60), ("T-1 month: A", -30)),
        *(("T-4 Hours: A", 0), ("T-30 min: A", 0), ("T+2h: A", 0), ("T-24h: A", -1)),
        *(("T-minus 4 hours: A", 0), ("T minus 3 days: A", -3), ("T-02:30: A", 0), ("T-48h", -2)),
        *(("T0 (cutover window)", 0), ("T=0: A", 0), ("T-0: A", 0), ("T0: A", 0), ("T0+2h: A", 0)),
        *(("Day 9: A", 9), ("Day 10: A", 10), ("Day 12: A", 12), ("Day 9-12: A", 9)),
        *(("T-3 - 2 hosts upgraded", -3), ("Day -3 - -1: A", -3), ("T\N{MINUS SIGN}3: A", -3)),
        *(("1 hour before launch: A", 0), ("Day -14 to Day -10: A", -14), ("Week -2: A", -14)),
    ],
)
def test_a_day_is_counted_from_the_launch_however_it_is_written(heading: str, due: int) -> None:
    document = _document(f"# Plan\n\n## {heading}\n\n- [ ] Done\n")
    assert _only(document).due == due
    assert document.unread == ()


@pytest.mark.parametrize("character", [chr(c) for c in range(33, 127) if not chr(c).isalnum()])
@pytest.mark.parametrize("text", ["Day {}10: A", "T{}10: A"])
def test_only_plus_and_the_dashes_are_signs(character: str, text: str) -> None:
    due = {"+": 10, "-": -10}.get(character)
    assert mark_of(text.format(character)).days == (None if due is None else (due, due))


@pytest.mark.parametrize(
    "heading",
    [
        *("T-3 business days: A", "T-2 quarters: A", "T-1.5 days: A", "Week 2: A", "Day 9 checks"),
        *("3 days before Christmas: A", "3 working days before launch: A", "2026-12-01: A"),
        *("Tag -3: A", "J-3 : A", "Sprint 4: A", "1 December: A", "01.12.2026 A", "T3: A"),
        *("Week -1 / Day -5", "Week -1 to Day -5: A", "T-1h30"),
    ],
)
def test_a_day_that_cannot_be_read_is_said_and_never_guessed(heading: str) -> None:
    document = _document(f"# Plan\n\n## {heading}\n\n- [ ] Done\n")
    assert _only(document).due is None
    assert document.blocks[3].title == heading
    assert document.unread == ((3, f"a day: {heading}"),)


def test_a_day_below_a_week_is_one_of_that_week_and_never_before_it() -> None:
    document = _document(
        "# After\n\n## Week +2: Features\n\n### Premium (Day 1-2)\n- [ ] a\n"
        "### Integrations (Day 3-4)\n- [ ] b\n### Day +15\n- [ ] c\n### Late (Day +2)\n- [ ] d\n"
        "\n## Day +4 to +7: Growth\n### Behaviour (Day +4)\n- [ ] e\n"
        "\n## Week -2: Before\n- [ ] f (Day 3)\n\n## T-0: Launch\n### Backup (Day -1)\n- [ ] g\n"
    )
    assert [line.due for line in document.lines] == [14, 16, 15, 14, 4, -12, -1]
    assert document.unread == ((12, "a day: +2 stands below what begins on day +14"),)


def test_another_hour_of_the_same_day_is_a_changed_time(tmp_path: Path) -> None:
    text = "# Plan\n\n## T-4 hours: Prepare\n\n- [ ] Team paged\n"
    write(text, tmp_path / "p.toml")
    reported = only(trace(text.replace("T-4", "T-2"), procedure.load(tmp_path / "p.toml")))
    assert (reported.kind, reported.found) == ("time", "T-2 hours: Prepare")


@pytest.mark.parametrize(
    ("heading", "minutes", "rest"),
    [
        *(("14.30 UTC - Switch DNS", 870, "Switch DNS"), ("18.00 - Look back", 1080, "Look back")),
        *(("15:30 UTC - Announce", 930, "Announce"), ("9.30 am: Announce", 570, "Announce")),
        *(("14:30:00 - Switch", 870, "Switch"), ("at 9.15 Switch", 555, "Switch")),
    ],
)
def test_a_clock_time_may_have_a_dot(heading: str, minutes: int, rest: str) -> None:
    document = _document(f"# Plan\n\n## {heading}\n\n- [ ] Done\n")
    mark = document.blocks[_only(document).block].mark
    assert (mark.clock, mark.rest) == ((minutes,), rest)


def test_a_number_that_may_be_a_clock_time_stays_and_one_of_a_section_goes() -> None:
    document = _document(
        "# Plan\n\n## 14.30 Switch\n- [ ] a\n## 1.2 Prepare\n- [ ] b\n## 1.10 Day -3: Go\n- [ ] c\n"
        "## 25:99 - No time\n- [ ] d\n"
    )
    assert [document.blocks[line.block].title for line in document.lines] == [
        "14.30 Switch",
        "Prepare",
        "Day -3: Go",
        "25:99 - No time",
    ]
    assert document.unread == (
        (3, "a clock time: 14.30 Switch"),
        (9, "a clock time: 25:99 - No time"),
    )


@pytest.mark.parametrize(
    "said",
    [
        *("- Owner: Ada | 10 min", "- Owner: Ada, 10 min", "(Owner: Ada, 10 min)"),
        *("- 10 min, Owner: Ada", "- 10 min | Owner: Ada", "(10 min; Owner: Ada)"),
        *("(Owner: Ada | 10 min)", "- Owner: Ada (10 min)", "- Owner: Ada - 10 min"),
        *(", Owner: Ada, 10 min", "(10 min) - Owner: Ada", "- Owner: Ada 10 min"),
        *("**Owner:** Ada, 10 min", "Owner: Ada (10 min)", "Responsible: Ada | 10 min"),
    ],
)
def test_an_owner_and_a_duration_are_told_apart(said: str) -> None:
    line = _only(_document(f"# Plan\n\n## 14:00 - Cut\n\n- [ ] Deploy {said}\n"))
    assert (line.title, line.owner, line.minutes) == ("Deploy", "Ada", 10)


@pytest.mark.parametrize("said", [" - Owner: a", " (Owner: a)", " | 5 min", ", 5 min", " 5 min"])
def test_a_line_of_many_owners_and_durations_is_read_at_once(said: str) -> None:
    document = _document(f"# T-1\n\n- [ ] Deploy - Owner: b{said * (9_900 // len(said))}\n")
    assert _only(document).title == "Deploy"


def test_an_owners_name_may_have_a_comma() -> None:
    assert _only(_document("## T-1\n\n- [ ] a (Owner: Obi, Ada)\n")).owner == "Obi, Ada"


def test_an_owner_or_a_duration_said_anew_holds_from_there_on() -> None:
    document = _document(
        "# Plan\n\n## T-1\n\nOwner: Ada\nDuration: 5 min\n\n- [ ] a\n\nOwner: Ben\n\n- [ ] b\n\n"
        "Duration: 9 min\n\n- [ ] c\n\n**Move**\n\n- [ ] d\n"
    )
    assert [(line.owner, line.minutes) for line in document.lines] == [
        ("Ada", 5),
        ("Ben", 5),
        ("Ben", 9),
        ("Ben", None),
    ]
    assert document.unread == ()


def test_an_owner_said_twice_with_nothing_between_is_named() -> None:
    document = _document("# Plan\n\n## T-1 (Owner: Ada)\n\nOwner: Ben\n\n- [ ] a\n")
    assert _only(document).owner == "Ben"
    assert document.unread == ((5, "an owner: Ben, where line 3 says another"),)


@pytest.mark.parametrize(
    ("said", "owner", "minutes", "unread"),
    [
        ("(Owner: Cyd) (Owner: Ben)", "", 30, ["an owner: Ben, Cyd"]),
        ("(10 min) (20 min)", "Ada", None, ["a duration: 20 min, 10 min"]),
        ("(Owner: TBD)", "", 30, ["an owner: TBD"]),
        ("- Owner: TBD | 2 h", "", 120, ["an owner: TBD"]),
        ("(Owner: [Name], 2 h)", "", 120, ["an owner: [Name]"]),
        ("- Owner: [Name] (2 h)", "", 120, ["an owner: [Name]"]),
        ("- Owner: Ben (on call)", "Ben (on call)", 30, []),
        ("(Owner: Ben, 10+ min)", "Ben", None, ["a duration: 10+ min"]),
        ("- Owner: Ben | 10+ min", "Ben", None, ["a duration: 10+ min"]),
        (", Owner: Ben, 2 days", "Ben", None, ["a duration: 2 days"]),
        ("- Owner: Ben (10+ min)", "Ben", None, ["a duration: 10+ min"]),
        ("- Owner: Ben | at least 5 min", "Ben", None, ["a duration: at least 5 min"]),
        ("- Owner: Ben, 1,5 h", "Ben", None, ["a duration: 1,5 h"]),
    ],
)
def test_what_cannot_be_read_of_a_line_is_said_and_the_rest_is_read(
    said: str, owner: str, minutes: int | None, unread: list[str]
) -> None:
    """And what is around the line does not stand in for it."""
    document = _document(f"# Plan\n\n## T-1 (Owner: Ada)\n\nDuration: 30 min\n\n- [ ] Do {said}\n")
    line = _only(document)
    assert (line.title, line.owner, line.minutes) == ("Do", owner, minutes)
    assert document.unread == tuple((7, one) for one in unread)


@pytest.mark.parametrize(
    ("said", "title", "due", "minutes"),
    [
        # With a time of its own it is no part of what the 30 minutes are planned for.
        *(("- Day -2", "Do", -2, None), ("- T-2", "Do", -2, None), ("(T-2)", "Do", -2, None)),
        *((", 10 min", "Do", -3, 10), ("within 10 min", "Do within 10 min", -3, 30)),
        *(("- Phase 2", "Do - Phase 2", -3, 30), ("and 2, 3", "Do and 2, 3", -3, 30)),
    ],
)
def test_a_day_or_a_duration_at_a_lines_end_is_its_own(
    said: str, title: str, due: int, minutes: int | None
) -> None:
    document = _document(f"# Plan\n\n## Day -3 to Day -1\n\n**Move** (30 min)\n\n- [ ] Do {said}\n")
    line = _only(document)
    assert (line.title, line.due) == (title, due)
    assert line.minutes == minutes


def test_a_column_of_days_says_when_each_row_is_due() -> None:
    table = (
        "| Day | Task |{box}\n|-|-|-|\n| T-3 | Freeze |{b}\n| | Thaw |{b}\n| Day 1 | Look |{b}\n"
    )
    boxed = _document("# Plan\n\n" + table.format(box=" Done |", b=" [ ] |"))
    assert [(line.title, line.due) for line in boxed.lines] == [
        ("Freeze", -3),
        ("Thaw", None),
        ("Look", 1),
    ]
    bare = _document("# Plan\n\n" + table.format(box="", b="").replace("|-|-|-|", "|-|-|"))
    assert [(line.title, line.due) for line in bare.lines] == [("Freeze", -3), ("Look", 1)]
    assert bare.prose == ((6, "Thaw"),)
    numbered = _document("# T-1\n\n| ID | Task |\n|-|-|\n| T-3 | Freeze |\n")
    assert _only(numbered).due == -1


def test_a_comma_within_a_number_parts_nothing() -> None:
    document = _document("# Plan\n\n## T-1\n\n- [ ] Do (1,5 h)\n")
    assert _only(document).minutes is None
    assert document.unread == ((5, "a duration: 1,5 h"),)


@pytest.mark.parametrize(
    "head", ["**Move** (10+ min)", "**Move:** (if required)", "1. **Move**", "1. **Move** (10 min)"]
)
@pytest.mark.parametrize("box", ["- [ ]", "1) [ ]"])
def test_a_task_with_a_remark_is_no_part_of_the_task_before(head: str, box: str) -> None:
    document = _document(f"# Plan\n\n## T-1\n\n**One** (5 min)\n\n- [ ] a\n\n{head}\n\n{box} b\n")
    line = document.lines[-1]
    assert document.tasks[line.task].startswith("Move")
    assert line.minutes in {None, 10}


def test_a_table_of_parts_says_when_they_begin_and_contradictions_are_named() -> None:
    document = _document(
        "# Plan\n\n| Phase | Who | Start | Duration |\n|-|-|-|-|\n| Cut | Ada | 14:00 | 20 min |\n"
        "| Rest | Ben | noon | |\n\n## T-1: Cut (10 min)\n\n- [ ] a\n\n## T-2: Rest\n\n- [ ] b\n"
    )
    assert [(line.owner, line.time, line.minutes) for line in document.lines] == [
        ("Ada", "14:00", 10),
        ("Ben", "noon", None),
    ]
    assert document.unread == (
        (5, "a duration: 20 min, where line 8 says another"),
        (6, "a time: noon"),
    )


@pytest.mark.parametrize(
    ("said", "title", "minutes"),
    [
        *(("(30 seconds)", "Do", 1), ("(90 s)", "Do", 2), ("(<5 min)", "Do", 5)),
        *(("(3-8 minutes - if required)", "Do", 8), ("(10 min, only on Monday)", "Do", 10)),
        *(("(10 min, urgent)", None, 10), ("(2 days)", None, None), ("(10+ min)", None, None)),
        *(("(5 min, 15 min)", None, None), ("(at least 5 min)", None, None)),
        *(("(minimum 60 days remaining)", None, 15), ("", "Do", 15)),
    ],
)
def test_a_task_that_says_its_own_duration_never_takes_the_one_around_it(
    said: str, title: str | None, minutes: int | None
) -> None:
    """Words that are more than a duration stay in the title."""
    document = _document(f"# Plan\n\n## Phase 1\n### Step (8-15 minutes)\n- [ ] Do {said}\n")
    line = _only(document)
    assert (line.title, line.minutes) == (title or f"Do {said}", minutes)
    unread = ((5, f"a duration: {said[1:-1]}"),) if minutes is None else ()
    assert document.unread == unread


def test_properties_that_cannot_be_read_are_said() -> None:
    document = _document(
        "# Plan\n\n## T-1\n\nOwner: TBD\nDuration: 1:30\nStart: after lunch\n\n- [ ] a\n"
        "- Start: the workers\n"
    )
    assert document.unread == (
        (5, "an owner: TBD"),
        (6, "a duration: 1:30"),
        (7, "a time: after lunch"),
    )
    assert document.prose == ((10, "Start: the workers"),)


# ---------------------------------------------------------------- what is no line, by its number


@pytest.mark.parametrize(
    "line",
    [
        *("-[ ] DNS switched", "-\N{NO-BREAK SPACE}[ ] DNS switched", "*[x] DNS switched"),
        *("[ ]DNS switched", "- [] DNS switched", "- [x]DNS switched", "1.[ ] DNS switched"),
        *("\N{BULLET} [ ] DNS switched", "### [ ] DNS switched", "[x]: switched", "- [-] DNS"),
        *("\N{EN DASH} [ ] DNS switched", "- [ x ] DNS switched", "      - [ ] DNS switched"),
        "- [\N{CHECK MARK}] DNS switched",
    ],
)
@pytest.mark.parametrize("between", ["\n\n", "\n\nWords.\n\n"])
def test_a_checkbox_that_is_not_written_as_one_is_named(line: str, between: str) -> None:
    document = _document(
        f"# Plan\n\n## T-1\n\n- [ ] Writers stopped{between}{line}\n\nWords.\n\n- [ ] Announced\n"
    )
    number = 5 + between.count("\n")
    assert [ln.title for ln in document.lines] == ["Writers stopped", "Announced"]
    assert [n for n, text in document.prose if "checkbox that was not read" in text] == [number]
    assert [n for n, text in document.unread if text.startswith("a checkbox: ")] == [number]


def test_a_checkbox_without_a_blank_is_no_words_of_the_line_above() -> None:
    document = _document("# T-1\n\n- [ ] Writers\nstopped\n-[ ] DNS switched\n\u2022 Wait\n")
    assert _only(document).title == "Writers stopped"
    assert [n for n, _ in document.prose] == [5, 6]


def test_what_looks_like_a_line_is_named_wherever_markdown_puts_it() -> None:
    document = _document(
        "# T-1\n\n- [ ] a<br>note\n\nDo this:\n2. Stop\n3. Go\n\n\N{BULLET} Wait\n\n"
        "<ul>\n<li>Call</li>\n- Mail\n</ul>\n\n| Field | Value |\n|---|---|\n| Owner | Ada |\n"
        "| DNS | checked |\n\n| Task |\n|---|\n| b | beyond |\n"
    )
    assert document.prose == (
        (3, "note"),
        (6, "2. Stop"),
        (7, "3. Go"),
        (9, "\N{BULLET} Wait"),
        (12, "<li>Call</li>"),
        (13, "- Mail"),
        (19, "DNS: checked"),
        (23, "b"),
    )
    assert document.unread == ((23, "cells beyond the columns: beyond"),)


def test_what_holds_lines_or_stands_where_no_line_does_is_named() -> None:
    document = _document(
        "# Plan\n\n## T-1\n\n- Group\n  - Part:\n    - [ ] a\n- # Heading\n\nWords [ ] more\n\n"
        "Words\n\n    - indented\n"
    )
    assert [document.tasks[line.task] for line in document.lines] == ["Part"]
    assert document.prose == (
        (5, "Group"),
        (8, "Heading"),
        (10, "Words [ ] more"),
        (14, "- indented"),
    )


def test_steps_below_a_word_with_a_colon_are_the_lines() -> None:
    document = _document(
        "# Plan\n\n## Rollback\n\n- Steps:\n  1. Return\n  2. Stop\n- Tell support\n  - by mail\n"
    )
    assert [(ln.number, ln.title) for ln in document.lines] == [
        (6, "Return"),
        (7, "Stop"),
        (8, "Tell support"),
    ]
    assert document.prose == ((9, "by mail"),)


@pytest.mark.parametrize(
    ("table", "titles"),
    [
        (
            "| ID | Task | Done |\n|-|-|-|\n| C-01 | Stop | [ ] |\n| C-02 | Go | [x] |",
            ["Stop", "Go"],
        ),
        ("| Step | Action |\n|-|-|\n| 1 | [ ] Stop |\n| 2 | [ ] Go |", ["Stop", "Go"]),
        (
            "| Done | Where | Was |\n|-|-|-|\n| [ ] | DNS | Stop |\n| [ ] | | Go |",
            ["DNS: Stop", "Go"],
        ),
        ("| Ref | Status | X |\n|-|-|-|\n| T1 | [ ] open | Stop |\n| T2 | [ ] | |", ["Stop", "T2"]),
    ],
)
def test_a_rows_title_says_the_task_whichever_column_it_stands_in(
    table: str, titles: list[str]
) -> None:
    assert [line.title for line in _document(f"# T-0\n\n{table}\n").lines] == titles


DAYS = st.one_of(
    st.integers(-30, 365).map(lambda n: (f"Day {n:+d}: ", n)),
    st.integers(0, 365).map(lambda n: (f"Day {n}: ", n)),
    st.integers(-30, 365).map(lambda n: (f"T{n:+d} ", n)),
    st.integers(1, 30).map(lambda n: (f"{n} Days BEFORE Launch: ", -n)),
    st.integers(-4, 52).map(lambda n: (f"T{n:+d} Weeks: ", 7 * n)),
    st.integers(1, 12).map(lambda n: (f"Month +{n}: ", 30 * n)),
    st.integers(1, 72).map(lambda n: (f"T-minus {n} hours: ", -(n // 24))),
    st.integers(1, 23).map(lambda n: (f"T-{n:02}:30 - ", 0)),
    st.tuples(st.integers(10, 23), st.sampled_from(["15", "30", "45"])).flatmap(
        lambda t: st.sampled_from([f"{t[0]}:{t[1]}", f"{t[0]}.{t[1]} UTC", f"{t[0]}h{t[1]}"]).map(
            lambda clock: (f"{clock} - ", 0)
        )
    ),
    st.sampled_from(["Tag -3: ", "Semaine 2 : ", "Jour J : ", "\u51c6\u5907 ", ""]).map(
        lambda text: (text, None)
    ),
)
SHAPES = st.sampled_from(["boxes", "bullets", "nested", "colon", "table", "properties"])
COLUMNS = st.permutations(["ID", "Task", "Owner", "Done", "Duration"])


@st.composite
def plans(draw: st.DrawFn) -> list[tuple[str, int | None, list[str], str]]:
    """Blocks: the heading, its day, the lines' titles in order, and the Markdown of both."""
    blocks = []
    for b in range(draw(st.integers(1, 4))):
        when, due = draw(DAYS)
        titles = [f"thing {b}.{k} held" for k in range(draw(st.integers(1, 4)))]
        heading, shape = f"{when}part {chr(97 + b)}", draw(SHAPES)
        if due is None and shape in {"bullets", "colon"}:
            shape = "boxes"  # bullets without a day are prose
        if shape == "table":
            columns = draw(COLUMNS)
            cells = [
                {"ID": f"C-{k}", "Task": t, "Owner": "Ada", "Done": "[ ]", "Duration": "10 min"}
                for k, t in enumerate(titles)
            ]
            rows = [columns, ["---"] * 5, *([c[name] for name in columns] for c in cells)]
            body = "".join(f"| {' | '.join(row)} |\n" for row in rows)
        elif shape == "nested":
            body = "".join(f"{'  ' * k}- [ ] {t}\n" for k, t in enumerate(titles))
        elif shape == "colon":
            body = "- Steps:\n" + "".join(f"  {k}. {t}\n" for k, t in enumerate(titles, 1))
        elif shape == "properties":
            body = "".join(f"* [x] {t} - Owner: Ada | 10 min\n" for t in titles)
        else:
            box = "[ ] " if shape == "boxes" else ""
            body = "".join(f"{draw(st.sampled_from('-*+'))} {box}{t}\n\n" for t in titles)
        blocks.append((heading, due, titles, f"## {heading}\n\n{body}\n"))
    return blocks


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(plans(), st.sampled_from(["\n", "\r\n"]), st.data())
def test_every_line_of_any_plan_comes_back_in_order_and_its_id_lasts(
    blocks: list[tuple[str, int | None, list[str], str]], newline: str, data: st.DataObject
) -> None:
    title = "# The plan\n\n"
    text = title + "".join(body for *_, body in blocks)
    document = _document(text.replace("\n", newline))
    rows = text.split("\n")
    assert [line.title for line in document.lines] == [t for _, _, ts, _ in blocks for t in ts]
    assert all(line.title in rows[line.number - 1] for line in document.lines)
    assert {e.split(":")[0] for _, e in document.unread} <= {"a day"}
    due = {t: due for _, due, titles, _ in blocks for t in titles}
    for line in document.lines:
        assert line.due == due[line.title]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "p.toml"
        before = set(tracing.write(document, out).added)
        again = set(tracing.write(document, Path(folder) / "again.toml").added)
        assert again == before
        at = data.draw(st.integers(0, len(blocks)))
        parts = [body for *_, body in blocks]
        parts.insert(at, "## Day -40: something else\n\n- [ ] Tea made\n\n")
        grown = _document(title + "".join(parts))
        ids = set(tracing.write(grown, Path(folder) / "grown.toml").added)
        assert len(ids - before) == 1
        assert before < ids


# ---------------------------------------------------------------- items made of a document


def write(text: str, path: Path) -> tracing.Written:
    return tracing.write(tracing.parse(text, Path("p.md")), path)


@pytest.mark.parametrize("text", [AIRLINE, HOSPITAL, BANK])
def test_items_made_of_a_document_say_what_it_says(text: str, tmp_path: Path) -> None:
    out = tmp_path / "procedure.toml"
    written = write(text, out)
    items = procedure.load(out)
    assert trace(text, items) == ()
    assert written.added == tuple(items.items)
    assert not written.kept
    assert not written.removed
    assert {(i.way, i.effect, i.area) for i in items} == {("attested", "read", "team")}
    again = out.read_bytes()
    assert write(text, out).added == ()
    assert out.read_bytes() == again


def test_the_projects_own_procedure_is_written_byte_by_byte_as_it_is(tmp_path: Path) -> None:
    out = tmp_path / "procedure.toml"
    out.write_bytes(SOURCE.read_bytes())
    assert len(write(rendered(), out).kept) == 479
    assert out.read_bytes() == SOURCE.read_bytes()


def test_ids_and_marks_say_when(tmp_path: Path) -> None:
    write(AIRLINE, tmp_path / "p.toml")
    items = list(procedure.load(tmp_path / "p.toml"))
    assert [i.id.split(".")[0] for i in items][::3] == ["D-3", "T0-2200", "T0-2330", "BO", "C"]
    assert list(dict.fromkeys(i.block for i in items)) == [
        "day_minus_3",
        "launch_2200",
        "launch_2330",
        "back_out",
        "contacts",
        "success_metrics",
    ]
    assert all(i.block.isidentifier() and i.phase.isidentifier() for i in items)


@pytest.mark.parametrize("text", [AIRLINE, HOSPITAL, BANK])
def test_ids_do_not_depend_on_what_is_inserted_elsewhere(text: str, tmp_path: Path) -> None:
    """Even of two documents that are read on their own."""
    write(text, tmp_path / "a.toml")
    first = procedure.load(tmp_path / "a.toml").items
    heading = "\n## Day -30: Something before\n\n- [ ] New first line\n\n"
    extended = text.replace("\n## ", f"{heading}## ", 1) if "\n## " in text else heading + text
    write(extended, tmp_path / "b.toml")
    second = procedure.load(tmp_path / "b.toml").items
    assert len(second) == len(first) + 1
    assert {i.title: i.id for i in second.values()}.items() >= {
        i.title: i.id for i in first.values()
    }.items()


def test_writing_again_keeps_ids_and_what_people_decided_about_an_item(tmp_path: Path) -> None:
    out = tmp_path / "procedure.toml"
    write(AIRLINE, out)
    before = {i.title: i for i in procedure.load(out)}
    host, gate = before["Host answers on both ports"], before["Gate readers paired"]
    decided = f'"{host.id}", area = "infra", way = "probe"'
    text = out.read_text().replace(f'"{host.id}", area = "team", way = "attested"', decided)
    out.write_text(text)
    gates = "  - [ ] Gate readers\n        paired <!-- not - [ ] this -->\n"
    changed = (
        AIRLINE.replace("Host answers", "New host answers")
        .replace("2. Reopen kiosk sessions\n", "2. Gate readers paired\n")
        .replace("## Back-out", "- [ ] Baggage test\n\n## Back-out")
        .replace(gates, "")
    )
    written = write(changed, out)
    after = {i.title: i for i in procedure.load(out)}
    renamed = after["New host answers on both ports"]
    assert (renamed.id, renamed.area, renamed.way) == (host.id, "infra", "probe")
    assert after["Gate readers paired"].id == gate.id
    assert after["Gate readers paired"].block_title == "Back-out"
    assert written.added == (after["Baggage test"].id,)
    assert [i.title for i in written.removed] == ["Reopen kiosk sessions"]
    assert trace(changed, procedure.load(out)) == ()


def test_a_comment_at_the_beginning_stays_and_one_further_on_is_never_lost(tmp_path: Path) -> None:
    out = tmp_path / "procedure.toml"
    write(BANK, out)
    kept = "# Ours.\n# Ask the batch context.\n" + out.read_text()
    out.write_text(kept)
    write(BANK, out)
    assert out.read_text() == kept
    commented = kept.replace("schema = 1\n", "schema = 1  # one\n")
    out.write_text(commented)
    with pytest.raises(GoliveError, match=r"line 4: found a comment, which would be lost"):
        write(BANK, out)
    assert out.read_text() == commented


@pytest.mark.parametrize(
    ("there", "message"),
    [
        (b"[tool]\nname = 1\n", r"--write overwrites nothing but a procedure"),
        (b"# Notes\nhello", r"is not valid TOML.*--write overwrites nothing but a procedure"),
        (b"\xff\xfe", r"is not UTF-8 text.*--write overwrites nothing but a procedure"),
        (SOURCE.read_bytes(), r"has no item that p\.md has a line for"),
    ],
)
def test_what_is_no_earlier_state_of_the_procedure_is_not_overwritten(
    there: bytes, message: str, tmp_path: Path
) -> None:
    out = tmp_path / "out.toml"
    out.write_bytes(there)
    with pytest.raises(GoliveError, match=message):
        write(BANK, out)
    assert out.read_bytes() == there
    assert [p.name for p in tmp_path.iterdir()] == ["out.toml"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(GoliveError, match=r"none/out\.toml: cannot be written: No such file"):
        write(BANK, tmp_path / "none" / "out.toml")


WORDS = st.text(
    st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=40
).map(lambda text: "x" + " ".join(text.split()))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    blocks=st.lists(
        st.tuples(WORDS, st.lists(st.tuples(WORDS, st.booleans()), min_size=1, max_size=4)),
        min_size=1,
        max_size=4,
    )
)
def test_whatever_its_words_a_document_is_what_its_items_say(
    blocks: list[tuple[str, list[tuple[str, bool]]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = ""
    for day, (title, lines) in enumerate(blocks):
        text += f"\n## Day -{day}: {title}\n\nOwner: {title}\n\n"
        text += "".join(f"- [{'x' if done else ' '}] {line}\n" for line, done in lines)
    out = tmp_path_factory.mktemp("out") / "procedure.toml"
    written = write(text, out)
    assert trace(text, procedure.load(out)) == ()
    assert len(written.added) == sum(len(lines) for _, lines in blocks)


PIECES = [
    *("# ", "##", "- [ ] ", "[x]", "1. ", "   ", "\n", "\n\n", "\t", "**", "`", "```", "> ", "\\"),
    *("Owner:", "(2 hours)", "Day -3", "22:00", "Phase 1 - ", " - ", ": ", "(", ")", "\ufeff"),
    *("<b>", "<!--", "-->", "|", "| a | b |\n|---|---|\n", "---", "\u2610", "Deliverables", "a"),
]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
def test_any_text_is_read_or_refused_and_its_items_say_what_it_says(text: str) -> None:
    try:
        document = tracing.parse(text, Path("p.md"))
    except GoliveError as e:
        assert "inside an HTML block" in str(e)  # noqa: PT017 - either is right
        return
    for line in document.lines:
        assert line.title
        assert 1 <= line.number <= text.count("\n") + 1
    if document.lines:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "procedure.toml"
            tracing.write(document, out)
            assert tracing.trace(document, procedure.load(out)).differences == ()


# ---------------------------------------------------------------- what cannot be read


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"found no line of a procedure; expected checkboxes"),
        (b"# Title\n\nOnly words.\n", r"found no line of a procedure"),
        (
            b"- [ ] caf\xe9\n",
            r"is not UTF-8 text: .* at byte 9; expected a procedure as Markdown in UTF-8",
        ),
        (b"\xff\xfe-\x00", r"is not UTF-8 text"),
        (
            b"<details>\n<summary>More</summary>\n- [ ] hidden\n</details>\n",
            r"line 3: found a checkbox inside an HTML block",
        ),
        (
            "\n".join("  " * n + "- [ ] deep" for n in range(60)).encode(),
            r"line 49: lists and quotes are nested more than 50 deep",
        ),
    ],
)
def test_what_cannot_be_read_as_a_whole_is_refused(
    content: bytes, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "p.md", tmp_path / "out.toml"
    path.write_bytes(content)
    out.write_bytes(SOURCE.read_bytes())
    with pytest.raises(GoliveError, match=message) as caught:
        tracing.read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert main(["trace", str(path), "--write", str(out)]) == 1
    assert main(["trace", str(path), "--suites", str(SUITES)]) == 1
    assert out.read_bytes() == SOURCE.read_bytes()
    assert capsys.readouterr().out == ""


def test_a_file_that_is_not_there_or_a_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(GoliveError, match=r"none\.md: cannot be read: No such file"):
        tracing.read(tmp_path / "none.md")
    with pytest.raises(GoliveError, match=r"is a folder; expected a procedure"):
        tracing.read(tmp_path)


def test_ten_megabytes_are_read_and_twenty_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.md"
    prose = ("word " * 2000 + "\n\n") * 1000
    path.write_text(f"{AIRLINE}\n# Appendix\n\n{prose}")
    assert path.stat().st_size > 10_000_000
    assert len(tracing.read(path).lines) == 14
    path.write_text("- [ ] a\n" + " " * 20_000_000)
    with pytest.raises(
        GoliveError, match=r"has 20,000,008 bytes; expected a procedure .* of 16 MiB at most"
    ):
        tracing.read(path)


CELLS = "|" + "a|" * 800 + "\n|" + "-|" * 800 + "\n" + ("|" + "b|" * 800 + "\n") * 2000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CELLS, r"line 188: the tables up to here have over 150,000 cells; expected fewer"),
        ("- [ ] a\n\n- [ ] " + "[" * 200_000, r"line 3: has 200,006 characters; expected"),
        (
            "- [ ] a\n\n" + "[[[[[[[[[[\n" * 20_000,
            r"line 3: square brackets are left open or stand in one another",
        ),
        ("- [ ] " + ("!" + "[" * 9) * 990, r"line 1: square brackets are left open or stand"),
        (
            "- [ ] a\n" + "[a](b " * 60_000,
            r"line 2: has 360,000 characters; expected at most 10,000 in a line",
        ),
        (
            "- [ ] a\n" + ("[a](b " * 1000 + "\n\n") * 400,
            r"line 300: the marks .* up to here are over 300,000; expected fewer",
        ),
        ("- [ ] a\n" + "\n" * 50_000, r"has 50,001 lines; expected at most 50,000"),
        ("1. a\n" * 60_000, r"has 60,000 lines; expected at most 50,000"),
    ],
)
def test_what_would_take_minutes_to_read_is_refused_by_line(
    text: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "p.md"
    path.write_text(text)
    with pytest.raises(GoliveError, match=message) as caught:
        tracing.read(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_number_without_words_before_checkboxes_is_no_task() -> None:
    document = tracing.parse("## Day -1: a\n\n1. <i></i>\n- [ ] b\n", Path("p.md"))
    assert [line.title for line in document.lines] == ["b"]


@pytest.mark.parametrize("headings", [False, True])
def test_what_would_take_minutes_to_compare_is_refused_by_line(
    headings: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = max(BLOCKS, key=lambda b: sum(len(t["items"]) for t in b["task"]))
    head = f"# Plan\n\n## {block['title']}\n\n"
    between = "\n## Day -1: thing {}\n\n" if headings else ""
    lines = "".join(f"{between.format(n)}- [ ] another thing of {n}\n" for n in range(600))
    document = tracing.parse(head + lines, Path("p.md"))
    assert tracing.trace(document, PROCEDURE).differences
    monkeypatch.setattr("golive.tracing.comparing._MOST_PAIRS", 5_000)
    with pytest.raises(
        GoliveError, match=r"p\.md: line \d+: .* of the procedure .* pairs to compare"
    ):
        tracing.trace(document, PROCEDURE)


def test_a_document_of_twenty_thousand_lines_is_read_and_compared() -> None:
    sections = "".join(
        f"## Day -{n % 14 + 1}: Section {n}\n\n"
        + "".join(f"- [ ] **Check {k}** of [section {n}](#s{n}) holds\n" for k in range(48))
        + "\n"
        for n in range(400)
    )
    assert sections.count("\n") >= 20_000
    document = tracing.parse(rendered() + "\n" + sections, Path("p.md"))
    assert len(document.lines) == len(PROCEDURE.items) + 400 * 48
    found = tracing.trace(document, PROCEDURE)
    assert sum(d.kind == "line" for d in found.differences) == 400 * 48
    assert not any(d.kind == "item" for d in found.differences)


# ---------------------------------------------------------------- the command


def test_the_command_tells_by_block_and_line_and_its_status_says_whether_any_differ(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "p.md"
    path.write_text(rendered())
    assert main(["trace", str(path), "--suites", str(SUITES)]) == 0
    assert capsys.readouterr().out.endswith("\nno differences\n")
    path.write_text(rendered().replace("   - [ ] Redis cache cluster operational\n", ""))
    assert main(["trace", str(path), "--suites", str(SUITES)]) == 1
    out = capsys.readouterr().out
    assert "\nDay -14: Infrastructure Readiness Assessment\n" in out
    assert "       -  no line for D-14.1.2: Redis cache cluster operational\n" in out
    assert out.endswith("\ndifferences: 1 without a line\n")


def test_the_command_tells_machines_everything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "p.md"
    path.write_text(rendered().replace("operational\n", "works\n", 1))
    assert main(["trace", str(path), "--suites", str(SUITES), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["lines"], found["items"]) == (479, 479)
    assert found["prose"] == [{"line": 5, "text": "everything"}]
    (reported,) = found["differences"]
    assert reported == {
        "kind": "title",
        "about": "item",
        "line": 15,
        "block": "Day -14: Infrastructure Readiness Assessment",
        "ids": ["D-14.1.2"],
        "document": "Redis cache cluster works",
        "procedure": "Redis cache cluster operational",
    }


def test_the_command_writes_and_reports_what_it_removed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "p.md", tmp_path / "procedure.toml"
    path.write_text(AIRLINE)
    assert main(["trace", str(path), "--write", str(out)]) == 0
    assert "14 items: 0 kept, 14 added, 0 removed" in capsys.readouterr().out
    assert main(["trace", str(path), "--suites", str(tmp_path)]) == 0
    path.write_text(AIRLINE.replace("2. Reopen kiosk sessions\n", ""))
    capsys.readouterr()
    assert main(["trace", str(path), "--write", str(out), "--json"]) == 0
    written = json.loads(capsys.readouterr().out)
    assert [r["title"] for r in written["removed"]] == ["Reopen kiosk sessions"]
    assert len(written["kept"]) == 13


def test_hostile_words_reach_neither_the_terminal_nor_the_file_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "p.md", tmp_path / "procedure.toml"
    path.write_text('## Day -1: A\n\n- [ ] red \x1b[31m "quoted" \\\\ \x7f \u202e done\n')
    assert main(["trace", str(path), "--suites", str(SUITES)]) == 1
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert main(["trace", str(path), "--write", str(out)]) == 0
    assert "\x1b" not in out.read_text()
    assert main(["trace", str(path), "--suites", str(tmp_path)]) == 0
