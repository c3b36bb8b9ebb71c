"""Faults of Day -1 and of launch day: commands, authorisation, and who has stated what."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from rehearsal.faults import fault
from rehearsal.faults.people.stating import Stating
from rehearsal.faults.saas import saas_stubs
from rehearsal.kernel.world import Rehearsal
from rehearsal.staff import calendar, launch_tools, papers, people, scripts
from rehearsal.staff.saas_stubs import LAUNCH
from rehearsal.staff.scripted_statements import Entry, entry, everybody, without
from rehearsal.staff.scripted_statements.launch_day import hours as available

DAY = 86_400.0


def _as_of_yesterday(entries: list[Entry], person: str) -> list[Entry]:
    late = [{**e, "made_ago_s": DAY} for e in entries if e["by"] == person]
    return [*without(entries, person), *late]


# -- T0-0600.1.1 --------------------------------------------------------------------------------


@fault(
    "primary-not-checked-in",
    expect_fail=["T0-0600.1.1"],
    touches=["statements/T0-0600.1.1"],
    title="a primary has not checked in",
)
def primary_not_checked_in(r: Rehearsal) -> None:
    scripts.spoil(r, "T0-0600.1.1", without(everybody(), "sanjay"))


@primary_not_checked_in.revert
def checks_in(r: Rehearsal) -> None:
    scripts.fix(r, "T0-0600.1.1")


@fault(
    "check-in-of-yesterday",
    expect_fail=["T0-0600.1.1"],
    touches=["statements/T0-0600.1.1"],
    title="a check-in is dated yesterday",
)
def check_in_of_yesterday(r: Rehearsal) -> None:
    scripts.spoil(r, "T0-0600.1.1", _as_of_yesterday(everybody(), "omar"))


@check_in_of_yesterday.revert
def checks_in_today(r: Rehearsal) -> None:
    scripts.fix(r, "T0-0600.1.1")


@fault(
    "one-key-checks-in-two",
    expect_fail=["T0-0600.1.1"],
    touches=["statements/T0-0600.1.1"],
    title="a check-in is signed with somebody else's key",
)
def one_key_checks_in_two(r: Rehearsal) -> None:
    entries = [{**e, "key": "tess"} if e["by"] == "hugo" else e for e in everybody()]
    scripts.spoil(r, "T0-0600.1.1", entries)


@one_key_checks_in_two.revert
def own_keys(r: Rehearsal) -> None:
    scripts.fix(r, "T0-0600.1.1")


# -- T0-0600.1.3 --------------------------------------------------------------------------------


@fault(
    "war-room-seen-40-minutes-ago",
    expect_fail=["T0-0600.1.3"],
    touches=["statements/T0-0600.1.3"],
    title="the Technical Lead said 40 minutes ago that the war room works",
)
def war_room_seen_40_minutes_ago(r: Rehearsal) -> None:
    scripts.spoil(r, "T0-0600.1.3", [entry("technical_lead", made_ago_s=2_400.0)])


@war_room_seen_40_minutes_ago.revert
def war_room_seen_now(r: Rehearsal) -> None:
    scripts.fix(r, "T0-0600.1.3")


@fault(
    "war-room-hears-nothing",
    expect_fail=["T0-0600.1.3"],
    touches=["alertmanager/routes"],
    title="alerts about the launch have no route to the war room",
)
def war_room_hears_nothing(r: Rehearsal) -> None:
    r.override("alertmanager", routes={"launch": "mailbox"})
    r.reload("alertmanager")


@war_room_hears_nothing.revert
def war_room_hears(r: Rehearsal) -> None:
    r.clear_override("alertmanager", "routes")
    r.reload("alertmanager")


@fault(
    "screen-stands-still",
    expect_fail=["T0-0600.1.3"],
    touches=["saas-stubs/pages/screens"],
    title="a screen shows data of an hour ago",
)
def screen_stands_still(r: Rehearsal) -> None:
    old = (datetime.now(UTC) - timedelta(hours=1)).isoformat(timespec="seconds")
    page = {"/screens/business": {"lines": [f"Updated {old}"]}}
    saas_stubs.patch(r, "screen-stands-still", pages=page)


@screen_stands_still.revert
def screen_goes_on(r: Rehearsal) -> None:
    saas_stubs.restore(r, "screen-stands-still")


# -- T0-0800.3.2 --------------------------------------------------------------------------------


@fault(
    "role-card-not-signed",
    expect_fail=["T0-0800.3.2"],
    touches=["statements/T0-0800.3.2"],
    title="a role card is not signed",
)
def role_card_not_signed(r: Rehearsal) -> None:
    scripts.spoil(r, "T0-0800.3.2", without(everybody(), "quinn"))


@role_card_not_signed.revert
def signs_role_card(r: Rehearsal) -> None:
    scripts.fix(r, "T0-0800.3.2")


@fault(
    "operator-may-not-deploy",
    expect_fail=["T0-0800.3.2"],
    touches=["tools/denied"],
    title="whoever answers for deploying is not permitted to",
)
def operator_may_not_deploy(r: Rehearsal) -> None:
    r.override("tools", denied=["omar"])


@operator_may_not_deploy.revert
def permit_again(r: Rehearsal) -> None:
    r.clear_override("tools", "denied")


# -- T0-0800.3.4 --------------------------------------------------------------------------------


@fault(
    "rollback-without-confirmation",
    expect_fail=["T0-0800.3.4"],
    touches=["tools/rollback"],
    title="the emergency rollback goes ahead without its confirmation",
)
def rollback_without_confirmation(r: Rehearsal) -> None:
    r.override("tools", skips_confirmation=True)


@rollback_without_confirmation.revert
def ask_again(r: Rehearsal) -> None:
    r.clear_override("tools", "skips_confirmation")


@fault(
    "rollback-artefact-missing",
    expect_fail=["T0-0800.3.4", "D-7.4.3", "D-3.2.1"],
    touches=["tools/artefacts"],
    title="an artefact that the emergency rollback needs is gone",
)
def rollback_artefact_missing(r: Rehearsal) -> None:
    path = launch_tools.artefact(r, launch_tools.PREVIOUS, "migrations")
    r.remember("artefact-missing", path.read_bytes().hex())
    path.unlink()


@rollback_artefact_missing.revert
def put_the_artefact_back(r: Rehearsal) -> None:
    path = launch_tools.artefact(r, launch_tools.PREVIOUS, "migrations")
    path.write_bytes(bytes.fromhex(r.recall("artefact-missing")))
    r.forget("artefact-missing")


@fault(
    "runbook-altered-on-launch-day",
    expect_fail=["T0-0800.3.4"],
    touches=["papers/emergency-runbook.md"],
    title="the emergency procedures are others than those that the leads signed",
)
def runbook_altered_on_launch_day(r: Rehearsal) -> None:
    papers.alter(r, "emergency-runbook.md", lambda d: d["steps"][0].update(action="do it"))


@runbook_altered_on_launch_day.revert
def runbook_as_signed(r: Rehearsal) -> None:
    papers.write(r, "emergency-runbook.md")


# -- D-1.2.1 ------------------------------------------------------------------------------------


def _authorise(r: Rehearsal, **changes: object) -> None:
    r.override("tools", authorisation=changes)
    launch_tools.authorise(r)


def _authorise_again(r: Rehearsal) -> None:
    r.clear_override("tools", "authorisation")
    launch_tools.authorise(r)


@fault(
    "authorisation-expired",
    expect_fail=["D-1.2.1"],
    touches=["tools/authorisation"],
    title="the launch authorisation's window is over",
)
def authorisation_expired(r: Rehearsal) -> None:
    _authorise(r, window_ends_at="2026-01-02T00:00:00+00:00")


@authorisation_expired.revert
def authorise_anew(r: Rehearsal) -> None:
    _authorise_again(r)


@fault(
    "authorised-until-eleven",
    expect_fail=["D-1.D.2"],
    touches=["tools/authorisation"],
    title="the launch authorisation ends at 11:00 of launch day, before phase 3",
    waits_for=["D-1.2.2", "D-1.2.3", "D-1.2.4", "D-1.2.5"],
)
def authorised_until_eleven(r: Rehearsal) -> None:
    day = datetime.now(UTC).date() + timedelta(days=1)
    ends = datetime.combine(day, time(11), ZoneInfo(calendar.ZONE))
    _authorise(r, window_ends_at=ends.isoformat())


@authorised_until_eleven.revert
def authorise_all_phases(r: Rehearsal) -> None:
    _authorise_again(r)


def _authorised(name: str, title: str, **changes: object) -> None:
    """Registers a fault: an executive signed an authorisation that says something else."""

    def step(r: Rehearsal) -> None:
        _authorise(r, **changes)

    made = fault(name, expect_fail=["D-1.2.1"], touches=["tools/authorisation"], title=title)(step)
    made.revert(_authorise_again)


_authorised("authorised-for-staging", "the launch is authorised in staging", environment="staging")
_authorised("authorised-another-version", "another version is authorised", version="v2.0.1")
_authorised("authorised-another-commit", "another commit is authorised", commit="0" * 40)
_authorised(
    "authorised-for-two-years",
    "the launch authorisation covers two years",
    window_begins_at="2026-01-02T00:00:00+00:00",
    window_ends_at="2028-01-02T00:00:00+00:00",
)
_authorised(
    "authorised-on-another-decision",
    "the launch authorisation rests on another decision than the one recorded",
    decision_sha256="0" * 64,
)
_authorised("authorised-by-the-qa-lead", "the QA Lead signed the authorisation", signer="quinn")


@fault(
    "authorised-digest-altered",
    expect_fail=["D-1.2.1"],
    touches=["tools/authorisation"],
    title="a digest in the launch authorisation differs by one byte",
)
def authorised_digest_altered(r: Rehearsal) -> None:
    path = launch_tools.authorisation(r)
    text = path.read_text()
    at = text.index('"backend": "') + len('"backend": "')
    path.write_text(f"{text[:at]}{'0' if text[at] != '0' else '1'}{text[at + 1 :]}")


@authorised_digest_altered.revert
def authorise_as_built(r: Rehearsal) -> None:
    _authorise_again(r)


@fault(
    "authorisation-taken-back",
    expect_fail=["D-1.2.1"],
    touches=["tools/authorisation"],
    title="an executive has taken the launch authorisation back",
)
def authorisation_taken_back(r: Rehearsal) -> None:
    path = launch_tools.authorisation(r)
    path.with_name(f"{path.name}.revoked").write_text(f"{scripts.sha256(path)}  elena\n")


@authorisation_taken_back.revert
def authorise_once_more(r: Rehearsal) -> None:
    path = launch_tools.authorisation(r)
    path.with_name(f"{path.name}.revoked").unlink()


@fault(
    "deploys-without-authorisation",
    expect_fail=["D-1.2.1"],
    touches=["tools/deploy"],
    title="the deploy command does not ask for the authorisation",
)
def deploys_without_authorisation(r: Rehearsal) -> None:
    r.override("tools", skips_authorisation=True)


@deploys_without_authorisation.revert
def ask_for_it(r: Rehearsal) -> None:
    r.clear_override("tools", "skips_authorisation")


# -- D-1.3.1, D-1.3.5 ---------------------------------------------------------------------------


@fault(
    "operator-has-not-tried",
    expect_fail=["D-1.3.1"],
    touches=["tools"],  # everybody tries every command anew
    title="an operator has not tried the launch commands",
)
def operator_has_not_tried(r: Rehearsal) -> None:
    launch_tools.audit_log(r).unlink()
    r.override("tools", untried=["drew"])
    launch_tools.practise(r)


@operator_has_not_tried.revert
def tries_them(r: Rehearsal) -> None:
    r.clear_override("tools", "untried")
    launch_tools.practise(r)


@fault(
    "operator-has-not-logged-in",
    expect_fail=["D-1.3.1"],
    touches=["tools"],  # everybody tries every command anew
    title="an operator has logged in neither to the database nor to monitoring",
)
def operator_has_not_logged_in(r: Rehearsal) -> None:
    launch_tools.audit_log(r).unlink()
    r.override("tools", out=["drew"])
    launch_tools.practise(r)


@operator_has_not_logged_in.revert
def logs_in(r: Rehearsal) -> None:
    r.clear_override("tools", "out")
    launch_tools.practise(r)


@fault(
    "logistics-not-confirmed",
    expect_fail=["D-1.3.1"],
    touches=["statements/D-1.3.1"],
    title="nobody has confirmed logistics",
)
def logistics_not_confirmed(r: Rehearsal) -> None:
    scripts.spoil(r, "D-1.3.1", [])


@logistics_not_confirmed.revert
def confirm_logistics(r: Rehearsal) -> None:
    scripts.fix(r, "D-1.3.1")


@fault(
    "backup-not-available",
    expect_fail=["D-1.3.5"],
    touches=["statements/D-1.3.5"],
    title="a backup has not said to be available",
)
def backup_not_available(r: Rehearsal) -> None:
    scripts.spoil(r, "D-1.3.5", without(available(), "priya"))


@backup_not_available.revert
def backup_available(r: Rehearsal) -> None:
    scripts.fix(r, "D-1.3.5")


@fault(
    "lead-signed-for-another",
    expect_fail=["D-1.3.5"],
    touches=["statements/D-1.3.5"],
    title="a lead signed that somebody else is available",
)
def lead_signed_for_another(r: Rehearsal) -> None:
    entries = [{**e, "key": "tess"} if e["by"] == "leah" else e for e in available()]
    scripts.spoil(r, "D-1.3.5", entries)


@lead_signed_for_another.revert
def signs_in_person(r: Rehearsal) -> None:
    scripts.fix(r, "D-1.3.5")


@fault(
    "absent-on-launch-day",
    expect_fail=["D-1.3.5"],
    touches=["messages/calendar"],
    title="the Product Manager's own calendar has leave on launch day",
)
def absent_on_launch_day(r: Rehearsal) -> None:
    days = (f"{LAUNCH}T00:00:00-05:00", f"{LAUNCH + timedelta(days=1)}T00:00:00-05:00")
    leave = {people.email(people.holder("product_manager")): [list(days)]}
    r.override("messages", **{"calendar-leave": {"absences": leave}})


@absent_on_launch_day.revert
def there_on_launch_day(r: Rehearsal) -> None:
    r.clear_override("messages", "calendar-leave")


@fault(
    "devops-lead-not-checked-in",
    expect_fail=["T0-0600.1.1", "T0-0600.1.5", "T0-0800.3.2", "T0-0800.3.4"],
    touches=["statements/T0-0600.1.1"],
    title="the DevOps Lead, who owns phase 1 and answers for deploying, has not checked in",
)
def devops_lead_not_checked_in(r: Rehearsal) -> None:
    scripts.spoil(r, "T0-0600.1.1", without(everybody(), "omar"))


@devops_lead_not_checked_in.revert
def devops_lead_checks_in(r: Rehearsal) -> None:
    scripts.fix(r, "T0-0600.1.1")


@fault(
    "nobody-to-decide-on-rollback",
    expect_fail=["T0-0600.1.1", "T0-0800.3.4"],
    touches=["statements/T0-0600.1.1"],
    title="nobody who decides on a rollback has checked in",
)
def nobody_to_decide_on_rollback(r: Rehearsal) -> None:
    scripts.spoil(r, "T0-0600.1.1", without(without(everybody(), "tess"), "hugo"))


@nobody_to_decide_on_rollback.revert
def somebody_decides_on_rollback(r: Rehearsal) -> None:
    scripts.fix(r, "T0-0600.1.1")


@fault(
    "procedures-not-reviewed-on-day-minus-1",
    expect_fail=["D-1.3.2", "T0-0800.3.4"],
    touches=["statements/D-1.3.2"],
    title="nobody has reviewed on Day -1 the emergency procedures of launch day",
)
def procedures_not_reviewed_on_day_minus_1(r: Rehearsal) -> None:
    scripts.spoil(r, "D-1.3.2", [])


@procedures_not_reviewed_on_day_minus_1.revert
def procedures_reviewed(r: Rehearsal) -> None:
    scripts.fix(r, "D-1.3.2")


@fault(
    "screen-gone",
    expect_fail=["T0-0600.1.3"],
    touches=["saas-stubs/pages/screens"],
    title="a screen of the war room answers 404",
)
def screen_gone(r: Rehearsal) -> None:
    saas_stubs.page_status(r, "screen-gone", "/screens/business", 404)


@screen_gone.revert
def screen_there(r: Rehearsal) -> None:
    saas_stubs.restore(r, "screen-gone")


@fault(
    "phase-2-deployed-unapproved",
    expect_fail=["T0-0900.3.5"],
    touches=["tools/audit"],
    title="phase 2 was deployed half a day before it was approved",
    waits_for=["T0-0900.3.1"],
)
def phase_2_deployed_unapproved(r: Rehearsal) -> None:
    r.remember("audit", launch_tools.audit_log(r).read_text())
    launch_tools.deployed(r, "omar", datetime.now(UTC) - timedelta(hours=12))


@phase_2_deployed_unapproved.revert
def phase_2_not_deployed(r: Rehearsal) -> None:
    launch_tools.audit_log(r).write_text(r.recall("audit"))
    r.forget("audit")


made = Stating(__name__)
made.stated(
    "authorisation-stated-by-one",
    "D-1.2.1",
    [entry("executive_team")],
    "nobody has signed beside the executive that the launch is authorised",
)
made.written(
    "authorised-after-a-no-go",
    "D-1.2.1",
    "go-no-go.md",
    lambda d: d.update(decision="no-go"),
    "the launch is authorised although it was decided not to go",
)
made.stated(
    "available-until-noon",
    "D-1.3.5",
    [{**e, "data": {"hours": "06:00-12:00"}} if e["by"] == "paul" else e for e in available()],
    "the Product Manager is available until noon, but has a shift until 17:00",
)
made.stated(
    "stranger-checks-in",
    "T0-0600.1.1",
    [*everybody(), {"by": "wanda", "role": "qa_lead", "key": "tess"}],
    "somebody who is not on the roster has checked in",
)
made.stated(
    "takeover-by-another-role",
    "T0-0600.1.1",
    [
        {**e, "data": {"takes_over": "technical_lead"}} if e["by"] == "noor" else e
        for e in without(everybody(), "tess")
    ],
    "the DevOps Lead's backup has taken over from the Technical Lead",
)
made.written(
    "one-bridge-for-both",
    "T0-0600.1.3",
    "war-room.md",
    lambda d: d.update(backup_bridge=d["bridge"]),
    "the war room's backup bridge is its bridge",
)
made.written(
    "timeline-without-phase-3",
    "T0-0600.1.5",
    "launch-timeline.md",
    lambda d: d["slots"].pop(5),
    "the timeline lacks phase 3",
)
made.stated(
    "role-card-of-this-morning",
    "T0-0800.3.2",
    [{**e, "made_ago_s": 3 * 3600.0} if e["by"] == "quinn" else e for e in everybody()],
    "a role card was signed three hours ago",
)
made.stated(
    "one-lead-without-review",
    "T0-0800.3.4",
    [entry(r) for r in ("technical_lead", "devops_lead", "security_lead")],
    "the Product Manager has not reviewed the emergency procedures on launch day",
)
after_morning = Stating(__name__, "T0-0600.1.2")
after_morning.stated(
    "go-said-by-one",
    "T0-0800.3.5",
    [entry("technical_lead")],
    "only the Technical Lead said go before phase 1",
)
after_morning.stated(
    "executive-says-no-go",
    "T0-0800.3.5",
    [entry("technical_lead"), entry("executive_team", data={"decision": "no-go"})],
    "an executive said no-go before phase 1",
)
after_phase_1 = Stating(__name__, "T0-0900.3.1")
LEADS = ("technical_lead", "devops_lead", "security_lead", "product_manager")
after_phase_1.stated(
    "vote-missing",
    "T0-0900.3.4",
    [entry(role, data={"vote": "go"}) for role in LEADS[:3]],
    "the Product Manager has not voted after phase 1",
)
after_phase_1.stated(
    "vote-says-nothing",
    "T0-0900.3.4",
    [entry(role, data={"vote": "go"}) for role in LEADS[:3]] + [entry("product_manager")],
    "the Product Manager's vote after phase 1 says neither go nor no-go",
)
after_phase_1.stated(
    "vote-against",
    "T0-0900.3.4",
    [entry(role, data={"vote": "no-go" if role == LEADS[2] else "go"}) for role in LEADS],
    "the Security Lead voted no-go after phase 1",
)
after_phase_1.stated(
    "phase-2-refused",
    "T0-0900.3.5",
    [entry("devops_lead"), entry("technical_lead", data={"decision": "no-go"})],
    "the Technical Lead said no-go to phase 2",
)
made.stated(
    "phase-owner-silent",
    "T0-0600.1.5",
    [entry(r) for r in ("technical_lead", "devops_lead", "performance_lead", "product_manager")],
    "the owner of phase 3 has not confirmed the timeline",
)
made.altered(
    "timeline-edited-overnight",
    "T0-0600.1.5",
    "launch-timeline.md",
    lambda d: d["slots"][1].update(gate=True),
    "the timeline was edited after it was signed",
)
