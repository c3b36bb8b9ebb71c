"""What breaks clients between two documents, and what only looks like it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from golive.probes.traffic.breaking import Break, breaks, entries, unlisted
from golive.probes.traffic.openapi import (
    Judge,
    differences,
    examples,
    flaws,
    operations,
    shape,
    unsaid_errors,
    unsaid_parameters,
    unsaid_security,
    unsaid_success,
    without_summary,
    wrong_examples,
)
from golive.verdicts import ProbeError

Json = dict[str, Any]
Change = Callable[[Json], object]
JSON = "application/json"
ERROR = {"description": "no", "content": {JSON: {"schema": {"type": "string"}}}}


def content(schema: Json) -> Json:
    return {"content": {JSON: {"schema": schema}}}


VISIT: Json = {
    "type": "object",
    "required": ["id", "status"],
    "properties": {
        "id": {"type": "integer"},
        "status": {"type": "string", "enum": ["open", "done"]},
        "notes": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "of": {"$ref": "#/components/schemas/Visit"},
    },
    "example": {"id": 1, "status": "open"},
}
DOCUMENT: Json = {
    "openapi": "3.1.0",
    "info": {"title": "Visits", "version": "1"},
    "paths": {
        "/visits": {
            "get": {
                "summary": "List",
                "parameters": [
                    {"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 100}}
                ],
                "responses": {
                    "200": {
                        "description": "ok",
                        **content(
                            {"type": "array", "items": {"$ref": "#/components/schemas/Visit"}}
                        ),
                    },
                    "422": ERROR,
                },
            },
            "post": {
                "summary": "Book",
                "security": [{"Bearer": []}],
                "requestBody": {
                    "required": True,
                    **content(
                        {
                            "type": "object",
                            "required": ["day"],
                            "properties": {
                                "day": {"type": "string"},
                                "kind": {"type": "string", "enum": ["a", "b"]},
                                "count": {"type": "number", "minimum": 1},
                            },
                        }
                    ),
                },
                "responses": {
                    "201": {"description": "ok", **content({"$ref": "#/components/schemas/Visit"})},
                    "401": ERROR,
                },
            },
        },
        "/visits/{id}": {
            "parameters": [
                {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
            ],
            "delete": {
                "summary": "Cancel",
                "responses": {"204": {"description": "gone"}, "404": ERROR},
            },
        },
    },
    "components": {
        "schemas": {"Visit": VISIT},
        "securitySchemes": {"Bearer": {"type": "http", "scheme": "bearer"}},
    },
}


def changed(*changes: Change) -> Json:
    made = copy.deepcopy(DOCUMENT)
    for change in changes:
        change(made)
    return made


def visit(d: Json) -> Json:
    found: Json = d["components"]["schemas"]["Visit"]
    return found


def body(d: Json) -> Json:
    found: Json = d["paths"]["/visits"]["post"]["requestBody"]["content"][JSON]["schema"]
    return found


def get(d: Json) -> Json:
    found: Json = d["paths"]["/visits"]["get"]
    return found


def post(d: Json) -> Json:
    found: Json = d["paths"]["/visits"]["post"]
    return found


def renamed(d: Json) -> None:
    item = d["paths"]["/visits/{visit_id}"] = d["paths"].pop("/visits/{id}")
    item["parameters"][0]["name"] = "visit_id"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda d: d["paths"].pop("/visits/{id}"), "DELETE /visits/{id}: it is gone"),
        (
            lambda d: visit(d)["properties"].pop("notes"),
            "GET /visits and 1 more: answer field notes of Visit is gone",
        ),
        (
            lambda d: visit(d)["required"].remove("status"),
            "GET /visits and 1 more: answer field status of Visit may be missing now",
        ),
        (
            lambda d: visit(d)["properties"]["id"].update(type=["integer", "null"]),
            "GET /visits and 1 more: answer field id may be null now",
        ),
        (
            lambda d: visit(d)["properties"]["id"].update(type="string"),
            "GET /visits and 1 more: answer field id may be string now",
        ),
        (
            lambda d: visit(d)["properties"]["status"]["enum"].append("lost"),
            'GET /visits and 1 more: answer field status may be "lost" now',
        ),
        (
            lambda d: get(d)["responses"].pop("200"),
            "GET /visits: it answers no 200 any more",
        ),
        (lambda d: get(d)["parameters"].clear(), "GET /visits: parameter limit is gone"),
        (
            lambda d: get(d)["parameters"][0]["schema"].update(maximum=50),
            "GET /visits: request field limit has maximum 50 now, not 100",
        ),
        (
            lambda d: get(d)["parameters"][0].update(required=True),
            "GET /visits: parameter limit is required now",
        ),
        (
            lambda d: get(d).update(security=[{"Bearer": []}]),
            "GET /visits: it asks for authorisation now",
        ),
        (
            lambda d: post(d).update(security=[{"Key": []}]),
            "POST /visits: it asks for another authorisation",
        ),
        (
            lambda d: body(d)["required"].append("kind"),
            "POST /visits: request field kind is required now",
        ),
        (
            lambda d: (
                body(d)["required"].append("shop"),
                body(d)["properties"].update(shop={"type": "integer"}),
            ),
            "POST /visits: request field shop is new and required",
        ),
        (
            lambda d: body(d)["properties"].pop("count"),
            "POST /visits: request field count is gone",
        ),
        (
            lambda d: body(d)["properties"]["kind"]["enum"].remove("a"),
            'POST /visits: request field kind may not be "a" any more',
        ),
        (
            lambda d: body(d)["properties"]["count"].update(type="integer"),
            "POST /visits: request field count may not be number any more",
        ),
        (
            lambda d: body(d)["properties"]["day"].update(pattern="^2"),
            "POST /visits: request field day has another pattern",
        ),
    ],
)
def test_what_breaks_clients_is_told(change: Change, what: str) -> None:
    assert [str(b) for b in breaks(DOCUMENT, changed(change))] == [what]


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["paths"].update({"/new": {"get": {"responses": {}}}}),
        renamed,
        lambda d: visit(d)["properties"].update(colour={"type": "string"}),
        lambda d: visit(d)["required"].append("notes"),
        lambda d: visit(d)["properties"]["status"]["enum"].remove("done"),
        lambda d: visit(d)["properties"].update(notes={"type": "string"}),
        lambda d: body(d)["required"].remove("day"),
        lambda d: body(d)["properties"]["kind"].pop("enum"),
        lambda d: body(d)["properties"].update(shop={"type": "integer"}),
        lambda d: get(d)["parameters"][0]["schema"].update(maximum=500),
        lambda d: get(d)["parameters"][0]["schema"].update(type="number"),
        lambda d: get(d)["parameters"].append(
            {"name": "skip", "in": "query", "schema": {"type": "integer"}}
        ),
        lambda d: post(d).pop("security"),
        lambda d: get(d).update(summary="List them", tags=["visits"]),
        lambda d: d["components"]["schemas"].update(
            Visit={"allOf": [{"$ref": "#/components/schemas/Old"}]}, Old=VISIT
        ),
    ],
)
def test_what_clients_can_bear_is_not(change: Change) -> None:
    assert breaks(DOCUMENT, changed(change)) == []


CHANGELOG = """# Changelog

## [Unreleased]

## [2.0.0] - 2026-11-02

### Removed

- `DELETE /visits/{visit_id}` is gone,
  cancel instead
- the field `notes`

### Added

- `status` tells more

## 1.9.0

- `limit`, long ago
"""


def test_a_changelog_lists_a_path_by_any_name_of_its_parameters_and_a_field_by_its_own() -> None:
    listed = entries(CHANGELOG, "v2.0.0", "v1.9.0")
    gone = Break("DELETE /visits/{id}", "/visits/{id}", "", "it is gone")
    notes = Break("GET /visits", "/visits", "notes", "answer field notes is gone")
    status = Break("GET /visits", "/visits", "status", "answer field status is gone")
    limit = Break("GET /visits", "/visits", "limit", "parameter limit is gone")
    whole = Break("GET /visits", "/visits", "", "it is gone")
    assert unlisted([gone, notes, status, limit, whole], listed) == [status, limit, whole]


@pytest.mark.parametrize(
    "text",
    [
        "Version 2.0.0\n=============\n\n* notes are gone\n\nVersion 1.9.0\n===========\n",
        "## v2.0.0\n\nThe notes are gone.\n",
        "## Unreleased\n\n1. notes: gone\n\n## v1.9.0\n",
        "# 2.0.0 (2026-11-02)\n\n### Breaking\n- notes\n\n# 1.9.0\n",
        "## [2.0.0]\r\n\r\n- notes\r\n\r\n## [1.9.0]\r\n",
    ],
)
def test_changelogs_are_written_in_many_ways(text: str) -> None:
    notes = Break("GET /visits", "/visits", "notes", "answer field notes is gone")
    assert unlisted([notes], entries(text, "v2.0.0", "v1.9.0")) == []


def test_another_version_is_no_section_of_this_one() -> None:
    assert entries("## 12.0.0\n- notes\n## 2.0.0.1\n- notes\n", "2.0.0", "1.9.0") == []


# -- one document ----------------------------------------------------------------------------------


def test_a_document_in_order_lacks_nothing() -> None:
    told = operations(DOCUMENT)
    assert [str(o) for o in told] == ["GET /visits", "POST /visits", "DELETE /visits/{id}"]
    for o in told:
        assert not without_summary(o)
        assert unsaid_parameters(DOCUMENT, o) == []
        assert unsaid_success(DOCUMENT, o) == ""
        assert unsaid_errors(DOCUMENT, o) == ""
        assert unsaid_security(DOCUMENT, o) == ""
    assert flaws(DOCUMENT) == []
    assert wrong_examples(DOCUMENT) == (1, [])


def test_what_is_left_unsaid_is_told_by_operation() -> None:
    bare = changed(
        lambda d: get(d).pop("summary"),
        lambda d: get(d)["parameters"][0].update(schema={"title": "Limit"}),
        lambda d: get(d)["responses"]["200"].update(content={JSON: {"schema": {}}}),
        lambda d: get(d)["responses"].pop("422"),
        lambda d: post(d).update(security=[{"Key": []}]),
        lambda d: post(d)["responses"].update({"400": post(d)["responses"].pop("401")}),
        lambda d: d["paths"]["/visits/{id}"].pop("parameters"),
    )
    listing, booking, cancelling = operations(bare)
    assert without_summary(listing)
    assert unsaid_parameters(bare, listing) == ["GET /visits: nothing of parameter limit"]
    assert unsaid_success(bare, listing) == "GET /visits: nothing of what 200 holds"
    assert unsaid_errors(bare, listing) == "GET /visits: no error with a schema"
    assert unsaid_security(bare, booking) == "POST /visits: no scheme Key"
    assert unsaid_errors(bare, booking) == "POST /visits: neither 401 nor 403"
    assert unsaid_parameters(bare, cancelling) == ["DELETE /visits/{id}: no parameter id"]


def test_an_example_is_judged_by_its_own_schema_wherever_it_stands() -> None:
    wrong = changed(
        lambda d: visit(d)["example"].update(id="one"),
        lambda d: get(d)["parameters"][0].update(example=101),
        lambda d: post(d)["requestBody"]["content"][JSON].update(
            examples={
                "late": {"value": {"kind": "c", "day": "x"}},
                "elsewhere": {"externalValue": ""},
            }
        ),
    )
    count, found = wrong_examples(wrong)
    assert count == 3
    assert [text.partition(":")[0] for text in found] == [
        "Visit",
        "GET /visits, limit",
        "POST /visits, body (application/json), late",
    ]
    assert len(list(examples(DOCUMENT))) == 1


def test_an_older_dialect_has_its_own_null() -> None:
    old: Json = {"openapi": "3.0.3", "paths": {}}
    assert Judge(old)({"type": "string", "nullable": True}, None) == ""
    assert Judge(DOCUMENT)({"type": "string", "nullable": True}, None) != ""


def test_a_broken_document_is_a_finding_or_could_not_be_looked_at_and_no_crash() -> None:
    assert "title" in flaws(changed(lambda d: d["info"].pop("title")))[0]
    assert "no OpenAPI 3" in flaws({"swagger": "2.0", "paths": {}})[0]
    with pytest.raises(ProbeError, match="refers to other"):
        flaws(changed(lambda d: get(d)["responses"].update({"400": {"$ref": "other.json#/x"}})))
    for document in ({}, {"openapi": "3.1.0"}, {"openapi": "3.1.0", "paths": {"/x": {"get": 1}}}):
        with pytest.raises(ProbeError):
            operations(document)


@pytest.mark.parametrize("path", ["/a/{b}/c", "/a/{other}/c", "/a/<int:b>/c", "/a/:b/c"])
def test_paths_of_all_frameworks_have_one_shape(path: str) -> None:
    assert shape(path) == "/a/{}/c"


def test_where_an_api_is_served_is_no_difference() -> None:
    assert differences(DOCUMENT, {**DOCUMENT, "servers": [{"url": "https://api.test"}]}) == []
    other = changed(lambda d: get(d).pop("summary"), lambda d: d["paths"].update({"/new": {}}))
    assert differences(DOCUMENT, other) == [
        "paths /new is one more",
        "paths /visits get summary is missing",
    ]
