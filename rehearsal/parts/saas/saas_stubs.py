"""The services that people work with, each speaking its real API, in one process.

    /api/v3/...      issue tracker: GitHub's REST API (as of an Enterprise server)
    /v3/             Stripe.js, as far as a payment page needs it
    /v1/...          status page: Atlassian Statuspage's REST API
    /api/client/features, /api/admin/projects/default/features      feature flags: Unleash
    .../features/NAME/environments/production/on (or off)           switches one
    anything else    pages: bridges, posts, press, vendors, notices, screens, /status

What they say is `rehearsal.staff.saas_stubs.state`, taken again whenever settings or the release
change, so that a fault is one `r.override("saas-stubs", NAME={...})`. The table `answers` of a
service makes all of it answer with that status.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from hmac import compare_digest
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from rehearsal.parts import Endpoints, Part
from rehearsal.staff import saas_stubs

if TYPE_CHECKING:
    from rehearsal.kernel.world import Rehearsal

TRACKER_TOKEN, STATUS_KEY = "tracker-token", "status-page-key"
FLAGS_TOKEN, FLAGS_ADMIN_TOKEN = "flags-token", "flags-admin-token"
CARD_SCRIPT = Path(__file__).with_name("card.js")
CARD_FRAME = (
    b"<!doctype html><html lang='en'><title>Card</title><label>Card number"
    b" <input name='cardnumber' autocomplete='cc-number' inputmode='numeric'></label></html>"
)
MOST_PER_PAGE = 20
"""GitHub's is 100. Whoever reads the first page only is to notice here as well."""
Query = dict[str, str]


class SaasStubs(Part):
    name = "saas-stubs"
    title = "issue tracker, status page, flags, pages"

    def command(self, r: Rehearsal) -> list[str]:
        words = [str(r.port(self.name)), str(r.folder)]
        return [sys.executable, "-m", "rehearsal.parts.saas.saas_stubs", *words]

    def environment(self, r: Rehearsal) -> dict[str, str]:
        return {
            "SAAS_TRACKER_TOKEN": r.secret(TRACKER_TOKEN),
            "SAAS_STATUS_KEY": r.secret(STATUS_KEY),
            "SAAS_FLAGS_TOKEN": r.secret(FLAGS_TOKEN),
            "SAAS_FLAGS_ADMIN_TOKEN": r.secret(FLAGS_ADMIN_TOKEN),
        }

    def endpoints(self, r: Rehearsal) -> Endpoints:
        return {
            "tracker": {
                "url": r.url(self.name, "/api/v3"),
                "repository": saas_stubs.REPOSITORY,
                "token": r.secret_reference(TRACKER_TOKEN),
                "canary": saas_stubs.CANARY,
            },
            "status_page": {
                "url": r.url(self.name, "/v1"),
                "page": saas_stubs.PAGE,
                "key": r.secret_reference(STATUS_KEY),
                "organization": saas_stubs.ORGANIZATION,
                "public_url": r.url(self.name, "/status"),
            },
            "flags": {
                "url": r.url(self.name, "/api"),
                "token": r.secret_reference(FLAGS_TOKEN),
                "admin_token": r.secret_reference(FLAGS_ADMIN_TOKEN),
                "editor_token": r.secret_reference(FLAGS_ADMIN_TOKEN),
            },
            "stripe": {"card_origin": r.url(self.name)},
        }


def address(r: Rehearsal, path: str) -> str:
    """Where a page is, e.g. `/bridge`, for papers and statements that name it."""
    return f"http://127.0.0.1:{r.port('saas-stubs')}{path}"


class Refused(Exception):
    """An answer other than 200: its status, and what the service says."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.status, self.body = status, body


class Context:
    """The state, as settings and the release stand now."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = Lock()
        self._stamp: object = None
        self._state: dict[str, Any] = {}
        self._switched: dict[str, bool] = {}

    def state(self) -> dict[str, Any]:
        tag = self._folder / "release.git" / "refs" / "tags" / saas_stubs.CANDIDATE
        packed = self._folder / "release.git" / "packed-refs"
        stamp = [_stamp(p) for p in (self._folder / "state" / "overrides.json", tag, packed)]
        with self._lock:
            if stamp != self._stamp:
                self._state, self._stamp = saas_stubs.state(self._folder), stamp
            return self._state

    def flags(self) -> dict[str, Any]:
        """Every flag, as it was switched since the start."""
        flags = self.state()["flags"]
        return {n: {**f, "enabled": self._switched.get(n, f["enabled"])} for n, f in flags.items()}

    def switch(self, flag: str, *, on: bool) -> None:
        self._switched[flag] = on

    def commit(self, ref: str) -> str:
        """The commit of the release repository that a ref means; empty where it has none."""
        return saas_stubs.commit_of(self._folder / "release.git", ref)


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return (0, 0, 0)
    return (found.st_ino, found.st_mtime_ns, found.st_size)


# -- issue tracker -------------------------------------------------------------------------------


class Tracker:
    """GitHub's REST API over one repository."""

    def __init__(self, context: Context, url: str) -> None:
        self._context, self._url = context, url
        self.state: dict[str, Any] = context.state()["tracker"]

    def answer(self, path: str, query: Query) -> tuple[Any, str]:
        """The JSON document of a path, and its Link header.

        Raises Refused.
        """
        prefix = f"/repos/{saas_stubs.REPOSITORY}/"
        if not path.startswith(prefix):
            raise _not_found()
        words = path.removeprefix(prefix).split("/")
        match words:
            case ["issues"]:
                return self._page(path, query, self._listed(query))
            case ["issues", number]:
                return self._issue(number), ""
            case ["issues", number, "events"]:
                events = self._record(number).get("events", [])
                return self._page(path, query, [self._event(n, e) for n, e in enumerate(events)])
            case ["labels"]:
                return self._page(path, query, [self._label(name) for name in self.state["labels"]])
            case ["milestones"]:
                return self._page(path, query, [self._milestone()])
            case ["pulls", number]:
                return self._pull(number), ""
            case ["pulls", number, "reviews"]:
                reviews = self._found("pulls", number)["reviews"]
                return self._page(path, query, [self._review(n, r) for n, r in enumerate(reviews)])
            case ["commits", *ref] if ref and ref[-1] != "check-runs":
                return {"sha": self._commit("/".join(ref))}, ""
            case ["commits", *ref, "check-runs"] if ref:
                return self._check_runs(path, query, self._commit("/".join(ref)))
        raise _not_found()

    def _page(self, path: str, query: Query, found: list[Any]) -> tuple[list[Any], str]:
        try:
            page = max(1, int(query.get("page", 1)))
            size = min(MOST_PER_PAGE, max(1, int(query.get("per_page", 30))))
        except ValueError:
            raise Refused(422, {"message": "Validation Failed"}) from None
        last = max(1, -(-len(found) // size))
        others = {"first": 1, "prev": page - 1} if page > 1 else {}
        if page < last:
            others |= {"next": page + 1, "last": last}
        link = ", ".join(
            f'<{self._url}{path}?{urlencode({**query, "page": n})}>; rel="{name}"'
            for name, n in others.items()
        )
        return found[(page - 1) * size : page * size], link

    def _listed(self, query: Query) -> list[Any]:
        """Issues and pull requests, newest first, as the list's parameters say."""
        wanted = query.get("state", "open")
        labels = {one for one in query.get("labels", "").split(",") if one}
        milestone = query.get("milestone", "")
        if wanted not in {"open", "closed", "all"} or milestone not in {"", "*", "none", "1"}:
            raise Refused(422, {"message": "Validation Failed"})
        numbers = sorted([*self.state["issues"], *self.state["pulls"]], key=int, reverse=True)
        return [
            one
            for one in map(self._issue, numbers)
            if wanted in ("all", one["state"])
            and labels <= {label["name"] for label in one["labels"]}
            and (not milestone or bool(one["milestone"]) == (milestone != "none"))
        ]

    def _found(self, kind: str, number: str) -> dict[str, Any]:
        found = self.state[kind].get(number)
        if found is None:
            raise _not_found()
        return dict(found)

    def _record(self, number: str) -> dict[str, Any]:
        return self._found("pulls" if number in self.state["pulls"] else "issues", number)

    def _issue(self, number: str) -> dict[str, Any]:
        record = self._record(number)
        is_pull = number in self.state["pulls"]
        closed = (record["merged"] if is_pull else record["closed"]) or None
        closing = [e for e in record.get("events", []) if e["event"] == "closed"]
        by = record["merged_by"] if is_pull else closing[-1]["actor"] if closing else ""
        page = "pull" if is_pull else "issues"
        site, repository = self._url.removesuffix("/api/v3"), saas_stubs.REPOSITORY
        answer = {
            "id": 9_000_000 + int(number),
            "number": int(number),
            "url": f"{self._url}/repos/{repository}/issues/{number}",
            "html_url": f"{site}/{repository}/{page}/{number}",
            "title": record["title"],
            "body": record.get("body"),
            "user": _user(record["author"]),
            # A label that is taken out of the tracker goes from every issue as well.
            "labels": [
                self._label(name)
                for name in record.get("labels", [])
                if name in self.state["labels"]
            ],
            "state": "closed" if closed else "open",
            "state_reason": "completed" if closed else None,
            "assignees": [_user(one) for one in record.get("assignees", [])],
            "milestone": self._milestone() if record["milestone"] else None,
            "comments": 0,
            "created_at": record["opened"],
            "updated_at": closed or record["opened"],
            "closed_at": closed,
            "closed_by": _user(by) if closed and by else None,
        }
        if is_pull:
            url = f"{self._url}/repos/{saas_stubs.REPOSITORY}/pulls/{number}"
            answer["pull_request"] = {"url": url, "merged_at": closed}
        return answer

    def _event(self, n: int, event: dict[str, Any]) -> dict[str, Any]:
        answer = {
            "id": 7_000_000 + n,
            "actor": _user(event["actor"]),
            "event": event["event"],
            "commit_id": event.get("commit") or None,
            "created_at": event["at"],
        }
        if "label" in event:
            answer["label"] = {"name": event["label"], "color": "ededed"}
        if "to" in event:
            answer["assignee"] = _user(event["to"])
        return answer

    def _label(self, name: str) -> dict[str, Any]:
        return {"name": name, "color": "ededed", "description": self.state["labels"][name]}

    def _milestone(self) -> dict[str, Any]:
        reported = self.state["milestone"]
        due = f"{reported['due']}T00:00:00Z"
        return {"number": 1, "title": reported["title"], "state": "open", "due_on": due}

    def _pull(self, number: str) -> dict[str, Any]:
        record = self._found("pulls", number)
        return {
            **self._issue(number),
            "merged": bool(record["merged"]),
            "merged_at": record["merged"] or None,
            "merged_by": _user(record["merged_by"]) if record["merged"] else None,
            "merge_commit_sha": record["commit"] or None,
            "base": {"ref": "main"},
        }

    def _review(self, n: int, review: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": 8_000_000 + n,
            "user": _user(review["by"]),
            "state": review["state"],
            "submitted_at": review["at"],
        }

    def _commit(self, ref: str) -> str:
        found = self._context.commit(ref)
        if not found:
            raise Refused(422, {"message": f"No commit found for SHA: {ref}"})
        return found

    def _check_runs(self, path: str, query: Query, commit: str) -> tuple[Any, str]:
        # CI has run on what is released, whatever else the repository holds.
        checks = self.state["checks"] if commit == self.state["commit"] else {}
        runs = [
            {
                "id": 6_000_000 + n,
                "head_sha": commit,
                "name": name,
                "status": "completed" if conclusion else "in_progress",
                "conclusion": conclusion or None,
                "app": {"slug": "github-actions"},
            }
            for n, (name, conclusion) in enumerate(checks.items())
        ]
        page, link = self._page(path, query, runs)
        return {"total_count": len(runs), "check_runs": page}, link


def _user(login: str) -> dict[str, Any]:
    return {"login": login, "type": "User"}


def _not_found() -> Refused:
    return Refused(404, {"message": "Not Found", "documentation_url": "https://docs.github.com"})


# -- status page ---------------------------------------------------------------------------------


def status_page(reported: dict[str, Any], path: str, query: Query) -> Any:
    """Statuspage's REST API. Raises Refused."""
    path = path.removesuffix(".json")
    if path == f"/organizations/{saas_stubs.ORGANIZATION}/users":
        return _slice(query, "per_page", [_page_user(*one) for one in reported["users"].items()])
    page = f"/pages/{saas_stubs.PAGE}"
    if path == page:
        return {"id": saas_stubs.PAGE, "name": reported["name"], "time_zone": "UTC"}
    if path == f"{page}/components":
        return _slice(
            query, "per_page", [_component(*one) for one in reported["components"].items()]
        )
    if path in (f"{page}/incidents", f"{page}/incidents/scheduled"):
        found = [_incident(reported, *one) for one in reported["incidents"].items()]
        found.sort(key=lambda one: str(one["created_at"]), reverse=True)
        if path.endswith("scheduled"):
            return _slice(query, "per_page", [i for i in found if i["status"] == "scheduled"])
        return _slice(query, "limit", found)
    raise Refused(404, {"error": "not found"})


def _slice(query: Query, size: str, found: list[Any]) -> list[Any]:
    try:
        page, each = int(query.get("page", 1)), min(100, int(query.get(size, 100)))
    except ValueError:
        raise Refused(422, {"error": "page and its size are numbers"}) from None
    return found[(page - 1) * each : page * each]


def _id(kind: str, name: str) -> str:
    return sha256(f"{kind} {name}".encode()).hexdigest()[:12]


def _component(name: str, status: str) -> dict[str, Any]:
    return {
        "id": _id("component", name),
        "page_id": saas_stubs.PAGE,
        "name": name,
        "status": status,
        "group": False,
    }


def _page_user(mail: str, reported: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": _id("user", mail),
        "organization_id": saas_stubs.ORGANIZATION,
        "email": mail,
        "first_name": reported["name"],
    }


def _incident(reported: dict[str, Any], key: str, incident: dict[str, Any]) -> dict[str, Any]:
    updates = [
        {
            "id": _id("update", f"{key} {n}"),
            "status": update["status"],
            "body": update["text"],
            "display_at": update["at"],
            "created_at": update["at"],
        }
        for n, update in enumerate(incident["updates"])
    ]
    return {
        "id": _id("incident", key),
        "name": incident["name"],
        "status": incident["status"],
        "impact": incident["impact"],
        "created_at": incident["created"],
        "resolved_at": updates[-1]["created_at"] if incident["status"] == "resolved" else None,
        "scheduled_for": incident.get("from"),
        "scheduled_until": incident.get("until"),
        "incident_updates": updates[::-1],
        "components": [
            _component(name, reported["components"].get(name, "operational"))
            for name in incident["components"]
        ],
    }


# -- feature flags -------------------------------------------------------------------------------


def flags(reported: dict[str, Any], path: str) -> Any:
    """Unleash's client and admin API. Raises Refused."""
    if path == "/client/features":
        return {"version": 2, "features": [_client_flag(*one) for one in reported.items()]}
    if path == "/admin/projects/default/features":
        return {"version": 2, "features": [_admin_flag(*one) for one in reported.items()]}
    raise Refused(404, {"name": "NotFoundError", "message": f"The path {path} does not exist"})


def _flag_users(reported: dict[str, str]) -> Any:
    roles = [{"id": n, "name": name} for n, name in enumerate(("Admin", "Editor", "Viewer"), 1)]
    ids = {role["name"]: role["id"] for role in roles}
    users = [
        {"id": n, "email": mail, "username": mail.partition("@")[0], "rootRole": ids[role]}
        for n, (mail, role) in enumerate(reported.items(), 1)
    ]
    return {"users": users, "rootRoles": roles}


def _client_flag(name: str, flag: dict[str, Any]) -> dict[str, Any]:
    rollout = {"rollout": str(flag["rollout"]), "stickiness": "default", "groupId": name}
    return {
        "name": name,
        "type": "release",
        "description": flag["description"],
        "enabled": flag["enabled"],
        "stale": False,
        "project": "default",
        "strategies": [{"name": "flexibleRollout", "constraints": [], "parameters": rollout}],
        "variants": [],
    }


def _admin_flag(name: str, flag: dict[str, Any]) -> dict[str, Any]:
    reported = _client_flag(name, flag)
    environments = [{"name": "production", "enabled": reported["enabled"]}]
    keys = ("name", "type", "description", "stale", "project")
    return {**{key: reported[key] for key in keys}, "environments": environments}


# -- pages ---------------------------------------------------------------------------------------


def page(reported: dict[str, Any], path: str) -> tuple[int, str, str]:
    """Status, body and Location of a page."""
    if path == "/status":
        now = reported["status_page"]
        lines = [f"{name}: {status}" for name, status in now["components"].items()]
        lines += [f"{i['name']}: {i['status']}" for i in now["incidents"].values()]
        return 200, _html({"title": f"{now['name']} status", "lines": lines}), ""
    issue = re.fullmatch(rf"/{saas_stubs.REPOSITORY}/(issues|pull)/(\d+)", path)
    if issue:
        found = reported["tracker"]["issues" if issue[1] == "issues" else "pulls"].get(issue[2])
        if found is not None:
            return 200, _html({"title": found["title"], "lines": [found.get("body", "")]}), ""
    found = reported["pages"].get(path)
    if found is None:
        return 404, _html({"title": "There is no such page", "lines": []}), ""
    return found["status"], _html(found), found.get("location", "")


def _html(reported: dict[str, Any]) -> str:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    lines = [f"<p>{escape(line.replace('{now}', now))}</p>" for line in reported["lines"]]
    links = [
        f'<p><a href="{escape(link)}">{escape(link)}</a></p>' for link in reported.get("links", [])
    ]
    refresh = reported.get("refresh_s")
    again = f'<meta http-equiv="refresh" content="{int(refresh)}">' if refresh else ""
    title = escape(reported["title"])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{again}'
        f"<title>{title}</title></head><body><h1>{title}</h1>{''.join(lines + links)}</body></html>"
    )


# -- serving -------------------------------------------------------------------------------------


_SWITCH = re.compile(
    r"/api/admin/projects/default/features/(?P<flag>[\w.-]+)/environments/production/"
    r"(?P<state>on|off)"
)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and content leave together, or the client waits for the rest
    context: Context
    url: str

    def do_GET(self) -> None:
        split = urlsplit(self.path)
        path, query = unquote(split.path), dict(parse_qsl(split.query))
        services: tuple[tuple[str, str, Callable[[str], tuple[Any, str]]], ...] = (
            ("/api/v3", "tracker", lambda rest: self._tracker(rest, query)),
            ("/v1", "status_page", lambda rest: self._status_page(rest, query)),
            ("/api", "flags", self._flags),
        )
        for prefix, name, service in services:
            if f"{path}/".startswith(f"{prefix}/"):
                try:
                    answers = self.context.state().get("answers", {}).get(name)
                    if answers:
                        raise Refused(answers, {"message": "a fault of the rehearsal"})
                    document, link = service(path.removeprefix(prefix))
                except Refused as refused:
                    self._send_json(refused.status, refused.body)
                else:
                    self._send_json(200, document, link)
                return
        if path == "/v3/":
            self._send(200, "text/javascript; charset=utf-8", CARD_SCRIPT.read_bytes(), {})
            return
        if path == "/v3/card":
            self._send(200, "text/html; charset=utf-8", CARD_FRAME, {})
            return
        status, body, location = page(self.context.state(), path)
        self._send(status, "text/html; charset=utf-8", body.encode(), {"Location": location})

    def _tracker(self, path: str, query: Query) -> tuple[Any, str]:
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() not in {"bearer", "token"} or not _same(token, "SAAS_TRACKER_TOKEN"):
            raise Refused(401, {"message": "Bad credentials"})
        return Tracker(self.context, f"{self.url}/api/v3").answer(path, query)

    def _status_page(self, path: str, query: Query) -> tuple[Any, str]:
        scheme, _, key = self.headers.get("Authorization", "").partition(" ")
        if scheme != "OAuth" or not _same(key, "SAAS_STATUS_KEY"):
            raise Refused(401, {"error": "Could not authenticate"})
        return status_page(self.context.state()["status_page"], path, query), ""

    def _flags(self, path: str) -> tuple[Any, str]:
        users = path == "/admin/user-admin"
        token = "SAAS_FLAGS_ADMIN_TOKEN" if users else "SAAS_FLAGS_TOKEN"
        if not _same(self.headers.get("Authorization", ""), token):
            raise Refused(401, {"name": "AuthenticationRequired", "message": "Invalid token"})
        if users:
            return _flag_users(self.context.state()["flag_users"]), ""
        return flags(self.context.flags(), path), ""

    def do_POST(self) -> None:
        """The one thing that is written: a flag is switched."""
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        match = _SWITCH.fullmatch(urlsplit(self.path).path)
        if not _same(self.headers.get("Authorization", ""), "SAAS_FLAGS_ADMIN_TOKEN"):
            self._send_json(401, {"name": "AuthenticationRequired", "message": "Invalid token"})
        elif match is None or match["flag"] not in self.context.flags():
            self._send_json(404, {"name": "NotFoundError", "message": "There is no such flag"})
        else:
            self.context.switch(match["flag"], on=match["state"] == "on")
            self._send_json(200, {})

    def _send_json(self, status: int, document: Any, link: str = "") -> None:
        content = json.dumps(document).encode()
        self._send(status, "application/json; charset=utf-8", content, {"Link": link})

    def _send(self, status: int, kind: str, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing that anybody reads."""


def _same(given: str, variable: str) -> bool:
    return compare_digest(given.encode(), os.environ[variable].encode())


def main(port: int, folder: Path) -> None:
    _Handler.context = Context(folder)
    _Handler.url = f"http://127.0.0.1:{port}"
    ThreadingHTTPServer.daemon_threads = True
    ThreadingHTTPServer(("127.0.0.1", port), _Handler).serve_forever()


PARTS = (SaasStubs(),)

if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
