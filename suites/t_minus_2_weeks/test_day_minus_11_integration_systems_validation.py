"""Day -11: Integration Systems Validation (Integration Lead)."""

from __future__ import annotations

from golive.claims import (
    at_least,
    at_most,
    each_at_most,
    equal,
    holds,
    no_failure,
    none_of,
    same_set,
)
from golive.deliverables import Deliverables
from golive.environments import Environment
from golive.items import derived, item
from golive.launch import Limits
from golive.probes.saas.business_profile import Profiles
from golive.probes.saas.customer_calendar import OAuthClient, SyntheticAppointment
from golive.probes.saas.customer_mail import MailAccount, MailDomain, SeedMessage
from golive.probes.saas.customer_sms import SmsAccount, SyntheticTexts
from golive.probes.saas.google import Grant
from golive.probes.traffic.api_document import ApiDocument
from golive.probes.traffic.rate_limits import RateLimits

# -- API Integration Testing -------------------------------------------------------------------


@item("D-11.3.2")
def test_api_limits_hold_over_all_instances_and_never_for_webhooks(rate_limits: RateLimits) -> None:
    """A burst of a synthetic client against each declared class through the balancer, with a few
    requests of another one; once more when the window is over; signed events beyond every limit.

    Remedy: count in Redis, by class and client, not in an instance's memory. Send Retry-After and
    the rate headers with 429. Exempt the webhook's route, or events of payments are lost.
    """
    r, bursts, hooks = rate_limits, rate_limits.bursts, rate_limits.webhooks
    assert none_of("classes not exact", r.inexact, among=bursts, of="classes")
    assert none_of("bursts that missed an instance", r.on_few, among=bursts, of="bursts")
    assert none_of("classes that refuse nothing", r.not_refused, among=bursts, of="classes")
    assert none_of("classes that refuse with gaps", r.gaps, among=bursts, of="classes")
    assert none_of("refusals that tell too little", r.silent, among=bursts, of="classes")
    assert none_of("classes that fail under load", r.failed, among=bursts, of="classes")
    assert none_of("clients that stay refused", r.without_return, among=bursts, of="classes")
    assert none_of("classes of several clients", r.spread, among=bursts, of="classes")
    assert none_of("webhooks limited", r.limited_webhooks, among=hooks, of="webhooks")
    assert none_of("webhooks not taken", r.untaken_webhooks, among=hooks, of="webhooks")


@item("D-11.3.3")
def test_the_api_is_what_its_published_document_says(api_document: ApiDocument) -> None:
    """The OpenAPI document of each instance, of the developers' site and of the release before;
    the routes that the application has registered; its examples against their schemas; the
    changelog; every link, followed.

    Remedy: publish the candidate's document again. What it lacks belongs to the route that is
    named: its summary, models and errors. A difference that breaks clients goes into the
    changelog, or is taken back.
    """
    d, told, of = api_document, api_document.operations, "operations"
    known, routes = d.registered, "registered routes"
    assert none_of("instances of their own", d.of_its_own, among=d.instances, of="instances")
    assert none_of("differences of the published one", d.published, among=told, of=of)
    assert none_of("flaws by OpenAPI 3", d.flaws, among=told, of=of)
    assert none_of("routes not documented", d.untold, among=known, of=routes)
    assert none_of("operations not registered", d.imagined, among=told, of=of)
    assert none_of("operations without a summary", d.without_summary, among=told, of=of)
    assert none_of("authorisation not as documented", d.security, among=told, of=of)
    assert none_of("parameters not documented", d.parameters, among=told, of=of)
    assert none_of("successes not documented", d.successes, among=told, of=of)
    assert none_of("errors not documented", d.errors, among=told, of=of)
    assert none_of("examples refused", d.wrong_examples, among=d.examples, of="examples")
    assert holds("document of the release before", d.is_of_before, d.compared_with, d.before)
    assert none_of("breaks not in the changelog", d.unlisted, among=d.compared, of=of)
    broken, lost, n = d.links.broken, d.links.not_followed, d.links.followed
    assert none_of("links that lead nowhere", broken, among=n, of="links", may_be_empty=True)
    assert none_of("links not followed", lost, among=n, of="links", may_be_empty=True)


# -- Third-Party Integrations ------------------------------------------------------------------


@item("D-11.2.1")
def test_appointments_appear_move_and_vanish_in_the_barbers_google_calendar(
    calendar_client: OAuthClient,
    calendar_grant: Grant,
    calendar_appointment: SyntheticAppointment,
    env: Environment,
    limits: Limits,
) -> None:
    """The address of Google's consent screen as the application tells it, and Google's answer to
    it; the test calendar's refresh token, refreshed; an appointment booked before the next clock
    change, moved behind it and cancelled, in the test calendar by Google's own client.

    Remedy: a client of another project: deploy the production project's id and secret. A refresh
    token with an end: publish the consent screen, then let barbers connect again. An event at
    another time: send the begin with its time zone, never with an offset of today.
    """
    own, app, grant, visit = (
        env.customer_calendar,
        calendar_client,
        calendar_grant,
        calendar_appointment,
    )
    assert equal("project of the application's client", app.project, own.project)
    here, ours = app.redirects_here, f"https at one of {', '.join(app.hosts)}"
    assert holds("where Google sends barbers back to", here, app.redirect_uri, ours)
    assert no_failure("Google's answer", app.failure, "the consent screen")
    assert same_set("scopes that are asked for", app.scopes, own.scopes)
    assert no_failure("refreshing the token", grant.failure, "an access token")
    assert equal("project of the token's client", grant.of, own.project)
    assert same_set("scopes of the token", grant.scopes, own.scopes)
    assert equal("end of the refresh token", grant.ends, "none")
    assert each_at_most("calendar follows", visit.waits_s, limits.integrations.delivery_s, "s")
    assert each_at_most("event beside the appointment", visit.off_min, 0, "min")
    assert holds("clock change crossed", visit.clock_change, visit.clock_change, "the next one")


@item("D-11.2.2")
def test_customers_get_signed_mail_and_who_declined_gets_none(
    customer_mail_account: MailAccount,
    mail_domain: MailDomain,
    seed_message: SeedMessage,
    env: Environment,
    limits: Limits,
) -> None:
    """SendGrid's account, credits and domains; SPF, DKIM and DMARC in DNS; with the application's
    own key a message to the seed mailbox and one to a suppressed address, the mailbox over IMAP,
    and the events that the application has stored.

    Remedy: another scope: make a key with the declared ones and deploy it. A record that does not
    resolve: publish what SendGrid shows under sender authentication. No stored event: its event
    webhook has to point at this host, with the signature switched on.
    """
    account, domain, seed, own = customer_mail_account, mail_domain, seed_message, env.customer_mail
    wanted = limits.customer_mail.headroom_factor * limits.customer_mail.launch_day_mails
    assert same_set("scopes of the application's key", account.scopes, own.scopes)
    assert equal("account of the application's key", account.of_the_key, own.account)
    assert equal("plan of the account", account.plan, "paid")
    assert at_least("mails that it may send", account.mails_per_day, wanted, "a day")
    assert equal("what is not valid of the sender's domain", domain.failures, ())
    of = "records of SPF, DKIM and DMARC"
    assert none_of(f"unresolved {of}", domain.unresolved, among=domain.records, of=of)
    delivered = seed.delivered_after_s
    assert at_most("seed message delivered after", delivered, limits.integrations.delivery_s, "s")
    signed, signer = seed.signatures, f"a valid one of {domain.name}"
    assert holds("DKIM of the seed message", signed.by(domain.name), signed, signer)
    assert holds("its stored events", seed.was_stored, seed.events, "delivered among them")
    assert none_of("forged events stored", seed.forged_stored, among=2, of="forged events")
    assert none_of("suppressed mail", seed.not_suppressed, among=1, of="suppressed messages")


@item("D-11.2.3")
def test_texts_reach_customers_their_callbacks_count_and_stop_is_heeded(
    customer_sms_account: SmsAccount, synthetic_texts: SyntheticTexts, limits: Limits
) -> None:
    """Twilio's account, balance, prices, permissions and the registration of the sender; texts
    from it to a number of our own and to nobody's, what the application has stored of their status
    callbacks, its answer to forged ones, and a text after STOP.

    Remedy: a registration that is not approved takes weeks: hurry it at once. No stored status:
    look whether PUBLIC_URL and the auth token are those that Twilio signs with. A forged callback
    that is taken: switch the check of X-Twilio-Signature on.
    """
    account, texts, most = customer_sms_account, synthetic_texts, limits.customer_sms
    assert equal("account", account.status, "active")
    assert equal("kind of the account", account.kind, "Full")
    lasts = account.days(most.launch_day_texts)
    assert at_least("the balance lasts", lasts, most.balance_days, "d")
    assert equal("countries that it may not text to", account.blocked, ())
    assert equal("numbers that cannot send", account.cannot_send, ())
    assert equal("registrations not approved", account.not_approved, ())
    delivered = texts.delivered_after_s
    assert at_most("text delivered after", delivered, limits.integrations.delivery_s, "s")
    assert holds("its stored statuses", texts.was_stored, texts.statuses, "delivered among them")
    assert none_of("forged callbacks taken", texts.forged_taken, among=2, of="forged callbacks")
    failed = texts.failure_was_stored
    assert holds("stored of a text to nobody", failed, texts.to_nobody, "that it failed")
    assert equal("text after STOP", texts.after_stop, "")


@item("D-11.2.4")
def test_every_shops_google_profile_is_ours_true_and_leads_here(
    profile_grant: Grant, business_profiles: Profiles, env: Environment
) -> None:
    """The account's locations by the APIs of Google Business Profile, each beside the shop's own
    record; Voice of Merchant, reviews, and a request to each booking link.

    Remedy: a quota of zero: Google approves projects on application, which takes weeks. What
    differs: the shop's record is what counts; correct the profile by it, or the record first.
    """
    profiles, shops = business_profiles, env.business_profile.shops
    assert no_failure("refreshing the token", profile_grant.failure, "an access token")
    assert no_failure("access to the API", profiles.failure, "granted, with a quota above zero")
    of = "shops of the launch"
    assert none_of("shops without a profile of ours", profiles.missing, among=shops, of=of)
    found, of = profiles.found, "profiles"
    assert none_of("profiles not verified", profiles.unverified, among=found, of=of)
    assert none_of("differences from shops' records", profiles.differing, among=found, of=of)
    assert none_of("booking links that fail", profiles.mislinked, among=found, of=of)
    assert none_of("reviews that cannot be read", profiles.unread, among=found, of=of)


# -- Deliverables ------------------------------------------------------------------------------


@derived("D-11.D.1")
def test_the_integrations_report_is_whole_true_and_signed(
    deliverables: Deliverables, limits: Limits
) -> None:
    """The newest verdicts of D-11.1 to D-11.3, made into the report and compared with it; the
    signature.

    Remedy: run what is missing, too old or red; read the document again and sign it.
    """
    document = deliverables.of(
        "D-11.D.1", "integration-systems-readiness-report", ("D-11.1", "D-11.2", "D-11.3")
    )
    for claim in document.claims(
        max_age_h=limits.documents.report_age_h,
        not_judged=("account and mode of each integration, as the environment declares them",),
    ):
        assert claim


@derived("D-11.D.2")
def test_payments_are_certified_and_finance_signs_too(
    deliverables: Deliverables, limits: Limits
) -> None:
    """The newest verdicts of D-11.1, all on this candidate, made into the certificate and compared
    with it; the signatures of the Integration Lead and of finance.

    Remedy: run what is missing, too old or red. Then both read the certificate and sign it.
    """
    document = deliverables.of(
        "D-11.D.2",
        "payment-system-validation-certificate",
        ("D-11.1",),
        signers=("integration_lead", "finance"),
    )
    for claim in document.claims(
        max_age_h=limits.documents.certificate_age_h,
        not_judged=(
            "synthetic transactions by id, each refunded or cleaned",
            "a reconciliation difference of 0 cents",
            "one version of Stripe's API",
        ),
    ):
        assert claim


@derived("D-11.D.3")
def test_the_api_results_are_whole_true_and_signed(
    deliverables: Deliverables, limits: Limits
) -> None:
    """The newest verdicts of D-11.3, all on this candidate, made into the results and compared
    with them; the signature.

    Remedy: run what is missing, too old or red; read the document again and sign it.
    """
    document = deliverables.of("D-11.D.3", "api-testing-results", ("D-11.3",))
    for claim in document.claims(
        max_age_h=limits.documents.certificate_age_h,
        not_judged=(
            "calls, statuses, failures and p95 of every operation of the API, from the raw record",
        ),
    ):
        assert claim
