"""An OpenAPI document as such: its operations, what it leaves unsaid, its examples, its flaws.

Nothing is looked at here; whoever has a document asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from golive.probing import import_whole
from golive.verdicts import ProbeError

Json = Mapping[str, Any]
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_PARAMETER = re.compile(r"\{[^{}]*\}|<[^<>]*>|(?<=/):[A-Za-z_]\w*")
_NOTHING_SAID = frozenset(
    {"title", "description", "default", "example", "examples", "deprecated", "$comment"}
)
_NO_CONTENT = frozenset({"204", "205", "304"})
_MOST_FLAWS = 200


@dataclass(frozen=True, slots=True)
class Operation:
    """A method of a path."""

    method: str
    path: str
    """As the document writes it."""
    route: str
    """With what the document's server puts before it."""
    body: Json
    """The document's words of it."""
    parameters: tuple[Json, ...]
    """Its own and its path's, resolved."""
    security: tuple[Json, ...]
    """What may authorise a call, one of these; none where nothing has to."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def key(self) -> tuple[str, str]:
        """What stays the same when a parameter gets another name."""
        return self.method, shape(self.route)

    @property
    def is_secured(self) -> bool:
        """Whether it cannot be called by just anybody."""
        return bool(self.security) and all(self.security)


def shape(path: str) -> str:
    """A path without the names of its parameters, in any framework's way of writing them."""
    return _PARAMETER.sub("{}", path)


def version_of(document: Json) -> str:
    """The version of OpenAPI that it is written in.

    :raises ProbeError: it is no OpenAPI document.
    """
    version = document.get("openapi", document.get("swagger"))
    if not isinstance(version, str) or not isinstance(document.get("paths"), dict):
        raise ProbeError(
            "the API document",
            "it has no openapi and paths, so that it is none",
            "check application.paths.api_document and [api]",
        )
    return version


def resolved(document: Json, part: Any) -> Json:
    """A part itself, or what its ``$ref`` leads to within the document.

    :raises ProbeError: it leads nowhere, or elsewhere.
    """
    for _ in range(20):
        reference = part.get("$ref") if isinstance(part, Mapping) else None
        if not isinstance(reference, str):
            return part if isinstance(part, Mapping) else {}
        found: Any = document
        try:
            if not reference.startswith("#/"):
                raise KeyError(reference)
            for name in reference[2:].split("/"):
                found = found[name.replace("~1", "/").replace("~0", "~")]
        except (KeyError, TypeError, IndexError):
            raise ProbeError(
                "the API document",
                f"it refers to {reference}, which is not in it",
                "publish it in one file, with all that it refers to",
            ) from None
        part = found
    raise ProbeError("the API document", "its references lead round in a circle", "mend them")


def operations(document: Json) -> tuple[Operation, ...]:
    """Every operation, in the document's order.

    :raises ProbeError: it is no OpenAPI document.
    """
    version_of(document)
    base = base_path(document)
    found: list[Operation] = []
    try:
        for path, item in document["paths"].items():
            item = resolved(document, item)
            found += [_operation(document, base, path, m, item) for m in METHODS if m in item]
    except (AttributeError, KeyError, TypeError) as e:
        raise ProbeError(
            "the API document", f"{type(e).__name__} {e} in its paths", "validate it"
        ) from None
    return tuple(found)


def _operation(document: Json, base: str, path: str, method: str, item: Json) -> Operation:
    own = item[method]
    given = [*item.get("parameters", []), *own.get("parameters", [])]
    known = {(p.get("name"), p.get("in")): p for p in (resolved(document, p) for p in given)}
    security = own.get("security", document.get("security", []))
    return Operation(
        method.upper(), path, base + path, own, tuple(known.values()), tuple(security or ())
    )


def base_path(document: Json) -> str:
    """What the document's server puts before each path."""
    if "swagger" in document:
        return str(document.get("basePath", "")).rstrip("/")
    servers = document.get("servers")
    first = servers[0] if isinstance(servers, list) and servers else {}
    return urlsplit(str(first.get("url", ""))).path.rstrip("/")


def says_something(document: Json, schema: Any) -> bool:
    """Whether a schema tells anything of a value."""
    found = resolved(document, schema)
    return bool(set(found) - _NOTHING_SAID)


# -- what an operation leaves unsaid ---------------------------------------------------------------


def without_summary(operation: Operation) -> bool:
    texts = (operation.body.get("summary"), operation.body.get("description"))
    return not any(isinstance(t, str) and t.strip() for t in texts)


def unsaid_parameters(document: Json, operation: Operation) -> list[str]:
    """What it takes and does not tell: parameters and bodies."""
    told = {p.get("name") for p in operation.parameters if p.get("in") == "path"}
    wanted = {n[1:-1] for n in re.findall(r"\{[^{}]+\}", operation.path)}
    found = [f"{operation}: no parameter {name}" for name in sorted(wanted - told)]
    for parameter in operation.parameters:
        content = parameter.get("content") or {"": parameter}
        if not all(says_something(document, one.get("schema")) for one in content.values()):
            found.append(f"{operation}: nothing of parameter {parameter.get('name')}")
    body = resolved(document, operation.body.get("requestBody") or {})
    for kind, media in (body.get("content") or {}).items():
        if not says_something(document, media.get("schema")):
            found.append(f"{operation}: nothing of its body ({kind})")
    return found


def unsaid_success(document: Json, operation: Operation) -> str:
    """What is not told of what it answers when all is well; empty where all is."""
    good = {
        str(s): resolved(document, r)
        for s, r in _responses(operation).items()
        if str(s)[:1] in "123" and str(s) != "default"
    }
    if not good:
        return f"{operation}: no success"
    for status, response in good.items():
        if status in _NO_CONTENT or status[0] in "13" or operation.method == "HEAD":
            continue
        if not _has_schema(document, response):
            return f"{operation}: nothing of what {status} holds"
    return ""


def unsaid_errors(document: Json, operation: Operation) -> str:
    """What is not told of how it fails; empty where all is."""
    bad = {
        str(s): resolved(document, r)
        for s, r in _responses(operation).items()
        if str(s)[:1] in "45" or str(s) == "default"
    }
    if not any(_has_schema(document, r) for r in bad.values()):
        return f"{operation}: no error with a schema"
    if operation.is_secured and not {"401", "403", "4XX", "4xx", "default"} & set(bad):
        return f"{operation}: neither 401 nor 403"
    return ""


def unsaid_security(document: Json, operation: Operation) -> str:
    """What is wrong with what it tells of authorisation; empty where nothing is."""
    schemes = (document.get("components") or {}).get("securitySchemes") or {}
    unknown = {n for one in operation.security for n in one if n not in schemes}
    if unknown:
        return f"{operation}: no scheme {', '.join(sorted(unknown))}"
    told = {str(s) for s in _responses(operation)}
    if not operation.security and "401" in told and "security" not in operation.body:
        takes = resolved(document, operation.body.get("requestBody") or {})
        given = {p.get("in") for p in operation.parameters}
        # A login takes what it judges with the request itself.
        if not takes and not given & {"header", "cookie", "query"}:
            return f"{operation}: answers 401 and names no authorisation"
    return ""


def _responses(operation: Operation) -> Json:
    found = operation.body.get("responses")
    return found if isinstance(found, Mapping) else {}


def _has_schema(document: Json, response: Json) -> bool:
    content = response.get("content") or {}
    return bool(content) and all(
        says_something(document, media.get("schema")) for media in content.values()
    )


# -- flaws and examples ----------------------------------------------------------------------------


def flaws(document: Json) -> list[str]:
    """What the OpenAPI specification says is wrong with a document.

    :raises ProbeError: it is no OpenAPI document, or refers to others.
    """
    import_whole("jsonschema", "openapi_spec_validator")
    import openapi_spec_validator as validators

    version = version_of(document)
    named = {
        "3.0": validators.OpenAPIV30SpecValidator,
        "3.1": validators.OpenAPIV31SpecValidator,
        "3.2": validators.OpenAPIV32SpecValidator,
    }.get(version[:3])
    if named is None:
        return [f"it is written in {version}, which is no OpenAPI 3"]
    for reference in _references(document):
        resolved(document, {"$ref": reference})  # nothing is fetched from elsewhere
    found = []
    try:
        for error in named(document).iter_errors():
            where = "/".join(map(str, error.absolute_path)) or "the document"
            found.append(f"{where}: {_one_line(error.message)}")
            if len(found) == _MOST_FLAWS:
                break
    except Exception as e:  # noqa: BLE001 - it breaks over documents that are broken badly
        found.append(f"it cannot be judged: {type(e).__name__} {e}")
    return found


def _one_line(message: object) -> str:
    # Some validators add the schema and the whole value.
    text = str(message).partition("Failed validating")[0]
    return " ".join(text.split())[:200]


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, Mapping):
        reference = part.get("$ref")
        if isinstance(reference, str):
            yield reference
        for value in part.values():
            yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)


@dataclass(frozen=True, slots=True)
class Example:
    """An example and what it should be one of."""

    where: str
    value: Any
    schema: Any


def wrong_examples(document: Json) -> tuple[int, list[str]]:
    """How many examples there are, and those that their schema refuses, with why.

    :raises ProbeError: the document's references lead nowhere.
    """
    refuses = Judge(document)
    count, wrong = 0, []
    for example in examples(document):
        count += 1
        if why := refuses(example.schema, example.value):
            wrong.append(f"{example.where}: {why}")
    return count, wrong


class Judge:
    """Says whether a value is what a schema of the document tells."""

    def __init__(self, document: Json) -> None:
        import_whole("jsonschema", "openapi_schema_validator")
        import openapi_schema_validator as dialects
        from referencing import Registry
        from referencing.jsonschema import DRAFT202012

        old = version_of(document).startswith("3.0")
        self._dialect: Any = dialects.OAS30Validator if old else dialects.OAS31Validator
        self._formats: Any = dialects.oas30_format_checker if old else dialects.oas31_format_checker
        whole: Any = DRAFT202012.create_resource(dict(document))
        self._registry: Any = Registry[Any]().with_resource("urn:api", whole)

    def __call__(self, schema: Any, value: Any) -> str:
        """Why the value is refused; empty where it is right."""
        asked = _absolute(schema)
        if not isinstance(asked, Mapping):
            return "" if asked is not False else "nothing is right there"
        judge = self._dialect(asked, registry=self._registry, format_checker=self._formats)
        try:
            error = next(iter(judge.iter_errors(value)), None)
        except Exception as e:  # noqa: BLE001 - a schema that is no schema, which validation tells
            return f"its schema cannot be read: {type(e).__name__}"
        if error is None:
            return ""
        place = ".".join(map(str, error.absolute_path))
        text = " ".join(str(error.message).split())[:160]
        return f"{place}: {text}" if place else text


def _absolute(schema: Any) -> Any:
    if isinstance(schema, Mapping):
        return {
            k: f"urn:api{v}"
            if k == "$ref" and isinstance(v, str) and v.startswith("#")
            else _absolute(v)
            for k, v in schema.items()
        }
    return [_absolute(v) for v in schema] if isinstance(schema, list) else schema


def examples(document: Json) -> Iterator[Example]:
    """Every example, wherever the specification lets one stand."""
    for name, schema in ((document.get("components") or {}).get("schemas") or {}).items():
        yield from _of_schema(schema, name)
    for operation in operations(document):
        for parameter in operation.parameters:
            yield from _of_media(document, parameter, f"{operation}, {parameter.get('name')}")
        body = resolved(document, operation.body.get("requestBody") or {})
        for kind, media in (body.get("content") or {}).items():
            yield from _of_media(document, media, f"{operation}, body ({kind})")
        for status, one in _responses(operation).items():
            response = resolved(document, one)
            for kind, media in (response.get("content") or {}).items():
                yield from _of_media(document, media, f"{operation}, {status} ({kind})")
            for name, header in (response.get("headers") or {}).items():
                where = f"{operation}, {status}, header {name}"
                yield from _of_media(document, resolved(document, header), where)


def _of_media(document: Json, media: Json, where: str) -> Iterator[Example]:
    schema = media.get("schema", {})
    if "example" in media:
        yield Example(where, media["example"], schema)
    named = media.get("examples")
    for name, one in named.items() if isinstance(named, Mapping) else ():
        found = resolved(document, one)
        if "value" in found:
            yield Example(f"{where}, {name}", found["value"], schema)
    yield from _of_schema(schema, where)


def _of_schema(schema: Any, where: str) -> Iterator[Example]:
    if not isinstance(schema, Mapping):
        return
    if "example" in schema:
        yield Example(where, schema["example"], schema)
    several = schema.get("examples")
    for value in several if isinstance(several, list) else ():
        yield Example(where, value, schema)
    for key in ("properties", "patternProperties"):
        for name, one in (schema.get(key) or {}).items():
            yield from _of_schema(one, f"{where}.{name}")
    for key in ("items", "additionalProperties", "not"):
        yield from _of_schema(schema.get(key), where)
    for key in ("allOf", "anyOf", "oneOf", "prefixItems"):
        for one in schema.get(key) or ():
            yield from _of_schema(one, where)


# -- two documents ---------------------------------------------------------------------------------

_MOST_DIFFERENCES = 200


def differences(one: Json, other: Json) -> list[str]:
    """Where two documents tell different things, but where the API is served."""
    found: list[str] = []

    def walk(a: Any, b: Any, where: str) -> None:
        if len(found) >= _MOST_DIFFERENCES or a == b:
            return
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            for key in sorted({*a, *b}, key=str):
                if not where and key == "servers":
                    continue
                place = f"{where} {key}".strip()
                if key not in b:
                    found.append(f"{place} is missing")
                elif key not in a:
                    found.append(f"{place} is one more")
                else:
                    walk(a[key], b[key], place)
        elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
            for number, (x, y) in enumerate(zip(a, b, strict=True)):
                walk(x, y, f"{where} {number}")
        else:
            found.append(f"{where} is another")

    walk(one, other, "")
    return found
