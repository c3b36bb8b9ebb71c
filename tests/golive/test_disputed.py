"""What takes a GO away is at least as strong as what gives it: nobody gets rid of a revocation or
of a no-go by damaging it, and only a later signed act lifts it."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from golive.people import signatures
from golive.people.statements import BODY, EVIDENCE, Signed, digest_of
from golive.verdicts import GoliveError, Pending
from tests.conftest import STATED, Project
from tests.golive.people.test_statements import forged

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
GO, NO_GO = {"decision": "go"}, {"decision": "no-go"}


def disputed(project: Project, env: str = "staging") -> dict[str, str]:
    return project.context(env).statements.here().disputed()


def says(project: Project, role: str) -> set[str]:
    """What a role says of the launch: the decisions in it that stand."""
    return {s.statement.data["decision"] for s in project.context().statements.here().votes()[role]}


def decide(project: Project, by: str, data: dict[str, str], **fields: Any) -> Signed:
    return project.sign("", by, kind="approve", data=data, **fields)


@pytest.fixture
def taken_back(project: Project) -> tuple[Signed, Signed]:
    """An attestation by paul, and its revocation by elena."""
    said = project.sign(made_at=NOW - 2 * HOUR)
    return said, project.sign("", "elena", kind="revoke", about=said.sha256, made_at=NOW - HOUR)


@pytest.fixture
def refused(project: Project) -> tuple[Signed, Signed]:
    """A go by elena, and her no-go after it."""
    said = decide(project, "elena", GO, made_at=NOW - 2 * HOUR)
    return said, decide(project, "elena", NO_GO, made_at=NOW - HOUR)


# -- attacks -----------------------------------------------------------------------------------


def unsigned(project: Project, folder: Path) -> None:
    (folder / f"{BODY}.sig").unlink()


def one_byte(project: Project, folder: Path) -> None:
    signature = folder / f"{BODY}.sig"
    data = bytearray(signature.read_bytes())
    data[len(data) // 2] ^= 1
    signature.write_bytes(data)


def beside(project: Project, folder: Path) -> None:
    (folder / "notes.txt").write_text("x")


def hidden(project: Project, folder: Path) -> None:
    folder.replace(folder.with_name(".x"))


def author_gone(project: Project, folder: Path) -> None:
    project.roster(elena=None)


def role_taken(project: Project, folder: Path) -> None:
    project.roster(elena={"roles": ["support"]})


def key_taken(project: Project, folder: Path) -> None:
    project.roster(elena={"keys": []})


def key_shared(project: Project, folder: Path) -> None:
    project.roster(joel={"keys": [{"public": project.public("elena")}]})


Attack = Callable[[Project, Path], None]
ATTACKS: dict[Attack, str] = {
    unsigned: "its signature is not valid: it is not signed",
    one_byte: "its signature is not valid: ",
    beside: "its folder holds 'notes.txt', which is no part of it",
    hidden: "expected it under that name",
    author_gone: "elena is not on the roster",
    role_taken: "elena neither holds nor backs up the role executive_team",
    key_taken: "its signature is not valid: ",
    key_shared: "elena and joel have the same key",
}
attacked = pytest.mark.parametrize("attack", ATTACKS, ids=[a.__name__ for a in ATTACKS])


@attacked
def test_a_revocation_that_is_damaged_breaks_the_trust_and_takes_back_all_the_same(
    project: Project, taken_back: tuple[Signed, Signed], attack: Attack
) -> None:
    said, revocation = taken_back
    assert disputed(project) == {}
    attack(project, revocation.folder)
    name = ".x" if attack is hidden else revocation.id
    assert list(disputed(project)) == [name]
    assert ATTACKS[attack] in disputed(project)[name]
    if attack is not hidden:
        assert "a revocation of it does not verify" in project.cause(said)
        assert "`golive set-aside" in disputed(project)[name]


@attacked
def test_a_no_go_that_is_damaged_breaks_the_trust_and_no_go_comes_back(
    project: Project, refused: tuple[Signed, Signed], attack: Attack
) -> None:
    go, no_go = refused
    assert says(project, "executive_team") == {"no-go"}
    assert disputed(project) == {}
    attack(project, no_go.folder)
    name = ".x" if attack is hidden else no_go.id
    assert set(disputed(project)) - {go.id} == {name}
    assert ATTACKS[attack] in disputed(project)[name]
    if attack is not hidden:
        assert "go" not in says(project, "executive_team")


@pytest.mark.parametrize("attack", [unsigned, one_byte, beside, hidden])
@pytest.mark.parametrize("kind", ["attest", "waive", "approve"])
def test_another_statement_that_is_damaged_is_told_and_never_skipped(
    project: Project, kind: str, attack: Attack
) -> None:
    signed = {
        "attest": lambda: project.sign(),
        "waive": lambda: project.sign("D-2.1.3", kind="waive", risk="a late night"),
        "approve": lambda: decide(project, "elena", GO),
    }[kind]()
    assert disputed(project) == {}
    attack(project, signed.folder)
    ((name, why),) = disputed(project).items()
    assert name == (".x" if attack is hidden else signed.id)
    assert ATTACKS[attack] in why


@pytest.mark.parametrize(
    "made", ["a file", "a link", "a folder", "a dot file", "a queue", "two names"]
)
def test_whatever_is_no_statement_is_told(project: Project, made: str) -> None:
    folder = project.sign().folder.parent
    if made == "a file":
        (folder / "notes.txt").write_text("x")
    elif made == "a link":
        (folder / "link").symlink_to(project.path)
    elif made == "a folder":
        (folder / "folder").mkdir()
    elif made == "a dot file":
        (folder / ".hidden").write_text("x")
    elif made == "a queue":
        os.mkfifo(folder / "queue")
    else:
        (folder / os.fsdecode(b"\xff\x1b[2J")).mkdir()
    assert len(disputed(project)) == 1
    assert len(project.context().statements.unreadable) == 1


def test_a_folder_of_statements_that_is_none_is_told(project: Project) -> None:
    project.statements.parent.mkdir(parents=True)
    project.statements.write_text("x")
    assert "cannot be read" in disputed(project)[project.statements.name]


def test_an_edited_environment_hides_no_refusal(
    project: Project, refused: tuple[Signed, Signed]
) -> None:
    _, no_go = refused
    elsewhere: dict[str, Any] = {"environment": "production", "environment_kind": "production"}
    folder = forged(project, no_go, key="", **elsewhere)
    shutil.rmtree(no_go.folder)
    assert list(disputed(project)) == [folder.name]
    signed = project.sign(**elsewhere)
    unsigned(project, signed.folder)
    assert list(disputed(project)) == [folder.name], "another one of there counts for nothing here"


def test_what_truly_was_said_elsewhere_breaks_nothing_here(project: Project) -> None:
    elsewhere: dict[str, Any] = {"environment": "production", "environment_kind": "production"}
    decide(project, "elena", NO_GO, **elsewhere)
    said = project.sign(**elsewhere)
    project.sign("", "elena", kind="revoke", about=said.sha256, **elsewhere)
    assert disputed(project) == {}
    assert says(project, "executive_team") == set()


# -- what stands -------------------------------------------------------------------------------


def test_a_revocation_stands_by_the_roster_as_of_its_own_date(
    project: Project, taken_back: tuple[Signed, Signed], refused: tuple[Signed, Signed]
) -> None:
    """Somebody who left stays on the roster, with what was and until when."""
    day = min(s.statement.made_at for s in (taken_back[1], refused[1])).date()
    over = {"role": "executive_team", "until": NOW.date()}
    key = {"public": project.public("elena"), "until": NOW.date()}
    project.roster(elena={"roles": [], "was": [over], "keys": [key]})
    assert disputed(project) == {}
    assert "elena revoked it" in project.cause(taken_back[0])
    assert says(project, "executive_team") == {"no-go"}
    project.roster(elena={"roles": [], "was": [over | {"until": day - DAY}]})
    assert set(disputed(project)) == {taken_back[1].id, refused[1].id}


def test_a_no_go_never_runs_out_and_may_be_dated_ahead(project: Project) -> None:
    decide(project, "elena", NO_GO, made_at=NOW - 90 * DAY, expires_at=NOW - 80 * DAY)
    assert says(project, "executive_team") == {"no-go"}
    decide(project, "tess", GO)
    decide(project, "tess", NO_GO, made_at=NOW + 9 * DAY)
    assert says(project, "technical_lead") == {"no-go"}


def test_only_its_author_lifts_a_no_go(project: Project) -> None:
    no_go = decide(project, "elena", NO_GO, made_at=NOW - 2 * HOUR)
    other = project.sign("", "tess", kind="revoke", about=no_go.sha256)
    assert says(project, "executive_team") == {"no-go"}
    assert "tess may not take" in disputed(project)[other.id]
    shutil.rmtree(other.folder)
    own = project.sign("", "elena", kind="revoke", about=no_go.sha256)
    assert says(project, "executive_team") == set()
    assert disputed(project) == {}
    unsigned(project, own.folder)
    assert says(project, "executive_team") == {"no-go"}, "what does not verify lifts nothing"


def test_a_later_decision_of_the_same_person_in_the_same_role_lifts_a_no_go(
    project: Project,
) -> None:
    project.roster(elena={"roles": ["executive_team", "technical_lead"]})
    decide(project, "elena", NO_GO, role="executive_team", made_at=NOW - 3 * HOUR)
    decide(project, "elena", GO, role="technical_lead", made_at=NOW - 2 * HOUR)
    assert says(project, "executive_team") == {"no-go"}, "two roles take two signatures"
    assert says(project, "technical_lead") == {"go"}
    reloaded = decide(project, "elena", GO, role="executive_team", made_at=NOW - HOUR)
    assert says(project, "executive_team") == {"go"}
    project.sign("", "tess", kind="revoke", about=reloaded.sha256)
    assert says(project, "executive_team") == {"no-go"}, "what lifted it was taken back"


def test_of_a_go_and_a_no_go_in_the_same_second_the_no_go_counts(project: Project) -> None:
    for n in range(4):  # whichever digest is the greater one
        decide(project, "elena", GO, made_at=NOW, text=f"go {n}")
        decide(project, "elena", NO_GO, made_at=NOW, text=f"no {n}")
    assert says(project, "executive_team") == {"no-go"}


def test_a_no_go_of_one_holder_is_not_outvoted_by_another(project: Project) -> None:
    project.roster(joel={"backs_up": ["executive_team"]})
    decide(project, "elena", NO_GO, role="executive_team", made_at=NOW - HOUR)
    decide(project, "joel", GO, role="executive_team")
    assert says(project, "executive_team") == {"go", "no-go"}


def test_a_go_names_the_readiness_that_it_saw(project: Project) -> None:
    for readiness in ("", "no digest"):
        with pytest.raises(GoliveError, match="which readiness it rests on"):
            decide(project, "elena", GO, readiness=readiness)
    by_hand = forged(project, decide(project, "elena", GO), key="elena", readiness="")
    (found,) = (s for s in project.context().statements.decisions() if s.id == by_hand.name)
    assert found.cause == "it does not say which readiness it rests on"
    decide(project, "elena", NO_GO, readiness="")


# -- votes on an item --------------------------------------------------------------------------


def vote(
    project: Project, word: str, by: str = "paul", hours_ago: float = 0, **more: Any
) -> Signed:
    return project.sign(by=by, data={"vote": word}, made_at=NOW - hours_ago * HOUR, **more)


def stated(project: Project) -> str:
    """Why D-2.2.1 is not stated; empty where it is."""
    try:
        project.context().statements.here().vouched("D-2.2.1").claims()
    except Pending as e:
        return str(e)
    return ""


def test_a_no_go_to_an_item_stands_until_its_author_states_the_item_anew(project: Project) -> None:
    vote(project, "go", hours_ago=30 * 24)
    no_go = vote(project, "no-go", hours_ago=20 * 24, expires_at=NOW - DAY)
    vote(project, "go", by="leah", hours_ago=1)
    assert "Paul Adeyemi said no-go as product manager" in stated(project)
    assert "only paul lifts it" in stated(project)
    assert vouched_by(project) == {"product_manager": "paul"}
    project.folder.items(STATED.replace("Signed.", "Signed by hand."))  # whatever becomes of it
    assert "said no-go" in stated(project)
    back = project.sign("", "tess", kind="revoke", about=no_go.sha256)
    assert "tess may not take" in disputed(project)[back.id]
    assert "said no-go" in stated(project)
    shutil.rmtree(back.folder)
    vote(project, "go")
    assert stated(project) == ""
    assert disputed(project) == {}


def vouched_by(project: Project) -> dict[str, str]:
    chosen = project.context().statements.here().vouched("D-2.2.1").chosen
    return {role: s.statement.by for role, s in chosen.items()}


def test_a_go_that_ran_out_has_lifted_the_no_go_before_it(project: Project) -> None:
    vote(project, "no-go", hours_ago=3)
    vote(project, "go", hours_ago=2, expires_at=NOW - HOUR)
    assert "it expired on" in stated(project)
    vote(project, "go", by="leah", hours_ago=1)
    assert stated(project) == ""


@pytest.mark.parametrize("attack", [unsigned, one_byte, beside])
def test_a_vote_of_no_go_that_is_damaged_brings_no_go_back(
    project: Project, attack: Attack
) -> None:
    go = vote(project, "go", hours_ago=2)
    no_go = vote(project, "no-go", hours_ago=1)
    assert stated(project)
    attack(project, no_go.folder)
    assert list(disputed(project)) == [no_go.id]
    assert "SUSPECT: paul signed it on" in stated(project)
    assert "a no-go of paul after it does not verify" in project.cause(go)


def test_the_role_of_a_vote_taken_away_brings_no_go_back(project: Project) -> None:
    no_go = vote(project, "no-go", hours_ago=1)
    vote(project, "go", by="leah")
    project.roster(paul={"roles": ["support"]})
    assert list(disputed(project)) == [no_go.id]
    over = {"role": "product_manager", "until": NOW.date()}
    project.roster(paul={"roles": ["support"], "was": [over]})
    assert disputed(project) == {}
    assert "Paul Adeyemi said no-go" in stated(project)


def test_two_signatures_are_those_of_the_role_and_of_one_more_person(project: Project) -> None:
    project.launch(two_signatures=["D-2.2.1"])
    vote(project, "go")
    assert "needs the signatures of two people; so far only Paul Adeyemi" in stated(project)
    vote(project, "go", by="tess", role="technical_lead")
    assert stated(project) == ""
    said = project.context().statements.vouched("D-2.2.1")
    assert {s.statement.by for s in said.counted} == {"paul", "tess"}
    assert len(said.claims()) == 2
    vote(project, "no-go", by="tess", role="technical_lead", text="not yet")
    assert "Tess Lindqvist said no-go as technical lead" in stated(project)


# -- what lifts --------------------------------------------------------------------------------


def test_signing_the_same_act_again_lifts_what_was_damaged(
    project: Project, taken_back: tuple[Signed, Signed], refused: tuple[Signed, Signed]
) -> None:
    said, revocation = taken_back
    for signed in (revocation, refused[1], said):
        unsigned(project, signed.folder)
    assert set(disputed(project)) == {revocation.id, refused[1].id, said.id}
    project.sign("", "tess", kind="revoke", about=said.sha256)
    assert set(disputed(project)) == {refused[1].id, said.id}
    decide(project, "elena", GO)
    assert says(project, "executive_team") == {"go"}
    assert set(disputed(project)) == {said.id}
    project.sign(text="once more")
    assert disputed(project) == {}
    assert "not signed" in project.cause(revocation), "it is still told"


def test_what_somebody_else_says_lifts_no_damage(
    project: Project, refused: tuple[Signed, Signed]
) -> None:
    project.roster(joel={"backs_up": ["executive_team"]})
    unsigned(project, refused[1].folder)
    decide(project, "joel", GO, role="executive_team")
    decide(project, "elena", GO, made_at=NOW + 9 * DAY)  # it has not come
    assert list(disputed(project)) == [refused[1].id]


def aside(project: Project, record: str, sha256: str, *, by: str = "tess", **fields: Any) -> Signed:
    data = {"record": record, "sha256": sha256}
    values = {"text": "it was damaged on a bad disk"} | fields
    return project.sign("", by, kind="set-aside", data=data, **values)


def test_two_people_set_a_damaged_record_aside_as_it_lies_there(
    project: Project, refused: tuple[Signed, Signed]
) -> None:
    _, no_go = refused
    unsigned(project, no_go.folder)
    digest = digest_of(no_go.folder)
    first = aside(project, no_go.id, digest)
    assert list(disputed(project)) == [no_go.id], "one person does not do"
    aside(project, no_go.id, digest, by="elena", about=first.sha256)
    assert disputed(project) == {}
    found = project.context().statements.set_aside(no_go.id, digest)
    assert found is not None
    assert [e.kind for e in project.context().statements.all_set_aside()] == ["set-aside"]
    assert says(project, "executive_team") == {"go"}, "they say that it counts for nothing"
    (no_go.folder / "notes.txt").write_text("x")
    assert list(disputed(project)) == [no_go.id], "it is not what they have seen"


def test_what_is_no_statement_can_be_set_aside_by_its_name(project: Project) -> None:
    project.sign()
    (project.statements / ".x").mkdir()
    digest = digest_of(project.statements / ".x")
    first = aside(project, ".x", digest)
    aside(project, ".x", digest, by="elena", about=first.sha256)
    assert disputed(project) == {}
    assert project.context().statements.unreadable == {}
    project.launch_day += DAY
    project.folder.launch(project.launch_day, people={"approvers": ["support"]})
    assert ".x" in disputed(project), "those who signed have to be those who may"


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ({"by": "tess"}, {"by": "tess"}, "tess signed twice"),
        ({"by": "tess"}, {"by": "elena", "role": "technical_lead"}, "both signed as"),
        ({"by": "tess"}, {"by": "joel"}, "the role support may not set a record aside"),
        ({"by": "tess"}, {"by": "elena", "text": "else"}, "says something else"),
        ({"by": "tess"}, {"by": "elena", "about": "0" * 64}, None),
        ({"by": "tess"}, {"by": "elena", "key": "joel"}, "its signature is not valid"),
        ({"by": "tess", "made_at": NOW + DAY}, {"by": "elena"}, "which has not come"),
    ],
)
def test_it_takes_two_different_people_in_two_roles_that_may(
    project: Project, one: dict[str, Any], other: dict[str, Any], said: str | None
) -> None:
    project.roster(elena={"roles": ["executive_team", "technical_lead"]})
    (project.statements / ".x").mkdir(parents=True)
    digest = digest_of(project.statements / ".x")
    first = aside(project, ".x", digest, **one)
    second = aside(project, ".x", digest, **({"about": first.sha256} | other))
    statements = project.context().statements
    assert statements.set_aside(".x", digest) is None
    assert ".x" in disputed(project)
    if said is not None:
        assert said in statements.not_aside(statements.check(first), statements.check(second))


def test_roles_that_only_sign_second_do_not_do(project: Project) -> None:
    project.launch(second_signers=["technical_lead", "support"], approvers=["executive_team"])
    statements = project.context().statements
    assert "one of executive_team has to sign" in statements.entitlement.not_both_aside(
        "technical_lead", "support"
    )
    assert statements.entitlement.not_both_aside("executive_team", "support") == ""
    assert statements.entitlement.not_both_aside("executive_team", "product_manager") != ""


def test_what_is_in_order_is_not_set_aside(
    project: Project, taken_back: tuple[Signed, Signed], refused: tuple[Signed, Signed]
) -> None:
    for signed in (taken_back[1], refused[1]):
        digest = digest_of(signed.folder)
        first = aside(project, signed.id, digest)
        aside(project, signed.id, digest, by="elena", about=first.sha256)
    assert "elena revoked it" in project.cause(taken_back[0])
    assert says(project, "executive_team") == {"no-go"}


def test_setting_aside_can_be_taken_back(project: Project) -> None:
    (project.statements / ".x").mkdir(parents=True)
    digest = digest_of(project.statements / ".x")
    first = aside(project, ".x", digest)
    second = aside(project, ".x", digest, by="elena", about=first.sha256)
    assert disputed(project) == {}
    back = project.sign("", "tess", kind="revoke", about=second.sha256)
    assert list(disputed(project)) == [".x"]
    unsigned(project, back.folder)
    assert list(disputed(project)) == [back.id]


def test_a_record_that_is_missing_is_set_aside_by_its_name_alone(project: Project) -> None:
    first = aside(project, "20261101T000000Z-staging-1234", "")
    aside(project, "20261101T000000Z-staging-1234", "", by="elena", about=first.sha256)
    statements = project.context().statements
    assert statements.set_aside("20261101T000000Z-staging-1234", "") is not None
    assert statements.set_aside("20261101T000000Z-staging-1234", "0" * 64) is None


# -- the digest of what lies there -------------------------------------------------------------


def test_any_change_of_what_lies_there_gives_another_digest(tmp_path: Path) -> None:
    place = tmp_path / "record"
    assert digest_of(place) == ""
    place.mkdir()
    seen, count = {digest_of(place)}, itertools.count(2)

    def differs() -> bool:
        seen.add(new := digest_of(place))
        assert new == digest_of(place)
        return len(seen) == next(count)

    (place / "a").write_text("1")
    assert differs()
    (place / "a").write_text("2")
    assert differs()
    (place / "a").rename(place / "b")
    assert differs()
    (place / EVIDENCE).mkdir()
    assert differs()
    (place / EVIDENCE / os.fsdecode(b"\xff")).write_text("")
    assert differs()
    (place / "link").symlink_to("/a")
    assert differs()
    (place / "link").unlink()
    (place / "link").symlink_to("/b")
    assert differs()
    os.mkfifo(place / "queue")  # nobody waits for it
    assert differs()
    away = tmp_path / "away"
    place.rename(away)
    place.symlink_to(away)
    assert differs()
    place.unlink()
    place.write_text("x")
    assert differs()


# -- drafts ------------------------------------------------------------------------------------


def test_what_is_not_whole_yet_never_lies_among_the_statements(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    def sign(*arguments: Any) -> None:
        seen.append(sorted(p.name for p in project.statements.iterdir()))
        raise GoliveError("no key at hand")

    project.statements.mkdir(parents=True)
    monkeypatch.setattr(signatures, "sign", sign)
    with pytest.raises(GoliveError, match="no key at hand"):
        project.sign()
    assert seen == [[]]
    assert [p.name for p in project.statements.parent.iterdir()] == [project.statements.name]
