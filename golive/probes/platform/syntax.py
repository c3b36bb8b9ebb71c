"""What is wrong with deploy artefacts that are no YAML, and services that none of them defines."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

from golive.probes.platform.yaml_documents import Document, Flaw, Place

_LINE = re.compile(r"\bline (\d+)")
_SINGLE_LABEL = re.compile(r"https?://([a-z][a-z0-9_-]*)(?::\d+)?(?:[/;]|$)")


def flaws_of_nginx(path: str, text: str) -> Iterator[Flaw]:
    """Why nginx would not read a configuration; what other modules add to it is not judged."""
    import crossplane

    with tempfile.NamedTemporaryFile("w", suffix=".conf", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        parsed = crossplane.parse(file.name, single=True, check_ctx=False, check_args=False)
        for error in parsed["errors"]:
            told = re.sub(r" in \S+:\d+$", "", str(error["error"]))
            yield Flaw(Place(path, int(error.get("line") or 1)), f"nginx would not read it: {told}")


def flaws_of_terraform(path: str, text: str) -> Iterator[Flaw]:
    """Why Terraform would not read a file."""
    import hcl2

    try:
        if path.endswith(".json"):
            json.loads(text)
        else:
            hcl2.loads(text if text.endswith("\n") else f"{text}\n")
    except Exception as e:  # noqa: BLE001 - hcl2 and its grammar raise errors of several libraries
        found = _LINE.search(str(e))
        line = int(found[1]) if found else int(getattr(e, "lineno", 1) or 1)
        told = next(iter(str(e).strip().splitlines()), type(e).__name__)
        yield Flaw(Place(path, line), f"Terraform would not read it: {told}")


# -- services ----------------------------------------------------------------------------------


def flaws_of_compose(document: Document, others: Iterable[Document]) -> Iterator[Flaw]:
    """Services, networks, volumes, secrets and configs that a Compose file names and none defines.

    :param others: of the checkout's other Compose files, which may be merged with it.
    """
    mine, known = _table(document.value), {d.path: _table(d.value) for d in others}
    if mine.get("include"):
        return
    defined = {
        kind: {str(n) for t in (mine, *known.values()) for n in _table(t.get(kind))}
        for kind in ("services", "networks", "volumes", "secrets", "configs")
    }
    for name, service in _table(mine.get("services")).items():
        service = _table(service)
        for key, kind in (("depends_on", "services"), ("networks", "networks")):
            for one in _names(service.get(key)) - {"default"} - defined[kind]:
                yield _lacks(document, f"the {kind[:-1]} {one}", "services", name, key)
        for key in ("secrets", "configs"):
            for one in _sources(service.get(key)) - defined[key]:
                yield _lacks(document, f"the {key[:-1]} {one}", "services", name, key)
        for one in _volumes(service.get("volumes")) - defined["volumes"]:
            yield _lacks(document, f"the volume {one}", "services", name, "volumes")


def _lacks(document: Document, what: str, *where: str) -> Flaw:
    return Flaw(document.place(*where), f"names {what}, which nothing defines")


def _names(value: Any) -> set[str]:
    return {str(v) for v in value} if isinstance(value, list | dict) else set()


def _sources(value: Any) -> set[str]:
    listed = value if isinstance(value, list) else []
    return {str(_table(v).get("source", "")) if isinstance(v, dict) else str(v) for v in listed}


def _volumes(value: Any) -> set[str]:
    """The named volumes among a service's: no path and no variable."""
    found = set()
    for one in value if isinstance(value, list) else []:
        if isinstance(one, dict):
            source = str(one.get("source", "")) if one.get("type", "volume") == "volume" else ""
        else:
            source = str(one).partition(":")[0] if ":" in str(one) else ""
        if re.fullmatch(r"[A-Za-z0-9][\w.-]*", source) and not re.match(r"[A-Za-z]$", source):
            found.add(source)
    return found


def services_of_compose(document: Document) -> set[str]:
    """Names that its containers find each other by."""
    found = set()
    for name, service in _table(_table(document.value).get("services")).items():
        service = _table(service)
        found |= {str(name), *map(str, filter(None, [service.get("container_name")]))}
        found |= {str(service["hostname"])} if service.get("hostname") else set()
        for network in _table(service.get("networks")).values():
            found |= _names(_table(network).get("aliases"))
    return found


def flaws_of_proxies(
    path: str, text: str, services: set[str], upstreams: set[str]
) -> Iterator[Flaw]:
    """Bare names that an nginx configuration sends to, and that are neither an upstream nor a
    service.

    :param services: those of Compose files and manifests; where there is none, any may be right.
    """
    known = services | upstreams | {"localhost"}
    if not services:
        return
    for match in re.finditer(r"^\s*[^#\n]*?\bproxy_pass\s+(\S+)", text, re.MULTILINE):
        named = _SINGLE_LABEL.match(match[1])
        if named and named[1] not in known:
            line = text.count("\n", 0, match.start(1)) + 1
            what = f"sends to {named[1]}, which no upstream, Compose or Kubernetes service is"
            yield Flaw(Place(path, line), what)


def upstreams_of(text: str) -> set[str]:
    """The groups of servers that an nginx configuration names."""
    return set(re.findall(r"^[^#\n]*?\bupstream\s+([\w.-]+)\s*\{", text, re.MULTILINE))


def _table(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}
