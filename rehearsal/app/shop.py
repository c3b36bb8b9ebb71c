"""The business: people, services, barbers and appointments, and every statement they need.

Each public method is one transaction. Every statement has a name by which its time is kept.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import bcrypt
import jwt
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from rehearsal.app.cache import Cache
from rehearsal.app.settings import Settings
from rehearsal.app.storage import Database, Metrics, Tables, Transaction

Row = dict[str, Any]
OPENS, CLOSES, SLOT = time(9), time(18), timedelta(minutes=30)  # UTC
LIVES = {"access": timedelta(minutes=15), "refresh": timedelta(days=7), "verify": timedelta(days=1)}
CODE_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
STAFF = ("barber", "barbershop", "admin")
BOOKING_LOCK = 7341  # advisory lock class: bookings of one barber wait for each other
STATEMENTS = tuple(
    f"{subject}.{name}"
    for subject, names in {
        "appointments": "busy by_id cancel count_barber count_client insert list_barber"
        " list_client list_shop lock_barber reschedule",
        "barbers": "bookable by_id change_profile list profile",
        "clients": "by_user insert",
        "dashboard": "coming notifications revenue totals",
        "health": "ping revision rows",
        "idempotency": "answer by_key claim",
        "notifications": "cancel insert",
        "organizations": "by_id",
        "services": "by_barber by_id categories list offers",
        "users": "by_email by_id insert verify",
    }.items()
    for name in names.split()
)
"""The names of all statements."""


class Refusal(Exception):
    """The answer is no: HTTP status, kind and a sentence for the caller."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status, self.kind, self.message = status, kind, message


class Shop:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics(settings, STATEMENTS)
        self.database = Database(settings, self.metrics)
        self.cache = Cache(settings, self.metrics)
        self.tables = Tables(settings)

    # --- people ---------------------------------------------------------------------------

    def register(self, email: str, name: str, password: str, role: str) -> Row:
        """An unverified user; the verification mail waits in the queue."""
        with self.database.transaction() as tx:
            user = self._add_user(tx, email, name, password, role)
            token = self.token(user["id"], "verify")
            self._notify(tx, user["id"], None, "verify_email", {"token": token})
            return user

    def register_client(
        self, email: str, first: str, last: str, password: str, phone: str | None, consent: bool
    ) -> Row:
        with self.database.transaction() as tx:
            user = self._add_user(tx, email, f"{first} {last}", password, "client", phone)
            tx.run(
                "clients.insert",
                self.tables.clients.insert().values(
                    user_id=user["id"],
                    first_name=first,
                    last_name=last,
                    marketing_consent=consent,
                    created_at=_now(),
                ),
            )
            token = self.token(user["id"], "verify")
            self._notify(tx, user["id"], None, "verify_email", {"token": token})
            return user

    def verify_email(self, token: str) -> None:
        users = self.tables.users
        user_id = self._bearer(token, "verify")
        with self.database.transaction() as tx:
            tx.run(
                "users.verify",
                users.update()
                .where(users.c.id == user_id)
                .values(
                    email_verified=True,
                    verified_at=_now(),
                    updated_at=_now(),
                ),
            )
        self.cache.forget(f"user:{user_id}")

    def login(self, email: str, password: str) -> Row:
        users = self.tables.users
        with self.database.transaction() as tx:
            found = sa.select(users).where(sa.func.lower(users.c.email) == email.lower())
            user = tx.one("users.by_email", found)
        stored = user["hashed_password"].encode() if user else b""
        if user is None or not bcrypt.checkpw(_read_by_bcrypt(password), stored):
            raise Refusal(401, "authentication_error", "Incorrect email or password")
        self._must_be_active(user)
        if not user["email_verified"]:
            raise Refusal(403, "email_not_verified", "Verify your email address, then sign in")
        return user

    def refresh(self, refresh_token: str) -> Row:
        return self._user(self._bearer(refresh_token, "refresh"))

    def caller(self, access_token: str) -> Row:
        """The user behind an access token; from the cache for up to a minute."""
        user_id = self._bearer(access_token, "access")
        user: Row | None = self.cache.get(f"user:{user_id}")
        if user is None:
            user = self._user(user_id)
            kept = {key: value for key, value in user.items() if key != "hashed_password"}
            self.cache.put(f"user:{user_id}", kept, ttl_s=60)
        return user

    def anybody(self) -> Row:
        """The first user that there is: whom a fault takes nobody for."""
        with self.database.transaction() as tx:
            first = sa.select(self.tables.users).order_by(self.tables.users.c.id).limit(1)
            return tx.one("users.by_id", first) or {}

    def organization(self, user: Row) -> Row | None:
        organizations = self.tables.organizations
        if user["primary_organization_id"] is None:
            return None
        with self.database.transaction() as tx:
            wanted = organizations.c.id == user["primary_organization_id"]
            return tx.one("organizations.by_id", sa.select(organizations).where(wanted))

    def token(self, user_id: int, kind: str) -> str:
        """A signed HS256 token; its life depends on the kind: access, refresh or verify."""
        now = _now()
        claims = {
            "sub": str(user_id),
            "type": kind,
            "iat": now,
            "exp": now + LIVES[kind],
            "jti": secrets.token_hex(8),
        }
        return jwt.encode(claims, self.settings.jwt_secret_key, algorithm="HS256")

    def _bearer(self, token: str, kind: str) -> int:
        try:
            claims = jwt.decode(token, self.settings.jwt_secret_key, algorithms=["HS256"])
        except jwt.InvalidTokenError as error:
            raise Refusal(401, "authentication_error", "Invalid or expired token") from error
        if claims.get("type") != kind:
            raise Refusal(401, "authentication_error", f"This is not a token for {kind}")
        return int(claims["sub"])

    def _user(self, user_id: int) -> Row:
        users = self.tables.users
        with self.database.transaction() as tx:
            user = tx.one("users.by_id", sa.select(users).where(users.c.id == user_id))
        if user is None:
            raise Refusal(401, "authentication_error", "This account no longer exists")
        self._must_be_active(user)
        return user

    def _must_be_active(self, user: Row) -> None:
        if not user["is_active"]:
            raise Refusal(403, "account_inactive", "This account is not active")

    def _add_user(
        self,
        tx: Transaction,
        email: str,
        name: str,
        password: str,
        role: str,
        phone: str | None = None,
    ) -> Row:
        salt = bcrypt.gensalt(self.settings.bcrypt_rounds)
        values = {
            "email": email.lower(),
            "name": name,
            "phone": phone,
            "role": role,
            "timezone": "UTC",
            "hashed_password": bcrypt.hashpw(_read_by_bcrypt(password), salt).decode(),
            "email_verified": False,
            "is_active": True,
            "created_at": _now(),
            "updated_at": _now(),
        }
        if self.settings.is_v2:
            values["unified_role"] = "shop_owner" if role == "barbershop" else role
        users = self.tables.users
        adding = insert(users).values(values).on_conflict_do_nothing().returning(*users.c)
        user = tx.one("users.insert", adding)
        if user is None:
            raise Refusal(400, "email_taken", "This email address is already registered")
        return user

    # --- services and barbers ----------------------------------------------------------------

    def services(self, category: str | None, skip: int, limit: int) -> list[Row]:
        services = self.tables.services
        key = f"services:{category}:{skip}:{limit}"
        cached: list[Row] | None = self.cache.get(key)
        if cached is not None:
            return cached
        query = sa.select(services).where(services.c.is_active)
        if category:
            query = query.where(services.c.category == category)
        query = query.order_by(services.c.organization_id, services.c.display_order)
        with self.database.transaction() as tx:
            found = tx.all("services.list", query.offset(skip).limit(limit))
        self.cache.put(key, found, ttl_s=10)
        return found

    def service(self, service_id: int) -> Row | None:
        services = self.tables.services
        with self.database.transaction() as tx:
            return tx.one("services.by_id", sa.select(services).where(services.c.id == service_id))

    def categories(self) -> list[Row]:
        services = self.tables.services
        query = sa.select(services.c.category, sa.func.count().label("count"))
        with self.database.transaction() as tx:
            return tx.all(
                "services.categories",
                query.group_by(services.c.category).order_by(services.c.category),
            )

    def services_of(self, barber_id: int) -> list[Row]:
        users, services = self.tables.users, self.tables.services
        query = sa.select(services).join(
            users, users.c.primary_organization_id == services.c.organization_id
        )
        query = query.where(users.c.id == barber_id, users.c.role == "barber", services.c.is_active)
        with self.database.transaction() as tx:
            return tx.all("services.by_barber", query.order_by(services.c.display_order))

    def barbers(self, organization_id: int | None) -> list[Row]:
        """Active barbers with the time of their next visit."""
        users, visits = self.tables.users, self.tables.appointments
        following = (
            sa.select(sa.func.min(visits.c.start_time))
            .where(
                visits.c.barber_id == users.c.id,
                visits.c.start_time >= _now(),
                visits.c.status.in_(("pending", "confirmed")),
            )
            .scalar_subquery()
            .label("next_appointment")
        )
        query = sa.select(users, following).where(users.c.role == "barber", users.c.is_active)
        if organization_id:
            query = query.where(users.c.primary_organization_id == organization_id)
        with self.database.transaction() as tx:
            return tx.all("barbers.list", query.order_by(users.c.id).limit(20))

    def barber(self, barber_id: int) -> Row | None:
        users = self.tables.users
        query = sa.select(users).where(users.c.id == barber_id, users.c.role == "barber")
        with self.database.transaction() as tx:
            return tx.one("barbers.by_id", query)

    def profile(self, barber_id: int) -> Row | None:
        users, profiles = self.tables.users, self.tables.profiles
        query = sa.select(
            profiles,
            users.c.name.label("user_name"),
            users.c.email.label("user_email"),
            users.c.phone.label("user_phone"),
            users.c.role.label("user_role"),
            users.c.is_active.label("user_is_active"),
            users.c.created_at.label("user_created_at"),
        ).join(users, users.c.id == profiles.c.user_id)
        with self.database.transaction() as tx:
            return tx.one("barbers.profile", query.where(profiles.c.user_id == barber_id))

    def change_profile(self, caller: Row, barber_id: int, changes: Row) -> Row | None:
        profiles = self.tables.profiles
        if caller["id"] != barber_id and caller["role"] != "admin":
            raise Refusal(403, "permission_denied", "A profile is changed by its barber only")
        change = profiles.update().where(profiles.c.user_id == barber_id)
        with self.database.transaction() as tx:
            tx.run("barbers.change_profile", change.values(**changes, updated_at=_now()))
        return self.profile(barber_id)

    # --- appointments -----------------------------------------------------------------------

    def slots(self, day: date, barber_id: int | None) -> list[Row]:
        """The day's half hours with whether one barber, or any, is free. Cached for 15 s."""
        key = _slots_key(day, barber_id)
        cached: list[Row] | None = self.cache.get(key)
        if cached is None:
            with self.database.transaction() as tx:
                barbers = [barber_id] if barber_id else self._bookable(tx)
                busy = self._busy(tx, barbers, day)
            cached = [
                {
                    "time": f"{at:%H:%M}",
                    "available": at > _now()
                    and any(_free(busy, barber, at, SLOT) for barber in barbers),
                }
                for at in _half_hours(day)
            ]
            self.cache.put(key, cached, ttl_s=15)
        return cached

    def next_available(self) -> datetime | None:
        """The first half hour within a week in which any barber is free."""
        with self.database.transaction() as tx:
            barbers = self._bookable(tx)
            for ahead in range(7):
                day = _now().date() + timedelta(days=ahead)
                busy = self._busy(tx, barbers, day)
                for at in _half_hours(day):
                    if at > _now() and any(_free(busy, barber, at, SLOT) for barber in barbers):
                        return at
        return None

    def book(
        self,
        caller: Row,
        start: datetime,
        service_name: str,
        barber_id: int | None,
        notes: str | None,
        idempotency_key: str | None,
    ) -> Row:
        """One appointment. Raises Refusal 409 when the time is taken, 400 when it is past."""
        request = json.dumps([start.isoformat(), service_name, barber_id, notes])
        with self.database.transaction() as tx:
            if idempotency_key:
                earlier = self._claim(tx, caller["id"], idempotency_key, request)
                if earlier is not None:
                    return earlier
            barber, service = self._choose(tx, start, service_name, barber_id)
            values = {
                "user_id": caller["id"],
                "barber_id": barber,
                "service_id": service["id"],
                "client_id": self._client_id(tx, caller["id"]),
                "service_name": service["name"],
                "start_time": start,
                "duration_minutes": service["duration_minutes"],
                "price": service["base_price"],
                "status": "confirmed",
                "notes": notes,
                "created_at": _now(),
                "updated_at": _now(),
            }
            if self.settings.is_v2:
                code = "".join(secrets.choice(CODE_ALPHABET) for _ in range(10))
                values |= {"version": 1, "confirmation_code": code}
            visits = self.tables.appointments
            adding = visits.insert().values(values).returning(*visits.c)
            visit = tx.run("appointments.insert", adding).mappings().one()
            self._notify(tx, caller["id"], visit["id"], "appointment_confirmation", {})
            if idempotency_key:
                self._answered(tx, caller["id"], idempotency_key, dict(visit))
        self._forget_slots(visit["barber_id"], start)
        return dict(visit)

    def appointment(self, caller: Row, appointment_id: int) -> Row | None:
        with self.database.transaction() as tx:
            return self._visit(tx, caller, appointment_id)

    def appointments(
        self, caller: Row, status: str | None, skip: int, limit: int, newest_first: bool = True
    ) -> tuple[list[Row], int]:
        """The caller's own, as a barber or as a client, and how many there are."""
        visits = self.tables.appointments
        own = visits.c.barber_id if caller["role"] == "barber" else visits.c.user_id
        mine = [own == caller["id"]] + ([visits.c.status == status] if status else [])
        order = visits.c.start_time.desc() if newest_first else visits.c.start_time
        name = "barber" if caller["role"] == "barber" else "client"
        with self.database.transaction() as tx:
            query = sa.select(visits).where(*mine).order_by(order).offset(skip).limit(limit)
            found = tx.all(f"appointments.list_{name}", query)
            counting = sa.select(sa.func.count()).select_from(visits).where(*mine)
            return found, tx.run(f"appointments.count_{name}", counting).scalar_one()

    def shop_appointments(
        self, caller: Row, first: date, last: date, barber_id: int | None, skip: int, limit: int
    ) -> tuple[list[Row], int]:
        """All of the caller's shop between two days. Raises Refusal 403 for clients."""
        if caller["role"] not in STAFF:
            raise Refusal(403, "permission_denied", "Only staff may list a shop's appointments")
        users, visits = self.tables.users, self.tables.appointments
        staff = sa.select(users.c.id).where(users.c.role == "barber")
        if caller["role"] != "admin":
            staff = staff.where(
                users.c.primary_organization_id == caller["primary_organization_id"]
            )
        if barber_id:
            staff = staff.where(users.c.id == barber_id)
        wanted = [
            visits.c.barber_id.in_(staff),
            visits.c.start_time >= _day(first),
            visits.c.start_time < _day(last) + timedelta(days=1),
        ]
        query = sa.select(visits, sa.func.count().over().label("total")).where(*wanted)
        query = query.order_by(visits.c.start_time, visits.c.id).offset(skip).limit(limit)
        with self.database.transaction() as tx:
            found = tx.all("appointments.list_shop", query)
        return found, found[0]["total"] if found else 0

    def reschedule(self, caller: Row, appointment_id: int, start: datetime) -> Row | None:
        with self.database.transaction() as tx:
            visit = self._visit(tx, caller, appointment_id)
            if visit is None:
                return None
            self._must_be_open(visit)
            self._lock(tx, visit["barber_id"])
            lasts = timedelta(minutes=visit["duration_minutes"])
            self._must_be_bookable(start)
            busy = self._busy(tx, [visit["barber_id"]], start.date(), without=visit["id"])
            if not _free(busy, visit["barber_id"], start, lasts):
                raise Refusal(409, "slot_taken", "The barber is not free at this time")
            changed = self._change(tx, "appointments.reschedule", visit, start_time=start)
        self._forget_slots(visit["barber_id"], visit["start_time"])
        self._forget_slots(visit["barber_id"], start)
        return changed

    def cancel(self, caller: Row, appointment_id: int) -> Row | None:
        notifications = self.tables.notifications
        with self.database.transaction() as tx:
            visit = self._visit(tx, caller, appointment_id)
            if visit is None:
                return None
            self._must_be_open(visit)
            changed = self._change(tx, "appointments.cancel", visit, status="cancelled")
            tx.run(
                "notifications.cancel",
                notifications.update()
                .where(
                    notifications.c.appointment_id == visit["id"],
                    notifications.c.status == "pending",
                )
                .values(status="cancelled"),
            )
        self._forget_slots(visit["barber_id"], visit["start_time"])
        return changed

    def overview(self, caller: Row) -> Row:
        """The last thirty days in figures and the next five visits."""
        visits, payments = self.tables.appointments, self.tables.payments
        own = visits.c.barber_id if caller["role"] == "barber" else visits.c.user_id
        since = _now() - timedelta(days=30)
        lately = [own == caller["id"], visits.c.start_time.between(since, _now())]
        with self.database.transaction() as tx:
            totals = tx.all(
                "dashboard.totals",
                sa.select(visits.c.status, sa.func.count().label("count"))
                .where(*lately)
                .group_by(visits.c.status),
            )
            paid = tx.run(
                "dashboard.revenue",
                sa.select(sa.func.coalesce(sa.func.sum(payments.c.amount), 0))
                .join(visits, visits.c.id == payments.c.appointment_id)
                .where(*lately, payments.c.status == "succeeded"),
            ).scalar_one()
            coming = tx.all(
                "dashboard.coming",
                sa.select(visits)
                .where(
                    own == caller["id"],
                    visits.c.start_time >= _now(),
                    visits.c.status.in_(("pending", "confirmed")),
                )
                .order_by(visits.c.start_time)
                .limit(5),
            )
            waiting = tx.run(
                "dashboard.notifications",
                sa.select(sa.func.count()).where(
                    self.tables.notifications.c.user_id == caller["id"],
                    self.tables.notifications.c.status == "pending",
                ),
            ).scalar_one()
        return {
            "last_30_days": {row["status"]: row["count"] for row in totals},
            "revenue": float(paid),
            "upcoming": coming,
            "pending_notifications": waiting,
        }

    def _bookable(self, tx: Transaction) -> list[int]:
        users = self.tables.users
        query = sa.select(users.c.id).where(users.c.role == "barber", users.c.is_active)
        return [row["id"] for row in tx.all("barbers.bookable", query.order_by(users.c.id))]

    def _busy(
        self, tx: Transaction, barbers: list[int], day: date, without: int = 0
    ) -> dict[int, list[tuple[datetime, datetime]]]:
        visits = self.tables.appointments
        query = sa.select(
            visits.c.id, visits.c.barber_id, visits.c.start_time, visits.c.duration_minutes
        ).where(
            visits.c.barber_id == sa.any_(sa.literal(barbers, sa.ARRAY(sa.BigInteger))),
            visits.c.start_time >= _day(day),
            visits.c.start_time < _day(day) + timedelta(days=1),
            visits.c.status.in_(("pending", "confirmed", "completed")),
        )
        busy: dict[int, list[tuple[datetime, datetime]]] = {}
        for visit in tx.all("appointments.busy", query):
            ends = visit["start_time"] + timedelta(minutes=visit["duration_minutes"])
            if visit["id"] != without:
                busy.setdefault(visit["barber_id"], []).append((visit["start_time"], ends))
        return busy

    def _choose(
        self, tx: Transaction, start: datetime, service_name: str, barber_id: int | None
    ) -> tuple[int, Row]:
        """A free barber, locked until the transaction ends, and the service of that shop."""
        users, services = self.tables.users, self.tables.services
        self._must_be_bookable(start)
        offer = (
            sa.select(services, users.c.id.label("barber_id"))
            .join(users, users.c.primary_organization_id == services.c.organization_id)
            .where(
                users.c.role == "barber",
                users.c.is_active,
                services.c.is_active,
                services.c.name == service_name,
            )
        )
        if barber_id:
            offer = offer.where(users.c.id == barber_id)
        offers = tx.all("services.offers", offer.order_by(users.c.id))
        if not offers:
            raise Refusal(400, "unknown_service", "No such barber offers this service")
        lasts = {row["barber_id"]: timedelta(minutes=row["duration_minutes"]) for row in offers}
        busy = self._busy(tx, list(lasts), start.date())
        for row in offers:
            barber: int = row["barber_id"]
            if _free(busy, barber, start, lasts[barber]):
                self._lock(tx, barber)
                if _free(self._busy(tx, [barber], start.date()), barber, start, lasts[barber]):
                    return barber, row
        raise Refusal(409, "slot_taken", "No barber is free at this time")

    def _must_be_bookable(self, start: datetime) -> None:
        if start <= _now():
            raise Refusal(400, "in_the_past", "An appointment has to lie in the future")
        if not OPENS <= start.time() < CLOSES:
            raise Refusal(400, "closed", f"The shop is open from {OPENS:%H:%M} to {CLOSES:%H:%M}")

    def _must_be_open(self, visit: Row) -> None:
        if visit["status"] not in ("pending", "confirmed"):
            raise Refusal(409, "not_open", f"This appointment is {visit['status']}")

    def _lock(self, tx: Transaction, barber_id: int) -> None:
        lock = sa.func.pg_advisory_xact_lock(BOOKING_LOCK, sa.cast(barber_id, sa.Integer))
        tx.run("appointments.lock_barber", sa.select(lock))

    def _client_id(self, tx: Transaction, user_id: int) -> int | None:
        clients = self.tables.clients
        query = sa.select(clients.c.id).where(clients.c.user_id == user_id).limit(1)
        client = tx.one("clients.by_user", query)
        return client["id"] if client else None

    def _visit(self, tx: Transaction, caller: Row, appointment_id: int) -> Row | None:
        """One appointment that the caller takes part in. Raises Refusal 403 for others."""
        visits = self.tables.appointments
        query = sa.select(visits).where(visits.c.id == appointment_id)
        visit = tx.one("appointments.by_id", query)
        if (
            visit
            and caller["role"] != "admin"
            and caller["id"] not in (visit["user_id"], visit["barber_id"])
        ):
            raise Refusal(403, "permission_denied", "This appointment belongs to somebody else")
        return visit

    def _change(self, tx: Transaction, name: str, visit: Row, **values: Any) -> Row:
        """Write to the visit as it was read; v2.0.0 notices a change in between."""
        visits = self.tables.appointments
        change = visits.update().where(
            visits.c.id == visit["id"], visits.c.status.in_(("pending", "confirmed"))
        )
        if self.settings.is_v2:
            change = change.where(visits.c.version == visit["version"])
            values["version"] = visit["version"] + 1
        changed = tx.one(name, change.values(**values, updated_at=_now()).returning(*visits.c))
        if changed is None:
            raise Refusal(409, "changed_meanwhile", "The appointment changed meanwhile; try again")
        return changed

    def _notify(
        self, tx: Transaction, user_id: int, visit_id: int | None, template: str, payload: Row
    ) -> None:
        tx.run(
            "notifications.insert",
            self.tables.notifications.insert().values(
                user_id=user_id,
                appointment_id=visit_id,
                template=template,
                channel="email",
                status="pending",
                payload=payload,
                scheduled_for=_now(),
                created_at=_now(),
            ),
        )

    def _claim(self, tx: Transaction, user_id: int, key: str, request: str) -> Row | None:
        """Take the key; where it is taken, the answer given then."""
        keys = self.tables.idempotency
        fingerprint = hashlib.sha256(request.encode()).hexdigest()
        claim = insert(keys).values(user_id=user_id, key=key, request_hash=fingerprint)
        if tx.one("idempotency.claim", claim.on_conflict_do_nothing().returning(keys.c.id)):
            return None
        query = sa.select(keys).where(keys.c.user_id == user_id, keys.c.key == key)
        earlier = tx.one("idempotency.by_key", query)
        if earlier is None or earlier["request_hash"] != fingerprint:
            raise Refusal(409, "idempotency_conflict", "This key was used for another request")
        answer: Row = earlier["response"]
        return answer

    def _answered(self, tx: Transaction, user_id: int, key: str, visit: Row) -> None:
        keys = self.tables.idempotency
        answer = json.loads(json.dumps(visit, default=_plain))
        tx.run(
            "idempotency.answer",
            keys.update()
            .where(keys.c.user_id == user_id, keys.c.key == key)
            .values(response=answer),
        )

    def _forget_slots(self, barber_id: int, start: datetime) -> None:
        self.cache.forget(_slots_key(start.date(), barber_id), _slots_key(start.date(), None))

    # --- health ------------------------------------------------------------------------------

    def database_state(self) -> Row:
        """Revision and row estimates; raises SQLAlchemyError when the database is away."""
        estimates = (
            "SELECT relname, reltuples::bigint AS rows FROM pg_class WHERE relkind = 'r'"
            " AND relnamespace = 'public'::regnamespace AND relname IN ('users', 'appointments')"
        )
        with self.database.transaction() as tx:
            tx.run("health.ping", sa.text("SELECT 1"))
            revision = tx.one("health.revision", sa.text("SELECT version_num FROM alembic_version"))
            rows = tx.all("health.rows", sa.text(estimates))
        return {
            "schema_revision": revision and revision["version_num"],
            "estimated_rows": {row["relname"]: row["rows"] for row in rows},
        }


def _read_by_bcrypt(password: str) -> bytes:
    return password.encode()[:72]  # it refuses more


def _now() -> datetime:
    return datetime.now(UTC)


def _day(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _half_hours(day: date) -> list[datetime]:
    opens, closes = (datetime.combine(day, at, UTC) for at in (OPENS, CLOSES))
    return [opens + n * SLOT for n in range((closes - opens) // SLOT)]


def _free(
    busy: dict[int, list[tuple[datetime, datetime]]], barber: int, at: datetime, lasts: timedelta
) -> bool:
    return all(at + lasts <= begins or ends <= at for begins, ends in busy.get(barber, ()))


def _slots_key(day: date, barber_id: int | None) -> str:
    return f"slots:{day}:{barber_id or 'any'}"


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else float(value)
