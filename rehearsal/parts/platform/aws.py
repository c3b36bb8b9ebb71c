"""AWS, as far as backups and the CDN need it: moto's server, spoken to with the real SDK.

Two buckets hold the backups, one per region: versioned, retention-locked, each encrypted by a
key of its own region that `alias/BUCKET` names. moto keeps everything in memory, so buckets,
keys and the distribution are made again at every start; `r.recall("aws")` tells their names.

Settings a fault may override: `copy_region`, `aliases`, `replication` (whether the source
bucket has a replication rule).
"""

from __future__ import annotations

import importlib
import resource
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts import Endpoints, Part
from rehearsal.parts.platform import (
    aws_audit,
    aws_network,
    aws_nodes,
    aws_rights,
    aws_scaling,
    aws_secrets,
)
from rehearsal.parts.traffic.hosts import EDGE_HOSTS, ORIGIN_HOST

SOURCE_REGION = "us-east-1"
COPY_REGION = "us-west-2"
SOURCE_BUCKET = "bookedbarber-backups"
COPY_BUCKET = "bookedbarber-backups-copy"
RETENTION_DAYS = 30
ACCOUNT = aws_rights.ACCOUNT
CERTIFICATE = f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/00000000-0000-0000-0000-000000000000"


class Aws(Part):
    name = "aws"
    title = "S3 in two regions, KMS, CloudFront, IAM, Secrets Manager, EC2, CloudTrail, logs"
    loads = (
        "rehearsal.parts.platform.aws_sdk",
        "psycopg",
        "rehearsal.data.backups",
        "rehearsal.parts.observe.exporter",
    )

    def prepare(self, r: Rehearsal) -> None:
        r.forget("aws")

    def command(self, r: Rehearsal) -> list[str]:
        port = str(r.port(self.name))
        return [sys.executable, "-m", "rehearsal.parts.platform.aws", port, str(r.folder)]

    def environment(self, r: Rehearsal) -> dict[str, str]:
        # Larger objects lie in temporary files: backups would fill the machine's memory.
        return {
            "MOTO_S3_DEFAULT_KEY_BUFFER_SIZE": str(64 * 1024),
            "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
        }

    def ready(self, r: Rehearsal) -> bool:
        """Whether it is furnished: `recall` tells of it, or raises."""
        try:
            return bool(r.recall("aws"))
        except RehearsalError:
            return False

    def endpoints(self, r: Rehearsal) -> Endpoints:
        def bucket(name: str, region: str) -> dict[str, str]:
            return {"name": name, "region": region, "kms_key": alias(name)}

        return {
            "aws": {
                "endpoint_url": r.url(self.name),
                "access_key_id": r.secret_reference("aws-access-key-id"),
                "secret_access_key": r.secret_reference("aws-secret-access-key"),
            },
            "backups": {
                "retention_days": float(RETENTION_DAYS),
                "source": bucket(SOURCE_BUCKET, SOURCE_REGION),
                "copy": bucket(COPY_BUCKET, r.setting(self.name, "copy_region", COPY_REGION)),
            },
            "edge": {"distribution_id": r.recall("aws")["distribution_id"]},
            **aws_nodes.endpoints(),
            **aws_secrets.endpoints(r),
            **aws_audit.endpoints(r),
            **aws_network.endpoints(),
            **aws_scaling.endpoints(r),
        }


def furnish(r: Rehearsal) -> None:
    """Make buckets, keys and distribution. Raises RehearsalError."""
    copy_region = r.setting(aws.name, "copy_region", COPY_REGION)
    with told_as("The store for backups could not be furnished"):
        source_key = make_bucket(r, SOURCE_BUCKET, SOURCE_REGION)
        copy_key = make_bucket(r, COPY_BUCKET, copy_region)
        if r.setting(aws.name, "replication", True):
            replicate(r, copy_key)
        distribution = _distribute(r, r.setting(aws.name, "aliases", list(EDGE_HOSTS)))
    r.remember(
        "aws",
        {
            "source_key": source_key,
            "copy_key": copy_key,
            "copy_region": copy_region,
            "distribution_id": distribution,
        },
    )
    # Last: loading IAM takes a second, and no part waits for it.
    with told_as("The groups of administrators could not be made"):
        make_groups(r)
    with told_as("The nodes' autoscaling group could not be made"):
        aws_nodes.furnish(r, client)
    with told_as("The secrets could not be made"):
        aws_secrets.furnish(r, client)
    with told_as("The audit trail could not be made"):
        aws_audit.furnish(r, client)
    with told_as("The network could not be made"):
        aws_network.furnish(r, client)
        aws_scaling.furnish(r, client)


def client(
    r: Rehearsal,
    service: str,
    region: str = SOURCE_REGION,
    credentials: tuple[str, ...] = (),
) -> Any:
    """The SDK's client for a service in a region, with the rehearsal's own credentials unless
    others are given."""
    url = f"http://127.0.0.1:{r.port('aws')}"
    own = ("aws-access-key-id", "aws-secret-access-key")
    return _client(service, region, url, *(credentials or map(r.secret, own)))


_making = Lock()


@cache  # making one costs more than most of its requests
def _client(service: str, region: str, url: str, key_id: str, key: str) -> Any:
    from botocore.config import Config

    # Half a second, which only those who talk to AWS should pay.
    from rehearsal.parts.platform.aws_sdk import SESSION

    with _making:  # a session must not make two at a time
        return SESSION.client(
            service,
            region_name=region,
            endpoint_url=url,
            aws_access_key_id=key_id,
            aws_secret_access_key=key,
            config=Config(
                s3={"addressing_style": "path"},
                connect_timeout=2,
                read_timeout=30,
                retries={"total_max_attempts": 2},
                proxies={},
            ),
        )


@contextmanager
def told_as(what: str) -> Iterator[None]:
    """Tell what the SDK raises as RehearsalError, begun with `what`."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise RehearsalError(f"{what}: {error}") from error


def make_bucket(r: Rehearsal, name: str, region: str, lock_days: int = RETENTION_DAYS) -> str:
    """Make a bucket as backups want it; ARN of its key."""
    key = _key(r, name, region)
    s3 = client(r, "s3", region)
    place = {"LocationConstraint": region}
    # us-east-1 is the one region that must not be named.
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": place}
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True, **where)
    s3.put_object_lock_configuration(
        Bucket=name,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": lock_days}},
        },
    )
    encryption = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    s3.put_bucket_encryption(
        Bucket=name,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": encryption}]
        },
    )
    s3.put_public_access_block(
        Bucket=name,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    return key


GROUPS = {
    "hosting-administrators": ("omar", "noor", "tess", "hugo"),
    "dns-administrators": ("omar", "noor"),
    "deployers": ("omar", "noor", "tess", "hugo"),
    "secret-administrators": ("sanjay", "sofia", "omar", "noor"),
}
"""IAM groups and the ids of their people."""


def make_groups(r: Rehearsal) -> None:
    """Make a user for everybody who administers something, and the groups of them."""
    iam = client(r, "iam")
    for group in GROUPS:
        iam.create_group(GroupName=group)
    for user in sorted({one for people in GROUPS.values() for one in people}):
        make_user(r, user, [group for group, people in GROUPS.items() if user in people])


def make_user(r: Rehearsal, user: str, groups: list[str]) -> None:
    """Make a user with a second factor who has just logged in, if there is none, and put it in
    groups."""
    iam = client(r, "iam")
    try:
        iam.create_user(UserName=user)
    except iam.exceptions.EntityAlreadyExistsException:
        pass
    else:
        give_second_factor(r, user)
        log_in(r, user)
    for group in groups:
        iam.add_user_to_group(GroupName=group, UserName=user)


def drop_user(r: Rehearsal, user: str) -> None:
    """Delete a user with all that it has."""
    iam = client(r, "iam")
    for group in iam.list_groups_for_user(UserName=user)["Groups"]:
        iam.remove_user_from_group(GroupName=group["GroupName"], UserName=user)
    for key in iam.list_access_keys(UserName=user)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])
    for device in iam.list_mfa_devices(UserName=user)["MFADevices"]:
        iam.deactivate_mfa_device(UserName=user, SerialNumber=device["SerialNumber"])
        iam.delete_virtual_mfa_device(SerialNumber=device["SerialNumber"])
    iam.delete_user(UserName=user)


def give_second_factor(r: Rehearsal, user: str) -> None:
    """Give a user a device that makes codes; no error where there is one."""
    iam = client(r, "iam")
    if iam.list_mfa_devices(UserName=user)["MFADevices"]:
        return
    serial = f"arn:aws:iam::{ACCOUNT}:mfa/{user}"
    there = {d["SerialNumber"] for d in iam.list_virtual_mfa_devices()["VirtualMFADevices"]}
    if serial not in there:
        made = iam.create_virtual_mfa_device(VirtualMFADeviceName=user)
        serial = made["VirtualMFADevice"]["SerialNumber"]
    codes = {"AuthenticationCode1": "123456", "AuthenticationCode2": "654321"}
    iam.enable_mfa_device(UserName=user, SerialNumber=serial, **codes)


def log_in(r: Rehearsal, user: str) -> None:
    """Use a key of a user's own once, so that AWS has seen that user now."""
    key = client(r, "iam").create_access_key(UserName=user)["AccessKey"]
    own = client(r, "sts", credentials=(key["AccessKeyId"], key["SecretAccessKey"]))
    own.get_caller_identity()


def alias(bucket: str) -> str:
    """What the key of a bucket is called in its region, whichever key that is."""
    return f"alias/{bucket}"


def _key(r: Rehearsal, bucket: str, region: str) -> str:
    """ARN of the bucket's key in a region, made where there is none."""
    kms = client(r, "kms", region)
    try:
        known: str = kms.describe_key(KeyId=alias(bucket))["KeyMetadata"]["Arn"]
    except kms.exceptions.NotFoundException:
        made: str = kms.create_key(Description=f"backups in {region}")["KeyMetadata"]["Arn"]
        kms.create_alias(AliasName=alias(bucket), TargetKeyId=made)
        return made
    return known


def replicate(r: Rehearsal, copy_key: str) -> None:
    """Declare the replication. moto keeps the rule and does not act on it; the copy job does."""
    client(r, "s3").put_bucket_replication(
        Bucket=SOURCE_BUCKET,
        ReplicationConfiguration={
            "Role": f"arn:aws:iam::{ACCOUNT}:role/backup-replication",
            "Rules": [
                {
                    "ID": "second-region",
                    "Status": "Enabled",
                    "Priority": 1,
                    "Filter": {"Prefix": ""},
                    "DeleteMarkerReplication": {"Status": "Disabled"},
                    "SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}},
                    "Destination": {
                        "Bucket": f"arn:aws:s3:::{COPY_BUCKET}",
                        "EncryptionConfiguration": {"ReplicaKmsKeyID": copy_key},
                    },
                }
            ],
        },
    )


def _distribute(r: Rehearsal, aliases: Sequence[str]) -> str:
    """Make the distribution of the public hosts; its id."""
    made = client(r, "cloudfront").create_distribution(
        DistributionConfig={
            "CallerReference": "rehearsal",
            "Comment": "public hosts of BookedBarber",
            "Enabled": True,
            "HttpVersion": "http2",
            "Aliases": {"Quantity": len(aliases), "Items": list(aliases)},
            "Origins": {
                "Quantity": 1,
                "Items": [
                    {
                        "Id": "origin",
                        "DomainName": ORIGIN_HOST,
                        "CustomOriginConfig": {
                            "HTTPPort": 80,
                            "HTTPSPort": 443,
                            "OriginProtocolPolicy": "https-only",
                            "OriginSslProtocols": {"Quantity": 1, "Items": ["TLSv1.2"]},
                        },
                    }
                ],
            },
            "DefaultCacheBehavior": {
                "TargetOriginId": "origin",
                "ViewerProtocolPolicy": "redirect-to-https",
                "ForwardedValues": {"QueryString": True, "Cookies": {"Forward": "all"}},
                "MinTTL": 0,
            },
            "ViewerCertificate": {
                "ACMCertificateArn": CERTIFICATE,
                "SSLSupportMethod": "sni-only",
                "MinimumProtocolVersion": "TLSv1.2_2021",
            },
        }
    )
    return str(made["Distribution"]["Id"])


def change_distribution(r: Rehearsal, **settings: Any) -> None:
    """Put other values in place in the distribution's configuration (`Aliases`, `Enabled`...)."""
    cloudfront = client(r, "cloudfront")
    name = r.recall("aws")["distribution_id"]
    known = cloudfront.get_distribution_config(Id=name)
    cloudfront.update_distribution(
        Id=name,
        IfMatch=known["ETag"],
        DistributionConfig={**known["DistributionConfig"], **settings},
    )


def main(port: int, r: Rehearsal) -> None:
    # moto takes a second to import; only this process needs it.
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    class Dispatcher(DomainDispatcherApplication):
        # It looks through moto's folder, which takes as long as answering.
        get_backend_for_host = cache(DomainDispatcherApplication.get_backend_for_host)

    class Quiet(MotoRequestHandler):
        def log_request(self, *_: object) -> None:
            """A line per request would be the largest file of the rehearsal."""

    kms: Any = importlib.import_module("moto.kms.models")
    make_key_pair = kms.generate_private_key
    # Each key gets a pair, which ours (symmetric ones) do not use; one of RSA takes long to make.
    kms.generate_private_key = lambda spec: make_key_pair(
        "ECC_NIST_P256" if spec == "SYMMETRIC_DEFAULT" else spec
    )
    aws_nodes.serve_limits(r)
    aws_scaling.record_activities()
    aws_rights.enforce(r.secret("aws-access-key-id"))
    application = aws_rights.ageing(Dispatcher(create_backend_app))
    server = make_server("127.0.0.1", port, application, threaded=True, request_handler=Quiet)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # each large object is an open file
    serving = Thread(target=server.serve_forever)
    serving.start()
    try:
        furnish(r)  # here, where the SDK is loaded already
    except BaseException:
        server.shutdown()
        raise
    serving.join()


aws = Aws()
PARTS = (aws,)

if __name__ == "__main__":
    main(int(sys.argv[1]), Rehearsal(Path(sys.argv[2])))
