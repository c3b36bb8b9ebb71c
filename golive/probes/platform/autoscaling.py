"""Autoscaling groups as they are set up: their bounds, and the policies that move them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from golive.environments import Environment
from golive.probes.platform.aws_clients import asking
from golive.probing import probe
from golive.verdicts import ProbeError

_NEEDED = frozenset(
    {"Launch", "Terminate", "HealthCheck", "AlarmNotification", "AddToLoadBalancer"}
)
"""Processes without which a group does not scale, or what it starts does not serve."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy of a group."""

    name: str
    kind: str
    enabled: bool
    grows: bool
    shrinks: bool


@dataclass(frozen=True, slots=True)
class ScalingGroup:
    """An autoscaling group."""

    name: str
    minimum: int
    maximum: int
    desired: int
    planned: int
    """Instances that the capacity plan has."""
    suspended: tuple[str, ...]
    """Processes that are, of those that scaling needs."""
    policies: tuple[Policy, ...]

    @property
    def grows(self) -> bool:
        """Whether a policy in force adds instances."""
        return any(p.enabled and p.grows for p in self.policies)

    @property
    def shrinks(self) -> bool:
        """Whether a policy in force takes them away again."""
        return any(p.enabled and p.shrinks for p in self.policies)


@dataclass(frozen=True, slots=True)
class ScalingGroups:
    """The declared groups."""

    declared: tuple[str, ...]
    groups: tuple[ScalingGroup, ...]

    @property
    def found(self) -> list[str]:
        return [g.name for g in self.groups]

    @property
    def minimum(self) -> dict[str, int]:
        return {g.name: g.minimum for g in self.groups}

    @property
    def rigid(self) -> list[str]:
        """Groups whose maximum is not above their minimum."""
        return [
            f"{g.name}: {g.minimum} to {g.maximum}" for g in self.groups if g.maximum <= g.minimum
        ]

    @property
    def below_plan(self) -> list[str]:
        """Groups that may not have as many instances as the capacity plan has."""
        return [
            f"{g.name}: at most {g.maximum} of {g.planned}"
            for g in self.groups
            if g.maximum < g.planned
        ]

    @property
    def never_growing(self) -> list[str]:
        return [g.name for g in self.groups if not g.grows]

    @property
    def never_shrinking(self) -> list[str]:
        return [g.name for g in self.groups if not g.shrinks]

    @property
    def suspended(self) -> list[str]:
        return [f"{g.name}: {process}" for g in self.groups for process in g.suspended]


@probe()
def scaling_groups(env: Environment) -> ScalingGroups:
    """The declared autoscaling groups and their policies."""
    declared = tuple(dict.fromkeys(g.name for g in env.scaling.groups))
    if not declared:
        raise ProbeError(
            "autoscaling groups",
            "none is declared",
            "declare those that serve users under scaling.groups",
        )
    planned = {g.name: g.planned for g in env.scaling.groups}
    step = "check scaling.region, and that this key may call autoscaling:Describe*"
    with asking(env, "autoscaling groups", step, env.scaling.region, "autoscaling") as scaling:
        pages = scaling.get_paginator("describe_auto_scaling_groups").paginate(
            AutoScalingGroupNames=list(declared)
        )
        tables = {g["AutoScalingGroupName"]: g for page in pages for g in page["AutoScalingGroups"]}
        return ScalingGroups(
            declared,
            tuple(
                _group(tables[name], planned[name], _policies(scaling, name))
                for name in declared
                if name in tables
            ),
        )


def _group(table: dict[str, Any], planned: int, policies: tuple[Policy, ...]) -> ScalingGroup:
    suspended = {p["ProcessName"] for p in table.get("SuspendedProcesses", [])}
    return ScalingGroup(
        table["AutoScalingGroupName"],
        int(table["MinSize"]),
        int(table["MaxSize"]),
        int(table["DesiredCapacity"]),
        planned,
        tuple(sorted(suspended & _NEEDED)),
        policies,
    )


def _policies(scaling: Any, group: str) -> tuple[Policy, ...]:
    pages = scaling.get_paginator("describe_policies").paginate(AutoScalingGroupName=group)
    return tuple(_policy(p) for page in pages for p in page["ScalingPolicies"])


def _policy(table: dict[str, Any]) -> Policy:
    kind = str(table.get("PolicyType") or "SimpleScaling")
    enabled = table.get("Enabled") is not False
    if kind == "TargetTrackingScaling":
        tracking = table.get("TargetTrackingConfiguration") or {}
        shrinks = not tracking.get("DisableScaleIn", False)
        return Policy(table["PolicyName"], kind, enabled, True, shrinks)
    if kind == "PredictiveScaling":
        predicting = table.get("PredictiveScalingConfiguration") or {}
        grows = predicting.get("Mode") == "ForecastAndScale"  # which never shrinks a group
        return Policy(table["PolicyName"], kind, enabled, grows, False)
    steps = [s.get("ScalingAdjustment", 0) for s in table.get("StepAdjustments") or []]
    changes = steps or [table.get("ScalingAdjustment") or 0]
    if table.get("AdjustmentType") == "ExactCapacity":
        return Policy(table["PolicyName"], kind, enabled, True, True)
    # Without an alarm nobody ever executes it.
    enabled = enabled and bool(table.get("Alarms"))
    return Policy(
        table["PolicyName"], kind, enabled, any(c > 0 for c in changes), any(c < 0 for c in changes)
    )
