"""The live Stripe account, asked with Stripe's own SDK."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from golive.environments import Environment
from golive.probing import probe
from golive.verdicts import ProbeError


@dataclass(frozen=True, slots=True)
class StripeAccount:
    """Whose key the product takes payments with."""

    id: str
    email: str
    takes_charges: bool


@probe()
def stripe_account(env: Environment) -> StripeAccount:
    """The account that the environment's key belongs to."""
    import stripe

    url = env.stripe.url.rstrip("/")
    local = urlsplit(url).hostname == "127.0.0.1"
    http = stripe.RequestsClient(
        timeout=env.time_limits.connect,
        # An empty proxy would still be overruled by the variables that name one.
        proxy={"http": "", "https": ""} if local else None,
    )
    client = stripe.StripeClient(
        env.stripe.key.reveal(),
        base_addresses={"api": url},
        http_client=http,
        max_network_retries=1,
    )
    try:
        found = client.v1.accounts.retrieve_current()
        return StripeAccount(str(found.id), str(found.email or ""), bool(found.charges_enabled))
    except (stripe.StripeError, AttributeError) as e:
        raise ProbeError(
            f"the Stripe account at {url}",
            getattr(e, "user_message", None) or e,
            "check stripe.key in the environment file, and that Stripe can be reached from here",
        ) from None
