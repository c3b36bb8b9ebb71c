"""Faults of failing over: what the failover command leaves out, and what the application is bound
to."""

from __future__ import annotations

from rehearsal.data.failover import INSTANCES, SERVERS
from rehearsal.faults import fault
from rehearsal.kernel.world import Rehearsal


def _drilled(name: str, title: str, **settings: object) -> None:
    """Failover drills go another way."""
    touches = [f"failover/{key}" for key in settings]

    @fault(name, expect_fail=["D-14.2.2"], touches=touches, title=title)
    def change(r: Rehearsal) -> None:
        r.override("failover", **settings)

    @change.revert
    def put_back(r: Rehearsal) -> None:
        r.clear_override("failover", *settings)


_drilled(
    "old-primary-left-writable",
    "after a failover the old primary still takes writes",
    fences=False,
)
_drilled(
    "pooler-pinned-to-old-primary",
    "a failover does not lead the pooler to the new primary",
    leads=False,
)
_drilled(
    "standby-behind-when-promoted",
    "the standby is promoted a second behind, without the writes acknowledged since",
    receives=False,
)
_drilled("standby-not-promoted", "the failover command does not promote", promotes=False)
_drilled(
    "rebuilt-standby-follows-nobody",
    "the old primary is rebuilt as a standby of nobody",
    follows=False,
)
_drilled(
    "failover-restarts-an-instance",
    "an application instance has to be started again to find the new primary",
    restarts=INSTANCES[:1],
)
_drilled(
    "instance-bound-to-the-standby",
    "an application instance reads from the standby and from nowhere else",
    reads_from={INSTANCES[1]: SERVERS[1]},
)
