"""What drills work with: data and backups, the job that copies them, and the release repository."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rehearsal.data import prepared, release
from rehearsal.kernel.files import read_state
from rehearsal.parts import Endpoints, Job, Part
from rehearsal.parts.platform.aws import aws
from rehearsal.staff import launch_tools

if TYPE_CHECKING:
    from rehearsal.kernel.world import Rehearsal


class Data(Job):
    name = "data"
    title = "seeded database with two full backups"

    def run(self, r: Rehearsal) -> None:
        prepared.lay_out(r)

    def endpoints(self, r: Rehearsal) -> Endpoints:
        return {"monitoring": {"migration_log": str(r.migration_log)}}


class PackedBackups(Job):
    name = "packed-backups"
    title = "both backups as one file each"
    needs = ("data",)

    def run(self, r: Rehearsal) -> None:
        prepared.pack(r)


class BackupCopier(Part):
    name = "backup-copier"
    title = "copies backups and WAL to the second region"
    loads = aws.loads
    needs = ("postgres-primary", "packed-backups", "aws")
    port_names = ()
    ready_within_s = 90.0

    def prepare(self, r: Rehearsal) -> None:
        r.path("state", "copied.json").unlink(missing_ok=True)

    def command(self, r: Rehearsal) -> list[str]:
        return [sys.executable, "-m", "rehearsal.data.backups", str(r.folder)]

    def ready(self, r: Rehearsal) -> bool:
        """Whether everything has been copied once."""
        return bool(read_state(r.folder / "state" / "copied.json"))


class Release(Job):
    name = "release"
    title = "release repository"

    def run(self, r: Rehearsal) -> None:
        release.publish(r)
        launch_tools.install(r)


PARTS = (Data(), PackedBackups(), BackupCopier(), Release())
