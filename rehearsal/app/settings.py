"""What the application is told from outside: the environment with the product's names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

VERSIONS = ("1.9.0", "2.0.0")
DEFAULT_PASSWORD = "Rehearsal-2026!"  # noqa: S105 - of synthetic users, public on purpose


class CommandError(Exception):
    """A command could not do its work; the message is one paragraph for whoever ran it."""


class SettingsError(CommandError):
    """A setting is missing or unusable; the message says which and what was expected."""


@dataclass(frozen=True)
class Settings:
    """One instance's settings. Secrets are kept out of ``repr``."""

    database_url: str = field(repr=False)
    instance: str = "app"
    version: str = "2.0.0"
    secret_key: str = field(default="", repr=False)
    jwt_secret_key: str = field(default="", repr=False)
    redis_url: str = field(default="", repr=False)
    redis_sentinels: tuple[tuple[str, int], ...] = ()
    redis_master: str = "bookedbarber"
    redis_sentinel_password: str = field(default="", repr=False)
    pool_size: int = 20
    pool_overflow: int = 40
    bcrypt_rounds: int = 12
    card_script: str = "https://js.stripe.com/v3/"
    flags_url: str = ""
    flags_token: str = field(default="", repr=False)
    flags_refresh_s: float = 15.0
    docs_url: str = ""
    api_clients: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Names of API clients by their keys."""
    faults_file: Path | None = None
    static: Path = Path(__file__).parent / "static"
    """The frontend as it was built."""
    sendgrid_webhook_public_key: str = ""
    twilio_auth_token: str = field(default="", repr=False)
    public_url: str = ""
    gtm_container: str = ""
    gtm_url: str = "https://www.googletagmanager.com/gtm.js"
    google_url: str = "https://www.googleapis.com"
    google_client_id: str = ""
    google_client_secret: str = field(default="", repr=False)
    google_redirect_uri: str = ""
    google_barber_id: int = 0
    google_calendar: str = ""
    google_time_zone: str = "UTC"
    google_refresh_token: str = field(default="", repr=False)

    @property
    def is_v2(self) -> bool:
        return self.version.startswith("2.")

    @classmethod
    def from_environment(
        cls, instance: str, version: str, environ: Mapping[str, str] = os.environ
    ) -> Self:
        """Raises SettingsError for whatever a serving instance cannot do without."""
        version = version.removeprefix("v")
        if version not in VERSIONS:
            raise SettingsError(f"version {version!r} is unknown; expected one of {VERSIONS}")
        for name in ("SECRET_KEY", "JWT_SECRET_KEY"):
            if len(environ.get(name, "")) < 32:
                raise SettingsError(f"{name} must be set to at least 32 characters")
        faults = environ.get("APP_FAULTS")
        return cls(
            database_url=database_url(environ),
            instance=instance,
            version=version,
            secret_key=environ["SECRET_KEY"],
            jwt_secret_key=environ["JWT_SECRET_KEY"],
            redis_url=environ.get("REDIS_URL", ""),
            redis_sentinels=_addresses(environ.get("REDIS_SENTINELS", "")),
            redis_master=environ.get("REDIS_MASTER_NAME", cls.redis_master),
            redis_sentinel_password=environ.get("REDIS_SENTINEL_PASSWORD", ""),
            pool_size=_number(environ, "DB_POOL_SIZE", cls.pool_size),
            pool_overflow=_number(environ, "DB_MAX_OVERFLOW", cls.pool_overflow),
            bcrypt_rounds=_number(environ, "BCRYPT_ROUNDS", cls.bcrypt_rounds),
            card_script=environ.get("CARD_SCRIPT_URL", cls.card_script),
            flags_url=environ.get("FLAGS_URL", ""),
            flags_token=environ.get("FLAGS_TOKEN", ""),
            flags_refresh_s=_number(environ, "FLAGS_REFRESH_SECONDS", 15),
            api_clients=_clients(environ.get("API_CLIENTS", "")),
            docs_url=environ.get("DOCS_URL", cls.docs_url),
            faults_file=Path(faults) if faults else None,
            twilio_auth_token=environ.get("TWILIO_AUTH_TOKEN", ""),
            public_url=environ.get("PUBLIC_URL", ""),
            gtm_container=environ.get("NEXT_PUBLIC_GTM_ID", ""),
            gtm_url=environ.get("GTM_URL", cls.gtm_url),
            google_url=environ.get("GOOGLE_API_URL", cls.google_url),
            google_client_id=environ.get("GOOGLE_CLIENT_ID", ""),
            google_client_secret=environ.get("GOOGLE_CLIENT_SECRET", ""),
            google_redirect_uri=environ.get("GOOGLE_REDIRECT_URI", ""),
            google_barber_id=_number(environ, "GOOGLE_CALENDAR_BARBER", 0),
            google_calendar=environ.get("GOOGLE_CALENDAR_ID", ""),
            google_time_zone=environ.get("GOOGLE_CALENDAR_ZONE", cls.google_time_zone),
            google_refresh_token=environ.get("GOOGLE_CALENDAR_REFRESH_TOKEN", ""),
            sendgrid_webhook_public_key=environ.get("SENDGRID_WEBHOOK_PUBLIC_KEY", ""),
        )


def database_url(environ: Mapping[str, str] = os.environ) -> str:
    """DATABASE_URL with the driver that the application is built on."""
    url = environ.get("DATABASE_URL", "")
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.partition("+")[0] not in ("postgresql", "postgres"):
        raise SettingsError("DATABASE_URL must be set to a postgresql:// URL")
    return f"postgresql+psycopg://{rest}"


def _number(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name, str(default))
    if not text.isdigit():
        raise SettingsError(f"{name} is {text!r}; expected a whole number")
    return int(text)


def _clients(text: str) -> dict[str, str]:
    pairs = [entry.strip().partition(":") for entry in text.split(",") if entry.strip()]
    if not all(name and key for name, _, key in pairs):
        raise SettingsError("API_CLIENTS must read name:key,name:key")
    return {key: name for name, _, key in pairs}


def _addresses(text: str) -> tuple[tuple[str, int], ...]:
    pairs = [entry.strip().rpartition(":") for entry in text.split(",") if entry.strip()]
    if not all(host and port.isdigit() for host, _, port in pairs):
        raise SettingsError("REDIS_SENTINELS must read host:port,host:port")
    return tuple((host, int(port)) for host, _, port in pairs)
