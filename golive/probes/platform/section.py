"""The cloud, what is deployed there and how, and the feature flags."""

from __future__ import annotations

from typing import ClassVar

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
