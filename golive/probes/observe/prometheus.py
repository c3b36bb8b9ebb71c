"""Prometheus and Alertmanager as their HTTP APIs show them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from golive.environments import Environment
from golive.verdicts import ProbeError


@dataclass(frozen=True, slots=True)
class Sample:
    """One series' value at one moment."""

    labels: dict[str, str]
    value: float
    at: datetime


@dataclass(frozen=True, slots=True)
class Course:
    """One series' values over a time, oldest first; moments without one are left out."""

    labels: dict[str, str]
    values: tuple[tuple[datetime, float], ...]


@dataclass(frozen=True, slots=True)
class Recording:
    """A loaded recording rule."""

    name: str
    query: str
    labels: dict[str, str]


@dataclass(frozen=True, slots=True)
class Rule:
    """A loaded alerting rule."""

    group: str
    name: str
    query: str
    for_s: float
    labels: dict[str, str]
    health: str
    """``ok``, ``unknown`` (not evaluated yet) or ``err``."""
    last_error: str


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert that is pending or firing in Prometheus."""

    name: str
    state: str
    labels: dict[str, str]
    active_at: datetime


def query(env: Environment, promql: str, at: datetime | None = None) -> list[Sample]:
    """The value of an expression now, or at another moment; ``[]`` when no series matches.

    A scalar answer is one sample without labels. NaN (a ratio of nothing) stays NaN.

    :raises ProbeError: Prometheus cannot be asked, or refuses the expression.
    """
    parameters = {"query": promql} | ({"time": str(at.timestamp())} if at else {})
    data = _prometheus(env, "query", parameters)
    result = data["result"]
    if data["resultType"] == "scalar":
        result = [{"metric": {}, "value": result}]
    return [_sample(row) for row in result]


def query_range(
    env: Environment, promql: str, start: datetime, end: datetime, step_s: float
) -> list[Course]:
    """The values of an expression over a time; ``[]`` when no series ever matches.

    Prometheus refuses more than 11,000 steps.

    :raises ProbeError: Prometheus cannot be asked, or refuses the expression.
    """
    parameters = {
        "query": promql,
        "start": f"{start.timestamp():.3f}",
        "end": f"{end.timestamp():.3f}",
        "step": f"{step_s:g}",
    }
    return [
        Course(
            dict(row["metric"]),
            tuple((datetime.fromtimestamp(at, UTC), _number(v)) for at, v in row["values"]),
        )
        for row in _prometheus(env, "query_range", parameters)["result"]
    ]


def rules(env: Environment) -> list[Rule]:
    """Every loaded alerting rule.

    :raises ProbeError: Prometheus cannot be asked.
    """
    return [
        Rule(
            group=group["name"],
            name=rule["name"],
            query=rule["query"],
            for_s=float(rule.get("duration", 0.0)),
            labels=dict(rule.get("labels") or {}),
            health=rule.get("health", "unknown"),
            last_error=rule.get("lastError", ""),
        )
        for group in _prometheus(env, "rules", {"type": "alert"})["groups"]
        for rule in group["rules"]
        if rule["type"] == "alerting"
    ]


def recordings(env: Environment) -> list[Recording]:
    """Every loaded recording rule, in the order in which they are evaluated within a group.

    :raises ProbeError: Prometheus cannot be asked.
    """
    return [
        Recording(rule["name"], rule["query"], dict(rule.get("labels") or {}))
        for group in _prometheus(env, "rules", {"type": "record"})["groups"]
        for rule in group["rules"]
        if rule["type"] == "recording"
    ]


def alerts(env: Environment) -> list[Alert]:
    """Alerts that are pending or firing.

    :raises ProbeError: Prometheus cannot be asked.
    """
    return [
        Alert(
            name=alert["labels"].get("alertname", ""),
            state=alert["state"],
            labels=dict(alert["labels"]),
            active_at=_time(alert["activeAt"]),
        )
        for alert in _prometheus(env, "alerts", {})["alerts"]
    ]


def receivers(env: Environment, labels: dict[str, str]) -> list[str]:
    """The receivers that Alertmanager's loaded routes deliver an alert of these labels to.

    :raises ProbeError: Alertmanager cannot be asked, or its configuration cannot be read.
    """
    return routed(alertmanager_config(env), labels)


def alertmanager_config(env: Environment) -> dict[str, Any]:
    """Alertmanager's configuration as it is loaded now (its secrets are blanked out by it).

    :raises ProbeError: Alertmanager cannot be asked, or its configuration cannot be read.
    """
    import yaml

    url = f"{env.monitoring.alertmanager.rstrip('/')}/api/v2/status"
    try:
        original = _get(env, "Alertmanager", url, {})["config"]["original"]
        config = yaml.safe_load(original)
        config["route"]["receiver"]
    except (KeyError, TypeError, yaml.YAMLError) as e:
        raise ProbeError(
            f"Alertmanager's routes at {url}",
            f"its status holds no readable configuration ({type(e).__name__})",
            "open that address and see what answers there",
        ) from None
    return dict(config)


def routed(config: dict[str, Any], labels: dict[str, str]) -> list[str]:
    """The receivers of an Alertmanager configuration for an alert of these labels.

    Follows Alertmanager's routing: the first matching child takes the alert unless it says
    ``continue``, and a route without a matching child delivers to its own receiver.
    """
    root = config["route"]
    found = [name for name in _descend(root, root["receiver"], labels) if name]
    return list(dict.fromkeys(found))


def telling(config: Mapping[str, Any]) -> frozenset[str]:
    """The receivers of an Alertmanager configuration that tell anybody anything."""
    return frozenset(
        one["name"]
        for one in config.get("receivers") or []
        if any(ways for key, ways in one.items() if key.endswith("_configs"))
    )


def _descend(route: dict[str, Any], inherited: str, labels: dict[str, str]) -> list[str]:
    receiver = route.get("receiver") or inherited
    found: list[str] = []
    for child in route.get("routes") or []:
        if _matches(child, labels):
            found += _descend(child, receiver, labels)
            if not child.get("continue"):
                break
    return found or [receiver]


_MATCHER = re.compile(r'^\s*"?([^"=!~\s]+)"?\s*(=~|!~|!=|=)\s*(.*?)\s*$', re.DOTALL)


def _matches(route: dict[str, Any], labels: dict[str, str]) -> bool:
    wanted = [(k, "=", str(v)) for k, v in (route.get("match") or {}).items()]
    wanted += [(k, "=~", str(v)) for k, v in (route.get("match_re") or {}).items()]
    for text in route.get("matchers") or []:
        for one in _split(text):
            match = _MATCHER.match(one)
            if match is None:
                raise ProbeError(
                    "Alertmanager's routes",
                    f"the matcher {one!r} cannot be read",
                    "write it as label=value, label!=value, label=~regex or label!~regex",
                )
            wanted.append((match[1], match[2], _unquoted(match[3])))
    return all(_fits(labels.get(k, ""), how, value) for k, how, value in wanted)


def _split(matchers: str) -> list[str]:
    """One entry may hold several matchers: ``{a="1", b=~"x,y"}``."""
    text = matchers.strip()
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1]
    parts = re.findall(r'(?:[^,"]|"(?:\\.|[^"\\])*")+', text)
    return [p for p in parts if p.strip()]


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), value[1:-1])
    return value


def _fits(found: str, how: str, wanted: str) -> bool:
    if how in {"=", "!="}:
        return (found == wanted) is (how == "=")
    return bool(re.fullmatch(wanted, found, re.DOTALL)) is (how == "=~")


def _sample(row: dict[str, Any]) -> Sample:
    moment, value = row["value"]
    return Sample(dict(row["metric"]), _number(value), datetime.fromtimestamp(moment, UTC))


def _number(text: str) -> float:
    return {"+Inf": math.inf, "-Inf": -math.inf, "NaN": math.nan}.get(text) or float(text)


def _time(text: str) -> datetime:
    # Go writes nanoseconds; Python reads microseconds.
    return datetime.fromisoformat(re.sub(r"(\.\d{1,6})\d*", r"\1", text)).astimezone(UTC)


def _prometheus(env: Environment, path: str, parameters: dict[str, str]) -> dict[str, Any]:
    url = f"{env.monitoring.prometheus.rstrip('/')}/api/v1/{path}"
    answer = _get(env, "Prometheus", url, parameters)
    if answer.get("status") != "success":
        raise ProbeError(
            f"Prometheus at {url}",
            f"{answer.get('errorType', 'error')}: {answer.get('error', 'no reason given')}"
            + (f" in {parameters['query']}" if "query" in parameters else ""),
            "try the expression in Prometheus's own page",
        )
    return dict(answer["data"])


def _get(env: Environment, who: str, url: str, parameters: dict[str, str]) -> dict[str, Any]:
    import requests

    limits = (env.time_limits.connect, env.time_limits.probe)
    try:
        answer = requests.get(url, params=parameters, timeout=limits)
        # Prometheus explains a refused expression in the body of a 400 or 422.
        if answer.status_code not in {200, 400, 422}:
            raise ProbeError(
                f"{who} at {url}", f"HTTP status {answer.status_code}", f"see {who}'s log"
            )
        body = answer.json()
    except requests.exceptions.JSONDecodeError:
        raise ProbeError(
            f"{who} at {url}", "its answer is no JSON", f"check that {who} serves this address"
        ) from None
    except requests.RequestException as e:
        raise ProbeError(
            f"{who} at {url}", _short(e), f"check that {who} runs and may be reached from here"
        ) from None
    if not isinstance(body, dict):
        raise ProbeError(f"{who} at {url}", "its answer is no JSON object", f"see {who}'s log")
    return body


def _short(error: Exception) -> str:
    """What lies at the bottom of requests' nested errors."""
    inner: BaseException = error
    while inner.__context__ is not None:
        inner = inner.__context__
    return str(inner) or type(inner).__name__
