"""What is built of the product: its dependencies, its images, its frontend, its configuration."""

from __future__ import annotations

import msgspec

from golive.sections import Secret, Section, needed


class Lock(Section, frozen=True, kw_only=True):
    """A lock file, what is known against its packages, and where they are installed.

    Paths start at ``deploy.checkout`` where they are relative.
    """

    name: str
    """E.g. ``backend``."""
    file: str
    """requirements.txt with hashes, poetry.lock, uv.lock, pdm.lock, pylock.toml, Pipfile.lock,
    package-lock.json, npm-shrinkwrap.json, yarn.lock (version 1) or pnpm-lock.yaml."""
    advisories: str = ""
    """A snapshot of the ecosystem's advisories in OSV's format: the all.zip that osv.dev
    publishes, or a folder of its JSON files."""
    audit_command: list[str] = []
    """Audits the lock file {lock} against an advisory service and prints the JSON of pip-audit or
    of npm audit, beside the snapshot or in its place."""
    canary_lock: str = ""
    """For the audit command: a lock file with a package that is known to be vulnerable."""
    canary: str = ""
    """For the snapshot: such a package, ``name version``; empty: one that everybody knows."""
    installed_command: list[str] = []
    """Prints what is installed on {instance}, a name of application.instances: the JSON of
    ``pip list --format json``, ``pip inspect`` or ``npm ls --all --json``."""
    is_installed: bool = True
    """False where no instance has these packages, as those of a frontend that is built to static
    files."""
    besides: list[str] = msgspec.field(default_factory=lambda: ["pip", "setuptools", "wheel"])
    """What may be installed without being locked."""


class Dependencies(Section, frozen=True, kw_only=True):
    """The packages that the product is made of."""

    locks: list[Lock] = needed()
    waivers: str = ""
    """TOML in the checkout: tables ``waiver`` of id, reason, by, expires (a date), and package
    where it holds for one only."""


class Image(Section, frozen=True, kw_only=True):
    """A container image of the release."""

    name: str
    """E.g. ``backend``."""
    place: str
    """The absolute path of an OCI image layout, or ``registry/repository``."""
    reports: list[str] = []
    """Reports of Trivy or Grype as JSON: files or patterns of them. The newest that is about the
    image counts."""
    dockerfile: str = ""
    """Its Dockerfile, in ``deploy.checkout`` where the path is relative."""


class Images(Section, frozen=True, kw_only=True):
    """The images of the release, in the registry that it is deployed from."""

    tag: str = needed()
    """``{tag}`` in it stands for release.tag."""
    images: list[Image] = needed()
    registry_user: str = ""
    """Empty: the registry asks for nobody."""
    registry_password: Secret | None = None
    revision_label: str = "org.opencontainers.image.revision"
    """The label that tells which commit an image was built from."""
    waivers: str = ""
    """As dependencies.waivers."""
    samples: list[str] = []
    """Patterns of paths in layers with keys that open nothing, as of tests."""


class Package(Section, frozen=True, kw_only=True):
    """What the variables of the packaged configuration mean, and the frontend that was built with
    some of them. The file and its schema stand under ``configuration``; here they are read in
    ``deploy.checkout``."""

    bundle: str = needed()
    """Folder of the built frontend."""
    others: dict[str, str] = needed()
    """Files of the other environments, by their names."""
    environment_names: list[str] = []
    """Variables that name the environment itself."""
    debug: list[str] = needed()
    """Switches that have to be off."""
    public_urls: list[str] = needed()
    """Variables with addresses under which the product is reached."""
    allowed_hosts: list[str] = []
    """Variables with names that the product answers to."""
    databases: list[str] = needed()
    caches: list[str] = needed()
    stripe: list[str] = needed()
    """Variables with keys of Stripe."""
    hosts: list[str] = []
    """Further hosts of this environment, by the names that its own network has for them."""
    frontend_prefix: str = "NEXT_PUBLIC_"
    """How variables begin that the build puts into the frontend."""
    pairs: dict[str, str] = needed()
    """Of these, such as have to be in it, to the backend's variable of the same value."""
