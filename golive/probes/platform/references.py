"""References of a configuration to AWS Secrets Manager and to parameters of Systems Manager."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from golive.environments import Environment
from golive.verdicts import ProbeError, Unseen, seen

_SECRET_ARN = re.compile(r"arn:[\w-]+:secretsmanager:(?P<region>[\w-]+):\d*:secret:(?P<rest>.+)")
_PARAMETER_ARN = re.compile(r"arn:[\w-]+:ssm:(?P<region>[\w-]+):\d*:parameter(?P<name>/.+)")


_NOT_THERE = frozenset(
    {"ResourceNotFoundException", "ParameterNotFound", "InvalidRequestException"}
)
"""The last one: the secret waits for its deletion, or has no current version."""


class Missing(ProbeError):
    """What is referred to is not there."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a value is kept."""

    service: str
    """``secretsmanager`` or ``ssm``."""
    name: str
    key: str = ""
    """Of a secret that is a JSON object; empty: the secret is the whole."""
    region: str = ""

    def __str__(self) -> str:
        return f"{self.service}:{self.name}{'#' * bool(self.key)}{self.key}"


def reference(value: str, env: Environment) -> Reference | None:
    """What a value of an environment file refers to; None where it stands for itself.

    Known are the declared beginnings (``secretsmanager:NAME#KEY``, ``ssm:NAME``) and ARNs as a
    task definition of ECS has them (``arn:aws:secretsmanager:...:secret:NAME:KEY::``).
    """
    if arn := _SECRET_ARN.fullmatch(value):
        name, _, rest = arn["rest"].partition(":")
        whole = value[: len(value) - len(rest) - 1] if rest else value
        return Reference("secretsmanager", whole if name else value, rest.partition(":")[0], arn[1])
    if arn := _PARAMETER_ARN.fullmatch(value):
        return Reference("ssm", arn["name"], "", arn["region"])
    declared = env.configuration
    if declared.secret_prefix and value.startswith(declared.secret_prefix):
        name, _, key = value.removeprefix(declared.secret_prefix).partition("#")
        return Reference("secretsmanager", name, key)
    if declared.parameter_prefix and value.startswith(declared.parameter_prefix):
        return Reference("ssm", value.removeprefix(declared.parameter_prefix))
    return None


class Store:
    """Secrets and parameters as they are now, each asked for once."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._clients: dict[tuple[str, str], Any] = {}
        self._secrets: dict[tuple[str, str], str | Unseen] = {}

    def value(self, at: Reference) -> str:
        """The current value.

        :raises ProbeError: there is no such secret, key or parameter, or it may not be read.
        """
        if at.service == "ssm":
            with self._asking(at, "ssm:GetParameter"):
                found = self._client(at).get_parameter(Name=at.name, WithDecryption=True)
                return str(found["Parameter"]["Value"])
        slot = (at.region, at.name)
        if slot not in self._secrets:
            self._secrets[slot] = seen(self._secret, at)
        whole = self._secrets[slot]
        if isinstance(whole, Unseen):
            raise whole.error
        if not at.key:
            return whole
        try:
            return str(json.loads(whole)[at.key])
        except (ValueError, KeyError, TypeError):
            raise Missing(
                str(at), f"the secret has no key {at.key}", "put the key into the secret's JSON"
            ) from None

    def _secret(self, at: Reference) -> str:
        with self._asking(at, "secretsmanager:GetSecretValue"):
            found = self._client(at).get_secret_value(SecretId=at.name)
            if "SecretString" in found:
                return str(found["SecretString"])
            return bytes(found["SecretBinary"]).decode("latin-1")

    @contextmanager
    def _asking(self, at: Reference, right: str) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as e:
            if e.response["Error"]["Code"] in _NOT_THERE:
                raise Missing(str(at), e, "make it, or correct the reference") from None
            step = f"permit {right} to the reading key"
            raise ProbeError(str(at), e, step) from None
        except BotoCoreError as e:
            step = "check that AWS can be reached from here"
            raise ProbeError(str(at), e, step) from None

    def _client(self, at: Reference) -> Any:
        slot = (at.service, at.region)
        if slot not in self._clients:
            self._clients[slot] = _client(self._env, at.service, at.region)
        return self._clients[slot]


def _client(env: Environment, service: str, region: str) -> Any:
    import boto3
    from botocore.config import Config

    local: dict[str, Any] = {"proxies": {}} if env.aws.endpoint_url else {}
    session: Any = boto3.session.Session(
        aws_access_key_id=env.aws.access_key_id.reveal(),
        aws_secret_access_key=env.aws.secret_access_key.reveal(),
        region_name=region or env.configuration.region,
    )
    return session.client(
        service,
        endpoint_url=env.aws.endpoint_url or None,
        config=Config(
            connect_timeout=env.time_limits.connect,
            read_timeout=env.time_limits.probe,
            retries={"total_max_attempts": 4, "mode": "standard"},
            **local,
        ),
    )
