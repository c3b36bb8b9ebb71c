"""Day -2: review, status report, risk update and package, on literal verdicts and papers."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from golive.deliverables import documents_of
from golive.papers.kinds import Risk
from golive.people.signatures import sign
from golive.reports.documents import read_document, write_document
from golive.verdicts import Verdict
from tests.suites.derived import PROCEDURE, World, register, risk


def test_the_review_and_the_report_go_through_every_item_of_days_14_to_3(world: World) -> None:
    first = {i.id for i in PROCEDURE if i.id.startswith("D-") and -14 <= i.due_day <= -3}
    assert set(world.rests_on("D-2.1.1")) == set(world.rests_on("D-2.D.2")) == first
    assert len(first) == 213


def test_the_status_report_tells_how_things_stand_whatever_they_are_like(world: World) -> None:
    found = dict.fromkeys(world.rests_on("D-2.D.2"), Verdict.PASS)
    found |= {"D-14.1.1": Verdict.FAIL, "D-14.1.2": Verdict.UNKNOWN}
    del found["D-14.1.3"]
    world.run(found)
    world.run({"D-14.1.4": Verdict.PASS}, age=timedelta(days=60))
    del world.context.cards["D-14.1.5"]
    assert world.broken("D-2.D.2") == ""
    document = read_document(documents_of(world.context)["D-2.D.2"])
    assert [(i.id, i.state, i.owner) for i in document.open] == [
        ("D-14.1.1", "FAIL", "DevOps Lead"),
        ("D-14.1.2", "UNKNOWN", "DevOps Lead"),
        ("D-14.1.3", "NOT LOOKED AT", "DevOps Lead"),
        ("D-14.1.4", "STALE", "DevOps Lead"),
        ("D-14.1.5", "UNWRITTEN", "DevOps Lead"),
    ]
    assert document.open[0].plan == "Fix it."
    assert document.open[2].plan == "Run `pytest --item D-14.1.3`."
    by_day = next(t for t in document.tables if t.title == "Items by day")
    assert len(by_day.rows) == 12
    assert by_day.rows[0][1:] == [14.0, 1.0, 1.0, 1.0, 1.0, 1.0, 19.0]


def test_a_status_report_that_counts_otherwise_is_red(world: World) -> None:
    world.in_order("D-2.D.2")
    assert world.broken("D-2.D.2") == ""
    path = documents_of(world.context)["D-2.D.2"]
    path.write_text(path.read_text().replace('"value":213.0', '"value":212.0'))
    assert world.broken("D-2.D.2") == "figures that differ from the ledger"


def test_the_status_report_is_of_today(world: World) -> None:
    world.in_order("D-2.D.2")
    world.claims("D-2.D.2")
    path = documents_of(world.context)["D-2.D.2"]
    made = read_document(path)
    old = msgspec.structs.replace(made, made_at=made.made_at - timedelta(hours=25))
    sign(write_document(old, path), world.keys / "product_manager")
    assert world.broken("D-2.D.2") == "age of the Final status report"


def test_the_package_lacks_no_document(world: World) -> None:
    world.in_order("D-2.D.1")
    assert world.broken("D-2.D.1") == "items without their document"
    world.documents("D-2.D.1")
    assert world.broken("D-2.D.1") == ""
    gone = documents_of(world.context)["D-8.D.1"]
    gone.unlink()
    assert world.broken("D-2.D.1") == "items without their document"


def test_no_risk_of_day_minus_5_is_gone_in_silence(world: World) -> None:
    world.in_order("D-2.D.3")
    assert world.broken("D-2.D.3") == ""

    def rescored(*risks: Risk, **closed: str) -> str:
        path = world.write(register(*risks, **closed))
        world.attest("D-2.1.3", made=timedelta(seconds=2), evidence=(path,))
        return world.broken("D-2.D.3")

    high, new = risk("R-02", score="high"), risk("R-03")
    assert rescored(high, new) == "risks dropped without a closing note"
    assert rescored(high, new, **{"R-01": " "}) == "risks dropped without a closing note"
    assert rescored(high, new, **{"R-01": "the roof is on"}) == ""
    document = read_document(documents_of(world.context)["D-2.D.3"])
    scores = next(t for t in document.tables if t.title.startswith("Scores"))
    assert scores.rows == [
        ["R-01", "low", "over", "the roof is on"],
        ["R-02", "high", "high", ""],
        ["R-03", "not there", "low", ""],
    ]
    world.write(register(high, new, **{"R-01": "the roof is on again"}))
    assert world.broken("D-2.D.3") == "registers signed for D-2.1.3"


def test_high_risks_are_signed_by_their_owners(world: World) -> None:
    world.in_order("D-2.D.3")
    path = world.write(register(risk("R-01"), risk("R-02", score="high", owner="gloria")))
    world.attest("D-2.1.3", made=timedelta(seconds=2), evidence=(path,))
    assert world.broken("D-2.D.3") == "high risks whose owner cannot sign"
    path = world.write(register(risk("R-01"), risk("R-02", score="high", owner="qa_lead")))
    world.attest("D-2.1.3", made=timedelta(seconds=4), evidence=(path,))
    assert world.broken("D-2.D.3") == ""
    documents = world.context.documents
    first, second = (documents / f"risk-assessment-update.html{x}.sig" for x in ("", ".qa_lead"))
    second.write_bytes(first.read_bytes())
    reported = "the signature of the QA Lead on risk-assessment-update.html"
    assert world.broken("D-2.D.3") == reported


def test_who_signs_again_after_a_while_does_not_find_the_old_signature(world: World) -> None:
    world.in_order("D-2.D.3")
    for n, owner in enumerate(("qa_lead", "devops_lead", "qa_lead"), 1):
        path = world.write(register(risk("R-01"), risk("R-02", score="high", owner=owner)))
        world.attest("D-2.1.3", made=timedelta(seconds=2 * n), evidence=(path,))
        assert world.broken("D-2.D.3") == ""
    signed = {p.name for p in world.context.documents.glob("*.sig")}
    assert signed == {f"risk-assessment-update.html{x}.sig" for x in ("", ".qa_lead")}


def test_each_document_of_the_package_is_one_to_hand_over(world: World) -> None:
    world.in_order("D-2.D.1")
    world.documents("D-2.D.1")
    assert world.broken("D-2.D.1") == ""
    path = documents_of(world.context)["D-8.D.1"]
    page, signature = path.read_text(), path.with_name(f"{path.name}.sig")
    made, signed = read_document(path), signature.read_bytes()

    def put_back() -> None:
        path.write_text(page)
        signature.write_bytes(signed)
        assert world.broken("D-2.D.1") == ""

    write_document(msgspec.structs.replace(made, environment="staging"), path)
    assert world.broken("D-2.D.1") == "documents not about v2.0.0 in rehearsal"
    put_back()
    write_document(msgspec.structs.replace(made, verdicts=[]), path)
    assert world.broken("D-2.D.1") == "documents that rest on nothing"
    put_back()
    path.write_text(page.replace("<h1", "<h1 hidden"))
    assert world.broken("D-2.D.1") == "documents that show something else than their data"
    put_back()
    signature.unlink()
    assert world.broken("D-2.D.1") == "documents without a valid signature"
    put_back()
    world.run({"D-2.2.4": Verdict.PASS})
    assert world.broken("D-2.D.1") == "documents older than what they rest on"
