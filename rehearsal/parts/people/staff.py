"""What the rehearsal's people have done by the time it is up: written, signed and tried."""

from __future__ import annotations

from rehearsal.kernel.world import Rehearsal
from rehearsal.parts import Job


class Staff(Job):
    name = "staff"
    title = "papers, authorisation, dry runs of everybody who may have to"
    # Dry runs look at both instances, papers quote figures of the database and a mail.
    needs = ("release", "build", "app-1", "app-2", "postgres-primary", "messages")

    def run(self, r: Rehearsal) -> None:
        # Loaded here, where it happens beside other parts' start.
        from rehearsal.staff import launch_flags, launch_tools, papers, runbook

        launch_tools.authorise(r)
        launch_tools.practise(r)
        launch_flags.approve(r)
        runbook.review(r)
        papers.write(r)


PARTS = (Staff(),)
