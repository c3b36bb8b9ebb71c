"""The roster: what it takes, what it says of people, and the one that is delivered."""

from __future__ import annotations

import base64
import datetime as dt
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from golive import launch, procedure
from golive.people.roster import Level, Person, Roster, load
from golive.people.signatures import sign, signature_of
from golive.verdicts import GoliveError
from tests.conftest import Project, toml

SUITES = Path(__file__).resolve().parents[3] / "suites"
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


def test_holders_come_before_those_who_back_them_up(project: Project) -> None:
    roster = project.context().roster
    assert [p.id for p in roster.entitled("product_manager")] == ["paul", "leah"]
    assert [p.id for p in roster.holders("product_manager")] == ["paul"]
    assert roster.roles_of("leah") == ["product_manager"]
    assert roster.roles_of("nobody") == []


def test_a_key_ends_with_its_last_day(project: Project) -> None:
    public = project.public("paul")
    days = {"since": dt.date(2026, 11, 1), "until": dt.date(2026, 12, 31)}
    project.roster(paul={"keys": [{"public": f"{public} paul@home"} | days]})
    assert project.context().roster.allowed_signers(["paul", "nobody"]) == (
        f'paul namespaces="golive-*",valid-after="20261101",valid-before="20270101" {public}\n'
    )
    swapped = {"public": public, "since": days["until"], "until": days["since"]}
    path = project.roster(paul={"keys": [swapped]})
    with pytest.raises(GoliveError, match="expected no day before since"):
        load(path)


def test_the_same_key_with_another_comment_is_shared(project: Project) -> None:
    kind, text = project.public("paul").split()
    project.roster(leah={"keys": [{"public": f"{kind}   {text} leah@home"}]})
    assert project.context().roster.shared_keys == {
        "paul": ["paul", "leah"],
        "leah": ["paul", "leah"],
    }


def test_a_key_and_the_same_key_on_a_token_are_one(project: Project) -> None:
    """Whatever the application: what signs is the same private number."""
    number = base64.b64decode(project.public("paul").split()[1])[19:]

    def token(application: bytes) -> dict[str, Any]:
        return {"keys": [{"public": line("sk-ssh-ed25519@openssh.com", number, application)}]}

    project.roster(leah=token(b"ssh:"))
    assert set(project.context().roster.shared_keys) == {"paul", "leah"}
    project.roster(paul=token(b"ssh:"), leah=token(b"ssh:work"))
    assert set(project.context().roster.shared_keys) == {"paul", "leah"}


RSA = rsa.generate_private_key(65537, 2048).public_key().public_numbers()
POINT = ec.generate_private_key(ec.SECP256R1()).public_key()
FLAT = POINT.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
PRESSED = POINT.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


def line(kind: str, *parts: bytes, after: bytes = b"") -> str:
    """A public key's line from the parts of its wire form."""
    wire = b"".join(len(p).to_bytes(4, "big") + p for p in (kind.encode(), *parts))
    return f"{kind} {base64.b64encode(wire + after).decode()}"


def number(value: int, zeros: int = 0) -> bytes:
    """An mpint, with so many zeros too many."""
    return bytes(zeros) + value.to_bytes(value.bit_length() // 8 + 1, "big")


def ssh_rsa(n: int, e: int, *, zeros: tuple[int, int] = (0, 0), after: bytes = b"") -> str:
    return line("ssh-rsa", number(e, zeros[0]), number(n, zeros[1]), after=after)


P256 = "ecdsa-sha2-nistp256"
ONE_KEY_IN_ANOTHER_ENCODING = {
    "a zero before e": ssh_rsa(RSA.n, RSA.e, zeros=(1, 0)),
    "a zero before n": ssh_rsa(RSA.n, RSA.e, zeros=(0, 1)),
    "an n below zero": line("ssh-rsa", number(RSA.e), number(RSA.n)[1:]),
    "bytes after it": ssh_rsa(RSA.n, RSA.e, after=b"x"),
    "cut off": line("ssh-rsa", number(RSA.e)),
    "a compressed point": line(P256, b"nistp256", PRESSED),
    "a hybrid point": line(P256, b"nistp256", bytes([6 + FLAT[-1] % 2]) + FLAT[1:]),
    "another spelling of the curve": line(P256, b"secp256r1", FLAT),
    "a point beside the curve": line(P256, b"nistp256", FLAT[:-1] + bytes([FLAT[-1] ^ 1])),
    "a y beyond the field": line("ssh-ed25519", (2**255 - 19 + 4).to_bytes(32, "little")),
    "a short y": line("ssh-ed25519", b"y" * 31),
    "a token without an application": line("sk-ssh-ed25519@openssh.com", b"y" * 32),
    "another type within": "ssh-rsa " + line(P256, b"nistp256", FLAT).split()[1],
    "loose bits of base64": "",
}


def _other_last_bits(text: str) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    bare = text.rstrip("=")
    assert bare != text
    other = alphabet[alphabet.index(bare[-1]) ^ 1]
    assert base64.b64decode(bare[:-1] + other + text[len(bare) :]) == base64.b64decode(text)
    return bare[:-1] + other + text[len(bare) :]


@pytest.mark.parametrize("how", ONE_KEY_IN_ANOTHER_ENCODING)
def test_two_people_cannot_have_one_key_in_two_encodings(tmp_path: Path, how: str) -> None:
    plain = line(P256, b"nistp256", FLAT) if "base64" in how else ssh_rsa(RSA.n, RSA.e)
    public = ONE_KEY_IN_ANOTHER_ENCODING[how]
    public = public or f"{P256} {_other_last_bits(plain.split()[1])}"
    other = PERSON | {"id": "eve", "keys": [{"public": public}]}
    with pytest.raises(GoliveError) as refused:
        read(tmp_path, PERSON | {"keys": [{"public": plain}]}, other)
    assert "person eve: keys.public: found" in str(refused.value)
    assert public[:30] in str(refused.value)


def test_a_weak_key_is_refused(tmp_path: Path) -> None:
    for public, said in {
        ssh_rsa(RSA.n >> 1, RSA.e): "of 2047 bits; expected at least 2048",
        line("ssh-dss", b"\x05", b"\x05", b"\x05", b"\x05"): "expected a public SSH key",
        ssh_rsa(RSA.n, 1): "is damaged",
        ssh_rsa(RSA.n, 4): "is damaged",
    }.items():
        with pytest.raises(GoliveError) as refused:
            read(tmp_path, PERSON | {"keys": [{"public": public}]})
        assert said in str(refused.value)
        assert "person ada" in str(refused.value)


@pytest.mark.parametrize(
    "public",
    [
        ssh_rsa(RSA.n, RSA.e),
        line(P256, b"nistp256", FLAT),
        line("sk-ecdsa-sha2-nistp256@openssh.com", b"nistp256", FLAT, b"ssh:"),
        line("sk-ssh-ed25519@openssh.com", b"y" * 31 + b"\x00", b"ssh:"),
    ],
)
def test_every_sound_key_is_taken(tmp_path: Path, public: str) -> None:
    assert not read(tmp_path, PERSON | {"keys": [{"public": public}]}).shared_keys


def test_who_had_a_role_keeps_it_for_what_was_signed_then(tmp_path: Path) -> None:
    was = [{"role": "technical_lead", "until": dt.date(2026, 11, 20)}]
    roster = read(tmp_path, PERSON | {"roles": ["support"], "was": was})
    assert roster.roles_of("ada") == ["support"]
    assert roster.roles_of("ada", on=dt.date(2026, 11, 20)) == ["support", "technical_lead"]
    assert roster.roles_of("ada", on=dt.date(2026, 11, 21)) == ["support"]
    assert roster.entitled("technical_lead") == [], "it signs nothing new"
    with pytest.raises(GoliveError, match=r"person\.0\.was"):
        read(tmp_path, PERSON | {"was": [{"role": "technical_lead"}]})
    with pytest.raises(GoliveError, match=r"person ada: was\.role: found 'support'"):
        read(tmp_path, PERSON | {"roles": ["support"], "was": [was[0] | {"role": "support"}]})


def test_a_document_is_signed_for_a_role_by_whoever_is_entitled(project: Project) -> None:
    document = project.folder.write("report.html", "p95 is 3 ms")
    assert (
        project.context().roster.signature(document, "product_manager").cause == "it is not signed"
    )
    sign(document, project.keys["leah"])
    assert project.context().roster.signature(document, "product_manager").valid
    assert not project.context().roster.signature(document, "technical_lead").valid
    project.roster(paul={"keys": []}, leah={"keys": []})
    found = project.context().roster.signature(document, "product_manager")
    assert "has nobody with a key for the role product_manager" in found.cause
    document.unlink()
    assert signature_of(document).exists()
    assert (
        project.context().roster.signature(document, "product_manager").cause == "it is not there"
    )


# -- the launch's own ------------------------------------------------------------------------


def test_the_launchs_own_roster_has_a_place_for_every_role_and_its_backup() -> None:
    roster = load(SUITES / "people" / "roster.toml")
    owners = {i.owner_mark for i in procedure.load(SUITES / "procedure.toml") if i.owner_mark}
    roles = {*owners, *launch.load(SUITES / "launch.toml").roles}
    assert len(owners) == 9
    assert {r for r in roles if not roster.holders(r)} == set()
    assert {r for r in roles if not roster.backups(r)} == set()
    reported = {r for level in roster.escalation for r in level.roles}
    assert {r for r in reported if not roster.holders(r)} == set()
    assert {v for level in roster.escalation for v in level.vendors} <= set(roster.vendors)


def test_strangers_and_who_cannot_be_reached_are_named_in_order(tmp_path: Path) -> None:
    bob = PERSON | {"id": "bob", "email": "b@example.com", "phone": ""}
    roster = read(tmp_path, PERSON | {"roles": ["technical_lead"]}, bob)
    assert roster.strangers(["zoe", "ada", "cyd", "zoe"]) == ["cyd", "zoe"]
    assert roster.unreachable(["zoe", "bob", "ada"]) == ["bob", "zoe"]
    assert roster.id_of("A@Example.com") == "ada"
    assert roster.id_of("deploy-bot") == "deploy-bot"
    assert roster.roles == {"technical_lead"}


def test_the_first_level_of_escalation_needs_no_minutes(tmp_path: Path) -> None:
    levels = [{"level": n, "from_minutes": m} for n, m in ((2, 15), (1, 0), (3, 30.5))]
    assert read(tmp_path, PERSON, escalation=levels).escalation_minutes == [15, 30.5]


def test_one_person_under_two_ids_is_seen_by_what_both_have() -> None:
    def one(ident: str, **fields: str) -> Person:
        known: dict[str, Any] = {"id": ident, "name": ident, "email": "", "phone": ""}
        return Person(**(known | fields))

    people = {
        p.id: p
        for p in (
            one("ada", name="Ada Obi", email="Ada@example.com", phone="+15550100"),
            one("a2", name="ada  obi"),
            one("a3", email="ada+lead@example.com"),
            one("a4", phone="+1 555-0100"),
            one("a5"),
            one("x1", name="[Name]", email="[e-mail address]", phone="[phone]"),
            one("x2", name="[Name]", email="[e-mail address]", phone="[phone]"),
        )
    }
    roster = Roster(Path("roster.toml"), people, {}, ())
    assert roster.doubles(["ada", "a2"]) == ["ada and a2 (same name)"]
    assert roster.doubles(["ada", "a3", "ada"]) == ["ada and a3 (same mail address)"]
    assert roster.doubles(["a4", "ada"]) == [], "two people may share a phone"
    assert roster.doubles(["a5", "ada", "nobody"]) == []
    assert roster.doubles(["x1", "x2"]) == [], "what is still to be filled in is nobody's"


@pytest.mark.parametrize(
    ("changes", "doubles"),
    [
        ({}, []),
        ({"phone": "+12025550100"}, []),
        ({"name": "Tess  LINDQVIST"}, ["tess and hugo (same name)"]),
        ({"email": "Tess@Example.com"}, ["tess and hugo (same mail address)"]),
    ],
)
def test_one_person_under_two_ids_is_told(changes: dict[str, str], doubles: list[str]) -> None:
    tess = Person(id="tess", name="Tess Lindqvist", email="tess@example.com", phone="+12025550100")
    hugo = Person(id="hugo", name="Hugo Lambert", email="hugo@example.com", phone="+12025550101")
    two = {"tess": tess, "hugo": msgspec.structs.replace(hugo, **changes)}
    roster = Roster(Path("roster.toml"), two, {}, ())
    assert roster.doubles(["tess", "hugo", "tess", "nobody"]) == doubles
    assert roster.doubles(["hugo"]) == []


def test_what_is_still_to_be_filled_in_makes_nobody_the_same() -> None:
    two = {i: Person(id=i, name="[Name]", email="", phone="") for i in ("a", "b")}
    assert Roster(Path("roster.toml"), two, {}, ()).doubles(two) == []


def test_a_level_of_escalation_is_its_roles_people_and_their_backups() -> None:
    people = {
        "elena": Person(id="elena", name="E", email="", phone="", roles=["executive_team"]),
        "marcus": Person(id="marcus", name="M", email="", phone="", backs_up=["executive_team"]),
        "tess": Person(id="tess", name="T", email="", phone="", roles=["technical_lead"]),
    }
    levels = (
        Level(level=1, from_minutes=0, roles=["technical_lead"]),
        Level(level=3, from_minutes=30, roles=["executive_team"]),
    )
    roster = Roster(Path("roster.toml"), people, {}, levels)
    assert roster.at_level(3) == ["elena", "marcus"]
    assert roster.at_level(2) == []
