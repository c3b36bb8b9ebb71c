"""The product's secrets in moto's Secrets Manager: a key of their own, and two roles.

`python -m rehearsal.parts.platform.aws_secrets URL SECRET` reads as the instance at URL does.
"""

from __future__ import annotations

import json
import secrets
import sys
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

from rehearsal.parts.platform import aws_rights
from rehearsal.parts.platform.aws_rights import ACCOUNT, allowing

if TYPE_CHECKING:
    from rehearsal.kernel.world import Rehearsal
    from rehearsal.parts import Endpoints

REGION = "us-east-1"
KEY = "alias/bookedbarber-secrets"
NAMES = ("database", "stripe", "sendgrid", "twilio", "jwt", "encryption")
PREFIX, SYNTHETIC = "bookedbarber/", "golive/"
APP_ROLE, OUTSIDE_ROLE = "bookedbarber-app", "bookedbarber-reporting"
READ = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
INTERNAL = "/internal/secrets/"
"""Where an instance tells the SHA-256 of a synthetic secret, as its own client has it."""


def furnish(r: Rehearsal, client: Any) -> None:
    """Make key, secrets and roles. `client` is `aws.client`."""
    manager, kms, iam = (client(r, one) for one in ("secretsmanager", "kms", "iam"))
    key = kms.create_key(Description="secrets")["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=KEY, TargetKeyId=key)
    for name in NAMES:
        manager.create_secret(
            Name=PREFIX + name, SecretString=secrets.token_urlsafe(24), KmsKeyId=KEY
        )
    role = aws_rights.make_role(iam, APP_ROLE, [_reading()])
    aws_rights.make_role(iam, OUTSIDE_ROLE, [allowing(["s3:ListAllMyBuckets"], ["*"])])
    # As a container gets the credentials of its task's role: the instances read this file.
    session = client(r, "sts").assume_role(RoleArn=role, RoleSessionName="instances")
    given = session["Credentials"]
    credentials = {k: given[k] for k in ("AccessKeyId", "SecretAccessKey", "SessionToken")}
    _credentials(r).write_text(json.dumps({"endpoint": r.url("aws"), **credentials}))
    _credentials(r).chmod(0o600)


def _credentials(r: Rehearsal) -> Any:
    return r.path("aws", "app-role.json")


def environment(r: Rehearsal) -> dict[str, str]:
    """The instances' variables."""
    return {"SECRETS_CREDENTIALS": str(_credentials(r)), "SECRETS_REGION": REGION}


def _reading() -> dict[str, Any]:
    return allowing(READ, [_arn(PREFIX), _arn(SYNTHETIC)])


def let_app_read(r: Rehearsal, client: Any) -> None:
    """Give the app role its policy."""
    aws_rights.permit(client(r, "iam"), APP_ROLE, "own", [_reading()])


def let_outside_read(r: Rehearsal, client: Any) -> None:
    """Give the outside role what the app role has."""
    aws_rights.permit(client(r, "iam"), OUTSIDE_ROLE, "more", [allowing(READ, ["*"])])


def stop_outside_reading(r: Rehearsal, client: Any) -> None:
    """Take it away."""
    client(r, "iam").delete_role_policy(RoleName=OUTSIDE_ROLE, PolicyName="more")


def endpoints(r: Rehearsal) -> Endpoints:
    """The table of the environment's file."""
    return {
        "secrets_manager": {
            "region": REGION,
            "kms_key": KEY,
            "names": [PREFIX + name for name in NAMES],
            "app_role": aws_rights.role_arn(APP_ROLE),
            "outside_role": aws_rights.role_arn(OUTSIDE_ROLE),
            "synthetic_prefix": SYNTHETIC,
            "read_command": r.command("{url}", "{secret}", module=__name__),
        }
    }


def _arn(prefix: str) -> str:
    return f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{prefix}*"


def main(url: str, secret: str) -> int:
    """Print what an instance has as the value of a secret, as its SHA-256."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    where = f"{url}{INTERNAL}{urllib.parse.quote(secret)}"
    try:
        with direct.open(where, timeout=5) as answer:
            sys.stdout.write(answer.read().decode())
    except OSError as error:
        sys.stderr.write(f"{where}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
