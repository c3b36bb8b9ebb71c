"""What a session says on the terminal: who and what, each verdict, and what is next."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from golive import ledger, procedure
from golive.answer import SUSPECTED, shortened
from golive.masking import clean
from golive.session.setup import Setup
from golive.session.signer import Signer
from golive.verdicts import Verdict

_CATEGORY = {
    Verdict.PASS: ("passed", ".", "PASS"),
    Verdict.FAIL: ("failed", "F", "FAIL"),
    Verdict.UNKNOWN: ("unknown", "?", "UNKNOWN"),
    Verdict.PENDING: ("pending", "p", "PENDING"),
    Verdict.NOT_DUE: ("not due", "-", "NOT DUE"),
}
_COLOUR: dict[Verdict, dict[str, bool]] = {
    Verdict.PASS: {"green": True},
    Verdict.FAIL: {"red": True, "bold": True},
    Verdict.UNKNOWN: {"purple": True},
    Verdict.PENDING: {"yellow": True},
}
_IDS_SHOWN = 8
_UNSTATED = "not stated yet by "


@dataclass(slots=True)
class Results:
    """What came of a run."""

    verdicts: dict[str, ledger.ItemVerdict] = field(default_factory=dict)
    missing: int = 0
    """How many items of the procedure nobody has written yet."""
    report: str = ""
    """Where it is, or why there is none."""


def status_of(report: Any) -> tuple[str, str, str] | None:
    """How pytest counts a report; the line for it is written when the item has ended."""
    running = getattr(report, "golive", None)
    if running is None:
        return None
    if report.when == "call" or report.outcome != "passed":
        return _CATEGORY[running.verdict][0], "", ""
    return "", "", ""


class Terminal:
    """The terminal of one session."""

    def __init__(self, setup: Setup, signer: Signer) -> None:
        self._setup = setup
        self._signer = signer
        self._warned: list[str] = []

    @property
    def _reporter(self) -> Any:
        return self._setup.config.pluginmanager.getplugin("terminalreporter")

    def header(self) -> list[str]:
        """Lines at the top."""
        reported, today = self._setup.launch, self._setup.today
        days = (reported.date - today).days
        when = f"{days} days to launch" if days >= 0 else f"{-days} days after launch"
        self._warned = self._warnings()
        return [
            f"golive: {self._setup.env_file.stem}, candidate {reported.candidate},"
            f" launch {reported.date:%Y-%m-%d} ({when})"
            + (", everything due" if self._setup.all_due else f", as on {today:%Y-%m-%d}"),
            *self.signs(),
            *self._warned,
        ]

    def signs(self) -> list[str]:
        """Who signs, or why nobody does."""
        signer = self._signer
        if signer.unsigned:
            return [
                f"golive: nobody signs this run: {signer.unsigned}; nothing green of it will count"
            ]
        return [f"golive: signed by {signer.words}"] if signer.words else []

    def new_warnings(self) -> list[str]:
        """What keeps this run from counting by now, if that is not what the header said."""
        now = self._warnings()
        return now if now != self._warned else []

    def _warnings(self) -> list[str]:
        strange = self._setup.strange()
        if not strange:
            return []
        source = self._setup.launch.source.relative_to(self._setup.root)
        reported = (
            "golive: nothing green of this run will count: it is made with"
            f" {', '.join(strange)}, which golive did not bring; leave it away, or name it in"
            f" launch.plugins of {source}"
        )
        return [reported]

    def begin(self) -> None:
        """One line an item says more than a file and its dots."""
        terminal = self._reporter
        if terminal is None:
            return
        terminal.showfspath = False
        if self._setup.config.option.tbstyle == "no":
            terminal.reportchars = ""

    def write(self, text: str, **markup: bool) -> None:
        """A line between those of items."""
        terminal = self._reporter
        if terminal is not None and terminal.verbosity >= 0:
            terminal.ensure_newline()
            terminal.write_line(self._shown(text), **markup)

    def tell(self, line: procedure.Item, verdict: ledger.ItemVerdict) -> None:
        """An item has its verdict."""
        terminal = self._reporter
        if terminal is None:
            return
        colour = _COLOUR.get(verdict.verdict, {})
        if terminal.verbosity < 0:
            terminal.write(_CATEGORY[verdict.verdict][1], **colour)
            return
        terminal.ensure_newline()
        terminal.write(f"{verdict.verdict.value:8}", **colour)
        text = f" {line.id:13} {line.title}"
        if verdict.verdict is Verdict.FAIL:
            text += f": {verdict.message}"
        if verdict.duration_s >= 0.1:
            text += f"  ({verdict.duration_s:.1f} s)"
        terminal.write_line(self._shown(text))

    def mask_warnings(self) -> None:
        """Those that pytest has kept to show in the end."""
        terminal = self._reporter
        for warning in terminal.stats.get("warnings", []) if terminal is not None else []:
            warning.message = self._cleaned(warning.message)

    def summarise(self, terminal: Any, results: Results) -> None:
        """What stands in the way and whose it is; counts; where the report is; what is next."""
        self._red(terminal, results, "FAIL", Verdict.FAIL)
        where = f"UNKNOWN: could not be looked at where {self._setup.env_file} says it is"
        self._red(terminal, results, where, Verdict.UNKNOWN)
        self._pending(terminal, results)
        counts = Counter(v.verdict for v in results.verdicts.values())
        parts = [f"{v.value} {counts[v]}" for v in Verdict if counts[v]]
        terminal.section("golive", sep="=")
        terminal.write_line(
            f"verdicts: {', '.join(parts) or 'none'}"
            f" (of {len(self._setup.procedure.items)} items; {results.missing} not written yet,"
            " which counts against GO)"
        )
        if results.report:
            terminal.write_line(f"report:   {clean(results.report)}")
        self._uncounted(terminal)
        terminal.write_line(f"next:     {_next(counts)}")

    def _red(self, terminal: Any, results: Results, label: str, wanted: Verdict) -> None:
        by_message: dict[tuple[str, str], list[str]] = defaultdict(list)
        for ident, v in results.verdicts.items():
            if v.verdict is wanted:
                by_message[v.message, v.remedy if wanted is Verdict.FAIL else ""].append(ident)
        if not by_message:
            return
        terminal.section(label, sep="-")
        for (message, remedy), ids in by_message.items():
            count = f"{len(ids)} items, " if len(ids) > 1 else ""
            terminal.write_line(
                f"{', '.join(ids)}  ({count}{', '.join(self._owners(ids))})", bold=True
            )
            if len(ids) == 1:
                terminal.write_line(f"  {self._setup.procedure.items[ids[0]].title}")
            terminal.write_line(f"  {clean(message)}")
            if remedy:
                terminal.write_line(f"  next: {clean(remedy)}")

    def _pending(self, terminal: Any, results: Results) -> None:
        pending: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for ident, v in results.verdicts.items():
            if v.verdict is Verdict.PENDING:
                pending[self._owners([ident])[0]][v.message].append(ident)
        if not pending:
            return
        terminal.section("PENDING: a statement or evidence is still to come", sep="-")
        for owner, causes in pending.items():
            every = [ident for ids in causes.values() for ident in ids]
            terminal.write_line(f"  {owner}: {_few(every)}")
            for cause, ids in _together(causes).items():
                terminal.write_line(f"    {_few(ids)}: {shortened(clean(cause))}")

    def _owners(self, ids: Iterable[str]) -> list[str]:
        return sorted({self._setup.procedure.items[i].owner or "no owner" for i in ids})

    def _uncounted(self, terminal: Any) -> None:
        if strange := self._setup.strange():
            terminal.write_line(
                f"unusable: {clean(', '.join(strange))}; nothing green of this run counts. Leave"
                " it away, or name it in launch.plugins, and run again"
            )
        if self._signer.unsigned:
            terminal.write_line(
                f"unsigned: {clean(self._signer.unsigned)}; nothing green of this run counts. Name"
                " your key with --key (in CI: GOLIVE_AS and GOLIVE_KEY), and run again"
            )

    def _shown(self, text: str) -> str:
        return self._setup.mask(clean(text))

    def _cleaned(self, text: str) -> str:
        return clean(self._setup.mask(text))


def _few(ids: list[str]) -> str:
    more = f" and {len(ids) - _IDS_SHOWN} more" if len(ids) > _IDS_SHOWN else ""
    return f"{', '.join(ids[:_IDS_SHOWN])}{more}"


def _together(causes: dict[str, list[str]]) -> dict[str, list[str]]:
    """Items by their cause: what nobody has stated yet in one, whatever each of it asks."""
    kinds: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for cause, ids in causes.items():
        is_plain = cause.startswith(_UNSTATED) and SUSPECTED not in cause
        kinds[cause.partition(": ")[0] if is_plain else cause][cause] = ids
    return {
        kind if len(of) > 1 else next(iter(of)): [ident for ids in of.values() for ident in ids]
        for kind, of in kinds.items()
    }


def _next(counts: Counter[Verdict]) -> str:
    if counts[Verdict.FAIL]:
        return "open the report, fix what is red, run again"
    if counts[Verdict.UNKNOWN]:
        return "make what could not be looked at reachable, run again"
    if counts[Verdict.PENDING]:
        return "open the report; people state what is pending"
    return "open the report and sign its sheet"
