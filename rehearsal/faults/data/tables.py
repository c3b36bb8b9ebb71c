# ruff: noqa: S608  only constants stand in these statements
"""Faults of what stands in tables and indexes, and of what the planner makes of it."""

from __future__ import annotations

from rehearsal.faults import fault
from rehearsal.faults.data.database import (
    BOOKINGS,
    _archived,
    _bookings,
    _forget_times,
    _no_bookings,
    _replayed,
)
from rehearsal.kernel.world import MONITOR_ROLE, Rehearsal
from rehearsal.parts.platform.app import work

KEPT = f"{MONITOR_ROLE}.fault_kept"
"""Rows that a fault took away, until it puts them back."""

# -- indexes ---------------------------------------------------------------------------------------


BLOATED = "fault_bloated"


@fault(
    "index-bloated",
    expect_fail=["D-13.1.1"],
    touches=["postgres/fault_bookings"],
    title="an index of over 10 MB is nine tenths empty",
)
def index_bloated(r: Rehearsal) -> None:
    _bookings(r)
    text = "repeat(md5(id::text), 2)"
    r.primary.sql(f"create index {BLOATED} on {BOOKINGS} (({text})) with (fillfactor = 10)")
    # As many deletions would leave it, whatever still sees the rows.
    r.primary.sql(f"alter index {MONITOR_ROLE}.{BLOATED} set (fillfactor = 90)")


@index_bloated.revert
def drop_the_bloated_index(r: Rehearsal) -> None:
    _no_bookings(r)


COMPARE = f"{MONITOR_ROLE}.fault_compare"


@fault(
    "index-damaged",
    # The order of its entries is not the one that its operators say; a copy has it like that too.
    expect_fail=["D-13.1.1", "D-13.2.1"],
    touches=["postgres/fault_bookings", "archive/segments"],
    title="the entries of an index are out of order",
)
def index_damaged(r: Rehearsal) -> None:
    _bookings(r)
    _compare(r, "btint8cmp($1, $2)")
    r.primary.sql(
        f"create operator class {MONITOR_ROLE}.fault_order for type int8 using btree as"
        " operator 1 <, operator 2 <=, operator 3 =, operator 4 >=, operator 5 >,"
        f" function 1 {COMPARE}(int8, int8)"
    )
    r.primary.sql(f"create index fault_damaged on {BOOKINGS} (id {MONITOR_ROLE}.fault_order)")
    _compare(r, "btint8cmp($2, $1)")
    _archived(r)


def _compare(r: Rehearsal, how: str) -> None:
    r.primary.sql(
        f"create or replace function {COMPARE}(int8, int8) returns int4"
        f" language sql immutable strict as 'select {how}'"
    )


@index_damaged.revert
def drop_the_damaged_index(r: Rehearsal) -> None:
    _no_bookings(r)
    r.primary.sql(f"drop operator family if exists {MONITOR_ROLE}.fault_order using btree cascade")
    r.primary.sql(f"drop function if exists {COMPARE}(int8, int8)")
    _archived(r)


# -- statements ------------------------------------------------------------------------------------


@fault(
    "statements-reset",
    expect_fail=["D-13.1.2"],
    touches=["postgres/statements", "query-times", "app/load", "pgbouncer/load"],
    title="pg_stat_statements was reset a moment ago",
)
def statements_reset(r: Rehearsal) -> None:
    r.primary.sql("select pg_stat_statements_reset()")
    work(r, seconds=4, rate=40)  # else there is nothing counted at all


@fault(
    "query-times-lost",
    expect_fail=["D-13.1.2"],
    touches=["postgres/statements", "query-times", "app/load", "pgbouncer/load"],
    title="Prometheus has lost the times of nearly all queries",
)
def query_times_lost(r: Rehearsal) -> None:
    _forget_times(r, ".*")
    work(r, seconds=1, rate=2)


@statements_reset.revert
@query_times_lost.revert
def count_a_window_of_statements(r: Rehearsal) -> None:
    _forget_times(r, ".*")  # the window has to begin after the reset
    work(r, seconds=8, rate=40)


# -- rows ------------------------------------------------------------------------------------------


@fault(
    "payments-missing",
    # A copy lacks them as well, and visits whose payment is gone are not paid.
    expect_fail=["D-13.1.2", "D-13.3.1"],
    touches=["postgres/payments", "postgres/standby", "archive/segments"],
    title="an eighth of the payments is gone",
    within_s=60,
)
def payments_missing(r: Rehearsal) -> None:
    r.primary.sql(
        f"create table {KEPT} as select * from payments p where p.id % 8 = 0"
        " and not exists (select from refunds f where f.payment_id = p.id)"
    )
    r.primary.sql(f"delete from payments where id in (select id from {KEPT})")
    r.primary.sql(f"analyze {KEPT}")
    r.primary.sql("vacuum (analyze) payments")
    _archived(r)


@payments_missing.revert
def return_the_payments(r: Rehearsal) -> None:
    r.primary.sql(f"insert into payments select * from {KEPT} on conflict do nothing")
    r.primary.sql(f"drop table {KEPT}")
    r.primary.sql("vacuum (analyze) payments")
    _archived(r)


@fault(
    "core-table-emptied",
    # Neither rules over refunds nor a copy of them say anything.
    expect_fail=["D-13.1.4", "D-13.2.1", "D-13.3.2"],
    touches=["postgres/refunds", "postgres/standby", "archive/segments"],
    title="refunds has no rows",
    within_s=60,
)
def core_table_emptied(r: Rehearsal) -> None:
    r.primary.sql(f"create table {KEPT} as select * from refunds")
    r.primary.sql(f"analyze {KEPT}")
    r.primary.sql("truncate refunds")
    _archived(r)
    r.wait("the standby has none", lambda: not r.standby.sql("select 1 from refunds limit 1"))


@core_table_emptied.revert
def return_the_refunds(r: Rehearsal) -> None:
    r.primary.sql(f"insert into refunds select * from {KEPT} on conflict do nothing")
    r.primary.sql(f"drop table {KEPT}")
    r.primary.sql("vacuum (analyze) refunds")
    _archived(r)
    r.wait("the standby has them", lambda: bool(r.standby.sql("select 1 from refunds limit 1")))


# -- statistics ------------------------------------------------------------------------------------


@fault(
    "table-never-analysed",
    expect_fail=["D-13.1.4"],
    touches=["postgres/refunds"],
    title="the server knows of no analysis of refunds",
    settled=lambda r: not _analysed(r),
    reverted=lambda r: _analysed(r),
)
def table_never_analysed(r: Rehearsal) -> None:
    # Counters alone may have been reset; -1 rows are those of a table that nobody has looked at.
    r.primary.sql("update pg_class set reltuples = -1 where oid = 'refunds'::regclass")
    r.primary.sql("select pg_stat_reset_single_table_counters('refunds'::regclass)")


@table_never_analysed.revert
def analyse_the_table(r: Rehearsal) -> None:
    r.primary.sql("analyze refunds")


def _analysed(r: Rehearsal) -> bool:
    query = (
        "select 1 from pg_stat_user_tables where relname = 'refunds' and last_analyze > '-infinity'"
    )
    return bool(r.primary.sql(query))


@fault(
    "autovacuum-off-everywhere",
    expect_fail=["D-13.1.4"],
    touches=["postgres/settings"],
    title="autovacuum is switched off for the whole server",
    settled=lambda r: r.primary.sql("show autovacuum") == [("off",)],
    reverted=lambda r: r.primary.sql("show autovacuum") == [("on",)],
)
def autovacuum_off_everywhere(r: Rehearsal) -> None:
    r.primary.sql("alter system set autovacuum = off")
    r.primary.sql("select pg_reload_conf()")


@autovacuum_off_everywhere.revert
def autovacuum_on_everywhere(r: Rehearsal) -> None:
    r.primary.sql("alter system reset autovacuum")
    r.primary.sql("select pg_reload_conf()")


@fault(
    "rows-misjudged",
    expect_fail=["D-13.1.4"],
    touches=["postgres/refunds"],
    title="the planner takes refunds for twenty times as large",
)
def rows_misjudged(r: Rehearsal) -> None:
    r.primary.sql("update pg_class set reltuples = reltuples * 20 where oid = 'refunds'::regclass")


@rows_misjudged.revert
def judge_the_rows_again(r: Rehearsal) -> None:
    r.primary.sql("vacuum (analyze) refunds")


# -- integrity -------------------------------------------------------------------------------------


@fault(
    "constraint-not-validated",
    expect_fail=["D-13.3.2"],
    touches=["postgres/fault_bookings", "postgres/standby"],
    title="a constraint was never checked against the rows that were there",
    settled=lambda r: bool(r.standby.sql(UNPROVED)),
)
def constraint_not_validated(r: Rehearsal) -> None:
    _bookings(r)
    r.primary.sql(f"alter table {BOOKINGS} add constraint fault_open check (id > 9) not valid")


@constraint_not_validated.revert
def drop_the_constraint(r: Rehearsal) -> None:
    _no_bookings(r)
    _replayed(r, UNPROVED, [])


UNPROVED = "select 1 from pg_constraint where conname = 'fault_open' and not convalidated"


@fault(
    "payment-of-another-amount",
    expect_fail=["D-13.3.2"],
    touches=["postgres/payments", "postgres/standby"],
    title="a visit was paid at another price than its own",
    settled=lambda r: bool(r.standby.sql(OTHER_AMOUNT)),
)
def payment_of_another_amount(r: Rehearsal) -> None:
    r.primary.sql(
        "insert into payments (appointment_id, amount, status, currency)"
        " select appointment_id, 0.07, 'succeeded', currency from payments"
        " where status = 'succeeded' order by id limit 1"
    )


OTHER_AMOUNT = "select 1 from payments where amount = 0.07"


@payment_of_another_amount.revert
def take_the_payment_back(r: Rehearsal) -> None:
    r.primary.sql("delete from payments where amount = 0.07")
    _replayed(r, OTHER_AMOUNT, [])


@fault(
    "service-below-nothing",
    expect_fail=["D-13.3.2"],
    touches=["postgres/services", "postgres/standby"],
    title="a service costs less than nothing",
    settled=lambda r: bool(r.standby.sql(BELOW_NOTHING)),
)
def service_below_nothing(r: Rehearsal) -> None:
    query = "select id, base_price::text from services order by id limit 1"
    [(ident, price)] = r.primary.sql(query)
    r.remember("service-below-nothing", [ident, price])
    r.primary.sql(f"alter table services drop constraint {PRICE}")  # it would have kept it out
    r.primary.sql("update services set base_price = -1 where id = %s", [ident])


PRICE = "ck_services_price"
BELOW_NOTHING = "select 1 from services where base_price < 0"


@service_below_nothing.revert
def price_the_service(r: Rehearsal) -> None:
    ident, price = r.recall("service-below-nothing")
    r.primary.sql("update services set base_price = %s where id = %s", [price, ident])
    r.primary.sql(f"alter table services add constraint {PRICE} check (base_price >= 0)")
    _replayed(r, BELOW_NOTHING, [])
    r.forget("service-below-nothing")


TWIN = "Fault-Twin@example.test"


@fault(
    "e-mail-twice",
    expect_fail=["D-13.3.2"],
    touches=["postgres/users", "postgres/standby"],
    title="two users have the same e-mail address but for upper and lower case",
    settled=lambda r: len(r.standby.sql(TWINS, [TWIN])) == 2,
)
def e_mail_twice(r: Rehearsal) -> None:
    found = r.primary.sql(
        "select id, email from users where role = 'client' order by id desc limit 2"
    )
    r.remember("e-mail-twice", found)
    r.primary.sql("drop index uq_users_lower_email")  # it would have kept them out
    for (ident, _), email in zip(found, (TWIN, TWIN.lower()), strict=True):
        r.primary.sql("update users set email = %s where id = %s", [email, ident])


TWINS = "select 1 from users where lower(email) = lower(%s)"


@e_mail_twice.revert
def tell_the_users_apart(r: Rehearsal) -> None:
    for ident, email in r.recall("e-mail-twice"):
        r.primary.sql("update users set email = %s where id = %s", [email, ident])
    r.primary.sql("create unique index uq_users_lower_email on users (lower(email))")
    _replayed(r, TWINS, [TWIN])
    r.forget("e-mail-twice")
