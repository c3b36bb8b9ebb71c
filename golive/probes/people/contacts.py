"""Whether people can be reached: a text and a mail to each, and the answers to them."""

from __future__ import annotations

import math
import re
import secrets
import time
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from pathlib import Path
from zoneinfo import ZoneInfo

from golive.environments import Environment
from golive.people import roster
from golive.people.roster import Person, Roster
from golive.probes.people import mail, sms
from golive.probing import pause, probe
from golive.verdicts import GoliveError, ProbeError

HISTORY = timedelta(days=30)
"""How far back tests are looked for."""
_TEST = "launch contact test"
_CODE = re.compile(rf"{_TEST}\D*?\b([A-Z0-9]{{6,}})\b", re.DOTALL)
_WORD = r"(?:tbd|tba|tbc|todo|n/?a|unknown|placeholder|your name|first ?last|x{3,}|\?+)"
_PLACEHOLDER = re.compile(
    # the word alone, or with what is to be done
    rf"\W*{_WORD}\W*|(?:tbd|tba|tbc|todo)\s*:.*"
    # in brackets of any kind; names are not written in square, curly or pointed ones
    rf"|.*(?:[\[\]<>{{}}]|\(\s*{_WORD}\s*\)).*"
    # a number with digits left out
    r"|[-+\d\s().]*x{2,}[-x\d\s().]*",
    re.IGNORECASE | re.DOTALL,
)
_POLL_S = 0.5
_UNDELIVERED = frozenset({"undelivered", "failed", "not_delivered", "canceled"})


@dataclass(frozen=True, slots=True)
class Trial:
    """One test message to somebody, and the answer with its code."""

    address: str
    sent_at: datetime
    status: str
    """What the service says of its delivery, or why it was not taken."""
    answered_at: datetime | None = None
    answered_from: str = ""

    @property
    def minutes(self) -> float | None:
        """From message to answer."""
        if self.answered_at is None:
            return None
        return (self.answered_at - self.sent_at).total_seconds() / 60


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody who holds or backs up a role, and the tests of the phone and the address."""

    person: Person
    roles: tuple[str, ...]
    backs_up: tuple[str, ...]
    placeholders: tuple[str, ...]
    """Fields that are empty or still to be filled in."""
    e164: bool
    """Whether the phone number is one that exists, in E.164 form."""
    addressable: bool
    """Whether the mail address has the form of one."""
    texts: tuple[Trial, ...]
    """Newest first."""
    mails: tuple[Trial, ...]

    @property
    def name(self) -> str:
        """As messages call this person."""
        return self.person.name or self.person.id

    @property
    def newest(self) -> dict[str, Trial]:
        """The newest test by what it went to."""
        tests = {"text to": self.texts, "mail to": self.mails}
        return {f"{how} {self.name}": trials[0] for how, trials in tests.items() if trials}

    @property
    def unanswered(self) -> list[str]:
        """The newest tests that nobody answered, with what became of them."""
        tests = {"text to": self.texts, "mail to": self.mails}
        return [
            f"{how} {self.name} ({trials[0].status if trials else 'none was sent'})"
            for how, trials in tests.items()
            if not trials or trials[0].answered_at is None
        ]

    @property
    def from_elsewhere(self) -> list[str]:
        """The newest tests that were answered from another number or address."""
        return [
            f"{what} (from {trial.answered_from})"
            for what, trial in self.newest.items()
            if trial.answered_at and not is_same(trial.answered_from, trial.address)
        ]


@dataclass(frozen=True, slots=True)
class ContactTest:
    """Everybody who was to answer."""

    source: str
    """The roster's file."""
    zone: str
    looked_at: datetime
    waited_s: float
    contacts: tuple[Contact, ...]

    def holders(self, role: str) -> list[Contact]:
        """Who holds the role."""
        return [c for c in self.contacts if role in c.roles]

    def backups(self, role: str) -> list[Contact]:
        """Who stands in for its holder."""
        return [c for c in self.contacts if role in c.backs_up]

    def minutes(self, contacts: Iterable[Contact]) -> dict[str, float]:
        """From each newest test to its answer."""
        newest = {what: t for c in contacts for what, t in c.newest.items()}
        return {what: t.minutes for what, t in newest.items() if t.minutes is not None}

    def days(self, contacts: Iterable[Contact]) -> dict[str, float]:
        """From each newest test's answer until now."""
        newest = {what: t for c in contacts for what, t in c.newest.items()}
        return {
            what: (self.looked_at - t.answered_at) / timedelta(days=1)
            for what, t in newest.items()
            if t.answered_at is not None
        }

    def unfilled(self, contacts: Iterable[Contact]) -> list[str]:
        """Contacts with fields still to fill in, and these."""
        return [f"{c.name} ({', '.join(c.placeholders)})" for c in contacts if c.placeholders]

    def sharing_phones(self, contacts: Collection[Contact]) -> list[str]:
        """Contacts whose phone number is another's too."""
        count = Counter(c.person.phone for c in contacts)
        return [c.name for c in contacts if count[c.person.phone] > 1]

    def unanswered(self, contacts: Iterable[Contact]) -> list[str]:
        """The newest tests that nobody answered, with what became of them."""
        return [reported for c in contacts for reported in c.unanswered]

    def from_elsewhere(self, contacts: Iterable[Contact]) -> list[str]:
        """The newest tests that were answered from another number or address."""
        return [reported for c in contacts for reported in c.from_elsewhere]

    def of(self, role: str) -> list[Contact]:
        """Holders, then backups; somebody who is both once."""
        held = self.holders(role)
        return [*held, *(c for c in self.backups(role) if c not in held)]

    def by_night(self, contact: Contact, from_h: float, until_h: float) -> list[datetime]:
        """Answers from an hour of the evening to one of the morning, by the launch's clock."""
        zone = ZoneInfo(self.zone)
        times = [
            t.answered_at.astimezone(zone)
            for t in (*contact.texts, *contact.mails)
            if t.answered_at is not None
            and any(
                is_same(t.answered_from, own)
                for own in (contact.person.phone, contact.person.email)
            )
        ]
        return [at for at in times if at.hour >= from_h or at.hour < until_h]


@probe(effect="write", limit="drill")
def contact_test(env: Environment) -> ContactTest:
    """A text and a mail to everybody who has to be reachable, and their answers."""
    people = _people(env)
    began = datetime.now(UTC)
    log = _Log.of(env, began - HISTORY)
    asked: dict[tuple[str, str], str] = {}
    for person in people:
        for how, address in (("text", person.phone), ("mail", person.email)):
            answered = [t for t in log.trials(how, address) if t.answered_at]
            age_s = min(((began - t.sent_at).total_seconds() for t in answered), default=math.inf)
            if age_s > env.windows.contact_test_s:
                asked[how, address] = _ask(env, how, address)
    sent = [key for key, refused in asked.items() if not refused]
    ends = time.monotonic() + env.windows.contact_reply_s
    pause_s = max(_POLL_S, min(15.0, env.windows.contact_reply_s / 60))
    if sent:
        log = _Log.of(env, began - HISTORY)
        while not all(log.is_over(*key, began) for key in sent) and time.monotonic() < ends:
            pause(pause_s)
            log = _Log.of(env, began - HISTORY)
    for key, refused in asked.items():
        if refused:
            log.add(*key, Trial(key[1], began, refused))
    return ContactTest(
        source=env.people.roster,
        zone=env.calendar.time_zone,
        looked_at=datetime.now(UTC),
        waited_s=env.windows.contact_reply_s,
        contacts=tuple(_contact(env, person, log) for person in people),
    )


def read_roster(env: Environment) -> Roster:
    """The roster of an environment.

    :raises ProbeError: it cannot be read.
    """
    try:
        return roster.load(Path(env.people.roster))
    except GoliveError as e:
        raise ProbeError("the roster", e, "see people.roster in the environment file") from None


def _people(env: Environment) -> list[Person]:
    known = read_roster(env)
    found = {p.id: p for role in env.contacts.roles for p in known.entitled(role)}
    return list(found.values())


def _contact(env: Environment, person: Person, log: _Log) -> Contact:
    fields = {"name": person.name, "phone": person.phone, "email": person.email}
    return Contact(
        person=person,
        roles=tuple(r for r in env.contacts.roles if r in person.roles),
        backs_up=tuple(r for r in env.contacts.roles if r in person.backs_up),
        placeholders=tuple(k for k, v in fields.items() if is_placeholder(v)),
        e164=is_e164(person.phone),
        addressable=is_address(person.email),
        texts=tuple(log.trials("text", person.phone)),
        mails=tuple(log.trials("mail", person.email)),
    )


def is_placeholder(text: str) -> bool:
    """Whether a field is empty or still to be filled in.

    A real name or address may contain such a word, as Todo Rossi does.
    """
    return not text.strip() or bool(_PLACEHOLDER.fullmatch(text.strip()))


def is_same(one: str, other: str) -> bool:
    """Whether two numbers or mail addresses are one: mail is written in any letter case."""
    return one.strip().casefold() == other.strip().casefold()


def is_e164(phone: str) -> bool:
    """Whether a phone number is one that can exist, written in E.164 form."""
    import phonenumbers

    try:
        number = phonenumbers.parse(phone)
    except phonenumbers.NumberParseException:
        return False
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return bool(phonenumbers.is_valid_number(number)) and written == phone


def is_address(email: str) -> bool:
    """Whether a mail address has the form of one, and nothing around it."""
    return parseaddr(email)[1] == email and bool(
        re.fullmatch(r"[^@\s]+@([\w-]+\.)+[\w-]{2,}", email)
    )


def _ask(env: Environment, how: str, address: str) -> str:
    """Send a test; why it is not taken, or nothing."""
    code = secrets.token_hex(4).upper()
    text = f"{env.title}: {_TEST}. Reply with the code {code}."
    if how == "text":
        return sms.send(env, address, text)
    return mail.send(env, address, f"{env.title}: {_TEST} {code}", text)


class _Log:
    """The tests by what they went by and where to, newest first, with their answers."""

    def __init__(self) -> None:
        self._trials: dict[tuple[str, str], list[Trial]] = {}

    @classmethod
    def of(cls, env: Environment, since: datetime) -> _Log:
        """What the services tell."""
        log, texts = cls(), sms.texts(env, since)
        answers = [(t.body, t.sent_at, t.sender) for t in texts if t.inbound]
        for t in texts:
            code = None if t.inbound else _CODE.search(t.body)
            if code:
                trial = Trial(t.to, t.sent_at, f"{t.status} {t.error}".strip())
                log.add("text", t.to, _answered(trial, code[1], answers))
        answers = [
            (f"{r.subject}\n{r.text}", r.received_at.astimezone(UTC), parseaddr(r.sender)[1])
            for r in mail.replies(env, since)
        ]
        for m in mail.activity(env, since):
            code = _CODE.search(m.subject)
            if code:
                trial = Trial(m.to, m.last_event_at, m.status)
                log.add("mail", m.to, _answered(trial, code[1], answers))
        return log

    def add(self, how: str, address: str, trial: Trial) -> None:
        """One more."""
        trials = self._trials.setdefault((how, address.casefold()), [])
        trials.append(trial)
        trials.sort(key=lambda t: t.sent_at, reverse=True)

    def trials(self, how: str, address: str) -> list[Trial]:
        """Those to one address."""
        return self._trials.get((how, address.casefold()), [])

    def is_over(self, how: str, address: str, since: datetime) -> bool:
        """Whether nothing more is to be waited for after a test at that moment."""
        newest = next(iter(self.trials(how, address)), None)
        # Services tell times by the second.
        if newest is None or newest.sent_at < since - timedelta(seconds=1):
            return False
        return newest.answered_at is not None or newest.status.split(" ")[0] in _UNDELIVERED


def _answered(trial: Trial, code: str, answers: list[tuple[str, datetime, str]]) -> Trial:
    first = min((a for a in answers if code in a[0]), key=lambda a: a[1], default=None)
    return trial if first is None else replace(trial, answered_at=first[1], answered_from=first[2])
