"""The issue tracker: the launch's issues with their history, pull requests, the candidate's checks.

Which issues are the launch's: those of the candidate's milestone, those with one of the declared
labels, and the open ones of critical or high severity wherever they are filed.

GitHub has no field for some of what an owner has to say of an issue. Its text does: in a last
paragraph of ``Name: value`` lines, or under headings as issue forms write them (``### Name``).
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import msgspec

from golive.environments import Environment, Tracker, TrackerLabels
from golive.probes.transport.rest import Api, api, each
from golive.probing import probe
from golive.verdicts import ProbeError

Row = TypeVar("Row")
SEVERITIES = ("critical", "high", "medium", "low")
"""The gravest first."""
_SEVERE = frozenset({"critical", "high"})
DRILL = "Drill"
"""The field of an issue that was no more than a drill."""
_PER_PAGE = 100
_AUTHOR = re.compile(r"^\s*(.*?)\s*<([^<>]+)>")
_SHORT = re.compile(r"[0-9a-f]{7,39}")
_CONFIGURED = "check [tracker] in the environment file"


@dataclass(frozen=True, slots=True)
class SeverityChange:
    """An issue was given another severity."""

    at: datetime
    by: str
    before: str
    after: str

    @property
    def lowered(self) -> bool:
        """Whether it was made less severe."""
        return SEVERITIES.index(self.after) > SEVERITIES.index(self.before)


@dataclass(frozen=True, slots=True)
class Issue:
    """An issue as it stands, and what its history says."""

    number: int
    title: str
    url: str
    state: Literal["open", "closed"]
    labels: tuple[str, ...]
    severity: str
    """The gravest that its labels name; empty where they name none."""
    milestone: str
    assignees: tuple[str, ...]
    author: str
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str
    commits: tuple[str, ...]
    """Commits that closed it, the last one first, then those that name it."""
    reopened_at: tuple[datetime, ...]
    verified_by: str
    """Who put the label on that says so, since it was last closed; empty while it is open."""
    verified_at: datetime | None
    severity_changes: tuple[SeverityChange, ...]
    due: date | None
    """Its own, else its milestone's."""
    fields: dict[str, str]
    """What its text says, by name."""
    text_sha256: str

    @property
    def is_open(self) -> bool:
        """Whether it still waits."""
        return self.state == "open"

    @property
    def fix_commit(self) -> str:
        """The commit that fixed it; empty where nothing says which."""
        return self.commits[0] if self.commits else self.fields.get("Fix", "")

    @property
    def owner(self) -> str:
        """The first whom it is assigned to; empty where nobody is."""
        return self.assignees[0] if self.assignees else ""

    def has(self, label: str) -> bool:
        """Whether it carries a label."""
        return label in self.labels

    def __str__(self) -> str:
        return f"#{self.number} {self.title}"


@dataclass(frozen=True, slots=True)
class Issues:
    """The launch's issues, by number, and the tracker's own words."""

    repository: str
    milestone: str
    milestone_due: date | None
    labels: tuple[str, ...]
    """Every label that there is in the tracker."""
    names: TrackerLabels
    """What the declared labels are called."""
    canary: int
    """Number of the issue that every look has to find."""
    all: tuple[Issue, ...]

    def get(self, number: int) -> Issue | None:
        """The issue of that number, where the launch has it."""
        return next((one for one in self.all if one.number == number), None)

    @property
    def numbers(self) -> set[int]:
        """The number of each."""
        return {one.number for one in self.all}

    def of_milestone(self) -> list[Issue]:
        """The issues of the candidate's milestone."""
        return [one for one in self.all if one.milestone == self.milestone]

    def labelled(self, label: str) -> list[Issue]:
        """The issues that carry a label."""
        return [one for one in self.all if one.has(label)]

    @property
    def open_known(self) -> list[Issue]:
        """Known issues that are still open."""
        return [one for one in self.labelled(self.names.known_issue) if one.is_open]

    @property
    def severe_of_launch(self) -> list[Issue]:
        """What came up at the launch that is of high severity or above and no drill."""
        severe = (one for one in self.labelled(self.names.launch) if one.severity in _SEVERE)
        return [one for one in severe if DRILL not in one.fields]

    def open(self) -> list[Issue]:
        """The issues that still wait."""
        return [one for one in self.all if one.is_open]


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request of the candidate's milestone."""

    number: int
    title: str
    url: str
    author: str
    state: Literal["open", "closed"]
    merged_at: datetime | None
    merged_by: str
    merge_commit: str
    approvals: tuple[str, ...]
    """Who approves it by their last word, its author never among them."""
    objections: tuple[str, ...]
    """Who asks for changes by their last word."""

    def __str__(self) -> str:
        return f"pull request #{self.number} {self.title}"


def approvals_of_last(number: int, pull_requests: Iterable[PullRequest]) -> dict[str, int]:
    """How many approve each of the newest pull requests that were merged."""
    merged = sorted((p for p in pull_requests if p.merged_at), key=lambda p: p.number)
    return {f"#{p.number}": len(p.approvals) for p in merged[-number:]}


@dataclass(frozen=True, slots=True)
class CheckRun:
    """A check that CI ran."""

    name: str
    status: str
    conclusion: str
    """Empty while it runs."""

    @property
    def succeeded(self) -> bool:
        """Whether it has ended well."""
        return self.status == "completed" and self.conclusion == "success"


@dataclass(frozen=True, slots=True)
class CheckRuns:
    """CI's checks of the candidate's commit."""

    tag: str
    commit: str
    required: tuple[str, ...]
    runs: tuple[CheckRun, ...]


@dataclass(frozen=True, slots=True)
class Authors:
    """Who wrote the commits between two releases, co-authors included."""

    span: str
    """From which tag to which."""
    commits: int
    people: tuple[tuple[str, str], ...]
    """Name and e-mail address of each."""

    def has(self, name: str, email: str) -> bool:
        """Whether somebody is among them, by address or by name."""
        known = {text.casefold() for pair in self.people for text in pair if text}
        return email.casefold() in known or name.casefold() in known


@dataclass(frozen=True, slots=True)
class Fixes:
    """Which of the issues' commits the candidate holds."""

    tag: str
    commit: str
    contained: tuple[str, ...]
    not_contained: tuple[str, ...]
    """Commits of other branches, and those that the repository does not know."""


class _User(msgspec.Struct):
    login: str


class _Label(msgspec.Struct):
    name: str


class _Milestone(msgspec.Struct):
    number: int
    title: str
    due_on: datetime | None = None


class _Issue(msgspec.Struct):
    number: int
    title: str
    html_url: str
    state: Literal["open", "closed"]
    labels: list[_Label]
    created_at: datetime
    user: _User | None = None
    assignees: list[_User] = []
    milestone: _Milestone | None = None
    body: str | None = None
    closed_at: datetime | None = None
    closed_by: _User | None = None
    pull_request: dict[str, Any] | None = None


class _Event(msgspec.Struct):
    event: str
    created_at: datetime
    actor: _User | None = None
    commit_id: str | None = None
    label: _Label | None = None


class _Pull(msgspec.Struct):
    number: int
    title: str
    html_url: str
    state: Literal["open", "closed"]
    user: _User | None = None
    merged_at: datetime | None = None
    merged_by: _User | None = None
    merge_commit_sha: str | None = None


class _Review(msgspec.Struct):
    state: str
    user: _User | None = None


class _Commit(msgspec.Struct):
    sha: str


class _Check(msgspec.Struct):
    name: str
    status: str
    conclusion: str | None = None


class _Checks(msgspec.Struct):
    total_count: int
    check_runs: list[_Check]


@probe()
def issues(env: Environment) -> Issues:
    """The launch's issues in the tracker, open and closed, with their history."""
    reported = env.tracker
    with _github(env) as github:
        labels = [one.name for one in _all(github, "/labels", list[_Label])]
        milestone = _milestone(github, reported)
        found = [one for one in _launch_issues(github, reported, milestone) if not one.pull_request]
        histories = each(
            [one.number for one in found],
            lambda number: _all(github, f"/issues/{number}/events", list[_Event]),
        )
    return Issues(
        repository=reported.repository,
        milestone=reported.milestone,
        milestone_due=milestone.due_on.date() if milestone.due_on else None,
        labels=tuple(sorted(labels)),
        names=reported.labels,
        canary=reported.canary,
        all=tuple(_issue(one, histories[one.number], reported.labels) for one in found),
    )


@probe()
def pull_requests(env: Environment) -> tuple[PullRequest, ...]:
    """The pull requests of the candidate's milestone, and who approves them."""
    with _github(env) as github:
        milestone = _milestone(github, env.tracker)
        listed = _all(github, "/issues", list[_Issue], state="all", milestone=milestone.number)
        numbers = sorted(one.number for one in listed if one.pull_request)
        pulls = each(numbers, lambda number: github.one(f"/pulls/{number}", _Pull))
        reviews = each(
            numbers, lambda number: _all(github, f"/pulls/{number}/reviews", list[_Review])
        )
    return tuple(_pull_request(pulls[number], reviews[number]) for number in numbers)


@probe()
def check_runs(env: Environment) -> CheckRuns:
    """CI's checks of the candidate's commit."""
    tag = quote(env.release.tag, safe="")
    with _github(env) as github:
        commit = github.one(f"/commits/{tag}", _Commit).sha
        path = f"/commits/{commit}/check-runs"
        pages = list(github.pages(path, _Checks, per_page=_PER_PAGE))
    runs = [CheckRun(r.name, r.status, r.conclusion or "") for p in pages for r in p.check_runs]
    if len(runs) != pages[0].total_count:
        raise ProbeError(
            f"the check runs of {commit[:12]}",
            f"{pages[0].total_count} were announced, {len(runs)} came",
            "look again when CI has settled",
        )
    return CheckRuns(env.release.tag, commit, tuple(env.tracker.required_checks), tuple(runs))


@probe()
def fixes(env: Environment, issues: Issues) -> Fixes:
    """Whether the candidate holds the commits that the issues name as their fix."""
    tag, repository = env.release.tag, env.release.repository
    limit_s = env.time_limits.probe
    commit = _git(repository, limit_s, "rev-parse", "--verify", f"{tag}^{{commit}}").strip()
    held = set(_git(repository, limit_s, "rev-list", commit).split())
    named = sorted({one.fix_commit for one in issues.all if one.fix_commit})
    inside = tuple(one for one in named if _is_among(one, held))
    return Fixes(tag, commit, inside, tuple(one for one in named if one not in inside))


@probe()
def release_authors(env: Environment) -> Authors:
    """Who wrote what the candidate has and the version before it has not, from the commits."""
    release, limit_s = env.release, env.time_limits.probe
    span = f"{release.previous_tag}..{release.tag}"
    commits = _git(release.repository, limit_s, "rev-list", span).split()
    if not commits:
        raise ProbeError(
            f"the commits of {span}",
            f"there is none in {release.repository}",
            "check [release] in the environment file, and fetch the repository's tags",
        )
    trailers = "%(trailers:key=Co-authored-by,valueonly,unfold)"
    reported = _git(release.repository, limit_s, "log", f"--format=%aN <%aE>%n{trailers}", span)
    wrote = {
        tuple(_AUTHOR.findall(line)[0]) for line in reported.splitlines() if _AUTHOR.search(line)
    }
    if not wrote:
        raise ProbeError(f"the authors of {span}", "no commit names one", "look at `git log`")
    return Authors(span, len(commits), tuple(sorted(wrote)))


def _is_among(named: str, commits: set[str]) -> bool:
    """Whether a name, in full or shortened, is one of the commits."""
    if named in commits:
        return True
    return bool(_SHORT.fullmatch(named)) and any(one.startswith(named) for one in commits)


def _git(repository: str, limit_s: float, *words: str) -> str:
    subject = f"the commits of {repository}"
    step = "check [release] in the environment file, and fetch the repository's tags"
    try:
        done = subprocess.run(
            ["git", "-C", repository, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limit_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        raise ProbeError(subject, e, step) from None
    if done.returncode != 0:
        raise ProbeError(subject, done.stderr.decode(errors="replace"), step)
    return done.stdout.decode()


@contextmanager
def _github(env: Environment) -> Iterator[Api]:
    reported = env.tracker
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", reported.repository):
        raise ProbeError(
            "the issue tracker",
            f"tracker.repository is {reported.repository!r}, which is not owner/name",
            _CONFIGURED,
        )
    url = f"{reported.url.rstrip('/')}/repos/{reported.repository}"
    version = {"X-GitHub-Api-Version": "2022-11-28"}
    with api(
        env, "the issue tracker", url, f"Bearer {reported.token.reveal()}", **version
    ) as github:
        yield github


def _all(github: Api, path: str, answer: type[list[Row]], **query: str | int) -> list[Row]:
    return [row for page in github.pages(path, answer, per_page=_PER_PAGE, **query) for row in page]


def _milestone(github: Api, reported: Tracker) -> _Milestone:
    there = _all(github, "/milestones", list[_Milestone], state="all")
    for one in there:
        if one.title == reported.milestone:
            return one
    names = ", ".join(one.title for one in there[:10]) or "none"
    raise ProbeError(
        f"the milestone {reported.milestone} of {reported.repository}",
        f"there is none of that title, only {names}",
        _CONFIGURED,
    )


def _launch_issues(github: Api, reported: Tracker, milestone: _Milestone) -> list[_Issue]:
    """Each once, in order of their numbers."""
    names = reported.labels
    labels = (
        *(names.known_issue, names.blocker, names.launch, names.question),
        *(names.condition, names.post_launch, names.finding),
    )
    queries: list[dict[str, str | int]] = [{"state": "all", "milestone": milestone.number}]
    queries += [{"state": "all", "labels": label} for label in labels]
    queries += [{"state": "open", "labels": label} for label in (names.critical, names.high)]
    found = {
        one.number: one
        for query in queries
        for one in _all(github, "/issues", list[_Issue], **query)
    }
    return [found[number] for number in sorted(found)]


def _issue(reported: _Issue, events: list[_Event], names: TrackerLabels) -> Issue:
    labels = tuple(label.name for label in reported.labels)
    events = sorted(events, key=lambda e: e.created_at)
    closings = [e for e in events if e.event == "closed"]
    verified = None
    if reported.state == "closed" and names.verified in labels:
        verified = next(
            (
                e
                for e in reversed(events)
                if e.event == "labeled" and e.label and e.label.name == names.verified
            ),
            None,
        )
    if verified and closings and verified.created_at < closings[-1].created_at:
        verified = None  # that was before it was opened again
    fields = _fields(reported.body or "")
    commits = [e.commit_id for e in reversed(closings)]
    commits += [e.commit_id for e in reversed(events) if e.event == "referenced"]
    milestone = reported.milestone
    return Issue(
        number=reported.number,
        title=reported.title,
        url=reported.html_url,
        state=reported.state,
        labels=labels,
        severity=_severity(labels, names),
        milestone=milestone.title if milestone else "",
        assignees=tuple(one.login for one in reported.assignees),
        author=_login(reported.user),
        opened_at=reported.created_at,
        closed_at=reported.closed_at,
        closed_by=_login(reported.closed_by or (closings[-1].actor if closings else None))
        if reported.state == "closed"
        else "",
        commits=tuple(dict.fromkeys(one for one in commits if one)),
        reopened_at=tuple(e.created_at for e in events if e.event == "reopened"),
        verified_by=_login(verified.actor) if verified else "",
        verified_at=verified.created_at if verified else None,
        severity_changes=tuple(_severity_changes(events, names)),
        due=_date(fields.get("Due", ""))
        or (milestone.due_on.date() if milestone and milestone.due_on else None),
        fields=fields,
        text_sha256=hashlib.sha256((reported.body or "").encode()).hexdigest(),
    )


def _severity(labels: Iterable[str], names: TrackerLabels) -> str:
    there = set(labels)
    return next((one for one in SEVERITIES if getattr(names, one) in there), "")


def _severity_changes(events: list[_Event], names: TrackerLabels) -> Iterator[SeverityChange]:
    there: set[str] = set()
    before = ""
    for event in events:
        if event.label is None or event.event not in {"labeled", "unlabeled"}:
            continue
        if event.event == "labeled":
            there.add(event.label.name)
        else:
            there.discard(event.label.name)
        # Between taking one label off and putting another on, it has none.
        after = _severity(there, names)
        if after and before and after != before:
            yield SeverityChange(event.created_at, _login(event.actor), before, after)
        before = after or before


_LINE = re.compile(r"([A-Z][\w -]{0,40}): (.*\S)")
_HEADING = re.compile(r"^### +(\S.{0,60}?)[ \t]*\n+((?:(?!#).*\n?)*)", re.MULTILINE)


def _fields(body: str) -> dict[str, str]:
    """What a text says by name: its form's headings, and the lines of its last paragraph."""
    *above, last = re.split(r"\n\s*\n", body.replace("\r\n", "\n").strip())
    lines = [_LINE.fullmatch(line.strip()) for line in last.split("\n")]
    named = {line[1]: line[2] for line in lines if line is not None}
    forms = _HEADING.findall("\n\n".join(above if named else [*above, last]) + "\n")
    return {name: text.strip() for name, text in forms if text.strip()} | named


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _pull_request(reported: _Pull, reviews: list[_Review]) -> PullRequest:
    author = _login(reported.user)
    last: dict[str, str] = {}
    for review in reviews:  # oldest first; a comment takes nothing back
        if review.user and review.state in {"APPROVED", "CHANGES_REQUESTED", "DISMISSED"}:
            last[review.user.login] = review.state
    last.pop(author, None)
    return PullRequest(
        number=reported.number,
        title=reported.title,
        url=reported.html_url,
        author=author,
        state=reported.state,
        merged_at=reported.merged_at,
        merged_by=_login(reported.merged_by),
        merge_commit=(reported.merge_commit_sha or "") if reported.merged_at else "",
        approvals=tuple(sorted(who for who, state in last.items() if state == "APPROVED")),
        objections=tuple(sorted(w for w, state in last.items() if state == "CHANGES_REQUESTED")),
    )


def _login(user: _User | None) -> str:
    """Empty for an account that is no more, as GitHub tells them."""
    return user.login if user else ""
