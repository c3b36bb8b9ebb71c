"""The Stripe account, asked with Stripe's own SDK; and whether a key may spend."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from golive.environments import Environment, Secret
from golive.people import roster
from golive.probing import probe
from golive.sections import declares
from golive.toml import read_toml
from golive.verdicts import GoliveError, NotPermitted, ProbeError

if TYPE_CHECKING:
    import stripe

LIVE = ("sk_live_", "rk_live_")
"""How keys for live money begin."""
PURPOSE = "live payments"


@dataclass(frozen=True, slots=True)
class StripeAccount:
    """Whose key the product takes payments with."""

    id: str
    email: str
    takes_charges: bool


@probe()
def stripe_account(env: Environment) -> StripeAccount:
    """The account that the environment's key belongs to."""
    with asking(env, env.stripe.key, "the Stripe account") as client:
        found = client.v1.accounts.retrieve_current()
        return StripeAccount(str(found.id), str(found.email or ""), bool(found.charges_enabled))


@contextmanager
def asking(env: Environment, key: Secret, subject: str) -> Iterator[stripe.StripeClient]:
    """Stripe's client with a key of the environment's.

    :param subject: what is looked at, for messages.
    :raises ProbeError: Stripe cannot be asked, lets nobody in or refuses what the block asks.
    """
    import stripe

    url = env.stripe.url.rstrip("/")
    local = urlsplit(url).hostname == "127.0.0.1"
    client = stripe.StripeClient(
        key.reveal(),
        base_addresses={"api": url},
        http_client=stripe.RequestsClient(
            timeout=env.time_limits.connect,
            # An empty proxy would still be overruled by the variables that name one.
            proxy={"http": "", "https": ""} if local else None,
        ),
        max_network_retries=2,
    )
    try:
        yield client
    except (stripe.StripeError, AttributeError) as e:
        cause = getattr(e, "user_message", None) or e
        raise ProbeError(f"{subject} at {url}", cause, _step(e)) from None


def _step(error: Exception) -> str:
    import stripe

    match error:
        case stripe.PermissionError():
            return "permit this to the restricted key, in Stripe's dashboard under API keys"
        case stripe.AuthenticationError():
            return "check stripe.key and stripe.test_key in the environment file"
        case stripe.RateLimitError():
            return "Stripe limits requests: run it again when less goes on"
    return "check stripe.key in the environment file, and that Stripe can be reached from here"


def api_url(env: Environment) -> str:
    """Where the product's API is reached, without a slash at the end."""
    return (env.stripe.api_url or env.application.url).rstrip("/")


def writing_key(env: Environment) -> Secret:
    """The key that may write where one is declared, else the one that reads: Stripe says whether
    it may."""
    return env.stripe.test_key if declares(env.stripe, "test_key") else env.stripe.key


def spending_key(env: Environment) -> Secret:
    """The key that payments are tried with.

    :raises NotPermitted: it is one for live money, and nobody has signed that it may be spent.
    """
    key = env.stripe.test_key
    if key.reveal().startswith(LIVE):
        cause = _not_permitted(env)
        if cause:
            raise NotPermitted(
                "payments with live money",
                cause,
                "use a key for test money (sk_test_) as stripe.test_key, or have"
                f" stripe.live_permission signed by {env.stripe.permitted_by}",
            )
    return key


def _not_permitted(env: Environment) -> str:
    """Why live money may not be spent; empty where it may."""
    if not env.stripe.live_permission:
        return "stripe.test_key is a key for live money, and no permission is declared"
    path = Path(env.stripe.live_permission)
    try:
        said: dict[str, Any] = read_toml(path)
        signature = roster.load(Path(env.people.roster)).signature(path, env.stripe.permitted_by)
    except GoliveError as e:
        return str(e)
    expires = said.get("expires_at")
    if not signature.valid:
        return f"the permission {path.name} is not signed validly: {signature.cause}"
    if said.get("environment") != env.name or said.get("purpose") != PURPOSE:
        return f"the permission {path.name} is not for {PURPOSE} in {env.name}"
    if not isinstance(expires, datetime) or expires.tzinfo is None or expires < datetime.now(UTC):
        return f"the permission {path.name} names no time to come at which it ends"
    return ""
