"""YAML with its lines, and what plain readers hide."""

from __future__ import annotations

import pytest

from golive.probes.platform.yaml_documents import read


def test_every_key_has_its_line() -> None:
    (one, two), flaws = read("a.yaml", "x: 1\n---\n# y\na:\n  b: [1, {c: 2}]\n")
    assert not flaws
    assert (one.value, one.line, two.line) == ({"x": 1}, 1, 4)
    assert str(two.place("a", "b", 1, "c")) == "a.yaml:5"
    assert str(two.place("a", "not there")) == "a.yaml:4"


def test_a_key_that_stands_twice_is_told_and_the_last_one_counts() -> None:
    (one,), flaws = read("a.yaml", "a: 1\nb: {c: 1, c: 2}\na: 3\n")
    assert one.value == {"a": 3, "b": {"c": 2}}
    assert [str(f) for f in flaws] == [
        "a.yaml:2: the key 'c' stands twice; the first one is lost",
        "a.yaml:3: the key 'a' stands twice; the first one is lost",
    ]


def test_merged_and_repeated_mappings_are_no_key_twice() -> None:
    (one,), flaws = read("a.yaml", "x: &x {a: 1, b: 2}\ny: {<<: *x, a: 3}\nz: {<<: [*x], b: 1}\n")
    assert not flaws
    assert one.value["y"] == {"a": 3, "b": 2}


def test_dates_stay_texts_and_unknown_tags_what_they_hold() -> None:
    (one,), flaws = read("a.yaml", "at: 2026-12-07\nref: !reference [a, b]\nx: !vault {k: v}\n")
    assert one.value == {"at": "2026-12-07", "ref": ["a", "b"], "x": {"k": "v"}}
    assert not flaws


@pytest.mark.parametrize(
    ("text", "line"),
    [("a: 1\n\tb: 2\n", 2), ("a: [1\nb: 2\n", 2), ("a: *nobody\n", 1), ("a: b: c\n", 1)],
)
def test_what_is_no_yaml_is_a_flaw_at_its_line(text: str, line: int) -> None:
    documents, flaws = read("a.yaml", text)
    assert not documents
    assert [f.place.line for f in flaws] == [line]


def test_documents_before_a_broken_one_are_read() -> None:
    documents, flaws = read("a.yaml", "a: 1\n---\nb: [\n")
    assert [d.value for d in documents] == [{"a": 1}]
    assert len(flaws) == 1


def test_aliases_that_stand_for_millions_of_values_end_the_look() -> None:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    documents, flaws = read("a.yaml", "\n".join(lines))
    assert not documents
    assert "holds more than" in str(flaws[0])


def test_empty_files_hold_nothing() -> None:
    assert read("a.yaml", "# nothing\n---\n---\n") == ((), ())


def test_a_deep_nest_is_told() -> None:
    documents, flaws = read("a.yaml", "[" * 5_000 + "]" * 5_000)
    assert not documents
    assert flaws
