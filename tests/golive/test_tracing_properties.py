"""Generated procedures: every line comes back as it is meant, or is named with its number."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from golive import procedure, tracing
from golive.tracing import Document
from golive.verdicts import GoliveError

SOON = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def parse(text: str) -> Document:
    return tracing.parse(text, Path("p.md"))


# ---------------------------------------------------------------- what a plan is made of

CLOCKS = st.tuples(st.integers(10, 23), st.sampled_from(["15", "30", "45"])).flatmap(
    lambda t: st.sampled_from(
        [f"{t[0]}:{t[1]}", f"{t[0]}.{t[1]} UTC", f"{t[0]}h{t[1]}", f"{t[0] % 12 or 12}:{t[1]} PM"]
    )
)
DAYS = st.one_of(
    st.integers(-30, 365).map(lambda n: (f"Day {n:+d}: ", n)),
    st.integers(0, 365).map(lambda n: (f"Day {n}: ", n)),
    st.integers(-30, 365).map(lambda n: (f"T{n:+d} - ", n)),
    st.integers(1, 30).map(lambda n: (f"{n} Days BEFORE Launch: ", -n)),
    st.integers(-4, 52).map(lambda n: (f"T{n:+d} Weeks: ", 7 * n)),
    st.integers(1, 52).map(lambda n: (f"Week -{n}: ", -7 * n)),
    st.integers(1, 12).map(lambda n: (f"Month +{n}: ", 30 * n)),
    st.integers(1, 720).map(lambda n: (f"T-minus {n} hours: ", -(n // 24))),
    st.integers(1, 23).map(lambda n: (f"T-{n:02}:30 - ", 0)),
    st.tuples(st.integers(-30, 30), CLOCKS).map(lambda t: (f"Day {t[0]:+d}, {t[1]} - ", t[0])),
    CLOCKS.map(lambda clock: (f"{clock} - ", 0)),
    st.sampled_from(["Tag -3: ", "J-3 : ", "Semaine 2 : ", "\u7b2c3\u5929: ", "D\u00eda -3: "]).map(
        lambda said: (said, None)
    ),
    st.sampled_from(["Vorbereitung: ", "Pr\u00e9paration : ", "\u51c6\u5907 ", ""]).map(
        lambda said: (said, None)
    ),
)
"""How a heading begins, and the day that it says; None for no day, or in no language we read."""

OWNERS = st.sampled_from(
    [*[(name, name) for name in ("Ada", "Dr. Abara", "QA Lead", "Jos\u00e9 P\u00e9rez")]]
    + [(open_, None) for open_ in ("TBD", "[Name]", "???")]
)
"""What is said of an owner, and what that is; None where it has to be named as not read."""

DURATIONS = st.one_of(
    st.integers(1, 300).map(lambda n: (f"{n} min", n)),
    st.integers(1, 12).map(lambda n: (f"{n} hours", 60 * n)),
    st.tuples(st.integers(1, 9), st.integers(1, 59)).map(
        lambda t: (f"{t[0]} h {t[1]} min", 60 * t[0] + t[1])
    ),
    st.sampled_from([("30 seconds", 1), ("<5 min", 5), ("5-15 minutes", 15), ("~2 hrs", 120)]),
    st.sampled_from(["10+ min", "2 days", "at least 5 min", "1,5 h", "3 weeks"]).map(
        lambda said: (said, None)
    ),
)


@dataclass(frozen=True)
class Step:
    """One line that has to come back. An owner or duration is what is said, and its meaning."""

    title: str
    owner: tuple[str, str | None] | None = None
    lasts: tuple[str, int | None] | None = None


@dataclass(frozen=True)
class Wanted:
    title: str
    due: int | None
    owner: str
    minutes: int | None
    is_unread: bool


@dataclass
class Plan:
    parts: list[str] = field(default_factory=list)
    wanted: list[Wanted] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    """Words of lines that are none, and have to be named."""

    @property
    def text(self) -> str:
        return "# The plan\n\n" + "".join(self.parts)


def _behind(step: Step, form: str) -> str:
    """What a line says of its owner and duration, in one of the ways in which people do."""
    owner = f"Owner: {step.owner[0]}" if step.owner else ""
    lasts = step.lasts[0] if step.lasts else ""
    said = [one for one in (owner, lasts) if one]
    if not said:
        return ""
    if form == "lines":
        return "".join(f"\\\n  {one}" for one in (owner, lasts and f"Duration: {lasts}") if one)
    if form == "brackets" or not owner:
        return f" ({', '.join(said)})"
    if form == "dash" or not lasts:
        return f" - {' | '.join(said)}"
    return f" - {owner} ({lasts})"


@st.composite
def steps(draw: st.DrawFn, name: str) -> list[Step]:
    return [
        Step(
            f"thing {name}.{k} held",
            draw(st.none() | OWNERS),
            draw(st.none() | DURATIONS),
        )
        for k in range(draw(st.integers(1, 4)))
    ]


@st.composite
def lists(draw: st.DrawFn, members: list[Step], *, is_nested: bool) -> str:
    """Checkboxes: with any mark, flat or nested, tight or loose."""
    mark = draw(st.sampled_from(["-", "*", "+", "1)"]))
    box = draw(st.sampled_from(["[ ]", "[x]", "\N{BALLOT BOX}"]))
    between = "\n" * draw(st.integers(1, 2))
    form = draw(st.sampled_from(["brackets", "dash", "both", "lines"]))
    out = []
    for k, step in enumerate(members):
        indent = " " * (len(mark) + 1) * (k if is_nested else 0)
        said = _behind(step, form).replace("\n", f"\n{indent}{' ' * (len(mark) - 1)}")
        out.append(f"{indent}{mark} {box} {step.title}{said}{between}")
    return "".join(out) + "\n"


@st.composite
def tables(draw: st.DrawFn, members: list[Step]) -> str:
    """A table with the task in any column, its box in one of its own or beside the task."""
    task = draw(st.sampled_from(["Task", "Step", "Action", "What", "Aufgabe"]))
    has_own = draw(st.booleans())
    columns = draw(
        st.permutations([task, "ID", "Owner", "Duration", *(["Done"] if has_own else [])])
    )
    rows = []
    for k, step in enumerate(members):
        cells = {
            task: step.title if has_own else f"[ ] {step.title}",
            "ID": f"C-{k}",
            "Done": "[ ]",
            "Owner": step.owner[0] if step.owner else "",
            "Duration": step.lasts[0] if step.lasts else "",
        }
        rows.append([cells[c] for c in columns])
    edge = draw(st.sampled_from(["| ", ""])) if all(row[0] for row in rows) else "| "
    lines = [columns, [draw(st.sampled_from(["---", ":-:", "--:"])) for _ in columns], *rows]
    return "".join(f"{edge}{' | '.join(line)}{edge[::-1] or ' |'}\n" for line in lines) + "\n"


@st.composite
def groups(draw: st.DrawFn, name: str, at: Wanted, plan: Plan) -> tuple[str, Wanted]:
    """Some lines, perhaps below a task of their own; ``at`` is what holds around them.

    With what holds behind them.
    """
    members = draw(steps(name))
    text = ""
    how = draw(st.sampled_from(["", "#### {}", "**{}**", "**{}:**", "1. **{}**"]))
    if how:
        said = draw(st.none() | DURATIONS)
        lasts = f" ({said[0]})" if said else ""
        text += f"{how.format('Task ' + name)}{lasts}\n\n"
        at = replace(at, minutes=said[1] if said else None)
    shape = draw(st.sampled_from(["flat", "nested", *([] if how == "1. **{}**" else ["table"])]))
    is_nested = shape == "nested"
    body = draw(tables(members) if shape == "table" else lists(members, is_nested=is_nested))
    owner_around = at.owner
    for step in members:
        owner = step.owner[1] or "" if step.owner else owner_around
        owner_around = owner if is_nested else at.owner
        minutes = step.lasts[1] if step.lasts else at.minutes
        is_unread = any(one and one[1] is None for one in (step.owner, step.lasts))
        plan.wanted.append(Wanted(step.title, at.due, owner, minutes, is_unread))
    return text + body, at


NOISE = st.sampled_from(
    [
        ("Some words.\n\n", False),
        ("```\n- [ ] {} in code\n```\n\n", False),
        ("<!-- - [ ] {} is a comment -->\n\n", False),
        ("---\n\n", False),
        ("Words.\n\n-[ ] {} has no blank\n\n", True),
        ("Words.\n\n- [] {} is empty\n\n", True),
        ("Words.\n\n- {} is a note\n\n", True),
        ("Words.\n\n\N{BULLET} {} has a sign\n\n", True),
    ]
)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    plan = Plan()
    for b in range(draw(st.integers(1, 3))):
        name = chr(97 + b)
        when, due = draw(DAYS)
        owner = draw(st.sampled_from(["", "Ben", "Ops Lead"]))
        form = draw(st.sampled_from([" (Owner: {})", "\n\n**Owner:** {}", "\n\n*Owner*: {}  "]))
        text = f"## {when}part {name}{form.format(owner) if owner else ''}\n\n"
        at = Wanted("", due, owner, None, is_unread=False)
        for g in range(draw(st.integers(1, 2))):
            group, at = draw(groups(f"{name}{g}", at, plan))
            text += group
            noise, has_to_be_named = draw(NOISE)
            word = f"Noise {name}{g}"
            text += noise.format(word)
            plan.named += [word] if has_to_be_named else []
        plan.parts.append(text)
    return plan


# ---------------------------------------------------------------- what has to hold of all


@SOON
@given(plans(), st.sampled_from(["\n", "\r\n", "\r"]))
def test_every_line_comes_back_with_what_is_said_of_it(plan: Plan, newline: str) -> None:
    document = parse(plan.text.replace("\n", newline))
    rows = plan.text.split("\n")
    named = {n for n, _ in (*document.prose, *document.unread)}
    unread = {n for n, _ in document.unread}
    assert len(document.lines) == len(plan.wanted)
    for line, wanted in zip(document.lines, plan.wanted, strict=True):
        here = set(range(line.number, line.number + 3))
        assert wanted.title in rows[line.number - 1]
        assert wanted.title in line.title
        assert line.due == wanted.due
        assert line.owner == wanted.owner
        assert line.minutes == wanted.minutes
        assert bool(here & unread) or not wanted.is_unread
    for word in plan.named:
        assert any(word in rows[n - 1] for n in named)


@settings(SOON, max_examples=40)
@given(plans(), st.data())
def test_ids_last_when_something_is_inserted_and_order_is_kept(
    plan: Plan, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder) / "first.toml", Path(folder) / "second.toml"
        tracing.write(parse(plan.text), first)
        before = list(procedure.load(first))
        assert [i.title for i in before] == [line.title for line in parse(plan.text).lines]
        at = data.draw(st.integers(0, len(plan.parts) - 1))
        # The first day that a document says anywhere divides the whole of it anew.
        is_divided = any(block.mark for block in parse(plan.text).blocks.values())
        if is_divided and data.draw(st.booleans(), label="a part of its own"):
            plan.parts.insert(at, "## Day -40: something else\n\n- [ ] Tea made\n\n")
        else:
            plan.parts[at] += "- [ ] Tea made\n\n"
        tracing.write(parse(plan.text), second)
        after = list(procedure.load(second))
        assert [i.id for i in after if i.title != "Tea made"] == [i.id for i in before]
        assert tracing.trace(parse(plan.text), procedure.load(second)).differences == ()
        # Written onto the earlier state, too.
        written = tracing.write(parse(plan.text), first)
        assert written.kept == tuple(i.id for i in before)
        assert len(written.added) == 1


# ---------------------------------------------------------------- lines of any kind, anywhere

BEGINNINGS = [
    *("- [ ] ", "* [x] ", "1. [ ] ", "- ", "+ ", "2) ", "10. ", "-[ ] ", "- [] ", "[ ] ", "[x]"),
    *("> - [ ] ", "> - ", "| a | ", "#### ", "**", "", "Owner: ", "Duration: 5 min ", "<li>"),
    *("\N{BALLOT BOX} ", "\N{BULLET} ", "- **", "- - ", "1. - [ ] ", "- 1. ", "> 1. ", "Start: "),
    *("- Owner: ", "- # ", "- > ", "***", "---", "[^1]: ", "`", "\N{EN DASH} "),
]
ENDS = ["", "", "", ":", "  ", "\\", " |", "**", " (10 min)", " (Owner: Ada)", " [ ]", "`", "<br>"]
SOUP = st.lists(
    st.tuples(
        st.integers(0, 6), st.sampled_from(BEGINNINGS), st.sampled_from(ENDS), st.integers(0, 1)
    ),
    min_size=1,
    max_size=12,
)
HEADS = ["", "## Day -1\n", "## Rollback\n", "## Contacts\n", "| Task | Owner |\n|---|---|\n"]
LIKE = re.compile(
    r"(?!.*(?:Owner|Start|Duration): )"
    r"[\s>]*(?:[-*+\u2022\u2013]\s+\S|\d+[.)]\s+\S|\|.*\||[-*+]?\s?\[[ x]?\](?![:(])|\u2610)"
)
"""A box, bullet, number or row that says more than an owner or a time."""


@settings(SOON, max_examples=300)
@given(st.sampled_from(HEADS), SOUP)
def test_what_looks_like_a_line_is_one_or_is_named(
    head: str, soup: list[tuple[int, str, str, int]]
) -> None:
    text = head + "".join(
        f"{' ' * indent}{begin}w{n}w{end}\n" + "\n" * gap
        for n, (indent, begin, end, gap) in enumerate(soup)
    )
    try:
        document = parse(text)
    except GoliveError as e:
        assert "found a checkbox inside an HTML block" in str(e)  # noqa: PT017 - either is right
        return
    named = {n for n, _ in (*document.prose, *document.unread)}
    said = " ".join(
        [
            *(f"{line.title} {line.owner} {line.time}" for line in document.lines),
            *document.tasks.values(),
            *(f"{block.title} {block.chapter}" for block in document.blocks.values()),
        ]
    )
    rows = text.splitlines()
    for number, row in enumerate(rows, 1):
        # Where a code span is left open, what follows may be code.
        is_code = "\n".join(rows[: number - 1]).count("`") % 2 == 1
        if not is_code and (token := re.search(r"w\d+w", row)) and LIKE.match(row):
            assert number in named or token[0] in said, (number, row)
