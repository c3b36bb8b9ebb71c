"""Faults of who has accepted which role, and of who may do what."""

from __future__ import annotations

from rehearsal.faults import fault
from rehearsal.faults.people.stating import DAY_S, Stating
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.data.postgres import OPERATOR_ROLE
from rehearsal.parts.platform import aws
from rehearsal.staff.scripted_statements import everybody, without

made = Stating(__name__)

made.stated(
    "role-not-accepted",
    "D-5.3.2",
    without(everybody(), "hugo"),
    "a backup has not accepted the role",
)
made.stated(
    "role-accepted-by-another",
    "D-5.3.2",
    [{**e, "key": "tess"} if e["by"] == "leah" else e for e in everybody()],
    "a lead accepted a role for its backup",
)
made.stated(
    "role-accepted-long-ago",
    "D-5.3.2",
    [{**e, "made_ago_s": 4 * DAY_S} if e["by"] == "hugo" else e for e in everybody()],
    "the acceptance of a role has expired",
)
made.written(
    "access-that-nobody-gives",
    "D-5.3.2",
    "role-table.md",
    lambda d: d["access"]["technical_lead"].append("payments"),
    "a role needs a kind of access that nobody looks at",
)


@fault(
    "second-factor-off",
    expect_fail=["D-5.3.2", "D-14.3.2"],
    touches=["aws/users"],
    title="the Security Lead has no second factor",
)
def second_factor_off(r: Rehearsal) -> None:
    iam = aws.client(r, "iam")
    for device in iam.list_mfa_devices(UserName="sanjay")["MFADevices"]:
        iam.deactivate_mfa_device(UserName="sanjay", SerialNumber=device["SerialNumber"])


@second_factor_off.revert
def second_factor_on(r: Rehearsal) -> None:
    aws.give_second_factor(r, "sanjay")


@fault(
    "never-logged-in",
    expect_fail=["D-5.3.2"],
    touches=["aws/users"],
    title="the Security Lead's backup has never logged in to AWS",
)
def never_logged_in(r: Rehearsal) -> None:
    iam = aws.client(r, "iam")
    for key in iam.list_access_keys(UserName="sofia")["AccessKeyMetadata"]:
        iam.delete_access_key(UserName="sofia", AccessKeyId=key["AccessKeyId"])


@never_logged_in.revert
def logged_in(r: Rehearsal) -> None:
    aws.log_in(r, "sofia")


@fault(
    "leaver-may-deploy",
    expect_fail=["D-5.3.2", "D-14.3.2"],
    touches=["aws/users"],
    title="somebody who has left may still deploy",
)
def leaver_may_deploy(r: Rehearsal) -> None:
    aws.make_user(r, "wanda", ["deployers"])


@leaver_may_deploy.revert
def leaver_may_do_nothing(r: Rehearsal) -> None:
    aws.drop_user(r, "wanda")


@fault(
    "leaver-changes-data",
    expect_fail=["D-5.3.2", "D-14.3.2"],
    touches=["postgres/roles"],
    title="somebody who has left may still change data",
)
def leaver_changes_data(r: Rehearsal) -> None:
    r.primary.sql(f"create role wanda login in role {OPERATOR_ROLE}")


@leaver_changes_data.revert
def leaver_has_no_login(r: Rehearsal) -> None:
    r.primary.sql("drop role wanda")
