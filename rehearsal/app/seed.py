"""Synthetic data of production shape, made inside PostgreSQL and the same every time.

Each barber has nine hours a day, Monday to Saturday, and at most one visit in each, so no two of
one barber overlap; three quarters of the hours are taken. A completed visit is paid in full, and
a barber is paid out weekly what these payments leave after the platform's fee.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date

import bcrypt
import sqlalchemy as sa

from rehearsal.app.settings import DEFAULT_PASSWORD, CommandError, database_url
from rehearsal.app.stripe_history import (
    COMING_DAYS,
    HOURS_PER_DAY,
    PAST_DAYS,
    barbers_of,
    history,
)

SALT = b"$2b$04$GoliveRehearsalSeed00."  # cost 4: real bcrypt, quick to check; synthetic users


class SeedError(CommandError):
    """The database cannot take the synthetic data; the message says why."""


# Dice: a number from 0 to below 1,000 that depends on a row's number and a purpose alone.
DICE = """
CREATE FUNCTION pg_temp.dice(n bigint, purpose int) RETURNS int LANGUAGE sql IMMUTABLE AS
$$ SELECT ((hashint8extended(n, purpose) & 1073741823) % 1000)::int $$
"""

STEPS = (
    """
INSERT INTO organizations (id, name, slug, billing_plan, created_at)
SELECT n, 'Barber Shop ' || n, 'shop-' || n,
       (ARRAY['individual', 'studio', 'enterprise'])[1 + n % 3], t.start - interval '400 days'
FROM generate_series(1, :shops) n, (SELECT CAST(:today AS timestamptz) AS start) t
""",
    # The administrator, an owner per shop, the barbers, the clients: one after another.
    """
INSERT INTO users (email, name, phone, hashed_password, role, email_verified,
                   primary_organization_id, created_at, updated_at, verified_at)
SELECT kind.prefix || to_char(n, 'FM00000') || '@example.com', kind.title || ' ' || n,
       '+1555' || to_char(kind.rank * 100000 + n, 'FM0000000'), :password, kind.role, true,
       CASE WHEN kind.role IN ('barbershop', 'barber') THEN 1 + (n - 1) % :shops END,
       made.at, made.at, made.at
FROM (VALUES (1, 'admin', 'Administrator', 'admin', 1),
             (2, 'owner', 'Owner', 'barbershop', CAST(:shops AS int)),
             (3, 'barber', 'Barber', 'barber', CAST(:barbers AS int)),
             (4, 'client', 'Client', 'client', CAST(:customers AS int)))
     AS kind (rank, prefix, title, role, many)
CROSS JOIN LATERAL generate_series(1, kind.many) n
CROSS JOIN LATERAL (SELECT CAST(:today AS timestamptz) - interval '380 days'
                           - n * interval '7 minutes' AS at) made
ORDER BY kind.rank, n
""",
    """
INSERT INTO barber_profiles (user_id, bio, specialties, years_experience, hourly_rate,
                             instagram_handle, created_at, updated_at)
SELECT id, name || ' cuts with care.', '["fade", "classic"]', 1 + id % 25, 30 + id % 50,
       'cuts_' || id, created_at, created_at
FROM users WHERE role = 'barber' ORDER BY id
""",
    """
INSERT INTO clients (organization_id, user_id, first_name, last_name, email_encrypted,
                     phone_encrypted, marketing_consent, created_at)
SELECT 1 + (n - 1) % :shops, CASE WHEN n <= :customers THEN :first_customer + n - 1 END,
       'Client', 'No. ' || n,
       'synthetic:' || encode(sha256(CAST('mail' || n AS bytea)), 'base64'),
       'synthetic:' || encode(sha256(CAST('phone' || n AS bytea)), 'base64'),
       pg_temp.dice(n, 1) < 300, CAST(:today AS timestamptz) - interval '380 days'
FROM generate_series(1, :customers * 2) n
""",
    """
INSERT INTO services (organization_id, created_by_id, name, description, category, base_price,
                      duration_minutes, display_order, created_at, updated_at)
SELECT shop, 1 + shop, kind.name, kind.name || ' by Barber Shop ' || shop, kind.category,
       kind.price + shop % 10, kind.minutes, kind.rank, made.at, made.at
FROM generate_series(1, :shops) shop,
     (VALUES (1, 'Haircut', 'haircut', 30.00, 30), (2, 'Shave', 'shave', 20.00, 30),
             (3, 'Haircut & Shave', 'package', 45.00, 60), (4, 'Beard Trim', 'beard', 15.00, 30),
             (5, 'Colour', 'color', 60.00, 60), (6, 'Styling', 'styling', 25.00, 45))
         AS kind (rank, name, category, price, minutes),
     (SELECT CAST(:today AS timestamptz) - interval '399 days' AS at) made
ORDER BY shop, kind.rank
""",
    """
INSERT INTO appointments (user_id, barber_id, client_id, service_id, service_name, start_time,
                          duration_minutes, price, status, notes, created_at, updated_at)
SELECT :first_customer + customer - 1, :first_barber + barber - 1, customer, s.id, s.name, at,
       s.duration_minutes, s.base_price,
       CASE WHEN at < CAST(:today AS timestamptz)
            THEN CASE WHEN luck < 860 THEN 'completed' WHEN luck < 940 THEN 'cancelled'
                      ELSE 'no_show' END
            ELSE CASE WHEN luck < 800 THEN 'confirmed' WHEN luck < 920 THEN 'pending'
                      ELSE 'cancelled' END END,
       CASE WHEN luck % 5 = 0 THEN 'Regular visit, prefers a quiet chair. Reference ' || pick END,
       at - (1 + luck % 14) * interval '1 day', at - (1 + luck % 14) * interval '1 day'
FROM (SELECT hour.*, pg_temp.dice(pick, 2) AS luck,
             1 + (hashint8extended(pick, 3) & 1073741823) % :customers AS customer,
             1 + pg_temp.dice(pick, 4) % 6 AS choice
      FROM (SELECT barber, at, (day * 24 + hour) * 10000 + barber AS pick
            FROM generate_series(-CAST(:past AS int), :coming) day,
                 generate_series(9, 8 + :hours) hour, generate_series(1, :barbers) barber,
                 LATERAL (SELECT CAST(:today AS timestamptz) + day * interval '1 day'
                                 + hour * interval '1 hour' AS at) clock
            WHERE extract(isodow FROM at AT TIME ZONE 'UTC') < 7) hour
      ORDER BY hashint8extended(pick, 5) LIMIT :appointments) visit
JOIN services s ON s.organization_id = 1 + (barber - 1) % :shops AND s.display_order = choice
ORDER BY at, barber
""",
    """
INSERT INTO payments (appointment_id, user_id, amount, platform_fee, status,
                      stripe_payment_intent_id, created_at)
SELECT id, user_id, price, round(price * 0.2, 2),
       CASE status WHEN 'completed' THEN 'succeeded' ELSE 'refunded' END,
       'pi_synthetic_' || to_char(id, 'FM000000000'), start_time
FROM appointments
WHERE status = 'completed' OR (status = 'cancelled' AND pg_temp.dice(id, 6) < 200)
ORDER BY id
""",
    """
INSERT INTO refunds (payment_id, amount, reason, created_at)
SELECT id, amount, 'requested_by_customer', created_at FROM payments
WHERE status = 'refunded' ORDER BY id
""",
    """
INSERT INTO payouts (barber_id, period_start, period_end, amount, status, stripe_transfer_id,
                     created_at)
SELECT barber_id, CAST(week AS timestamp) AT TIME ZONE 'UTC',
       CAST(week + 6 AS timestamp) AT TIME ZONE 'UTC', sum(amount - platform_fee), 'paid',
       'tr_synthetic_' || barber_id || '_' || to_char(week, 'YYYYMMDD'),
       CAST(week + 8 AS timestamp) AT TIME ZONE 'UTC'
FROM (SELECT a.barber_id, p.amount, p.platform_fee,
             CAST(date_trunc('week', a.start_time AT TIME ZONE 'UTC') AS date) AS week
      FROM payments p JOIN appointments a ON a.id = p.appointment_id
      WHERE p.status = 'succeeded') paid
WHERE week + 7 <= CAST(:today AS timestamptz)
GROUP BY barber_id, week ORDER BY week, barber_id
""",
    """
INSERT INTO stripe_accounts (barber_id, account_id, created_at)
SELECT id, 'acct_1Barber' || substr(email, 7, 5), created_at FROM users
WHERE role = 'barber' ORDER BY id
""",
    """
INSERT INTO notification_queue (user_id, appointment_id, template, channel, status, attempts,
                                payload, scheduled_for, created_at)
SELECT user_id, id, 'appointment_reminder', CASE WHEN id % 3 = 0 THEN 'sms' ELSE 'email' END,
       CASE WHEN status = 'cancelled' THEN 'cancelled'
            WHEN start_time > CAST(:today AS timestamptz) + interval '1 day' THEN 'pending'
            ELSE 'sent' END,
       CASE WHEN start_time < CAST(:today AS timestamptz) THEN 1 ELSE 0 END,
       jsonb_build_object('service', service_name), start_time - interval '1 day', created_at
FROM appointments WHERE start_time > CAST(:today AS timestamptz) - interval '60 days' ORDER BY id
""",
    """
INSERT INTO idempotency_keys (user_id, key, request_hash, response, created_at)
SELECT user_id, 'seed-' || id, encode(sha256(CAST('seed' || id AS bytea)), 'hex'),
       jsonb_build_object('id', id), created_at
FROM appointments WHERE start_time > CAST(:today AS timestamptz) ORDER BY id LIMIT :customers * 2
""",
)
LEDGER = """
INSERT INTO ledger_entries (stripe_id, type, amount_cents, fee_cents, currency, source, booked_at)
VALUES (:id, :type, :amount, :fee, :currency, :source, :at)
"""
EVENTS = """
INSERT INTO stripe_events (event_id, type, created_at)
SELECT 'evt_1' || id, 'charge.succeeded', booked_at FROM ledger_entries WHERE type = 'charge'
"""
STEPS_V2 = (
    """
UPDATE appointments SET confirmation_code =
       upper(substr(md5(concat_ws('/', id, user_id, created_at AT TIME ZONE 'UTC')), 1, 10))
WHERE status IN ('pending', 'confirmed')
""",
    """
INSERT INTO user_mfa_secrets (user_id, secret_encrypted, created_at)
SELECT id, 'synthetic:' || encode(sha256(CAST('mfa' || id AS bytea)), 'base64'), created_at
FROM users WHERE role IN ('barbershop', 'barber') ORDER BY id
""",
    """
INSERT INTO data_export_requests (user_id, status, requested_at, completed_at)
SELECT id, 'completed', made, made + interval '1 hour'
FROM users, LATERAL (SELECT CAST(:today AS timestamptz) - id % 300 * interval '1 day' AS made) t
WHERE role = 'client' ORDER BY id LIMIT greatest(50, :customers / 20)
""",
)

# Indexes and foreign keys of the schema, as what drops and what makes them again.
REBUILT = """
SELECT 'DROP INDEX ' || c.relname AS drop, pg_get_indexdef(c.oid) AS make
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE c.relnamespace = 'public'::regnamespace
AND NOT EXISTS (SELECT 1 FROM pg_constraint o WHERE o.conindid = c.oid AND o.contype <> 'f')
UNION ALL
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname),
       format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname,
              pg_get_constraintdef(oid))
FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace
"""


def seed(appointments: int, today: date, *, vacuum: bool = True) -> dict[str, object]:
    """Fill an empty, migrated database. ``today`` parts the past year from the coming weeks.

    Returns the row count per table and the seconds. Raises SeedError where data already stands.
    """
    began = time.perf_counter()
    barbers = barbers_of(appointments)
    shops, customers = math.ceil(barbers / 4), max(50, appointments // 50)
    password = os.environ.get("SEED_PASSWORD", DEFAULT_PASSWORD).encode()
    values = {
        "appointments": appointments,
        "today": f"{today.isoformat()} 00:00:00+00",
        "past": PAST_DAYS,
        "coming": COMING_DAYS,
        "hours": HOURS_PER_DAY,
        "barbers": barbers,
        "shops": shops,
        "customers": customers,
        "first_barber": 2 + shops,
        "first_customer": 2 + shops + barbers,
        "password": bcrypt.hashpw(password, SALT).decode(),
    }
    engine = sa.create_engine(
        database_url(), poolclass=sa.NullPool, connect_args={"application_name": "seed"}
    )
    with engine.begin() as connection:
        tables = sa.inspect(connection).get_table_names()
        if "payments" not in tables:
            raise SeedError("the database has no schema yet; run migrate --to v2.0.0 first")
        if connection.scalar(sa.text("SELECT EXISTS (SELECT FROM users)")):
            raise SeedError("the database already holds users; seed an empty one")
        connection.execute(sa.text("SET LOCAL work_mem = '64MB'"))
        connection.execute(sa.text("SET LOCAL synchronous_commit = off"))
        connection.execute(sa.text(DICE))
        with _bare(connection):
            for step in STEPS + (STEPS_V2 if "user_mfa_secrets" in tables else ()):
                connection.execute(sa.text(step), values)
            booked = [asdict(one) for one in history(today)]
            connection.execute(sa.text(LEDGER), booked)
            connection.execute(sa.text(EVENTS))
        rows = {}
        for table in sorted(set(tables) - {"alembic_version"}):
            owned = f"pg_get_serial_sequence('{table}', 'id')"
            rows[table] = connection.scalar(sa.text(f"SELECT count(*) FROM {table}"))  # noqa: S608
            connection.execute(
                sa.text(f"SELECT setval({owned}, max(id)) FROM {table}")  # noqa: S608
            )
    if vacuum:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("VACUUM (ANALYZE)"))
    return {"rows": rows, "seconds": round(time.perf_counter() - began, 2)}


@contextmanager
def _bare(connection: sa.Connection) -> Iterator[None]:
    """Loads without indexes and foreign keys, then makes them: quicker, and nothing is bloated."""
    rebuilt = connection.execute(sa.text(REBUILT)).all()
    for drop, _ in rebuilt:
        connection.exec_driver_sql(drop)
    yield
    for _, make in rebuilt:
        connection.exec_driver_sql(make)
