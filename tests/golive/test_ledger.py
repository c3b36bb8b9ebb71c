from __future__ import annotations

import errno
import fcntl
import json
import os
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec
import pytest

from golive import ledger
from golive.ledger import END, FACTS, HEAD, VERDICTS, Gathered, Head, ItemVerdict, Ledger, Line
from golive.masking import Hidden, Mask
from golive.people.roster import Roster, load
from golive.verdicts import GoliveError, Verdict
from tests.conftest import make_key, toml

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def line(ident: str, order: int) -> Line:
    return Line(
        id=ident,
        title="T",
        owner="O",
        block="b",
        block_title="B",
        phase="p",
        task="t",
        area="db",
        way="probe",
        effect="read",
        order=order,
    )


def head(ident: str = "20261124T090000.000000Z-staging-ab12") -> Head:
    return Head(
        id=ident,
        environment=ledger.EnvironmentRef("staging", "staging", "Staging", "f" * 64),
        candidate="v2.0.0",
        launch_date=date(2026, 12, 7),
        today=date(2026, 11, 24),
        who="ann",
        host="context",
        started_at=NOW,
        suite=ledger.Suite("unknown", None),
        packages={"pytest": "9.2.0"},
        windows={"queries_s": 60.0},
        selected=[line("D-13.1.2", 1), line("D-13.1.1", 0)],
        unwritten=[],
    )


def verdict(ident: str, said: Verdict = Verdict.PASS, **more: Any) -> ItemVerdict:
    return ItemVerdict(id=ident, verdict=said, started_at=NOW, duration_s=0.25, **more)


@pytest.fixture
def written(tmp_path: Path) -> Ledger:
    mask = Mask()
    mask.add("kestrel-7f3a9c")
    return Ledger(tmp_path, head(), mask)


def test_a_run_is_read_as_it_was_written(written: Ledger, tmp_path: Path) -> None:
    claim = ledger.Claim("lag", "31 s", "at most 10 s", holds=False, see="db-2")
    written.add_facts(
        Gathered(probe="nodes", observed_at=NOW, duration_s=1.5, value={"seen": {"b", "a"}})
    )
    written.add_verdict(verdict("D-13.1.2", Verdict.FAIL, claims=[claim], message="m\nn"))
    written.add_verdict(verdict("D-13.1.1", Verdict.NOT_APPLICABLE))
    end, unsigned = written.close(1)
    run = ledger.read_run(written.folder)
    assert ledger.runs(tmp_path) == [written.folder]
    assert run.head == head()
    assert list(run.lines) == ["D-13.1.1", "D-13.1.2"]
    assert run.verdicts["D-13.1.2"].claims == [claim]
    assert run.verdicts["D-13.1.2"].message == "m\nn"
    assert run.verdicts["D-13.1.1"].verdict is Verdict.NOT_APPLICABLE
    assert set(run.facts["nodes"].value["seen"]) == {"a", "b"}
    assert (run.end, unsigned) == (end, "")
    assert run.digest == end.digest


@pytest.mark.parametrize("cut", [0, 1, 20])
def test_a_run_without_an_end_keeps_every_whole_line(written: Ledger, cut: int) -> None:
    written.add_verdict(verdict("D-13.1.1"))
    written.add_verdict(verdict("D-13.1.2", Verdict.FAIL))
    path = written.folder / VERDICTS
    os.truncate(path, path.stat().st_size - cut)
    run = ledger.read_run(written.folder)
    assert list(run.verdicts) == ["D-13.1.1", "D-13.1.2"][: 2 if cut == 0 else 1]
    assert run.end is None


def test_what_does_not_fit_json_is_kept_as_text_and_secrets_are_kept_in_no_form(
    written: Ledger,
) -> None:
    class Mode(Enum):
        FAST = "fast"

    written.add_facts(
        Gathered(
            probe="odd",
            observed_at=NOW,
            duration_s=0.0,
            value={
                "kestrel-7f3a9c": {1: Mode.FAST, "nan": float("nan"), "path": Path("/x")},
                "dsn": [("postgresql://bob:kestrel-7f3a9c@db", b"Basic bob:kestrel-7f3a9c")],
                "deep": repr({"a": 'it\'s "kestrel-7f3a9c"'}),
            },
        )
    )
    written.add_verdict(verdict("D-13.1.1", message="kestrel-7f3a9c", detail="E  kestrel-7f3a9c"))
    written.close(0)
    value = ledger.read_run(written.folder).facts["odd"].value
    assert value["********"] == {"1": "fast", "nan": None, "path": "/x"}
    everything = b"".join(p.read_bytes() for p in written.folder.iterdir())
    assert b"kestrel" not in everything
    assert b"a2VzdHJlbC" not in everything
    assert b"a2VzdHJlbC03ZjNhOW" not in everything


@pytest.mark.parametrize(
    "text",
    [
        "as it is",
        "KESTREL-7F3A9C",
        "before kestrel-7f3a9c behind",
        "kestrel-7f3a9",
        'a quote " before kestrel-7f3a9c',
        "a line\nand kestrel-7f3a9c",
        "kestrel\\u002d7f3a9c",
        "é kestrel-7f3a9c",
        "half a character \udce9",
        "postgresql://bob:hunter2@db",
        "postgresql://bob:",
        "\x7f\x85\u2028",
    ],
)
def test_each_text_of_a_verdict_is_masked_by_itself(written: Ledger, text: str) -> None:
    mask = Mask()
    mask.add("kestrel-7f3a9c")
    claim = ledger.Claim(text, "kestrel-", "7f3a9c", holds=True, whole=[text, "a@b"])
    given = verdict("D-13.1.1", message=text, detail="7f3a9c", claims=[claim], asserted=["k"])
    written.add_verdict(given)
    written.close(0)
    kept = ledger.read_run(written.folder).verdicts["D-13.1.1"]
    shown = mask(text).encode("utf-8", "backslashreplace").decode()
    claim = ledger.Claim(shown, "kestrel-", "7f3a9c", holds=True, whole=[shown, "a@b"])
    assert kept == msgspec.structs.replace(given, message=shown, claims=[claim])


def test_what_a_look_was_given_in_secret_is_no_fact(written: Ledger) -> None:
    given = Hidden("kestrel-7f3a9c")
    value = {"token": given, "all": [given], "told": f"with {given}"}
    written.add_facts(Gathered(probe="p", observed_at=NOW, duration_s=0.0, value=value))
    written.close(0)
    assert "kestrel" not in (written.folder / "facts.jsonl").read_text()
    assert given.reveal() == "kestrel-7f3a9c"


def test_lines_of_many_threads_stay_whole(written: Ledger) -> None:
    def write(n: int) -> None:
        for m in range(20):
            written.add_verdict(verdict(f"{n}.{m}", detail="x" * 5_000))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    written.close(0)
    assert len(ledger.read_run(written.folder).verdicts) == 160


def _newer(folder: Path) -> None:
    raw = json.loads((folder / HEAD).read_text())
    (folder / HEAD).write_text(json.dumps(raw | {"schema": 3, "environment": "of another shape"}))


def _edit(name: str, old: bytes, new: bytes) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        data = (folder / name).read_bytes()
        assert old in data
        (folder / name).write_bytes(data.replace(old, new, 1))

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            _newer,
            "run.json: schema: found 3; this golive reads 2: use the golive that wrote the run",
        ),
        (_edit(VERDICTS, b"FAIL", b"PASS"), "was altered after it ended: its digest does not"),
        (_edit(HEAD, b"v2.0.0", b"v2.0.1"), "was altered after it ended: its digest does not"),
        (lambda f: (f / FACTS).unlink(), "was altered after it ended: its digest does not"),
        (lambda f: (f / HEAD).write_text("{"), "run.json: is damaged: "),
        (lambda f: (f / HEAD).write_text("[" * 10**6), "run.json: is damaged: "),
        (lambda f: (f / HEAD).write_text("[]"), "run.json: schema: found None; this golive reads"),
        (lambda f: (f / HEAD).unlink(), "run.json: cannot be read: No such file or directory"),
        (_edit(END, b"exit_status", b"status"), "is damaged: Object missing required field"),
    ],
)
def test_a_run_that_is_newer_altered_or_damaged_is_refused(
    written: Ledger, change: Callable[[Path], None], message: str
) -> None:
    written.add_facts(Gathered(probe="p", observed_at=NOW, duration_s=0.0))
    written.add_verdict(verdict("D-13.1.1", Verdict.FAIL))
    written.close(1)
    change(written.folder)
    with pytest.raises(GoliveError) as caught:
        ledger.read_run(written.folder)
    assert str(caught.value).startswith(str(written.folder))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_run_is_running_until_its_end_is_written_or_its_writer_is_gone(written: Ledger) -> None:
    assert ledger.is_running(written.folder)
    written.close(0)
    assert not ledger.is_running(written.folder)
    (written.folder / END).unlink()  # as one that was killed
    assert not ledger.is_running(written.folder)
    (written.folder / VERDICTS).unlink()
    assert not ledger.is_running(written.folder)


def test_where_files_have_no_locks_a_run_that_was_just_written_to_counts_as_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    written = Ledger(tmp_path, head(), Mask())
    assert ledger.is_running(written.folder)
    os.utime(written.folder / VERDICTS, (NOW.timestamp() - 10**8,) * 2)
    assert not ledger.is_running(written.folder)


def test_a_damaged_line_is_never_taken_for_a_missing_verdict(written: Ledger) -> None:
    written.add_verdict(verdict("D-13.1.1"))
    written.add_verdict(verdict("D-13.1.2"))
    _edit(VERDICTS, b'"PASS"', b'"GOOD"')(written.folder)
    with pytest.raises(GoliveError, match=r"verdicts\.jsonl: line 1 is damaged: Invalid enum"):
        ledger.read_run(written.folder)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where the folder should be")
    with pytest.raises(GoliveError, match=r"cannot be written: .*; expected a folder for reports"):
        Ledger(tmp_path, head(), Mask())


def roster(folder: Path, **keys: Path) -> Roster:
    """People and, by the name ci, a runner, each with one key."""
    known = {
        i: [{"public": " ".join(k.with_suffix(".pub").read_text().split()[:2])}]
        for i, k in keys.items()
    }
    ada = {"name": "Ada", "email": "a@example.com", "phone": "+12025550100"}
    text = {
        "schema": 1,
        "person": [ada | {"id": i, "keys": k} for i, k in known.items() if i != "ci"],
        "runner": [{"id": i, "title": "CI", "keys": k} for i, k in known.items() if i == "ci"],
    }
    path = folder / "roster.toml"
    path.write_text(toml(text))
    return load(path)


@pytest.mark.parametrize("who", ["ada", "ci"])
def test_a_person_or_a_runner_signs_a_runs_end(written: Ledger, tmp_path: Path, who: str) -> None:
    keys = {i: make_key(tmp_path / i) for i in ("ada", "ci")}
    known = roster(tmp_path, **keys)
    end, cause = written.close(0, ledger.Signing(who, keys[who], known))
    run = ledger.read_run(written.folder)
    assert (end.by, cause, run.end) == (who, "", end)
    assert ledger.unsigned(run, known) == ""
    assert {p.name for p in written.folder.iterdir()} == set(ledger.FILES)
    assert {p.stat().st_mode & 0o777 for p in written.folder.iterdir()} == {0o600}
    raw = json.loads((written.folder / END).read_text())
    (written.folder / END).write_text(json.dumps(raw | {"exit_status": 3}))
    assert "is not valid" in ledger.unsigned(ledger.read_run(written.folder), known)


def test_a_signature_that_does_not_hold_leaves_the_run_whole_and_unsigned(
    written: Ledger, tmp_path: Path
) -> None:
    keys = {i: make_key(tmp_path / i) for i in ("ada", "ci")}
    known = roster(tmp_path, **keys)
    end, cause = written.close(1, ledger.Signing("ci", keys["ada"], known))
    run = ledger.read_run(written.folder)
    assert "the signature of ci is not valid" in cause
    assert (run.end, end.by, end.exit_status) == (end, "", 1)
    assert ledger.unsigned(run, known) == "nobody has signed its end"
    assert {p.name for p in written.folder.iterdir()} == {HEAD, FACTS, VERDICTS, END}


@pytest.mark.usefixtures("ssh_keygen")
@pytest.mark.parametrize("broken", ["gone", "no key", "interrupted"])
def test_a_key_that_cannot_sign_never_costs_the_run(
    written: Ledger, tmp_path: Path, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = make_key(tmp_path / "ada")
    known = roster(tmp_path, ada=key)
    if broken == "gone":
        key.unlink()
    elif broken == "no key":
        key.write_text("no key")
    else:  # as by somebody who does not want to type a passphrase
        tool = tmp_path / "bin" / "ssh-keygen"
        tool.parent.mkdir()
        tool.write_text(f"#!/bin/sh\nkill -INT {os.getpid()}\nsleep 5\n")
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    end, cause = written.close(0, ledger.Signing("ada", key, known))
    assert cause
    assert ledger.read_run(written.folder).end == end
    assert {p.name for p in written.folder.iterdir()} == {HEAD, FACTS, VERDICTS, END}
