"""What is told on launch day and its evening, judged on the rehearsal's own papers: green as they
are, and broken by each fault that changes one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest

from golive import launch, procedure, readiness
from golive.claims import Claim, none_of
from golive.deliverables import NOBODY_WROTE
from golive.items import read_cards
from golive.papers import Papers
from golive.papers.messages import Figure, personal_data, unsaid
from golive.people import roster
from golive.probes.people import announcements, mail
from golive.probes.people.calendar import Event, LaunchCalendar
from golive.probes.traffic import pages
from golive.verdicts import Verdict
from rehearsal import faults
from rehearsal.data import release
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.saas.saas_stubs import page as saas_page
from rehearsal.parts.traffic.hosts import EDGE_HOSTS
from rehearsal.staff import calendar as launch_calendar
from rehearsal.staff import launch_tools, papers, people, saas_stubs, scripts
from tests.checks import broken
from tests.unwritten import resting_on_unwritten

SUITES = Path(__file__).parents[2] / "suites"
LAUNCH = launch.load(SUITES / "launch.toml")
PROCEDURE = procedure.load(SUITES / "procedure.toml")
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
GREEN = ("T0-1230.3.5", "T0-1600.3.3", "T0-1600.3.4", "T0-1600.3.5")
RESTING = {
    "T0-1230.3.1": "T0-1230.2.5",
    "T0-1230.3.3": "T0-1230.2.5",
    "T0-1600.1.5": "T0-1600.1.2",
    "T0-1600.3.1": "T0-1600.1.1",
    "T0-1600.3.2": "T0-1600.1.4",
}
"""The items that are red until somebody writes what they rest on."""
MAIL = "mail-of-the-day"


@pytest.fixture(scope="module")
def r(tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    r = Rehearsal(tmp_path_factory.mktemp("telling"))
    release.publish(r)
    launch_tools.install(r)
    r.remember(papers.UPDATE, {"day": str(datetime.now(UTC).date()), "id": MAIL})
    papers.write(r)
    return r


def signed(by: str, role: str, *, cause: str = "", at: datetime = NOON, **more: Any) -> Any:
    statement = SimpleNamespace(by=by, role=role, made_at=at, data={}, evidence=[], **more)
    return SimpleNamespace(statement=statement, cause=cause, valid=not cause)


class Said:
    """Stands for what people stated of an item."""

    def __init__(self, *every: Any) -> None:
        self.all = list(every)

    @property
    def valid(self) -> list[Any]:
        return [s for s in self.all if s.valid]

    counted = valid


class Resting:
    """Stands for the deliverables: others rest on what nobody has written, or it holds."""

    def __init__(self, written: bool) -> None:
        self.written = written
        self.before: Any = None

    def resting(self, _: str, wanted: tuple[str, ...], **more: Any) -> Iterator[Claim]:
        self.before = more.get("before")
        lacking = [] if self.written else wanted
        yield none_of(NOBODY_WROTE, lacking, among=len(wanted), of="items")


class World:
    """The rehearsal's papers, roster, pages, mails and calendar, with nothing running."""

    def __init__(self, r: Rehearsal) -> None:
        self.r = r
        self.written = True
        self.statements: dict[str, Said] = {}
        self.looks: list[Any] = []
        self.verdicts: dict[str, Verdict] = {}
        self.bounced: set[str] = set()
        self.inbox: list[mail.Reply] = []
        self.deliverables = Resting(written=True)
        self.env: Any = SimpleNamespace(
            edge=SimpleNamespace(hosts=list(EDGE_HOSTS)),
            people=SimpleNamespace(papers=str(people.papers(r))),
            calendar=SimpleNamespace(time_zone=launch_calendar.ZONE, review="Launch review"),
        )
        self.roster = roster.load(people.roster(r))

    def context(self) -> Any:
        def audience(name: str) -> list[str]:
            roles = LAUNCH.audiences[name]
            return [p.id for role in roles for p in self.roster.entitled(role)]

        return SimpleNamespace(
            launch=LAUNCH,
            roster=self.roster,
            reports=Path("reports"),
            environment=SimpleNamespace(name="rehearsal"),
            audience=audience,
            ids_of=lambda block: [i.id for i in PROCEDURE if i.block == block],
        )

    def calendar(self) -> LaunchCalendar:
        patches = [p for n, p in self.r.overrides("messages").items() if n.startswith("calendar")]
        state = launch_calendar.state("", Path("none"), patches)
        return LaunchCalendar(
            launch_calendar.ZONE,
            tuple(
                Event(name, e["summary"], *launch_calendar.times(e), launch_calendar.ZONE, (), "")
                for name, e in state["events"].items()
            ),
        )

    def looker(self, _: Any) -> Callable[[str], pages.Page]:
        said = saas_stubs.state(self.r.folder)

        def look(url: str) -> pages.Page:
            parts = urlsplit(url)
            status, text, _where = (
                (200, "", "") if parts.hostname in EDGE_HOSTS else saas_page(said, parts.path)
            )
            return pages.Page(url, status, url, (url,), "", text, True)

        return look

    def activity(self, _: Any, since: datetime) -> list[mail.Sent]:
        return [
            mail.Sent(f"{MAIL}.recvd-{n}", p.email, "", status, NOON)
            for n, p in enumerate(self.roster.people.values())
            for status in ["not_delivered" if p.id in self.bounced else "delivered"]
        ]

    def vouched(self, item: str) -> Said:
        if item in self.statements:
            return self.statements[item]
        if item != "T0-1230.3.5":
            return Said(signed("elena", "executive_team"))
        evidence = [
            SimpleNamespace(sha256=scripts.sha256(people.papers(self.r) / "message-press.md"))
        ]
        both = [signed("paul", "product_manager"), signed("elena", "executive_team")]
        for one in both:
            one.statement.evidence = evidence
        return Said(*both)

    def judge(self, ident: str) -> str:
        """The subject of the claim that breaks an item; empty when it is green."""
        self.deliverables = Resting(self.written)
        given = {
            "papers": Papers(people.papers(self.r)),
            "env": self.env,
            "context": self.context(),
            "limits": LAUNCH.limits,
            "deliverables": self.deliverables,
            "vouched": self.vouched(ident),
            "vouched_of": self.vouched,
            "launch_calendar": self.calendar(),
            "message_links": announcements.message_links(self.env),
            "message_deliveries": announcements.message_deliveries(self.env),
            "arrivals": announcements.arrivals(self.env),
        }
        return broken(ident, given)


@contextmanager
def paper_with(world: World, name: str, how: papers.Change) -> Iterator[None]:
    """A paper that says something else for a while."""
    path = people.papers(world.r) / name
    before = path.read_bytes()
    papers.alter(world.r, name, how)
    try:
        yield
    finally:
        path.write_bytes(before)


@pytest.fixture
def world(r: Rehearsal, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(r)
    first = datetime.now(UTC).replace(hour=20, minute=5) - timedelta(days=1)
    world.looks = [SimpleNamespace(at=first, verdicts={"T0-1230.2.5": Verdict.PASS})]
    monkeypatch.setattr(pages, "_looker", world.looker)
    monkeypatch.setattr(mail, "activity", world.activity)
    monkeypatch.setattr(mail, "replies", lambda _, since: world.inbox)
    monkeypatch.setattr(readiness, "looks", lambda *_: world.looks)
    monkeypatch.setattr(
        readiness,
        "newest",
        lambda _, wanted: {
            i: SimpleNamespace(verdict=SimpleNamespace(verdict=world.verdicts[i]))
            for i in wanted
            if i in world.verdicts
        },
    )
    return world


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
    "post-before-the-cutover": "minutes from the cutover",
    "post-leads-to-staging": "links that do not end in production",
    "release-altered-after-approval": "digest of announcement-press.md",
    "another-release-sent": "text of message-press.md",
    "objective-left-out": "objectives judged",
    "objective-with-another-figure": "figures other than measured",
    "objectives-judged-too-early": "when it was evaluated",
    "success-in-spite-of-errors": "criteria that failed though it was called a success",
    "wrong-uptime-announced": "figures other than measured",
    "stakeholder-not-told": "stakeholders not told",
    "update-without-figures": "measures in the table",
    "another-on-call-told": "who is called first on ",
    "support-not-told": "people on the roster not told",
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
}
"""Faults of statements alone: the statements' own tests judge those."""
ELSEWHERE = {
    "no-press-work-by-the-wrong-role",
    "no-press-work-but-an-enquiry",
    "no-press-work-agreed-long-ago",
    "update-bounced",
}
"""Faults that are tried by hand below."""


@pytest.mark.parametrize("name", BROKEN)
def test_each_fault_breaks_its_items_and_heals(world: World, name: str) -> None:
    fault = faults.get(name)
    fault.breaks(world.r)
    try:
        for ident in fault.all_red:
            assert world.judge(ident).startswith(BROKEN[name])
            world.written = False  # nothing hides a fault
            assert world.judge(ident).startswith(BROKEN[name])
        world.written = True
        others = {*GREEN, *RESTING} - set(fault.all_red)
        assert {i: s for i in others if (s := world.judge(i))} == {}
    finally:
        assert fault.restores is not None
        fault.restores(world.r)
    assert [world.judge(i) for i in fault.all_red] == [""] * len(fault.all_red)


def test_every_fault_of_telling_is_tried() -> None:
    known = {**faults.all_faults(), **faults.waiting()}
    mine = {name for name, fault in known.items() if fault.area == "telling"}
    assert mine == {*BROKEN, *STATED, *ELSEWHERE}


def test_a_fault_waits_only_for_what_keeps_its_items_red() -> None:
    written = set(read_cards(SUITES))
    red = {i.id for i in PROCEDURE if i.id not in written} | resting_on_unwritten(SUITES)
    for name, fault in faults.waiting().items():
        assert set(fault.waits_for) <= red, f"{name} waits for nothing: take waits_for away"
        if fault.area == "telling":
            assert {RESTING.get(i) for i in fault.all_red} == set(fault.waits_for)


# -- after the health checks --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ident", "minutes", "broken"),
    [
        ("T0-1230.3.1", None, "health checks passed after the cutover"),
        ("T0-1230.3.1", 16, "minutes from the health checks"),
        ("T0-1230.3.1", 0, ""),
        ("T0-1230.3.1", -1, "health checks passed after the cutover"),
        ("T0-1230.3.3", None, "health checks passed after the cutover"),
        ("T0-1230.3.3", 21, "minutes from the health checks"),
        ("T0-1230.3.3", 19, ""),
    ],
)
def test_nothing_is_told_before_the_health_checks_have_passed(
    world: World, ident: str, minutes: int | None, broken: str
) -> None:
    cutover = datetime.now(UTC).replace(hour=20, minute=0, second=0, microsecond=0)
    at = cutover - timedelta(days=1, minutes=-(minutes or 0))
    verdict = Verdict.FAIL if minutes is None else Verdict.PASS
    world.looks = [SimpleNamespace(at=at, verdicts={"T0-1230.2.5": verdict})]
    assert world.judge(ident) == broken


def test_the_team_is_told_within_30_minutes(world: World) -> None:
    late = {"sent_at": datetime.now(UTC).replace(hour=20, minute=40) - timedelta(days=1)}
    with paper_with(world, "message-team.md", lambda d: d.update(late)):
        assert world.judge("T0-1230.3.1") == "minutes from the health checks"


def test_the_evaluation_is_signed_after_the_assessment(world: World) -> None:
    assert world.judge("T0-1600.1.5") == ""
    assert world.deliverables.before is not None


# -- statements, mails and what is on record ----------------------------------------------------


def agreed(*roles: str, cause: str = "", at: datetime | None = None) -> Said:
    said = [signed(f"of {x}", x, cause=cause, at=at or NOON - timedelta(days=1)) for x in roles]
    for one in said:
        one.statement.data = {"press": "none"}
    return Said(*said)


BOTH = ("product_manager", "executive_team")


@pytest.mark.parametrize(
    ("said", "broken"),
    [
        (agreed(*BOTH), ""),
        (agreed("product_manager"), "roles that agreed to do no press work"),
        (agreed("technical_lead", cause="it may not"), "agreements that do not hold"),
        (agreed(*BOTH, cause="it expired"), "agreements that do not hold"),
        (agreed(*BOTH, at=NOON + timedelta(minutes=1)), "agreements after that"),
    ],
)
def test_no_press_work_is_agreed_in_time_by_those_who_may(
    world: World, said: Said, broken: str
) -> None:
    world.statements["T0-1230.3.5"] = said
    assert world.judge("T0-1230.3.5") == broken


def test_no_press_work_needs_an_authorised_launch_to_compare_with(world: World) -> None:
    world.statements = {"T0-1230.3.5": agreed(*BOTH), "D-1.2.1": Said()}
    assert world.judge("T0-1230.3.5") == "signatures that authorise the launch"


def test_whoever_signs_the_release_signs_the_one_that_was_sent(world: World) -> None:
    world.statements["T0-1230.3.5"] = Said(signed("paul", "product_manager"))
    assert world.judge("T0-1230.3.5") == "people who signed another release"


def reply(**changes: Any) -> mail.Reply:
    known = {
        "received_at": NOON - timedelta(days=1, hours=-9),
        "sender": "editor@example.com",
        "to": papers.PRESS_ADDRESS,
        "subject": "?",
        "text": "?",
    }
    return mail.Reply(**{**known, **changes})


@pytest.mark.parametrize(
    ("came", "broken"),
    [
        ([reply()], ""),  # at 21:00, as the log has it
        ([reply(received_at=NOON)], "enquiries not on record"),
        ([reply(), reply()], "enquiries not on record"),
        ([reply(received_at=NOON, to="reply@example.com")], ""),
    ],
)
def test_every_mail_to_the_press_address_is_on_record(
    world: World, came: list[mail.Reply], broken: str
) -> None:
    world.inbox = came
    assert world.judge("T0-1600.3.5") == broken


@pytest.mark.parametrize(
    ("said", "came", "enquiries", "broken"),
    [
        (agreed(*BOTH), [], False, ""),
        (agreed(*BOTH), [], True, "enquiries though there is no press work"),
        (agreed(*BOTH), [reply()], False, "enquiries though there is no press work"),
        (agreed(*BOTH, cause="it expired"), [], False, "agreements that do not hold"),
        (agreed("executive_team"), [], False, "roles that agreed to do no press work"),
    ],
)
def test_without_press_work_nobody_asks(
    world: World, said: Said, came: list[mail.Reply], enquiries: bool, broken: str
) -> None:
    world.inbox, world.statements["T0-1230.3.5"] = came, said
    empty = paper_with(world, "media-log.md", lambda d: d.update(enquiries=[]))
    with nullcontext() if enquiries else empty:
        assert world.judge("T0-1600.3.5") == broken


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        (lambda d: d.update(enquiries=[]), "enquiries on record"),
        (lambda d: d.update(enquiries=[], none_received=True), ""),
        (
            lambda d: d["enquiries"][0].update(answered_by="somebody"),
            "enquiries that nobody on the roster answered",
        ),
        (
            lambda d: d["enquiries"][0].update(
                received_at=d["enquiries"][0]["received_at"].replace(hour=19)
            ),
            "enquiries from before the cutover",
        ),
        (
            lambda d: d["follow_ups"][0].update(
                sent_at=d["follow_ups"][0]["sent_at"].replace(hour=20)
            ),
            "outlets without a follow-up",
        ),
    ],
)
def test_the_log_of_the_press_is_whole(world: World, change: Any, broken: str) -> None:
    with paper_with(world, "media-log.md", change):
        assert world.judge("T0-1600.3.5") == broken


def test_a_bounced_update_is_told(world: World) -> None:
    world.bounced = {"elena"}
    assert world.judge("T0-1600.3.2") == "mails not delivered"


def test_a_mail_to_the_team_that_bounced_is_told(world: World) -> None:
    with paper_with(world, "message-team.md", lambda d: d.update(mail_id=MAIL)):
        assert world.judge("T0-1230.3.1") == ""
        world.bounced = {"mina"}
        assert world.judge("T0-1230.3.1") == "mails not delivered"


def test_a_red_technical_criterion_on_record_is_no_success(world: World) -> None:
    world.verdicts = {"KT.2": Verdict.FAIL}
    assert world.judge("T0-1600.3.1") == "criteria that failed though it was called a success"
    with paper_with(world, EVERYBODY, lambda d: d.update(outcome="partial success")):
        assert world.judge("T0-1600.3.1") == ""


EVERYBODY, STAKEHOLDERS = "message-everybody.md", "message-stakeholders.md"
STAND_DOWN, CUSTOMERS = "message-stand-down.md", "message-customer-figures.md"
LONG_AGO = NOON - timedelta(days=2)


@pytest.mark.parametrize(
    ("ident", "paper", "change", "broken"),
    [
        ("T0-1230.3.1", "message-team.md", {"version": "v1.9.0"}, "version in message-team.md"),
        ("T0-1230.3.1", "message-team.md", {"cutover_at": None}, "time of the cutover"),
        (
            "T0-1230.3.1",
            "message-team.md",
            {"approved_text": "x.md"},
            "approved text of message-team.md",
        ),
        ("T0-1230.3.3", "message-social.md", {"posts": []}, "channels with a post"),
        ("T0-1230.3.5", "message-press.md", {"outlets": []}, "outlets"),
        ("T0-1230.3.5", "message-press.md", {"outlets": ["one"]}, "outlets that got it"),
        ("T0-1230.3.5", "message-press.md", {"links": []}, "links that do not end in production"),
        ("T0-1230.3.5", "message-press.md", {"sent_at": LONG_AGO}, "minutes from the cutover"),
        ("T0-1600.3.1", EVERYBODY, {"outcome": ""}, "outcome"),
        ("T0-1600.3.1", EVERYBODY, {"figures": []}, "figures other than measured"),
        (
            "T0-1600.3.1",
            EVERYBODY,
            {"links": ["http://127.0.0.1/press"]},
            "links that do not end in production",
        ),
        ("T0-1600.3.1", EVERYBODY, {"sent_at": LONG_AGO}, "hours since it was sent"),
        ("T0-1600.3.1", EVERYBODY, {"version": "v1.9.0"}, "the version announced"),
        ("T0-1600.3.2", STAKEHOLDERS, {"outcome": ""}, "status"),
        ("T0-1600.3.2", STAKEHOLDERS, {"open_risks": []}, "high risks not told"),
        (
            "T0-1600.3.2",
            STAKEHOLDERS,
            {"open_risks": ["R-02", "R-04", "R-99"]},
            "risks that the register does not have",
        ),
        ("T0-1600.3.2", STAKEHOLDERS, {"next_checkpoint": None}, "next checkpoint"),
        ("T0-1600.3.2", STAKEHOLDERS, {"next_checkpoint": LONG_AGO}, "next checkpoint"),
        (
            "T0-1600.3.2",
            STAKEHOLDERS,
            {"sent_at": NOON + timedelta(days=1)},
            "hours since it was sent",
        ),
        ("T0-1600.3.3", STAND_DOWN, {"watch": ""}, "stand-down or watch"),
        ("T0-1600.3.3", STAND_DOWN, {"outcome": ""}, "result"),
        ("T0-1600.3.3", STAND_DOWN, {"review_at": None}, "review told"),
        ("T0-1600.3.4", CUSTOMERS, {"to": ["elena", "marcus"]}, "support not told"),
        ("T0-1600.3.4", CUSTOMERS, {"figures": []}, "figures"),
    ],
)
def test_each_clause_breaks_by_itself(
    world: World, ident: str, paper: str, change: dict[str, Any], broken: str
) -> None:
    with paper_with(world, paper, lambda d: d.update(change)):
        assert world.judge(ident) == broken


@pytest.mark.parametrize(
    ("ident", "paper", "words", "broken"),
    [
        ("T0-1230.3.1", "announcement-team.md", ("omar", "nobody"), "what the text does not name"),
        ("T0-1230.3.1", "announcement-team.md", ("12:30", "noon"), "what the text does not name"),
        ("T0-1600.3.1", EVERYBODY, ("99.97", "99.99"), "figures not in the text"),
        ("T0-1600.3.1", EVERYBODY, ("v2.0.0", "it"), "what the text does not name"),
        ("T0-1600.3.4", CUSTOMERS, ("hours.", "hours, as Grumpy Client said."), "personal data"),
        ("T0-1600.3.4", CUSTOMERS, ("hours.", "hours: +1 202 555 0100."), "personal data"),
    ],
)
def test_the_texts_say_what_they_have_to(
    world: World, ident: str, paper: str, words: tuple[str, str], broken: str
) -> None:
    papers.reword(world.r, paper, *words)
    if paper.startswith("announcement"):  # approved and sent like that
        papers.write(world.r, *papers.quoting(paper))
    try:
        assert world.judge(ident) == broken
    finally:
        papers.write(world.r, paper)


def test_the_evening_begins_at_16(world: World) -> None:
    noon = datetime.now(UTC).replace(hour=12)  # 07:00 or 08:00 in New York
    at = noon if noon <= datetime.now(UTC) else noon - timedelta(days=1)
    with paper_with(world, STAND_DOWN, lambda d: d.update(sent_at=at)):
        assert world.judge("T0-1600.3.3") == "hour at which it was sent"


# -- words and figures --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "measured", "right"),
    [
        (84.3, 84.3, True),
        (84, 84.3, True),
        (84.0, 84.3, True),
        (84.3, 84.34, True),
        (84.3, 84.26, True),
        (84.3, 84.2, False),
        (85, 84.3, False),
        (100, 99.6, True),
        (100, 99.4, False),
        (0.02, 0.0249, True),
        (0.02, 0.03, False),
    ],
)
def test_a_figure_is_the_measured_one_to_the_digits_it_shows(
    shown: float, measured: float, right: bool
) -> None:
    figure = Figure(metric="KB.2", value=shown, window_hours=1, sample=1)
    assert figure.is_rounded(measured) is right


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("84.3 % of 512 since 2026-12-07T12:30:00Z", []),
        ("# The Heading\nAll is well.", []),
        ("Thanks to Tess Lindqvist.", []),
        ("Thanks to Jane Q. Doe.", ["name in line 1"]),
        ("a\nwrite to jane.doe@example.com", ["mail address in line 2"]),
        ("call +1 (202) 555-0100 now", ["phone number in line 1"]),
    ],
)
def test_personal_data_is_told_by_its_line_and_not_shown(text: str, found: list[str]) -> None:
    assert personal_data(text, {"Tess Lindqvist"}) == found


def test_words_are_looked_for_whole() -> None:
    assert unsaid("v2.0.0 is up 99.97 %, see 12.", ["v2.0.0", "99.97", "12"]) == []
    assert unsaid("v2.0.0.1 at 199.97", ["v2.0.0", "99.97", "v2"]) == ["v2.0.0", "99.97", "v2"]
