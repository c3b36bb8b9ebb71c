"""Deliverables: made from the newest verdicts of this environment, true, signed, never replaced
once they were tampered with."""

from __future__ import annotations

import dataclasses
import itertools
import json
import subprocess
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from golive import ledger, readiness
from golive.claims import equal
from golive.context import Context
from golive.deliverables import (
    NOBODY_LOOKED,
    NOBODY_WROTE,
    NOT_GREEN,
    NOT_JUDGED,
    Basis,
    Deliverable,
    Deliverables,
    Write,
    overview_of,
    tally_of,
    with_tables,
)
from golive.environments import Outline, People
from golive.launch import Launch, Limits
from golive.masking import Mask
from golive.people import statements
from golive.people.signatures import sign, signature_of
from golive.procedure import Item, Procedure
from golive.provenance import Origin
from golive.reports.documents import (
    NOT_MEASURED,
    Content,
    Figure,
    Table,
    read_document,
    write_document,
)
from golive.verdicts import Pending, ProbeError, Verdict
from tests.conftest import toml

IDENTIFIER = "7401234567890123456"


def line(ident: str, order: int = 0) -> Item:
    return Item(
        id=ident,
        title=f"Title of {ident}",
        owner="Database Administrator",
        block="day_minus_2",
        block_title="Two days before",
        phase="t_minus_1_week",
        chapter="",
        task="Task",
        kind="task",
        time="1 hour",
        minutes=60,
        area="db",
        way="probe",
        effect="read",
        due_day=-2,
        order=order,
    )


class World:
    """A reports folder with runs, and one deliverable, "R", that rests on A and B."""

    def __init__(self, folder: Path, roster: Path, keys: Path) -> None:
        self.reports = folder / "reports"
        self.keys = keys
        self.waived_until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
        self.count = 0
        items = {i: line(i, n) for n, i in enumerate(("A", "B", "R", "T.1", "T.2", "T.D", "S"))}
        items["S"] = dataclasses.replace(items["S"], way="attested")
        checks = [
            f'@item("{i}")\ndef test_{n}(): pass\n' for n, i in enumerate(items) if i != "T.2"
        ]
        (folder / "suites").mkdir()
        (folder / "suites" / "test_items.py").write_text("\n".join(checks))
        launch = Launch(
            folder,
            date(2026, 12, 7),
            "v2.0.0",
            "v1.9.0",
            Limits({}, folder),
            second_signers=("finance",),
            validities=(("default", timedelta(days=7)),),
            freshnesses=(
                ("probe", timedelta(hours=24)),
                ("attested", timedelta(hours=24)),
                ("B", timedelta(hours=48)),
            ),
        )
        people = People(
            roster=str(roster), papers="papers", keys=str(keys), documents=str(folder / "documents")
        )
        self.context = Context(
            folder,
            self.reports,
            Outline(name="rehearsal", kind="rehearsal", title="", people=people),
            launch,
            Procedure(folder, items),
            known_origin=Origin("golive", "", ledger.Suite("", None), dict.fromkeys(items, "own")),
        )
        self.mask = Mask()

    @property
    def deliverables(self) -> Deliverables:
        """As a new session has them."""
        return Deliverables(self.context.reloaded(), "f", self.mask)

    def run(
        self,
        *verdicts: tuple[str, Verdict],
        environment: str = "rehearsal",
        p95_ms: float = 3.0,
        age: timedelta = timedelta(),
        candidate: str = "v2.0.0",
    ) -> None:
        self.count += 1
        at = datetime.now(UTC) - age
        head = ledger.Head(
            id=f"{self.count:04}Z-{environment}-00",
            environment=ledger.EnvironmentRef(environment, "rehearsal", "", "f"),
            candidate=candidate,
            launch_date=date(2026, 12, 7),
            today=date(2026, 11, 23),
            who="",
            host="",
            started_at=at,
            suite=ledger.Suite("", None),
            packages={},
            windows={},
            unwritten=[],
            engine="golive",
            selected=[
                ledger.Line(
                    id=i,
                    title=f"Title of {i}",
                    owner="Database Administrator",
                    block="",
                    block_title="",
                    phase="",
                    task="",
                    area="",
                    way="",
                    effect="",
                    order=0,
                )
                for i, _ in verdicts
            ],
        )
        book = ledger.Ledger(self.reports, head, Mask())
        value = {"p95_ms": p95_ms, "system_identifier": IDENTIFIER}
        book.add_facts(
            ledger.Gathered(probe="query_times", observed_at=at, duration_s=0.1, value=value)
        )
        for ident, verdict in verdicts:
            claims = [ledger.Claim("p95", f"{p95_ms} ms", "at most 50 ms", True)]
            book.add_verdict(
                ledger.ItemVerdict(
                    id=ident,
                    verdict=verdict,
                    started_at=at,
                    duration_s=0.1,
                    claims=claims,
                    facts=["query_times"],
                    check="own",
                )
            )
        book.close(0)

    def of(
        self,
        *rests_on: str,
        write: Write | None = None,
        signers: tuple[str, ...] | None = None,
    ) -> Deliverable:
        return self.deliverables.of(
            "R",
            "a-report",
            rests_on or ("A", "B"),
            write or content,
            signers=signers,
        )

    def broken(self, live: str = IDENTIFIER, **given: Any) -> list[str]:
        """Subjects of the claims that do not hold."""
        asked: dict[str, Any] = {"max_age_h": 24.0, "live": live} | given
        claims = self.of().claims(**asked)
        return [c.subject for c in claims if not c.holds]

    def waive(self, by: str, about: str = "") -> statements.Signed:
        """A person's part of a waiver of A."""
        context = self.context.reloaded()
        now = datetime.now(UTC).replace(microsecond=0)
        statement = statements.Statement(
            kind="waive",
            item="A",
            environment="rehearsal",
            environment_kind="rehearsal",
            title="Title of A",
            risk="A late night.",
            fingerprint=statements.fingerprint("Title of A", context.cards["A"]),
            candidate="v2.0.0",
            by=by,
            role=by,
            text="It can wait.",
            about=about,
            made_at=now,
            expires_at=self.waived_until,
        )
        return statements.keep(statement, [], self.keys / by, context.statements.folder)

    def attest(self, holds: timedelta) -> None:
        """Somebody states S."""
        context = self.context.reloaded()
        now = datetime.now(UTC).replace(microsecond=0)
        by = "database_administrator"
        statement = statements.Statement(
            kind="attest",
            item="S",
            environment="rehearsal",
            environment_kind="rehearsal",
            title="Title of S",
            fingerprint=statements.fingerprint("Title of S", context.cards["S"]),
            candidate="v2.0.0",
            by=by,
            role=by,
            text="Done.",
            made_at=now,
            expires_at=now + holds,
        )
        statements.keep(statement, [], self.keys / by, context.statements.folder)

    def sign(self, path: Path, role: str = "database_administrator") -> None:
        sign(path, self.keys / role)


def content(basis: Basis) -> Content:
    found = basis.facts.get("query_times", {})
    p95 = found.get("p95_ms", NOT_MEASURED)
    return Content(
        "One sentence.",
        [Figure(name="p95", value=p95, unit="ms", limit=50.0)],
        [Table(title="statements", columns=["statement", "p95 ms"], rows=[["a", p95]])],
        subject=IDENTIFIER,
        subject_kind="database",
    )


@pytest.fixture
def world(tmp_path: Path) -> World:
    keys = tmp_path / "keys"
    keys.mkdir()
    people = []
    for n, role in enumerate(("database_administrator", "finance")):
        key = keys / role
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        people.append(
            {
                "id": role,
                "name": "Dana Whitfield",
                "email": f"{role}@example.com",
                "phone": f"+1202555010{n}",
                "roles": [role],
                "keys": [{"public": key.with_name(f"{role}.pub").read_text()}],
            }
        )
    roster = tmp_path / "roster.toml"
    roster.write_text(toml({"schema": 1, "person": people}))
    return World(tmp_path, roster, keys)


TWO = ("database_administrator", "finance")
BOTH = (("A", Verdict.PASS), ("B", Verdict.PASS))


def test_a_document_of_green_fresh_verdicts_is_made_signed_and_sound(world: World) -> None:
    world.run(*BOTH)
    assert world.broken() == []
    (signature,) = world.of().signatures
    assert signature.valid


def test_before_anything_was_looked_at_it_is_pending(world: World) -> None:
    with pytest.raises(Pending, match="nobody has looked yet at A, B"):
        world.of()


def test_verdicts_of_another_environment_are_nobodys(world: World) -> None:
    world.run(*BOTH, environment="staging")
    with pytest.raises(Pending):
        world.of()


def test_an_item_that_nobody_has_looked_at_is_told(world: World) -> None:
    world.run(BOTH[0])
    first = next(c for c in world.of().claims(max_age_h=24) if not c.holds)
    assert repr(first) == f"{NOBODY_LOOKED}: B; required a verdict of each"


def test_an_item_that_nobody_has_written_is_told_first(world: World) -> None:
    reported = next(c for c in world.of("T").claims(max_age_h=24) if not c.holds)
    assert (reported.subject, reported.observed) == (NOBODY_WROTE, "T.2")
    document = world.of("T").document
    assert [(i.id, i.state, i.why) for i in document.open] == [
        ("T.1", "NOT LOOKED AT", "nobody has looked at it yet"),
        ("T.2", "UNWRITTEN", "nobody has written its check yet"),
        ("T.D", "NOT LOOKED AT", "nobody has looked at it yet"),
    ]


def test_a_document_with_holes_is_not_signed_by_itself(world: World) -> None:
    world.run(BOTH[0])
    assert not any(s.exists for s in world.of().signatures)


def test_what_ids_begin_with_stands_for_all_of_them_but_itself(world: World) -> None:
    made = world.deliverables.of("T.D", "t-report", ("T", "A"), content)
    assert made.basis.rests_on == ("T.1", "T.2", "A")


def test_a_red_verdict_is_told(world: World) -> None:
    world.run(("A", Verdict.FAIL), ("B", Verdict.UNKNOWN))
    assert world.broken() == ["verdicts that are not green"]


def test_what_could_not_be_looked_at_makes_it_unknown(world: World) -> None:
    world.run(("A", Verdict.PASS), ("B", Verdict.UNKNOWN))
    with pytest.raises(ProbeError, match="could not look at all that the Title of R rests on: B "):
        world.broken()


def test_what_is_still_to_come_makes_it_pending(world: World) -> None:
    world.run(("A", Verdict.PENDING), ("B", Verdict.NOT_DUE))
    with pytest.raises(Pending, match="still to come: A is PENDING; B is NOT DUE"):
        world.broken()


def test_what_two_people_waived_counts_and_is_told(world: World) -> None:
    world.run(("A", Verdict.FAIL), ("B", Verdict.PASS))
    first = world.waive("database_administrator")
    assert world.broken() == ["verdicts that are not green"]
    world.waive("finance", about=first.sha256)
    assert world.broken() == []
    (row, _) = world.of().document.verdicts
    assert row.verdict is Verdict.WAIVED
    assert world.of().document.inputs["A, exempt"] == first.id
    assert world.of().document.open == []


def test_waived_items_and_those_that_do_not_apply_are_green(world: World) -> None:
    world.run(("A", Verdict.WAIVED), ("B", Verdict.NOT_APPLICABLE))
    assert world.broken() == []


def test_verdicts_on_another_candidate_are_told(world: World) -> None:
    world.run(*BOTH, candidate="v1.9.0")
    assert world.broken() == ["verdicts on another candidate"]


def test_a_newer_verdict_counts_before_an_older_one(world: World) -> None:
    world.run(("A", Verdict.FAIL), ("B", Verdict.PASS))
    world.run(("A", Verdict.PASS))
    assert world.broken() == []


def test_verdicts_that_are_too_old_are_told(world: World) -> None:
    world.run(*BOTH, age=timedelta(hours=25))
    assert world.broken() == ["age of its verdicts"]


def test_an_item_may_have_an_age_of_its_own(world: World) -> None:
    world.run(BOTH[0])
    world.run(BOTH[1], age=timedelta(hours=25))
    assert world.broken(older={"B": 48}) == []
    assert world.broken(older={"A": 48}) == ["age of its verdicts"]
    assert world.broken(older={"B": 24}) == ["age of its verdicts"]


def test_by_default_a_verdict_counts_as_long_as_the_launch_lets_it(world: World) -> None:
    world.run(BOTH[0])
    world.run(BOTH[1], age=timedelta(hours=25))
    assert world.broken(max_age_h=None) == []
    world.run(BOTH[0], age=timedelta(hours=25))
    world.run(BOTH[1], age=timedelta(hours=49))
    assert world.broken(max_age_h=None) == ["age of its verdicts"] * 2


def test_a_document_about_what_is_red_may_rest_on_it(world: World) -> None:
    world.run(("A", Verdict.FAIL), ("B", Verdict.UNKNOWN))
    assert world.broken(red_too=True) == []


def test_what_no_check_judges_yet_makes_it_red_once_all_else_holds(world: World) -> None:
    world.run(*BOTH)
    assert world.broken(not_judged=("the recovery time",)) == [NOT_JUDGED]
    world.run(("A", Verdict.UNKNOWN))
    first = next(
        c for c in world.of().claims(max_age_h=24, not_judged=("the time",)) if not c.holds
    )
    assert repr(first) == f"{NOT_JUDGED}: the time; required a check of each"


def test_a_statement_that_has_to_be_the_last_is(world: World) -> None:
    world.run(("S", Verdict.PASS), BOTH[0])
    nobody = world.of("S", "A")
    with pytest.raises(Pending, match="S: not stated yet by Dana"):
        assert all(nobody.claims(max_age_h=24, extra=[nobody.later("S")]))
    world.attest(timedelta(days=3))
    assert world.of("S", "A").later("S")


def test_an_item_that_rests_on_others_is_as_they_are(world: World) -> None:
    def broken() -> list[str]:
        claims = world.deliverables.resting("R", ("A", "B"))
        return [f"{c.subject}: {c.observed}" for c in claims if not c.holds]

    world.run(*BOTH)
    assert broken() == []
    world.run(("A", Verdict.PENDING))
    with pytest.raises(Pending, match="all that R rests on is still to come: A PENDING"):
        broken()
    world.run(("B", Verdict.UNKNOWN))
    with pytest.raises(ProbeError, match="B could not be looked at"):
        broken()
    world.run(("B", Verdict.FAIL))
    assert broken() == [f"{NOT_GREEN}: A PENDING, B FAIL (2 verdicts)"]


def test_what_nobody_has_to_sign_is_sound_without(world: World) -> None:
    world.run(*BOTH)
    made = world.of(signers=())
    assert [c for c in made.claims(max_age_h=24) if not c.holds] == []
    assert made.signatures == ()


def test_a_statement_that_is_gone_makes_it_pending(world: World) -> None:
    world.run(("S", Verdict.PASS))
    with pytest.raises(Pending, match="S: not stated yet by Dana"):
        list(world.of("S").claims(max_age_h=24))
    world.attest(timedelta(days=3))
    assert [c for c in world.of("S").claims(max_age_h=24) if not c.holds] == []


def test_statements_have_to_hold_on_launch_day(world: World) -> None:
    world.run(*BOTH)
    world.run(("S", Verdict.PASS))
    nobody = world.of("S", write=overview_of)
    with pytest.raises(Pending, match="S: not stated yet by Dana"):
        assert all(nobody.claims(max_age_h=24, extra=[nobody.lasting()]))
    world.attest(timedelta(days=3))
    assert world.of("S", write=overview_of).lasting()
    late = world.of("S", write=overview_of).lasting(2)
    assert not late
    assert late.observed.startswith("S by database_administrator (")
    (table,) = [t for t in world.of("S", write=overview_of).document.tables if "stated" in t.title]
    assert table.rows[0][1:4] == ["S", "database_administrator", "Database Administrator"]


def test_further_claims_count_and_come_before_the_signature(world: World) -> None:
    world.run(*BOTH)
    assert world.broken(extra=[equal("a further one", 1, 2)]) == ["a further one"]
    world.of().signatures[0].path.unlink()
    key = world.keys / "database_administrator"
    key.rename(key.with_name("elsewhere"))
    claims = world.of().claims(max_age_h=24, extra=[equal("a further one", 1, 2)])
    assert "a further one" in [c.subject for c in itertools.islice(claims, 11) if not c.holds]


def test_a_document_dated_before_its_verdicts_is_told(world: World) -> None:
    world.run(*BOTH)
    path = world.of().path
    made = read_document(path)
    earlier = msgspec.structs.replace(made, made_at=made.made_at - timedelta(hours=1))
    write_document(earlier, path)
    world.sign(path)
    assert world.broken() == ["when it was made"]


def test_a_secret_on_the_page_is_told(world: World) -> None:
    world.run(*BOTH)
    path = world.of().path
    world.mask.add("One sentence.")
    assert world.broken() == [f"secrets in {path.name}"]


def test_another_database_than_the_live_one_is_told(world: World) -> None:
    world.run(*BOTH)
    assert world.broken(live="1") == ["the database it is about"]


def test_an_altered_figure_breaks_the_signature_and_stays_for_all_to_see(world: World) -> None:
    world.run(*BOTH)
    path = world.of().path
    path.write_text(path.read_text().replace('"value":3.0', '"value":1.0'))
    assert world.broken() == [
        "figures that differ from the ledger",
        f"what {path.name} shows",
        f"the signature of the Database Administrator on {path.name}",
    ]
    world.run(*BOTH)
    assert '"value":1.0' in path.read_text()


def test_a_signed_document_must_say_what_the_ledger_says(world: World) -> None:
    world.run(*BOTH)
    path = world.of().path
    path.write_text(path.read_text().replace('"value":3.0', '"value":1.0'))
    world.sign(path)
    assert "figures that differ from the ledger" in world.broken()


def test_a_page_must_show_what_its_data_says(world: World) -> None:
    world.run(*BOTH)
    path = world.of().path
    path.write_text(path.read_text().replace("One sentence.", "All is well.", 1))
    world.sign(path)
    assert world.broken() == [f"what {path.name} shows"]


def test_a_signed_document_is_made_anew_once_newer_verdicts_are_there(world: World) -> None:
    world.run(*BOTH)
    first = world.of().document
    assert world.of().document == first
    world.run(*BOTH, p95_ms=7.0)
    assert world.of().figure("p95") == 7.0


def test_each_role_signs_for_itself(world: World) -> None:
    world.run(*BOTH)
    first, second = world.of(signers=TWO).signatures
    assert first.valid
    assert second.valid
    assert second.path.name == "a-report.html.finance.sig"

    def broken() -> list[str]:
        claims = world.of(signers=TWO).claims(max_age_h=24)
        return [c.subject for c in claims if not c.holds]

    assert broken() == []
    path = world.of(signers=TWO).path
    sign(path, world.keys / "database_administrator", place=second.path)
    assert broken() == ["the signature of the Finance on a-report.html"]


def test_a_signature_of_one_role_waits_for_the_other(world: World) -> None:
    world.run(*BOTH)
    key = world.keys / "finance"
    key.rename(key.with_name("elsewhere"))
    made = world.of(signers=TWO)
    with pytest.raises(Pending, match=r"the Finance reads it and runs .* --role finance`$"):
        list(made.claims(max_age_h=24))
    first = made.signatures[0].path.read_bytes()
    assert world.of(signers=TWO).signatures[0].path.read_bytes() == first


def test_older_runs_brought_later_make_no_document_wrong(world: World) -> None:
    world.count = 5
    world.run(*BOTH)
    made = world.of().document
    world.count = 0
    world.run(("A", Verdict.FAIL))
    assert world.broken() == []
    assert world.of().document == made
    assert len(made.history) == 1


def test_a_forged_course_is_told(world: World) -> None:
    world.run(*BOTH)
    path = world.of().path
    made = read_document(path)
    forged = [msgspec.structs.replace(made.history[0], verdicts={"A": Verdict.FAIL})]
    write_document(msgspec.structs.replace(made, history=forged), path)
    world.sign(path)
    assert world.broken() == ["figures that differ from the ledger"]


def test_what_is_open_has_owner_and_day(world: World) -> None:
    world.run(("A", Verdict.FAIL), ("B", Verdict.PASS))
    (issue,) = world.of().document.open
    assert (issue.id, issue.owner, issue.due) == ("A", "Database Administrator", date(2026, 12, 5))


@pytest.mark.parametrize("write", [overview_of, tally_of])
def test_what_is_said_by_default_is_the_same_each_time(world: World, write: Write) -> None:
    world.run(*BOTH)
    claims = world.of(write=write).claims(max_age_h=24)
    assert [c for c in claims if not c.holds] == []


def test_a_signed_document_is_made_anew_once_something_else_it_rests_on_changes(
    world: World,
) -> None:
    world.run(*BOTH)
    table = Table(title="issues", columns=["severity", "open"], rows=[["high", 0.0]])
    before = world.of(write=with_tables(table, inputs={"tracker": "1"})).document
    same = world.of(write=with_tables(table, inputs={"tracker": "1"})).document
    assert same == before
    changed = Table(title="issues", columns=["severity", "open"], rows=[["high", 1.0]])
    after = world.of(write=with_tables(changed, inputs={"tracker": "2"}))
    assert after.document.tables[-1].rows == [["high", 1.0]]
    lied = world.of(write=with_tables(table, inputs={"tracker": "2"}))
    assert [c.observed for c in lied.claims(max_age_h=24) if not c.holds] == [
        "issues, high, open is 1.0, the ledger has 0.0 (36 figures)"
    ]


def test_a_figure_that_was_not_measured_is_told(world: World) -> None:
    world.run(*BOTH)
    made = world.deliverables.of(
        "R",
        "empty-report",
        ("A", "B"),
        lambda _: Content("", [Figure(name="p95", value=NOT_MEASURED)], []),
    )
    broken = [c.subject for c in made.claims(max_age_h=24) if not c.holds]
    assert broken == ["figures not measured"]


def test_without_a_key_at_hand_it_waits_for_its_owner(world: World) -> None:
    world.run(*BOTH)
    key = world.keys / "database_administrator"
    key.rename(key.with_name("elsewhere"))
    with pytest.raises(Pending, match="the Database Administrator reads it and runs `golive sign"):
        list(world.of().claims(max_age_h=24, live=IDENTIFIER))
    sign(world.of().path, key.with_name("elsewhere"))
    assert world.broken() == []


def test_a_signed_page_that_is_no_document_is_not_replaced(world: World) -> None:
    world.run(*BOTH)
    path = world.of().path
    path.write_text("something else")
    world.sign(path)
    with pytest.raises(Exception, match="no embedded data"):
        world.of()
    assert path.read_text() == "something else"
    assert signature_of(path).exists()


def test_the_baseline_is_the_first_run_on_record(world: World) -> None:
    world.run(*BOTH, p95_ms=9.0, environment="staging")
    world.run(*BOTH, p95_ms=5.0)
    world.run(*BOTH, p95_ms=3.0)
    found = readiness.oldest_facts(world.reports, "rehearsal", "query_times")
    assert found is not None
    assert found.facts["query_times"].value["p95_ms"] == 5.0
    assert readiness.oldest_facts(world.reports, "rehearsal", "other") is None


def test_the_pages_data_is_the_documents(world: World) -> None:
    world.run(*BOTH)
    page = world.of().path.read_text()
    start = page.index('id="golive-document">') + len('id="golive-document">')
    data = json.loads(page[start : page.index("</script>", start)])
    assert data["figures"] == [{"name": "p95", "value": 3.0, "unit": "ms", "limit": 50.0}]
