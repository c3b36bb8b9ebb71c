"""The audit trail in moto: CloudTrail with a bucket, and the log group that all logs are sent to.

moto's trail delivers nothing, so one file lies in the bucket as CloudTrail would write it. The
writers of the log group may add to it and nothing else.
"""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rehearsal.parts.platform import aws_rights
from rehearsal.parts.platform.aws_rights import ACCOUNT, allowing

if TYPE_CHECKING:
    from pathlib import Path

    from rehearsal.kernel.world import Rehearsal
    from rehearsal.parts import Endpoints

REGION, TRAIL, BUCKET, GROUP = (
    "us-east-1",
    "bookedbarber",
    "bookedbarber-audit",
    "bookedbarber/audit",
)
WRITER = "bookedbarber-log-writer"
WRITING = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
DELETING = ["logs:Delete*", "logs:PutRetentionPolicy", "s3:DeleteObject"]
RETENTION_DAYS = 400


def furnish(r: Rehearsal, client: Any) -> None:
    """Make trail, bucket, log group and the writers' role. `client` is `aws.client`."""
    s3, logs, iam = (client(r, one) for one in ("s3", "logs", "iam"))
    s3.create_bucket(Bucket=BUCKET)
    deliver(r, client)
    client(r, "cloudtrail").create_trail(
        Name=TRAIL, S3BucketName=BUCKET, IsMultiRegionTrail=True, EnableLogFileValidation=True
    )
    client(r, "cloudtrail").start_logging(Name=TRAIL)
    logs.create_log_group(logGroupName=GROUP)
    logs.put_retention_policy(logGroupName=GROUP, retentionInDays=RETENTION_DAYS)
    ours = [f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{GROUP}:*"]
    role = aws_rights.make_role(iam, WRITER, [allowing(WRITING, ours)])
    session = client(r, "sts").assume_role(RoleArn=role, RoleSessionName="shipper")
    given = session["Credentials"]
    credentials = {k: given[k] for k in ("AccessKeyId", "SecretAccessKey", "SessionToken")}
    place = writer_file(r)
    place.write_text(json.dumps({"endpoint": r.url("aws"), **credentials}))
    place.chmod(0o600)


def writer_file(r: Rehearsal) -> Path:
    """Where the log shipper finds its credentials."""
    return r.path("aws", "log-writer.json")


def file_of_today() -> str:
    """The key of the trail's file."""
    now = datetime.now(UTC)
    day = f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/{now:%Y/%m/%d}"
    return f"{day}/{ACCOUNT}_CloudTrail_{REGION}_{now:%Y%m%d}T0000Z_rehearsal.json.gz"


def deliver(r: Rehearsal, client: Any) -> None:
    """Write a file of the trail."""
    record = {
        "eventVersion": "1.11",
        "eventTime": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "eventSource": "sts.amazonaws.com",
        "eventName": "GetCallerIdentity",
        "awsRegion": REGION,
        "sourceIPAddress": "127.0.0.1",
        "userIdentity": {"type": "Root", "accountId": ACCOUNT},
    }
    content = gzip.compress(json.dumps({"Records": [record]}).encode())
    client(r, "s3").put_object(Bucket=BUCKET, Key=file_of_today(), Body=content)


def take_away(r: Rehearsal, client: Any) -> None:
    """Delete every file of the trail."""
    s3 = client(r, "s3")
    for one in s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        s3.delete_object(Bucket=BUCKET, Key=one["Key"])


def let_writers_delete(r: Rehearsal, client: Any) -> None:
    """Give the writers what lets them delete."""
    aws_rights.permit(client(r, "iam"), WRITER, "more", [allowing(DELETING, ["*"])])


def stop_writers_deleting(r: Rehearsal, client: Any) -> None:
    """Take it away."""
    client(r, "iam").delete_role_policy(RoleName=WRITER, PolicyName="more")


def endpoints(r: Rehearsal) -> Endpoints:
    """The table of the environment's file."""
    return {
        "audit": {
            "trail": TRAIL,
            "region": REGION,
            "log_group": GROUP,
            "writer_role": aws_rights.role_arn(WRITER),
            "refused_url": r.url("balancer", "/metrics", scheme="https"),
        }
    }
