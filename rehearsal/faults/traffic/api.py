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
    expect_fail=["D-11.3.3"],
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
