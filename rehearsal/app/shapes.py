"""Bodies of requests and responses, as the product's API declares them."""

from __future__ import annotations

from datetime import date as Date  # noqa: N812 - fields are called date
from datetime import datetime, time
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

Email = Annotated[
    str,
    StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=254, strip_whitespace=True),
]
Clock = Annotated[str, StringConstraints(pattern=r"^([0-1]?[0-9]|2[0-3]):[0-5][0-9]$")]
Password = Annotated[str, StringConstraints(min_length=8, max_length=72)]  # bcrypt reads 72 bytes
Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Category = Literal[
    "haircut", "shave", "beard", "hair_treatment", "styling", "color", "package", "other"
]


class UserLogin(BaseModel):
    email: Email
    password: str


class UserCreate(BaseModel):
    email: Email
    name: Name
    password: Password
    user_type: Literal["client", "barber", "barbershop"] = "barber"


class ClientRegistration(BaseModel):
    email: Email
    first_name: Name
    last_name: Name
    password: Password
    phone: str | None = None
    marketing_consent: bool = False


class RefreshRequest(BaseModel):
    refresh_token: str


class Token(BaseModel):
    access_token: str
    refresh_token: str | None = None
    token_type: str = "bearer"  # noqa: S105 - the scheme, not a secret


class PrimaryOrganization(BaseModel):
    id: int
    name: str
    billing_plan: str
    subscription_status: str


class User(BaseModel):
    id: int
    email: str
    name: str
    role: str | None = None
    unified_role: str | None = None
    email_verified: bool = False
    timezone: str | None = None
    primary_organization_id: int | None = None
    primary_organization: PrimaryOrganization | None = None
    created_at: datetime
    updated_at: datetime | None = None
    verified_at: datetime | None = None


class Registration(BaseModel):
    message: str
    user: User


class ClientRegistrationResponse(Token):
    message: str
    user: User


class Message(BaseModel):
    message: str


class VerificationStatus(BaseModel):
    email_verified: bool
    verification_required: bool = True


class Service(BaseModel):
    id: int
    name: str
    description: str | None = None
    category: Category
    base_price: float
    duration_minutes: int
    buffer_time_minutes: int
    display_order: int
    is_active: bool
    is_bookable_online: bool
    created_by_id: int | None
    created_at: datetime
    updated_at: datetime


class BarberProfileUpdate(BaseModel):
    bio: Annotated[str, StringConstraints(max_length=2000)] | None = None
    years_experience: Annotated[int, Field(ge=0, le=80)] | None = None
    hourly_rate: Annotated[float, Field(ge=0)] | None = None
    instagram_handle: Name | None = None
    specialties: list[str] | None = None
    is_active: bool | None = None


class BarberProfile(BaseModel):
    id: int
    user_id: int
    user_name: str
    user_email: str
    user_phone: str | None
    user_role: str
    user_is_active: bool
    user_created_at: datetime
    bio: str | None
    specialties: list[str] | None
    years_experience: int | None
    hourly_rate: float | None
    instagram_handle: str | None
    is_active: bool
    created_at: datetime
    updated_at: datetime


class AppointmentReschedule(BaseModel):
    date: Date
    time: Clock

    @property
    def start(self) -> datetime:
        """The moment in UTC, in which the shops keep their hours."""
        hour, minute = self.time.split(":")
        return datetime.fromisoformat(f"{self.date}T{time(int(hour), int(minute))}+00:00")


class AppointmentCreate(AppointmentReschedule):
    service: Name
    barber_id: int | None = None
    notes: Annotated[str, StringConstraints(max_length=2000)] | None = None


class Appointment(BaseModel):
    id: int
    user_id: int | None
    barber_id: int | None
    client_id: int | None
    service_id: int | None
    service_name: str
    start_time: datetime
    duration_minutes: int
    price: float
    status: str
    notes: str | None
    created_at: datetime


class AppointmentList(BaseModel):
    appointments: list[Appointment]
    total: int


class BusinessHours(BaseModel):
    start: str
    end: str


class TimeSlot(BaseModel):
    time: str
    available: bool
    is_next_available: bool = False


class NextSlot(BaseModel):
    date: str
    time: str
    datetime: str


class Slots(BaseModel):
    date: str
    business_hours: BusinessHours
    slot_duration_minutes: int
    slots: list[TimeSlot]
    next_available: NextSlot | None = None
