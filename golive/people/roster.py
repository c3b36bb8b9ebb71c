"""The roster: people, the roles they hold and back up, how to reach them, their SSH keys.

``roster.toml`` is the one place that says who may sign what. A key is written as in an
authorized_keys file, so one from an agent or a hardware token is as good as a file's.

    [[person]]
    id = "ada"
    name = "Ada Obi"
    email = "ada@example.com"
    phone = "+15550100"
    roles = ["technical_lead"]
    backs_up = ["devops_lead"]
    powers = ["rollback"]
    was = [{ role = "security_lead", until = 2026-11-20 }]
    keys = [{ public = "ssh-ed25519 AAAA...", since = 2026-11-01 }]

    [[runner]]
    id = "ci"
    title = "The nightly pipeline"
    keys = [{ public = "ssh-ed25519 AAAA..." }]

Reading it refuses what is no roster. Whether a role is filled, a phone number is one, or two
people share a key is for items to judge: those are facts of the launch, not mistakes of a file.
"""

from __future__ import annotations

import base64
import datetime as dt
import re
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from pathlib import Path

import msgspec

from golive.decoding import convert
from golive.environments.errors import explained
from golive.people.keys import KINDS, identity
from golive.people.signatures import DOCUMENTS, RUNS, Signature, signature_of, verify
from golive.toml import read_toml
from golive.verdicts import GoliveError, Unseen

SCHEMA = 1
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
"""An id is a principal of ssh-keygen's and a part of file names."""


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of the file."""


class Key(_Section, frozen=True, kw_only=True):
    """A public SSH key, and the days on which its signatures count (both included)."""

    public: str
    since: dt.date | None = None
    until: dt.date | None = None

    @property
    def material(self) -> str:
        """Type and key without the comment, so that the same key is always the same text."""
        return key_material(self.public)

    @property
    def identity(self) -> str:
        """What it is, however it is written: see :func:`golive.people.keys.identity`."""
        return identity(self.public)


def key_material(public: str) -> str:
    """Type and key of a public key's line; what is no key stays as it is."""
    words = public.split()[:2]
    with suppress(IndexError, ValueError):  # base64 has more than one spelling of the same bytes
        words[1:] = [base64.b64encode(base64.b64decode(words[1])).decode()]
    return " ".join(words)


class FormerRole(_Section, frozen=True, kw_only=True):
    """A role that somebody held or backed up, and the last day on which that was so."""

    role: str
    until: dt.date


class Person(_Section, frozen=True, kw_only=True):
    """Somebody who has a part in the launch. ``id`` is short and names the person everywhere."""

    id: str
    name: str
    email: str
    phone: str
    roles: list[str] = []
    backs_up: list[str] = []
    """Roles that this person takes when their holder cannot."""
    was: list[FormerRole] = []
    """Roles that are over: what was taken back or refused in them stays so."""
    powers: list[str] = []
    """What this person's key decides, e.g. ``rollback``."""
    keys: list[Key] = []

    def may_decide(self, power: str, on: dt.date) -> bool:
        """Whether this person's key decides something, and counts on that day."""
        valid = [
            k for k in self.keys if (k.since or on) <= on and (k.until is None or on <= k.until)
        ]
        return power in self.powers and bool(valid)


class Runner(_Section, frozen=True, kw_only=True):
    """A machine that runs checks by itself, such as CI: its keys sign runs and nothing else."""

    id: str
    title: str
    keys: list[Key] = []


class Vendor(_Section, frozen=True, kw_only=True):
    """Whom to call outside, and what was promised."""

    id: str
    name: str
    phone: str = ""
    email: str = ""
    portal: str = ""
    sla_hours: float | None = None
    account: str = ""
    """What the vendor asks for first: an account, a workspace."""
    services: list[str] = []
    """What else a ticket has to name: ids of services, sending domains."""


class Level(_Section, frozen=True, kw_only=True):
    """A level of escalation: from when on which roles, vendors included, are notified too."""

    level: int
    from_minutes: float
    roles: list[str] = []
    vendors: list[str] = []


class _File(_Section, frozen=True, kw_only=True):
    schema: int
    person: list[Person]
    runner: list[Runner] = []
    vendor: list[Vendor] = []
    escalation: list[Level] = []


@dataclass(frozen=True)
class Roster:
    """Everybody by id, vendors, levels of escalation, and machines that run checks."""

    source: Path
    people: dict[str, Person]
    vendors: dict[str, Vendor]
    escalation: tuple[Level, ...]
    runners: dict[str, Runner] = field(default_factory=dict)

    @property
    def everybody(self) -> dict[str, Person | Runner]:
        """Whoever has keys, by id: people, and machines that run checks."""
        return {**self.people, **self.runners}

    def holders(self, role: str) -> list[Person]:
        """Who holds a role; more than one only for teams."""
        return [p for p in self.people.values() if role in p.roles]

    def backups(self, role: str) -> list[Person]:
        """Who stands in for a role's holder."""
        return [p for p in self.people.values() if role in p.backs_up]

    def entitled(self, role: str) -> list[Person]:
        """Who may sign for a role: its holders, then their backups."""
        return [*self.holders(role), *(p for p in self.backups(role) if role not in p.roles)]

    @property
    def roles(self) -> set[str]:
        """The roles that somebody holds."""
        return {role for p in self.people.values() for role in p.roles}

    def doubles(self, ids: Iterable[str]) -> list[str]:
        """Which of these are one person under two ids, and by what one sees it: a key, a mail
        address or a name that both have. Two people may share a phone."""
        known = [self.people[i] for i in dict.fromkeys(ids) if i in self.people]
        return [
            f"{a.id} and {b.id} (same {', '.join(same)})"
            for a, b in combinations(known, 2)
            if (same := _in_common(a, b))
        ]

    def strangers(self, ids: Iterable[str]) -> list[str]:
        """Which of these are nobody's id here, each once and in order."""
        return sorted(set(ids) - set(self.people))

    def id_of(self, name: str) -> str:
        """The id of who has that mail address, whatever its case; else the name itself."""
        mail = name.lower()
        return next((p.id for p in self.people.values() if p.email.lower() == mail), name)

    def ids_of(self, names: Iterable[str] | Unseen) -> set[str] | Unseen:
        """The ids of who has these names or mail addresses."""
        return names if isinstance(names, Unseen) else {self.id_of(name) for name in names}

    def unreachable(self, ids: Iterable[str]) -> list[str]:
        """Which of these are strangers, or lack a phone number or a mail address."""
        known = self.people
        return sorted(p for p in ids if p not in known or not (known[p].phone and known[p].email))

    def at_level(self, level: int) -> list[str]:
        """The ids of those whom a level of escalation has notified, with their backups."""
        roles = [role for one in self.escalation if one.level == level for role in one.roles]
        return list(dict.fromkeys(p.id for role in roles for p in self.entitled(role)))

    @property
    def escalation_minutes(self) -> list[float]:
        """After how long each level of escalation but the first is notified."""
        return [level.from_minutes for level in self.escalation if level.from_minutes]

    def roles_of(self, person: str, on: dt.date | None = None) -> list[str]:
        """The roles that somebody may sign for, own ones first; empty for a stranger.

        :param on: those of that day too, as far as the roster says which are over.
        """
        known = self.people.get(person)
        if known is None:
            return []
        former = [w.role for w in known.was if on is not None and on <= w.until]
        return list(dict.fromkeys([*known.roles, *known.backs_up, *former]))

    @cached_property
    def shared_keys(self) -> dict[str, list[str]]:
        """Ids of people and runners whose key another has too, with all who have it."""
        owners: dict[str, list[str]] = defaultdict(list)
        for one in self.everybody.values():
            for key in dict.fromkeys(k.identity for k in one.keys):
                owners[key].append(one.id)
        return {i: ids for ids in owners.values() if len(ids) > 1 for i in ids}

    def allowed_signers(self, people: Iterable[str] | None = None) -> str:
        """The keys of these people and runners (default: everybody's) as ssh-keygen reads them."""
        known = self.everybody
        chosen = known if people is None else [p for p in people if p in known]
        lines = []
        for ident in chosen:
            of = "*" if ident in self.people else RUNS.removeprefix("golive-")
            for key in known[ident].keys:
                options = [f'namespaces="golive-{of}"']
                if key.since:
                    options.append(f'valid-after="{key.since:%Y%m%d}"')
                if key.until:  # it counts on that day too
                    ends = key.until + dt.timedelta(days=1)
                    options.append(f'valid-before="{ends:%Y%m%d}"')
                lines.append(f"{ident} {','.join(options)} {key.material}\n")
        return "".join(lines)

    def signature(
        self,
        path: Path,
        role: str,
        *,
        namespace: str = DOCUMENTS,
        signature: Path | None = None,
    ) -> Signature:
        """The signature over a document, if anybody who may sign for the role made it now.

        :raises ProbeError: ssh-keygen is not there.
        """
        place = signature or signature_of(path)
        if not path.is_file():
            return Signature(place, role, exists=False, valid=False, cause="it is not there")
        if not place.is_file():
            return Signature(place, role, exists=False, valid=False, cause="it is not signed")
        cause = f"{self.source} has nobody with a key for the role {role}"
        for person in self.entitled(role):
            if person.id in self.shared_keys:
                others = ", ".join(self.shared_keys[person.id])
                cause = f"{others} have the same key"
                continue
            if not person.keys:
                continue
            found = verify(
                path, self.allowed_signers([person.id]), person.id, namespace, signature=place
            )
            if found.valid:
                return found
            cause = found.cause
        return Signature(place, role, exists=True, valid=False, cause=cause)


def _in_common(a: Person, b: Person) -> list[str]:
    """By what two entries are one person's; what is still to be filled in is nobody's."""
    marks = [
        {
            "key": {k.identity for k in one.keys},
            # What stands behind a plus sign is a label of the same mailbox.
            "mail address": {re.sub(r"\+[^@]*@", "@", one.email.strip().casefold())},
            "name": {" ".join(one.name.split()).casefold()},
        }
        for one in (a, b)
    ]
    shared = {what: marks[0][what] & marks[1][what] for what in marks[0]}
    return [what for what, same in shared.items() if any(s and "[" not in s for s in same)]


def load(path: Path) -> Roster:
    """Read a roster.

    :raises GoliveError: it is none; names the file, the key, what was found and expected.
    """
    raw = read_toml(path)
    try:
        file = convert(raw, _File)
    except msgspec.ValidationError as e:
        raise GoliveError(explained(str(e), path, [(path, raw)], _File, "the roster")) from None
    if file.schema != SCHEMA:
        raise GoliveError(f"{path}: schema: found {file.schema}; expected {SCHEMA}")
    for kind, ids in {
        "person": [p.id for p in file.person],
        "runner": [r.id for r in file.runner],
        "vendor": [v.id for v in file.vendor],
    }.items():
        for ident in ids:
            if not _ID.fullmatch(ident):
                raise GoliveError(
                    f"{path}: {kind}.id: found {ident[:64]!r}; expected letters of ASCII, digits,"
                    " - and _"
                )
            if ids.count(ident) > 1:
                raise GoliveError(f"{path}: {kind}.id: found {ident!r} twice; expected it once")
    if not file.person:
        raise GoliveError(f"{path}: person: found nobody; expected at least one person")
    for ident in {p.id for p in file.person} & {r.id for r in file.runner}:
        raise GoliveError(
            f"{path}: runner.id: found {ident!r}, which is a person; expected another"
        )
    for kind, ones in (("person", file.person), ("runner", file.runner)):
        for one in ones:
            for key in one.keys:
                _check(key, f"{kind} {one.id}", path)
    for person in file.person:
        for over in person.was:
            if not over.role or over.role in (*person.roles, *person.backs_up):
                raise GoliveError(
                    f"{path}: person {person.id}: was.role: found {over.role!r}, which is no role"
                    " that is over; expected one that neither roles nor backs_up names"
                )
    return Roster(
        path,
        {p.id: p for p in file.person},
        {v.id: v for v in file.vendor},
        tuple(sorted(file.escalation, key=lambda level: level.level)),
        {r.id: r for r in file.runner},
    )


def _check(key: Key, whose: str, path: Path) -> None:
    where = f"{path}: {whose}: keys.public"
    expected = 'expected a public SSH key such as "ssh-ed25519 AAAA..."'
    if not set(key.public.split()[:1]) & set(KINDS):
        what = "a private key" if "PRIVATE KEY" in key.public else repr(key.public[:40])
        raise GoliveError(f"{where}: found {what}; {expected}")
    try:
        identity(key.public)
    except ValueError as e:
        raise GoliveError(f"{where}: found {key.public[:40]!r}, which {e}; {expected}") from None
    if key.since and key.until and key.until < key.since:
        raise GoliveError(
            f"{path}: {whose}: keys.until: found {key.until}; expected no day before"
            f" since, which is {key.since}"
        )


# -- a roster to fill in -----------------------------------------------------------------------

_HEAD = """\
# Who is who in the launch: people, the roles they hold and back up, how to reach them, their keys.
# Write over everything in [brackets]. An id is short and stays: statements carry it. A public key
# is a line of ~/.ssh/*.pub or of `ssh-add -L`; nobody shares one:
#
#     keys = [{ public = "ssh-ed25519 AAAA...", since = 2026-11-01 }]
#
# Who leaves, or gives a role up, stays here: with `until` (the last day) at the key, and the role
# under `was`. Otherwise what that person had refused or taken back could not be checked any more,
# which counts against GO:
#
#     was = [{ role = "technical_lead", until = 2026-11-20 }]
schema = 1
"""


def template(roles: Iterable[str]) -> str:
    """A roster to fill in: a holder and a backup for each role; one person where there is none."""
    people = [
        (f"{role.replace('_', '-')}{suffix}", field, role)
        for role in roles
        for suffix, field in (("", "roles"), ("-backup", "backs_up"))
    ]
    return "\n".join(
        [
            _HEAD,
            *(
                f'[[person]]\nid = "{ident}"\nname = "[Name]"\nemail = "[e-mail address]"\n'
                f'phone = "[phone, as +12025550100]"\n{field} = ["{role}"]\nkeys = []\n'
                for ident, field, role in people or [("somebody", "roles", "[role]")]
            ),
        ]
    )
