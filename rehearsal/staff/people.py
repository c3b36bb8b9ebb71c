"""Throw-away people: a roster in which every role is filled and backed up, with real SSH keys.

The keys are made at first use and lie in the rehearsal's folder; they can sign nothing that
another environment would take. `roster.toml` is what the suite reads. Settings of the part
`people` change it: `without` (ids to leave out) and one table for each id, laid over the person.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.kernel import toml
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.files import write_atomically
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts import Endpoints

ROLES = (
    "database_administrator",
    "devops_lead",
    "executive_team",
    "integration_lead",
    "performance_lead",
    "product_manager",
    "qa_lead",
    "security_lead",
    "technical_lead",
)
"""The owners of the procedure's items."""
DOCUMENTS, STATEMENTS, PACKAGES = "golive-document", "golive-statement", "golive-package"


@dataclass(frozen=True)
class Person:
    """Somebody of the rehearsal; phone and e-mail address follow from the place in the list."""

    id: str
    name: str
    roles: tuple[str, ...] = ()
    backs_up: tuple[str, ...] = ()
    powers: tuple[str, ...] = ()


PEOPLE = (
    Person("dana", "Dana Whitfield", ("database_administrator",)),
    Person("omar", "Omar Haddad", ("devops_lead",)),
    Person("elena", "Elena Marsh", ("executive_team",)),
    Person("ines", "Ines Duarte", ("integration_lead",)),
    Person("petra", "Petra Novak", ("performance_lead",)),
    Person("paul", "Paul Adeyemi", ("product_manager",)),
    Person("quinn", "Quinn Barrett", ("qa_lead",)),
    Person("sanjay", "Sanjay Iyer", ("security_lead",), powers=("breach-confirmation",)),
    Person("tess", "Tess Lindqvist", ("technical_lead",), powers=("rollback",)),
    Person("drew", "Drew Sandoval", ("engineer",), ("database_administrator",)),
    Person("noor", "Noor Aziz", ("engineer",), ("devops_lead",)),
    Person("marcus", "Marcus Hale", ("executive",), ("executive_team",)),
    Person("ivan", "Ivan Kolar", ("engineer",), ("integration_lead",)),
    Person("priya", "Priya Raman", ("engineer",), ("performance_lead",)),
    Person("leah", "Leah Okoro", ("product",), ("product_manager",)),
    Person("theo", "Theo Brandt", ("engineer",), ("qa_lead",)),
    Person("sofia", "Sofia Reyes", ("engineer",), ("security_lead",), ("breach-confirmation",)),
    Person("hugo", "Hugo Lambert", ("engineer",), ("technical_lead",), ("rollback",)),
    Person("greta", "Greta Holm", ("data_protection_officer",)),
    Person("felix", "Felix Moreau", ("finance",)),
    Person("lucia", "Lucia Ferrante", ("legal_counsel",)),
    Person("ben", "Ben Castillo", (), ("legal_counsel", "finance", "data_protection_officer")),
    Person("amy", "Amy Fischer", ("support_lead", "support")),
    Person("carlos", "Carlos Vega", ("support",), ("support_lead",)),
    Person("mina", "Mina Tanaka", ("support",)),
    Person("joel", "Joel Abrams", ("support",)),
)


def holder(role: str) -> Person:
    """Who holds a role. Raises KeyError for one that nobody has."""
    return next(p for p in PEOPLE if role in p.roles)


def phone(person: Person) -> str:
    """A number of the range that is kept free for fiction."""
    return f"+1202555{100 + [p.id for p in PEOPLE].index(person.id):04d}"


def email(person: Person) -> str:
    return f"{person.id}@bookedbarber.example"


def keys(r: Rehearsal) -> Path:
    """Folder of the private keys, one file for each person; made at first use."""
    folder = r.path("people", "keys", "x").parent
    for person in PEOPLE:
        if not (folder / person.id).exists() and not (folder / f"{person.id}.away").exists():
            _make_key(folder / person.id, f"rehearsal {person.id}")
    return folder


def _make_key(path: Path, comment: str) -> None:
    """A key pair as ssh-keygen makes it, which would take a process for each."""
    # Loaded here: most commands find the keys made.
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(form.Encoding.OpenSSH, form.PublicFormat.OpenSSH)
    private = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.OpenSSH, form.NoEncryption())
    write_atomically(path.with_name(f"{path.name}.pub"), f"{public.decode()} {comment}\n", 0o644)
    write_atomically(path, private.decode(), 0o600)


def roster(r: Rehearsal) -> Path:
    """The roster as it is to be now; written only where that changes it."""
    path = r.path("people", "roster.toml")
    folder = keys(r)
    text = ["# Written by the rehearsal; its people are made up.\nschema = 1\n"]
    settings, portals = r.overrides("people"), r.url("saas-stubs", "/vendor")
    without = settings.get("without", [])
    for person in PEOPLE:
        if person.id in without:
            continue
        fields: dict[str, Any] = {
            "id": person.id,
            "name": person.name,
            "email": email(person),
            "phone": phone(person),
            "roles": list(person.roles),
            "backs_up": list(person.backs_up),
            "powers": list(person.powers),
            "keys": [{"public": " ".join((folder / f"{person.id}.pub").read_text().split()[:2])}],
        }
        fields |= settings.get(person.id, {})
        text.append(_table("person", fields))
    for vendor in VENDORS:
        portal = {"portal": f"{portals}/{vendor['id']}"}
        changed = settings.get(f"vendor-{vendor['id']}", {})
        fields = {k: v for k, v in {**vendor, **portal, **changed}.items() if v is not None}
        text.append(_table("vendor", fields))
    text += [_table("escalation", fields) for fields in settings.get("levels", LEVELS)]
    written = "\n".join(text)
    if not path.exists() or path.read_text() != written:
        write_atomically(path, written, 0o644)
    return path


VENDORS: list[dict[str, Any]] = [
    {
        "id": "render",
        "name": "Render Support",
        "phone": "+12025550190",
        "sla_hours": 1,
        "email": "support@render.example",
        "account": "wks-rehearsal",
        "services": ["srv-rehearsal-app", "srv-rehearsal-jobs"],
    },
    {
        "id": "stripe",
        "name": "Stripe Support",
        "phone": "+12025550191",
        "sla_hours": 2,
        "email": "support@stripe.example",
        "account": "acct_rehearsal",
    },
    {
        "id": "sendgrid",
        "name": "SendGrid Support",
        "phone": "+12025550192",
        "sla_hours": 4,
        "email": "support@sendgrid.example",
        "account": "sg-rehearsal",
        "services": ["mail.bookedbarber.example"],
    },
]
"""Whom to call outside; the portal of each is one of the stubbed pages, and what one is asked for
is a setting of its own, ``vendor-ID``."""


LEVELS: list[dict[str, Any]] = [
    {"level": 1, "from_minutes": 0, "roles": ["technical_lead", "devops_lead"]},
    {"level": 2, "from_minutes": 15, "roles": ["product_manager", "security_lead"]},
    {"level": 3, "from_minutes": 30, "roles": ["executive_team"]},
    {
        "level": 4,
        "from_minutes": 60,
        "roles": ["legal_counsel"],
        "vendors": ["render", "stripe", "sendgrid"],
    },
]


def allowed_signers(r: Rehearsal, role: str) -> str:
    """Who may sign for a role, as ssh-keygen reads it."""
    lines = []
    for person in PEOPLE:
        if role in (*person.roles, *person.backs_up):
            key = (keys(r) / f"{person.id}.pub").read_text().split()[:2]
            lines.append(f'{person.id} namespaces="golive-*" {" ".join(key)}\n')
    return "".join(lines)


def papers(r: Rehearsal) -> Path:
    """Folder of the documents that these people write."""
    return r.path("people", "papers", "x").parent


def statements(r: Rehearsal) -> Path:
    """Folder of what these people have signed."""
    return r.path("people", "statements", "x").parent


def documents(r: Rehearsal) -> Path:
    """Folder where the suite keeps the deliverables that these people sign."""
    return r.path("people", "documents", "x").parent


def sign(r: Rehearsal, path: Path, role: str) -> None:
    """Sign a document again with the key of a role's holder."""
    sign_as(r, path, holder(role).id)


def sign_as(r: Rehearsal, path: Path, person: str) -> None:
    """Sign a document again with somebody's key."""
    path.with_name(path.name + ".sig").unlink(missing_ok=True)
    _ssh_keygen("-Y", "sign", "-f", str(keys(r) / person), "-n", DOCUMENTS, str(path))


def _table(name: str, fields: dict[str, Any]) -> str:
    lines = [f"{key} = {toml.inline(value)}" for key, value in fields.items()]
    return "\n".join([f"[[{name}]]", *lines]) + "\n"


def _ssh_keygen(*arguments: str) -> None:
    try:
        done = subprocess.run(
            ["ssh-keygen", *arguments], capture_output=True, text=True, check=False, timeout=30
        )
    except FileNotFoundError:
        raise RehearsalError(
            "ssh-keygen is not there; install OpenSSH's client (Debian: openssh-client)."
        ) from None
    if done.returncode:
        raise RehearsalError(f"ssh-keygen failed: {(done.stderr or done.stdout).strip()}")


def endpoints(r: Rehearsal) -> Endpoints:
    """Where others find the roster and what these people write and sign."""
    return {
        "people": {
            "roster": str(roster(r)),
            "papers": str(papers(r)),
            "statements": str(statements(r)),
            "keys": str(keys(r)),
            "documents": str(documents(r)),
            "packages": str(r.path("people", "packages", "x").parent),
        }
    }
