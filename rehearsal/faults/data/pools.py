"""Faults of how the pooler lends out its connections."""

from __future__ import annotations

from rehearsal.faults import fault
from rehearsal.faults.data.database import _resize
from rehearsal.kernel.world import Rehearsal


@fault(
    "pool-in-session-mode",
    expect_fail=["D-13.1.3"],
    touches=["pgbouncer"],
    title="the pooler lends connections for whole sessions",
)
def pool_in_session_mode(r: Rehearsal) -> None:
    r.override("pgbouncer", pool_mode="session")
    r.restart("pgbouncer")


@pool_in_session_mode.revert
def lend_for_transactions(r: Rehearsal) -> None:
    r.clear_override("pgbouncer", "pool_mode")
    _resize(r)


@fault(
    "few-clients-admitted",
    # The application has some of these connections, the burst finds the others.
    expect_fail=["D-13.1.3"],
    touches=["pgbouncer"],
    title="the pooler takes 150 clients, fewer than may come at once",
)
def few_clients_admitted(r: Rehearsal) -> None:
    r.override("pgbouncer", max_client_conn=150)
    r.restart("pgbouncer")


@few_clients_admitted.revert
def admit_clients(r: Rehearsal) -> None:
    r.clear_override("pgbouncer", "max_client_conn")
    r.restart("pgbouncer")
