"""The cloud, what is deployed there and how, and the feature flags."""

from __future__ import annotations

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


class Deploy(Section, frozen=True, kw_only=True):
    """What the product is deployed with."""

    checkout: str = needed()
    """Folder with the candidate's deploy artefacts, of whatever layout: Dockerfiles, chart,
    manifests, Compose files, workflows."""
