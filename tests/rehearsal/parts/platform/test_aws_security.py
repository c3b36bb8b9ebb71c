"""What AWS is here for security: policies that bind, dates that move, logs that are sent on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.platform import (
    aws,
    aws_audit,
    aws_network,
    aws_rights,
    aws_secrets,
    log_shipper,
)
from tests.rehearsal.lone_parts import running


@pytest.fixture(scope="module")
def r(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    rehearsal = Rehearsal(tmp_path_factory.mktemp("aws"))
    with running(rehearsal, aws.aws):

        def furnished() -> bool:
            known = rehearsal.recall("aws-network")["groups"]
            ec2 = aws.client(rehearsal, "ec2")
            found = ec2.describe_network_interfaces(
                Filters=[{"Name": "group-id", "Values": [known[aws_network.ADMIN]]}]
            )
            return bool(found["NetworkInterfaces"])

        def is_furnished() -> bool:
            try:
                return furnished()
            except RehearsalError:
                return False

        rehearsal.wait("AWS is furnished", is_furnished, within_s=120)
        yield rehearsal


def as_role(r: Rehearsal, role: str, service: str) -> Any:
    import boto3

    given = aws.client(r, "sts").assume_role(
        RoleArn=aws_rights.role_arn(role), RoleSessionName="test"
    )["Credentials"]
    return boto3.client(  # type: ignore[call-overload]
        service,
        region_name="us-east-1",
        endpoint_url=r.url("aws"),
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )


def is_denied(request: Any, **values: Any) -> bool:
    try:
        request(**values)
    except ClientError as e:
        if "AccessDenied" not in str(e):
            raise
        return True
    return False


def test_a_role_does_what_its_policy_says_and_nothing_else(r: Rehearsal) -> None:
    name = aws_secrets.PREFIX + "stripe"
    app = as_role(r, aws_secrets.APP_ROLE, "secretsmanager")
    outside = as_role(r, aws_secrets.OUTSIDE_ROLE, "secretsmanager")
    aws.client(r, "secretsmanager").create_secret(Name="other/one", SecretString="x")
    assert not is_denied(app.get_secret_value, SecretId=name)
    assert is_denied(app.get_secret_value, SecretId="other/one")
    assert is_denied(app.put_secret_value, SecretId=name, SecretString="y")
    assert is_denied(outside.get_secret_value, SecretId=name)
    aws_secrets.let_outside_read(r, aws.client)
    assert not is_denied(outside.get_secret_value, SecretId=name)
    aws_secrets.stop_outside_reading(r, aws.client)
    assert is_denied(outside.get_secret_value, SecretId=name)


def test_writers_of_the_log_add_to_it_alone(r: Rehearsal) -> None:
    logs, s3 = (as_role(r, aws_audit.WRITER, one) for one in ("logs", "s3"))
    where = {"logGroupName": aws_audit.GROUP, "logStreamName": "one"}
    assert not is_denied(logs.create_log_stream, **where)
    assert is_denied(logs.delete_log_stream, **where)
    assert is_denied(logs.delete_log_group, logGroupName=aws_audit.GROUP)
    key = aws_audit.file_of_today()
    assert is_denied(s3.delete_object, Bucket=aws_audit.BUCKET, Key=key)


def test_things_can_be_made_older(r: Rehearsal) -> None:
    name = aws_secrets.PREFIX + "jwt"
    manager, iam = aws.client(r, "secretsmanager"), aws.client(r, "iam")

    def days() -> float:
        [version] = manager.list_secret_version_ids(SecretId=name)["Versions"]
        return float((datetime.now(UTC) - version["CreatedDate"]).days)

    assert days() == 0
    aws_rights.age(r, "secret", name, 120)
    assert days() == 120
    aws_rights.age(r, "root-key", "", 1)
    iam.generate_credential_report()
    _, root, *_ = iam.get_credential_report()["Content"].decode().splitlines()
    assert root.split(",")[8] == "true"
    aws_rights.age(r, "root-key", "", 0)
    aws_rights.age(r, "access-key", "hugo", 91)
    made = iam.list_access_keys(UserName="hugo")["AccessKeyMetadata"][0]["CreateDate"]
    assert (datetime.now(UTC) - made).days == 91


def test_a_trail_stops_and_its_last_delivery_ages(r: Rehearsal) -> None:
    trail = aws.client(r, "cloudtrail")
    assert trail.get_trail_status(Name=aws_audit.TRAIL)["IsLogging"]
    aws_rights.age(r, "delivery", aws_audit.TRAIL, 2)
    at = trail.get_trail_status(Name=aws_audit.TRAIL)["LatestDeliveryTime"]
    assert (datetime.now(UTC) - at).days == 2
    aws_rights.age(r, "delivery", aws_audit.TRAIL, 0)


def test_the_shipper_takes_whole_lines_that_matter(tmp_path: Path) -> None:
    log = tmp_path / "postgres.log"
    assert log_shipper.appended(log, 0) == (0, [])
    log.write_text("x FATAL:  no\ny LOG:  checkpoint\nz LOG:  statement: create table t ()\nhalf")
    at, lines = log_shipper.appended(log, 0)
    assert list(log_shipper.mattering(lines)) == [
        "x FATAL:  no",
        "z LOG:  statement: create table t ()",
    ]
    assert log_shipper.appended(log, at) == (at, [])
    log.write_text("")
    assert log_shipper.appended(log, at) == (0, [])
