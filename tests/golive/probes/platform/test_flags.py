"""Feature flags on literal answers as Unleash gives them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from golive.environments import Environment
from golive.probes.platform import flags
from golive.verdicts import ProbeError
from tests.conftest import SECRET
from tests.golive.probes.answering import Service, answering

EnvWith = Callable[..., Environment]
EVERYBODY = {"name": "flexibleRollout", "parameters": {"rollout": "100", "groupId": "f"}}
HALF = {"name": "flexibleRollout", "parameters": {"rollout": "50", "groupId": "f"}}
SOME = {"name": "userWithId", "parameters": {"userIds": "1,2"}}
CONSTRAINT = {"contextName": "country", "operator": "IN", "values": ["DE"]}


@pytest.fixture
def service() -> Iterator[Service]:
    with answering() as service:
        yield service


@pytest.fixture
def env(env_with: EnvWith, service: Service) -> Environment:
    return env_with(flags={"url": f"{service.url}/api/"})


def looked(env: Environment, service: Service, *found: dict[str, Any]) -> flags.Flags:
    reported = {"version": 2, "features": [{"type": "release", **one} for one in found]}
    service.says("/api/client/features", reported)
    return flags.flags(env)


@pytest.mark.parametrize(
    ("flag", "for_all"),
    [
        ({"enabled": True, "strategies": []}, True),
        ({"enabled": True, "strategies": [{"name": "default"}]}, True),
        ({"enabled": True, "strategies": [EVERYBODY]}, True),
        ({"enabled": True, "strategies": [SOME, EVERYBODY]}, True),
        ({"enabled": False, "strategies": [EVERYBODY]}, False),
        ({"enabled": True, "strategies": [HALF]}, False),
        ({"enabled": True, "strategies": [SOME]}, False),
        ({"enabled": True, "strategies": [EVERYBODY | {"constraints": [CONSTRAINT]}]}, False),
        ({"enabled": True, "strategies": [EVERYBODY | {"segments": [1]}]}, False),
        ({"enabled": True, "dependencies": [{"feature": "other"}]}, False),
    ],
)
def test_a_flag_is_on_for_all_only_where_nobody_is_left_out(
    env: Environment, service: Service, flag: dict[str, Any], for_all: bool
) -> None:
    found = looked(env, service, {"name": "f", **flag})
    assert found.all["f"].for_all is for_all
    assert found.off(["f"]) == ([] if for_all else ["f"])


def test_a_name_that_is_no_flag_is_missing_and_off(env: Environment, service: Service) -> None:
    found = looked(env, service, {"name": "f", "enabled": True, "stale": True})
    assert found.missing(["f", "g"]) == ["g"]
    assert found.off(["f", "g"]) == ["g"]
    assert found.all["f"].stale


def test_a_token_that_is_refused_is_could_not_look(env: Environment, service: Service) -> None:
    looked(env, service)
    assert service.headers[0]["Authorization"] == SECRET
    service.says("/api/client/features", {"name": "AuthenticationRequired"}, status=401)
    with pytest.raises(ProbeError, match=r"the feature flags at .* status 401") as error:
        flags.flags(env)
    assert SECRET not in str(error.value)
