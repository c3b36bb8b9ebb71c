"""``golive attest``: what is signed holds at once, and nothing is written where it could not."""

from __future__ import annotations

import io
import json
import os
import pty
import select
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from golive.cli import main
from golive.people.statements import Signed, read_statement
from tests.conftest import SECRET, SECRET_VARIABLE, STATED, Project, make_key, toml

Capture = pytest.CaptureFixture[str]

SECOND = """
@attested("D-2.1.8", "the papers are true", by=("product_manager", "technical_lead"),
          papers=("runbook.md",))
def test_the_papers_are_true(vouched):
    '''Signed.

    Remedy: write them.'''


@attested("D-2.1.9", "I am there", each=True)
def test_everybody_is_there(vouched):
    '''Signed.

    Remedy: come.'''
    assert vouched.by_everyone(["paul", "tess"], "people")


@item("D-2.1.1")
def test_looked_at():
    '''Looked at.

    Remedy: look.'''
"""


@pytest.fixture
def context_of(project: Project) -> Project:
    """With an item that takes two roles and a paper, and one that is asked of everybody."""
    project.folder.items(STATED + SECOND)
    project.folder.write("papers/runbook.md", "# Runbook\n")
    return project


def attest(project: Project, *words: str, by: str = "paul", env: str = "staging") -> int:
    key = ["--key", str(project.keys[by])] if by else []
    return main(["attest", *words, *key, "--env", env])


def kept(project: Project) -> list[Signed]:
    folder = project.statements
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return [read_statement(p) for p in found]


def refused(project: Project, capsys: Capture, *words: str, by: str = "paul") -> str:
    """What is said where it is refused; nothing is left in the folder, not even a draft."""
    assert attest(project, *words, by=by) == 1
    assert not project.statements.is_dir() or not list(project.statements.iterdir())
    return capsys.readouterr().err


def test_what_is_attested_holds_and_is_shown(context_of: Project, capsys: Capture) -> None:
    note = context_of.folder.write("minutes of the day.txt", "all agreed")
    words = ("D-2.2.1", "--statement", "everybody was notified", "--evidence", str(note))
    assert attest(context_of, *words, "https://example.com/wiki?page=1") == 0
    (signed,) = kept(context_of)
    assert context_of.cause(signed) == ""
    assert signed.evidence[0].read_text() == "all agreed"
    said = capsys.readouterr().out
    assert "signed: attest D-2.2.1, by Paul Adeyemi as product manager" in said
    assert "minutes of the day.txt" in said
    assert "https://example.com/wiki?page=1 (a link, on the signer's word)" in said
    assert "holds     until " in said
    assert "complete  nobody else has to" in said
    assert f"{context_of.keys['paul']} (SHA256:" in said


def test_it_tells_what_the_item_still_lacks(context_of: Project, capsys: Capture) -> None:
    assert attest(context_of, "D-2.1.8", "--statement", "true") == 0
    assert "missing   not stated yet by technical lead" in capsys.readouterr().out
    assert attest(context_of, "D-2.1.8", "--statement", "true", by="tess") == 0
    assert "complete" in capsys.readouterr().out


def test_the_papers_of_the_item_come_along(context_of: Project) -> None:
    attest(context_of, "D-2.1.8", "--statement", "true")
    (signed,) = kept(context_of)
    assert [e.name for e in signed.statement.evidence] == ["runbook.md"]


def test_a_paper_that_is_not_there_is_asked_for(context_of: Project, capsys: Capture) -> None:
    (context_of.path / "papers/runbook.md").unlink()
    said = refused(context_of, capsys, "D-2.1.8", "--statement", "true")
    assert "runbook.md is not there; `golive init" in said


def test_another_file_of_a_papers_name_is_refused(context_of: Project, capsys: Capture) -> None:
    other = context_of.folder.write("old/runbook.md", "# Old\n")
    words = ("D-2.1.8", "--statement", "true", "--evidence", str(other))
    assert "says something else" in refused(context_of, capsys, *words)


def test_answers_are_kept_as_they_are_given(context_of: Project) -> None:
    file = context_of.folder.write("answers.json", '{"rooms": ["A", "B"]}')
    words = ("D-2.2.1", "--statement", "told", "--data", str(file), "hours=2", "who=Tess")
    assert attest(context_of, *words) == 0
    assert kept(context_of)[0].statement.data == {"rooms": ["A", "B"], "hours": 2, "who": "Tess"}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ('{"a": 1, "a": 2}', "a key is there twice"),
        ('{"a": 1e999}', "found the number 1e999"),
        ("[1]", "found no object"),
        ("{", "expected KEY=VALUE or a file with an object of JSON"),
    ],
)
def test_answers_that_mean_nothing_are_refused(
    context_of: Project, capsys: Capture, answer: str, said: str
) -> None:
    file = context_of.folder.write("answers.json", answer)
    words = ("D-2.2.1", "--statement", "told", "--data", str(file))
    assert said in refused(context_of, capsys, *words)
    assert "found 'a' twice" in refused(context_of, capsys, *words[:3], "--data", "a=1", "a=2")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("D-2.2.1",), "--statement: is missing"),
        (("D-2.2.1", "--statement", "  "), "--statement: is missing"),
        (("D-9.9.9", "--statement", "x"), "found no item 'D-9.9.9'"),
        (("D-2.1.1", "--statement", "x"), "is verified by probe"),
        (("D-2.1.2", "--statement", "x"), "nobody has written its check yet"),
        (("D-2.2.1", "--statement", "x", "--as", "nobody"), "--as: found 'nobody'; expected an id"),
        (("D-2.2.1", "--statement", "x", "--as", "tess"), "which is no key of tess"),
        (("D-2.2.1", "--statement", "x", "--role", "technical_lead"), "--role: found technical"),
        (("D-2.2.1", "--statement", "x", "--expires", "30 d"), "as long as launch.toml lets it"),
        (("D-2.2.1", "--statement", "x", "--expires", "2020-01-01"), "which has passed"),
        (("D-2.2.1", "--statement", "x", "--expires", "soon"), "expected a date such as"),
        (("D-2.2.1", "--statement", "x", "--expires", f"{10**15} d"), "lets it hold"),
        (("D-2.2.1", "--statement", "x" * 10_001), "has 10001 characters"),
        (("D-2.2.1", "--statement", "x", "--evidence", "lost.txt"), "there is no such file"),
        (("D-2.2.1", "--statement", "x", "--evidence", "."), "is no ordinary file"),
        (("D-2.2.1", "--statement", "x", "--evidence", "file:///etc/passwd"), "address of https"),
        (("D-2.2.1", "--statement", "x", "--evidence", "javascript://a.b/%0Aalert(1)"), "https"),
        (
            ("D-2.2.1", "--statement", "x", "--evidence", "https://me:fieldfare@a.example/"),
            "a user in it",
        ),
        (("D-2.2.1", "--statement", "x", "--evidence", "https://a.example/<b>"), "found the addr"),
        (("--statement", "x"), "expected an ITEM, or --block, or --from"),
        (("D-2.2.1", "--block", "D-2"), "just one of them"),
        (("--block", "D-2", "--statement", "x"), "goes with an ITEM"),
        (("--block", "D-77"), "--block: found 'D-77'; expected an id"),
    ],
)
def test_what_could_not_hold_is_refused_before_anything_is_written(
    context_of: Project, capsys: Capture, words: tuple[str, ...], said: str
) -> None:
    assert said in refused(context_of, capsys, *words)
    assert "fieldfare" not in refused(context_of, capsys, *words)


def test_somebody_without_the_role_is_told_who_has_it(context_of: Project, capsys: Capture) -> None:
    said = refused(context_of, capsys, "D-2.2.1", "--statement", "told", by="joel")
    assert "joel has the roles support" in said
    assert "product_manager (Paul Adeyemi, Leah Okoro)" in said


def test_evidence_of_two_gigabytes_is_refused_without_reading_it(
    context_of: Project, capsys: Capture
) -> None:
    large = context_of.path / "large.bin"
    with large.open("wb") as file:
        file.truncate(2 * 2**30)
    words = ("D-2.2.1", "--statement", "told", "--evidence", str(large))
    assert "has 2,048 MiB; expected 64 MiB at most" in refused(context_of, capsys, *words)


def test_a_symbolic_link_is_no_evidence(context_of: Project, capsys: Capture) -> None:
    (context_of.path / "link.txt").symlink_to("/etc/hostname")
    words = ("D-2.2.1", "--statement", "told", "--evidence", "link.txt")
    assert "is a symbolic link" in refused(context_of, capsys, *words)


def test_a_private_key_is_no_evidence(context_of: Project, capsys: Capture) -> None:
    words = ("D-2.2.1", "--statement", "told", "--evidence", str(context_of.keys["tess"]))
    assert "holds a private key" in refused(context_of, capsys, *words)
    text = context_of.keys["tess"].read_text()
    assert "holds a private key" in refused(context_of, capsys, "D-2.2.1", "--statement", text)


def test_escapes_in_text_and_file_name_do_not_reach_the_terminal(
    context_of: Project, capsys: Capture
) -> None:
    odd = context_of.folder.write("a\x1b[2Jb\u202e<script>.txt", "x")
    words = ("D-2.2.1", "--statement", "\x1b[31mred\u202e <b>", "--evidence", str(odd))
    assert attest(context_of, *words) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert kept(context_of)[0].statement.evidence[0].name == "a__2Jb__script_.txt"
    assert main(["statements", "--env", "staging"]) == 0
    assert "\x1b" not in capsys.readouterr().out


# -- keys ------------------------------------------------------------------------------------


def test_without_key_the_one_in_the_home_folder_is_taken(
    context_of: Project, capsys: Capture
) -> None:
    home = Path.home() / ".ssh"
    make_key(home / "a_strangers")
    own = home / "id_ed25519"
    own.write_bytes(context_of.keys["paul"].read_bytes())
    own.chmod(0o600)
    own.with_suffix(".pub").write_bytes(context_of.keys["paul"].with_suffix(".pub").read_bytes())
    assert attest(context_of, "D-2.2.1", "--statement", "told", by="") == 0
    assert f"key       {own}.pub (SHA256:" in capsys.readouterr().out
    assert kept(context_of)[0].statement.by == "paul"


def test_without_any_key_it_says_where_it_looked(context_of: Project, capsys: Capture) -> None:
    said = refused(context_of, capsys, "D-2.2.1", "--statement", "told", by="")
    assert "found no key of anybody" in said
    assert "in the agent or in ~/.ssh" in said


def test_somebody_without_a_key_on_the_roster_is_told_where_it_goes(
    context_of: Project, capsys: Capture
) -> None:
    context_of.roster(paul={"keys": []})
    said = refused(context_of, capsys, "D-2.2.1", "--statement", "told", "--as", "paul")
    assert "roster.toml: person paul: keys: found none; expected your public SSH key" in said


def test_a_key_that_only_an_agent_has_signs(
    context_of: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Capture
) -> None:
    socket = tmp_path / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.PIPE)
    assert agent.stdout is not None
    try:
        agent.stdout.readline()  # it listens
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        subprocess.run(["ssh-add", "-q", str(context_of.keys["tess"])], check=True)
        context_of.keys["tess"].unlink()
        assert attest(context_of, "D-2.1.8", "--statement", "true", by="") == 0
    finally:
        agent.terminate()
        agent.wait(timeout=60)
        agent.stdout.close()
    assert "key       the agent's key (SHA256:" in capsys.readouterr().out
    assert context_of.cause(kept(context_of)[0]) == ""


def test_a_public_half_that_is_not_the_private_keys_own_leaves_nothing(
    context_of: Project, capsys: Capture
) -> None:
    context_of.keys["paul"].write_bytes(context_of.keys["tess"].read_bytes())  # paul.pub stays
    said = refused(context_of, capsys, "D-2.2.1", "--statement", "told")
    assert "is no key of paul" in said or "could not be signed" in said


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_other_kinds_of_keys_sign_as_well(context_of: Project, kind: str) -> None:
    make_key(context_of.keys["paul"], kind)
    context_of.roster()
    assert attest(context_of, "D-2.2.1", "--statement", "told") == 0
    assert context_of.cause(kept(context_of)[0]) == ""


def test_a_key_with_a_passphrase_that_nobody_types_leaves_nothing(
    context_of: Project, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_ASKPASS_REQUIRE", "force")  # a terminal would be asked
    monkeypatch.setenv("SSH_ASKPASS", "/bin/false")
    key = str(context_of.keys["paul"])
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "long words", "-f", key], check=True)
    assert "could not be signed" in refused(context_of, capsys, "D-2.2.1", "--statement", "told")


def test_a_key_of_the_future_and_one_of_the_past_are_refused(
    context_of: Project, capsys: Capture
) -> None:
    public = context_of.public("paul")
    for dates, said in ((("since", "2099-01-01"), "from 2099"), (("until", "2020-01-01"), "until")):
        context_of.roster(
            paul={"keys": [{"public": public, dates[0]: date.fromisoformat(dates[1])}]}
        )
        assert f"counts {said}" in refused(context_of, capsys, "D-2.2.1", "--statement", "told")


def test_two_people_with_one_key_cannot_sign(context_of: Project, capsys: Capture) -> None:
    context_of.roster(leah={"keys": [{"public": context_of.public("paul")}]})
    said = refused(context_of, capsys, "D-2.2.1", "--statement", "told", "--as", "paul")
    assert "paul, leah have the same key" in said


# -- addresses -------------------------------------------------------------------------------


class _Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/large":
            body = bytes(17 * 2**20)
        elif self.path == "/elsewhere":
            self.send_response(302)
            self.send_header("Location", "file:///etc/hostname")
            self.end_headers()
            return
        else:
            body = b"minutes"
        self.send_response(404 if self.path == "/lost" else 200)
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            return  # the reader has had enough

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        return


@pytest.fixture
def page() -> Iterator[Callable[[str], str]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Pages)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield lambda path: f"http://127.0.0.1:{server.server_port}{path}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_what_an_address_answers_is_kept(context_of: Project, page: Callable[[str], str]) -> None:
    words = ("D-2.2.1", "--statement", "told", "--fetch", "--evidence", page("/minutes.html"))
    assert attest(context_of, *words) == 0
    (signed,) = kept(context_of)
    (one,) = signed.statement.evidence
    assert (one.name, one.url) == ("minutes.html", page("/minutes.html"))
    assert signed.evidence[0].read_bytes() == b"minutes"


@pytest.mark.parametrize(
    ("path", "said"),
    [("/lost", "answers 404"), ("/large", "over 16 MiB"), ("/elsewhere", "--fetch: http")],
)
def test_what_cannot_be_fetched_leaves_nothing(
    context_of: Project, capsys: Capture, page: Callable[[str], str], path: str, said: str
) -> None:
    words = ("D-2.2.1", "--statement", "told", "--fetch", "--evidence", page(path))
    assert said in refused(context_of, capsys, *words)


# -- several at once -------------------------------------------------------------------------


def several(project: Project, *entries: dict[str, object]) -> Path:
    project.folder.write("week/minutes.txt", "agreed")
    return project.folder.write("week/mine.toml", toml({"statement": list(entries)}))


def test_several_statements_are_signed_from_a_file(context_of: Project, capsys: Capture) -> None:
    source = several(
        context_of,
        {"item": "D-2.2.1", "text": "told", "evidence": ["minutes.txt"], "expires": "12 h"},
        {"item": "D-2.1.8", "text": "true", "data": {"pages": 3}},
    )
    assert attest(context_of, "--from", str(source)) == 0
    assert {s.statement.item for s in kept(context_of)} == {"D-2.2.1", "D-2.1.8"}
    assert all(context_of.cause(s) == "" for s in kept(context_of))
    assert "2 statements signed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ({"item": "D-2.1.8", "text": " "}, "statement 2: D-2.1.8: it states nothing"),
        ({"item": "D-2.1.8", "text": "x", "evidence": ["lost"]}, "there is no such file"),
        ({"item": "D-2.1.8", "text": "x", "role": "technical_lead"}, "--role: found technical"),
        ({"item": "D-2.2.1", "text": "x"}, "found 'D-2.2.1' twice"),
        ({"item": "D-2.1.8", "text": "x", "extra": 1}, "unknown field `extra`"),
        ({"item": "D-2.1.8"}, "missing required field `text`"),
    ],
)
def test_one_that_could_not_hold_keeps_all_of_a_file_unsigned(
    context_of: Project, capsys: Capture, second: dict[str, object], said: str
) -> None:
    source = several(context_of, {"item": "D-2.2.1", "text": "told"}, second)
    assert said in refused(context_of, capsys, "--from", str(source))


# -- a block ---------------------------------------------------------------------------------


def walk(
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
    *answers: str,
    by: str = "paul",
) -> tuple[int, str]:
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{a}\n" for a in answers)))
    status = attest(project, "--block", "day_minus_2", by=by)
    return status, capsys.readouterr().out


def test_a_block_asks_one_after_another_and_not_again(
    context_of: Project, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    note = context_of.folder.write("note.txt", "x")
    status, said = walk(
        context_of, monkeypatch, capsys, "the papers are true", str(note), "pages=3", "skip"
    )
    assert status == 1
    assert "3 items wait for Paul Adeyemi" in said
    assert f"1 of 3  D-2.1.8  Title of D-2.1.8  (due {context_of.on(-2)}, Product Manager)" in said
    assert "you state   the papers are true" in said
    assert "besides you technical lead (Tess Lindqvist)" in said
    assert f"attached    {context_of.path}/papers/runbook.md" in said
    assert "1 signed, 2 left; the same command goes on" in said
    (signed,) = kept(context_of)
    assert signed.statement.data == {"pages": 3}
    status, said = walk(context_of, monkeypatch, capsys, "here", "", "", "told", "", "")
    assert status == 0
    assert "2 items wait" in said
    assert "2 signed, 0 left" in said
    status, said = walk(context_of, monkeypatch, capsys)
    assert status == 0
    assert "nothing waits for Paul Adeyemi" in said


def test_a_mistake_is_told_and_asked_once_more(
    context_of: Project, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    status, said = walk(
        context_of, monkeypatch, capsys, "true", "lost.txt", "", "true", "", "", "quit"
    )
    assert "not signed: lost.txt: there is no such file" in said
    assert "1 signed, 2 left" in said
    assert status == 1


def test_what_was_signed_stays_when_it_is_interrupted(
    context_of: Project, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    given = iter(["true", "", ""])

    def typed(prompt: str = "") -> str:
        try:
            return next(given)
        except StopIteration:
            raise KeyboardInterrupt from None

    monkeypatch.setattr("builtins.input", typed)
    assert attest(context_of, "--block", "D-2") == 1
    assert "1 signed, 2 left" in capsys.readouterr().out
    assert len(kept(context_of)) == 1


def test_in_a_terminal_ctrl_c_ends_a_block_and_keeps_what_was_signed(context_of: Project) -> None:
    terminal, its_end = pty.openpty()
    words = ["--block", "D-2", "--key", str(context_of.keys["paul"]), "--env", "staging"]
    process = subprocess.Popen(
        [sys.executable, "-c", _AT_A_TERMINAL, *words],
        stdin=its_end,
        stdout=its_end,
        stderr=its_end,
        start_new_session=True,
    )
    os.close(its_end)
    try:
        for typed in ("the papers are true\n", "\n", "\n", "\x03"):
            _shown_until(terminal, "> ")
            os.write(terminal, typed.encode())
        # Python misses a Ctrl-C between its prompt and its reading; people press it again.
        assert "1 signed, 2 left" in _shown_until(terminal, " left", again=b"\x03")
        assert process.wait(timeout=60) == 1
    finally:
        process.kill()
        process.wait(timeout=60)
        os.close(terminal)
    assert [s.statement.text for s in kept(context_of)] == ["the papers are true"]


_AT_A_TERMINAL = """
import fcntl, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs tests may ignore it
from golive.cli import main
sys.exit(main(["attest", *sys.argv[1:]]))
"""


def _shown_until(terminal: int, text: str, *, again: bytes = b"") -> str:
    """What the terminal shows up to and with a text; nothing more is read.

    :param again: typed whenever nothing is shown for 10 s.
    """
    shown = ""
    while not shown.endswith(text):
        if again and not select.select([terminal], [], [], 10)[0]:
            os.write(terminal, again)
        shown += os.read(terminal, 1).decode(errors="replace")
    return shown


def test_a_block_asks_only_for_what_waits_for_that_person(
    context_of: Project, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    _, said = walk(context_of, monkeypatch, capsys, by="tess")
    assert "D-2.1.8" in said
    assert "D-2.2.1" not in said
    _, said = walk(context_of, monkeypatch, capsys, by="joel")
    assert "1 item waits for Joel Abrams" in said  # the one that is asked of everybody


def test_the_data_that_a_command_leaves_is_what_statements_lists(
    context_of: Project, capsys: Capture
) -> None:
    attest(context_of, "D-2.2.1", "--statement", "told")
    capsys.readouterr()
    assert main(["statements", "D-2.2", "--env", "staging", "--json"]) == 0
    reported = json.loads(capsys.readouterr().out)
    (signed,) = kept(context_of)
    assert [s["id"] for s in reported["statements"]] == [signed.id]
    assert reported["statements"][0]["holds"] is True


# -- secrets -----------------------------------------------------------------------------------

SPELT = SECRET.encode().hex().upper()


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (("--statement", f"I logged in with {SECRET}"), "text"),
        (("--statement", f"I logged in with {SPELT}"), "text"),
        (("--statement", "told", "--data", f"token={SECRET}"), "data.token"),
        (("--statement", "told", "--data", f"{SECRET}=1"), "data.********"),
        (("--statement", "told", "--evidence", f"https://example.com/?key={SECRET}"), "evidence"),
        (("--statement", "told", "--evidence", f"{SECRET}.txt"), "evidence"),
        (("--statement", "told", "--evidence", "plain.txt"), "plain.txt"),
        (("--statement", "told", "--evidence", "wide.txt"), "wide.txt"),
        (("--statement", "postgresql://bob:hunter2hunter2@db-1/app"), "text"),
    ],
)
def test_a_known_secret_is_refused_by_its_field_and_never_shown(
    context_of: Project,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    field: str,
) -> None:
    monkeypatch.chdir(context_of.path)
    context_of.folder.write(f"{SECRET}.txt", "nothing")
    context_of.folder.write("plain.txt", f"{'x' * 5000}\npassword: {SECRET}\n")
    (context_of.path / "wide.txt").write_text(f"password: {SECRET}", encoding="utf-16")
    said = refused(context_of, capsys, "D-2.2.1", *words)
    assert f"{field}: holds a secret, or a password in an address" in said
    assert "write ******** in its place" in said
    assert SECRET not in said
    assert SPELT not in said


def test_a_secret_in_a_paper_that_comes_along_is_refused(
    context_of: Project, capsys: Capture
) -> None:
    context_of.folder.write("papers/runbook.md", f"# Runbook\n\n{SECRET}\n")
    said = refused(context_of, capsys, "D-2.1.8", "--statement", "true")
    assert "papers/runbook.md: holds a secret" in said
    assert SECRET not in said


def test_what_is_not_at_hand_to_search_for_is_told(
    context_of: Project, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SECRET_VARIABLE)
    assert attest(context_of, "D-2.2.1", "--statement", f"with {SECRET}") == 0
    said = capsys.readouterr().out
    assert f"searched  not for {SECRET_VARIABLE}, which is not at hand here" in said
    monkeypatch.setenv(SECRET_VARIABLE, "another-secret")
    assert attest(context_of, "D-2.1.8", "--statement", "true") == 0
    assert "searched" not in capsys.readouterr().out


def test_of_several_from_a_file_the_one_with_a_secret_is_refused_before_any_is_signed(
    context_of: Project, capsys: Capture
) -> None:
    entries = (("D-2.2.1", "told"), ("D-2.1.8", f"by {SECRET}"))
    tables = [f"[[statement]]\n{toml({'item': i, 'text': t})}" for i, t in entries]
    file = context_of.folder.write("all.toml", "\n".join(tables))
    said = refused(context_of, capsys, "--from", str(file))
    assert "statement 2: text: holds a secret" in said
    assert "nothing was signed" in said
    assert SECRET not in said


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    "key",
    [
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz\n",
        "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n",
    ],
)
def test_a_private_key_in_the_middle_of_evidence_is_refused(
    context_of: Project, capsys: Capture, key: str, encoding: str
) -> None:
    file = context_of.path / "log.txt"
    file.write_text(f"{'a line of the log' * 20_000}\n{key}more of it\n", encoding=encoding)
    words = ("D-2.2.1", "--statement", "true", "--evidence", str(file))
    assert "log.txt: holds a private key" in refused(context_of, capsys, *words)
