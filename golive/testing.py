"""Judge checks on literal facts, so that whoever writes one sees it green and red at once.

    SUITES = Suites("suites")

    def test_a_long_greeting_is_red() -> None:
        assert SUITES.judged("D-0.0.1", greeting="Welcome") is None
        claim = SUITES.judged("D-0.0.1", greeting="Welcome " * 40)
        assert claim is not None
        assert claim.observed == "320"

No environment is looked at and nothing is written: a check is a function of its facts.
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from golive import launch
from golive.claims import Claim, collect
from golive.items import card_of
from golive.verdicts import GoliveError

Check = Callable[..., None]
"""The function of an item."""


class Suites:
    """The checks of a folder of suites as plain functions.

    :param folder: with ``launch.toml`` and a folder for each phase.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)

    @cached_property
    def checks(self) -> dict[str, Check]:
        """The check of every item, by id; of attested ones, what a machine looks at.

        :raises GoliveError: two of them have the same id.
        """
        found: dict[str, Check] = {}
        for path in sorted(self.folder.glob("*/test_*.py")):
            for value in vars(_loaded(path)).values():
                card = card_of(value)
                if card is None:
                    continue
                if found.setdefault(card.id, value) is not value:
                    raise GoliveError(f"{path}: {card.id}: is there twice; expected it once")
        return found

    @cached_property
    def limits(self) -> launch.Limits:
        """The thresholds of launch.toml.

        :raises GoliveError: launch.toml cannot be read.
        """
        return launch.load(self.folder / "launch.toml").limits

    def of_way(self, way: str) -> dict[str, Check]:
        """The checks of the items of which code says that they are verified in one way, by id."""
        cards = {i: card_of(check) for i, check in self.checks.items()}
        return {i: self.checks[i] for i, card in cards.items() if card and card.way == way}

    def judged(self, ident: str, **facts: Any) -> Claim | None:
        """The claim that breaks an item on these facts; None when it is green.

        :param facts: by the names of the check's parameters; what it does not ask for is left
            out. ``limits`` are those of launch.toml where they are not given.
        :raises GoliveError: there is no such item, or it asks for a fact that is not given.
        :raises AssertionError: it is green or red without a claim, which no report could show.
        """
        if ident not in self.checks:
            raise GoliveError(f"{self.folder}: has no check of {ident}")
        wanted = inspect.signature(self.checks[ident]).parameters
        if "limits" in wanted and "limits" not in facts:
            facts["limits"] = self.limits
        if lacking := [name for name in wanted if name not in facts]:
            raise GoliveError(f"{ident}: asks for {', '.join(lacking)}; expected a fact for each")
        return judged(self.checks[ident], **{name: facts[name] for name in wanted})


def judged(check: Check, **facts: Any) -> Claim | None:
    """The claim that breaks a check on these facts, or the first one that could not be looked at;
    None when it is green.

    :raises AssertionError: it is green or red without a claim, which no report could show.
    """
    with collect(to_the_end=True) as claims:
        try:
            check(**facts)
        except Exception:
            if not any(c.broken for c in claims):
                raise
    broken = [c for c in claims if c.broken]
    if broken:
        return broken[0]
    assert claims, f"{check.__name__} is green without a claim"
    return next((c for c in claims if c.unseen is not None), None)


def _loaded(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"suites_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise GoliveError(f"{path}: is no module of Python")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
