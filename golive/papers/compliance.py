"""What shows that laws and standards are kept."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import Annotated, Literal

from msgspec import Meta, field

from golive.papers import Kind, Part
from golive.papers.words import PersonId, Sha256


class Processor(Part, frozen=True, kw_only=True):
    """A company that processes personal data for us."""

    name: str
    hosts: Annotated[list[str], Meta(description="host names that the product talks to")]
    purpose: str
    contract_on: date


class ProcessingRegister(Kind, frozen=True, kw_only=True):
    """The record of processing activities: why, on which basis, for how long, by whom."""

    file = "processing-register.md"
    reviewed_on: date
    legal_bases: Annotated[dict[str, str], Meta(description="purpose to legal basis")]
    retention_days: Annotated[dict[str, int], Meta(description="kind of data to days")]
    impact_assessment_on: date
    breach_notice_hours: Annotated[
        int, Meta(description="until the authority is notified; 72 by law")
    ]
    processors: list[Processor]
    notices: Annotated[list[str], Meta(description="addresses of privacy and cookie notice")]

    def unknown(self, hosts: Iterable[str]) -> list[str]:
        """Hosts that are no processor's."""
        return sorted(set(hosts) - {h for p in self.processors for h in p.hosts})

    def without_contract(self, day: date) -> list[str]:
        """Processors whose contract begins after a day, and when."""
        return [f"{p.name}: {p.contract_on}" for p in self.processors if p.contract_on > day]


class CardCompliance(Kind, frozen=True, kw_only=True):
    """How the card industry's standard (PCI DSS) is kept."""

    file = "card-compliance.md"
    questionnaire: Annotated[str, Meta(description="e.g. SAQ A")]
    assessed_on: date
    valid_until: date
    scanned_on: Annotated[date, Meta(description="by an approved scanning vendor")]
    scanned_by: str
    processor_valid_until: Annotated[date, Meta(description="the payment provider's attestation")]
    card_origin: Annotated[str, Meta(description="from which alone card fields are loaded")]
    scripts: Annotated[
        list[str],
        Meta(
            description="approved scripts of the payment pages: the path of our own, the address"
            " of others, 'inline' and the SHA-256 of the text of those in the page itself"
        ),
    ]

    @property
    def ends(self) -> dict[str, date]:
        """Until when each attestation is valid."""
        return {
            f"self-assessment ({self.questionnaire})": self.valid_until,
            "payment provider's own attestation": self.processor_valid_until,
        }


class Control(Part, frozen=True, kw_only=True):
    """How a criterion is met."""

    criterion: Annotated[str, Meta(description="e.g. CC6.1")]
    category: Literal["security", "availability", "confidentiality"]
    control: str
    owner: PersonId
    evidence: Annotated[str, Meta(description="address")]
    is_met: bool
    plan: Annotated[str, Meta(description="needed where it is not met")] = ""
    plan_accepted_by: Annotated[str, Meta(description="a person's id")] = ""


class ControlMatrix(Kind, frozen=True, kw_only=True):
    """SOC 2: every criterion with its control, owner and evidence."""

    file = "control-matrix.md"
    assessed_on: date
    access_reviewed_on: date
    controls: list[Control]

    def without_owner(self, people: Collection[str]) -> list[str]:
        """Criteria whose owner is none of these people."""
        return [
            f"{c.criterion}: {c.owner or 'nobody'}" for c in self.controls if c.owner not in people
        ]

    def without_plan(self, people: Collection[str]) -> list[str]:
        """Unmet criteria without a plan that one of these people has accepted."""
        return [
            c.criterion
            for c in self.controls
            if not c.is_met and not (c.plan.strip() and c.plan_accepted_by in people)
        ]


class PersonsAccess(Part, frozen=True, kw_only=True):
    """What somebody logs in as."""

    person: PersonId
    aws: Annotated[str, Meta(description="name of the IAM user; empty: none")] = ""
    database: Annotated[str, Meta(description="name of the role; empty: none")] = ""


class ServiceAccess(Part, frozen=True, kw_only=True):
    """An account that no person logs in as."""

    system: Literal["aws", "database"]
    name: str
    purpose: str


class AccessList(Kind, frozen=True, kw_only=True):
    """Who has access to AWS and to the database. Signed with `golive sign` by who approves it."""

    file = "access-list.md"
    approved_on: date
    people: list[PersonsAccess]
    services: list[ServiceAccess]

    def names(self, system: str) -> list[str]:
        """What people log in to a system as."""
        return [name for p in self.people if (name := getattr(p, system))]

    def strangers(self, **accounts: Collection[str]) -> list[list[str]]:
        """Of the accounts of each system those that are no service's."""
        services = {(s.system, s.name) for s in self.services}
        return [
            [name for name in names if (system, name) not in services]
            for system, names in accounts.items()
        ]

    def leavers(self, known: Collection[str]) -> list[str]:
        """People on the list who are none of these."""
        return sorted({p.person for p in self.people} - set(known))


class Certificate(Part, frozen=True, kw_only=True):
    """A certificate, report or attestation of a framework."""

    framework: Literal["GDPR", "PCI DSS", "SOC 2"]
    issuer: str
    legal_entity: str
    system: str
    valid_until: date
    certificate: Annotated[str, Meta(description="file name, beside this paper")]
    certificate_sha256: Sha256


class Certificates(Kind, frozen=True, kw_only=True):
    """The certificates of each framework in scope."""

    file = "certificates.md"
    legal_entity: str
    system: str
    authorised_issuers: list[str]
    certificates: list[Certificate]
    not_applicable: Annotated[
        dict[str, str], Meta(description="framework to the item that says so, approved")
    ] = field(default_factory=dict)

    def of_other_issuer(self, issuers: Collection[str]) -> list[str]:
        """Certificates that none of these issuers has issued, and who has."""
        return [f"{c.framework}: {c.issuer}" for c in self.certificates if c.issuer not in issuers]

    def for_another(self, entity: str, system: str) -> list[str]:
        """Certificates of another legal entity or system, and of which."""
        return [
            f"{c.framework}: {c.system} of {c.legal_entity}"
            for c in self.certificates
            if (c.legal_entity, c.system) != (entity, system)
        ]

    def days_past(self, day: date) -> dict[str, float]:
        """For how long each is valid after a day."""
        return {str(c.framework): (c.valid_until - day).days for c in self.certificates}

    @property
    def files(self) -> tuple[str, ...]:
        """File names of the certificates."""
        return tuple(c.certificate for c in self.certificates)

    def altered(self, digests: Mapping[str, str]) -> list[str]:
        """Files that are not those registered.

        :param digests: SHA-256 of each file as it lies there.
        """
        return [
            c.certificate
            for c in self.certificates
            if digests[c.certificate] != c.certificate_sha256
        ]
