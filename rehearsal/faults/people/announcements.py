"""Faults of what is reported on launch day and its evening: announcements, figures, the press."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from rehearsal.faults import fault
from rehearsal.faults.people.stating import DAY_S, Stating
from rehearsal.faults.saas import saas_stubs as verbs
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.saas.saas_stubs import address
from rehearsal.staff import calendar, papers, people, saas_stubs, scripts
from rehearsal.staff.scripted_statements import entry
from rehearsal.staff.scripted_statements.announcements import no_press

made = Stating(__name__)
HEALTH, CRITERIA, ASSESSED, REVIEWED = "T0-1230.2.5", "T0-1600.1.1", "T0-1600.1.2", "T0-1600.1.4"
TEAM, SOCIAL, PRESS = "message-team.md", "message-social.md", "message-press.md"
EVALUATION, KPIS = "objective-evaluation.md", "kpi-assessment.md"
EVERYBODY, STAKEHOLDERS = "message-everybody.md", "message-stakeholders.md"
STAND_DOWN, CUSTOMERS = "message-stand-down.md", "message-customer-figures.md"
LOG = "media-log.md"


def _before_the_cutover(data: dict[str, Any]) -> None:
    data["sent_at"] = data["cutover_at"].replace(hour=data["cutover_at"].hour - 1)


def _post_before_the_cutover(data: dict[str, Any]) -> None:
    data["posts"][0]["published_at"] = data["sent_at"].replace(hour=data["sent_at"].hour - 1)


def _error_rate_missed(data: dict[str, Any]) -> None:
    next(m for m in data["metrics"] if m["metric"] == "KT.3").update(result="missed")


def _payments_missed(data: dict[str, Any]) -> None:
    next(m for m in data["metrics"] if m["metric"] == "KB.3").update(result="missed")


def _without_support(data: dict[str, Any]) -> None:
    support = {p.id for p in people.PEOPLE if "support" in p.roles}
    data["to"] = [p for p in data["to"] if p not in support]


# -- T0-1230.3.1 --------------------------------------------------------------------------------

after_health = Stating(__name__, HEALTH)
after_health.stated(
    "team-announcement-not-signed",
    "T0-1230.3.1",
    [],
    "nobody has signed that the team was notified",
)
after_health.written(
    "team-told-before-the-cutover",
    "T0-1230.3.1",
    TEAM,
    _before_the_cutover,
    "the team was notified before the health checks could have passed",
)
after_health.written(
    "member-not-told",
    "T0-1230.3.1",
    TEAM,
    lambda d: d["to"].remove("theo"),
    "one of the roster was not told of the launch",
)

after_health.reworded(
    "team-told-another-text",
    "T0-1230.3.1",
    TEAM,
    ("serves since", "should serve since"),
    "the team got another text than the approved one",
)
after_health.reworded(
    "team-not-told-the-time",
    "T0-1230.3.1",
    TEAM,
    ("12:30", "noon"),
    "the team was not told the time of the cutover",
)
after_health.written(
    "team-told-of-another-version",
    "T0-1230.3.1",
    TEAM,
    lambda d: d.update(version="v1.9.9"),
    "the team was told of another version",
)
after_health.written(
    "team-told-a-dead-link",
    "T0-1230.3.1",
    TEAM,
    lambda d: d.update(links=[f"{d['links'][0]}-that-is-gone"]),
    "a link that the team was told does not answer",
)

# -- T0-1230.3.3 --------------------------------------------------------------------------------

after_health.stated(
    "posts-signed-by-another",
    "T0-1230.3.3",
    [entry("technical_lead")],
    "the posts are signed by the Technical Lead",
)
after_health.written(
    "channel-without-a-post",
    "T0-1230.3.3",
    SOCIAL,
    lambda d: d["posts"].pop(),
    "a declared channel has no post",
)


@fault(
    "post-without-campaign",
    expect_fail=["T0-1230.3.3"],
    touches=["saas-stubs/pages/social", "papers/message-social.md"],
    title="the link of a post lacks its campaign tag",
    waits_for=[HEALTH],
)
def post_without_campaign(r: Rehearsal) -> None:
    bare = address(r, "/press")
    page = f"/social/{saas_stubs.CHANNELS[0]}/launch"
    verbs.page_says(r, "post-without-campaign", page, links=[bare])
    papers.change(r, SOCIAL, lambda d: d["posts"][0].update(link=bare))


@post_without_campaign.revert
def post_with_campaign(r: Rehearsal) -> None:
    verbs.restore(r, "post-without-campaign")
    papers.write(r, SOCIAL)


def _leads_elsewhere(name: str, item: str, paper: str, title: str, *waits_for: str) -> None:
    """Registers a fault: the only link of a message ends on another host than production."""

    def step(r: Rehearsal) -> None:
        papers.change(r, paper, lambda d: d.update(links=[address(r, "/press")]))

    made = fault(
        name, expect_fail=[item], touches=[f"papers/{paper}"], title=title, waits_for=waits_for
    )(step)
    made.revert(lambda r: papers.write(r, paper))


_leads_elsewhere(
    "release-leads-elsewhere",
    "T0-1230.3.5",
    PRESS,
    "a link of the release does not end on the production host",
)
_leads_elsewhere(
    "announcement-leads-elsewhere",
    "T0-1600.3.1",
    EVERYBODY,
    "a link of the announcement does not end on the production host",
    CRITERIA,
)


@fault(
    "post-shows-another-link",
    expect_fail=["T0-1230.3.3"],
    touches=["papers/message-social.md"],
    title="a post does not show the link that it is listed with",
    waits_for=[HEALTH],
)
def post_shows_another_link(r: Rehearsal) -> None:
    other = address(r, "/press?utm_campaign=launch")
    papers.change(r, SOCIAL, lambda d: d["posts"][0].update(link=other))


@post_shows_another_link.revert
def post_shows_its_link(r: Rehearsal) -> None:
    papers.write(r, SOCIAL)


after_health.written(
    "post-before-the-cutover",
    "T0-1230.3.3",
    SOCIAL,
    _post_before_the_cutover,
    "a post was published before the health checks could have passed",
)


@fault(
    "post-leads-to-staging",
    expect_fail=["T0-1230.3.3"],
    touches=["saas-stubs/pages/social", "papers/message-social.md"],
    title="the link of a post leads to another host than production",
    waits_for=[HEALTH],
)
def post_leads_to_staging(r: Rehearsal) -> None:
    channel = saas_stubs.CHANNELS[0]
    staging = address(r, "/press?utm_campaign=launch")
    verbs.page_says(r, "post-leads-to-staging", f"/social/{channel}/launch", links=[staging])
    papers.change(r, SOCIAL, lambda d: d["posts"][0].update(link=staging))


@post_leads_to_staging.revert
def post_leads_to_production(r: Rehearsal) -> None:
    verbs.restore(r, "post-leads-to-staging")
    papers.write(r, SOCIAL)


# -- T0-1230.3.5 --------------------------------------------------------------------------------

made.stated(
    "neither-release-nor-agreement",
    "T0-1230.3.5",
    [],
    "nobody has signed a press release or that there is none",
)
made.stated(
    "no-press-work-by-the-wrong-role",
    "T0-1230.3.5",
    [entry("technical_lead", data={"press": "none"})],
    "only the Technical Lead has signed that there is no press work",
)
made.altered(
    "release-altered-after-approval",
    "T0-1230.3.5",
    "announcement-press.md",
    lambda d: d.update(figures={"version": 3}),
    "the press release was altered after it was approved",
)
made.reworded(
    "another-release-sent",
    "T0-1230.3.5",
    PRESS,
    ("launches", "perfects"),
    "the press got another text than the approved one",
)

made.written(
    "release-to-one-outlet",
    "T0-1230.3.5",
    PRESS,
    lambda d: d["outlets"].pop(),
    "an outlet of the plan did not get the release",
)
made.written(
    "release-before-the-cutover",
    "T0-1230.3.5",
    PRESS,
    lambda d: d.update(sent_at=d["sent_at"] - timedelta(hours=1)),
    "the press got the release before the cutover",
)
made.stated(
    "no-press-work-agreed-too-late",
    ["T0-1230.3.5", "T0-1600.3.5"],
    no_press(),
    "it was agreed after the launch was authorised that there is no press work",
)

# -- T0-1600.1.5 --------------------------------------------------------------------------------

after_assessment = Stating(__name__, ASSESSED)
after_assessment.written(
    "objective-left-out",
    "T0-1600.1.5",
    EVALUATION,
    lambda d: d["results"].pop(),
    "an objective of the business case was not judged",
)
after_assessment.written(
    "objective-with-another-figure",
    "T0-1600.1.5",
    EVALUATION,
    lambda d: d["results"][1].update(value=91.0),
    "an objective was judged by another figure than the measured one",
)


@fault(
    "objective-called-met",
    expect_fail=["T0-1600.1.5"],
    touches=[f"papers/{KPIS}", f"papers/{EVALUATION}"],
    title="an objective is called met though its measure was missed",
    waits_for=[ASSESSED],
)
def objective_called_met(r: Rehearsal) -> None:
    papers.change(r, KPIS, _payments_missed)
    papers.change(r, EVALUATION, lambda d: d["results"][2].update(result="met"))


@objective_called_met.revert
def objective_on_course(r: Rehearsal) -> None:
    papers.write(r, KPIS, EVALUATION)


after_assessment.written(
    "objective-judged-twice",
    "T0-1600.1.5",
    EVALUATION,
    lambda d: d["results"].append(dict(d["results"][0])),
    "an objective was judged twice",
)
after_assessment.written(
    "objective-without-reason",
    "T0-1600.1.5",
    EVALUATION,
    lambda d: d["results"][0].update(reason=" "),
    "nobody says why an objective stands as it does",
)
after_assessment.altered(
    "another-business-case",
    "T0-1600.1.5",
    "business-case.md",
    lambda d: d["objectives"][0].update(text="something easier"),
    "the objectives are judged by another business case than the approved one",
)
after_assessment.stated(
    "objectives-signed-by-another",
    "T0-1600.1.5",
    [entry("technical_lead")],
    "the evaluation of the objectives is signed by the Technical Lead",
)
after_assessment.written(
    "objectives-judged-too-early",
    "T0-1600.1.5",
    EVALUATION,
    lambda d: d.update(evaluated_at=d["evaluated_at"].replace(hour=21)),
    "the objectives were judged before the measures of success were assessed",
)

# -- T0-1600.3.1 --------------------------------------------------------------------------------

after_criteria = Stating(__name__, CRITERIA)
after_criteria.written(
    "success-in-spite-of-errors",
    "T0-1600.3.1",
    KPIS,
    _error_rate_missed,
    "the launch was called a success though its error rate missed the limit",
)
after_criteria.written(
    "wrong-uptime-announced",
    "T0-1600.3.1",
    EVERYBODY,
    lambda d: d["figures"][0].update(value=99.999),
    "another uptime was announced than measured",
)
after_criteria.written(
    "another-version-announced",
    "T0-1600.3.1",
    EVERYBODY,
    lambda d: d.update(version="v1.9.9"),
    "another version was announced",
)
after_criteria.written(
    "announced-before-the-assessment",
    "T0-1600.3.1",
    EVERYBODY,
    lambda d: d.update(sent_at=d["sent_at"] - timedelta(hours=2)),
    "the outcome was announced before the measures of success were assessed",
)
after_criteria.stated(
    "announcement-signed-long-ago",
    "T0-1600.3.1",
    [entry("product_manager", made_ago_s=2 * DAY_S)],
    "the statement about the announced outcome has expired",
)

# -- T0-1600.3.2 --------------------------------------------------------------------------------

after_review = Stating(__name__, REVIEWED)
after_review.written(
    "stakeholder-not-told",
    "T0-1600.3.2",
    STAKEHOLDERS,
    lambda d: d["to"].remove("sanjay"),
    "a stakeholder did not get the update",
)
after_review.written(
    "update-without-figures",
    "T0-1600.3.2",
    STAKEHOLDERS,
    lambda d: d.update(figures=[]),
    "the update lacks the table of the measures of success",
)


after_review.written(
    "update-without-a-risk",
    "T0-1600.3.2",
    STAKEHOLDERS,
    lambda d: d["open_risks"].pop(),
    "the update leaves a high risk out",
)
after_review.written(
    "update-without-status",
    "T0-1600.3.2",
    STAKEHOLDERS,
    lambda d: d.update(outcome=""),
    "the update lacks the status",
)
after_review.written(
    "update-without-checkpoint",
    "T0-1600.3.2",
    STAKEHOLDERS,
    lambda d: d.pop("next_checkpoint"),
    "the update names no next checkpoint",
)
after_review.written(
    "update-of-the-day-before",
    "T0-1600.3.2",
    STAKEHOLDERS,
    lambda d: d.update(sent_at=d["sent_at"] - timedelta(days=2)),
    "the update was sent days ago",
)
after_review.stated(
    "update-not-signed",
    "T0-1600.3.2",
    [],
    "nobody has signed that stakeholders got the update",
)


@fault(
    "update-bounced",
    expect_fail=["T0-1600.3.2"],
    touches=["messages/elena", "papers/message-stakeholders.md"],
    title="the update to a stakeholder bounced",
    waits_for=[REVIEWED],
)
def update_bounced(r: Rehearsal) -> None:
    r.override("messages", elena={"mail_bounces": True})
    try:
        papers.mail_again(r)
    finally:
        r.clear_override("messages", "elena")


@update_bounced.revert
def update_arrives(r: Rehearsal) -> None:
    papers.mail_again(r)


# -- T0-1600.3.3 --------------------------------------------------------------------------------

made.written(
    "another-on-call-told",
    "T0-1600.3.3",
    STAND_DOWN,
    lambda d: d.update(on_call="noor"),
    "everybody was given another on-call person than the rota's",
)
made.written(
    "result-not-told",
    "T0-1600.3.3",
    STAND_DOWN,
    lambda d: d.update(outcome=""),
    "everybody was told to stand down without the result",
)
made.written(
    "another-result-told",
    "T0-1600.3.3",
    STAND_DOWN,
    lambda d: d.update(outcome="partial success"),
    "the team was told another result than was announced",
)
made.written(
    "watch-not-told",
    "T0-1600.3.3",
    STAND_DOWN,
    lambda d: d.update(watch=""),
    "nobody was told whether to stand down or to keep watch",
)


def _this_morning(d: dict[str, Any]) -> None:
    now = datetime.now(ZoneInfo(calendar.ZONE))  # by day and by night within the last hours
    d.update(sent_at=now.replace(hour=min(now.hour, 9), minute=0, second=0, microsecond=0))


made.written(
    "told-before-16",
    "T0-1600.3.3",
    STAND_DOWN,
    _this_morning,
    "everybody was told the result in the morning",
)
made.stated("stand-down-not-signed", "T0-1600.3.3", [], "nobody signed that all were told")
made.written(
    "support-not-told",
    "T0-1600.3.3",
    STAND_DOWN,
    _without_support,
    "the support team was not told of the result",
)


@fault(
    "review-not-in-the-calendar",
    expect_fail=["T0-1600.3.3"],
    touches=["messages/calendar"],
    title="the calendar has no review on the day after the launch",
)
def review_not_in_the_calendar(r: Rehearsal) -> None:
    r.override("messages", **{"calendar-no-review": {"events": {"review-1": None}}})


@review_not_in_the_calendar.revert
def review_in_the_calendar(r: Rehearsal) -> None:
    r.clear_override("messages", "calendar-no-review")


# -- T0-1600.3.4 --------------------------------------------------------------------------------

made.written(
    "figures-not-shared-with-support",
    "T0-1600.3.4",
    CUSTOMERS,
    _without_support,
    "support did not get the customer figures",
)
made.written(
    "four-customer-figures",
    "T0-1600.3.4",
    CUSTOMERS,
    lambda d: d["figures"].pop(),
    "only four customer figures were shared",
)
made.stated("figures-not-signed", "T0-1600.3.4", [], "nobody signed that figures were shared")
made.written(
    "another-satisfaction-shared",
    "T0-1600.3.4",
    CUSTOMERS,
    lambda d: d["figures"][3].update(value=4.9),
    "a customer figure was shared that is not the measured one",
)
made.written(
    "figure-without-sample",
    "T0-1600.3.4",
    CUSTOMERS,
    lambda d: d["figures"][2].update(sample=0),
    "a customer figure was shared without its sample size",
)
made.reworded(
    "customer-named-in-the-figures",
    "T0-1600.3.4",
    CUSTOMERS,
    ("first hours.", "first hours; grumpy.client@example.com did not."),
    "the shared figures name a customer's mail address",
)

# -- T0-1600.3.5 --------------------------------------------------------------------------------


@fault(
    "no-press-work-but-an-enquiry",
    expect_fail=["T0-1600.3.5"],
    touches=["statements/T0-1230.3.5"],
    title="it was agreed that there is no press work, but an enquiry is on record",
)
def no_press_work_but_an_enquiry(r: Rehearsal) -> None:
    scripts.spoil(r, "T0-1230.3.5", no_press(made_ago_s=2 * DAY_S))


@no_press_work_but_an_enquiry.revert
def press_work(r: Rehearsal) -> None:
    scripts.fix(r, "T0-1230.3.5")


made.written(
    "no-word-on-enquiries",
    "T0-1600.3.5",
    LOG,
    lambda d: d.update(enquiries=[]),
    "the log has neither an enquiry nor a word that there was none",
)
made.written(
    "enquiry-answered-by-a-stranger",
    "T0-1600.3.5",
    LOG,
    lambda d: d["enquiries"][0].update(answered_by="wanda"),
    "somebody who is not on the roster answered the press",
)
made.stated("media-log-not-signed", "T0-1600.3.5", [], "nobody has signed the log of the press")
made.written(
    "outlet-without-follow-up",
    "T0-1600.3.5",
    LOG,
    lambda d: d["follow_ups"].pop(),
    "an outlet that got the release did not hear from us again",
)
made.stated(
    "no-press-work-agreed-long-ago",
    "T0-1230.3.5",
    no_press(made_ago_s=8 * DAY_S),
    "the agreement that there is no press work has expired",
)
