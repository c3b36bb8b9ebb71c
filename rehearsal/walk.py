"""The whole way of the people around one run, by the commands that people use.

Before the run one item is attested and another one waived by two; after it the launch is decided
on and packaged, two sign the package, and it is verified. Then what must be refused: a copy with
one byte changed, and the package as one of another environment. The waiver and the decision are
taken back in the end, so that the next rehearsal begins like this one.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

from rehearsal import lifecycle
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.world import PROJECT, Rehearsal
from rehearsal.staff import people

ATTESTED = "D-8.3.5"
"""An item of the Product Manager's that asks for no paper of the day."""
WAIVED = "D-5.D.2"
"""An item of the Product Manager's that is red for what nobody has written yet. The rehearsal's
risk register covers it, as whoever waives has to see to."""
_LAST = ("NOT DUE", "NOT LOOKED AT", "UNWRITTEN")
_LIMIT_S = 300.0


def walk(r: Rehearsal, words: Sequence[str], reports: Path) -> int:
    """Bring the rehearsal up, walk, and run every written item on the way.

    :param words: more words for pytest.
    :param reports: folder of runs, pages and packages.
    :returns: pytest's exit status, where that is not 0 the way ends there.
    :raises RehearsalError: a command did not do what it should, or did what it must not.
    """
    lifecycle.up(r)
    people.roster(r)
    here: tuple[str, ...] = ("--env", "rehearsal")
    if reports != PROJECT / "reports":
        here += ("--reports", str(reports))
    owner, second = people.holder("product_manager").id, people.holder("executive_team").id
    tomorrow = (date.today() + timedelta(days=1)).isoformat()  # noqa: DTZ011 - own calendar
    _say("", "People begin: one item is attested, one is waived by two", "")
    _golive("attest", ATTESTED, "--as", owner, "--statement", "I saw this myself.", *here)
    reported = _golive(
        "waive",
        WAIVED,
        "--as",
        owner,
        "--until",
        tomorrow,
        *here,
        "--reason",
        "its last clause is looked at by hand",
        "--risk",
        "a clause is overlooked",
    )
    waiver = _found(r"^ +id +(\S+)$", reported)
    _golive("waive", "--second", waiver, "--as", second, *here, says="complete")
    _say("", "Every written item is run", "")
    status = subprocess.run(
        [sys.executable, "-m", "pytest", "--report-only", f"--reports={reports}", *words],
        cwd=PROJECT,
        check=False,
    ).returncode
    if status:
        return status
    _say("", "People decide: a decision, a package, two signatures, and whether it holds", "")
    page = reports / "launch.html"
    answer = json.loads(_golive("status", *here, "--json", "--page", str(page), shown=False))
    decision = "go" if answer["answer"] == "GO" else "no-go"
    reason = "every rule holds" if decision == "go" else "rules do not hold"
    decided = _golive("approve", decision, "--reason", reason, "--as", second, *here)
    made = _golive("package", "--as", second, *here)
    package = Path(os.path.relpath(_found(r"^package: +(.+)$", made), PROJECT))
    lead = people.holder("technical_lead").id
    _golive("package", "--sign", str(package), "--as", lead, *here)
    _golive("verify", str(package), "--for", "rehearsal", says="holds:")
    flipped = package.with_suffix(".flipped")
    data = bytearray((PROJECT / package).read_bytes())
    data[len(data) // 2] ^= 1
    (PROJECT / flipped).write_bytes(data)
    try:
        _golive("verify", str(flipped), refused=True)
    finally:
        (PROJECT / flipped).unlink()
    _golive("verify", str(package), "--for", "production", refused=True)
    for statement in (waiver, _found(r"^ +id +(\S+)$", decided)):
        _golive("revoke", statement, "--as", second, "--reason", "the rehearsal is over", *here)
    looked_for = keeps_secrets(r, [PROJECT / package, page, reports / "report.html"])
    _say(f"  None of {looked_for} secrets stands in package, launch page or report.")
    states = Counter(s["state"] for s in answer["standings"])
    looked_at = sum(bool(s["looked_at"]) for s in answer["standings"])
    _say(
        "",
        f"Rehearsed  {looked_at} of {len(answer['standings'])} items: "
        + ", ".join(f"{states[s]} {s}" for s in sorted(states, key=lambda s: (s in _LAST, s))),
        f"Answer     REHEARSAL, decides nothing: {answer['answer']} (when it was packaged)",
        f"Report     {reports / 'report.html'}",
        f"Launch     {page}",
        f"Package    {PROJECT / package}",
        "Next       open the report and read what is red; `golive rehearsal faults` lists what can"
        " be broken; `golive rehearsal down` ends it",
    )
    return 0


def keeps_secrets(r: Rehearsal, files: Sequence[Path]) -> int:
    """Search files, and what zips among them hold, for every password, token and private key.

    :returns: how many were searched for.
    :raises RehearsalError: one is there; names it and where, never its value.
    """
    texts: dict[str, bytes] = {}
    for path in files:
        texts[path.name] = path.read_bytes()
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                texts |= {f"{path.name}: {n}": archive.read(n) for n in archive.namelist()}
    places = [*r.path("secrets", "x").parent.iterdir(), *people.keys(r).iterdir()]
    hidden = {p: p.read_bytes().strip() for p in places if p.suffix != ".pub"}
    for place, secret in hidden.items():
        # A private key is many lines; any of them would do harm, and its middle is its own.
        tokens = secret.splitlines()
        token = tokens[len(tokens) // 2]
        for name, text in texts.items():
            if token in text:
                raise RehearsalError(f"the secret {place.name} stands in {name}")
    return len(hidden)


def _golive(*words: str, says: str = "", refused: bool = False, shown: bool = True) -> str:
    """Run one command, show it with the line that tells what it did, and give back what it said.

    :param says: begins the line to show; default: the first one.
    :raises RehearsalError: it failed, or did not where it must be refused, or says something else.
    """
    command = shlex.join(["golive", *words])
    if shown:
        _say(f"  $ {command}")
    done = subprocess.run(
        [str(Path(sys.executable).with_name("golive")), *words],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=_LIMIT_S,
    )
    reported = (done.stdout + done.stderr).strip()
    answers = words[0] == "status" and bool(done.stdout)  # NO-GO is an answer, not a failure
    if (done.returncode != 0) is not refused and not answers:
        wrong = "was not refused" if refused else f"failed with status {done.returncode}"
        raise RehearsalError(f"`{command}` {wrong}:\n{reported}")
    telling = [line.strip() for line in reported.splitlines() if line.strip().startswith(says)]
    if not telling:
        raise RehearsalError(f"`{command}` does not say {says!r}:\n{reported}")
    if shown:
        _say(f"    {telling[0]}")
    return done.stdout


def _found(pattern: str, reported: str) -> str:
    match = re.search(pattern, reported, re.MULTILINE)
    if match is None:
        raise RehearsalError(f"no {pattern!r} in what golive said:\n{reported.strip()}")
    return match[1].strip()


def _say(*lines: str) -> None:
    for line in lines:
        print(line, flush=True)
