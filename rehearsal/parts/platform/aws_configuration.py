"""Secrets and parameters of the product's configuration, as AWS keeps them.

Each reference of a released environment file is furnished: a secret of Secrets Manager for each
name, JSON of its keys, and a parameter of Systems Manager for each address. Staging has secrets of
its own, so that a value of it that reaches this environment is found out.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from rehearsal.data import configuration, desired
from rehearsal.data.configuration import PARAMETER, SECRET
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.platform import aws
from rehearsal.parts.platform.app import app_environment, database_url


def furnish(r: Rehearsal) -> None:
    """Make every secret and parameter that a released file refers to. Raises RehearsalError."""
    own = app_environment(r, database_url(r, "pgbouncer"))
    with aws.told_as("The product's secrets could not be made"):
        _put(r, configuration.ENVIRONMENT, own.__getitem__)
        _put(r, "staging", lambda name: r.secret(f"staging-{name.lower().replace('_', '-')}"))


def _put(r: Rehearsal, environment: str, value: Callable[[str], str]) -> None:
    secrets: dict[str, dict[str, str]] = defaultdict(dict)
    for name, reference in configuration.references(configuration.source(environment)).items():
        if reference.startswith(PARAMETER):
            parameter = reference.removeprefix(PARAMETER)
            client = aws.client(r, "ssm")
            client.put_parameter(Name=parameter, Value=value(name), Type="String", Overwrite=True)
        else:
            secret, _, key = reference.removeprefix(SECRET).partition("#")
            secrets[secret][key] = value(name)
    for secret, keys in secrets.items():
        aws.client(r, "secretsmanager").create_secret(Name=secret, SecretString=json.dumps(keys))


def change_secret(r: Rehearsal, name: str, key: str, value: str | None) -> str:
    """Give a key of a secret another value, or take it out, which makes a new version of the
    secret; the value before."""
    client = aws.client(r, "secretsmanager")
    known = json.loads(client.get_secret_value(SecretId=name)["SecretString"])
    before = known.pop(key, "")
    changed = known if value is None else {**known, key: value}
    client.put_secret_value(SecretId=name, SecretString=json.dumps(changed))
    return str(before)


def is_empty(r: Rehearsal) -> bool:
    """Whether AWS, which can be asked, knows none of it."""
    from botocore.exceptions import BotoCoreError, ClientError

    client = aws.client(r, "ssm")
    name = f"/bookedbarber/{configuration.ENVIRONMENT}/flags-url"
    try:
        client.get_parameter(Name=name)
    except client.exceptions.ParameterNotFound:
        return True
    except (BotoCoreError, ClientError):
        return False
    return False


def make_security_groups(r: Rehearsal) -> None:
    """Make the security groups that are desired."""
    with aws.told_as("The security groups could not be made"):
        ec2 = aws.client(r, "ec2")
        for name, rules in desired.SECURITY_GROUPS.items():
            made = ec2.create_security_group(GroupName=name, Description=f"{name} of production")
            permissions = [_permission(*rule.split()) for rule in rules]
            ec2.authorize_security_group_ingress(GroupId=made["GroupId"], IpPermissions=permissions)


def _permission(protocol: str, port: str, place: str) -> dict[str, Any]:
    ports = {"FromPort": int(port), "ToPort": int(port)}
    return {"IpProtocol": protocol, **ports, "IpRanges": [{"CidrIp": place}]}


class Resolver:
    """Looks references up, each secret once."""

    def __init__(self, r: Rehearsal) -> None:
        self._r = r
        self._known: dict[str, Any] = {}

    def __call__(self, reference: str) -> str:
        """What a reference says. Raises RehearsalError where there is no such thing."""
        with aws.told_as(f"{reference} could not be resolved"):
            if reference.startswith(PARAMETER):
                name = reference.removeprefix(PARAMETER)
                found = aws.client(self._r, "ssm").get_parameter(Name=name)
                return str(found["Parameter"]["Value"])
            secret, _, key = reference.removeprefix(SECRET).partition("#")
            if secret not in self._known:
                told = aws.client(self._r, "secretsmanager").get_secret_value(SecretId=secret)
                self._known[secret] = json.loads(told["SecretString"])
        if key not in self._known[secret]:
            raise RehearsalError(f"The secret {secret} has no key {key}.")
        return str(self._known[secret][key])


def resolve(r: Rehearsal, variables: dict[str, str]) -> dict[str, str]:
    """The variables as an instance gets them. Raises RehearsalError."""
    return configuration.resolved(variables, Resolver(r))
