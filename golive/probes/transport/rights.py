"""Rights at AWS: what one that lacks leaves unseen, and nothing beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from golive.verdicts import ProbeError, Unseen

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

P = ParamSpec("P")
T = TypeVar("T")

_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"})
"""A HEAD request has no body to say more than its status."""


def is_refusal(error: ClientError) -> bool:
    """Whether AWS refused it for want of a right, and for nothing else."""
    return error.response["Error"]["Code"] in _DENIED


def permitted(
    right: str, subject: str, look: Callable[P, T], *values: P.args, **named: P.kwargs
) -> T | Unseen:
    """What a look finds; unseen where this key lacks the right that it alone needs.

    :param right: one action of IAM, or several.
    """
    from botocore.exceptions import ClientError

    try:
        return look(*values, **named)
    except ClientError as e:
        if not is_refusal(e):
            raise
        return Unseen(ProbeError(subject, e, f"permit {right} to the reading key"))
