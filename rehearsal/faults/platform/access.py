"""Faults of access: who can log in, and from where."""

from __future__ import annotations

from rehearsal.faults import fault
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.platform import aws, aws_rights
from rehearsal.staff import papers
from rehearsal.staff.access import LIST

ITEM = "D-14.3.2"
STRANGER, AGED = "zoe", "hugo"


@fault(
    "metrics-public",
    expect_fail=[ITEM, "D-14.3.5"],
    touches=["edge/metrics", "balancer/metrics"],
    title="the application's metrics are handed to anybody",
)
def metrics_public(r: Rehearsal) -> None:
    for part in ("balancer", "edge"):
        r.override(part, metrics_public=True)
    _reload(r)


@metrics_public.revert
def metrics_private(r: Rehearsal) -> None:
    for part in ("balancer", "edge"):
        r.clear_override(part, "metrics_public")
    _reload(r)


def _reload(r: Rehearsal) -> None:
    for part in ("balancer", "edge-1", "edge-2"):
        r.reload(part)


@fault("bastion-stopped", expect_fail=[ITEM], touches=["ssh"], title="the bastion is down")
def bastion_stopped(r: Rehearsal) -> None:
    r.stop("ssh")


@bastion_stopped.revert
def bastion_started(r: Rehearsal) -> None:
    r.start("ssh")


@fault(
    "iam-user-not-approved",
    expect_fail=[ITEM],
    touches=["aws/accounts"],
    title="somebody who is not on the access list has an account at AWS",
)
def iam_user_not_approved(r: Rehearsal) -> None:
    aws.make_user(r, STRANGER, [])


@iam_user_not_approved.revert
def iam_user_gone(r: Rehearsal) -> None:
    aws.drop_user(r, STRANGER)


@fault(
    "database-login-not-approved",
    expect_fail=[ITEM],
    touches=["postgres/roles"],
    title="somebody who is not on the access list may log in to the database",
)
def database_login_not_approved(r: Rehearsal) -> None:
    r.primary.sql(f"create role {STRANGER} login")


@database_login_not_approved.revert
def database_login_gone(r: Rehearsal) -> None:
    r.primary.sql(f"drop role {STRANGER}")


@fault(
    "access-key-old",
    expect_fail=[ITEM],
    touches=["aws/accounts"],
    title="an access key is 91 days old",
)
def access_key_old(r: Rehearsal) -> None:
    aws_rights.age(r, "access-key", AGED, 91)


@access_key_old.revert
def access_key_new(r: Rehearsal) -> None:
    aws_rights.age(r, "access-key", AGED, 0)


@fault(
    "root-access-key",
    expect_fail=[ITEM],
    touches=["aws/accounts"],
    title="the root user has an access key",
)
def root_access_key(r: Rehearsal) -> None:
    aws_rights.age(r, "root-key", "", 1)


@root_access_key.revert
def root_without_access_key(r: Rehearsal) -> None:
    aws_rights.age(r, "root-key", "", 0)


@fault(
    "access-list-altered",
    expect_fail=[ITEM],
    touches=[f"papers/{LIST}"],
    title="the access list was altered after it was signed",
)
def access_list_altered(r: Rehearsal) -> None:
    papers.alter(r, LIST, lambda d: d.update(approved_on="2026-01-02"))


@access_list_altered.revert
def access_list_as_signed(r: Rehearsal) -> None:
    papers.write(r, LIST)


@fault(
    "leaver-on-access-list",
    expect_fail=[ITEM],
    touches=[f"papers/{LIST}"],
    title="somebody who has left is on the access list",
)
def leaver_on_access_list(r: Rehearsal) -> None:
    papers.change(r, LIST, lambda d: d["people"].append({"person": "wanda"}))


@leaver_on_access_list.revert
def leaver_off_access_list(r: Rehearsal) -> None:
    papers.write(r, LIST)
