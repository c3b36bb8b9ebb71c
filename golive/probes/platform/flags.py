"""Feature flags as Unleash tells them to the product's own clients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from golive.environments import Environment
from golive.probes.transport.rest import api
from golive.probing import probe
from golive.verdicts import ProbeError

_ALWAYS = frozenset({"default", "flexibleRollout", "gradualRolloutRandom"})
"""Strategies that ask for nothing of a user but luck."""
_EDITORS = frozenset({"Admin", "Editor"})
"""Unleash's own roles that may change a flag."""


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag as it is set in the environment that the client's token belongs to."""

    name: str
    description: str
    enabled: bool
    """Whether its strategies are asked at all."""
    for_all: bool
    """Whether it is on for everybody."""
    stale: bool
    share: str = ""
    """For how many it is on where that is neither everybody nor nobody: ``25%``, or ``some``."""

    @property
    def state(self) -> str:
        """``on`` and ``off`` for everybody and nobody, else for whom."""
        return "on" if self.for_all else self.share if self.enabled and self.share else "off"


@dataclass(frozen=True, slots=True)
class Flags:
    """Every flag by name."""

    all: dict[str, Flag]

    def besides(self, synthetic: str) -> list[str]:
        """Every flag but the suite's own."""
        return [name for name in self.all if name != synthetic]

    def missing(self, names: list[str]) -> list[str]:
        """Names that are no flag."""
        return [name for name in names if name not in self.all]

    def off(self, names: list[str]) -> list[str]:
        """Names that are no flag, or one that is not on for everybody."""
        return [name for name in names if name not in self.all or not self.all[name].for_all]


class _Strategy(msgspec.Struct):
    name: str
    parameters: dict[str, Any] = {}
    constraints: list[Any] | None = None
    segments: list[Any] | None = None


class _Flag(msgspec.Struct):
    name: str
    enabled: bool
    description: str | None = None
    stale: bool | None = False
    strategies: list[_Strategy] = []
    dependencies: list[Any] | None = None


class _Flags(msgspec.Struct):
    features: list[_Flag]


class _User(msgspec.Struct):
    rootRole: int  # noqa: N815 - as Unleash writes it
    email: str | None = None


class _Role(msgspec.Struct):
    id: int
    name: str


class _Users(msgspec.Struct):
    users: list[_User]
    rootRoles: list[_Role]  # noqa: N815


@probe()
def flags(env: Environment) -> Flags:
    """The feature flags, and whether each is on for everybody."""
    reported = env.flags
    with api(env, "the feature flags", reported.url, reported.token.reveal()) as unleash:
        found = unleash.one("/client/features", _Flags).features
    return Flags(
        {
            one.name: Flag(
                name=one.name,
                description=one.description or "",
                enabled=one.enabled,
                for_all=_for_all(one),
                stale=bool(one.stale),
                share=_share(one),
            )
            for one in found
        }
    )


@probe()
def flag_editors(env: Environment) -> tuple[str, ...]:
    """The mail addresses of those who may change feature flags."""
    token = env.flags.admin_token
    if token is None:
        raise ProbeError(
            "who may change feature flags",
            "flags.admin_token is not declared",
            f"name it in {env.source or 'the environment file'}",
        )
    with api(env, "the feature flags", env.flags.url, token.reveal()) as unleash:
        found = unleash.one("/admin/user-admin", _Users)
    may = {role.id for role in found.rootRoles if role.name in _EDITORS}
    return tuple(u.email.lower() for u in found.users if u.email and u.rootRole in may)


def _for_all(reported: _Flag) -> bool:
    if not reported.enabled or reported.dependencies:
        return False
    # Without a strategy a flag is on for all; with several, one that takes all is enough.
    return not reported.strategies or any(_takes_all(one) for one in reported.strategies)


def _share(reported: _Flag) -> str:
    """For how many of all users it is on, where one strategy tells; else that it is for some."""
    if not reported.enabled or _for_all(reported):
        return ""
    if len(reported.strategies) != 1 or reported.dependencies:
        return "some"
    [only] = reported.strategies
    if only.name not in _ALWAYS or only.constraints or only.segments:
        return "some"
    share = str(_rollout(only))
    return "" if share == "0" else f"{share}%"


def _rollout(strategy: _Strategy) -> Any:
    return strategy.parameters.get("rollout", strategy.parameters.get("percentage", 100))


def _takes_all(strategy: _Strategy) -> bool:
    if strategy.name not in _ALWAYS or strategy.constraints or strategy.segments:
        return False
    return str(_rollout(strategy)) == "100"
