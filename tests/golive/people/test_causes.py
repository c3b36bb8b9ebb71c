"""Whatever is wrong with a statement, the terminal says so beside the item that waits for it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from golive.answer import shortened
from golive.people import signatures
from golive.people.statements import BODY, Signed, canonical, identify
from golive.session.terminal import _together
from golive.verdicts import Pending, ProbeError
from tests.conftest import STATED, Project, Root

NOW = datetime.now(UTC).replace(microsecond=0)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ASKS = "everybody was notified of what happens when, by whom, and what to do if not, " * 5 + "twice"
"""Much more than a line of a terminal takes."""


@pytest.fixture
def wordy(project: Project) -> Project:
    """An item that asks for a lot."""
    project.folder.items(STATED.replace("everybody was notified", ASKS))
    assert ASKS in project.context().cards["D-2.2.1"][0].asks
    return project


def rewritten(project: Project, signed: Signed, **fields: Any) -> None:
    """The statement says something else, and is truly signed."""
    said = msgspec.structs.replace(signed.statement, **fields)
    folder = signed.folder.with_name(identify(said))
    signed.folder.rename(folder)
    (folder / BODY).write_bytes(canonical(said))
    signatures.sign(folder / BODY, project.keys["paul"], signatures.STATEMENTS)


def spoilt(project: Project, signed: Signed) -> None:
    body = signed.folder / BODY
    body.write_bytes(body.read_bytes().replace(b"{", b"[", 1))


def unsigned(project: Project, signed: Signed) -> None:
    (signed.folder / f"{BODY}.sig").unlink()


def evidence_lost(project: Project, signed: Signed) -> None:
    signed.evidence[0].unlink()


def revoked(project: Project, signed: Signed) -> None:
    project.sign("", "paul", kind="revoke", about=signed.sha256, text="it was not so")


def revoked_in_doubt(project: Project, signed: Signed) -> None:
    revocation = project.sign("", "paul", kind="revoke", about=signed.sha256, text="no")
    (revocation.folder / f"{BODY}.sig").unlink()


def checked_anew(project: Project, signed: Signed) -> None:
    changed = STATED.replace("everybody was notified", ASKS).replace("Signed.", "By hand.")
    project.folder.items(changed)


Spoil = Callable[[Project, Signed], object]
WAYS: list[tuple[Spoil, str]] = [
    (lambda p, s: rewritten(p, s, environment="rehearsal"), "it is about rehearsal (staging), not"),
    (lambda p, s: rewritten(p, s, environment_kind="rehearsal"), "it is about staging (rehearsal)"),
    (lambda p, s: rewritten(p, s, candidate="v1.9.0"), "it is about v1.9.0, not v2.0.0"),
    (lambda p, s: rewritten(p, s, title="Else"), "the item or its check has changed since"),
    (checked_anew, "the item or its check has changed since"),
    (lambda p, s: rewritten(p, s, text=" "), "it states nothing"),
    (lambda p, s: rewritten(p, s, made_at=NOW + HOUR), "which has not come"),
    (lambda p, s: rewritten(p, s, expires_at=NOW - HOUR), "it expired on"),
    (lambda p, s: rewritten(p, s, role="technical_lead"), "neither holds nor backs up the role"),
    (lambda p, s: p.roster(paul={"roles": ["technical_lead"]}), "neither holds nor backs up"),
    (lambda p, s: p.roster(paul=None), "paul is not on the roster"),
    (lambda p, s: p.roster(paul={"keys": []}), "its signature is not valid"),
    (
        lambda p, s: p.roster(paul={"keys": [{"public": p.public("tess")}]}, tess=None),
        "its signature is not valid",
    ),
    (
        lambda p, s: p.roster(
            paul={"keys": [{"public": p.public("paul"), "until": NOW.date() - 9 * DAY}]}
        ),
        "its signature is not valid",
    ),
    (
        lambda p, s: p.roster(leah={"keys": [{"public": p.public("paul")}]}),
        "paul and leah have the same key",
    ),
    (unsigned, "its signature is not valid: it is not signed"),
    (spoilt, "is damaged"),
    (evidence_lost, "its evidence minutes.txt is not there"),
    (revoked, "paul revoked it: it was not so"),
    (revoked_in_doubt, "a revocation of it does not verify"),
]


@pytest.mark.parametrize(("spoil", "said"), WAYS)
def test_pending_says_why_what_was_signed_does_not_hold(
    wordy: Project, spoil: Spoil, said: str
) -> None:
    signed = wordy.sign(files=[wordy.folder.write("minutes.txt", "all agreed")])
    vouched = wordy.context().statements.vouched("D-2.2.1")
    assert vouched.claims(), "it holds as long as nothing is wrong with it"
    spoil(wordy, signed)
    with pytest.raises(Pending) as caught:
        wordy.context().statements.vouched("D-2.2.1").claims()
    shown = shortened(str(caught.value))
    assert said in shown
    assert "SUSPECT: " in shown
    assert len(shown) < len(str(caught.value)), "what is asked is cut"


def test_pending_says_that_a_paper_is_another_now(wordy: Project) -> None:
    wordy.sign(files=[wordy.folder.write("minutes.txt", "all agreed")])
    digest = hashlib.sha256(b"nobody agreed").hexdigest()
    for papers, said in (
        ({"minutes.txt": digest}, "minutes.txt has changed since"),
        ({"runbook.md": digest}, "it does not name runbook.md as its evidence"),
    ):
        with pytest.raises(Pending) as caught:
            wordy.context().statements.vouched("D-2.2.1", papers).claims()
        assert said in shortened(str(caught.value))


def test_what_is_simply_not_stated_yet_says_so(wordy: Project) -> None:
    with pytest.raises(Pending) as caught:
        wordy.context().statements.vouched("D-2.2.1").claims()
    shown = shortened(str(caught.value))
    assert shown.startswith("not stated yet by product manager: everybody was notified")
    assert "SUSPECT" not in shown


def test_what_could_not_be_looked_at_says_why_in_full() -> None:
    error = ProbeError("x" * 200, "y" * 200, "ask for a right " * 20)
    assert shortened(str(error)) == f"could not look at {'x' * 200}: {'y' * 200}"
    assert shortened(str(ProbeError("db", "refused", "start it"))).endswith("; next: start it")


def test_causes_are_told_apart_and_what_nobody_stated_yet_together() -> None:
    asked = {
        f"not stated yet by dev lead: thing {n}; next: `golive attest D-{n}`": [f"D-{n}"]
        for n in range(7)
    }
    refused = "not stated yet by dev lead: a; SUSPECT: ada signed it on x, but it expired on y"
    alone = "not stated yet by qa lead: thing; next: `golive attest D-9`"
    found = _together({**asked, refused: ["D-7"], alone: ["D-9"], "no evidence": ["D-8"]})
    assert found == {
        "not stated yet by dev lead": [f"D-{n}" for n in range(7)],
        refused: ["D-7"],
        alone: ["D-9"],
        "no evidence": ["D-8"],
    }


def test_the_terminal_of_a_run_shows_them(root: Root) -> None:
    project = Project(root)
    project.folder.items(STATED.replace("everybody was notified", ASKS))
    project.sign()
    project.roster(paul={"keys": []})
    done = root.run("--today", project.on(0), env="staging")
    (shown,) = [line for line in done.out.splitlines() if line.startswith("    D-2.2.1: ")]
    assert "SUSPECT: paul signed it on" in shown
    assert "but its signature is not valid" in shown
