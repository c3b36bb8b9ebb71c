"""The developers' portal: where clients get the API's document, and what the API is limited to.

Settings a fault may override: `current` (the release whose document clients are given), `earlier`
(the release whose document stands in the place of all releases'), `more` (a link of the guide),
`silent_changelog` (the changelog lists nothing).
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rehearsal.app.limits import KEY_HEADER, READS, WRITES
from rehearsal.parts import Endpoints, Part
from rehearsal.parts.data.postgres import VERSION
from rehearsal.parts.platform.app import API_CLIENTS, FAULTS_FILE, LOADS, Instance

if TYPE_CHECKING:
    from rehearsal.kernel.world import Rehearsal

VERIFICATION = """
select payload->>'token' from notification_queue where template = 'verify_email'
order by id desc limit 1"""
SLUG = "select slug from organizations order by id limit 1"
STAFF = ("barber00001@example.com", "owner00001@example.com", "admin00001@example.com")


class Portal(Part):
    name = "portal"
    title = "the API's document and changelog for its clients"
    loads = LOADS

    def prepare(self, r: Rehearsal) -> None:
        Instance("app-1").prepare(r)  # whose faults file it reads, too

    def command(self, r: Rehearsal) -> list[str]:
        words = ["--current", str(r.setting(self.name, "current", VERSION))]
        words += ["--more", str(r.setting(self.name, "more", ""))]
        words += ["--earlier", str(r.setting(self.name, "earlier", ""))]
        if r.setting(self.name, "silent_changelog", False):
            words.append("--silent-changelog")
        return [
            *(sys.executable, "-m", "rehearsal.app", "portal", "--host", "127.0.0.1"),
            *("--port", str(r.port(self.name)), "--folder", str(r.path("portal"))),
            *words,
        ]

    def environment(self, r: Rehearsal) -> dict[str, str]:
        return Instance("app-1").environment(r)

    def endpoints(self, r: Rehearsal) -> Endpoints:
        password = r.secret_reference("account")
        listed = r.command("routes", "--faults", str(r.path(FAULTS_FILE)), module="rehearsal.app")
        return {
            "api": {
                "published": r.url(self.name, "/openapi.json"),
                "previous": r.url(self.name, "/openapi-1.9.0.json"),
                "changelog": r.url(self.name, "/changelog.md"),
                "documentation": [r.url(self.name, "/")],
                "routes_command": [*listed, "--version", "{version}"],
                "accounts": [{"email": one, "password": password} for one in STAFF],
                "sign_command": r.command(
                    "{scheme}", "{path}", module="rehearsal.parts.traffic.signing"
                ),
                "value_queries": {"token": VERIFICATION, "slug": SLUG},
                "client_header": KEY_HEADER,
                "clients": [{"name": one, "key": r.secret_reference(one)} for one in API_CLIENTS],
                "limits": [
                    {"name": one.name, "allowed": one.allowed, "window_s": one.window_s, **asked}
                    for one, asked in (
                        (
                            READS,
                            {"method": "GET", "path": "/api/v2/features"},
                        ),
                        (WRITES, {"method": "POST", "path": "/api/v2/auth/refresh"}),
                    )
                ],
            }
        }


PARTS = (Portal(),)
