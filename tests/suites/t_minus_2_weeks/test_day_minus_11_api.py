"""Day -11: the API's document, its operations and its limits, on literal facts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from golive.claims import Claim
from golive.probes.traffic.api_document import ApiDocument, Links
from golive.probes.traffic.breaking import Break
from golive.testing import Suites
from golive.verdicts import ProbeError, Unseen
from tests.checks import SUITES

CHECKS = Suites(SUITES)
NOT_SEEN = Unseen(ProbeError("it", "no answer", "look"))
DOCUMENT = ApiDocument(
    version="2.0.0",
    operations=31,
    instances=2,
    of_its_own=(),
    published=(),
    flaws=(),
    registered=31,
    untold=(),
    imagined=(),
    without_summary=(),
    security=(),
    parameters=(),
    successes=(),
    errors=(),
    examples=27,
    wrong_examples=(),
    compared_with="1.9.0",
    compared=30,
    unlisted=(),
    listed=1,
    links=Links(6, (), None),
    before="1.9.0",
)


def document(**changes: Any) -> Claim | None:
    return CHECKS.judged("D-11.3.3", api_document=replace(DOCUMENT, **changes))


@pytest.mark.parametrize(
    ("changes", "subject"),
    [
        ({"of_its_own": ("app-2 and app-1 differ: info title is another",)}, "instances of their"),
        ({"published": ("paths /health is missing",)}, "differences of the published one"),
        ({"flaws": ("info: 'title' is a required property",)}, "flaws by OpenAPI 3"),
        ({"untold": ("GET /internal",)}, "routes not documented"),
        ({"imagined": ("GET /points",)}, "operations not registered"),
        ({"without_summary": ("GET /health",)}, "operations without a summary"),
        ({"security": ("GET /me: open by the document",)}, "authorisation not as documented"),
        ({"parameters": ("GET /x/{id}: no parameter id",)}, "parameters not documented"),
        ({"successes": ("GET /x: nothing of what 200 holds",)}, "successes not documented"),
        ({"errors": ("GET /x: no error with a schema",)}, "errors not documented"),
        ({"wrong_examples": ("Visit: id: 'a' is not of type 'integer'",)}, "examples refused"),
        ({"examples": 0}, "examples refused"),
        ({"compared_with": "2.0.0"}, "document of the release before"),
        ({"unlisted": (Break("GET /x", "/x", "", "it is gone"),)}, "breaks not in the changelog"),
        ({"links": Links(6, ("http://x/y: status 404",), None)}, "links that lead nowhere"),
    ],
)
def test_each_clause_of_the_document_breaks_it(changes: dict[str, Any], subject: str) -> None:
    claim = document(**changes)
    assert claim is not None
    assert claim.broken
    assert claim.subject.startswith(subject)


def test_a_document_in_order_is_green() -> None:
    assert document() is None
    assert document(before="", compared_with="7") is None  # versions of its own
    assert document(links=Links(0, (), None)) is None


@pytest.mark.parametrize("key", ["published", "registered", "examples", "compared", "links"])
def test_what_could_not_be_looked_at_is_never_green(key: str) -> None:
    claim = document(**{key: NOT_SEEN})
    assert claim is not None
    assert claim.unseen is not None
    half = document(links=Links(6, (), NOT_SEEN))
    assert half is not None
    assert half.subject == "links not followed"
