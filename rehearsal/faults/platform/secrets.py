"""Faults of the secrets: who may read them, how old they are, what encrypts them."""

from __future__ import annotations

from rehearsal.faults import fault
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.platform import aws, aws_rights, aws_secrets
from rehearsal.parts.platform.app import set_app_faults

TOUCHES = ["aws/secrets"]
ONE = aws_secrets.PREFIX + aws_secrets.NAMES[0]
HOURS_S = 4 * 3600.0


@fault(
    "secrets-open-to-outsiders",
    expect_fail=["D-14.3.3"],
    title="a role that has nothing to do with the application may read its secrets",
)
def secrets_open_to_outsiders(r: Rehearsal) -> None:
    aws_secrets.let_outside_read(r, aws.client)


@secrets_open_to_outsiders.revert
def close_the_secrets(r: Rehearsal) -> None:
    aws_secrets.stop_outside_reading(r, aws.client)


@fault("secret-not-rotated", expect_fail=["D-14.3.3"], title="a secret is 120 days old")
def secret_not_rotated(r: Rehearsal) -> None:
    aws_rights.age(r, "secret", ONE, 120)


@secret_not_rotated.revert
def rotate_the_secret(r: Rehearsal) -> None:
    aws_rights.age(r, "secret", ONE, 0)


@fault("secrets-key-disabled", expect_fail=["D-14.3.3"], title="the secrets' key is disabled")
def secrets_key_disabled(r: Rehearsal) -> None:
    aws.client(r, "kms").disable_key(KeyId=_key(r))


@secrets_key_disabled.revert
def enable_the_secrets_key(r: Rehearsal) -> None:
    aws.client(r, "kms").enable_key(KeyId=_key(r))


def _key(r: Rehearsal) -> str:
    """moto changes a key only by its bare id."""
    found = aws.client(r, "kms").describe_key(KeyId=aws_secrets.KEY)["KeyMetadata"]["KeyId"]
    return str(found)


@fault(
    "secret-under-another-key",
    expect_fail=["D-14.3.3"],
    title="a secret is encrypted with another key than the declared one",
)
def secret_under_another_key(r: Rehearsal) -> None:
    aws.client(r, "secretsmanager").update_secret(
        SecretId=ONE, KmsKeyId=aws.alias(aws.SOURCE_BUCKET)
    )


@secret_under_another_key.revert
def secret_under_its_key(r: Rehearsal) -> None:
    aws.client(r, "secretsmanager").update_secret(SecretId=ONE, KmsKeyId=aws_secrets.KEY)


@fault("secret-gone", expect_fail=["D-14.3.3"], title="a secret is to be deleted")
def secret_gone(r: Rehearsal) -> None:
    aws.client(r, "secretsmanager").delete_secret(SecretId=ONE, RecoveryWindowInDays=30)


@secret_gone.revert
def secret_back(r: Rehearsal) -> None:
    aws.client(r, "secretsmanager").restore_secret(SecretId=ONE)


@fault(
    "app-may-read-no-secret",
    expect_fail=["D-14.3.3"],
    title="the application's role may not read its secrets",
)
def app_may_read_no_secret(r: Rehearsal) -> None:
    iam = aws.client(r, "iam")
    nothing = aws_rights.allowing(["s3:ListAllMyBuckets"], ["*"])
    aws_rights.permit(iam, aws_secrets.APP_ROLE, "own", [nothing])


@app_may_read_no_secret.revert
def app_may_read_its_secrets(r: Rehearsal) -> None:
    aws_secrets.let_app_read(r, aws.client)


@fault(
    "secret-kept-for-hours",
    expect_fail=["D-14.3.3"],
    touches=["app/secrets"],
    title="the instances keep what they read of a secret for hours",
)
def secret_kept_for_hours(r: Rehearsal) -> None:
    set_app_faults(r, secret_ttl_s=HOURS_S)


@secret_kept_for_hours.revert
def secret_kept_for_seconds(r: Rehearsal) -> None:
    set_app_faults(r, secret_ttl_s=None)


@fault(
    "instance-reads-no-secret",
    expect_fail=["D-14.3.3"],
    touches=["app/secrets"],
    title="one instance cannot reach Secrets Manager",
)
def instance_reads_no_secret(r: Rehearsal) -> None:
    set_app_faults(r, secret_refused="app-2")  # noqa: S106 - an instance


@instance_reads_no_secret.revert
def instance_reads_secrets(r: Rehearsal) -> None:
    set_app_faults(r, secret_refused=None)
