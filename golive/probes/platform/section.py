"""The cloud and the feature flags."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from golive.sections import Secret, Section, needed


class Aws(Section, frozen=True, kw_only=True):
    """AWS as the SDK reaches it."""

    endpoint_url: str = ""
    """Empty: AWS itself."""
    access_key_id: Secret = needed()
    secret_access_key: Secret = needed()
    groups: dict[str, str] = {}
    """Names of IAM groups by what their members may do: hosting, dns, deploy, secrets."""


class Flags(Section, frozen=True, kw_only=True):
    """The feature flags, as Unleash tells its clients."""

    url: str = needed()
    """Up to and with ``/api``."""
    token: Secret = needed()
    """A client's token, which decides on project and environment."""
    admin_token: Secret | None = None
    """A token that may read who has an account there."""


class SecretsManager(Section, frozen=True, kw_only=True):
    """AWS Secrets Manager, and who may read there.

    The key of ``[aws]`` may assume both roles; it creates, rotates and deletes synthetic secrets
    below ``synthetic_prefix``, and describes the product's own.
    """

    region: str = needed()
    kms_key: str = needed()
    """The key that encrypts secrets: id, ARN or alias."""
    kms_keys: dict[str, str] = {}
    """Keys of secrets that have another one, by the secret's name."""
    names: list[str] = needed()
    """Every secret of the product, by name or ARN."""
    app_role: str = needed()
    """ARN of the role that the application reads secrets as."""
    outside_role: str = needed()
    """ARN of a role of the same account that no policy lets read them."""
    synthetic_prefix: str = "golive/"
    """What the names of synthetic secrets begin with; the app role may read below it."""
    read_command: list[str] = needed()
    """Reads the secret {secret} as the client of the instance {instance} at {url} does. Prints
    sha256: of the value, in hexadecimal."""

    def key_of(self, name: str) -> str:
        """The key that is declared for a secret."""
        return self.kms_keys.get(name, self.kms_key)


class Zone(Section, frozen=True, kw_only=True):
    """Where connections come from."""

    address: str = "local://"
    """Where testinfra finds the machine that makes them, e.g. ``ssh://scan-box``; bash, timeout and
    curl are there."""
    source: str = ""
    """The address of this machine that they come from; empty: the one it chooses."""


class SecurityGroup(Section, frozen=True, kw_only=True):
    """A security group that is in use."""

    TABLE: ClassVar = "network.groups"
    name: str
    """Its name or its id."""
    is_public: bool = False
    """Whether anybody may come in, at ``public_ports``: the balancer's."""
    ports: list[int] = []
    """Ports of databases, poolers and caches behind it."""
    admits: list[str] = []
    """Names of the only groups that may come in at these ports."""


class AdminInterface(Section, frozen=True, kw_only=True):
    """What administrators use. An address is ``host:port``, or a URL."""

    TABLE: ClassVar = "network.interfaces"
    name: str
    kind: Literal[
        "ssh",
        "database",
        "prometheus",
        "alertmanager",
        "balancer statistics",
        "metrics",
        "other",
    ] = "other"
    private: str
    """Its address in the VPN."""
    public: list[str] = []
    """Where somebody outside would look for it; empty: the private port, or that path, at the
    control's host and each of ``public_addresses``."""
    public_at: str = ""
    """``host:port`` to connect to for a URL in ``public``, instead of what DNS says."""


class Network(Section, frozen=True, kw_only=True):
    """What may be reached from where."""

    regions: list[str] = []
    """AWS regions; empty: each that the account has enabled."""
    vpcs: list[str] = []
    """Ids of the product's VPCs; empty: every VPC of the account."""
    groups: list[SecurityGroup] = needed()
    """Every security group that a network interface has."""
    public_ports: list[int] = msgspec.field(default_factory=lambda: [80, 443])
    outside: Zone = needed()
    """A place on the internet."""
    vpn: Zone = needed()
    """A place in the VPN's range of addresses."""
    control: str = needed()
    """``host:port`` that everybody may connect to: shows that the outside place can connect."""
    public_addresses: list[str] = []
    """Public addresses of the product's machines besides those that AWS tells."""
    interfaces: list[AdminInterface] = needed()
    """Every administrative interface."""
    access_approved_by: str = "security_lead"
    """The role that signs the list of who has access."""
    without: list[str] = []
    """Kinds of listeners and interfaces that the product does not have: pgbouncer, ssh ..."""


class Audit(Section, frozen=True, kw_only=True):
    """The audit trail of AWS, and the central log that all else is written to.

    The central log is a log group of CloudWatch Logs, or what two commands search and guard. The
    key of ``[aws]`` may assume ``writer_role``.
    """

    trail: str = needed()
    """Name or ARN of the trail of CloudTrail."""
    region: str = needed()
    """The trail's home region, which the log group is in, too."""
    log_group: str = ""
    search_command: list[str] = []
    """Instead of a log group. Prints the entries since {since} (ISO 8601) that hold {text}: a list
    of texts, as they were written."""
    delete_command: list[str] = []
    """Instead of a log group. Tries, as those who write the log, to delete a synthetic entry or
    stream of it. Prints deleted: true or false."""
    writer_role: str = needed()
    """ARN of the role that writes the central log."""
    refused_url: str = needed()
    """A URL of an administrative interface that refuses this machine."""
    source: str = ""
    """The address that the product sees requests of this machine come from; empty: its own."""
