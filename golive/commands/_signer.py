"""Who signs, and with which key: the part that the commands of people share."""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from golive.desk import Desk
from golive.files import read_text
from golive.roster import Key, Person, key_material
from golive.verdicts import GoliveError

_LIMIT_S = 30.0
_MOST_KEY_BYTES = 2**16


@dataclass(frozen=True)
class Signer:
    """Somebody of the roster, and the key that is at hand."""

    person: Person
    key: Path
    told: str
    """The key in words."""


@dataclass(frozen=True)
class _Found:
    """A key that could sign, and where it was found."""

    fingerprint: str
    place: str
    path: Path | None
    """None: only an agent has it."""


def arguments(parser: argparse.ArgumentParser, *, env: bool = True) -> None:
    """What every command takes that signs."""
    parser.add_argument(
        "--as", dest="person", default="", metavar="PERSON",
        help="your id on the roster (default: whose key it is)",
    )  # fmt: skip
    parser.add_argument(
        "--key", type=Path, metavar="FILE",
        help="your SSH key (default: one of yours in the agent or in ~/.ssh)",
    )  # fmt: skip
    parser.add_argument(
        "--env", required=env, default="", metavar="NAME", help="a name or a TOML file"
    )
    parser.add_argument("--reports", type=Path, default=None, metavar="FOLDER")


@contextmanager
def signing(desk: Desk, options: argparse.Namespace) -> Iterator[Signer]:
    """Who signs: the person of --as, or else the one whose key is at hand.

    :raises GoliveError: nobody can be told, or the key is not that person's on the roster.
    """
    people = desk.roster.people
    if options.person and options.person not in people:
        raise GoliveError(
            f"--as: found {options.person!r}; expected an id of {desk.roster.source}:"
            f" {', '.join(people)}"
        )
    found = _named(options.key) if options.key else _at_hand(desk, options.person)
    matches = [
        (one, person, key)
        for one in found
        for person in people.values()
        for key in person.keys
        if options.person in ("", person.id) and fingerprint(key.material) == one.fingerprint
    ]
    if not matches:
        raise GoliveError(_nobody(desk, options, found))
    for _, person, _ in matches:
        if person.id in desk.roster.shared_keys:
            others = ", ".join(desk.roster.shared_keys[person.id])
            raise GoliveError(
                f"{desk.roster.source}: {others} have the same key; expected one for each person"
            )
    persons = sorted({person.id for _, person, _ in matches})
    if len(persons) > 1:
        raise GoliveError(
            f"--as: the keys at hand are those of {', '.join(persons)}: say who signs"
        )
    today = datetime.now(UTC).date()
    chosen, person, key = next((m for m in matches if _counts(m[2], today)), matches[0])
    if not _counts(key, today):
        when = f"from {key.since} on" if key.since and today < key.since else f"until {key.until}"
        raise GoliveError(
            f"{chosen.place}: is a key of {person.id} that counts {when}; expected one that counts"
            f" today ({desk.roster.source})"
        )
    told = f"{chosen.place} ({chosen.fingerprint})"
    if chosen.path is not None:
        yield Signer(person, chosen.path, told)
        return
    with tempfile.NamedTemporaryFile("w", suffix=".pub") as public:
        public.write(f"{key.material}\n")
        public.flush()
        yield Signer(person, Path(public.name), told)


def fingerprint(material: str) -> str:
    """A key as ssh-keygen -l names it."""
    blob = base64.b64decode(material.split()[1])
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return f"SHA256:{digest}"


def _counts(key: Key, day: date) -> bool:
    return not ((key.since and day < key.since) or (key.until and day > key.until))


def _nobody(desk: Desk, options: argparse.Namespace, found: list[_Found]) -> str:
    if options.person and not desk.roster.people[options.person].keys:
        return (
            f"{desk.roster.source}: person {options.person}: keys: found none; expected your public"
            ' SSH key, as keys = [{ public = "ssh-ed25519 AAAA..." }]'
        )
    whose = f"of {options.person}" if options.person else "of anybody"
    if options.key:
        return (
            f"--key: found {options.key} ({found[0].fingerprint}), which is no key {whose} on"
            f" {desk.roster.source}"
        )
    there = ", ".join(f.place for f in found) or "none"
    return (
        f"--key: found no key {whose} on {desk.roster.source} in the agent or in ~/.ssh (there:"
        f" {there}); name yours with --key"
    )


def _named(path: Path) -> list[_Found]:
    """The key of --key. ssh-keygen tells its fingerprint without the passphrase."""
    path = path.expanduser()
    if not path.is_file():
        raise GoliveError(f"{path}: there is no such key; expected an SSH key to sign with")
    said = _asked(["ssh-keygen", "-l", "-E", "sha256", "-f", str(path)])
    match = re.search(r"SHA256:[A-Za-z0-9+/]{43}", said)
    if match is None:
        raise GoliveError(f"{path}: found no SSH key in it; expected one to sign with")
    return [_Found(match[0], str(path), path)]


def _at_hand(desk: Desk, person: str) -> list[_Found]:
    """The keys of the agent and of ~/.ssh; in a rehearsal, the person's throw-away key."""
    if person and desk.keys and desk.environment.kind == "rehearsal":
        return _named(desk.keys / person)
    found = []
    for line in _asked(["ssh-add", "-L"]).splitlines():
        found += _public(line, "the agent's key", None)
    for path in sorted((Path.home() / ".ssh").glob("*.pub")):
        private = path.with_suffix("")
        try:
            text = read_text(path, _MOST_KEY_BYTES, "a public key", links=True)
        except GoliveError:
            continue  # no key that could sign
        found += _public(text, str(path), private if private.is_file() else path)
    return found


def _public(line: str, place: str, path: Path | None) -> list[_Found]:
    try:
        return [_Found(fingerprint(key_material(line)), place, path)]
    except (IndexError, binascii.Error, ValueError):
        return []


def _asked(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            check=False, timeout=_LIMIT_S,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""  # then there is no such key
    return done.stdout if done.returncode == 0 else ""
