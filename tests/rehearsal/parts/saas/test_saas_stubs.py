"""The services that people work with, as the rehearsal serves them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from rehearsal.faults.saas import saas_stubs as faults
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.saas.saas_stubs import (
    FLAGS_TOKEN,
    PARTS,
    STATUS_KEY,
    TRACKER_TOKEN,
    address,
)
from rehearsal.staff import saas_stubs
from tests.rehearsal.lone_parts import running

REPO = f"/api/v3/repos/{saas_stubs.REPOSITORY}"


class Client:
    """Asks with the right secrets."""

    def __init__(self, r: Rehearsal) -> None:
        self.r = r
        self.http = httpx.Client(base_url=address(r, ""), trust_env=False, timeout=5)

    def secret(self, path: str) -> str:
        if path.startswith("/api/v3/"):
            return f"Bearer {self.r.secret(TRACKER_TOKEN)}"
        if path.startswith("/v1/"):
            return f"OAuth {self.r.secret(STATUS_KEY)}"
        return self.r.secret(FLAGS_TOKEN)

    def get(self, path: str) -> httpx.Response:
        path = path.removeprefix(str(self.http.base_url).rstrip("/"))
        return self.http.get(path, headers={"Authorization": self.secret(path)})

    def json(self, path: str) -> Any:
        return self.get(path).raise_for_status().json()

    def issues(self, query: str = "state=all") -> list[dict[str, Any]]:
        """Every page of a list."""
        found, path = [], f"{REPO}/issues?{query}"
        while path:
            response = self.get(path).raise_for_status()
            found += response.json()
            path = response.links.get("next", {}).get("url", "")
        return found


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    r = Rehearsal(tmp_path_factory.mktemp("saas-stubs"))
    [part] = PARTS
    with running(r, part):
        client = Client(r)
        yield client
        client.http.close()


@pytest.fixture(autouse=True)
def _whole(client: Client) -> Iterator[None]:
    yield
    client.r.clear_override("saas-stubs")


@pytest.mark.parametrize(
    "path",
    [f"{REPO}/issues", "/v1/pages/bb2launchpage", "/api/client/features"],
)
@pytest.mark.parametrize("secret", [None, "Bearer wrong", "OAuth wrong", "wrong", "token"])
def test_without_its_secret_a_service_says_nothing(
    client: Client, path: str, secret: str | None
) -> None:
    headers = {"Authorization": secret} if secret else {}
    assert client.http.get(path, headers=headers).status_code == 401


def test_issues_come_in_pages_that_link_to_one_another(client: Client) -> None:
    first = client.get(f"{REPO}/issues?state=all&per_page=100")
    assert len(first.json()) == 20
    assert {"next", "last"} == set(first.links)
    last = client.get(first.links["last"]["url"])
    assert {"first", "prev"} == set(last.links)
    everything = client.issues()
    numbers = [one["number"] for one in everything]
    assert numbers == sorted(set(numbers), reverse=True)
    assert len(everything) == len(saas_stubs.state(client.r.folder)["tracker"]["issues"]) + 4


def test_a_list_holds_what_its_parameters_say(client: Client) -> None:
    still_open = client.issues("")
    assert {one["state"] for one in still_open} == {"open"}
    assert {label["name"] for one in still_open for label in one["labels"]} >= {"known-issue"}
    assert client.issues("labels=launch-question") == []
    asked = client.issues("state=closed&labels=launch-question")
    assert len(asked) == 4
    assert all(one["milestone"] is None for one in asked)
    assert len(client.issues("state=all&milestone=1")) + len(
        client.issues("state=all&milestone=none")
    ) == len(client.issues())
    assert client.issues("state=all&labels=no-such") == []


@pytest.mark.parametrize("query", ["state=shut", "milestone=v2.0.0", "page=two"])
def test_a_parameter_that_github_refuses_is_refused(client: Client, query: str) -> None:
    assert client.get(f"{REPO}/issues?{query}").status_code == 422


def test_at_first_the_tracker_is_as_a_launch_wants_it(client: Client) -> None:
    found = [one for one in client.issues() if "pull_request" not in one]
    by_severity = {
        severity: [
            one for one in found if f"severity: {severity}" in {x["name"] for x in one["labels"]}
        ]
        for severity in saas_stubs.SEVERITIES
    }
    closed = [one for one in found if one["state"] == "closed"]
    assert len(closed) >= 30
    assert all(by_severity.values())
    for serious in by_severity["critical"] + by_severity["high"]:
        assert serious["state"] == "closed"
        assert "verified" in {label["name"] for label in serious["labels"]}
    for waits in (one for one in found if one["state"] == "open"):
        assert waits["assignees"]
        assert "Due: 2026-" in waits["body"]
    assert saas_stubs.CANARY in {one["number"] for one in closed}
    assert all(one["opened"] <= saas_stubs.written(datetime.now(UTC)) for one in issues_of(client))


def issues_of(client: Client) -> list[dict[str, Any]]:
    return list(saas_stubs.state(client.r.folder)["tracker"]["issues"].values())


def test_whoever_verified_is_not_who_fixed(client: Client) -> None:
    events = client.json(f"{REPO}/issues/302/events")
    assert [one["event"] for one in events] == ["labeled", "assigned", "closed", "labeled"]
    *_, closed, verified = events
    assert verified["label"]["name"] == "verified"
    assert closed["actor"]["login"] != verified["actor"]["login"]
    assert closed["created_at"] < verified["created_at"]
    assert client.json(f"{REPO}/issues/302")["closed_by"] == closed["actor"]


def test_every_closed_issue_was_opened_and_closed_in_that_order(client: Client) -> None:
    for one in issues_of(client):
        if one["closed"]:
            assert one["opened"] < one["closed"] < saas_stubs.written(datetime.now(UTC))


def test_pull_requests_are_merged_with_approvals_of_others(client: Client) -> None:
    pulls = [one for one in client.issues("state=all&milestone=1") if "pull_request" in one]
    assert pulls
    for one in pulls:
        pull = client.json(f"{REPO}/pulls/{one['number']}")
        reviews = client.json(f"{REPO}/pulls/{one['number']}/reviews")
        assert pull["merged"]
        approvers = {review["user"]["login"] for review in reviews}
        assert len(approvers - {pull["user"]["login"]}) >= 2


def test_commits_are_those_of_the_release_repository(client: Client) -> None:
    from rehearsal.data import release

    assert client.get(f"{REPO}/commits/{saas_stubs.CANDIDATE}").status_code == 422
    assert client.json(f"{REPO}/issues/302/events")[2]["commit_id"] is None
    release.publish(client.r)
    commit = client.json(f"{REPO}/commits/{saas_stubs.CANDIDATE}")["sha"]
    assert client.json(f"{REPO}/issues/302/events")[2]["commit_id"] == commit
    checks = client.json(f"{REPO}/commits/{saas_stubs.CANDIDATE}/check-runs")
    assert checks["total_count"] == len(saas_stubs.CHECKS)
    assert {one["conclusion"] for one in checks["check_runs"]} == {"success"}
    assert client.json(f"{REPO}/commits/v1.9.0/check-runs")["total_count"] == 0
    assert client.get(f"{REPO}/commits/--help").status_code == 422
    faults.check_concluded(client.r, "red", "unit tests", "failure")
    faults.check_concluded(client.r, "never", "build", None)
    runs = client.json(f"{REPO}/commits/{commit}/check-runs")["check_runs"]
    assert {one["name"]: one["conclusion"] for one in runs}["unit tests"] == "failure"
    assert "build" not in {one["name"] for one in runs}


def test_a_fault_of_an_issue_shows_at_once_and_heals_by_itself(client: Client) -> None:
    before = client.issues()
    faults.with_issue(
        client.r, "new", severity="critical", labels=["launch"], title="<b>Broken</b>"
    )
    faults.reopened(client.r, "again", 303)
    faults.change_issue(client.r, "nobody", 337, assignees=[])
    faults.relabelled(
        client.r, "less", 302, off="severity: critical", on="severity: low", by="ivan"
    )
    new, *_ = client.issues("labels=severity: critical")
    assert (new["number"], new["state"], new["closed_at"]) == (faults.NEW, "open", None)
    assert client.json(f"{REPO}/issues/303")["state"] == "open"
    assert client.json(f"{REPO}/issues/303/events")[-1]["event"] == "reopened"
    assert client.json(f"{REPO}/issues/337")["assignees"] == []
    assert client.json(f"{REPO}/issues/302/events")[-1]["label"]["name"] == "severity: low"
    assert "&lt;b&gt;Broken" in client.get(f"/{saas_stubs.REPOSITORY}/issues/901").text
    for name in ("again", "nobody", "less"):
        faults.restore(client.r, name)
    assert len(client.issues()) == len(before) + 1
    faults.restore(client.r, "new")
    assert client.issues() == before


def test_a_verb_names_what_it_does_not_find(client: Client) -> None:
    with pytest.raises(RehearsalError, match="The tracker has no 999 among its issues"):
        faults.reopened(client.r, "again", 999)


def test_a_label_that_is_deleted_goes_from_every_issue(client: Client) -> None:
    def labels() -> set[str]:
        pages = [client.json(f"{REPO}/labels?per_page=20&page={n}") for n in (1, 2)]
        return {one["name"] for page in pages for one in page}

    assert labels() == set(saas_stubs.LABELS)
    faults.without_label(client.r, "gone", "launch-question")
    assert labels() == set(saas_stubs.LABELS) - {"launch-question"}
    assert client.issues("state=all&labels=launch-question") == []


def test_an_approval_can_be_the_authors_only(client: Client) -> None:
    number = next(one["number"] for one in client.issues() if "pull_request" in one)
    author = client.json(f"{REPO}/pulls/{number}")["user"]["login"]
    faults.approved_by(client.r, "own", number, author)
    [review] = client.json(f"{REPO}/pulls/{number}/reviews")
    assert review["user"]["login"] == author


def test_the_status_page_announces_the_launch(client: Client) -> None:
    page = f"/v1/pages/{saas_stubs.PAGE}"
    assert client.json(page)["name"] == "BookedBarber"
    names = [one["name"] for one in client.json(f"{page}/components")]
    assert names == list(saas_stubs.COMPONENTS)
    [planned] = client.json(f"{page}/incidents/scheduled.json")
    assert planned["scheduled_for"] == "2026-12-07T09:00:00Z"
    assert planned["scheduled_until"] == "2026-12-07T13:00:00Z"
    incidents = client.json(f"{page}/incidents")
    assert [one["status"] for one in incidents] == ["scheduled", "resolved"]
    assert client.json(f"{page}/incidents?limit=1&page=2") == incidents[1:]
    people = client.json(f"/v1/organizations/{saas_stubs.ORGANIZATION}/users")
    assert f"tess@{saas_stubs.MAIL}" in {one["email"] for one in people}
    assert "Upgrade to v2.0.0: scheduled" in client.get("/status").text
    faults.incident_gone(client.r, "gone")
    faults.user_gone(client.r, "left", f"tess@{saas_stubs.MAIL}")
    assert client.json(f"{page}/incidents/scheduled") == []
    people = client.json(f"/v1/organizations/{saas_stubs.ORGANIZATION}/users")
    assert f"tess@{saas_stubs.MAIL}" not in {one["email"] for one in people}


def test_flags_are_told_to_clients_and_to_administrators(client: Client) -> None:
    reported = {one["name"]: one for one in client.json("/api/client/features")["features"]}
    assert set(reported) == set(saas_stubs.FLAGS)
    assert {name for name, one in reported.items() if not one["enabled"]} == set(saas_stubs.OFF)
    admin = client.json("/api/admin/projects/default/features")["features"]
    assert {one["name"] for one in admin} == set(saas_stubs.FLAGS)
    faults.flag_gone(client.r, "gone", "booking-v2")
    faults.flag_off(client.r, "off", "calendar-sync")
    reported = {one["name"]: one for one in client.json("/api/client/features")["features"]}
    assert "booking-v2" not in reported
    assert not reported["calendar-sync"]["enabled"]


@pytest.mark.parametrize(
    "path",
    [
        *("/bridge", "/bridge-backup", "/press", "/privacy", "/cookies"),
        *("/social/linkedin/launch", "/vendor/stripe", "/screens/system-health"),
    ],
)
def test_a_page_is_there_until_a_fault_takes_it(client: Client, path: str) -> None:
    assert client.get(path).status_code == 200
    faults.page_status(client.r, "gone", path, 404)
    assert client.get(path).status_code == 404
    faults.restore(client.r, "gone")
    assert client.get(path).status_code == 200


def test_a_page_says_what_it_is_told(client: Client) -> None:
    faults.page_says(client.r, "other", "/press", lines=["<script>"], links=["http://x/?a&b"])
    page = client.get("/press").text
    assert "<p>&lt;script&gt;</p>" in page
    assert 'href="http://x/?a&amp;b"' in page
    assert client.get("/no-such-page").status_code == 404


@pytest.mark.parametrize(
    ("service", "path"),
    [
        ("tracker", f"{REPO}/issues"),
        ("status_page", "/v1/pages/bb2launchpage"),
        ("flags", "/api/client/features"),
    ],
)
def test_one_service_can_be_down_while_others_answer(
    client: Client, service: str, path: str
) -> None:
    faults.service_answers(client.r, "down", service, 503)
    assert client.get(path).status_code == 503
    assert client.get("/bridge").status_code == 200


def test_days_hang_on_the_first_start(client: Client) -> None:
    assert saas_stubs.first_up(client.r.folder) == saas_stubs.first_up(client.r.folder)
    since = datetime(2026, 11, 1, 12, 30, 15, tzinfo=UTC)
    one, other = (saas_stubs.defaults(since, "c"), saas_stubs.defaults(since, "c"))
    assert one == other
    later = saas_stubs.defaults(since + timedelta(days=1), "c")["tracker"]["issues"]
    assert later["302"]["opened"] > one["tracker"]["issues"]["302"]["opened"]
    json.dumps(one)


def test_patches_merge_tables_and_take_out_what_is_none() -> None:
    below = {"a": {"b": 1, "c": [1, 2]}, "d": 1}
    assert saas_stubs.merged(below, {"a": {"c": [3], "e": {"f": 1}}, "d": None}) == {
        "a": {"b": 1, "c": [3], "e": {"f": 1}}
    }
    assert below == {"a": {"b": 1, "c": [1, 2]}, "d": 1}
