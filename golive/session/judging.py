"""One item: from how its check ends to its verdict."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from golive import ledger, procedure, verdicts
from golive.claims import Claim
from golive.items import Card
from golive.masking import Mask, clean
from golive.session.setup import Setup
from golive.verdicts import GoliveError, NotDue, Pending, Verdict

_DETAIL_CHARACTERS = 20_000
_TEXT_CHARACTERS = 4_000
"""Of one message or assertion. Nothing is cut before it was masked: half a secret is one too."""


@dataclass(slots=True)
class Running:
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
    masked_claims: int = 0

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
                ledger.Claim(
                    c.subject,
                    c.observed,
                    c.required,
                    c.holds,
                    c.see,
                    list(c.ids),
                    unseen=c.unseen is not None,
                    whole=list(c.whole),
                    sql=list(c.sql),
                )
                for c in self.claims
            ],
            asserted=self.asserted,
            facts=self.facts,
            detail=self.detail,
            nodeid=self.nodeid,
            check=self.check,
            limits=dict(sorted(self.asked.items())),
        )

    @property
    def unseen(self) -> verdicts.ProbeError | None:
        """Why something that it is about could not be looked at."""
        return next((c.unseen for c in self.claims if c.unseen is not None), None)

    def held(self, orig: str, expl: str, mask: Mask) -> None:
        """An assertion held. Claims tell their own values; anything else is kept as it reads."""
        if len(self.claims) > self.seen_claims:
            self.seen_claims = len(self.claims)
            return
        # Below the values and where they come from, pytest compares what is equal anyway.
        first, *more = expl.splitlines() or [orig]
        origins = (line for line in more if line.strip().startswith("+"))
        text = " ".join(" ".join([first, *origins]).split())
        self.asserted.append(mask(text)[:_TEXT_CHARACTERS])

    def judge(
        self,
        node: pytest.Item,
        call: pytest.CallInfo[None],
        report: pytest.TestReport,
        setup: Setup,
    ) -> None:
        """Turn one phase of an item into its verdict, and a report into what may be shown."""
        # A fixture that tidies up may still claim what does not hold.
        if call.when != "teardown" or call.excinfo or ledger.unproved(self):
            self._decide(node, call, report, setup)
        if call.when == "call" or call.excinfo is not None:
            # Every phase's report copies these; JUnit keeps those of the last one.
            node.user_properties[:] = [
                ("id", self.line.id),
                ("owner", self.line.owner),
                ("verdict", self.verdict.value),
            ]
            report.user_properties = list(node.user_properties)
        new = slice(self.masked_claims, None)
        self.claims[new] = [_masked(c, setup.mask) for c in self.claims[new]]
        self.masked_claims = len(self.claims)
        report.sections = [(n, clean(setup.mask(t))) for n, t in report.sections]
        report.golive = self  # type: ignore[attr-defined]

    def _decide(
        self,
        node: pytest.Item,
        call: pytest.CallInfo[None],
        report: pytest.TestReport,
        setup: Setup,
    ) -> None:
        error = self._error(node, call, report)
        if error is None:
            return
        verdict, message = verdicts.of_exception(error), self._message(error, call.when)
        if call.when == "teardown" and self.verdict is not Verdict.PASS:
            verdict, message = self.verdict, f"{self.message}; {message}"
        self.verdict = verdict
        self.message = setup.plain(setup.mask(message))[:_TEXT_CHARACTERS]
        if isinstance(error, AssertionError) or verdicts.of_exception(error) is Verdict.UNKNOWN:
            detail = f"{self.detail}\n\n{setup.mask(_detail(node, call, report))}".strip()
            self.detail = detail[-_DETAIL_CHARACTERS:]
        self._show(report)

    def _error(
        self, node: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport
    ) -> BaseException | None:
        """Why it is not green; None: it is, or nothing is decided yet."""
        error = call.excinfo.value if call.excinfo else None
        unseen = self.unseen or _unseen_fact(node)
        if error is not None and not self._wins_over(error):
            broke = verdicts.of_exception(error) is Verdict.UNKNOWN and isinstance(error, Exception)
            return unseen if unseen is not None and broke else error
        if self._broken:
            return AssertionError("a claim is broken")
        if hasattr(report, "wasxfail") or report.outcome != "passed":
            return GoliveError("it held although it is marked xfail; take the mark away")
        if call.when == "setup":
            return None  # a check that is set up has not run
        self.verdict, self.message = Verdict.PASS, ""
        if unseen is not None:  # also where no claim is about it: green rests on every fact
            return unseen
        cause = ledger.unproved(self)
        return GoliveError(cause) if cause else None

    @property
    def _broken(self) -> list[Claim]:
        return [c for c in self.claims if c.broken]

    def _wins_over(self, error: BaseException) -> bool:
        """Whether a broken claim decides, whatever became of the check after it."""
        return bool(self._broken) and isinstance(error, Exception)

    def _show(self, report: pytest.TestReport) -> None:
        # The lists that a failing report shows must not hide that the item was not looked at.
        report.outcome = "skipped" if self.verdict is Verdict.NOT_DUE else "failed"
        if hasattr(report, "wasxfail"):
            del report.wasxfail
        if self.verdict is Verdict.NOT_DUE:
            report.longrepr = (self.nodeid, 0, f"Skipped: {self.message}")
            return
        text = f"{self.verdict.value}  {self.line.id}  {self.line.title}\n{self.message}"
        if self.remedy:
            text += f"\nnext: {self.remedy}"
        report.longrepr = clean(text)

    def _message(self, error: BaseException, when: str) -> str:
        if isinstance(error, AssertionError):
            if self._broken:
                return "; ".join(dict.fromkeys(map(repr, self._broken)))
            return " ".join((str(error).splitlines() or ["an assertion without a text"])[0].split())
        if isinstance(error, (verdicts.ProbeError, Pending, NotDue, GoliveError)):
            return str(error)
        if isinstance(error, (pytest.skip.Exception, pytest.xfail.Exception)):
            return f"the check skipped itself: {error}"
        if isinstance(error, pytest.fail.Exception):
            return str(error)
        broke = "could not tidy up" if when == "teardown" else "broke before it could judge"
        return f"the check {broke}: {type(error).__name__}: {error}"


def _unseen_fact(node: pytest.Item) -> verdicts.ProbeError | None:
    """Why one of the facts that an item asks for could not be looked at."""
    if not isinstance(node, pytest.Function):
        return None
    # Those that it asks for by name while it runs are no arguments of it.
    made = node._request._fixture_defs.values()
    given = [*node.funcargs.values(), *(f.cached_result[0] for f in made if f.cached_result)]
    return next((v.error for v in given if v.__class__ is verdicts.Unseen), None)


def _masked(claim: Claim, mask: Mask) -> Claim:
    subject, observed, required = map(mask, (claim.subject, claim.observed, claim.required))
    ids = tuple(map(mask, claim.ids))
    see = mask(claim.see)
    whole, sql = tuple(map(mask, claim.whole)), tuple(map(mask, claim.sql))
    return Claim(subject, observed, required, claim.holds, see, ids, claim.unseen, whole, sql)


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
