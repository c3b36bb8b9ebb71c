"""Label selectors, as Kubernetes reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def matches(selector: Any, labels: Mapping[str, str]) -> bool:
    """Whether a label selector takes these labels. An empty one takes all, none takes nothing."""
    if not isinstance(selector, Mapping):
        return False
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(str(k)) != str(v) for k, v in wanted.items()):
        return False
    return all(_meets(one, labels) for one in selector.get("matchExpressions") or [])


def _meets(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, how = str(expression.get("key")), expression.get("operator")
    values = {str(v) for v in expression.get("values") or []}
    if how == "Exists":
        return key in labels
    if how == "DoesNotExist":
        return key not in labels
    if how == "In":
        return labels.get(key) in values
    # NotIn also takes what has no such label; no other operator is known.
    return how == "NotIn" and labels.get(key) not in values
