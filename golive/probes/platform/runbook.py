"""The deployment runbook: what it names, when it was changed, and whether it can be followed."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import msgspec

from golive.decoding import convert
from golive.environments import Environment
from golive.files import read_text
from golive.people import roster
from golive.people.roster import Roster
from golive.probes.traffic.surface import is_own, may_be_asked
from golive.probes.transport.http import client
from golive.probes.transport.repository import Repository
from golive.probing import probe
from golive.toml import read_toml
from golive.verdicts import GoliveError, ProbeError, Unseen, seen, unseen_among

if TYPE_CHECKING:
    from markdown_it.token import Token

_AT_ONCE = 4
_HELP_WITHIN_S = 60.0
_MOST_SCRIPT_BYTES = 2**20
SECTIONS = ("deploy", "verify", "rollback")
"""What a runbook has steps for; a heading that holds the word begins them."""
_WORDS = {
    "deploy": re.compile(r"\b(?:deploy\w*|roll(?:ing)?[ -]?out|release)\b", re.IGNORECASE),
    "verify": re.compile(r"\b(?:verif\w+|validat\w+|smoke|checks? after)\b", re.IGNORECASE),
    "rollback": re.compile(r"\b(?:roll(?:ing)?[ -]?back|revert\w*|back ?out)\b", re.IGNORECASE),
}
_TARGET = re.compile(
    r"^\W*(?:target|candidate|release|new)(?: version| release)?\W*[:|]\W*`?(v?\d[\w.+-]*)",
    re.IGNORECASE | re.MULTILINE,
)
_PREVIOUS = re.compile(
    r"^\W*(?:previous|current|roll ?back(?: to)?|from)(?: version| release)?\W*[:|]\W*`?"
    r"(v?\d[\w.+-]*)",
    re.IGNORECASE | re.MULTILINE,
)
_DURATION = re.compile(r"\b\d+(?:[.,]\d+)?\s*(?:s|sec\w*|min\w*|m|h|hours?)\b", re.IGNORECASE)
_OWNER = re.compile(r"\b(?:owner|by|who|responsible)\W*[:|]\W*([^|;.\n]+)", re.IGNORECASE)
_SHELLS = frozenset({"sh", "bash", "shell", "console", "zsh", ""})
_OPTION = re.compile(r"(?<![\w-])--?[A-Za-z][\w-]*")
_PATH = re.compile(r"\.{0,2}/?[\w.@+-]+(?:/[\w.@+*-]+)+/?|[\w-]+\.(?:md|ya?ml|toml|sh|py|env|json)")
_HOST = re.compile(r"(?<![\w@./-])(?:[a-z0-9-]+\.)+(?:com|net|org|io|dev|app|test|internal)\b")
_ASKS_FOR_HELP = re.compile(r"--help|argparse|getopts|\bclick\b|\btyper\b|optparse|docopt")
_BUILT_IN = frozenset({"cd", "export", "set", "source", ".", "echo", "exit", "unset", "wait"})
_RUNNERS = frozenset({"sudo", "env", "time", "nice", "nohup", "exec"})
_HELPFUL = frozenset(
    [
        *("git", "helm", "kubectl", "docker", "terraform", "aws", "npm", "curl", "psql"),
        *("pg_dump", "pg_basebackup", "alembic", "python", "python3", "pip", "pytest"),
        *("redis-cli", "ansible", "ansible-playbook", "cosign", "gh", "jq", "openssl"),
        *("render", "make", "golive", "rsync", "ssh", "scp", "cat", "head", "tail", "tee"),
        *("grep", "sed", "awk", "sort", "wc", "ls", "date", "sleep", "tar", "gzip"),
    ]
)
"""Programs that tell of themselves, and do nothing, when asked for help."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a section."""

    section: str
    text: str
    owner: str
    """As it is written; empty where nobody is named."""
    has_duration: bool


@dataclass(frozen=True, slots=True)
class Command:
    """A command line of the runbook."""

    line: int
    text: str
    flaw: str | Unseen
    """Why it could not be run as it stands there; empty where nothing is known against it."""

    def __str__(self) -> str:
        return f"line {self.line}: {self.text[:60]} ({self.flaw})"


@dataclass(frozen=True)
class Runbook:
    """The deployment runbook at the candidate's tag."""

    target: str
    """The version that it says is deployed."""
    previous: str
    """The version that it says a rollback goes to."""
    changed_at: datetime | None
    deployed_with: Mapping[str, datetime]
    """When each kind of what it describes was last changed, by path."""
    steps: tuple[Step, ...]
    commands: tuple[Command, ...]
    references: int
    dangling: tuple[str, ...]
    """Files, links and hosts that lead nowhere."""
    reviews: Mapping[str, str] | Unseen
    """By role: why its review does not count; empty where it does."""
    people: frozenset[str]
    """Every way in which somebody of the roster may be named."""

    @property
    def newer(self) -> list[str]:
        """What was changed after the runbook."""
        at = self.changed_at
        return [p for p, when in self.deployed_with.items() if at is None or when > at]

    @cached_property
    def sections(self) -> list[str]:
        """The sections that have a step."""
        return sorted({s.section for s in self.steps})

    @property
    def ownerless(self) -> list[str]:
        """Steps without an owner on the roster."""
        return [s.text for s in self.steps if _plain(s.owner) not in self.people]

    @property
    def endless(self) -> list[str]:
        """Steps without a duration."""
        return [s.text for s in self.steps if not s.has_duration]

    @property
    def unusable(self) -> list[str] | Unseen:
        """Commands that do not exist, or whose options are not theirs; unseen where none is known
        to be, and one could not be looked at."""
        found = [str(c) for c in self.commands if not isinstance(c.flaw, Unseen) and c.flaw]
        missed = unseen_among(c.flaw for c in self.commands)
        return missed if missed is not None and not found else found

    @property
    def unreviewed(self) -> list[str] | Unseen:
        """Roles whose review does not count, and why."""
        if isinstance(self.reviews, Unseen):
            return self.reviews
        return [f"{role}: {why}" for role, why in self.reviews.items() if why]


@probe(limit="drill")
def deployment_runbook(env: Environment) -> Runbook:
    """The deployment runbook, each command's help, and what it refers to."""
    repository = Repository(env.release.repository, env.time_limits.probe)
    tag, path = env.release.tag, env.deploy.runbook
    text = repository.text(tag, path)
    names = repository.names(tag)
    tokens = _tokens(text)
    known = roster.load(Path(env.people.roster))
    references = list(_references(tokens, text))
    return Runbook(
        target=_named(_TARGET, text),
        previous=_named(_PREVIOUS, text),
        changed_at=repository.changed_at(tag, [path]),
        deployed_with=_deployed_with(env, repository, names),
        steps=tuple(_steps(tokens)),
        commands=_commands(env, tokens),
        references=len(references),
        dangling=tuple(_dangling(env, references, path, names, tokens)),
        reviews=seen(_reviews, env, known, hashlib.sha256(text.encode()).hexdigest()),
        people=_people(known),
    )


def _deployed_with(
    env: Environment, repository: Repository, names: list[str]
) -> dict[str, datetime]:
    found = {}
    for path in env.deploy.runbook_describes:
        below = path.strip("/")
        if any(name == below or name.startswith(f"{below}/") for name in names):
            at = repository.changed_at(env.release.tag, [below])
            if at is not None:
                found[below] = at
    if not found:
        raise ProbeError(
            "what the deployment runbook describes",
            f"none of {', '.join(env.deploy.runbook_describes) or 'nothing'} is in the release",
            "name deploy scripts, chart and migrations in deploy.runbook_describes",
        )
    return found


def _named(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1].rstrip(".") if found else ""


# -- Markdown --------------------------------------------------------------------------------------


def _tokens(text: str) -> list[Token]:
    from markdown_it import MarkdownIt  # a tenth of a second, for one

    body = re.sub(
        r"\A---\n.*?^---$", lambda m: "\n" * m[0].count("\n"), text, flags=re.DOTALL | re.MULTILINE
    )
    return MarkdownIt("commonmark").enable("table").parse(body)


def _steps(tokens: list[Token]) -> Iterator[Step]:
    """Rows of tables and items of lists below a heading of each section."""
    section, level, head, row = "", 0, list[str](), list[str]()
    headings = [n for n, token in enumerate(tokens) if token.type == "heading_open"]
    titles = [n for n in headings if tokens[n].tag == "h1"]
    title = titles[0] if len(titles) == 1 < len(headings) else -1
    for n, token in enumerate(tokens):
        if n == title:
            continue  # it names the whole
        if token.type == "heading_open":
            depth = int(token.tag[1:])
            named = _section(tokens[n + 1].content)
            if named or depth <= level:
                section, level = named, depth
        elif token.type == "thead_open":
            head = []
        elif token.type == "tr_open":
            row = []
        elif token.type in ("th_open", "td_open"):
            (head if token.type == "th_open" else row).append(tokens[n + 1].content)
        elif token.type == "tr_close" and row and section:
            yield _of_row(section, head, row)
        elif token.type == "list_item_open" and section:
            yield _of_item(section, _inside(tokens, n))


def _section(heading: str) -> str:
    """The section that a heading begins; the rollback of a deployment is a rollback."""
    return next((s for s in reversed(SECTIONS) if _WORDS[s].search(heading)), "")


def _of_row(section: str, head: list[str], row: list[str]) -> Step:
    cells = dict(zip((h.strip().lower() for h in head), row, strict=False))
    owner = next((v for k, v in cells.items() if re.search(r"owner|who|responsib|role", k)), "")
    timed = next((v for k, v in cells.items() if re.search(r"duration|time|minutes", k)), "")
    has_duration = bool(_DURATION.search(timed) or (timed.strip().isdecimal()))
    return Step(section, " | ".join(c for c in row if c)[:80], owner.strip(), has_duration)


def _of_item(section: str, text: str) -> Step:
    owner = _OWNER.search(text)
    return Step(
        section,
        text.split("\n")[0][:80],
        owner[1].strip() if owner else "",
        bool(_DURATION.search(text)),
    )


def _inside(tokens: list[Token], n: int) -> str:
    """The text of a list's item."""
    depth, said = 0, []
    for token in tokens[n:]:
        depth += token.nesting
        if token.type == "inline":
            said.append(token.content)
        if depth == 0:
            break
    return "\n".join(said)


# -- commands --------------------------------------------------------------------------------------


def _commands(env: Environment, tokens: list[Token]) -> tuple[Command, ...]:
    """Every command line of a block of shell, looked at."""
    found = [pair for token in tokens if token.type == "fence" for pair in _lines(token)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        flaws = pool.map(lambda pair: seen(_flaw, env, pair[1]), found)
        return tuple(
            Command(line, text, flaw) for (line, text), flaw in zip(found, flaws, strict=True)
        )


def _lines(token: Token) -> Iterator[tuple[int, str]]:
    """Command lines of a block; one that goes on after a backslash is one."""
    language = (token.info.split() or [""])[0].lower()
    if language not in _SHELLS:
        return
    first = (token.map or [0])[0] + 2
    is_session = any(line.startswith("$ ") for line in token.content.splitlines())
    if not language and not is_session:
        return  # settings, or what a command prints
    text, begun = "", first
    for number, line in enumerate(token.content.splitlines(), first):
        if not text and is_session:
            if not line.startswith("$ "):
                continue  # what the command printed
            line = line[2:]
        begun = begun if text else number
        text = f"{text} {line.strip()}".strip()
        if text.endswith("\\"):
            text = text[:-1].rstrip()
            continue
        if text and not text.startswith("#"):
            yield begun, text
        text = ""


def _flaw(env: Environment, text: str) -> str:
    """Why a command line could not be run; empty where nothing is known against it.

    :raises ProbeError: its help could not be asked for.
    """
    for part in re.split(r"\s*(?:&&|\|\||[|;])\s*", text):
        try:
            words = shlex.split(part, comments=True)
        except ValueError as e:
            return f"is no command line: {e}"
        while words and (words[0] in _RUNNERS or re.fullmatch(r"\w+=.*", words[0])):
            words = words[1:]
        if words and words[0] not in _BUILT_IN and (flaw := _flaw_of(env, words)):
            return flaw
    return ""


def _flaw_of(env: Environment, words: list[str]) -> str:
    program, options = words[0], _options(words[1:])
    declared = env.tools.commands.get(program) or env.deploy.runbook_commands.get(program)
    if declared:
        return _helped(declared, [], options, Path(env.deploy.checkout))
    if "/" in program:
        file = Path(env.deploy.checkout) / program
        if not file.is_file():
            return f"there is no {program} in the release"
        if not os.access(file, os.X_OK):
            return f"{program} may not be executed"
        return _flaw_of_script(file, words, options)
    if shutil.which(program) is None:
        return f"there is no program {program}"
    if not options:
        return ""
    if program not in _HELPFUL:
        step = f"name {program} in deploy.runbook_commands, if it does nothing when asked for help"
        raise ProbeError(f"the program {program}", "whether --help is harmless is not known", step)
    leading = [w for w in words[1:3] if re.fullmatch(r"[a-z][a-z-]*", w)]
    return _helped([program], leading, options, Path(env.deploy.checkout))


def _flaw_of_script(file: Path, words: list[str], options: list[str]) -> str:
    """A script is asked for help where its text knows of it; else its text has to know the
    options, since nothing may be run that could do its work."""
    try:
        text = read_text(file, _MOST_SCRIPT_BYTES, "a script", links=True)
    except GoliveError as e:
        raise ProbeError(f"the script {words[0]}", e, "make it readable, or leave it out") from None
    if not _ASKS_FOR_HELP.search(text):
        unknown = [o for o in options if o not in text]
        return f"{words[0]} knows no {', '.join(unknown)}" if unknown else ""
    return _helped([str(file)], [], options, file.parent, besides=text)


def _options(words: Iterable[str]) -> list[str]:
    """Options as they are written, without their values; short ones one by one are left alone."""
    found = [m[0] for w in words if (m := _OPTION.match(w))]
    return [o for o in found if o.startswith("--") or len(o) == 2]


def _helped(
    command: list[str], leading: list[str], options: list[str], folder: Path, besides: str = ""
) -> str:
    """What a program's own help knows nothing of; empty where it knows all."""
    argv = [*command, *leading, "--help"]
    if shutil.which(argv[0]) is None:
        return f"there is no program {argv[0]}"
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd=folder,
            timeout=_HELP_WITHIN_S,
            env={**os.environ, "PAGER": "cat", "GIT_PAGER": "cat", "MANPAGER": "cat"},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        subject = f"the help of {Path(argv[0]).name}"
        raise ProbeError(subject, e, "run it with --help by hand") from None
    said = (done.stdout + done.stderr).decode(errors="replace")
    if not said.strip():
        return f"says nothing when asked for help (exit status {done.returncode})"
    unknown = [o for o in options if o not in _OPTION.findall(said + besides)]
    return f"its help knows no {', '.join(unknown)}" if unknown else ""


# -- references ------------------------------------------------------------------------------------


def _references(tokens: list[Token], text: str) -> Iterator[tuple[str, str]]:
    """Links, paths in backticks and hosts: kind and what it says."""
    for token in tokens:
        for child in token.children or []:
            if child.type == "link_open":
                yield "link", str(child.attrGet("href") or "")
            elif child.type == "image":
                yield "link", str(child.attrGet("src") or "")
            elif child.type == "code_inline" and _PATH.fullmatch(child.content.strip()):
                yield "file", child.content.strip()
    for host in dict.fromkeys(_HOST.findall(text.lower())):
        yield "host", host


def _dangling(
    env: Environment,
    references: list[tuple[str, str]],
    runbook: str,
    names: list[str],
    tokens: list[Token],
) -> Iterator[str]:
    there = {*names, *(str(p) for n in names for p in Path(n).parents)}
    anchors = {
        re.sub(r"[^\w -]", "", tokens[n + 1].content.lower()).replace(" ", "-")
        for n, t in enumerate(tokens)
        if t.type == "heading_open"
    }
    for kind, said in dict.fromkeys(references):
        if kind == "host":
            flaw = _flaw_of_host(env, said)
        elif kind == "file":
            flaw = "" if said.startswith("/") or _is_there(said, "", there) else "is not there"
        else:
            flaw = _flaw_of_link(env, said, runbook, there, anchors)
        if flaw:
            yield f"{said} {flaw}"


def _flaw_of_link(
    env: Environment, link: str, runbook: str, there: set[str], anchors: set[str]
) -> str:
    parts = urlsplit(link)
    if parts.scheme in ("http", "https"):
        host = parts.hostname or ""
        if not may_be_asked(env, host):
            return _flaw_of_host(env, host)
        with client(env, foreign=not is_own(env, host)) as http:
            answer = seen(http.get, link)
        if isinstance(answer, Unseen):
            return f"leads nowhere: {answer.error.cause}"
        return "" if answer.status_code < 400 else f"answers {answer.status_code}"
    if parts.scheme:
        return ""  # mail, telephone
    if not parts.path:
        return "" if parts.fragment.lower() in anchors else "is no heading"
    folder = str(Path(runbook).parent)
    return "" if _is_there(unquote(parts.path), folder, there) else "is not there"


def _is_there(path: str, folder: str, there: set[str]) -> bool:
    """Whether the release holds a file or folder, seen from a folder or from its top."""
    seen_from = {os.path.normpath(os.path.join(base, path)) for base in (folder, "")}  # noqa: PTH118
    if "*" in path:
        return any(Path(name).match(path) for name in there)
    return bool({one.lstrip("/") for one in seen_from} & there)


def _flaw_of_host(env: Environment, host: str) -> str:
    """A host resolves where the environment declares it, or where DNS knows it; a rehearsal asks
    no resolver."""
    import socket

    if is_own(env, host):
        return ""
    if env.is_rehearsal:
        return "is no host of this environment"
    try:
        socket.getaddrinfo(host, None)
    except OSError as e:
        return f"does not resolve: {e}"
    return ""


# -- people ----------------------------------------------------------------------------------------


class _Review(msgspec.Struct, frozen=True):
    sha256: str
    """Of the runbook that was reviewed."""


def _reviews(env: Environment, known: Roster, sha256: str) -> dict[str, str]:
    """Why each role's review does not count.

    :raises ProbeError: there is no record, or it is none.
    """
    path = Path(env.deploy.runbook_review)
    try:
        record = convert(read_toml(path), _Review)
    except (GoliveError, msgspec.ValidationError) as e:
        step = "write sha256 of the reviewed runbook there, and name it in deploy.runbook_review"
        raise ProbeError("the review of the deployment runbook", e, step) from None
    found = {}
    for role in env.deploy.runbook_reviewers:
        signed = known.signature(path, role, signature=path.with_name(f"{path.name}.{role}.sig"))
        found[role] = "" if signed.valid else signed.cause
    if record.sha256 != sha256:
        return {role: why or "another text was reviewed" for role, why in found.items()}
    return found


def _people(known: Roster) -> frozenset[str]:
    """Ids, names and roles, as people write them."""
    named = [n for p in known.people.values() for n in (p.id, p.name, *p.roles, *p.backs_up)]
    return frozenset(map(_plain, named))


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", " ", name).strip().lower()
