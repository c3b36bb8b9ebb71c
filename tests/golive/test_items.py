from __future__ import annotations

from pathlib import Path

import pytest

from golive.items import attested, card_of, derived, described, item, read_cards
from golive.verdicts import GoliveError


def test_an_item_stays_the_function_it_was_and_carries_its_card() -> None:
    @item("D-13.1.2")
    def check(limit: int) -> None:
        assert limit

    @derived("D-13.D.1")
    def follows() -> None: ...

    check(1)
    card, other = card_of(check), card_of(follows)
    assert card is not None
    assert other is not None
    assert (card.id, card.way) == ("D-13.1.2", "")
    assert (other.id, other.way) == ("D-13.D.1", "derived")
    assert card_of(lambda: None) is None
    assert card_of(None) is None


def test_an_attested_item_says_what_is_asked_of_whom() -> None:
    @attested("D-5.1.1", "the team saw it", by=("product_manager", "qa_lead"), papers=("a.md",))
    def check() -> None: ...

    card = card_of(check)
    assert card is not None
    assert (card.way, card.asks) == ("attested", "the team saw it")
    assert (card.by, card.each, card.papers) == (("product_manager", "qa_lead"), False, ("a.md",))


def test_cards_are_read_without_running_anything(tmp_path: Path) -> None:
    (tmp_path / "test_block.py").write_text(
        "raise RuntimeError\n\n"
        '@item("D-1")\ndef test_a():  \n    pass\n\n'
        '@derived("D-2")\ndef test_b():\n    pass\n\n'
        '@attested("D-3", "it is " "done", each=True)\ndef test_c():\n    assert 1\n'
    )
    cards = read_cards(tmp_path)
    assert list(cards) == ["D-1", "D-2", "D-3"]
    assert cards["D-1"][1] == '@item("D-1")\ndef test_a():\n    pass'
    assert (cards["D-3"][0].asks, cards["D-3"][0].each) == ("it is done", True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def test_a(:", r"test_a\.py: line 1: is not valid Python"),
        ("@attested('D-1', asks())\ndef test_a(): pass", r"line 1: found an argument of attested"),
    ],
)
def test_a_file_that_cannot_be_read_so_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "test_a.py").write_text(text)
    with pytest.raises(GoliveError, match=message):
        read_cards(tmp_path)


def test_a_docstring_tells_how_and_what_to_do_wherever_its_lines_break() -> None:
    def check() -> None:
        """The histogram in Prometheus
        over the window.

        Besides, the statistics.

        Remedy: open the slowest statement,
        then run again.
        """

    assert described(check) == (
        "The histogram in Prometheus over the window. Besides, the statistics.",
        "open the slowest statement, then run again.",
    )
    assert described(lambda: None) == ("", "")
