"""A launch as it is the day before: every item checked on 60 nights, and signed by its people."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from golive import ledger
from golive.context import Context
from golive.ledger import Claim, EnvironmentRef, Gathered, Head, ItemVerdict
from golive.masking import Mask
from golive.people.statements import Statement, fingerprint, keep
from golive.readiness import as_line, assess
from golive.verdicts import Verdict
from tests.conftest import RUNNER, make_key

ROOT = Path(__file__).resolve().parent.parent.parent
ENVIRONMENT = "staging"
_NAMES = (
    "Ada Obi",
    "Ben Ferrer",
    "Chloe Brandt",
    "Dev Anand",
    "Ewa Nowak",
    "Finn Olsen",
    "Gia Conti",
    "Hugo Laurent",
    "Ines Prado",
    "Jon Abel",
    "Kim Soo",
    "Lea Voss",
    "Max Berg",
    "Nia Okafor",
    "Omar Haddad",
    "Pia Lund",
)


def make(folder: Path, *, nights: int = 60, statements: int = 500) -> Context:
    """Suites with a check of each item, a roster with keys, nightly runs, statements."""
    shutil.copytree(ROOT / "suites", folder / "suites", ignore=shutil.ignore_patterns("__py*"))
    context = _people(folder)
    _checks(context)
    (folder / ".gitignore").write_text("keys/\nreports/\n")
    for words in ("init -q", "add .", "-c user.name=ci -c user.email=ci commit -qm suites"):
        subprocess.run(["git", *words.split()], cwd=folder, check=True)
    context = Context.open(ENVIRONMENT, folder)
    _runs(context, nights)
    _statements(context, statements)
    return context.reloaded()


def _people(folder: Path) -> Context:
    context = Context.open(ENVIRONMENT, folder)
    cards = [card for card, _ in context.cards.values()]
    roles = [*context.owner_roles, *context.launch.roles, *context.launch.approvers]
    roles = list(dict.fromkeys([*roles, *(role for card in cards for role in card.by)]))
    people = []
    for name, role in zip(itertools.cycle(_NAMES), roles, strict=False):
        ident = f"{name.split()[0].lower()}-{role.replace('_', '-')[:8]}"
        key = make_key(folder / "keys" / role)
        public = key.with_suffix(".pub").read_text().strip()
        people.append(
            f'[[person]]\nid = "{ident}"\nname = "{name}"\nemail = "{ident}@example.com"\n'
            f'phone = "+12025550100"\nroles = ["{role}"]\nkeys = [{{ public = "{public}" }}]\n'
        )
    ci = make_key(folder / "keys" / RUNNER)
    public = ci.with_suffix(".pub").read_text().strip()
    people.append(
        f'[[runner]]\nid = "{RUNNER}"\ntitle = "CI"\nkeys = [{{ public = "{public}" }}]\n'
    )
    roster = folder / context.environment.people.roster
    roster.parent.mkdir(parents=True, exist_ok=True)
    roster.write_text("schema = 1\n" + "\n".join(people))
    return context


def _checks(context: Context) -> None:
    """A check of every item that the suites do not have yet."""
    missing = defaultdict(list)
    for line in context.procedure:
        if line.id not in context.cards:
            missing[line.block].append(line.id)
    for block, ids in missing.items():
        (context.suites / f"test_{block}.py").write_text(
            "".join(f'@item("{i}")\ndef test_{n}():\n    assert {n}\n\n' for n, i in enumerate(ids))
        )


def _runs(context: Context, nights: int) -> None:
    lines = [as_line(i) for i in context.procedure]
    now = datetime.now(UTC)
    for night in range(nights):
        at = (now - timedelta(days=nights - 1 - night)).replace(microsecond=0)
        at -= timedelta(hours=2)
        head = Head(
            id=f"{at:%Y%m%dT%H%M%SZ}-{ENVIRONMENT}-{night:04x}",
            environment=EnvironmentRef(
                ENVIRONMENT, ENVIRONMENT, context.environment.title, context.origin.fingerprint
            ),
            candidate=context.launch.candidate,
            launch_date=context.launch.date,
            today=at.date(),
            who="nightly",
            host="ci-7",
            started_at=at,
            suite=context.origin.suite,
            engine=context.origin.engine,
            rules=context.rules,
            before=context.tips(),
            packages={"pytest": "9.2.0"},
            windows={"queries_s": 300.0},
            selected=lines,
            unwritten=[],
            blocks=dict(Counter(line.block for line in lines)),
        )
        book = ledger.Ledger(context.reports, head, Mask())
        for n in range(60):
            rows = [{"name": f"row {k}", "ms": k * 1.5} for k in range(9)]
            book.add_facts(
                Gathered(
                    probe=f"probe_{n}",
                    observed_at=at,
                    duration_s=0.3,
                    value={"count": n, "rows": rows},
                )
            )
        for n, line in enumerate(lines):
            verdict = _verdict(n, line, night / max(1, nights - 1))
            judged = _judged(line, verdict, at + timedelta(seconds=n))
            check = context.origin.checks[line.id]
            book.add_verdict(msgspec.structs.replace(judged, check=check))
        book.close(1, ledger.Signing(RUNNER, context.root / "keys" / RUNNER, context.roster))


def _verdict(n: int, line: ledger.Line, progress: float) -> Verdict:
    """What becomes of an item as the nights go by: most turn green, a few do not."""
    if line.phase in ("t_plus_1_week", "success"):
        return Verdict.NOT_DUE
    if n % 53 == 7:
        return Verdict.FAIL
    if n % 71 == 11:
        return Verdict.UNKNOWN
    if (n * 37 % 100) / 100 > progress + 0.1:
        return Verdict.PENDING if line.way in ("attested", "derived") else Verdict.FAIL
    return Verdict.PASS


def _judged(line: ledger.Line, verdict: Verdict, at: datetime) -> ItemVerdict:
    holds = verdict is Verdict.PASS
    claims = (
        [
            Claim(
                "replay lag of each standby",
                "2 measured, worst db-2 31 s" if not holds else "2 measured, worst db-2 0.2 s",
                "each at most 10 s",
                holds,
            ),
            Claim("streaming standbys", "2", "at least 1", holds=True),
        ]
        if verdict in (Verdict.PASS, Verdict.FAIL)
        else []
    )
    messages = {
        Verdict.FAIL: "replay lag of each standby: 2 measured, worst db-2 31 s; required each at"
        " most 10 s; see its pg_stat_replication row",
        Verdict.UNKNOWN: "could not look at standby db-2: connection refused; next: see whether"
        " it runs",
        Verdict.PENDING: f"not stated yet by the owner: {line.title}; next: `golive attest"
        f" {line.id}`",
    }
    return ItemVerdict(
        id=line.id,
        verdict=verdict,
        started_at=at,
        duration_s=0.4,
        how="The rows of pg_stat_replication on the primary, looked at twice.",
        message=messages.get(verdict, ""),
        remedy="look at the standby's log; where its WAL is gone, build it again, then run again",
        claims=claims,
        facts=[f"probe_{at.second}"],
        nodeid=f"suites/test_{line.block}.py::test_{at.second}",
    )


def _statements(context: Context, wanted: int) -> None:
    """Statements of every attested item by each of its roles, night after night; the deciders."""
    folder = context.statements.folder
    now = datetime.now(UTC).replace(microsecond=0)
    asked = [
        (card, role)
        for card, _ in context.cards.values()
        if card.way == "attested"
        for role in card.by or (context.procedure.items[card.id].owner_mark,)
    ]
    for name in {n for card, _ in asked for n in card.papers}:
        context.papers.mkdir(parents=True, exist_ok=True)
        (context.papers / name).write_text(f"# {name}\n\nAs agreed.\n")
    said: list[tuple[Statement, list[Path], str]] = []

    def say(role: str, at: datetime, papers: tuple[str, ...] = (), **fields: object) -> None:
        (person, *_) = context.roster.holders(role)
        item = str(fields.get("item", ""))
        line = context.procedure.items.get(item)
        values = {
            "kind": "attest",
            "title": line.title if line else "",
            "fingerprint": fingerprint(line.title, context.cards[item]) if line else "",
            "environment": ENVIRONMENT,
            "environment_kind": ENVIRONMENT,
            "candidate": context.launch.candidate,
            "by": person.id,
            "role": role,
            "made_at": at,
            "expires_at": at + timedelta(days=7),
        } | fields
        said.append((Statement(**values), [context.papers / p for p in papers], role))  # type: ignore[arg-type]

    for role in context.launch.approvers[:2]:
        say(
            role,
            now,
            kind="approve",
            text="Go: what is red does not reach customers.",
            data={"decision": "go"},
        )
    for round_ in itertools.count():
        at = now - timedelta(days=round_, hours=3)
        for n, (card, role) in enumerate(asked):
            if len(said) >= wanted:
                break
            text = f"I have seen to it myself and stand for it: {card.asks}"[:400]
            say(role, at + timedelta(seconds=n), card.papers, item=card.id, text=text)
        if len(said) >= wanted:
            break
    for statement, files, role in sorted(said, key=lambda s: s[0].made_at):
        chained = msgspec.structs.replace(statement, before=context.reloaded().tips())
        if statement.kind == "approve":
            seen = assess(context.reloaded(), today=context.today).readiness
            chained = msgspec.structs.replace(chained, readiness=seen)
        keep(chained, files, context.root / "keys" / role, folder)


def about(context: Context) -> str:
    """How large it is, for a table."""
    runs = ledger.runs(context.reports)
    said = list(context.statements.folder.iterdir())
    return f"{len(runs)} runs, {len(said)} statements"
