"""The tracker on literal answers as GitHub gives them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from golive.environments import Environment, TimeLimits
from golive.probes.saas import tracker
from golive.probes.saas.tracker import CheckRun, Issue, Issues, SeverityChange
from golive.verdicts import ProbeError
from tests.conftest import SECRET
from tests.golive.probes.answering import Service, answering

EnvWith = Callable[..., Environment]
REPO = "/repos/acme/shop"
LABELS = {
    "critical": "S1",
    "high": "S2",
    "medium": "S3",
    "low": "S4",
    "known_issue": "known issue",
    "blocker": "blocker",
    "launch": "launch",
    "question": "question",
    "condition": "condition",
    "post_launch": "later",
    "finding": "finding",
    "verified": "verified",
}
FIX = "1" * 40
MORNING = "2026-11-20T08:00:00Z"


def user(login: str) -> dict[str, str]:
    return {"login": login, "type": "User"}


def issue(number: int, *labels: str, **changes: Any) -> dict[str, Any]:
    """An issue as a list of GitHub's holds it, with a few of the keys that nobody reads."""
    return {
        "id": 1,
        "number": number,
        "title": f"Issue {number}",
        "html_url": f"https://github.com/acme/shop/issues/{number}",
        "state": "open",
        "labels": [{"name": one, "color": "ededed"} for one in labels],
        "created_at": MORNING,
        "user": user("ada"),
        "assignees": [user("bob")],
        "milestone": {"number": 7, "title": "v2", "due_on": "2026-12-07T08:00:00Z"},
        "body": None,
        "closed_at": None,
        "closed_by": None,
        **changes,
    }


def event(kind: str, at: str, by: str = "ada", **more: Any) -> dict[str, Any]:
    if "label" in more:
        more["label"] = {"name": more["label"], "color": "ededed"}
    return {"id": 1, "event": kind, "created_at": at, "actor": user(by), **more}


class GitHub:
    """A repository's answers; the lists of labels that nothing is said of are empty."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.says("/labels?per_page=100", [{"name": one} for one in LABELS.values()])
        self.says("/milestones?per_page=100&state=all", [{"number": 7, "title": "v2"}])
        self.list("state=all&milestone=7")
        for key, label in LABELS.items():
            if key in {"critical", "high"}:
                self.list(f"state=open&labels={label}")
            elif key not in {"medium", "low", "verified"}:
                self.list(f"state=all&labels={label.replace(' ', '+')}")

    def says(self, path: str, body: Any, **more: Any) -> None:
        self.service.says(REPO + path, body, **more)

    def list(self, query: str, *found: dict[str, Any]) -> None:
        self.says(f"/issues?per_page=100&{query}", list(found))
        for one in found:
            self.says(f"/issues/{one['number']}/events?per_page=100", [])

    def history(self, number: int, *events: dict[str, Any]) -> None:
        self.says(f"/issues/{number}/events?per_page=100", list(events))


@pytest.fixture
def github() -> Iterator[GitHub]:
    with answering() as service:
        yield GitHub(service)


@pytest.fixture
def env(env_with: EnvWith, github: GitHub) -> Environment:
    reported = {"url": github.service.url, "repository": "acme/shop", "milestone": "v2"}
    return env_with(
        tracker={**reported, "labels": LABELS, "required_checks": ["build"], "canary": 4}
    )


def only(env: Environment, github: GitHub, *events: dict[str, Any], **changes: Any) -> Issue:
    """The one issue that there is."""
    github.list("state=all&milestone=7", issue(1, *changes.pop("labels", ()), **changes))
    github.history(1, *events)
    [one] = tracker.issues(env).all
    return one


def test_an_issue_is_told_with_its_owner_its_severity_and_its_day(
    env: Environment, github: GitHub
) -> None:
    one = only(env, github, labels=("ui", "S3", "S2"))
    assert str(one) == "#1 Issue 1"
    assert (one.is_open, one.severity, one.owner, one.milestone) == (True, "high", "bob", "v2")
    assert one.due == date(2026, 12, 7)
    assert one.opened_at == datetime(2026, 11, 20, 8, tzinfo=UTC)
    assert (one.closed_at, one.closed_by, one.fix_commit, one.verified_by) == (None, "", "", "")


def test_what_github_has_no_field_for_is_read_from_the_text(
    env: Environment, github: GitHub
) -> None:
    form = "### Impact\n\nNobody can pay\r\nby card\n\n### Empty\n\n### Owner\nbob\n\n"
    body = f"{form}It broke. Note: this is prose.\n\nDue: 2026-12-01\nRetest: D-14.1.1\nnot a field"
    one = only(env, github, body=body)
    assert one.fields == {
        "Impact": "Nobody can pay\nby card",
        "Owner": "bob\n\nIt broke. Note: this is prose.",
        "Due": "2026-12-01",
        "Retest": "D-14.1.1",
    }
    assert one.due == date(2026, 12, 1)


@pytest.mark.parametrize("text", ["soon", "2026-13-01", "tomorrow 2026-12-01"])
def test_a_day_that_is_none_is_not_guessed(env: Environment, github: GitHub, text: str) -> None:
    one = only(env, github, body=f"Broken.\n\nDue: {text}", milestone=None)
    assert (one.due, one.milestone) == (None, "")


def test_a_closed_issue_tells_fix_and_verifier(env: Environment, github: GitHub) -> None:
    one = only(
        env,
        github,
        event("referenced", "2026-11-20T09:00:00Z", commit_id="2" * 40),
        event("closed", "2026-11-20T10:00:00Z", "bob", commit_id=FIX),
        event("labeled", "2026-11-20T11:00:00Z", "eve", label="verified"),
        labels=("verified",),
        state="closed",
        closed_at="2026-11-20T10:00:00Z",
        closed_by=user("bob"),
    )
    assert (one.fix_commit, one.commits) == (FIX, (FIX, "2" * 40))
    assert (one.closed_by, one.verified_by) == ("bob", "eve")
    assert one.verified_at == datetime(2026, 11, 20, 11, tzinfo=UTC)


def test_a_fix_is_verified_anew_after_it_was_opened_again(env: Environment, github: GitHub) -> None:
    one = only(
        env,
        github,
        event("closed", "2026-11-20T10:00:00Z", commit_id="2" * 40),
        event("labeled", "2026-11-20T11:00:00Z", "eve", label="verified"),
        event("reopened", "2026-11-21T10:00:00Z"),
        event("closed", "2026-11-22T10:00:00Z", commit_id=FIX),
        labels=("verified",),
        state="closed",
        closed_at="2026-11-22T10:00:00Z",
    )
    assert one.verified_by == ""
    assert one.fix_commit == FIX
    assert one.reopened_at == (datetime(2026, 11, 21, 10, tzinfo=UTC),)


def test_an_open_issue_is_not_verified(env: Environment, github: GitHub) -> None:
    seen = event("labeled", MORNING, "eve", label="verified")
    assert only(env, github, seen, labels=("verified",)).verified_by == ""


def test_a_severity_that_was_lowered_is_told_with_who_did_it(
    env: Environment, github: GitHub
) -> None:
    one = only(
        env,
        github,
        event("labeled", "2026-11-20T08:00:00Z", label="S3"),
        event("unlabeled", "2026-11-20T09:00:00Z", "eve", label="S3"),
        event("labeled", "2026-11-20T09:00:01Z", "eve", label="S1"),
        event("labeled", "2026-11-20T10:00:00Z", "bob", label="S2"),
        event("unlabeled", "2026-11-20T10:00:01Z", "bob", label="S1"),
        event("labeled", "2026-11-20T11:00:00Z", "bob", label="ui"),
        labels=("S2",),
    )
    first, second = one.severity_changes
    at = datetime(2026, 11, 20, 10, 0, 1, tzinfo=UTC)
    assert second == SeverityChange(at, "bob", "critical", "high")
    assert (first.before, first.after, first.by) == ("medium", "critical", "eve")
    assert (first.lowered, second.lowered) == (False, True)


def test_the_launchs_issues_are_those_of_milestone_labels_and_grave_ones_anywhere(
    env: Environment, github: GitHub
) -> None:
    elsewhere: dict[str, Any] = {"milestone": None}
    pull = issue(5, pull_request={"url": "x"})
    github.list("state=all&milestone=7", issue(4), pull)
    github.list("state=open&labels=S1", issue(3, "S1", **elsewhere), issue(4))
    github.list("state=all&labels=question", issue(2, "question", **elsewhere))
    found = tracker.issues(env)
    assert [one.number for one in found.all] == [2, 3, 4]
    assert [one.number for one in found.of_milestone()] == [4]
    assert [one.number for one in found.labelled(found.names.question)] == [2]
    assert found.get(4) is not None
    assert found.get(5) is None
    assert (found.canary, found.milestone) == (4, "v2")


def test_every_page_of_the_list_counts(env: Environment, github: GitHub) -> None:
    later = f"{github.service.url}{REPO}/issues?page=2"
    github.list("state=all&milestone=7", issue(1))
    first = f"{REPO}/issues?per_page=100&state=all&milestone=7"
    github.service.answers[first].headers["Link"] = f'<{later}>; rel="next"'
    github.says("/issues?page=2", [issue(2, "S1")])
    github.history(2)
    assert [one.severity for one in tracker.issues(env).all] == ["", "critical"]


def test_a_tracker_without_issues_is_a_fact_only_if_it_says_so(
    env: Environment, github: GitHub
) -> None:
    assert tracker.issues(env).all == ()
    github.says("/issues?per_page=100&state=all&labels=launch", {"message": "no"}, status=500)
    with pytest.raises(ProbeError, match="status 500"):
        tracker.issues(env)


def test_an_unread_history_is_no_empty_one(env: Environment, github: GitHub) -> None:
    github.list("state=all&milestone=7", issue(1))
    del github.service.answers[f"{REPO}/issues/1/events?per_page=100"]
    with pytest.raises(ProbeError, match="issues/1/events: status 404"):
        tracker.issues(env)


def test_a_milestone_of_another_name_is_named(env: Environment, github: GitHub) -> None:
    github.says("/milestones?per_page=100&state=all", [{"number": 1, "title": "v1"}])
    with pytest.raises(ProbeError, match="there is none of that title, only v1"):
        tracker.issues(env)


def test_a_repository_is_owner_and_name(env_with: EnvWith) -> None:
    env = env_with(tracker={"url": "http://127.0.0.1:1", "repository": "shop/../../user"})
    with pytest.raises(ProbeError, match=r"'shop/\.\./\.\./user', which is not owner/name"):
        tracker.issues(env)


def test_the_token_is_sent_and_never_shown(env: Environment, github: GitHub) -> None:
    tracker.issues(env)
    assert {h["Authorization"] for h in github.service.headers} == {f"Bearer {SECRET}"}
    github.says("/labels?per_page=100", {"message": "Bad credentials"}, status=401)
    with pytest.raises(ProbeError) as error:
        tracker.issues(env)
    assert SECRET not in str(error.value)
    assert "the secret in the environment file is valid" in error.value.next_step


def pulls(env: Environment, github: GitHub, *reviews: tuple[str, str]) -> tracker.PullRequest:
    github.list("state=all&milestone=7", issue(1), issue(5, pull_request={"url": "x"}))
    reported = {
        "number": 5,
        "title": "Fix",
        "html_url": "u",
        "state": "closed",
        "user": user("ada"),
        "merged_at": MORNING,
        "merged_by": user("bob"),
        "merge_commit_sha": FIX,
    }
    github.says("/pulls/5", reported)
    said = [{"state": state, "user": user(who)} for who, state in reviews]
    github.says("/pulls/5/reviews?per_page=100", said)
    [one] = tracker.pull_requests(env)
    return one


def test_approvals_are_of_others_and_of_their_last_word(env: Environment, github: GitHub) -> None:
    one = pulls(
        env,
        github,
        ("ada", "APPROVED"),
        ("bob", "APPROVED"),
        ("eve", "APPROVED"),
        ("eve", "CHANGES_REQUESTED"),
        ("joe", "CHANGES_REQUESTED"),
        ("joe", "APPROVED"),
        ("joe", "COMMENTED"),
        ("kim", "APPROVED"),
        ("kim", "DISMISSED"),
    )
    assert (one.approvals, one.objections) == (("bob", "joe"), ("eve",))
    assert (one.merge_commit, one.author, one.merged_by) == (FIX, "ada", "bob")


def test_check_runs_are_those_of_the_candidates_commit(env: Environment, github: GitHub) -> None:
    github.says("/commits/x", {"sha": FIX})
    runs = [
        {"name": "build", "status": "completed", "conclusion": "success"},
        {"name": "unit", "status": "in_progress", "conclusion": None},
    ]
    path = f"/commits/{FIX}/check-runs?per_page=100"
    github.says(path, {"total_count": 2, "check_runs": runs})
    found = tracker.check_runs(env)
    assert (found.tag, found.commit, found.required) == ("x", FIX, ("build",))
    assert found.runs == (
        CheckRun("build", "completed", "success"),
        CheckRun("unit", "in_progress", ""),
    )
    assert [one.succeeded for one in found.runs] == [True, False]
    github.says(path, {"total_count": 3, "check_runs": runs})
    with pytest.raises(ProbeError, match="3 were announced, 2 came"):
        tracker.check_runs(env)


def test_a_fix_counts_only_if_the_candidate_holds_it(env_with: EnvWith, tmp_path: Path) -> None:
    def git(*words: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@b.example"]
        command = ["git", "-C", str(tmp_path), *who, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet", "--initial-branch=main")
    git("commit", "--quiet", "--allow-empty", "--message", "one")
    held = git("rev-parse", "HEAD")
    git("commit", "--quiet", "--allow-empty", "--message", "two")
    git("tag", "--annotate", "v2", "--message", "two")
    git("commit", "--quiet", "--allow-empty", "--message", "after it")
    late = git("rev-parse", "HEAD")
    env = env_with(release={"repository": str(tmp_path), "tag": "v2"})
    unknown = "f" * 40
    found = tracker.fixes(env, issues_fixed_by(env, held, held[:8], late, unknown, "HEAD", ""))
    assert found.commit == git("rev-parse", "v2^{commit}")
    assert set(found.contained) == {held, held[:8]}
    assert set(found.not_contained) == {late, unknown, "HEAD"}
    with pytest.raises(ProbeError, match="the commits of /nonexistent"):
        tracker.fixes(env_with(release={"repository": "/nonexistent"}), issues_fixed_by(env, held))


def issues_fixed_by(env: Environment, *commits: str) -> Issues:
    at = datetime(2026, 11, 20, tzinfo=UTC)
    return Issues(
        repository="acme/shop",
        milestone="v2",
        milestone_due=None,
        labels=(),
        names=env.tracker.labels,
        canary=0,
        all=tuple(
            Issue(
                number=n,
                title="t",
                url="u",
                state="closed",
                labels=(),
                severity="low",
                milestone="v2",
                assignees=(),
                author="ada",
                opened_at=at,
                closed_at=at,
                closed_by="bob",
                commits=(one,) if one else (),
                reopened_at=(),
                verified_by="",
                verified_at=None,
                severity_changes=(),
                due=None,
                fields={},
                text_sha256="",
            )
            for n, one in enumerate(commits)
        ),
    )


def test_authors_of_a_release_are_those_of_its_commits_and_their_co_authors(
    tmp_path: Path,
) -> None:
    def git(*words: str, who: str = "Ann <ann@example.com>") -> None:
        name, _, rest = who.partition(" <")
        own = {
            f"GIT_{r}_{k}": v
            for r in ("AUTHOR", "COMMITTER")
            for k, v in (("NAME", name), ("EMAIL", rest.rstrip(">")))
        }
        subprocess.run(["git", "-C", str(tmp_path), *words], env=os.environ | own, check=True)

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "first", who="Old Hand <old@example.com>")
    git("tag", "v1")
    git("commit", "-q", "--allow-empty", "-m", "second\n\nCo-authored-by: Bo Lee <bo@example.com>")
    git("tag", "v2")
    release = SimpleNamespace(repository=str(tmp_path), previous_tag="v1", tag="v2")
    env = cast(Environment, SimpleNamespace(release=release, time_limits=TimeLimits()))
    found = tracker.release_authors(env)
    assert found.people == (("Ann", "ann@example.com"), ("Bo Lee", "bo@example.com"))
    assert (found.span, found.commits) == ("v1..v2", 1)
    assert found.has("", "BO@example.com")
    assert found.has("ann", "another@example.com")
    assert not found.has("Old Hand", "old@example.com")
    release.tag = "v1"
    with pytest.raises(ProbeError, match=r"v1\.\.v1.*there is none"):
        tracker.release_authors(env)
    release.tag = "v9"
    with pytest.raises(ProbeError, match="v9"):
        tracker.release_authors(env)
