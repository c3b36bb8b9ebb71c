from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.platform import aws
from rehearsal.parts.traffic.hosts import EDGE_HOSTS
from tests.rehearsal.lone_parts import running


@pytest.fixture(scope="module")
def r(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    rehearsal = Rehearsal(tmp_path_factory.mktemp("aws"))
    with running(rehearsal, aws.aws):
        yield rehearsal


@pytest.mark.parametrize(
    ("bucket", "region", "key"),
    [
        (aws.SOURCE_BUCKET, aws.SOURCE_REGION, "source_key"),
        (aws.COPY_BUCKET, aws.COPY_REGION, "copy_key"),
    ],
)
def test_a_bucket_is_versioned_locked_and_encrypted_in_its_own_region(
    r: Rehearsal, bucket: str, region: str, key: str
) -> None:
    s3 = aws.client(r, "s3", region)
    # The SDK shows us-east-1 as no constraint.
    assert (s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] or "us-east-1") == region
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    lock = s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
    assert lock["Rule"]["DefaultRetention"]["Days"] == aws.RETENTION_DAYS
    arn = r.recall("aws")[key]
    assert f":{region}:" in arn
    metadata = aws.client(r, "kms", region).describe_key(KeyId=arn)["KeyMetadata"]
    assert metadata["KeyState"] == "Enabled"


def test_a_locked_object_cannot_be_deleted(r: Rehearsal) -> None:
    s3 = aws.client(r, "s3", aws.COPY_REGION)
    put = s3.put_object(
        Bucket=aws.COPY_BUCKET, Key="x", Body=io.BytesIO(b"x"), ChecksumAlgorithm="SHA256"
    )
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(Bucket=aws.COPY_BUCKET, Key="x", VersionId=put["VersionId"])


def test_the_replication_rule_leads_to_the_copy(r: Rehearsal) -> None:
    found = aws.client(r, "s3").get_bucket_replication(Bucket=aws.SOURCE_BUCKET)
    [rule] = found["ReplicationConfiguration"]["Rules"]
    assert rule["Status"] == "Enabled"
    assert rule["Destination"]["Bucket"] == f"arn:aws:s3:::{aws.COPY_BUCKET}"


def test_the_distribution_serves_the_public_hosts_and_can_be_changed(r: Rehearsal) -> None:
    cloudfront = aws.client(r, "cloudfront")

    def config() -> dict[str, object]:
        found = cloudfront.get_distribution_config(Id=r.recall("aws")["distribution_id"])
        return dict(found["DistributionConfig"])

    before = config()
    assert before["Enabled"] is True
    assert before["Aliases"] == {"Quantity": 2, "Items": list(EDGE_HOSTS)}
    assert before["DefaultCacheBehavior"]["ViewerProtocolPolicy"] == "redirect-to-https"  # type: ignore[index]
    assert before["ViewerCertificate"]["MinimumProtocolVersion"] == "TLSv1.2_2021"  # type: ignore[index]
    aws.change_distribution(r, Aliases={"Quantity": 1, "Items": [EDGE_HOSTS[0]]})
    assert config()["Aliases"] == {"Quantity": 1, "Items": [EDGE_HOSTS[0]]}
    aws.change_distribution(r, Aliases=before["Aliases"])
    assert config()["Aliases"] == before["Aliases"]
