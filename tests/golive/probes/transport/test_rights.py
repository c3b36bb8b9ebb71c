from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from golive.probes.transport.rights import permitted
from golive.verdicts import Unseen


def test_only_a_refusal_is_a_right_that_lacks() -> None:
    def answers(code: str) -> str:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "GetBucketVersioning")

    for code in ("AccessDenied", "AccessDeniedException", "403"):
        found = permitted("s3:GetBucketVersioning", "the bucket b", answers, code)
        assert isinstance(found, Unseen)
        assert found.error.subject == "the bucket b"
        assert found.error.next_step == "permit s3:GetBucketVersioning to the reading key"
    with pytest.raises(ClientError):
        permitted("s3:GetBucketVersioning", "the bucket b", answers, "NoSuchBucket")
    assert permitted("s3:GetBucketVersioning", "the bucket b", lambda: 7) == 7
