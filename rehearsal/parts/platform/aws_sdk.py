"""The SDK's session, with what it reads of the services that backups need.

Who imports this pays half a second; the parts that talk to AWS are forked from a process that has.
"""

from __future__ import annotations

from typing import Any

import boto3

SESSION: Any = boto3.session.Session()
for _service in ("s3", "kms"):
    SESSION.client(
        _service,
        region_name="us-east-1",
        aws_access_key_id="-",
        aws_secret_access_key="-",  # noqa: S106
    )
