"""What moto lacks to be believed about rights and ages: IAM policies that bind, dates that move.

moto keeps policies and asks nobody for them. Here each request but those of the account's own key
(the root user's, which no policy binds) is judged by moto's own policy evaluation, with the
resource that it is about. `POST /rehearsal/age?what=...` makes something older, since no request
to AWS could.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

if TYPE_CHECKING:
    from rehearsal.kernel.world import Rehearsal

ACCOUNT = "123456789012"  # the account moto plays
PATH = "/rehearsal/age"
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def role_arn(name: str) -> str:
    """The ARN of a role of the account."""
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def make_role(iam: Any, name: str, statements: list[dict[str, Any]]) -> str:
    """Make a role that any principal of the account may assume, with a policy; its ARN."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    permit(iam, name, "own", statements)
    return role_arn(name)


def permit(iam: Any, role: str, policy: str, statements: list[dict[str, Any]]) -> None:
    """Put a policy of that name on a role."""
    document = {"Version": "2012-10-17", "Statement": statements}
    iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))


def allowing(actions: list[str], resources: list[str]) -> dict[str, Any]:
    """A statement of a policy."""
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


def age(r: Rehearsal, what: str, name: str, days: float) -> None:
    """Set how old something is: `secret` (its current value), `access-key`, `root-key` (0 days
    take it away), `delivery` (a trail's last one)."""
    words = urlencode({"what": what, "name": name, "days": days})
    url = f"http://127.0.0.1:{r.port('aws')}{PATH}?{words}"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(urllib.request.Request(url, method="POST"), timeout=5):
        pass


# -- in moto's own process ---------------------------------------------------------------------


def enforce(root_key: str) -> None:
    """Have moto ask IAM about every request that the root user's key did not sign."""
    from moto import settings
    from moto.core import authorization, responses

    authenticator: Any = authorization.ActionAuthenticatorMixin
    response: Any = responses.BaseResponse
    judge = authenticator._authenticate_and_authorize_action

    def judged(self: Any, request: type, resource: str = "*") -> None:
        signed = str(self.headers.get("Authorization", ""))
        if signed and f"Credential={root_key}/" not in signed:
            judge(self, request, resource)

    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
    authenticator._authenticate_and_authorize_action = judged
    response._determine_resource = _resource
    _tell_ages()


def _resource(response: Any) -> str:
    """What a request is about, as far as policies here name resources."""
    if response.service_name not in {"secretsmanager", "logs", "sts"}:
        return "*"
    service, region = response.service_name, response.region
    if service == "sts":
        return str((response.data.get("RoleArn") or ["*"])[0])
    asked = json.loads(response.body or "{}")
    if service == "logs":
        group, stream = asked.get("logGroupName", "*"), asked.get("logStreamName", "")
        return f"arn:aws:logs:{region}:{ACCOUNT}:log-group:{group}:" + (
            f"log-stream:{stream}" if stream else "*"
        )
    named = str(asked.get("SecretId") or asked.get("Name") or "*")
    known = _backend(service, region).secrets
    return str(known[named].arn) if named in known else named


def _backend(service: str, region: str = "global") -> Any:
    from moto.backends import get_backend

    found: Any = get_backend(service)  # type: ignore[call-overload]
    return found[ACCOUNT]["aws" if region == "global" else region]


def _tell_ages() -> None:
    """moto says of each version of a secret that it was made just now, leaves the root user out of
    the credential report, and lets a trail deliver whenever it is asked."""
    from moto.cloudtrail import models as trails
    from moto.iam import models as accounts
    from moto.secretsmanager import models as secrets

    manager: Any = secrets.SecretsManagerBackend
    iam: Any = accounts.IAMBackend
    status: Any = trails.TrailStatus
    listed, reported = manager.list_secret_version_ids, iam.get_credential_report
    stated = status.description

    def dated(self: Any, secret_id: str) -> str:
        found = json.loads(listed(self, secret_id))
        for version in found["Versions"]:
            made = self.secrets[secret_id].versions[version["VersionId"]]
            version["CreatedDate"] = made["createdate"]
        return json.dumps(found)

    def whole(self: Any) -> str:
        head, *rows = reported(self).splitlines()
        root = dict.fromkeys(head.split(","), "N/A") | {
            "user": "<root_account>",
            "arn": f"arn:aws:iam::{ACCOUNT}:root",
            "user_creation_time": "2024-01-02T03:04:05+00:00",
            "password_enabled": "not_supported",
            "mfa_active": "true",
            "access_key_1_active": "false",
            "access_key_2_active": "false",
            "cert_1_active": "false",
            "cert_2_active": "false",
        }
        made = getattr(self, "root_key_made", "")
        if made:
            root |= {"access_key_1_active": "true", "access_key_1_last_rotated": made}
        return "\n".join([head, ",".join(root.values()), *rows]) + "\n"

    def delivered(self: Any) -> dict[str, Any]:
        at = self.latest_delivery_time
        found: dict[str, Any] = stated(self)  # which delivers, as long as it is logging
        if getattr(self, "is_aged", False):
            self.latest_delivery_time = found["LatestDeliveryTime"] = at
        return found

    manager.list_secret_version_ids, iam.get_credential_report = dated, whole
    status.description = delivered


def ageing(served: Wsgi) -> Wsgi:
    """moto, and beside it what makes things older."""

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != PATH or environ.get("REQUEST_METHOD") != "POST":
            return served(environ, start)
        asked = {k: v[0] for k, v in parse_qs(environ["QUERY_STRING"]).items()}
        _age(asked["what"], asked.get("name", ""), timedelta(days=float(asked["days"])))
        start("204 No Content", [])
        return []

    return answer


def _age(what: str, name: str, by: timedelta) -> None:
    from moto.core.utils import utcnow

    then = utcnow() - by
    iam = _backend("iam")
    match what:
        case "secret":
            for version in _backend("secretsmanager", "us-east-1").secrets[name].versions.values():
                version["createdate"] = int(then.timestamp())
        case "access-key":
            for key in iam.users[name].access_keys if name in iam.users else _keys(iam, name):
                key.create_date = then
        case "delivery":
            trail = _backend("cloudtrail", "us-east-1").trails[name]
            trail.status.latest_delivery_time = int(then.timestamp())
            trail.status.is_aged = bool(by)
        case "root-key":
            iam.root_key_made = f"{then:%Y-%m-%dT%H:%M:%S}+00:00" if by else ""
        case _:
            raise ValueError(what)


def _keys(iam: Any, name: str) -> list[Any]:
    return [k for u in iam.users.values() if u.name == name for k in u.access_keys]
