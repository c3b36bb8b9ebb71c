"""One pytest session as a run: what is collected, permitted, judged, kept and told."""

from __future__ import annotations

import dataclasses
import getpass
import importlib.metadata
import os
import platform
import secrets
import subprocess
import sys
import time
import types
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from golive import (
    environments,
    launch,
    ledger,
    marks,
    procedure,
    rehearsing,
    streams,
    verdicts,
)
from golive.claims import Claim, holds
from golive.context import Context
from golive.deliverables import Deliverables
from golive.items import Card, card_of, described
from golive.loading import Loaded, Sources
from golive.masking import Mask, clean
from golive.people.statements import Vouched
from golive.probes import register_all
from golive.probing import (
    EFFECTS,
    REGISTRY,
    Facts,
    FactStore,
    Probe,
    closure,
    disturbing,
    exclusive,
)
from golive.readiness import as_line
from golive.signing import signers
from golive.store import Kept, kept_document
from golive.toml import read_toml
from golive.verdicts import GoliveError, NotDue, NotPermitted, Pending, Verdict

_PACKAGES = ("golive", "pytest", "pytest-html", "psycopg", "redis", "requests", "boto3", "sslyze")
_DETAIL_CHARACTERS = 20_000
_TEXT_CHARACTERS = 4_000
"""Of one message or assertion. Nothing is cut before it was masked: half a secret is one too."""
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


@dataclass(slots=True)
class _Running:
    """What is known so far of the item that runs now."""

    line: procedure.Item
    card: Card
    how: str
    remedy: str
    nodeid: str
    facts: list[str]
    claims: list[Claim]
    asked: dict[str, float]
    """Thresholds that it, or a fixture of it, has asked for."""
    check: str
    started_at: datetime
    started: float
    verdict: Verdict = Verdict.UNKNOWN
    message: str = "it did not run"
    detail: str = ""
    asserted: list[str] = field(default_factory=list)
    seen_claims: int = 0

    def as_kept(self) -> ledger.ItemVerdict:
        """What a run keeps of it."""
        return ledger.ItemVerdict(
            id=self.line.id,
            verdict=self.verdict,
            started_at=self.started_at,
            duration_s=round(time.perf_counter() - self.started, 4),
            how=self.how,
            message=self.message,
            remedy=self.remedy,
            claims=[
                ledger.Claim(c.subject, c.observed, c.required, c.holds, c.see, list(c.ids))
                for c in self.claims
            ],
            asserted=self.asserted,
            facts=self.facts,
            detail=self.detail,
            nodeid=self.nodeid,
            check=self.check,
            limits=dict(sorted(self.asked.items())),
        )


class Session:
    """Everything a run needs, from the command line to the report.

    :raises GoliveError: the suites or the command line are wrong.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.root = Path(config.rootpath)
        suites = self.root / "suites"
        self.suites = suites
        self.mask = Mask()
        _refuse_blind(config)
        self._sources = Sources(self.root, suites)  # before anything of them is read
        self.procedure = procedure.load(suites / "procedure.toml")
        self.launch = launch.load(suites / "launch.toml")
        option = config.option
        self.reports = self.root / "reports" if option.reports is None else Path(option.reports)
        self.env_file = environments.find(option.env, suites)
        raw = read_toml(self.env_file)
        self.is_rehearsal = raw.get("kind") == "rehearsal"
        self.today = (
            date.today()  # noqa: DTZ011 - the owner's own calendar
            if option.today is None
            else launch.parse_date(option.today, "--today")
        )
        # In a rehearsal everything is due, unless a day was asked for.
        self.all_due = self.is_rehearsal and option.today is None
        self._marks = marks.load(self.root / "markers.ini")
        for name, text in self._marks.items():
            config.addinivalue_line("markers", f"{name}: {text}")
        if option.markexpr:
            known = set(self._marks) | {
                line.partition(":")[0].partition("(")[0] for line in config.getini("markers")
            }
            marks.check_expression(option.markexpr, known, self.root / "markers.ini")
        if getattr(option, "numprocesses", None):
            raise GoliveError(
                "-n: golive runs its items in one process, since facts are gathered once and"
                " side by side already; leave -n away"
            )
        self._wanted = {
            i.id
            for text in option.item
            for part in text.split(",")
            if part.strip()
            for i in self.procedure.under(part.strip())
        }
        register_all()
        self.env: environments.Environment | None = None
        self.context: Context | None = None
        self.store: FactStore | None = None
        self.collected = False
        self._ledger: ledger.Ledger | None = None
        self._running: _Running | None = None
        self._verdicts: dict[str, ledger.ItemVerdict] = {}
        self._deselected = 0
        self._collected = 0
        self._report = ""
        """Where it is, or why there is none."""
        self._told_errors: set[str] = set()
        self._vouched: dict[str, Vouched] = {}
        self._signing: ledger.Signing | None = None
        self._hold = ExitStack()
        """What the signer's key needs until the end."""
        self._signer = ""
        """The signer in words."""
        self._head_plugins: list[ledger.Plugin] = []
        self._told_strange: list[str] = []
        self._unsigned = ""
        """Why nobody signs, or has signed, this run."""
        self._loaded = Loaded(config, self.launch.plugins)
        self.registered: list[tuple[str, object]] = []
        """Plugins as pytest registers them."""
        self._fixtures_asked: dict[str, dict[str, float]] = {}
        """Thresholds that fixtures have asked for, by the fixture's name."""

    # -- who signs, and what is loaded --------------------------------------------------------

    def start(self) -> None:
        """Before anything is collected: who signs the run, and that checks are as they are written.

        :raises GoliveError: a key that was named cannot sign it.
        """
        if self.is_rehearsal or self.config.option.collectonly:
            return
        self._sources.forget_compiled()
        try:
            people = environments.outline(self.env_file, self.suites / "product.toml", self.root)
        except GoliveError:
            return  # loading it whole says so, with every cause there is
        self._find_signer(Context(self.root, self.reports, people, self.launch, self.procedure))

    def _find_signer(self, context: Context) -> None:
        option = self.config.option
        words, named, key = ("--as", "--key"), option.person, option.key
        if not (named or key):
            words = ("GOLIVE_AS", "GOLIVE_KEY")
            named, key = (os.environ.get(w, "") for w in words)
        try:
            roster = context.roster
            found = signers.at_hand(
                context, roster.everybody, named, Path(key) if key else None, words
            )
            signer = self._hold.enter_context(found)
            signers.try_out(signer)
        except GoliveError as e:
            if named or key:
                raise
            none = isinstance(e, signers.NoKey)
            self._unsigned = "no key of the roster is at hand" if none else self._plain(e)
            return
        self._signing = ledger.Signing(signer.person.id, signer.key, roster)
        self._signer = f"{signer.person.id} with {signer.told}"

    def _strange(self) -> list[str]:
        """What was loaded that keeps this run from counting, as it is told."""
        if self.is_rehearsal:
            return []
        return [
            p.name if p.source.endswith(p.name) else f"{p.name} ({p.source})"
            for p in self._loaded.plugins(self.registered)
            if not p.known
        ]

    def _plain(self, text: object) -> str:
        """Text without where the project lies."""
        return str(text).replace(f"{self.root}/", "")

    def _tell_strange(self) -> list[str]:
        strange = self._strange()
        if not strange:
            return []
        told = (
            "golive: nothing green of this run will count: it is made with"
            f" {', '.join(strange)}, which golive did not bring; leave it away, or name it in"
            f" launch.plugins of {self.launch.source.relative_to(self.root)}"
        )
        return [told]

    # -- collection ---------------------------------------------------------------------------

    def probe_fixtures(self) -> types.ModuleType:
        """Every registered probe as a session fixture of the same name."""
        module = types.ModuleType("golive_probe_fixtures")
        for name in REGISTRY:
            setattr(module, name, pytest.fixture(scope="session", name=name)(self._reader(name)))
        self._loaded.is_own(module)
        return module

    def _reader(self, name: str) -> Callable[[], Any]:
        def read() -> Any:
            assert self.store is not None
            return self.store.get(name)

        read.__doc__ = REGISTRY[name].summary
        return read

    def arrange(self, items: list[pytest.Item]) -> None:
        """Check every item's id, stamp its marks, keep the wanted ones, and put what disturbs
        others, and what follows from others, last.

        :raises GoliveError: an item without an id, with an unknown one, or with another's.
        """
        nodes: dict[str, pytest.Item] = {}
        for node in items:
            card = _card(node)
            line = self._line(node, card)
            if line.id in nodes:
                raise GoliveError(
                    f"{node.nodeid}: found the id {line.id!r}, which {nodes[line.id].nodeid}"
                    " has already; expected each id once"
                )
            nodes[line.id] = node
            for mark in (line.block, line.phase, line.owner_mark, line.area, line.way, line.effect):
                if mark:
                    if mark not in self._marks:
                        raise GoliveError(
                            f"{self.root / 'markers.ini'}: {mark}: the mark is missing;"
                            f" {line.id} needs it"
                        )
                    node.add_marker(mark)
        self._collected = len(nodes)
        if self._wanted:
            unwritten = self._wanted - set(nodes)
            # A run that names files collects only those; only a whole collection can tell.
            if unwritten == self._wanted:
                raise GoliveError(
                    f"--item {', '.join(self.config.option.item)}: nobody has written"
                    f" {', '.join(sorted(unwritten)[:6])} yet among what was collected"
                )
            out = [n for n in items if _card(n).id not in self._wanted]
            items[:] = [n for n in items if _card(n).id in self._wanted]
            if out:
                self.config.hook.pytest_deselected(items=out)
        items.sort(key=self._order)

    def _line(self, node: pytest.Item, card: Card) -> procedure.Item:
        line = self.procedure.items.get(card.id)
        if line is None:
            raise GoliveError(
                f"{node.nodeid}: found the id {card.id!r}; expected one of the"
                f" {len(self.procedure.items)} in {self.procedure.source}"
            )
        if card.way and card.way != line.way:
            raise GoliveError(
                f"{node.nodeid}: {card.id} is written as {card.way};"
                f" {self.procedure.source} says {line.way}"
            )
        allowed = EFFECTS.index(line.effect)
        for p in closure(node.fixturenames if isinstance(node, pytest.Function) else ()).values():
            if EFFECTS.index(p.effect) > allowed:
                raise GoliveError(
                    f"{node.nodeid}: uses the probe {p.name}, whose effect is {p.effect!r};"
                    f" {self.procedure.source} allows {card.id} only {line.effect!r}"
                )
        return line

    def _order(self, node: pytest.Item) -> tuple[int, int]:
        line = self.procedure.items[_card(node).id]
        names = node.fixturenames if isinstance(node, pytest.Function) else ()
        if line.way == "derived" or "deliverables" in names:
            # They look at the verdicts of others, drills included, and at each other's papers.
            return (3 + _card(node).last, line.order)
        probes = closure(names)
        return (bool(disturbing(probes)) + bool(exclusive(probes)), line.order)

    # -- start and end ------------------------------------------------------------------------

    def open(self, nodes: list[pytest.Item]) -> None:
        """Load the environment (starting it where it can be), begin the run, begin to look.

        :raises GoliveError: the environment is wrong, or the reports' folder not writable.
        """
        option = self.config.option
        if option.tbstyle == "auto":  # causes are told once, in the summary
            option.tbstyle = "no"
        if not self.is_rehearsal:
            self._sources.unchanged()
            if self._tell_strange() != self._told_strange:
                for told in self._tell_strange():
                    self._write(told)
        self._start_environment()
        self.env = environments.load(
            self.env_file, self.suites / "product.toml", self.root, self.mask
        )
        streams.mask_all(self.config, self.mask)
        people = environments.Outline(
            name=self.env.name,
            kind=self.env.kind,
            title=self.env.title,
            people=self.env.people,
            fingerprint=self.env.fingerprint,
        )
        self.context = Context(
            self.root, self.reports, people, self.launch, self.procedure, self.today
        )
        # Read once, so that all of this run is judged by the same.
        self.context = dataclasses.replace(self.context, known_origin=self.context.origin)
        if not (self.is_rehearsal or self._signing or self._unsigned):  # it had to be started
            self._find_signer(self.context)
            for told in self._signs():
                self._write(told)
        selected = [self.procedure.items[_card(n).id] for n in nodes]
        now = datetime.now(UTC)
        head = ledger.Head(
            id=f"{now:%Y%m%dT%H%M%S.%f}Z-{self.env.name}-{secrets.token_hex(2)}",
            environment=ledger.EnvironmentRef(
                self.env.name, self.env.kind, self.env.title, self.env.fingerprint
            ),
            candidate=self.launch.candidate,
            launch_date=self.launch.date,
            today=self.today,
            who=_who(),
            host=platform.node(),
            started_at=now,
            suite=self.context.origin.suite,
            engine=self.context.origin.engine,
            plugins=self._loaded.plugins(self.registered),
            rules=self._rules(),
            before=self.context.tips(),
            packages=_packages(),
            windows={k: float(v) for k, v in msgspec.structs.asdict(self.env.windows).items()},
            selected=[as_line(i) for i in sorted(selected, key=lambda i: i.order)],
            unwritten=[as_line(i) for i in self.procedure if i.id not in self.context.cards],
            blocks=dict(Counter(i.block for i in self.procedure)),
            deselected=self._collected - len(selected),
            report_only=option.report_only,
        )
        self._head_plugins = head.plugins
        self._ledger = ledger.Ledger(self.reports, head, self.mask)
        self.context = dataclasses.replace(self.context, current_run=head.id)
        terminal = self._terminal()
        if terminal is not None:
            terminal.showfspath = False  # one line an item says more than a file and its dots
            if option.tbstyle == "no":
                terminal.reportchars = ""
        self.store = FactStore(self.env, self._gathered)
        names: set[str] = set()
        for node, line in zip(nodes, selected, strict=True):
            is_due = self._not_due(line) is None and line.effect in self.env.permits
            if is_due and isinstance(node, pytest.Function):
                names.update(node.fixturenames)
        concurrent, drills = self.store.start(sorted(names & set(REGISTRY)))
        if concurrent:
            self._write(f"looking side by side: {', '.join(concurrent)}")
        if drills:
            self._write(f"drilling meanwhile, on copies: {', '.join(drills)}")

    def _start_environment(self) -> None:
        started = read_toml(self.env_file).get("started")
        if not isinstance(started, dict) or not isinstance(started.get("command"), list):
            return
        command = [str(a).format(python=sys.executable) for a in started["command"]]
        try:
            done = subprocess.run(command, cwd=self.root, stdout=2, check=False)
        except OSError as e:
            raise GoliveError(
                f"{self.env_file}: started.command: {command[0]} cannot be run: {e.strerror}"
            ) from None
        if done.returncode:
            raise GoliveError(
                f"{self.env_file}: started.command: {' '.join(command[1:])} ended with status"
                f" {done.returncode}; what it said stands above"
            )

    def close(self, exit_status: int) -> int:
        """Seal the run and write its report; the exit status that pytest should have."""
        if self.config.option.report_only and exit_status == pytest.ExitCode.TESTS_FAILED:
            exit_status = int(pytest.ExitCode.OK)
        terminal = self._terminal()
        for warning in terminal.stats.get("warnings", []) if terminal is not None else []:
            warning.message = clean(self.mask(warning.message))
        if self._ledger is None:
            return exit_status
        if self.store is not None:
            self._end_looking(self.store)
        before = self._head_plugins
        later = [p for p in self._loaded.plugins(self.registered) if p not in before]
        _, cause = self._ledger.close(exit_status, self._signing, later)
        self._hold.close()
        self._unsigned = cause or self._unsigned
        from golive.reports.run_report import write_run_report

        newest = self.reports / "report.html"
        try:
            run = ledger.read_run(self._ledger.folder)
            write_run_report(run, self._ledger.folder / "report.html")
            self._report = str(write_run_report(run, newest))
        except GoliveError as e:  # the run stands, and its report can be built from it later
            with suppress(OSError):
                newest.unlink(missing_ok=True)  # it is an earlier run's
            self._report = (
                f"none: {e}; the run is sealed: `golive report {self._ledger.folder}` builds it"
                " once there is room"
            )
        return exit_status

    def _rules(self) -> ledger.Rules:
        assert self.context is not None
        try:
            return self.context.rules
        except GoliveError:
            return ledger.Rules()  # without a roster nobody decides; items that need it say so

    def _end_looking(self, store: FactStore) -> None:
        """Let what is under way clean up behind itself, and tell what had to be left."""
        assert self.env is not None
        if names := store.under_way():
            at_most = f"at most {self.env.time_limits.drill:g} s (time_limits.drill)"
            self._write(
                f"waiting until these have cleaned up, {at_most}; Ctrl-C leaves them:"
                f" {', '.join(names)}"
            )
        ended = store.finish()
        if ended.waited:
            self._write(f"these were under way and have cleaned up: {', '.join(ended.waited)}")
        if ended.left:
            self._write(
                f"LEFT BEHIND, not cleaned up: {', '.join(ended.left)}; undo by hand what they"
                " have begun (open incidents, locks, failures made on purpose)",
                red=True,
            )

    def deliverables(self) -> Deliverables:
        """The documents of this session's environment.

        :raises ProbeError: there is no roster that could say who signs them.
        """
        context = self.people()
        assert self.env is not None
        return Deliverables(
            context.anew(), self.env.fingerprint, self.mask
        )  # with what is signed by now

    def kept(self, page: Path) -> Kept:
        """How the store of launch.toml keeps a document, asked within a time limit and on record.

        :raises Pending: no store is named, or the document is not in it.
        :raises ProbeError: the store cannot be asked, or has something else.
        """
        assert self.store is not None
        context, name = self.people(), f"stored copy of {page.name}"

        def look(_: environments.Environment) -> Kept | Pending:
            try:
                return kept_document(context, page)
            except Pending as e:  # that it is not there yet is an answer, too
                return e

        found = self.store.ask(Probe(name, look, (), "read", "probe", name))
        if self._running is not None and name not in self._running.facts:
            self._running.facts.append(name)
        if isinstance(found, Pending):
            raise found
        assert isinstance(found, Kept)
        return found

    def people(self) -> Context:
        """Where what people write and sign lies.

        :raises ProbeError: there is no roster.
        """
        assert self.context is not None
        try:
            self.context.roster  # noqa: B018 - read here, so that it is told once and by name
        except GoliveError as e:
            step = "name it in people.roster of the environment (`golive init` writes one)"
            raise verdicts.ProbeError("the roster", e, step) from None
        return self.context

    def vouched(self, item: str) -> Vouched:
        """What people have stated of an item, once for each item and session.

        :raises ProbeError: there is no roster.
        :raises Pending: a paper that the item needs is not there.
        """
        if item not in self._vouched:
            context = self.people()
            rehearsing.rehearse(context, item)
            card = context.cards[item][0]
            papers = context.digests(card.papers)
            self._vouched[item] = context.anew().statements.vouched(item, papers)
        return self._vouched[item]

    def vouch(self, node: pytest.Item, failed: bool) -> None:
        """After the check of an attested item: that people have stated it.

        :param failed: the check is red, so that the statements are only noted beside it.
        :raises Pending: a statement is missing or does not hold.
        :raises ProbeError: there is no roster.
        """
        if _card(node).way != "attested":
            return
        vouched = self.vouched(_card(node).id)
        if failed:
            for signed in vouched.valid:
                s = signed.statement
                said = f"{s.by} stated it on {s.made_at:%Y-%m-%d}"
                note = holds("a statement that the check contradicts", True, said, "none")
                bool(note)
            return
        for claim in vouched.claims():
            assert claim
        if vouched.card.each and not vouched.asked_everyone:
            raise GoliveError(
                f"{node.nodeid}: is attested by each of a set, but asks for nobody;"
                " expected vouched.by_everyone(...) in it"
            )

    # -- one item -----------------------------------------------------------------------------

    def begin(self, node: pytest.Item, claims: list[Claim], asked: dict[str, float]) -> None:
        """An item starts; what it claims and asks for is noted in ``claims`` and ``asked``."""
        card = _card(node)
        how, remedy = described(node.obj)  # type: ignore[attr-defined]
        names = node.fixturenames if isinstance(node, pytest.Function) else ()
        for name in names:  # those that were set up for an item before
            asked.update(self._fixtures_asked.get(name, {}))
        self._running = _Running(
            line=self.procedure.items[card.id],
            card=card,
            how=how,
            remedy=remedy,
            nodeid=node.nodeid,
            facts=list(closure(names)),
            claims=claims,
            asked=asked,
            check=self._sources.check(node.path),
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
        if self._running is None or self.env is None:
            return
        line = self._running.line
        not_due = self._not_due(line)
        if not_due is not None:
            raise NotDue(f"due on {not_due:%Y-%m-%d}, today is {self.today:%Y-%m-%d}")
        if line.effect in self.env.permits or self._running.card.way == "attested":
            return
        if line.way == "evidence":
            raise Pending(
                f"{self.env.name} does not permit the effect {line.effect!r}; evidence of a run"
                " where it is permitted cannot be brought here yet"
            )
        raise NotPermitted(
            line.title,
            f"{self.env.name} does not permit the effect {line.effect!r}",
            f"add {line.effect!r} to permits in {self.env_file} once that is agreed",
        )

    def _not_due(self, line: procedure.Item) -> date | None:
        due = self.launch.due(line.due_day)
        return None if self.all_due or due <= self.today else due

    def held(self, _: pytest.Item, orig: str, expl: str) -> None:
        """An assertion held. Claims tell their own values; anything else is kept as it reads."""
        running = self._running
        if running is None:
            return
        if len(running.claims) > running.seen_claims:
            running.seen_claims = len(running.claims)
        else:
            # Below the values and where they come from, pytest compares what is equal anyway.
            first, *more = expl.splitlines() or [orig]
            origins = (line for line in more if line.strip().startswith("+"))
            text = " ".join(" ".join([first, *origins]).split())
            running.asserted.append(self.mask(text)[:_TEXT_CHARACTERS])

    def judge(
        self, node: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport
    ) -> None:
        """Turn one phase of an item into its verdict, and a report into what may be shown."""
        running = self._running
        if running is None:
            return
        # A fixture that tidies up may still claim what does not hold.
        if call.when != "teardown" or call.excinfo or ledger.unproved(running.as_kept()):
            self._decide(running, node, call, report)
        if call.when == "call" or call.excinfo is not None:
            # Every phase's report copies these; JUnit keeps those of the last one.
            node.user_properties[:] = [
                ("id", running.line.id),
                ("owner", running.line.owner),
                ("verdict", running.verdict.value),
            ]
            report.user_properties = list(node.user_properties)
        running.claims[:] = [_masked(c, self.mask) for c in running.claims]
        report.sections = [(n, clean(self.mask(t))) for n, t in report.sections]
        report.golive = running  # type: ignore[attr-defined]

    def _decide(
        self,
        running: _Running,
        node: pytest.Item,
        call: pytest.CallInfo[None],
        report: pytest.TestReport,
    ) -> None:
        error = call.excinfo.value if call.excinfo else None
        if error is None and (hasattr(report, "wasxfail") or report.outcome != "passed"):
            error = GoliveError("it held although it is marked xfail; take the mark away")
        if error is None and call.when == "setup":
            return  # a check that is set up has not run
        if error is None:
            running.verdict, running.message = Verdict.PASS, ""
            error = _unproved(running)
        if error is None:
            return
        verdict, message = verdicts.of_exception(error), _message(error, running, call.when)
        if call.when == "teardown" and running.verdict is not Verdict.PASS:
            verdict, message = running.verdict, f"{running.message}; {message}"
        running.verdict = verdict
        # Others read it where the project lies in another folder.
        message = self._plain(self.mask(message))
        running.message = message[:_TEXT_CHARACTERS]
        # The lists that a failing report shows must not hide that the item was not looked at.
        report.outcome = "skipped" if verdict is Verdict.NOT_DUE else "failed"
        if hasattr(report, "wasxfail"):
            del report.wasxfail
        if isinstance(error, AssertionError) or verdicts.of_exception(error) is Verdict.UNKNOWN:
            detail = f"{running.detail}\n\n{self.mask(_detail(node, call, report))}".strip()
            running.detail = detail[-_DETAIL_CHARACTERS:]
        text = f"{verdict.value}  {running.line.id}  {running.line.title}\n{running.message}"
        if running.remedy:
            text += f"\nnext: {running.remedy}"
        if verdict is Verdict.NOT_DUE:
            report.longrepr = (running.nodeid, 0, f"Skipped: {running.message}")
        else:
            report.longrepr = clean(text)

    def finish(self) -> None:
        """An item has ended: keep its verdict, and tell it."""
        running, self._running = self._running, None
        if running is None or self._ledger is None:
            return
        verdict = running.as_kept()
        self._ledger.add_verdict(verdict)
        self._verdicts[verdict.id] = verdict
        self._tell(running.line, verdict)

    def _gathered(self, facts: Facts) -> None:
        """A probe has looked (called from its thread)."""
        if self._ledger is None:
            return
        try:
            value = msgspec.to_builtins(facts.value, enc_hook=str, str_keys=True)
        except (TypeError, ValueError, NotImplementedError):
            value = repr(facts.value)
        self._ledger.add_facts(
            ledger.Gathered(
                probe=facts.probe,
                observed_at=facts.observed_at,
                duration_s=round(facts.duration_s, 4),
                value=value,
                error=str(facts.error) if facts.error else "",
            )
        )

    # -- what is told -------------------------------------------------------------------------

    def header(self) -> list[str]:
        """Lines at the top of the terminal."""
        days = (self.launch.date - self.today).days
        self._told_strange = self._tell_strange()
        when = f"{days} days to launch" if days >= 0 else f"{-days} days after launch"
        return [
            f"golive: {self.env_file.stem}, candidate {self.launch.candidate},"
            f" launch {self.launch.date:%Y-%m-%d} ({when})"
            + (", everything due" if self.all_due else f", as on {self.today:%Y-%m-%d}"),
            *self._signs(),
            *self._told_strange,
        ]

    def _signs(self) -> list[str]:
        if self._unsigned:
            return [
                f"golive: nobody signs this run: {self._unsigned}; nothing green of it will count"
            ]
        return [f"golive: signed by {self._signer}"] if self._signer else []

    @staticmethod
    def status_of(report: Any) -> tuple[str, str, str] | None:
        """How pytest counts a report; the line for it is written when the item has ended."""
        running = getattr(report, "golive", None)
        if running is None:
            return None
        if report.when == "call" or report.outcome != "passed":
            return _CATEGORY[running.verdict][0], "", ""
        return "", "", ""

    def _terminal(self) -> Any:
        return self.config.pluginmanager.getplugin("terminalreporter")

    def _write(self, text: str, **markup: bool) -> None:
        terminal = self._terminal()
        if terminal is not None and terminal.verbosity >= 0:
            terminal.ensure_newline()
            terminal.write_line(self.mask(clean(text)), **markup)

    def _tell(self, line: procedure.Item, verdict: ledger.ItemVerdict) -> None:
        terminal = self._terminal()
        if terminal is None:
            return
        if terminal.verbosity < 0:
            terminal.write(_CATEGORY[verdict.verdict][1], **_COLOUR.get(verdict.verdict, {}))
            return
        terminal.ensure_newline()
        terminal.write(f"{verdict.verdict.value:8}", **_COLOUR.get(verdict.verdict, {}))
        text = f" {line.id:13} {line.title}"
        if verdict.verdict is Verdict.FAIL:
            text += f": {verdict.message}"
        if verdict.duration_s >= 0.1:
            text += f"  ({verdict.duration_s:.1f} s)"
        terminal.write_line(self.mask(clean(text)))

    def summarise(self, terminal: Any) -> None:
        """What stands in the way and whose it is; counts; where the report is; what is next."""
        if self._ledger is None or self.context is None:
            return
        self._summarise_red(terminal, "FAIL", Verdict.FAIL)
        where = f"UNKNOWN: could not be looked at where {self.env_file} says it is"
        self._summarise_red(terminal, where, Verdict.UNKNOWN)
        pending: dict[str, list[str]] = defaultdict(list)
        for ident, v in self._verdicts.items():
            if v.verdict is Verdict.PENDING:
                pending[self.procedure.items[ident].owner or "no owner"].append(ident)
        if pending:
            terminal.section("PENDING: a statement or evidence is still to come", sep="-")
            for owner, ids in pending.items():
                more = f" and {len(ids) - 8} more" if len(ids) > 8 else ""
                terminal.write_line(f"  {owner}: {', '.join(ids[:8])}{more}")
        counts = Counter(v.verdict for v in self._verdicts.values())
        missing = len(self.procedure.items) - len(self.context.cards)
        parts = [f"{v.value} {counts[v]}" for v in Verdict if counts[v]]
        terminal.section("golive", sep="=")
        terminal.write_line(
            f"verdicts: {', '.join(parts) or 'none'}"
            f" (of {len(self.procedure.items)} items; {missing} not written yet,"
            " which counts against GO)"
        )
        if self._report:
            terminal.write_line(f"report:   {clean(self._report)}")
        if strange := self._strange():
            terminal.write_line(
                f"unusable: {clean(', '.join(strange))}; nothing green of this run counts. Leave"
                " it away, or name it in launch.plugins, and run again"
            )
        if self._unsigned:
            terminal.write_line(
                f"unsigned: {clean(self._unsigned)}; nothing green of this run counts. Name your"
                " key with --key (in CI: GOLIVE_AS and GOLIVE_KEY), and run again"
            )
        terminal.write_line(f"next:     {self._next(counts)}")

    def _summarise_red(self, terminal: Any, label: str, wanted: Verdict) -> None:
        by_message: dict[tuple[str, str], list[str]] = defaultdict(list)
        for ident, v in self._verdicts.items():
            if v.verdict is wanted:
                by_message[v.message, v.remedy if wanted is Verdict.FAIL else ""].append(ident)
        if not by_message:
            return
        terminal.section(label, sep="-")
        for (message, remedy), ids in by_message.items():
            owners = sorted({self.procedure.items[i].owner or "no owner" for i in ids})
            terminal.write_line(f"{', '.join(ids)}  ({', '.join(owners)})", bold=True)
            if len(ids) == 1:
                terminal.write_line(f"  {self.procedure.items[ids[0]].title}")
            terminal.write_line(f"  {clean(message)}")
            if remedy:
                terminal.write_line(f"  next: {clean(remedy)}")

    def _next(self, counts: Counter[Verdict]) -> str:
        if counts[Verdict.FAIL]:
            return "open the report, mend what is red, run again"
        if counts[Verdict.UNKNOWN]:
            return "make what could not be looked at reachable, run again"
        if counts[Verdict.PENDING]:
            return "open the report; people state what is pending"
        return "open the report and sign its sheet"


def _card(node: pytest.Item) -> Card:
    card = card_of(getattr(node, "obj", None))
    if card is None:
        raise GoliveError(
            f"{node.nodeid}: carries no id; expected @item, derived() or attested() on it"
        )
    return card


def _masked(claim: Claim, mask: Mask) -> Claim:
    subject, observed, required = map(mask, (claim.subject, claim.observed, claim.required))
    ids = tuple(map(mask, claim.ids))
    return Claim(subject, observed, required, claim.holds, mask(claim.see), ids)


def _message(error: BaseException, running: _Running, when: str) -> str:
    if isinstance(error, AssertionError):
        broken = [repr(c) for c in running.claims if not c.holds]
        if broken:
            return "; ".join(broken[-1:])
        return " ".join((str(error).splitlines() or ["an assertion without a text"])[0].split())
    if isinstance(error, (verdicts.ProbeError, Pending, NotDue, GoliveError)):
        return str(error)
    if isinstance(error, (pytest.skip.Exception, pytest.xfail.Exception)):
        return f"the check skipped itself: {error}"
    if isinstance(error, pytest.fail.Exception):
        return str(error)
    broke = "could not tidy up" if when == "teardown" else "broke before it could judge"
    return f"the check {broke}: {type(error).__name__}: {error}"


def _detail(node: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> str:
    """Traceback and captured output. The terminal shows neither, so pytest made no traceback."""
    text = ""
    if call.excinfo is not None and not isinstance(call.excinfo.value, verdicts.ProbeError):
        option = node.config.option
        style, option.tbstyle = option.tbstyle, "short"
        try:
            text = str(node.repr_failure(call.excinfo))
        finally:
            option.tbstyle = style
    sections = [f"--- {name}\n{said}" for name, said in report.sections if said.strip()]
    return "\n".join([text, *sections]).strip()


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"uid {os.getuid()}"


def _unproved(running: _Running) -> GoliveError | None:
    cause = ledger.unproved(running.as_kept())
    return GoliveError(cause) if cause else None


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


def _packages() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
