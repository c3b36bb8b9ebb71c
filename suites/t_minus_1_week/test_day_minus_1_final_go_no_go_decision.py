"""Day -1: Final Go/No-Go Decision (Executive Team)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from golive import decision
from golive.claims import at_least, at_most, between, equal, holds, none_of, same_set
from golive.context import Context
from golive.deliverables import Deliverables
from golive.environments import Environment
from golive.items import attested, derived
from golive.launch import Limits
from golive.papers import Papers
from golive.papers.kinds import EmergencyRunbook, GoNoGo, RiskRegister, RoleTable
from golive.people.statements import Vouched
from golive.probes.people.authorisation import Authorisation, AuthorisedDecision
from golive.probes.people.calendar import Absences, LaunchCalendar
from golive.probes.saas.launch_tools import Artefact, AuditEvent, Logins, Manifest
from golive.store import Kept

PRIMARY_ROLES = (
    "technical_lead",
    "devops_lead",
    "product_manager",
    "security_lead",
    "executive_team",
)
"""Those of the procedure's primary contacts."""
REPORT = "final-status-report.html"


@attested(
    "D-1.1.1",
    "each of the 5 primary roles, or a named delegate with a delegation valid that day, was "
    "present at the go/no-go meeting of the last 24 hours, and nobody held two votes",
    each=True,
)
def test_every_primary_role_was_present_or_sent_a_delegate(
    vouched: Vouched, launch_calendar: LaunchCalendar, env: Environment, context: Context
) -> None:
    """One signed presence for each of the five primary roles, by its holder, who has accepted the
    meeting's event, or by a backup to whom the holder has delegated that; and no person in two.

    Remedy: whoever was there signs `golive attest D-1.1.1 --role ROLE`; who could not come signs
    `golive attest D-1.1.1 --role ROLE --data delegate=ID` before. A role without anybody means
    that the meeting had no quorum and is held again.
    """
    assert vouched.unopposed()
    present = decision.present(vouched, PRIMARY_ROLES)
    bare = decision.without_delegation(present, vouched, context, lasting="CO.5")
    roster = context.roster
    assert none_of("stand-ins without a delegation", bare, among=PRIMARY_ROLES, of="roles")
    absent = [r for r in PRIMARY_ROLES if r not in present]
    likely = [p.id for r in absent for p in context.roster.holders(r)]
    assert vouched.by_everyone([*present.values(), *likely], "people who were present")
    assert same_set("roles that were present", present, PRIMARY_ROLES)
    double = sorted({p for p in present.values() if list(present.values()).count(p) > 1})
    double += roster.doubles(present.values())
    assert none_of("people with two votes", double, among=PRIMARY_ROLES, of="roles")
    meetings = launch_calendar.titled(env.calendar.go_no_go)
    assert at_least("go/no-go meetings in the calendar", len(meetings), 1)
    away, subject = decision.not_accepted(present, meetings, roster), "who has not accepted it"
    assert none_of(subject, away, among=PRIMARY_ROLES, of="roles")


@attested(
    "D-1.1.2",
    "the final status report of the latest package, made at most 24 hours before the meeting, "
    "was presented there, with an addendum of every verdict that had changed since",
    by=("executive_team",),
)
def test_the_final_status_report_was_presented_as_it_is(
    deliverables: Deliverables, vouched: Vouched, limits: Limits
) -> None:
    """The final status report of D-2.D.2: its verdict, its SHA-256 among the evidence of who
    signed that it was presented, and how old it was by then. It is made again with any newer
    verdict, so that one which was presented as it is needs no addendum.

    Remedy: present the newest report, and sign with it as evidence: `golive attest D-1.1.2
    --evidence` and the path of final-status-report.html.
    """
    for claim in deliverables.resting("D-1.1.2", ("D-2.D.2",)):
        assert claim
    now = deliverables.digest(REPORT)
    shown = {e.sha256 for s in vouched.counted for e in s.statement.evidence}
    if vouched.counted:
        observed = "this one" if now in shown else "another one"
        assert holds(f"the {REPORT} that was presented", now in shown, observed, "as it is now")
        first = min(s.statement.made_at for s in vouched.counted)
        age_h = (first - deliverables.made_at(REPORT)).total_seconds() / 3600
        most_h = limits.documents.report_age_h
        assert between(f"age of the {REPORT} when presented", age_h, 0, most_h, "h")


@attested(
    "D-1.1.3",
    "every risk scored high was decided within the last 24 hours (accept, mitigate or stop), "
    "and each mitigation has an owner and ends before 06:00 of launch day",
    by=("executive_team",),
    papers=("go-no-go.md",),
)
def test_every_high_risk_is_decided(
    papers: Papers, context: Context, vouched: Vouched, limits: Limits
) -> None:
    """The decisions of the meeting against the risks that the register scores high now; when it
    was held, and that what is signed of it was signed since.

    Remedy: decide on the risk that is named, by name; where the register changed after the
    meeting, its change is decided too.
    """
    meeting, register = papers.read(GoNoGo).data, papers.read(RiskRegister)
    for claim in decision.in_time(meeting, vouched, limits.launch_day.decided_h):
        assert claim
    assert equal("the risk register that was reviewed", meeting.register_sha256, register.sha256)
    high = [r.id for r in register.data.high]
    if high or meeting.risks:
        assert same_set("high risks that are decided", [r.id for r in meeting.risks], high)
    for subject, offenders in {
        "risks that stop the launch": meeting.stopping if meeting.decision == "go" else [],
        "mitigations without owner or done too late": meeting.late_mitigations(
            context.roster.people, context.launch.date
        ),
    }.items():
        assert none_of(subject, offenders, among=high, of="high risks", may_be_empty=True)


@attested(
    "D-1.1.5",
    "one decision, go or no-go, is recorded with reasons, conditions, package digest, "
    "candidate commit and time, signed by an executive and the quorum of the 5 primary roles",
    by=("executive_team", "technical_lead", "devops_lead", "security_lead", "product_manager"),
    papers=("go-no-go.md",),
)
def test_one_decision_is_recorded_for_this_candidate(
    papers: Papers,
    context: Context,
    vouched: Vouched,
    vouched_of: Callable[[str], Vouched],
    release_manifest: Manifest,
    deliverables: Deliverables,
    limits: Limits,
) -> None:
    """The record of the decision: its reasons, the candidate's commit, the package, which has to
    lie there, the hours since the meeting, and that whoever signed it was there; no contrary
    decision, nor one on another package, among the approvals that were signed. For a go the
    newest verdict of D-1.1.4.

    Remedy: record the decision for this very candidate and package, and have all five sign the
    record. Whoever decided otherwise before signs `golive approve` again or revokes it. Without
    green criteria (D-1.1.4) nothing but a no-go can be decided.
    """
    record = papers.read(GoNoGo).data
    assert holds("reasons of the decision", record.reasons.strip(), record.reasons, "stated")
    assert equal("commit that was decided on", record.commit, release_manifest.commit)
    for claim in decision.packaged(record, context):
        assert claim
    for claim in decision.in_time(record, vouched, limits.launch_day.decided_h):
        assert claim
    assert decision.signed_there(vouched, vouched_of("D-1.1.1"), PRIMARY_ROLES)
    assert vouched.unopposed()
    votes, of = decision.decided(context), "decisions by command"
    for subject, offenders in {
        "contrary decisions": decision.contrary(record, votes),
        "decisions on another package": decision.on_another_package(record, votes),
    }.items():
        assert none_of(subject, offenders, among=votes, of=of, may_be_empty=True)
    if record.decision == "go":
        age_h = limits.documents.evaluation_age_h
        for claim in deliverables.resting("D-1.1.5", ("D-1.1.4",), max_age_h=age_h):
            assert claim


@attested(
    "D-1.2.1",
    "after a decision to go, an executive authorised the launch of v2.0.0 by environment, "
    "commit, artefact digests and a launch window of at most 24 hours",
    by=("executive_team",),
)
def test_the_launch_is_authorised_and_nothing_deploys_without(
    authorisation: Authorisation,
    authorised_decision: AuthorisedDecision,
    papers: Papers,
    release_manifest: Manifest,
    stored_artefacts: tuple[Artefact, ...],
    context: Context,
    limits: Limits,
) -> None:
    """The authorisation that the deploy command will read: its signature by ssh-keygen, the
    decision that it names, its release and artefacts against the manifest and the store, its
    window; and the deploy command run dry with it, without it, with it altered and unsigned.

    Remedy: an executive signs the authorisation for this very release, with the SHA-256 of
    go-no-go.md as its decision_sha256. A deploy command that goes ahead without a valid one is
    fixed before anything else.
    """
    a, record = authorisation, papers.read(GoNoGo)
    assert equal("the signature of the launch authorisation", a.signature_cause or "valid", "valid")
    assert equal("the decision it rests on", authorised_decision.sha256, record.sha256)
    assert equal("what was decided", record.data.decision, "go")
    assert equal("the environment it is for", a.environment, context.environment.name)
    assert equal("the version it is for", a.version, context.launch.candidate)
    assert equal("the commit it is for", a.commit, release_manifest.commit)
    there = {x.name: x.sha256 for x in stored_artefacts if x.version == a.version}
    assert at_least("artefacts in the store", len(there), 1)
    other, names = a.differing(there), {*there, *a.artefacts}
    assert none_of("artefacts that are not those authorised", other, among=names, of="artefacts")
    assert at_most("launch window", a.window_h, limits.launch_day.window_h, "h")
    assert equal("deploying with it", a.refusal_with or "possible", "possible")
    for case, refusal in a.refusals.items():
        assert holds(f"deploying {case}", refusal, refusal or "possible", "refused")


@attested(
    "D-1.3.1",
    "room, bridge, shifts, backup power and backup network for launch day were confirmed "
    "within the last 24 hours, and every operator on the roster did, from the workstation of "
    "the day, a deploy dry run, a read-only database login and a monitoring login",
    by=("technical_lead",),
)
def test_every_operator_has_tried_the_launch_commands(
    launch_audit: tuple[AuditEvent, ...],
    operator_logins: Logins,
    env: Environment,
    context: Context,
    limits: Limits,
) -> None:
    """The record of the launch commands: what each holder and backup of a role that answers for
    one has run dry in the last hours, and with what outcome; and where each has logged in.

    Remedy: the operator named runs the command with --dry-run on the workstation of the day
    (`golive` does not do it for anybody); what is refused there is fixed first.
    """
    operators = {
        (p.id, c)
        for c, role in env.tools.accountable.items()
        for p in context.roster.entitled(role)
    }
    assert at_least("operators and their commands", len(operators), limits.launch_day.commands)
    since = datetime.now(UTC) - timedelta(hours=limits.launch_day.operator_tried_h)
    tried = {(e.operator, e.tool) for e in launch_audit if e.at >= since and not e.refused}
    lacking = sorted(f"{who}: {command}" for who, command in operators - tried)
    subject, of = "commands not tried by who may have to run them", "operators' commands"
    assert none_of(subject, lacking, among=operators, of=of)
    people = sorted({who for who, _ in operators})
    missing = operator_logins.lacking(people, since)
    assert none_of("logins not tried", missing, among=people, of="operators")


@attested(
    "D-1.3.2",
    "an executive and the Technical, DevOps and Security Leads reviewed, within the last 24 "
    "hours, the emergency procedures signed on Day -3, which let the Technical Lead start a "
    "rollback without further approval and escalate after 15, 30 and 60 minutes",
    by=("executive_team", "technical_lead", "devops_lead", "security_lead"),
    papers=("emergency-runbook.md",),
)
def test_a_rollback_may_start_at_once_and_escalates_in_time(
    papers: Papers, vouched_of: Callable[[str], Vouched], context: Context, limits: Limits
) -> None:
    """The emergency procedures as they lie there: that they are what was signed on Day -3, who
    may start a rollback, and the times of escalation against the roster's.

    Remedy: put the text back to what was signed on Day -3, or have it reviewed and signed again,
    there and here.
    """
    paper, before = papers.read(EmergencyRunbook), vouched_of("D-3.2.5")
    signed = before.digests(paper.name)
    other = [role for role in before.roles if signed.get(role) != paper.sha256]
    subject, of = "leads who did not sign this text on Day -3", "leads"
    assert none_of(subject, other, among=before.roles, of=of)
    runbook, levels = paper.data, context.roster.escalation_minutes
    alone = runbook.technical_lead_may_start
    assert equal("whether the Technical Lead may start a rollback", alone, True)
    assert equal("minutes to each level of escalation", runbook.escalation_minutes, levels)
    wanted = [
        limits.escalation.level_2_minutes,
        limits.escalation.level_3_minutes,
        limits.escalation.level_4_minutes,
    ]
    assert equal("minutes that the procedure gives", levels, wanted)


@attested(
    "D-1.3.5",
    "each primary and backup on the launch roster said in person, within the last 24 hours, to "
    "be available for the hours assigned, and no role lacks both",
    each=True,
)
def test_everybody_says_to_be_available_at_launch(
    vouched: Vouched,
    papers: Papers,
    launch_day_absences: Absences,
    context: Context,
) -> None:
    """Statements of today, each signed with a key of its own, against holders and backups of
    every role, and their hours against the shifts of the role table; absences of the whole launch
    day in people's own calendars.

    Remedy: whoever is missing signs `golive attest D-1.3.5 --data hours=06:00-17:00`; who cannot
    come is replaced in the roster and the role table, and the new person signs.
    """
    empty = [r for r in context.owner_roles if not context.roster.entitled(r)]
    assert none_of("roles without anybody", empty, among=context.owner_roles, of="roles")
    team, table = {p.id: p for p in context.team}, papers.read(RoleTable).data
    hours = {p: str(s.statement.data.get("hours", "")) for p in team if (s := vouched.of(p))}
    short = table.beyond(hours)
    subject, of = "shifts beyond the hours that somebody is available", "shifts"
    assert none_of(subject, short, among=table.shifts, of=of)
    assert vouched.by_everyone(team, "people who are available")
    away = launch_day_absences.of(team.values())
    assert none_of("people whose calendar shows an absence", away, among=team, of="people")


# -- Deliverables ------------------------------------------------------------------------------


@derived("D-1.1.4")
def test_the_criteria_are_met_on_todays_ledger(deliverables: Deliverables, limits: Limits) -> None:
    """The newest verdicts of the criteria, the framework and the checklist review.

    Remedy: run what is missing, too old or red; a soft criterion that fails needs a waiver by an
    executive, a hard one can only be met.
    """
    criteria = deliverables.of(
        "D-1.1.4", "decision-criteria-evaluation", ("D-2.1.1", "D-2.2.1", "D-2.2.5"), signers=()
    )
    rest = ("every criterion of the signed criteria file, evaluated by the framework",)
    for claim in criteria.claims(max_age_h=limits.documents.evaluation_age_h, not_judged=rest):
        assert claim


@derived("D-1.D.1")
def test_the_decision_document_says_what_was_decided(
    deliverables: Deliverables, papers: Papers, kept: Callable[[Path], Kept], limits: Limits
) -> None:
    """The newest verdicts of D-1.1, who signed to have been there, the record of the meeting, the
    package it was about and the votes, made into the document and compared with it; that it is
    later than all of them; the signature; the copy in the store, and how long nobody can change
    it there.

    Remedy: run what is missing, too old or red; read the document again, sign it and push it.
    Whoever voted on another package votes again. A store that anybody may write to does not do:
    name a bucket with object lock in launch.store.
    """
    record, kind = papers.read(GoNoGo), "go-no-go-decision-documentation"
    write = decision.recorded(record, present="D-1.1.1", signed="D-1.1.5")
    document = deliverables.of("D-1.D.1", kind, ("D-1.1",), write)
    context = document.basis.context
    votes = decision.votes_fit(record.data, document)
    for claim in document.claims(max_age_h=limits.documents.report_age_h, extra=votes):
        assert claim
    until = _launch_day(context) + timedelta(days=limits.launch_day.decision_locked_days)
    for claim in decision.locked(kept(document.path), until):
        assert claim


@derived("D-1.D.2")
def test_the_launch_is_authorised_and_the_deploy_command_reads_just_that(
    deliverables: Deliverables, authorisation: Authorisation, env: Environment, limits: Limits
) -> None:
    """The newest verdicts of D-1.2 and the statements behind them, made into the document and
    compared with it; the authorisation as the deploy command reads it now, whether it was taken
    back, and its window; the signature.

    Remedy: run what is missing, too old or red. An executive authorises the launch again where
    that was taken back or is not for the hours of the four phases. Then read the document again
    and sign it.
    """
    a, zone = authorisation, ZoneInfo(env.calendar.time_zone)
    document = deliverables.of("D-1.D.2", "launch-authorization", ("D-1.2",))
    hours = (limits.launch_day.authorised_from_h, limits.launch_day.authorised_until_h)
    day = _launch_day(deliverables.context)
    opens, closes = (datetime.combine(day, time(int(h)), zone) for h in hours)
    valid, state = a.signature_cause or "valid", "taken back" if a.is_revoked else "in force"
    required = f"at least {opens:%F %H:%M} to {closes:%H:%M} in {zone}"
    wide, window = a.covers(opens, closes), "window of the launch authorisation"
    extra = [
        equal("the signature of the launch authorisation", valid, "valid"),
        holds("the launch authorisation", not a.is_revoked, state, "in force"),
        holds(window, wide, a.window(zone), required),
        equal("deploying with it", a.refusal_with or "possible", "possible"),
    ]
    for claim in document.claims(max_age_h=limits.documents.report_age_h, extra=extra):
        assert claim


def _launch_day(context: Context) -> date:
    """The day that is authorised. A rehearsal looks at every item as on its own day, so it is
    tomorrow there."""
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    return tomorrow if context.environment.kind == "rehearsal" else context.launch.date


@derived("D-1.D.3")
def test_everybody_was_notified_and_said_so(deliverables: Deliverables, limits: Limits) -> None:
    """The newest verdict of D-1.2.3, made into the confirmation and compared with it; the
    signature.

    Remedy: run what is missing, too old or red; read the document again and sign it.
    """
    document = deliverables.of("D-1.D.3", "team-notification-confirmation", ("D-1.2.3",))
    rest = ("message, delivery and acknowledgement of everybody, as the providers have them",)
    for claim in document.claims(max_age_h=limits.documents.report_age_h, not_judged=rest):
        assert claim
