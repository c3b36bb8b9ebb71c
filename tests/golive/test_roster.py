"""The roster: what it takes, what it says of people, and the one that is delivered."""

from __future__ import annotations

import base64
import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from golive import launch, procedure
from golive.roster import Roster, load
from golive.signatures import sign, signature_of
from golive.verdicts import GoliveError
from tests.conftest import Office, toml

SUITES = Path(__file__).resolve().parent.parent.parent / "suites"
PERSON = {"id": "ada", "name": "Ada Obi", "email": "a@example.com", "phone": "+12025550100"}


def read(folder: Path, *people: dict[str, Any], **more: Any) -> Roster:
    path = folder / "roster.toml"
    path.write_text(toml({"schema": 1, "person": list(people)} | more))
    return load(path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"id": "a b"}, "person.id: found 'a b'; expected letters of ASCII"),
        ({"id": "ada*"}, "person.id: found 'ada*'"),
        ({"id": "\u0430da"}, "expected letters of ASCII"),
        ({"id": "../ada"}, "person.id: found '../ada'"),
        ({"id": ""}, "person.id: found ''"),
        ({"keys": [{"public": "ssh-ed25519 AAAA"}]}, "which is damaged"),
        ({"keys": [{"public": "ssh-dss AAAA"}]}, "expected a public SSH key"),
        ({"keys": [{"public": "ssh-ed25519-cert-v01@openssh.com AAAA"}]}, "a public SSH key"),
        ({"keys": [{"public": "-----BEGIN OPENSSH PRIVATE KEY-----\nx"}]}, "found a private key"),
        ({"role": "x"}, "person.0.role: unknown key"),
        ({"phone": 1}, "phone"),
    ],
)
def test_what_is_no_roster_is_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(GoliveError) as refused:
        read(tmp_path, PERSON | changes)
    assert said in str(refused.value)
    assert "roster.toml" in str(refused.value)
    assert "\nx" not in str(refused.value)


def test_a_roster_of_nobody_or_of_one_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GoliveError, match="found nobody"):
        read(tmp_path)
    with pytest.raises(GoliveError, match="found 'ada' twice"):
        read(tmp_path, PERSON, PERSON)
    with pytest.raises(GoliveError, match="schema: found 2; expected 1"):
        read(tmp_path, PERSON, schema=2)


def test_holders_come_before_those_who_back_them_up(office: Office) -> None:
    roster = office.desk().roster
    assert [p.id for p in roster.entitled("product_manager")] == ["paul", "leah"]
    assert [p.id for p in roster.holders("product_manager")] == ["paul"]
    assert roster.roles_of("leah") == ["product_manager"]
    assert roster.roles_of("nobody") == []


def test_a_key_ends_with_its_last_day(office: Office) -> None:
    public = office.public("paul")
    days = {"since": dt.date(2026, 11, 1), "until": dt.date(2026, 12, 31)}
    office.roster(paul={"keys": [{"public": f"{public} paul@home"} | days]})
    assert office.desk().roster.allowed_signers(["paul", "nobody"]) == (
        f'paul namespaces="golive-*",valid-after="20261101",valid-before="20270101" {public}\n'
    )
    swapped = {"public": public, "since": days["until"], "until": days["since"]}
    path = office.roster(paul={"keys": [swapped]})
    with pytest.raises(GoliveError, match="expected no day before since"):
        load(path)


def test_the_same_key_in_another_spelling_is_shared(office: Office) -> None:
    """Its comment, spaces, and the bits of base64 that say nothing."""
    kind, text = office.public("paul").split()
    office.roster(leah={"keys": [{"public": f"{kind}   {text} leah@home"}]})
    assert office.desk().roster.shared_keys == {"paul": ["paul", "leah"], "leah": ["paul", "leah"]}
    padded = base64.b64encode(base64.b64decode(text) + b"x").decode()
    assert padded.endswith("=")
    office.roster(
        paul={"keys": [{"public": f"{kind} {padded}"}]},
        leah={"keys": [{"public": f"{kind} {_other_last_bits(padded)}"}]},
    )
    assert set(office.desk().roster.shared_keys) == {"paul", "leah"}


def _other_last_bits(text: str) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    bare = text.rstrip("=")
    other = alphabet[alphabet.index(bare[-1]) ^ 1]
    assert base64.b64decode(bare[:-1] + other + text[len(bare) :]) == base64.b64decode(text)
    return bare[:-1] + other + text[len(bare) :]


def test_a_document_is_signed_for_a_role_by_whoever_is_entitled(office: Office) -> None:
    document = office.folder.write("report.html", "p95 is 3 ms")
    assert office.desk().roster.signature(document, "product_manager").cause == "it is not signed"
    sign(document, office.keys["leah"])
    assert office.desk().roster.signature(document, "product_manager").valid
    assert not office.desk().roster.signature(document, "technical_lead").valid
    office.roster(paul={"keys": []}, leah={"keys": []})
    found = office.desk().roster.signature(document, "product_manager")
    assert "has nobody with a key for the role product_manager" in found.cause
    document.unlink()
    assert signature_of(document).exists()
    assert office.desk().roster.signature(document, "product_manager").cause == "it is not there"


# -- the launch's own ------------------------------------------------------------------------


def test_the_launchs_own_roster_has_a_place_for_every_role_and_its_backup() -> None:
    roster = load(SUITES / "people" / "roster.toml")
    owners = {i.owner_mark for i in procedure.load(SUITES / "procedure.toml") if i.owner_mark}
    roles = {*owners, *launch.load(SUITES / "launch.toml").roles}
    assert len(owners) == 9
    assert {r for r in roles if not roster.holders(r)} == set()
    assert {r for r in roles if not roster.backups(r)} == set()
    told = {r for level in roster.escalation for r in level.roles}
    assert {r for r in told if not roster.holders(r)} == set()
    assert {v for level in roster.escalation for v in level.vendors} <= set(roster.vendors)
