"""Papers: documents that people write, as Markdown with front matter that a check can read.

A kind of paper is a Struct with a file name and descriptions of its fields; its template, which
``golive init`` lays out, follows from it, so the two cannot differ:

    class KnownIssues(Kind, frozen=True, kw_only=True):
        '''Issues that stay open at launch, each accepted.'''

        file = "known-issues.md"
        issues: Annotated[list[KnownIssue], Meta(description="one entry for each open issue")]

A paper that is not there, or is no paper of its kind, is something that a person still has to
do: PENDING, with the template named. One that cannot be read is UNKNOWN.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import os
import pickle
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from golive.decoding import convert
from golive.files import NotThere, opened, shown
from golive.verdicts import GoliveError, Pending, ProbeError

_MOST_BYTES = 2 * 2**20
_MOST_NODES = 50_000
"""Of a front matter, aliases counted as often as they are used."""
_FRONT = re.compile(
    r"\A---[ \t]*\n(?P<front>.*?)^---[ \t]*$\n?(?P<body>.*)\Z", re.DOTALL | re.MULTILINE
)
_PLACEHOLDER = re.compile(r"\[[^\]]*\]|TODO|TBD|\?+", re.IGNORECASE)
"""What stands where somebody still has to write something: a whole value in brackets, as in a
template, or what people write instead."""
_HOLE = re.compile(r"(?<![\w\]!])\[[A-Za-z][A-Za-z' /-]+\](?![(\[:])|\b(?:TODO|TBD|FIXME)\b")
"""The same within a sentence; a link or an index of an array is none."""
_SCAFFOLD = "[what there is to say]"
_FORMS = {
    r"^\d\d:\d\d$": "HH:MM",
    r"^[+-]\d\d:\d\d$": "+HH:MM",
    r"^[A-Z]{3}$": "three capital letters",
    r"^[0-9a-f]{40}$": "40 hexadecimal digits",
    r"^[0-9a-f]{64}$": "64 hexadecimal digits",
}
"""What a template says of a text of a certain form."""


class Kind(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A kind of paper; what its front matter holds are the fields of a subclass."""

    file: ClassVar[str] = ""
    """Its file name; with ``*`` where there may be several, e.g. ``briefing-*.md``."""
    sections: ClassVar[tuple[str, ...]] = ()
    """Headings that the text below the front matter has to have."""

    @classmethod
    def template_file(cls) -> str:
        """What its template is called; a copy for each where there may be several."""
        return cls.file.replace("*", "TEMPLATE")


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An entry of a list in a paper."""


K = TypeVar("K", bound=Kind)


@dataclass(frozen=True, slots=True)
class Paper(Generic[K]):
    """A paper as it lies there."""

    path: Path
    sha256: str
    """Of the file's bytes: what a statement names."""
    data: K
    body: str
    changed_at: datetime
    text: str
    """All of it: front matter and body."""

    @property
    def name(self) -> str:
        """Its file name."""
        return self.path.name

    @property
    def code(self) -> tuple[str, ...]:
        """The contents of the body's fenced blocks."""
        return tuple(t.content for t in _tokens(self.body) if t.type == "fence")

    @property
    def commands(self) -> set[str]:
        """The first word of each line in them."""
        lines = (line.split() for block in self.code for line in block.splitlines())
        return {words[0] for words in lines if words}

    @property
    def check_boxes(self) -> tuple[str, ...]:
        """The texts behind the body's check boxes, ticked or not."""
        texts = (t.content for t in _tokens(self.body) if t.type == "inline")
        lines = (line for text in texts for line in text.splitlines())
        return tuple(x[3:].strip() for x in lines if x[:3] in ("[ ]", "[x]", "[X]"))

    @property
    def left_open(self) -> list[str]:
        """What somebody still has to fill in within its sentences, code aside."""
        inline = (t.children or () for t in _tokens(self.body) if t.type == "inline")
        body = (c.content for children in inline for c in children if c.type == "text")
        leaves = (leaf for _, leaf in _leaves(msgspec.to_builtins(self.data), "$"))
        texts = [*(leaf for leaf in leaves if isinstance(leaf, str)), *body]
        return list(dict.fromkeys(hole for text in texts for hole in _HOLE.findall(text)))

    @property
    def headings(self) -> tuple[str, ...]:
        """Texts of the headings of the body."""
        return _headings(self.body)


class Papers:
    """The papers of one launch folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, kind: type[K], name: str = "") -> Paper[K]:
        """The paper of a kind.

        :param name: its file name, for kinds that may lie there several times.
        :raises Pending: it is not there, or is not of that kind yet; names the template.
        :raises ProbeError: it cannot be read.
        """
        return _read(self.folder, self.folder / (name or kind.file), kind)

    def all_of(self, kind: type[K]) -> list[Paper[K]]:
        """All papers of a kind, by name; none where there is none.

        :raises Pending: one of them is not of that kind yet.
        :raises ProbeError: the folder or a paper cannot be read.
        """
        return [_read(self.folder, self.folder / name, kind) for name in self.names(kind)]

    def names(self, kind: type[K]) -> list[str]:
        """The file names of what may be a paper of a kind, read or not.

        :raises ProbeError: the folder cannot be read.
        """
        try:
            names = sorted(p.name for p in self.folder.glob(kind.file))
        except OSError as e:
            raise ProbeError(f"{self.folder}", e.strerror, "make it readable") from None
        return [name for name in names if "*" not in kind.file or name != kind.template_file()]


def _read(folder: Path, path: Path, kind: type[K]) -> Paper[K]:
    try:
        real = path.resolve()
        if not real.is_relative_to(folder.resolve()):
            raise ProbeError(str(path), "it leads out of the folder", "put the file itself there")
        with opened(real, _MOST_BYTES, "a paper") as file:
            changed_at = datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, UTC)
            content = file.read(_MOST_BYTES)
    except NotThere:
        raise Pending(
            f"{path} is not there; `golive init {folder}` lays out a template of it"
        ) from None
    except GoliveError as e:
        cause = str(e).removeprefix(f"{shown(real)}: ")
        raise ProbeError(str(path), f"it {cause}", "put a paper there that can be read") from None
    except (OSError, RuntimeError) as e:  # RuntimeError: links that lead in a circle
        cause = str(e.strerror if isinstance(e, OSError) else e)
        raise ProbeError(str(path), cause, "make it readable") from None
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as e:
        raise ProbeError(str(path), f"it is not UTF-8: {e.reason}", "save it as UTF-8") from None
    try:
        data, body = _parsed(text, kind)
    except _OtherFormat as e:
        raise Pending(
            f"{path}: {str(e)[:300]}; expected a paper as its template has it"
            f" (`golive init FOLDER` lays out {kind.template_file()})"
        ) from None
    return Paper(path, hashlib.sha256(content).hexdigest(), data, body, changed_at, text)


class _OtherFormat(Exception):
    """Why it is no paper of its kind yet."""


def _parsed(text: str, kind: type[K]) -> tuple[K, str]:
    match = _FRONT.match(text)
    if match is None:
        raise _OtherFormat("it has no front matter between two lines of ---")
    data = _converted(_loaded(match["front"]), kind)
    body = match["body"]
    if any(line.strip() == _SCAFFOLD for line in body.splitlines()):
        raise _OtherFormat(f"its text still says {_SCAFFOLD!r}")
    lacking = [s for s in kind.sections if s not in _headings(body)]
    if lacking:
        raise _OtherFormat(f"its text has no heading {lacking[0]!r}")
    return data, body


def _loaded(front: str) -> Any:
    import yaml  # what a session that reads no paper never pays for

    try:
        return pickle.loads(_constructed(front))  # noqa: S301 - made in this process, just below
    except yaml.MarkedYAMLError as e:
        at = f" in line {e.problem_mark.line + 2}" if e.problem_mark else ""
        raise _OtherFormat(f"its front matter is no YAML{at}: {e.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as e:
        raise _OtherFormat(f"its front matter is no YAML: {type(e).__name__}") from None


@lru_cache(maxsize=64)
def _constructed(front: str) -> bytes:
    """Many items read the same papers, and reading YAML is slow. Kept in a form of which everybody
    gets a copy, as what it holds may be changed."""
    import yaml

    loader = yaml.CSafeLoader(front)
    try:
        node = loader.get_single_node()
        if node is None:
            return pickle.dumps(None)
        _check_nodes(node)
        return pickle.dumps(loader.construct_document(node))
    finally:
        loader.dispose()


def _check_nodes(root: Any) -> None:
    """Refuses what YAML lets pass: a key given twice, and aliases that blow up."""
    import yaml

    total, waiting = 0, [root]
    while waiting:
        node = waiting.pop()
        total += 1
        if total > _MOST_NODES:
            raise _OtherFormat(f"its front matter has over {_MOST_NODES} values")
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            for key, count in Counter(keys).items():
                if count > 1:
                    line = node.start_mark.line + 2
                    raise _OtherFormat(f"{key!r} stands {count} times in the entry of line {line}")
            waiting += [part for pair in node.value for part in pair]


def _converted(value: Any, kind: type[K]) -> K:
    for where, leaf in _leaves(value, "$"):
        if isinstance(leaf, str) and _PLACEHOLDER.fullmatch(leaf.strip()):
            raise _OtherFormat(f"{where} still says {leaf.strip()!r}")
        if isinstance(leaf, float) and not math.isfinite(leaf):
            raise _OtherFormat(f"{where} is {leaf}, which is no number to compare with")
    try:
        data = convert(value, kind, strict=False, str_keys=True)
    except msgspec.ValidationError as e:
        raise _OtherFormat(" ".join(str(e).split())) from None
    except (TypeError, ValueError, RecursionError) as e:
        raise _OtherFormat(f"{type(e).__name__}: {e}") from None
    for where in _blanks(data, "$"):
        raise _OtherFormat(f"{where} is blank")
    return data


def _leaves(value: Any, where: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield where, key
            yield from _leaves(inner, f"{where}.{key}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _leaves(inner, f"{where}[{number}]")
    else:
        yield where, value


def _blanks(struct: msgspec.Struct, where: str) -> Iterator[str]:
    """Fields that have to be filled and hold no text."""
    for name, shown_as, required in _names(type(struct)):
        value, at = getattr(struct, name), f"{where}.{shown_as}"
        if required and isinstance(value, str) and not value.strip():
            yield at
        for number, inner in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(inner, msgspec.Struct):
                yield from _blanks(inner, f"{at}[{number}]" if isinstance(value, list) else at)


@lru_cache(maxsize=256)
def _names(kind: type[msgspec.Struct]) -> tuple[tuple[str, str, bool], ...]:
    """What each field is called, here and in a paper, and whether it has to be there. msgspec
    evaluates all annotations whenever it is asked."""
    return tuple((f.name, f.encode_name, f.required) for f in msgspec.structs.fields(kind))


def _tokens(body: str) -> list[Any]:
    from markdown_it import MarkdownIt  # a tenth of a second, which collection must not pay

    return MarkdownIt().parse(body)


@lru_cache(maxsize=64)
def _headings(body: str) -> tuple[str, ...]:
    return tuple(
        after.content.strip()
        for token, after in itertools.pairwise(_tokens(body))
        if token.type == "heading_open"
    )


# -- templates ---------------------------------------------------------------------------------


def template(kind: type[Kind]) -> str:
    """The kind's template: every field with what is expected, and placeholders in brackets."""
    title = kind.file.removesuffix(".md").replace("*", "").strip("-").replace("-", " ")
    lines = ["---", *(f"# {x}" for x in _prose(kind))]
    lines += _fields(kind, "")
    lines += ["---", "", f"# {title[:1].upper()}{title[1:]}", ""]
    for section in kind.sections:
        lines += [f"## {section}", "", _SCAFFOLD, ""]
    if not kind.sections:
        lines += [_SCAFFOLD, ""]
    return "\n".join(lines)


def _fields(kind: type[msgspec.Struct], indent: str) -> list[str]:
    lines: list[str] = []
    info = msgspec.inspect.type_info(kind)
    assert isinstance(info, msgspec.inspect.StructType)
    for f in info.fields:
        inner, note = _unwrapped(f.type)
        if note:
            lines.append(f"{indent}# {note}")
        optional = "" if f.required else "  # may be left out"
        lines += _field(f.encode_name, inner, indent, optional)
    return lines


def _field(name: str, inner: Any, indent: str, optional: str) -> list[str]:
    kinds = msgspec.inspect
    if isinstance(inner, kinds.StructType):
        return [f"{indent}{name}:{optional}", *_fields(inner.cls, f"{indent}  ")]
    if isinstance(inner, (kinds.ListType, kinds.VarTupleType)):
        member, _ = _unwrapped(inner.item_type)
        if isinstance(member, kinds.StructType):
            entry = _fields(member.cls, f"{indent}    ")
            at = next(n for n, line in enumerate(entry) if not line.lstrip().startswith("#"))
            entry[at] = f"{indent}  - {entry[at].lstrip()}"
            return [f"{indent}{name}:{optional}", *entry]
        return [f"{indent}{name}: [{_value(member)}]{optional}"]
    if isinstance(inner, kinds.DictType):
        member, _ = _unwrapped(inner.value_type)
        return [f"{indent}{name}:{optional}", *_field(_key(inner), member, f"{indent}  ", "")]
    return [f"{indent}{name}: {_value(inner)}{optional}"]


def _key(mapping: Any) -> str:
    key, _ = _unwrapped(mapping.key_type)
    return '"[name]"' if isinstance(key, msgspec.inspect.StrType) else _value(key)


def _unwrapped(found: Any) -> tuple[Any, str]:
    """A field's type without Meta and None, and its description."""
    note = ""
    while True:
        if isinstance(found, msgspec.inspect.Metadata):
            schema: dict[str, Any] = found.extra_json_schema or {}
            note = note or str(schema.get("description", ""))
            found = found.type
        elif isinstance(found, msgspec.inspect.UnionType):
            found = next(t for t in found.types if not isinstance(t, msgspec.inspect.NoneType))
        else:
            return found, note


def _value(found: Any) -> str:
    kinds = msgspec.inspect
    if isinstance(found, kinds.LiteralType):
        return f'"[{" | ".join(map(str, found.values))}]"'
    if isinstance(found, kinds.EnumType):
        values = (str(m.value) for m in found.cls if isinstance(m, Enum))
        return f'"[{" | ".join(values)}]"'
    words: dict[Any, str] = {
        kinds.DateType: "YYYY-MM-DD",
        kinds.DateTimeType: "YYYY-MM-DDTHH:MM:SSZ",
        kinds.IntType: "a whole number",
        kinds.FloatType: "a number",
        kinds.BoolType: "true | false",
    }
    form = _FORMS.get(getattr(found, "pattern", None) or "", "text")
    return f'"[{words.get(type(found), form)}]"'


def _prose(kind: type[Kind]) -> list[str]:
    return [line.strip() for line in (kind.__doc__ or "").strip().splitlines() if line.strip()]
