"""The cloud, what is deployed there and how, and the feature flags."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from golive.sections import Secret, Section, needed

ASKS_FOR_A_FLAG = (
    r"""\b(?:is_?enabled|isEnabled|feature_enabled|useFlag|variation)\(\s*["'`]([\w.-]+)["'`]"""
)
"""As clients of Unleash and its like are called in Python and JavaScript."""


class Aws(Section, frozen=True, kw_only=True):
    """AWS as the SDK reaches it."""

    endpoint_url: str = ""
    """Empty: AWS itself."""
    access_key_id: Secret = needed()
    secret_access_key: Secret = needed()
    groups: dict[str, str] = {}
    """Names of IAM groups by what their members may do: hosting, dns, deploy, secrets."""


class Mesh(Section, frozen=True, kw_only=True):
    """The service mesh that the workloads are in."""

    name: Literal["", "istio", "linkerd"] = ""
    """Empty: there is none, which two people have to sign (``golive not-applicable``)."""
    plaintext: list[str] = []
    """``host:port`` of the application's own ports, as a pod outside of the mesh reaches them;
    plain HTTP has to be refused there."""


class Flags(Section, frozen=True, kw_only=True):
    """The feature flags, as Unleash tells its clients."""

    url: str = needed()
    """Up to and with ``/api``."""
    token: Secret = needed()
    """A client's token, which decides on project and environment."""
    admin_token: Secret | None = None
    """A token that may read who has an account there."""
    code: list[str] = []
    """Folders of the release's repository whose code asks for flags; empty: all of it."""
    code_suffixes: list[str] = msgspec.field(
        default_factory=lambda: [".py", ".js", ".jsx", ".ts", ".tsx", ".mjs"]
    )
    code_patterns: list[str] = msgspec.field(default_factory=lambda: [ASKS_FOR_A_FLAG])
    """Regular expressions that find a flag's name as their first group."""
    table: str = needed()
    """File on this machine: the approved launch table, TOML, ``[[flags]]`` with ``name``,
    ``owner`` (a person's id), ``default`` and ``launch`` (``"on"``, ``"off"`` or ``"25%"``);
    signed beside it."""
    approved_by: str = "product_manager"
    """The role that signs the launch table."""
    synthetic: str = needed()
    """A flag that no code asks for, which may be switched at any time."""
    project: str = "default"
    environment: str = "production"
    editor_token: Secret = needed()
    """A token that may switch flags of that project's environment."""
    evaluation_path: str = needed()
    """Path at which an instance tells how it evaluates every flag, as a JSON object."""
    evaluation_field: str = "flags"
    """Dotted path of that object in the answer; empty: the answer is it."""
    outage_command: list[str] = needed()
    """Prints, as a JSON object of true and false by flag, what the candidate's code answers once
    the flag service that it knew is gone; has to leave the live one alone."""


class Process(Section, frozen=True, kw_only=True):
    """A running instance as its machine sees it; one of the keys tells its variables."""

    TABLE: ClassVar = "configuration.processes"
    name: str
    """As of application.instances."""
    address: str = "local://"
    """Where testinfra finds the machine, e.g. ``ssh://app-1?sudo=true``."""
    pid_file: str = ""
    """File with the process id."""
    pid_command: list[str] = []
    """Prints the process id, e.g. ``systemctl show --property MainPID --value app``."""
    hashes_url: str = ""
    """Where no machine can be looked at: answers GET with a JSON object of SHA-256 (hexadecimal)
    of each value by the variable's name."""
    hashes_token: Secret | None = None


class SecretFile(Section, frozen=True, kw_only=True):
    """A file with secrets, on a machine."""

    TABLE: ClassVar = "configuration.secret_files"
    path: str
    address: str = "local://"
    """Where testinfra finds the machine."""
    user: str = ""
    """The service's user there; empty: whoever runs the declared process."""
    process: str = ""
    """Name of one of configuration.processes."""


class Configuration(Section, frozen=True, kw_only=True):
    """The product's configuration: as it is released, and as processes have it."""

    env_file: str = needed()
    """File in the release's repository: this environment's variables, ``NAME=value``."""
    schema: str = needed()
    """File in the release's repository: a JSON schema with a property for each variable."""
    processes: list[Process] = needed()
    not_configured: list[str] = []
    """Variables of the processes that are no configuration, beside the system's own."""
    secret_prefix: str = "secretsmanager:"  # noqa: S105
    """How a reference to a secret begins; ``NAME#KEY`` of AWS Secrets Manager follows."""
    parameter_prefix: str = "ssm:"
    """How a reference to a parameter of AWS Systems Manager begins; its name follows."""
    region: str = "us-east-1"
    """Where secrets and parameters are kept, if a reference does not say."""
    other_env_files: list[str] = []
    """Files in the release's repository whose values no secret may have: those of other
    environments, defaults, examples."""
    secret_files: list[SecretFile] = []
    """Every file on a machine that the deploy writes secrets to."""
    inert_variable: str = needed()
    """A variable that nothing reads: a drill deploys another value of it, and takes it back."""
    deploy_command: list[str] = needed()
    """Deploys {value} of the variable {name} to every instance, on record as {operator}; one that
    may be deployed, as its schema says."""
    rollback_command: list[str] = needed()
    """Takes every instance back to the revision before, on record as {operator}."""
    history_command: list[str] = needed()
    """Prints a JSON list, oldest first, of ``at`` (a time with zone), ``actor``, ``action``
    (``deploy`` or ``rollback``) and ``revision`` of each change."""
    operator: str = "golive"
    """As whom a drill deploys."""
    traffic_paths: list[str] = []
    """Paths that are asked for all the while; empty: those of health and of the public pages."""
    images: list[str] = []
    """The release's images on this machine: folders of OCI layouts, or archives of
    ``docker save``."""


class Deploy(Section, frozen=True, kw_only=True):
    """What the product is deployed with."""

    checkout: str = needed()
    """Folder with the candidate's deploy artefacts, of whatever layout: Dockerfiles, chart,
    manifests, Compose files, workflows."""
    runbook: str = needed()
    """File in the release's repository: the deployment runbook, Markdown."""
    runbook_describes: list[str] = needed()
    """Files and folders in that repository that the runbook has to be newer than: deploy scripts,
    chart, migrations."""
    runbook_commands: dict[str, list[str]] = {}
    """Programs that the runbook calls and that stand neither in the release nor among
    tools.commands, by name, as they are run here; they do nothing when ``--help`` is appended."""
    runbook_review: str = needed()
    """File on this machine: the record of its review, TOML with ``sha256`` of the reviewed text;
    beside it the signature of each reviewer, ``FILE.ROLE.sig``."""
    runbook_reviewers: list[str] = needed()
    """The roles that review it."""


class Drift(Section, frozen=True, kw_only=True):
    """The job that compares live configuration with git, as Prometheus has its metrics."""

    last_run: str = needed()
    """Metric: when it last compared, in Unix seconds."""
    differences: str = needed()
    """Metric: unapproved differences, a series for each source."""
    source_label: str = needed()
    """The label of that metric that names the source."""
    sources: list[str] = needed()
    """Every source of configuration: environment files, balancer, database settings, flags,
    security groups, by the label's values."""
    rule: str = needed()
    """The alerting rule of a difference."""
    plant_command: list[str] = needed()
    """Makes a difference that nothing reads and no one acts on."""
    remove_command: list[str] = needed()
    """Takes it back; it must do no harm where there is nothing to take back."""


class Kubernetes(Section, frozen=True, kw_only=True):
    """How the product is deployed to Kubernetes, and what of that the manifests do not tell."""

    version: str = needed()
    """Of the cluster's control plane, e.g. ``1.33``."""
    namespace: str = needed()
    """The application's, and that of a manifest which names none."""
    namespaces: list[str] = []
    """Those of this environment, where the checkout has manifests for others too; empty: all."""
    manifests: list[str] = []
    """Folders of the checkout with the manifests of this environment; empty: all there are."""
    chart: str = ""
    """Folder of the checkout; empty: the only one."""
    release: str = "release-name"
    """As Helm calls the installed chart."""
    environments: dict[str, list[str]] = {}
    """Files of the checkout with the chart's values for each environment, the one that decides
    last; empty: told by names as ``values-production.yaml``."""
    environment: str = ""
    """Which of them this is; empty: the one of this environment's name or kind."""
    differs: list[str] = []
    """Where renderings for different environments may differ, e.g. ``Deployment/*: spec.replicas``;
    an asterisk stands for anything."""
    required_values: list[str] = []
    """Values without which no rendering may succeed, e.g. ``images.backend``."""
    custom_resources: list[str] = []
    """Kinds that the cluster knows beside Kubernetes' own, by group, version and name, e.g.
    ``monitoring.coreos.com/v1/ServiceMonitor``."""
    existing: list[str] = []
    """What is there already and no manifest makes, e.g. ``Secret/registry-login``."""
    probe_paths: dict[str, list[str]] = {}
    """Paths that the probes of a workload may ask for, by its name."""
    node_groups: list[str] = []
    """Names of the autoscaling groups that make the cluster's nodes."""
    region: str = ""
    """AWS region of these."""
    addresses_per_node: int = 1
    """Addresses that a node takes in its subnet; with Amazon's VPC CNI, those of its pods too."""
    cluster: bool = True
    """Whether there is a cluster to ask, with ``kubectl``."""
    kubectl: list[str] = msgspec.field(default_factory=lambda: ["kubectl"])
    """Words of a command that reaches the cluster."""
    kustomize: list[str] = msgspec.field(default_factory=lambda: ["kubectl", "kustomize"])
    """Words before a kustomization's folder that render it."""
    helm: list[str] = msgspec.field(default_factory=lambda: ["helm"])


class PolicyFlow(Section, frozen=True, kw_only=True):
    """A connection that is allowed."""

    source: str
    """A workload, a peer, or ``*`` for every workload."""
    to: str
    port: int
    protocol: Literal["TCP", "UDP", "SCTP"] = "TCP"


class PolicyZone(Section, frozen=True, kw_only=True):
    """A place that connections are tried from, or to; it has the name of a workload or a peer."""

    name: str
    source: str = ""
    """An address of this machine that connections from there come from."""
    command: list[str] = []
    """Instead of that, words that try to connect to ``{host}`` ``{port}`` from there and end with 0
    where that worked, e.g. ``kubectl exec deploy/backend -- nc -z -w 3 {host} {port}``."""
    host: str = ""
    """Where it is reached; empty: nothing is tried there."""
    ports: dict[str, int] = {}
    """Other ports that it is reached at, by the flow's."""


class NetworkPolicy(Section, frozen=True, kw_only=True):
    """Which connections network policies have to allow; no other one."""

    flows: list[PolicyFlow] = needed()
    peers: dict[str, str] = {}
    """What is no workload, by its name, as policies describe it: a network (``10.0.1.0/28``), a
    namespace (``ingress-nginx``), or some of its pods (``kube-system/k8s-app=kube-dns``)."""
    zones: list[PolicyZone] = []
    connect_s: float = 3.0
    """A connection that has not come about by then was dropped."""


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


class ScalingGroup(Section, frozen=True, kw_only=True):
    """An autoscaling group, and a load that it has to grow under."""

    TABLE: ClassVar = "scaling.groups"
    name: str
    planned: int
    """Instances that the capacity plan has for the launch."""
    url: str = ""
    """Where the load goes; empty: application.url, or where the tier of its own answers."""
    path: str = ""
    """What is asked for; empty: the health check's path."""
    per_s: float = 50.0
    """Requests a second, enough to be above the target of a policy."""
    users: int = 10


class Scaling(Section, frozen=True, kw_only=True):
    """How the application scales, and how that is tried."""

    region: str = "us-east-1"
    groups: list[ScalingGroup] = needed()
    """Every autoscaling group that serves users."""
    tier_command: list[str] = []
    """Starts the group {name}'s instances behind a balancer for the drill alone, and prints url,
    and stats and backend of that balancer (haproxy). Left out: the declared application is put
    under load, and nothing else is looked at meanwhile."""
    end_command: list[str] = []
    """Ends that tier; also one that was left by a drill that was interrupted."""
