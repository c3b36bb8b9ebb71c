"""The cloud and the feature flags."""

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
