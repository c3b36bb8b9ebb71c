"""Clients of Amazon's services with the environment's key, or with a role that it assumes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from golive.environments import Environment
from golive.probes.transport.rights import is_refusal
from golive.verdicts import ProbeError


@dataclass(frozen=True, slots=True)
class Credentials:
    """Whom AWS takes the caller for."""

    key_id: str
    key: str = field(repr=False)
    token: str = field(default="", repr=False)


@contextmanager
def asking(
    env: Environment,
    subject: str,
    step: str,
    region: str,
    *services: str,
    as_: Credentials | None = None,
) -> Iterator[Any]:
    """The client of a service in a region, or a tuple of them where several are named.

    :param as_: instead of the environment's own key.
    :raises ProbeError: a request in the block is refused or not answered.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        made = tuple(client(env, service, region, as_) for service in services)
        yield made if len(made) > 1 else made[0]
    except ClientError as e:
        raise ProbeError(subject, e, step) from None
    except (BotoCoreError, ValueError) as e:  # ValueError: what is no region makes no address
        raise ProbeError(subject, e, "check that AWS can be reached from here") from None


def client(env: Environment, service: str, region: str, as_: Credentials | None = None) -> Any:
    """One client; its requests raise botocore's own errors."""
    import boto3
    from botocore.config import Config

    who = as_ or own(env)
    local: dict[str, Any] = {"proxies": {}} if env.aws.endpoint_url else {}
    session = boto3.session.Session(
        aws_access_key_id=who.key_id,
        aws_secret_access_key=who.key,
        aws_session_token=who.token or None,
        region_name=region,
    )
    return session.client(
        service,  # type: ignore[call-overload]
        endpoint_url=env.aws.endpoint_url or None,
        config=Config(
            connect_timeout=env.time_limits.connect,
            read_timeout=env.time_limits.probe,
            retries={"total_max_attempts": 4, "mode": "standard"},  # AWS throttles
            **local,
        ),
    )


def own(env: Environment) -> Credentials:
    """The environment's own key."""
    return Credentials(env.aws.access_key_id.reveal(), env.aws.secret_access_key.reveal())


def assumed(env: Environment, role: str, region: str) -> Credentials:
    """The credentials of a role for a quarter of an hour.

    :raises ProbeError: this key may not assume it, or there is no such role.
    """
    step = f"let this key assume {role}: sts:AssumeRole in its policy and in the role's trust"
    with asking(env, f"the role {role}", step, region, "sts") as sts:
        found = sts.assume_role(RoleArn=role, RoleSessionName="golive", DurationSeconds=900)
    given = found["Credentials"]
    return Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])


def is_denied(request: Any, **values: Any) -> bool:
    """Whether AWS refuses a request for want of a right; any other answer to it is raised.

    :raises ClientError: it is refused for another reason.
    """
    from botocore.exceptions import ClientError

    try:
        request(**values)
    except ClientError as e:
        if is_refusal(e):
            return True
        raise
    return False
