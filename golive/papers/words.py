"""Types that several kinds of papers share."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

Grade = Literal["low", "medium", "high"]
Severity = Literal["low", "medium", "high", "critical"]
PersonId = Annotated[str, Meta(description="a person's id on the roster")]
Sha256 = Annotated[str, Meta(description="SHA-256 in hexadecimal", pattern=r"^[0-9a-f]{64}$")]
Commit = Annotated[str, Meta(description="a whole commit id", pattern=r"^[0-9a-f]{40}$")]
Moment = Annotated[datetime, Meta(tz=True)]
"""With its time zone."""
