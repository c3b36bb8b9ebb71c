"""Faults of the API's document, of what is published of it, and of the API's limits."""

from __future__ import annotations

from typing import Any

from rehearsal.faults import fault
from rehearsal.kernel.files import read_state
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.platform.app import FAULTS_FILE, set_app_faults

TOUCHES = ["portal", "app/api"]


def _order(r: Rehearsal, **orders: Any) -> None:
    """Have the instances tell another document, and publish it like any."""
    there = read_state(r.path(FAULTS_FILE)).get("api") or {}
    kept = {k: v for k, v in {**there, **orders}.items() if v is not None}
    set_app_faults(r, api=kept or None)
    r.restart("portal")


def forget_limits(r: Rehearsal) -> None:
    """Begin every window again."""
    redis = r.redis()
    for key in redis.scan_iter("limit:*"):
        redis.delete(key)


def _publish(r: Rehearsal, **settings: Any) -> None:
    r.override("portal", **settings)
    r.restart("portal")


# -- what the document says ------------------------------------------------------------------------


@fault(
    "api-field-removed-unlisted",
    expect_fail=["D-11.3.3"],
    title="a field of services is gone, and no changelog says so",
)
def field_removed_unlisted(r: Rehearsal) -> None:
    _order(r, drop=["Service", "buffer_time_minutes"])


@field_removed_unlisted.revert
def give_the_field_back(r: Rehearsal) -> None:
    _order(r, drop=None)


@fault(
    "api-example-broken",
    expect_fail=["D-11.3.3"],
    title="the example of an appointment is none of an appointment",
)
def example_broken(r: Rehearsal) -> None:
    _order(r, break_example="Appointment")


@example_broken.revert
def mend_the_example(r: Rehearsal) -> None:
    _order(r, break_example=None)


@fault(
    "api-route-undocumented",
    expect_fail=["D-11.3.3", "D-11.3.1"],
    title="a route is registered that the document does not tell",
)
def route_undocumented(r: Rehearsal) -> None:
    _order(r, undocumented="/api/v2/internal/export")


@route_undocumented.revert
def drop_the_route(r: Rehearsal) -> None:
    _order(r, undocumented=None)


@fault(
    "api-operation-imagined",
    expect_fail=["D-11.3.3"],
    title="the document tells an operation that there is not",
)
def operation_imagined(r: Rehearsal) -> None:
    _order(r, invent="/api/v2/loyalty/points")


@operation_imagined.revert
def drop_the_operation(r: Rehearsal) -> None:
    _order(r, invent=None)


@fault(
    "api-without-summaries",
    expect_fail=["D-11.3.3"],
    title="no operation of the document has a summary",
)
def without_summaries(r: Rehearsal) -> None:
    _order(r, strip=["summary"])


@fault(
    "api-without-authorisation",
    expect_fail=["D-11.3.3"],
    title="the document tells of no authorisation",
)
def without_authorisation(r: Rehearsal) -> None:
    _order(r, strip=["security"])


@fault(
    "api-without-parameters",
    expect_fail=["D-11.3.3"],
    title="the document tells no parameters",
)
def without_parameters(r: Rehearsal) -> None:
    _order(r, strip=["parameters"])


@fault(
    "api-without-successes",
    expect_fail=["D-11.3.3"],
    title="the document does not tell what operations answer",
)
def without_successes(r: Rehearsal) -> None:
    _order(r, strip=["success"])


@fault(
    "api-without-errors",
    expect_fail=["D-11.3.3"],
    title="the document does not tell how operations fail",
)
def without_errors(r: Rehearsal) -> None:
    _order(r, strip=["errors"])


@without_summaries.revert
@without_authorisation.revert
@without_parameters.revert
@without_successes.revert
@without_errors.revert
def tell_all(r: Rehearsal) -> None:
    _order(r, strip=None)


@fault(
    "api-document-untitled",
    expect_fail=["D-11.3.3"],
    title="the document has no title, which OpenAPI asks for",
)
def document_untitled(r: Rehearsal) -> None:
    _order(r, untitled=True)


@document_untitled.revert
def title_the_document(r: Rehearsal) -> None:
    _order(r, untitled=None)


@fault(
    "api-document-of-one-instance",
    expect_fail=["D-11.3.3"],
    title="one of two instances serves a document of its own",
)
def document_of_one_instance(r: Rehearsal) -> None:
    _order(r, own="app-2")


@document_of_one_instance.revert
def serve_one_document(r: Rehearsal) -> None:
    _order(r, own=None)


# -- what is published -----------------------------------------------------------------------------


@fault(
    "api-document-old",
    expect_fail=["D-11.3.3"],
    touches=["portal"],
    title="the document of v1.9.0 is still the published one",
)
def document_old(r: Rehearsal) -> None:
    _publish(r, current="1.9.0")


@fault(
    "api-changelog-silent",
    expect_fail=["D-11.3.3"],
    touches=["portal"],
    title="the changelog lists nothing",
)
def changelog_silent(r: Rehearsal) -> None:
    _publish(r, silent_changelog=True)


@fault(
    "api-document-before-replaced",
    expect_fail=["D-11.3.3"],
    touches=["portal"],
    title="the candidate's document stands in the place of the one before",
)
def document_before_replaced(r: Rehearsal) -> None:
    _publish(r, earlier="2.0.0")


@fault(
    "api-guide-link-broken",
    expect_fail=["D-11.3.3"],
    touches=["portal"],
    title="the guide links to a page that is not there",
)
def guide_link_broken(r: Rehearsal) -> None:
    _publish(r, more="webhooks.html")


@document_old.revert
@changelog_silent.revert
@document_before_replaced.revert
@guide_link_broken.revert
def publish_as_it_should_be(r: Rehearsal) -> None:
    r.clear_override("portal", "current", "silent_changelog", "earlier", "more")
    r.restart("portal")


# -- limits ----------------------------------------------------------------------------------------

_LIMITS = ["app/limits"]


@fault(
    "limits-per-instance",
    expect_fail=["D-11.3.2"],
    touches=_LIMITS,
    title="each instance counts the requests of API clients for itself",
)
def limits_per_instance(r: Rehearsal) -> None:
    set_app_faults(r, limits=["per_instance"])


@fault(
    "limits-without-retry-after",
    expect_fail=["D-11.3.2"],
    touches=_LIMITS,
    title="whoever is refused is not told when to ask again",
)
def limits_without_retry_after(r: Rehearsal) -> None:
    set_app_faults(r, limits=["no_retry_after"])


@fault(
    "limits-without-headers",
    expect_fail=["D-11.3.2"],
    touches=_LIMITS,
    title="answers do not tell what is left of a limit",
)
def limits_without_headers(r: Rehearsal) -> None:
    set_app_faults(r, limits=["no_headers"])


@fault(
    "limits-of-all-clients",
    expect_fail=["D-11.3.2"],
    touches=_LIMITS,
    title="all API clients share one counter",
)
def limits_of_all_clients(r: Rehearsal) -> None:
    set_app_faults(r, limits=["one_for_all"])


@fault(
    "limits-on-webhooks",
    expect_fail=["D-11.3.2"],
    touches=_LIMITS,
    title="webhooks are limited like any request",
)
def limits_on_webhooks(r: Rehearsal) -> None:
    set_app_faults(r, limits=["webhooks"])


@fault(
    "limits-never-end",
    expect_fail=["D-11.3.2"],
    touches=_LIMITS,
    title="a client that was refused once stays refused for a quarter of an hour",
)
def limits_never_end(r: Rehearsal) -> None:
    set_app_faults(r, limits=["endless"])


@fault(
    "limits-switched-off",
    expect_fail=["D-11.3.2"],
    touches=_LIMITS,
    title="nobody is limited",
)
def limits_switched_off(r: Rehearsal) -> None:
    set_app_faults(r, limits=["off"])


@fault(
    "limits-with-gaps",
    expect_fail=["D-11.3.2"],
    touches=_LIMITS,
    title="after each refusal a request passes",
)
def limits_with_gaps(r: Rehearsal) -> None:
    set_app_faults(r, limits=["gaps"])


@fault(
    "limits-fail-under-load",
    expect_fail=["D-11.3.2"],
    touches=_LIMITS,
    title="the last requests of a burst are answered with status 500",
)
def limits_fail_under_load(r: Rehearsal) -> None:
    set_app_faults(r, limits=["fails"])


@limits_per_instance.revert
@limits_without_retry_after.revert
@limits_without_headers.revert
@limits_of_all_clients.revert
@limits_on_webhooks.revert
@limits_never_end.revert
@limits_switched_off.revert
@limits_with_gaps.revert
@limits_fail_under_load.revert
def limit_as_documented(r: Rehearsal) -> None:
    set_app_faults(r, limits=None)
    forget_limits(r)


# -- operations on a copy --------------------------------------------------------------------------

_COPIES = ["drills/api"]


@fault(
    "api-operation-crashes-on-null",
    expect_fail=["D-11.3.1"],
    touches=_COPIES,
    title="a rarely used route answers 500 where a value is null",
)
def operation_crashes_on_null(r: Rehearsal) -> None:
    _served(r, crash_on_null=True)


@fault(
    "api-answer-lacks-field",
    expect_fail=["D-11.3.1"],
    touches=_COPIES,
    title="an answer lacks a field that the document declares",
)
def answer_lacks_field(r: Rehearsal) -> None:
    _served(r, lacks_field=True)


@fault(
    "api-operation-open",
    expect_fail=["D-11.3.1"],
    touches=_COPIES,
    title="an operation that is protected answers anybody",
)
def operation_open(r: Rehearsal) -> None:
    _served(r, open="/api/v2/auth/me")


@fault(
    "api-operation-never-succeeds",
    expect_fail=["D-11.3.1"],
    touches=_COPIES,
    title="an operation refuses whatever it is asked",
)
def operation_never_succeeds(r: Rehearsal) -> None:
    _served(r, refuses="/api/v2/services/categories")


@fault(
    "api-operation-takes-anything",
    expect_fail=["D-11.3.1"],
    touches=_COPIES,
    title="an operation succeeds whatever it is sent",
)
def operation_takes_anything(r: Rehearsal) -> None:
    _served(r, takes_anything="/api/v2/auth/refresh")


@fault(
    "api-document-of-copy-differs",
    expect_fail=["D-11.3.1"],
    touches=_COPIES,
    title="the application on the copy has another document than the candidate",
)
def document_of_copy_differs(r: Rehearsal) -> None:
    _served(r, untitled=True)


@operation_crashes_on_null.revert
@answer_lacks_field.revert
@operation_open.revert
@operation_never_succeeds.revert
@operation_takes_anything.revert
@document_of_copy_differs.revert
def serve_copies_in_order(r: Rehearsal) -> None:
    r.clear_override("drills", "served_faults")


def _served(r: Rehearsal, **orders: Any) -> None:
    r.override("drills", served_faults={"api": orders})


@fault(
    "api-copy-not-masked",
    expect_fail=["D-11.3.1"],
    touches=_COPIES,
    title="a copy has e-mail addresses of people",
)
def copy_not_masked(r: Rehearsal) -> None:
    _restored(r, "update users set email = 'pat@mail.test' where email = 'client00900@example.com'")


@fault(
    "api-copy-of-few-rows",
    expect_fail=["D-11.3.1"],
    touches=_COPIES,
    title="a copy lacks a fifth of the payments",
)
def copy_of_few_rows(r: Rehearsal) -> None:
    _restored(r, "set session_replication_role = replica; delete from payments where id % 5 = 0")


@copy_not_masked.revert
@copy_of_few_rows.revert
def restore_whole_and_masked(r: Rehearsal) -> None:
    r.clear_override("drills", "after_restore_of")


def _restored(r: Rehearsal, sql: str) -> None:
    r.override("drills", after_restore_of={"golive-api": sql})
