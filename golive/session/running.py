"""A session from the command line to the report: what the plugin's hooks call."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from golive import environments, ledger, streams
from golive.claims import Claim
from golive.context import Context
from golive.items import described
from golive.probes.declared import register
from golive.probing import REGISTRY, Facts, FactStore, closure
from golive.session.asking import People
from golive.session.collecting import Collection, card_on, fixtures_of
from golive.session.judging import Running
from golive.session.opening import head_of, start_environment
from golive.session.setup import Setup
from golive.session.signer import Signer
from golive.session.terminal import Results, Terminal
from golive.verdicts import GoliveError, NotDue, NotPermitted, Pending, ProbeError, Unseen

if TYPE_CHECKING:
    from golive.people.statements import Vouched
    from golive.store import Kept


@dataclass(frozen=True, slots=True)
class _Run:
    """A run that has begun."""

    env: environments.Environment
    book: ledger.Ledger
    plugins: Sequence[ledger.Plugin]
    """What was loaded when it began."""
    store: FactStore
    people: People


class Session:
    """Everything a run needs, from the command line to the report.

    :raises GoliveError: the suites or the command line are wrong.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.setup = Setup.of(config)
        self.collection = Collection(self.setup)
        self._signer = Signer(self.setup)
        self.terminal = Terminal(self.setup, self._signer)
        self._run: _Run | None = None
        self._running: Running | None = None
        self._results = Results()
        self._fixtures_asked: dict[str, dict[str, float]] = {}
        """Thresholds that fixtures have asked for, by the fixture's name."""

    # -- before the first item ----------------------------------------------------------------

    def start(self) -> None:
        """Before anything is collected: who signs the run, and that checks are as they are written.

        :raises GoliveError: a key that was named cannot sign it.
        """
        setup = self.setup
        if setup.is_rehearsal or setup.config.option.collectonly:
            return
        setup.sources.forget_compiled()
        product = setup.suites / "product.toml"
        try:
            people = environments.outline(setup.env_file, product, setup.root)
        except GoliveError:
            return  # loading it whole says so, with every cause there is
        self._signer.find(Context(setup.root, setup.reports, people, setup.launch, setup.procedure))

    def open(self, nodes: list[pytest.Item]) -> None:
        """Load the environment (starting it where it can be), begin the run, begin to look.

        :raises GoliveError: the environment is wrong, or the reports' folder not writable.
        """
        setup = self.setup
        if setup.config.option.tbstyle == "auto":  # causes are reported once, in the summary
            setup.config.option.tbstyle = "no"
        if not setup.is_rehearsal:
            setup.sources.unchanged()
            self._write(self.terminal.new_warnings())
        start_environment(setup)
        env = environments.load(
            setup.env_file, setup.suites / "product.toml", setup.root, setup.mask
        )
        streams.mask_all(setup.config, setup.mask)
        context = self._context(env)
        if not self._signer.is_settled:  # the environment had to be started
            self._signer.find(context)
            self._write(self.terminal.signs())
        selected = [setup.procedure.items[card_on(n).id] for n in nodes]
        head = head_of(setup, env, context, selected, self.collection.size)
        book = ledger.Ledger(setup.reports, head, setup.mask)
        self._results.missing = len(setup.procedure.items) - len(context.cards)
        context = replace(context, current_run=head.id)
        self.terminal.begin()
        store = FactStore(env, self._gathered)
        people = People(setup, env, context, store)
        self._run = _Run(env, book, head.plugins, store, people)
        self._look(self._run, zip(nodes, selected, strict=True))

    def _context(self, env: environments.Environment) -> Context:
        setup = self.setup
        people = environments.Outline(
            name=env.name,
            kind=env.kind,
            title=env.title,
            people=env.people,
            fingerprint=env.fingerprint,
        )
        context = Context(
            setup.root, setup.reports, people, setup.launch, setup.procedure, setup.today
        )
        # Read once, so that all of this run is judged by the same.
        return replace(context, known_origin=context.origin)

    def _look(self, run: _Run, items: Any) -> None:
        names: set[str] = set()
        for node, line in items:
            if self.setup.not_due(line) is None and line.effect in run.env.permits:
                names.update(fixtures_of(node))
        concurrent, drills = run.store.start(sorted(names & set(REGISTRY)))
        if concurrent:
            self.terminal.write(f"looking side by side: {', '.join(concurrent)}")
        if drills:
            self.terminal.write(f"drilling meanwhile, on copies: {', '.join(drills)}")

    def _write(self, lines: list[str]) -> None:
        for line in lines:
            self.terminal.write(line)

    # -- what items ask for -------------------------------------------------------------------

    @property
    def env(self) -> environments.Environment | None:
        """The environment under test, once it is loaded."""
        return self._run.env if self._run else None

    @property
    def people(self) -> People:
        """People's part of the run."""
        return self._opened.people

    def facts_of(self, probe: str) -> Any:
        """What a probe has found; unseen where it could not look.

        :raises NotPermitted: the environment does not permit it to look.
        """
        register([probe])  # an item may ask for it by name while it runs
        try:
            return self._opened.store.get(probe)
        except NotPermitted:
            raise
        except ProbeError as e:
            return Unseen(e)

    def kept(self, page: Path) -> Kept:
        """As :meth:`People.kept`, on record for the item that runs now."""
        return self.people.kept(page, self._running.facts if self._running else [])

    def ask(self, name: str, look: Callable[[environments.Environment], Any]) -> Any:
        """As :meth:`People.ask`, on record for the item that runs now; unseen where it could not
        look."""
        try:
            return self.people.ask(name, look, self._running.facts if self._running else [])
        except NotPermitted:
            raise
        except ProbeError as e:
            return Unseen(e)

    def vouched(self, item: str) -> Vouched:
        """As :meth:`People.vouched`."""
        return self.people.vouched(item)

    @property
    def is_red(self) -> bool:
        """Whether the item which runs now cannot be green any more, whoever stands up for it."""
        return self._running is not None and any(not c.holds for c in self._running.claims)

    def vouch(self, node: pytest.Item, failed: bool) -> None:
        """As :meth:`People.vouch`."""
        broken = self._running is not None and any(c.broken for c in self._running.claims)
        self.people.vouch(node, failed, broken)

    @property
    def _opened(self) -> _Run:
        assert self._run is not None, "nothing is asked before the run began"
        return self._run

    # -- one item -----------------------------------------------------------------------------

    def begin(self, node: pytest.Item, claims: list[Claim], asked: dict[str, float]) -> None:
        """An item starts; what it claims and asks for is noted in ``claims`` and ``asked``."""
        card = card_on(node)
        how, remedy = described(node.obj)  # type: ignore[attr-defined]
        names = fixtures_of(node)
        for name in names:  # those that were set up for an item before
            asked.update(self._fixtures_asked.get(name, {}))
        self._running = Running(
            line=self.setup.procedure.items[card.id],
            card=card,
            how=how,
            remedy=remedy,
            nodeid=node.nodeid,
            facts=list(closure(names)),
            claims=claims,
            asked=asked,
            check=self.setup.sources.check(node.path),
            started_at=datetime.now(UTC),
            started=time.perf_counter(),
        )

    def fixture_asked(self, name: str, asked: dict[str, float]) -> None:
        """A fixture was set up, which has asked for these thresholds."""
        self._fixtures_asked.setdefault(name, {}).update(asked)

    def refuse(self) -> None:
        """End an item before it touches anything, where its day or its effect forbids it.

        :raises NotDue: its day has not come.
        :raises Pending: only recorded evidence could show it in this environment.
        :raises NotPermitted: the environment does not permit its effect.
        """
        if self._running is None or self._run is None:
            return
        env, line = self._run.env, self._running.line
        not_due = self.setup.not_due(line)
        if not_due is not None:
            raise NotDue(f"due on {not_due:%Y-%m-%d}, today is {self.setup.today:%Y-%m-%d}")
        if line.effect in env.permits or self._running.card.way == "attested":
            return
        if line.way == "evidence":
            raise Pending(
                f"{env.name} does not permit the effect {line.effect!r}; evidence of a run"
                " where it is permitted cannot be brought here yet"
            )
        raise NotPermitted(
            line.title,
            f"{env.name} does not permit the effect {line.effect!r}",
            f"add {line.effect!r} to permits in {self.setup.env_file} once that is agreed",
        )

    def held(self, orig: str, expl: str) -> None:
        """An assertion held."""
        if self._running is not None:
            self._running.held(orig, expl, self.setup.mask)

    def judge(
        self, node: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport
    ) -> None:
        """Turn one phase of an item into its verdict, and a report into what may be shown."""
        if self._running is not None:
            self._running.judge(node, call, report, self.setup)

    def finish(self) -> None:
        """An item has ended: keep its verdict, and tell it."""
        running, self._running = self._running, None
        if running is None or self._run is None:
            return
        verdict = running.as_kept()
        self._run.book.add_verdict(verdict)
        self._results.verdicts[verdict.id] = verdict
        self.terminal.tell(running.line, verdict)

    def _gathered(self, facts: Facts) -> None:
        """A probe has looked (called from its thread)."""
        try:
            value = msgspec.to_builtins(facts.value, enc_hook=_encodable, str_keys=True)
        except (TypeError, ValueError, NotImplementedError):
            value = repr(facts.value)
        self._opened.book.add_facts(
            ledger.Gathered(
                probe=facts.probe,
                observed_at=facts.observed_at,
                duration_s=round(facts.duration_s, 4),
                value=value,
                error=str(facts.error) if facts.error else "",
            )
        )

    # -- after the last item ------------------------------------------------------------------

    def close(self, exit_status: int) -> int:
        """Seal the run and write its report; the exit status that pytest should have."""
        if self.setup.config.option.report_only and exit_status == pytest.ExitCode.TESTS_FAILED:
            exit_status = int(pytest.ExitCode.OK)
        self.terminal.mask_warnings()
        if self._run is None:
            return exit_status
        self._end_looking(self._run)
        later = [p for p in self.setup.loaded.plugins() if p not in self._run.plugins]
        _, cause = self._run.book.close(exit_status, self._signer.signing, later)
        self._signer.ended(cause)
        self._results.report = self._write_report(self._run.book.folder)
        return exit_status

    def _write_report(self, folder: Path) -> str:
        """Write the report of the run that is sealed; where it is, or why there is none."""
        from golive.reports.run_report import write_run_report

        newest = self.setup.reports / "report.html"
        try:
            write_run_report(ledger.read_run(folder), folder / "report.html", newest)
        except GoliveError as e:  # the run stands, and its report can be built from it later
            with suppress(OSError):
                newest.unlink(missing_ok=True)  # it is an earlier run's
            return (
                f"none: {e}; the run is sealed: `golive report {folder}` builds it"
                " once there is room"
            )
        return str(newest)

    def _end_looking(self, run: _Run) -> None:
        """Let what is under way clean up behind itself, and tell what had to be left."""
        if names := run.store.under_way():
            at_most = f"at most {run.env.time_limits.drill:g} s (time_limits.drill)"
            self.terminal.write(
                f"waiting until these have cleaned up, {at_most}; Ctrl-C leaves them:"
                f" {', '.join(names)}"
            )
        ended = run.store.finish()
        if ended.waited:
            self.terminal.write(
                f"these were under way and have cleaned up: {', '.join(ended.waited)}"
            )
        if ended.left:
            self.terminal.write(
                f"LEFT BEHIND, not cleaned up: {', '.join(ended.left)}; undo by hand what they"
                " have begun (open incidents, locks, failures made on purpose)",
                red=True,
            )

    def summarise(self, terminal: Any) -> None:
        """Say on the terminal what came of the run."""
        if self._run is not None:
            self.terminal.summarise(terminal, self._results)


def _encodable(value: object) -> str:
    return repr(value) if isinstance(value, Unseen) else str(value)
