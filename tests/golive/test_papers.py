"""Papers: what people write is read, or is still to be written; never a crash."""

from __future__ import annotations

import os
import re
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golive.papers import Kind, Papers, template
from golive.papers.aftermath import Feedback
from golive.papers.approval import Gate
from golive.papers.kinds import EmergencyRunbook, KnownIssues, RiskRegister, all_kinds
from golive.verdicts import Pending, ProbeError

GOOD = """\
---
# what stays open
issues:
  - number: 7
    severity: low
    impact: a colour
    workaround: none needed
    owner: paul
    due: 2026-12-20
---

# Known issues
"""


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return Papers(tmp_path)


def put(papers: Papers, content: str | bytes, name: str = "known-issues.md") -> Path:
    path = papers.folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def pending(papers: Papers) -> str:
    with pytest.raises(Pending) as caught:
        papers.read(KnownIssues)
    return str(caught.value)


@pytest.mark.parametrize("written", [GOOD, "\ufeff" + GOOD, GOOD.replace("\n", "\r\n")])
def test_a_paper_is_read_however_it_was_saved(papers: Papers, written: str) -> None:
    put(papers, written)
    paper = papers.read(KnownIssues)
    assert [(i.number, i.owner) for i in paper.data.issues] == [(7, "paul")]
    assert paper.headings == ("Known issues",)
    assert len(paper.sha256) == 64


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("# Known issues\n", "has no front matter"),
        ("", "has no front matter"),
        ("---\nissues: [\n---\n", "is no YAML in line"),
        ("---\n!!python/object:os.system {}\n---\n", "is no YAML in line"),
        ("---\n- a\n---\n", "Expected `object`"),
        ("---\nissues: []\nextra: 1\n---\n", "unknown field `extra`"),
        (GOOD.replace("low", "tiny"), "Invalid enum value 'tiny' - at `$.issues[0].severity`"),
        (GOOD.replace("    owner: paul\n", ""), "missing required field `owner`"),
        (GOOD.replace("a colour", '"[text]"'), "$.issues[0].impact still says '[text]'"),
        (GOOD.replace("a colour", "todo"), "$.issues[0].impact still says 'todo'"),
        (GOOD.replace("a colour", '" "'), "$.issues[0].impact is blank"),
        (GOOD.replace("a colour", ".nan"), "$.issues[0].impact is nan"),
        (GOOD.replace("    owner", "    impact: b\n    owner"), "'impact' stands 2 times"),
        (GOOD + "\n[what there is to say]\n", "its text still says"),
    ],
)
def test_another_format_is_pending_and_names_the_template(
    papers: Papers, content: str, says: str
) -> None:
    put(papers, content)
    said = pending(papers)
    assert says in said
    assert "`golive init FOLDER` lays out known-issues.md" in said


def test_one_that_is_not_there_is_pending(papers: Papers) -> None:
    assert "golive init" in pending(papers)


def test_aliases_do_not_blow_up(papers: Papers) -> None:
    levels = (f"{n}: &{n} [{', '.join([f'*{p}'] * 9)}]\n" for p, n in pairwise("abcdefghi"))
    bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(levels)
    put(papers, f"---\n{bomb}---\n")
    assert "values" in pending(papers)


def test_what_cannot_be_read_could_not_be_looked_at(papers: Papers) -> None:
    put(papers, b"---\n\xff\xfe\n---\n")
    with pytest.raises(ProbeError, match="not UTF-8"):
        papers.read(KnownIssues)
    put(papers, b"x" * (2 * 2**20 + 1))
    with pytest.raises(ProbeError, match="of 2 MiB at most"):
        papers.read(KnownIssues)


def test_a_pipe_is_not_waited_for(papers: Papers) -> None:
    os.mkfifo(papers.folder / "known-issues.md")
    with pytest.raises(ProbeError, match="it is a pipe"):
        papers.read(KnownIssues)


def test_a_link_out_of_the_folder_is_not_followed(papers: Papers, tmp_path: Path) -> None:
    inside = tmp_path / "launch"
    inside.mkdir()
    put(papers, GOOD, "elsewhere.md")
    (inside / "known-issues.md").symlink_to(tmp_path / "elsewhere.md")
    with pytest.raises(ProbeError, match="leads out of the folder"):
        Papers(inside).read(KnownIssues)


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda t: f"---\n{t}\n---\n".encode()))
def test_no_content_makes_it_crash(content: bytes) -> None:
    with TemporaryDirectory() as folder:
        papers = Papers(Path(folder))
        put(papers, content)
        with pytest.raises((Pending, ProbeError), match=r"risk-register\.md"):
            papers.read(RiskRegister)


@pytest.mark.parametrize("kind", all_kinds(), ids=lambda k: k.file)
def test_a_template_is_a_paper_that_is_still_to_be_written(
    kind: type[Kind], papers: Papers
) -> None:
    assert kind.file.endswith(".md")
    assert kind.__doc__
    assert "# may be left out" in template(RiskRegister)
    assert "# the role that decides" in template(EmergencyRunbook)
    put(papers, template(kind), kind.file.replace("*", "x"))
    with pytest.raises(Pending, match="still says"):
        papers.read(kind, kind.file.replace("*", "x"))


FILLED = {
    "YYYY-MM-DD": "2026-12-07",
    "YYYY-MM-DDTHH:MM:SSZ": "2026-12-07T09:00:00Z",
    "HH:MM": "09:00",
    "+HH:MM": "+01:00",
    "three capital letters": "USD",
    "40 hexadecimal digits": "0a" * 20,
    "64 hexadecimal digits": "0a" * 32,
    "a whole number": "7",
    "a number": "7.5",
    "text": "something",
    "name": "something",
}


@pytest.mark.parametrize("kind", all_kinds(), ids=lambda k: k.file)
def test_a_template_with_its_placeholders_written_over_is_a_paper(
    kind: type[Kind], papers: Papers
) -> None:
    def fill(placeholder: re.Match[str]) -> str:
        said = placeholder[1]
        return f'"{FILLED[said] if said in FILLED else said.split(" | ")[0].strip()}"'

    filled = re.sub(r'"\[(.*?)\]"', fill, template(kind))
    name = kind.file.replace("*", "x")
    put(papers, filled.replace("[what there is to say]", "Something."), name)
    assert papers.read(kind, name).headings


def test_a_template_that_was_copied_is_no_paper_of_its_own(papers: Papers) -> None:
    put(papers, template(Feedback), Feedback.template_file())
    assert papers.all_of(Feedback) == []
    put(papers, template(Feedback), "feedback-ada.md")
    with pytest.raises(Pending, match=r"feedback-ada\.md: .* lays out feedback-TEMPLATE\.md"):
        papers.all_of(Feedback)


def test_a_gate_is_looser_than_before_whichever_way_is_better() -> None:
    def gate(limit: float | None, before: float | None, at_least: bool = False) -> bool:
        one = Gate(id="g", items=[], limit=limit, limit_on_day_minus_10=before, at_least=at_least)
        return one.is_looser

    assert [gate(200, 200), gate(150, 200), gate(201, 200)] == [False, False, True]
    assert [gate(80, 80, True), gate(90, 80, True), gate(79, 80, True)] == [False, False, True]
    assert [gate(None, None), gate(None, 80), gate(80, None)] == [False, True, True]


def test_commands_are_the_first_words_of_fenced_lines(papers: Papers) -> None:
    put(
        papers,
        f"{GOOD}\n```\ndeploy --to x\n\nrollback\n```\n\n    not this\n\n```sh\ndeploy\n```\n",
    )
    assert papers.read(KnownIssues).commands == {"deploy", "rollback"}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Call [Name] at once.", ["[Name]"]),
        ("Say it to [the team lead], then to [Name].", ["[the team lead]", "[Name]"]),
        ("The number is TBD. FIXME", ["TBD", "FIXME"]),
        ("See [the page](http://x) and `run [OPTIONS]`, item[key], [1], ![a](b.png).", []),
        ("- [ ] step one\n- [x] step two\n\n```\nrun [NAME]\n```\n", []),
    ],
)
def test_what_is_left_open_in_a_sentence_is_told(
    papers: Papers, text: str, left: list[str]
) -> None:
    put(papers, f"{GOOD}\n{text}\n")
    assert papers.read(KnownIssues).left_open == left
    if "`" not in text and "(" not in text:
        put(papers, GOOD.replace("a colour", f'"{text}"'))
        assert papers.read(KnownIssues).left_open == left
