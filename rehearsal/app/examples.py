"""Examples of the API document, by the name of the schema or of the parameter."""

from __future__ import annotations

from typing import Any

_AT = "2027-03-10T14:00:00Z"
_DAY, _CLOCK = "2027-03-10", "14:00"
_SYNTHETIC = "Example-2027!"

_USER: dict[str, Any] = {
    "id": 4101,
    "email": "robin@example.com",
    "name": "Robin Example",
    "role": "client",
    "unified_role": "client",
    "email_verified": False,
    "timezone": "UTC",
    "primary_organization_id": None,
    "primary_organization": None,
    "created_at": _AT,
    "updated_at": _AT,
    "verified_at": None,
}
_TOKENS = {"access_token": "eyJ.access", "refresh_token": "eyJ.refresh", "token_type": "bearer"}
_VISIT: dict[str, Any] = {
    "id": 200001,
    "user_id": 4101,
    "barber_id": 21,
    "client_id": 17,
    "service_id": 3,
    "service_name": "Haircut",
    "start_time": _AT,
    "duration_minutes": 30,
    "price": 35.0,
    "status": "confirmed",
    "notes": None,
    "created_at": _AT,
}
_SLOT = {"date": _DAY, "time": _CLOCK, "datetime": _AT}
_PROBLEM = {"type": "slot_taken", "message": "No barber is free at this time"}
_HEALTH = {"status": "healthy", "instance": "app-1", "version": "2.0.0", "timestamp": _AT}

EXAMPLES: dict[str, Any] = {
    "UserLogin": {"email": "robin@example.com", "password": _SYNTHETIC},
    "UserCreate": {
        "email": "robin@example.com",
        "name": "Robin Example",
        "password": _SYNTHETIC,
        "user_type": "barber",
    },
    "ClientRegistration": {
        "email": "robin@example.com",
        "first_name": "Robin",
        "last_name": "Example",
        "password": _SYNTHETIC,
        "phone": "+15550100200",
        "marketing_consent": False,
    },
    "RefreshRequest": {"refresh_token": "eyJ.refresh"},
    "Token": _TOKENS,
    "User": _USER,
    "Registration": {"message": "Registered", "user": _USER},
    "ClientRegistrationResponse": {**_TOKENS, "message": "Welcome", "user": _USER},
    "Message": {"message": "Email address verified"},
    "VerificationStatus": {"email_verified": True, "verification_required": True},
    "Service": {
        "id": 3,
        "name": "Haircut",
        "description": None,
        "category": "haircut",
        "base_price": 35.0,
        "duration_minutes": 30,
        "buffer_time_minutes": 5,
        "display_order": 1,
        "is_active": True,
        "is_bookable_online": True,
        "created_by_id": None,
        "created_at": _AT,
        "updated_at": _AT,
    },
    "BarberProfileUpdate": {"bio": "Twenty years of fades.", "years_experience": 20},
    "BarberProfile": {
        "id": 1,
        "user_id": 21,
        "user_name": "Sam Example",
        "user_email": "sam@example.com",
        "user_phone": "+15550100201",
        "user_role": "barber",
        "user_is_active": True,
        "user_created_at": _AT,
        "bio": "Twenty years of fades.",
        "specialties": ["fade"],
        "years_experience": 20,
        "hourly_rate": 60.0,
        "instagram_handle": None,
        "is_active": True,
        "created_at": _AT,
        "updated_at": _AT,
    },
    "AppointmentReschedule": {"date": _DAY, "time": "15:30"},
    "AppointmentCreate": {"date": _DAY, "time": _CLOCK, "service": "Haircut"},
    "Appointment": _VISIT,
    "AppointmentList": {"appointments": [_VISIT], "total": 1},
    "TimeSlot": {"time": _CLOCK, "available": True, "is_next_available": False},
    "NextSlot": _SLOT,
    "Slots": {
        "date": _DAY,
        "business_hours": {"start": "09:00", "end": "18:00"},
        "slot_duration_minutes": 30,
        "slots": [{"time": _CLOCK, "available": True, "is_next_available": True}],
        "next_available": _SLOT,
    },
    "Problem": {"error": _PROBLEM},
    "NotFound": {"detail": "Appointment not found"},
    "Health": _HEALTH,
    "Dependencies": {"status": "healthy", "dependencies": {"redis": {"status": "healthy"}}},
    "CategoryCount": {"category": "haircut", "count": 40},
    "Overview": {
        "last_30_days": {"completed": 4},
        "revenue": 140.0,
        "upcoming": [],
        "pending_notifications": 1,
    },
}

PARAMETERS: dict[str, Any] = {"appointment_date": _DAY}
