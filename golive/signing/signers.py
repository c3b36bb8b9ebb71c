"""Whose key is at hand: the part that sessions and the commands of people share."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Generic, TypeVar

from golive.context import Context
from golive.people import signatures
from golive.people.roster import Key, Person, Runner, key_material
from golive.verdicts import GoliveError

_LIMIT_S = 30.0

One = TypeVar("One", bound=Person | Runner)


@dataclass(frozen=True)
class Signer(Generic[One]):
    """Somebody of the roster, and the key that is at hand."""

    person: One
    key: Path
    reported: str
    """The key in words."""


@dataclass(frozen=True)
class _Found:
    """A key that could sign, and where it was found."""

    fingerprint: str
    place: str
    path: Path | None
    """None: only an agent has it."""


class NoKey(GoliveError):
    """No key at hand is one of the roster's."""


@contextmanager
def at_hand(
    context: Context,
    among: Mapping[str, One],
    named: str = "",
    key: Path | None = None,
    words: tuple[str, str] = ("--as", "--key"),
) -> Iterator[Signer[One]]:
    """Who signs: the one that is named, or else the one whose key is at hand.

    :param among: who may, by id.
    :param named: an id of them.
    :param key: the file of a key; default: those of the agent and of ~/.ssh.
    :param words: what the user says them with.
    :raises NoKey: no key at hand is theirs on the roster.
    :raises GoliveError: nobody, or more than one, can be reported, or the key does not count.
    """
    if named and named not in among:
        raise GoliveError(
            f"{words[0]}: found {named!r}; expected an id of {context.roster.source}:"
            f" {', '.join(among)}"
        )
    found = _named(key) if key else _at_hand(context, named)
    matches = [
        (one, who, known)
        for one in found
        for who in among.values()
        for known in who.keys
        if named in ("", who.id) and fingerprint(known.material) == one.fingerprint
    ]
    if not matches:
        raise NoKey(_nobody(context, among, named, key, found, words[1]))
    for _, who, _ in matches:
        if who.id in context.roster.shared_keys:
            others = ", ".join(context.roster.shared_keys[who.id])
            raise GoliveError(
                f"{context.roster.source}: {others} have the same key; expected one for each person"
            )
    ids = sorted({who.id for _, who, _ in matches})
    if len(ids) > 1:
        raise GoliveError(
            f"{words[0]}: the keys at hand are those of {', '.join(ids)}: say who signs"
        )
    today = datetime.now(UTC).date()
    chosen, who, own = next((m for m in matches if _counts(m[2], today)), matches[0])
    if not _counts(own, today):
        when = f"from {own.since} on" if own.since and today < own.since else f"until {own.until}"
        raise GoliveError(
            f"{chosen.place}: is a key of {who.id} that counts {when}; expected one that counts"
            f" today ({context.roster.source})"
        )
    reported = f"{chosen.place} ({chosen.fingerprint})"
    if chosen.path is not None:
        yield Signer(who, chosen.path, reported)
        return
    with tempfile.NamedTemporaryFile("w", suffix=".pub") as public:
        public.write(f"{own.material}\n")
        public.flush()
        yield Signer(who, Path(public.name), reported)


def try_out(signer: Signer[One]) -> None:
    """Let the key sign now where it could not ask for a passphrase later.

    :raises GoliveError: it cannot sign.
    """
    if _can_ask():
        return
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / "trial"
        trial.write_bytes(b"trial")
        try:
            signatures.sign(trial, signer.key, "golive-trial")
        except GoliveError as e:
            cause = str(e).removeprefix(f"{trial}: ")
            raise GoliveError(
                f"{signer.reported}: {cause}; there is no terminal to ask for a passphrase on: load"
                " the key into an agent (ssh-add), or name one without a passphrase"
            ) from None


def _can_ask() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def fingerprint(material: str) -> str:
    """A key as ssh-keygen -l names it."""
    blob = base64.b64decode(material.split()[1])
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return f"SHA256:{digest}"


def _counts(key: Key, day: date) -> bool:
    return not ((key.since and day < key.since) or (key.until and day > key.until))


def _nobody(
    context: Context,
    among: Mapping[str, One],
    named: str,
    key: Path | None,
    found: list[_Found],
    word: str,
) -> str:
    if named and not among[named].keys:
        kind = "person" if named in context.roster.people else "runner"
        return (
            f"{context.roster.source}: {kind} {named}: keys: found none; expected your public"
            ' SSH key, as keys = [{ public = "ssh-ed25519 AAAA..." }]'
        )
    whose = f"of {named}" if named else "of anybody"
    if key:
        return (
            f"{word}: found {key} ({found[0].fingerprint}), which is no key {whose} on"
            f" {context.roster.source}"
        )
    there = ", ".join(f.place for f in found) or "none"
    return (
        f"{word}: found no key {whose} on {context.roster.source} in the agent or in ~/.ssh (there:"
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


def _at_hand(context: Context, person: str) -> list[_Found]:
    """The keys of the agent and of ~/.ssh; in a rehearsal, the person's throw-away key."""
    if person and context.keys and context.environment.kind == "rehearsal":
        return _named(context.keys / person)
    found = []
    for line in _asked(["ssh-add", "-L"]).splitlines():
        found += _public(line, "the agent's key", None)
    for path in sorted((Path.home() / ".ssh").glob("*.pub")):
        private = path.with_suffix("")
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
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
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_LIMIT_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""  # then there is no such key
    return done.stdout if done.returncode == 0 else ""
