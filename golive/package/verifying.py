"""Checking what a package says, down to the answer, made again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import get_args

from golive import provenance
from golive.answer import GO, Answer, decode, encode
from golive.context import Context
from golive.package import drift
from golive.package.contents import as_of_package, check_documents, check_runs, check_statements
from golive.package.form import (
    ABOUT,
    ANSWER,
    HOW_TO,
    INDEX,
    ROSTER,
    SIGNERS,
    About,
    Kind,
)
from golive.package.opening import Package, wrong
from golive.package.signing import lacking_roles, people_who_signed
from golive.people import roster as roster_file
from golive.people.roster import Roster
from golive.readiness import assess
from golive.reports import launch_page, sheets
from golive.verdicts import GoliveError

_CLOCKS_DIFFER = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class Trust:
    """What whoever checks a package knows already, so that the package is not asked for it."""

    roster: Path | None = None
    """Who may sign; None: the enclosed roster is believed."""
    suites: Path | None = None
    """By what rules it has to be made; None: the enclosed ones are believed."""
    fingerprint: str = ""
    """Of the environment as it is described there; empty: the package is believed."""
    kind: str = ""
    """Of the environment as it is described there; empty: the package is believed."""
    engine: str = ""
    """SHA-256 of the golive that may have made it; default: this one."""
    purpose: str = ""
    """Name or kind of the environment that is to be decided on."""
    not_before: datetime | None = None
    """How old the answer may be."""


@dataclass(frozen=True)
class Verified:
    """What holds of a package."""

    answer: Answer
    about: About
    signed_by: list[tuple[str, str]]
    """Name and roles."""
    unsigned: list[str]
    """Roles that decide on the launch and have not signed it."""
    runs: int
    statements: int
    documents: int
    """With a signature."""
    digest: str


def verify(package: Package, trust: Trust | None = None) -> Verified:
    """Check what an opened package says, down to the answer, made again.

    :raises GoliveError: the first thing that is wrong.
    """
    known = trust or Trust()
    path, folder, about = package.path, package.folder, package.about
    rules = (f"suites/{name}" for name in (drift.LAUNCH, drift.PROCEDURE))
    for name in (INDEX, ANSWER, HOW_TO, ROSTER, SIGNERS, *rules):
        if name not in package.names:
            raise wrong(path, name, "is missing")
    of_kind = known.purpose in get_args(Kind)
    if known.purpose not in ("", about.environment_kind if of_kind else about.environment):
        what = "a REHEARSAL, which decides nothing" if about.is_rehearsal else about.environment
        raise GoliveError(f"{path}: is about {what}; expected one about {known.purpose}")
    _check_engine(package, known.engine)
    _check_rules(package, known)
    people = roster_file.load(folder / ROSTER)
    if people.allowed_signers() != (folder / SIGNERS).read_text(encoding="utf-8"):
        raise wrong(path, SIGNERS, f"names other keys than {ROSTER}")
    answer = decode((folder / ANSWER).read_bytes(), Path(f"{path}: {ANSWER}"))
    of = (answer.environment, answer.environment_kind, answer.environment_title)
    if of != (about.environment, about.environment_kind, about.environment_title):
        raise wrong(path, ABOUT, f"is about {about.environment}, the answer about {of[0]}")
    _check_age(path, answer, known.not_before)
    context = package.context(known.roster)
    signers = people_who_signed(package, context.roster, answer.made_at)
    runs = check_runs(package, context)
    statements = check_statements(package, context)
    documents = check_documents(package, context.roster, answer.made_at)
    _check_answer(package, answer, context, known.roster)
    _check_pages(package, answer)
    lacking = lacking_roles(context.launch.approvers, signers, context.roster)
    if lacking and answer.answer == GO:
        raise GoliveError(
            f"{path}: is {GO}, but nobody has signed it as {', '.join(lacking)}; each role that"
            " decides does, by a person of its own, with"
            f" `golive package --sign {path} --as PERSON`"
        )
    signed = [(p.name, _roles(context.roster, p.id)) for p in signers]
    return Verified(answer, about, signed, lacking, runs, statements, documents, package.digest)


def _check_engine(package: Package, trusted: str) -> None:
    """The same code has to come to the same answer, so it is the same code."""
    about, own = package.about, provenance.engine_digest()
    if about.engine == (trusted or own):
        return
    if trusted:
        raise GoliveError(
            f"{package.path}: was made by a golive {about.golive} of SHA-256 {about.engine};"
            f" expected {trusted}, which --golive names"
        )
    raise GoliveError(
        f"{package.path}: was made by golive {about.golive} of SHA-256 {about.engine}, this is"
        f" {version('golive')} of {own}; check it with the golive that made it, or, once you know"
        " from somebody you trust that this is its code, add --golive SHA256"
    )


def _check_rules(package: Package, known: Trust) -> None:
    """The suites are those that the package says, and say what one's own say."""
    about, theirs = package.about, package.folder / "suites"
    with as_of_package(package):
        if provenance.suite_digest(theirs) != about.suite.digest:
            raise GoliveError("suites: are not those that package.json says the answer rests on")
        if known.suites is not None:
            drift.refuse(theirs, known.suites)
    if known.kind not in ("", about.environment_kind):
        raise GoliveError(
            f"{package.path}: says that {about.environment} is a {about.environment_kind}; expected"
            f" {known.kind}, as {known.suites} describes it"
        )
    # A rehearsal has other ports whenever it comes up.
    if known.fingerprint not in ("", about.fingerprint) and not about.is_rehearsal:
        raise GoliveError(
            f"{package.path}: its environment {about.environment} is described otherwise than by"
            f" {known.suites}; make it again from the same description"
        )


def _check_age(path: Path, answer: Answer, not_before: datetime | None) -> None:
    made = f"{answer.made_at:%Y-%m-%d %H:%M} UTC"
    if answer.made_at > datetime.now(UTC) + _CLOCKS_DIFFER:
        raise GoliveError(f"{path}: its answer is of {made}, which has not come; look at the clock")
    if not_before is not None and answer.made_at < not_before:
        raise GoliveError(
            f"{path}: its answer is of {made}; expected none older than"
            f" {not_before:%Y-%m-%d %H:%M} UTC: make it again"
        )


def _roles(roster: Roster, person: str) -> str:
    return ", ".join(r.replace("_", " ") for r in roster.roles_of(person))


def _check_answer(package: Package, answer: Answer, context: Context, roster: Path | None) -> None:
    """What the answer was made from makes it again."""
    items = answer.standings
    reloaded = assess(
        context,
        today=answer.today,
        all_due=bool(items) and all(s.is_due for s in items),
        now=answer.made_at,
        before=answer.changed_since,
        elsewhere=answer.elsewhere,
    )
    if encode(reloaded) == (package.folder / ANSWER).read_bytes():
        return
    by = f" (made by golive {package.about.golive}, this is {version('golive')})"
    whose = f" with {roster}" if roster else ""
    raise wrong(
        package.path,
        ANSWER,
        f"is not what its runs and statements say{whose}: {_difference(answer, reloaded)}"
        f"{by if package.about.golive != version('golive') else ''}",
    )


def _difference(said: Answer, reloaded: Answer) -> str:
    if said.answer != reloaded.answer:
        return f"it says {said.answer}, they say {reloaded.answer}"
    for a, b in zip(said.rules, reloaded.rules, strict=False):
        if a != b:
            return f"rule {a.name}: it says {a.observed}, they say {b.observed}"
    then = {s.line.id: s for s in reloaded.standings}
    for s in said.standings:
        other = then.get(s.line.id)
        if s != other:
            return f"{s.line.id}: it says {s.state}, they say {other.state if other else 'nothing'}"
    names = [f for f in Answer.__struct_fields__ if getattr(said, f) != getattr(reloaded, f)]
    return f"it differs in {', '.join(names) or 'its form'}"


def _check_pages(package: Package, answer: Answer) -> None:
    """Pages show what the answer says, and nothing else."""
    expected = {INDEX: launch_page.page(answer)}
    expected |= {f"sheets/{mark}.html": s for mark, s in sheets.sheets(answer).items()}
    for name, page in expected.items():
        place = package.folder / name
        if not place.is_file() or place.read_bytes() != page.encode():
            raise wrong(package.path, name, f"does not show what {ANSWER} says")
    for place in (package.folder / "sheets").iterdir():
        if f"sheets/{place.name}" not in expected:
            raise wrong(package.path, f"sheets/{place.name}", "is no sheet of this answer")
