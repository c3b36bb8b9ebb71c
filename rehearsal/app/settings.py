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
    faults_file: Path | None = None
    static: Path = Path(__file__).parent / "static"
    """The frontend as it was built."""

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
            faults_file=Path(faults) if faults else None,
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


def _addresses(text: str) -> tuple[tuple[str, int], ...]:
    pairs = [entry.strip().rpartition(":") for entry in text.split(",") if entry.strip()]
    if not all(host and port.isdigit() for host, _, port in pairs):
        raise SettingsError("REDIS_SENTINELS must read host:port,host:port")
    return tuple((host, int(port)) for host, _, port in pairs)
