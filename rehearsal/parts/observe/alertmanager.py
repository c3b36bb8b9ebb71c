"""Alertmanager: routes alerts by their `area` to the on-call receiver, without waiting.

Those about the launch go to the war room, those about incidents to the pager, each level to a
receiver of its own.

Settings a fault may override: `routes` (area to receiver: `on-call`, `war-room`, `mailbox`),
`group_waits` (level to how long its first page is held back).
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from rehearsal.kernel import binaries
from rehearsal.parts import Endpoints, Part
from rehearsal.parts.observe.prometheus import is_ready
from rehearsal.parts.traffic.hosts import render

if TYPE_CHECKING:
    from rehearsal.kernel.world import Rehearsal

ON_CALL, WAR_ROOM = "on-call", "war-room"
AREAS = ("backup", "migration", "performance", "integration", "monitoring")
LEVELS = ("1", "2", "3", "4")


class Alertmanager(Part):
    name = "alertmanager"
    title = "alert routing"
    binary = "alertmanager"

    def prepare(self, r: Rehearsal) -> None:
        # Where the unpacked program looks for them; the system's own finds its own.
        for template in (binaries.DEBS / binaries.ALERTMANAGER_TEMPLATES).glob("*.tmpl"):
            shutil.copy(template, self.config(r).parent)
        routes = {**dict.fromkeys(AREAS, ON_CALL), "launch": WAR_ROOM} | r.setting(
            self.name, "routes", {}
        )
        self.config(r).write_text(
            render(
                "alertmanager.yml.j2",
                routes=routes,
                receiver_port=r.port("receiver"),
                levels=dict.fromkeys(LEVELS, "0s") | r.setting(self.name, "group_waits", {}),
                pager_port=r.port("messages"),
            )
        )

    def command(self, r: Rehearsal) -> list[str]:
        return [
            str(binaries.find("alertmanager").path),
            f"--config.file={self.config(r)}",
            f"--storage.path={r.data('alertmanager')}",
            f"--web.listen-address=127.0.0.1:{r.port('alertmanager')}",
            "--cluster.listen-address=",  # one node: no gossip, no listener for it
            "--log.level=warn",
        ]

    def environment(self, r: Rehearsal) -> dict[str, str]:
        return binaries.find("alertmanager").environment

    def ready(self, r: Rehearsal) -> bool:
        return is_ready(r.port("alertmanager"))

    def config(self, r: Rehearsal) -> Path:
        return r.path("alertmanager", "alertmanager.yml")

    def endpoints(self, r: Rehearsal) -> Endpoints:
        return {"monitoring": {"alertmanager": r.url(self.name)}}


alertmanager = Alertmanager()
PARTS = (alertmanager,)
