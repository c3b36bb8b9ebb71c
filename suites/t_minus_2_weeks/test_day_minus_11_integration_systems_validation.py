"""Day -11: Integration Systems Validation (Integration Lead)."""

from __future__ import annotations

from functools import partial

from golive.claims import (
    at_least,
    at_most,
    each_at_least,
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
from golive.probes.money.payments import PaymentDrill
from golive.probes.money.payouts import ConnectedAccounts, PayoutDrill
from golive.probes.money.reconciliation import Reconciliation
from golive.probes.money.refunds import RefundDrill
from golive.probes.money.settled import settled
from golive.probes.money.webhooks import WebhookDrill, WebhookEndpoints
from golive.probes.observe.integration_monitoring import IntegrationWatch
from golive.probes.saas.analytics import Visits
from golive.probes.saas.business_profile import Profiles
from golive.probes.saas.customer_calendar import OAuthClient, SyntheticAppointment
from golive.probes.saas.customer_mail import MailAccount, MailDomain, SeedMessage
from golive.probes.saas.customer_sms import SmsAccount, SyntheticTexts
from golive.probes.saas.google import Grant
from golive.probes.traffic.api_calls import ApiRun
from golive.probes.traffic.api_document import ApiDocument
from golive.probes.traffic.rate_limits import RateLimits
from golive.probing import Ask
from golive.results import api_calls, integrations, payments

INTEGRATIONS = (
    *("stripe", "sendgrid", "twilio", "google_calendar", "google_business_profile", "analytics"),
)

# -- Payment System Final Testing ---------------------------------------------------------------


@item("D-11.1.1")
def test_stripes_webhooks_reach_this_environment_and_are_applied_once(
    webhook_endpoints: WebhookEndpoints,
    webhook_drill: WebhookDrill,
    env: Environment,
    limits: Limits,
) -> None:
    """Every endpoint that Stripe lists; a synthetic payment, of which forged, stale and signed
    events are sent to the product's route and the database is read back; Stripe's own events.

    Remedy: what an endpoint lacks, in Stripe's dashboard under Webhooks. An event that is refused:
    compare the endpoint's signing secret with the product's. An event applied twice or unsigned:
    the product has to verify Stripe-Signature with 300 s and keep the ids of events.
    """
    e, d, there = webhook_endpoints, webhook_drill, webhook_endpoints.enabled
    at, limit = "enabled endpoints", limits.webhooks
    assert none_of("endpoints at another address", e.elsewhere, among=there, of=at)
    other_mode = e.of_another_mode(env.stripe.livemode)
    assert none_of("endpoints of the other mode", other_mode, among=there, of=at)
    version = e.of_another_version(env.stripe.api_version)
    assert none_of("endpoints of another API version", version, among=there, of=at)
    assert none_of("declared endpoints missing", e.missing, among=e.wanted, of="declared")
    once = d.not_applied_once
    assert none_of("events not applied once", once, among=d.sent_twice, of="sent twice")
    for name, twice in d.sent_twice.items():
        assert equal(f"events of {name} recorded", twice.recorded, 1)
    assert each_at_most("Stripe's own events arrived", d.arrived_after_s, limit.arrival_s, "s")
    for name, forged in d.forged.items():
        assert equal(f"answer to an event {name}", forged.status, limit.refused_status)
    assert none_of("forged events that changed something", d.effective, among=d.forged, of="forged")


@item("D-11.1.2")
def test_a_booking_is_paid_once_and_only_by_a_good_card(
    payment_drill: PaymentDrill, env: Environment, limits: Limits
) -> None:
    """A synthetic booking paid with a test card, submitted twice with one idempotency key; others
    with cards that are declined or ask for an authentication; Stripe and the database.

    Remedy: an amount that differs: see how the product turns a price into cents. A payment that
    stays open: see the webhook's deliveries at Stripe. Two charges: the product has to keep the
    answer to an idempotency key, and to pass it on to Stripe.
    """
    d, paid, states = payment_drill, payment_drill.paid, env.stripe.states
    assert equal("the payment at Stripe", paid.intent_status, "succeeded")
    assert equal("cents charged", paid.charged_cents, paid.price_cents)
    assert equal("cents in the ledger", paid.recorded_cents, paid.price_cents)
    assert equal("currency", paid.currency, env.stripe.currency)
    assert at_most("paid after", paid.paid_after_s, limits.payments.paid_s, "s")
    assert equal("receipts sent", paid.receipts, 1)
    assert equal("charges for one idempotency key", d.charges_of_one_key, 1)
    wrong = d.not_refused(states.paid)
    assert none_of("payments that should not have succeeded", wrong, among=d.refused, of="tried")
    for name, refused in d.refused.items():
        assert equal(f"Stripe's word on {name}", refused.intent_status, refused.expected_status)
    made = d.transactions
    assert none_of("synthetic payments left", d.unclean, among=made, of="synthetic payments")


@item("D-11.1.3")
def test_every_barber_can_be_paid_and_payouts_end_as_recorded(
    connected_accounts: ConnectedAccounts, payout_drill: PayoutDrill, env: Environment
) -> None:
    """Every connected account; a test payment that is divided and paid out, and one whose payout
    fails; Stripe and the database.

    Remedy: what an account lacks, the barber gives in Stripe's onboarding. A fee that differs: see
    how the product rounds. A failed payout must be recorded as failed and reported to finance.
    """
    a, split, paid = connected_accounts, payout_drill.split, payout_drill.paid
    failed, states = payout_drill.failed, env.stripe.states
    assert none_of("accounts not ready", a.not_ready, among=a.active, of="active accounts")
    assert none_of("accounts without bank", a.without_bank, among=a.active, of="active accounts")
    unknown = a.unknown_to_stripe
    assert none_of("paid accounts not active", unknown, among=a.active, of="active accounts")
    assert equal("cents of the fee at Stripe", split.fee_cents, split.fee_expected)
    assert equal("cents of the fee in the ledger", split.fee_recorded, split.fee_expected)
    whole = split.fee_cents + split.received_cents
    assert equal("cents of fee and barber's share", whole, split.amount_cents)
    assert equal("the payout at Stripe", paid.stripe_status, "paid")
    assert equal("cents paid out", paid.amount_cents, paid.expected_cents)
    assert equal("the payout in the product", paid.row_status, states.payout_paid)
    assert equal("records of the payout", paid.rows, 1)
    assert equal("the failing payout at Stripe", failed.stripe_status, "failed")
    assert equal("the failed payout in the product", failed.row_status, states.payout_failed)
    assert at_least("alerts of the failed payout", failed.alerts, 1)
    left, made = payout_drill.unclean, payout_drill.transactions
    assert none_of("synthetic payments left", left, among=made, of="synthetic payments")


@item("D-11.1.4")
def test_money_is_given_back_by_the_shop_alone_and_to_the_cent(
    refund_drill: RefundDrill, env: Environment
) -> None:
    """Two paid test bookings, one given back in full and one in part by the shop's owner; then
    refunds that must be refused, each with the state before and after.

    Remedy: a transfer that is not reversed: reverse_transfer and refund_application_fee in the
    product's refund. A refund that should have been refused: see its check of the remainder, of
    the shop, and of the idempotency key.
    """
    d, full, states = refund_drill, refund_drill.full, env.stripe.states
    for name, back in d.returned.items():
        assert equal(f"the {name} refund at Stripe", back.refund_status, "succeeded")
        assert equal(f"messages about the {name} refund", back.notices, 1)
    both = d.returned
    assert none_of("refunds on which the sides differ", d.disagreeing, among=both, of="refunds")
    assert equal("the payment given back in full", full.payment_status, states.refunded)
    assert equal("its visit", full.appointment_status, states.cancelled)
    assert equal("the payment given back in part", d.part.payment_status, states.paid)
    assert none_of("shares not reversed", d.unreversed, among=both, of="refunds")
    assert equal("after the same request again", d.repeated.after, d.repeated.before)
    assert none_of("refunds that should be refused", d.effective, among=d.denied, of="tried")
    assert none_of("synthetic payments left", d.unclean, among=d.transactions, of="payments")


@item("D-11.1.5")
def test_stripe_and_the_ledger_agree_to_the_cent(
    reconciliation: Reconciliation, limits: Limits
) -> None:
    """Every balance transaction of the last seven closed days in UTC, over all pages, against the
    ledger's rows on the standby, by id.

    Remedy: an entry that is missing: send its event again from Stripe's dashboard. One that is too
    many or differs: correct it in the ledger with finance, and find what wrote it.
    """
    r, limit = reconciliation, limits.reconciliation
    of, empty = "transactions", f"days without any: {', '.join(r.empty_days) or 'none'}"
    assert equal("closed days", len(r.days), limit.days)
    assert at_least("transactions at Stripe", len(r.stripe), limit.transactions, see=empty)
    assert none_of("not in the ledger", r.not_in_ledger, among=r.stripe, of=of)
    assert none_of("not at Stripe", r.not_at_stripe, among=r.stripe, of=of)
    assert none_of("there more than once", r.duplicates, among=r.stripe, of=of)
    assert none_of("different on both sides", r.differing, among=r.stripe, of=of)
    assert each_at_most("difference of the sums by day and currency", r.off_by_cents, 0, "cents")


# -- Third-Party Integrations -------------------------------------------------------------------


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


@item("D-11.2.5")
def test_visits_are_measured_once_after_consent_and_without_names(
    analytics_visits: Visits, env: Environment
) -> None:
    """The declared journey in Chromium, the pages' own policy in force: before any choice, after
    refusing, and twice after accepting; every hit of GA4 and of Meta's pixel with its parameters.

    Remedy: a hit before consent: let nothing but the choice load the container; hold such data for
    collected unlawfully. An event that is counted twice: one of tag manager and page sends it, not
    both. Another id: correct the container's variables, and publish it.
    """
    visits, own = analytics_visits, env.analytics
    assert none_of("hits before a choice", visits.undecided, among=visits.pages, of="pages")
    assert none_of("hits after a refusal", visits.refused, among=visits.pages, of="pages")
    steps, hits = visits.steps, visits.hits
    assert none_of("events that left not once", visits.miscounted, among=steps, of="steps")
    assert same_set("containers", visits.containers, [own.container])
    assert same_set("measurement ids of GA4", visits.measurement_ids, [own.measurement_id])
    assert same_set("ids of Meta's pixel", visits.pixel_ids, [own.pixel_id])
    lacking, of = visits.incomplete_purchases, "purchase events"
    assert none_of("purchases that lack something", lacking, among=visits.purchases, of=of)
    assert none_of("hits with personal data", visits.personal, among=hits, of="hits")


# -- API Integration Testing --------------------------------------------------------------------


@item("D-11.3.1")
def test_every_api_operation_answers_as_documented_on_a_masked_copy(
    api_run: ApiRun, limits: Limits
) -> None:
    """Requests that schemathesis generates from the candidate's document, with what the API has
    answered before, against the candidate on a masked copy of the newest backup: each operation
    with success, with invalid input and without credentials.

    Remedy: the answer named above tells the route and what was asked; ask again with curl on a
    copy. What cannot be called without knowing more is told in api.calls and api.value_queries.
    """
    run, found, of = api_run, api_run.operations, "operations"
    assert none_of("differences on the copy", run.as_running, among=found, of=of)
    assert equal("operations documented, where registered are", run.document, run.registered)
    assert equal("operations run", len(found), run.document)
    assert each_at_least("rows of the copy", run.rows_percent, limits.api.rows_percent, "%")
    assert equal("rows not masked", run.unmasked, 0)
    assert none_of("operations without a success", run.without_success, among=found, of=of)
    assert none_of("operations never refused", run.without_refusal, among=found, of=of)
    assert none_of("answers 5xx", run.failures, among=run.calls, of="calls")
    assert none_of("answers against their schema", run.violations, among=run.calls, of="calls")
    assert none_of("operations open to anybody", run.anonymous, among=found, of=of)


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


@item("D-11.3.4")
def test_failures_of_each_integration_are_counted_and_reach_somebody(
    integration_watch: IntegrationWatch, limits: Limits
) -> None:
    """Prometheus' samples of what succeeded, what failed and how long it took; the rules over the
    failures, each tried by promtool on series whose share of failures grows; where Alertmanager's
    loaded routes deliver their alerts.

    Remedy: no sample: count it where the integration is called, from the start on. A rule's value:
    change it where rules are kept, and load it. To a receiver that tells nobody: correct the
    route.
    """
    watch, most, names = integration_watch, limits.integration_monitoring, INTEGRATIONS
    ages = watch.sample_age_s(names, most.sample_age_s)
    assert each_at_most("newest sample", ages, most.sample_age_s, "s")
    late, of = watch.unwatched(names, most.failed_percent), "integrations"
    assert none_of("integrations without a rule that fires", late, among=names, of=of)
    stripe, rules = watch.off({"stripe": limits.rollback.payment_percent}), watch.rules(names)
    assert none_of("rules of another value", stripe, among=1, of="rules with a value of their own")
    assert none_of("rules not evaluated", watch.broken(names), among=names, of=of)
    assert none_of("rules of nothing", watch.of_nothing(names), among=names, of=of)
    assert none_of("rules whose alerts reach nobody", watch.unheard(names), among=rules, of="rules")


# -- Deliverables -------------------------------------------------------------------------------


@derived("D-11.D.1")
def test_the_integrations_report_is_whole_true_and_signed(
    deliverables: Deliverables, env: Environment, limits: Limits
) -> None:
    """The newest verdicts of D-11.1 to D-11.3, with the account and mode of each integration as
    they have it on record, made into the report and compared with it and with what the environment
    declares; the signature.

    Remedy: run what is missing, too old or red. Another account or mode: deploy the keys of this
    environment's own, or correct the environment file, then run the integration's item again. Read
    the document again and sign it.
    """
    kind, write = "integration-systems-readiness-report", integrations.written
    document = deliverables.of("D-11.D.1", kind, ("D-11.1", "D-11.2", "D-11.3"), write)
    for claim in document.claims(
        max_age_h=limits.documents.report_age_h, extra=integrations.judged(document, env)
    ):
        assert claim


@derived("D-11.D.2")
def test_payments_are_certified_and_finance_signs_too(
    deliverables: Deliverables, ask: Ask, env: Environment, limits: Limits
) -> None:
    """The newest verdicts of D-11.1, all on this candidate, with the synthetic transactions that
    they have on record, made into the certificate and compared with it; each of those transactions
    as Stripe has it now; the signatures of the Integration Lead and of finance.

    Remedy: run what is missing, too old or red. Give back at Stripe what a transaction has kept,
    then run its item again. Then both read the certificate and sign it.
    """
    kind, signers = "payment-system-validation-certificate", ("integration_lead", "finance")
    document = deliverables.of("D-11.D.2", kind, ("D-11.1",), payments.written, signers=signers)
    look = partial(settled, intents=payments.listed(document))
    now = ask("synthetic payments as Stripe has them now", look)
    for claim in document.claims(
        max_age_h=limits.documents.certificate_age_h,
        extra=payments.judged(document, now, env.stripe.api_version),
    ):
        assert claim


@derived("D-11.D.3")
def test_the_api_results_are_whole_true_and_signed(
    deliverables: Deliverables, env: Environment, limits: Limits
) -> None:
    """The newest verdicts of D-11.3, all on this candidate, with what D-11.3.1 has on record of
    each operation, made into the results and compared with them; the signature.

    Remedy: run what is missing, too old or red; read the document again and sign it.
    """
    kind, write = "api-testing-results", api_calls.written
    document = deliverables.of("D-11.D.3", kind, ("D-11.3",), write)
    for claim in document.claims(
        max_age_h=limits.documents.certificate_age_h,
        extra=api_calls.judged(document, env.release.tag),
    ):
        assert claim
