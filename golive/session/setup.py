"""What a session is to look at: the command line, the suites' files, the day."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest

from golive import environments, launch, marks, procedure
from golive.launch import Launch
from golive.loading import Loaded, Sources
from golive.masking import Mask
from golive.procedure import Item, Procedure
from golive.toml import read_toml
from golive.verdicts import GoliveError


@dataclass(frozen=True)
class Setup:
    """All that is known before anything is collected."""

    config: pytest.Config
    root: Path
    suites: Path
    reports: Path
    env_file: Path
    is_rehearsal: bool
    today: date
    all_due: bool
    sources: Sources
    """The suites as they were before any of them was imported."""
    loaded: Loaded
    procedure: Procedure
    launch: Launch
    marks: dict[str, str]
    wanted: frozenset[str]
    """Ids that ``--item`` names; empty: all."""
    mask: Mask = field(default_factory=Mask)

    @classmethod
    def of(cls, config: pytest.Config) -> Setup:
        """What this command line, in this folder, asks for.

        :raises GoliveError: the suites or the command line are wrong.
        """
        _refuse_blind(config)
        option, root = config.option, Path(config.rootpath)
        suites = root / "suites"
        sources = Sources(root, suites)  # before anything of them is read
        lines = procedure.load(suites / "procedure.toml")
        reported = launch.load(suites / "launch.toml")
        env_file = environments.find(option.env, suites)
        is_rehearsal = read_toml(env_file).get("kind") == "rehearsal"
        _refuse_workers(config)
        return cls(
            config=config,
            root=root,
            suites=suites,
            reports=root / "reports" if option.reports is None else Path(option.reports),
            env_file=env_file,
            is_rehearsal=is_rehearsal,
            today=_today(option.today),
            # In a rehearsal everything is due, unless a day was asked for.
            all_due=is_rehearsal and option.today is None,
            sources=sources,
            loaded=Loaded(config, reported.plugins),
            procedure=lines,
            launch=reported,
            marks=_known_marks(config, root / "markers.ini"),
            wanted=_wanted(option.item, lines),
        )

    def not_due(self, line: Item) -> date | None:
        """The day on which an item is due, if that has not come."""
        due = self.launch.due(line.due_day)
        return None if self.all_due or due <= self.today else due

    def plain(self, text: object) -> str:
        """Text without where the project lies: others read it where that is another folder."""
        return str(text).replace(f"{self.root}/", "")

    def strange(self) -> list[str]:
        """What was loaded that keeps this run from counting, in words."""
        return [] if self.is_rehearsal else self.loaded.strange()


def _today(text: str | None) -> date:
    if text is not None:
        return launch.parse_date(text, "--today")
    return date.today()  # noqa: DTZ011 - the owner's own calendar


def _known_marks(config: pytest.Config, file: Path) -> dict[str, str]:
    """The marks of items, which pytest knows from now on."""
    known = marks.load(file)
    for name, text in known.items():
        config.addinivalue_line("markers", f"{name}: {text}")
    if config.option.markexpr:
        others = {line.partition(":")[0].partition("(")[0] for line in config.getini("markers")}
        marks.check_expression(config.option.markexpr, {*known, *others}, file)
    return known


def _wanted(given: list[str], lines: Procedure) -> frozenset[str]:
    parts = (part.strip() for text in given for part in text.split(","))
    return frozenset(line.id for part in parts if part for line in lines.under(part))


def _refuse_workers(config: pytest.Config) -> None:
    if getattr(config.option, "numprocesses", None):
        raise GoliveError(
            "-n: golive runs its items in one process, since facts are gathered once and"
            " side by side already; leave -n away"
        )


def _refuse_blind(config: pytest.Config) -> None:
    """That assertions are looked at, and kept as evidence.

    :raises GoliveError: something switches them off; names it.
    """
    if sys.flags.optimize:
        raise GoliveError(
            "python -O, or PYTHONOPTIMIZE: takes assertions away; expected neither, since they are"
            " the checks"
        )
    if config.option.assertmode != "rewrite":
        raise GoliveError(
            f"--assert: found {config.option.assertmode!r}; expected 'rewrite', which keeps what"
            " held as evidence: leave it away"
        )
    if not config.getini("enable_assertion_pass_hook"):
        raise GoliveError(
            f"{config.inipath or 'the settings of pytest'}: enable_assertion_pass_hook: is off;"
            " expected true, since what held is the evidence"
        )
