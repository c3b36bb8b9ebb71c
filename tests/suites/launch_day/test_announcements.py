"""Announcements of launch day and its evening, judged on the rehearsal's own papers: green as they
are, and broken by each fault that changes one."""

from __future__ import annotations

import pytest

from golive.deliverables import NOBODY_WROTE
from golive.items import read_cards
from rehearsal import faults
from tests.suites.launch_day.announced import PROCEDURE, SUITES, World
from tests.unwritten import resting_on_unwritten

GREEN = ("T0-1230.3.5", "T0-1600.3.3", "T0-1600.3.4", "T0-1600.3.5")


RESTING = {
    "T0-1230.3.1": "T0-1230.2.5",
    "T0-1230.3.3": "T0-1230.2.5",
    "T0-1600.1.5": "T0-1600.1.2",
    "T0-1600.3.1": "T0-1600.1.1",
    "T0-1600.3.2": "T0-1600.1.4",
}
"""The items that are red until somebody writes what they rest on."""


@pytest.mark.parametrize("ident", [*GREEN, *RESTING])
def test_the_rehearsal_tells_it_right(world: World, ident: str) -> None:
    assert world.judge(ident) == ""


@pytest.mark.parametrize("ident", RESTING)
def test_nothing_but_what_nobody_wrote_is_red(world: World, ident: str) -> None:
    world.written = False
    assert world.judge(ident) == NOBODY_WROTE


BROKEN = {
    "team-told-before-the-cutover": "minutes from the cutover",
    "member-not-told": "people on the roster who were not told",
    "team-told-another-text": "text of message-team.md",
    "team-not-told-the-time": "text of message-team.md",
    "team-told-of-another-version": "version in message-team.md",
    "team-told-a-dead-link": "links that do not answer",
    "channel-without-a-post": "channels with a post",
    "post-shows-another-link": "posts without the link listed",
    "post-without-campaign": "links that do not end in production",
    "post-before-the-cutover": "minutes from the cutover",
    "post-leads-to-staging": "links that do not end in production",
    "release-altered-after-approval": "digest of announcement-press.md",
    "another-release-sent": "text of message-press.md",
    "release-to-one-outlet": "outlets that got it",
    "release-before-the-cutover": "minutes from the cutover",
    "release-leads-elsewhere": "links that do not end in production",
    "another-business-case": "business case judged by",
    "objective-left-out": "objectives judged",
    "objective-called-met": "objectives called met though missed",
    "objective-judged-twice": "objectives judged twice",
    "objective-with-another-figure": "figures other than measured",
    "objectives-judged-too-early": "when it was evaluated",
    "success-in-spite-of-errors": "criteria that failed though it was called a success",
    "wrong-uptime-announced": "figures other than measured",
    "another-version-announced": "the version announced",
    "announcement-leads-elsewhere": "links that do not end in production",
    "announced-before-the-assessment": "when it was announced",
    "stakeholder-not-told": "stakeholders not told",
    "update-without-a-risk": "high risks not told",
    "update-without-status": "status",
    "update-without-checkpoint": "next checkpoint",
    "update-of-the-day-before": "hours since it was sent",
    "update-without-figures": "measures in the table",
    "another-on-call-told": "who is called first on ",
    "support-not-told": "people on the roster not told",
    "result-not-told": "result",
    "another-result-told": "result",
    "watch-not-told": "stand-down or watch",
    "told-before-16": "hour at which it was sent",
    "figures-not-shared-with-support": "support not told",
    "four-customer-figures": "figures",
    "no-word-on-enquiries": "enquiries on record",
    "enquiry-answered-by-a-stranger": "enquiries that nobody on the roster answered",
    "review-not-in-the-calendar": "review told",
    "another-satisfaction-shared": "figures other than measured",
    "figure-without-sample": "figures without window or sample",
    "customer-named-in-the-figures": "personal data",
    "outlet-without-follow-up": "outlets without a follow-up",
}


STATED = {
    "team-announcement-not-signed",
    "posts-signed-by-another",
    "neither-release-nor-agreement",
    "objectives-signed-by-another",
    "announcement-signed-long-ago",
    "update-not-signed",
    "stand-down-not-signed",
    "figures-not-signed",
    "media-log-not-signed",
}
"""Faults of statements alone: the statements' own tests judge those."""


ELSEWHERE = {
    "no-press-work-by-the-wrong-role",
    "no-press-work-but-an-enquiry",
    "no-press-work-agreed-long-ago",
    "update-bounced",
    "no-press-work-agreed-too-late",
    "objective-without-reason",
}
"""Faults that are tried by hand below."""


@pytest.mark.parametrize("name", BROKEN)
def test_each_fault_breaks_its_items_and_heals(world: World, name: str) -> None:
    fault = faults.get(name)
    fault.breaks(world.r)
    try:
        for ident in fault.expect_fail:
            assert world.judge(ident).startswith(BROKEN[name])
            world.written = False  # nothing hides a fault
            assert world.judge(ident).startswith(BROKEN[name])
        world.written = True
        others = {*GREEN, *RESTING} - set(fault.all_red)
        assert {i: s for i in others if (s := world.judge(i))} == {}
    finally:
        assert fault.restores is not None
        fault.restores(world.r)
    assert [world.judge(i) for i in fault.expect_fail] == [""] * len(fault.expect_fail)


def test_every_fault_of_telling_is_tried() -> None:
    known = {**faults.all_faults(), **faults.waiting()}
    mine = {name for name, fault in known.items() if fault.area == "announcements"}
    assert mine == {*BROKEN, *STATED, *ELSEWHERE}


def test_a_fault_waits_only_for_what_keeps_its_items_red() -> None:
    written = set(read_cards(SUITES))
    red = {i.id for i in PROCEDURE if i.id not in written} | resting_on_unwritten(SUITES)
    for name, fault in faults.waiting().items():
        assert set(fault.waits_for) <= red, f"{name} waits for nothing: take waits_for away"
        if fault.area == "announcements":
            assert {RESTING.get(i) for i in fault.expect_fail} == set(fault.waits_for)
