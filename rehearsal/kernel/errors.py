"""The one error of the rehearsal."""

from __future__ import annotations


class RehearsalError(Exception):
    """Something an owner has to know, as one paragraph: what failed, why, and what to do."""
