"""Faults of secrets: whose they are, who may read them, and where else they stand."""

from __future__ import annotations

from rehearsal.data import configuration, images, release, secret_places
from rehearsal.faults import fault
from rehearsal.kernel.files import write_atomically
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.platform import aws_configuration
from rehearsal.parts.platform.app import product_secrets, set_app_faults

OWN, STAGING = "bookedbarber/rehearsal/google", "bookedbarber/staging/google"
KEY = "GOOGLE_CLIENT_SECRET"
SECRETS = ["aws/secrets"]


def _set(r: Rehearsal, secret: str, value: str | None) -> None:
    r.remember(f"secret {secret}", aws_configuration.change_secret(r, secret, KEY, value))


def _restore(r: Rehearsal, secret: str) -> None:
    aws_configuration.change_secret(r, secret, KEY, r.recall(f"secret {secret}"))
    r.forget(f"secret {secret}")


@fault(
    "secret-shared-with-staging",
    expect_fail=["D-12.3.2"],
    touches=SECRETS,
    title="staging has one of this environment's secrets",
)
def secret_shared_with_staging(r: Rehearsal) -> None:
    _set(r, STAGING, product_secrets(r)[KEY])


@secret_shared_with_staging.revert
def give_staging_its_own(r: Rehearsal) -> None:
    _restore(r, STAGING)


@fault(
    "secret-changed-and-not-deployed",
    expect_fail=["D-12.3.2"],
    touches=SECRETS,
    title="a secret was changed, and the instances still have the one before",
)
def secret_changed_and_not_deployed(r: Rehearsal) -> None:
    _set(r, OWN, "GOCSPX-a-new-one-that-nobody-has")


@fault(
    "secret-empty",
    expect_fail=["D-12.3.2"],
    touches=SECRETS,
    title="a secret is empty",
)
def secret_empty(r: Rehearsal) -> None:
    _set(r, OWN, "")


@fault(
    "secret-without-its-key",
    expect_fail=["D-12.3.2"],
    touches=SECRETS,
    title="a secret lost the key that is referred to",
)
def secret_without_its_key(r: Rehearsal) -> None:
    _set(r, OWN, None)


@secret_changed_and_not_deployed.revert
@secret_empty.revert
@secret_without_its_key.revert
def restore_the_secret(r: Rehearsal) -> None:
    _restore(r, OWN)


@fault(
    "secret-file-world-readable",
    expect_fail=["D-12.3.2"],
    touches=["deployed/app-1.env"],
    title="everybody may read the file with an instance's secrets",
)
def secret_file_world_readable(r: Rehearsal) -> None:
    configuration.deployed(r, "app-1").chmod(0o644)


@secret_file_world_readable.revert
def close_the_file(r: Rehearsal) -> None:
    configuration.deployed(r, "app-1").chmod(0o600)


@fault(
    "key-in-git-history",
    expect_fail=["D-12.3.2"],
    touches=["release/history"],
    title="a key was committed, on a branch that nobody merged",
)
def key_in_git_history(r: Rehearsal) -> None:
    secret_places.commit_key(r, f"key: {product_secrets(r)['STRIPE_SECRET_KEY']}\n")


@key_in_git_history.revert
def forget_the_branch(r: Rehearsal) -> None:
    secret_places.forget_key(r)


@fault(
    "key-in-image",
    expect_fail=["D-12.3.2", "D-12.1.1"],
    touches=["images/backend"],
    title="a key lies in a layer of the backend's image",
)
def key_in_image(r: Rehearsal) -> None:
    key = product_secrets(r)["SENDGRID_API_KEY"]
    images.build(r, {"backend": images.Changes(files={"srv/env": f"SENDGRID={key}\n"})})


@key_in_image.revert
def make_the_image_again(r: Rehearsal) -> None:
    images.build(r)


@fault(
    "key-in-log",
    expect_fail=["D-12.3.2"],
    touches=["logs/app-1"],
    title="an instance logged a key, and the log was rotated since",
)
def key_in_log(r: Rehearsal) -> None:
    log = r.log("app-1")
    token = product_secrets(r)["TWILIO_AUTH_TOKEN"]
    write_atomically(log.with_name(f"{log.name}.1"), f"DEBUG twilio auth {token}\n", 0o644)


@key_in_log.revert
def delete_the_log(r: Rehearsal) -> None:
    log = r.log("app-1")
    log.with_name(f"{log.name}.1").unlink(missing_ok=True)


@fault(
    "key-in-headers",
    expect_fail=["D-12.3.2"],
    touches=["app/debug-header"],
    title="a header that debugging left behind shows a key",
)
def key_in_headers(r: Rehearsal) -> None:
    set_app_faults(r, debug_header=product_secrets(r)["ENCRYPTION_KEY"])


@key_in_headers.revert
def debug_no_more(r: Rehearsal) -> None:
    set_app_faults(r, debug_header=None)


@fault(
    "secret-in-the-released-file",
    expect_fail=["D-12.3.2"],
    touches=["release"],
    title="the released file has a secret instead of a reference to it",
)
def secret_in_the_released_file(r: Rehearsal) -> None:
    reference = f"secretsmanager:{OWN}#{KEY}"
    value = product_secrets(r)[KEY]
    release.retag_with(
        r,
        f"{configuration.FOLDER}/{configuration.ENVIRONMENT}.env",
        lambda text: text.replace(reference, value),
    )


@secret_in_the_released_file.revert
def release_it_again(r: Rehearsal) -> None:
    release.publish(r)
