"""What a database, a site and a checkout tell of themselves, for an environment's first file.

Everything is read: the database in a read-only transaction, the site by GET without signing in,
the checkout by the names of its files. What cannot be looked at is told in the file, as a comment.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from golive.verdicts import GoliveError

CONNECT_S = 5
"""Seconds that a server has to answer."""
_HEALTH = (
    "/health",
    "/healthz",
    "/api/health",
    "/api/v1/health",
    "/health/live",
    "/ready",
    "/ping",
)
_DOCUMENTS = ("/openapi.json", "/api/openapi.json", "/api/v1/openapi.json", "/swagger.json")
_METRICS = ("/metrics", "/api/metrics", "/actuator/prometheus")
_HEADERS = {
    "cf-ray": "Cloudflare",
    "x-amz-cf-id": "CloudFront",
    "x-served-by": "Fastly, or another cache",
    "x-cache": "a cache",
    "via": "a proxy",
    "x-azure-ref": "Azure Front Door",
    "x-vercel-id": "Vercel",
}
_LOGIN = re.compile(r"/(login|signin|sign-in|token|sessions?)/?$")
_FILES = {
    "Chart.yaml": "a Helm chart",
    "docker-compose.yml": "Compose",
    "docker-compose.yaml": "Compose",
    "compose.yaml": "Compose",
    "compose.yml": "Compose",
    "kustomization.yaml": "Kustomize",
    "alembic.ini": "Alembic migrations",
    "manage.py": "a Django project",
    "render.yaml": "a Render blueprint",
    "Dockerfile": "an image",
}
_MIGRATIONS = (
    (re.compile(r"(.*/)?versions/[^/]+\.py"), "migrations of Alembic"),
    (re.compile(r"(.*/)?migrations/\d{4}_\w+\.py"), "migrations of Django"),
    (re.compile(r"(.*/)?migrations/\d+_\w+/migration\.sql"), "migrations of Prisma"),
    (re.compile(r"(.*/)?migrate/\d{14}_\w+\.rb"), "migrations of Rails"),
    (re.compile(r"(.*/)?V\d[\d._]*__\w+\.sql"), "migrations of Flyway"),
    (re.compile(r"(.*/)?\d+_[\w-]+\.up\.sql"), "migrations in SQL"),
)
"""Whose folders [release] may name in migrations, by their files."""
_SKIPPED = {".git", "node_modules", ".venv", "venv", "__pycache__", "dist", "build"}
_MOST_FILES = 50_000
_SHOWN = 5


@dataclass(slots=True)
class Database:
    """What a PostgreSQL server tells of itself."""

    host: str
    port: int
    database: str
    user: str
    has_password: bool
    version: str = ""
    is_standby: bool = False
    standbys: list[str] = field(default_factory=list)
    """Addresses that the primary sends its log to."""
    is_pooled: bool = False
    """Whether something stands between: the server's own port is another."""
    roles: list[str] = field(default_factory=list)
    """Roles that are connected now, besides one's own."""
    owners: list[str] = field(default_factory=list)
    extensions: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    """The largest, by estimated rows."""
    cause: str = ""
    """Why it could not be looked at."""


@dataclass(slots=True)
class Site:
    """What a site tells of itself without signing in."""

    url: str
    health: str = ""
    document: str = ""
    login: str = ""
    metrics: str = ""
    in_front: list[str] = field(default_factory=list)
    certificate: str = ""
    cause: str = ""


def database(dsn: str) -> Database:
    """Look at a database.

    :raises GoliveError: the connection string is none.
    """
    import psycopg
    from psycopg.conninfo import conninfo_to_dict
    from psycopg.rows import namedtuple_row

    try:
        said: dict[str, Any] = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:  # it repeats the text, and with it the password
        raise GoliveError(
            "--dsn: it is no connection string; expected postgresql://user@host:port/database"
        ) from None
    found = Database(
        host=str(said.get("host", "127.0.0.1")),
        port=5432,
        database=str(said.get("dbname", said.get("user", ""))),
        user=str(said.get("user", "")),
        has_password=any(name.endswith("password") for name in said),
    )
    try:
        with psycopg.connect(dsn, connect_timeout=CONNECT_S, row_factory=namedtuple_row) as db:
            db.read_only = True
            found.host, found.port = db.info.host, db.info.port
            _fill(found, db)
    except psycopg.Error as e:
        text = " ".join(str(e).split())
        for name in ("password", "sslpassword"):
            text = text.replace(str(said.get(name) or "\0"), "[masked]")
        found.cause = text
    return found


_SELF = """
select current_setting('server_version') as version, pg_is_in_recovery() as standby,
       current_user as me, current_database() as database, inet_server_port() as port
"""
# Names as core_tables takes them; an extension's tables are not the product's.
_TABLES = """
select case when n.nspname = 'public' and c.relname !~ '[.]|^".*"$' then c.relname
            else case when n.nspname ~ '[."]' then quote_ident(n.nspname) else n.nspname end
                 || '.' || case when c.relname ~ '^".*"$' then quote_ident(c.relname)
                                else c.relname end end as name,
       pg_get_userbyid(c.relowner) as owner
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and not c.relispartition and c.relpersistence <> 't'
and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
order by greatest(c.reltuples, pg_stat_get_live_tuples(c.oid)) desc, 1
"""


def _fill(found: Database, db: Any) -> None:
    row = db.execute(_SELF).fetchone()
    found.version, found.is_standby = row.version, row.standby
    found.user, found.database = row.me, row.database
    found.is_pooled = row.port is not None and row.port != found.port
    found.standbys = [
        str(r.address)
        for r in db.execute(
            "select distinct host(client_addr) as address from pg_stat_replication"
            " where client_addr is not null order by 1"
        )
    ]
    found.roles = [
        str(r.name)
        for r in db.execute(
            "select usename as name from pg_stat_activity where usename is not null and"
            " usename <> current_user and datname = current_database()"
            " group by 1 order by count(*) desc, 1"
        )
    ]
    found.extensions = [
        str(r.name) for r in db.execute("select extname as name from pg_extension order by 1")
    ]
    tables = db.execute(_TABLES).fetchall()
    found.tables = [str(r.name) for r in tables]
    found.owners = sorted({str(r.owner) for r in tables})


def site(url: str) -> Site:
    """Look at a site.

    :raises GoliveError: the address has a name or a password in it.
    """
    import requests

    if "@" in urlsplit(url).netloc:  # the file would have it
        raise GoliveError("--url: found a name or a password in it; expected an address alone")
    found = Site(url.rstrip("/"))
    with requests.Session() as session:
        session.trust_env = False
        try:
            first = session.get(found.url, timeout=CONNECT_S)
        except requests.RequestException as e:
            found.cause = f"{type(e).__name__}: {' '.join(str(e).split())}"
            return found
        names = {name.lower(): value for name, value in first.headers.items()}
        found.in_front = [f"{n}: {names[n]} ({what})" for n, what in _HEADERS.items() if n in names]

        def answers(path: str) -> requests.Response | None:
            try:
                answer = requests.get(
                    found.url + path, timeout=CONNECT_S, allow_redirects=False, proxies={}
                )
            except requests.RequestException:
                return None
            return answer if answer.status_code == 200 else None

        with ThreadPoolExecutor(8) as pool:
            paths = (*_HEALTH, *_DOCUMENTS, *_METRICS)
            got = dict(zip(paths, pool.map(answers, paths), strict=True))
    page = first.text
    real = {p: a for p, a in got.items() if a is not None and a.text != page}  # no catch-all page
    found.health = next((p for p in _HEALTH if p in real), "")
    found.document = next((p for p in _DOCUMENTS if p in real and _is_document(real[p])), "")
    found.metrics = next((p for p in _METRICS if p in real and "# TYPE" in real[p].text), "")
    if found.document:
        found.login = _login(real[found.document].json())
    found.certificate = _certificate(found.url)
    return found


def _is_document(answer: Any) -> bool:
    try:
        return isinstance(answer.json().get("paths"), dict)
    except (ValueError, AttributeError):
        return False


def _login(document: dict[str, Any]) -> str:
    """The path that an API document gives for signing in; empty where none looks like it."""
    posts = [
        path
        for path, methods in document["paths"].items()
        if isinstance(methods, dict) and "post" in methods and _LOGIN.search(path)
    ]
    return min(posts, key=lambda p: (not p.rstrip("/").endswith("login"), len(p)), default="")


def _certificate(url: str) -> str:
    import socket

    address = urlsplit(url)
    if address.scheme != "https" or not address.hostname:
        return ""
    try:
        with (
            socket.create_connection((address.hostname, address.port or 443), CONNECT_S) as plain,
            ssl.create_default_context().wrap_socket(
                plain, server_hostname=address.hostname
            ) as secure,
        ):
            shown: Any = secure.getpeercert()
    except (OSError, ssl.SSLError) as e:
        return f"not trusted from here: {e}"
    issuer = dict(pair[0] for pair in shown["issuer"])
    return f"by {issuer.get('organizationName', 'an unnamed issuer')}, until {shown['notAfter']}"


_KUBERNETES = frozenset({"Kubernetes manifests", "Kustomize", "a Helm chart"})


def checkout(folder: Path) -> dict[str, list[str]]:
    """What a checkout is deployed with, as far as the names of its files tell: kind to paths.

    :raises GoliveError: there is no such folder.
    """
    if not folder.is_dir():
        raise GoliveError(f"--checkout {folder}: there is no such folder")
    found: dict[str, list[str]] = {}
    for path in _files(folder):
        name = path.relative_to(folder).as_posix()
        kind = _FILES.get(path.name)
        if kind is None and path.suffix in {".yaml", ".yml"} and _is_manifest(path):
            kind = "Kubernetes manifests"
        if kind:
            found.setdefault(kind, []).append(name)
        for pattern, of in _MIGRATIONS:
            if pattern.fullmatch(name):
                folder_ = path.parent.parent if of == "migrations of Prisma" else path.parent
                place = f"{folder_.relative_to(folder).as_posix()}/"
                if place not in found.setdefault(of, []):
                    found[of].append(place)
    return {kind: sorted(names) for kind, names in found.items()}


def _files(folder: Path) -> Iterator[Path]:
    left = [folder]
    count = 0
    while left and count < _MOST_FILES:
        try:
            inside = sorted(left.pop().iterdir())
        except OSError:
            continue
        for path in inside:
            count += 1
            if path.is_symlink() or path.name in _SKIPPED:
                continue
            if path.is_dir():
                left.append(path)
            elif path.is_file():
                yield path


def _is_manifest(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            begin = file.read(4096)
    except OSError:
        return False
    return b"apiVersion:" in begin and b"kind:" in begin


# -- the file ----------------------------------------------------------------------------------


def written(
    name: str,
    kind: str,
    db: Database | None,
    page: Site | None,
    deployed: dict[str, list[str]],
    dsn: str,
    folder: Path | None = None,
) -> str:
    """The environment's file: what was found, with where it is from, and what is left to say.

    :param deployed: what :func:`checkout` found in the folder.
    """
    lines = [
        f"# {name}, as `golive init env` found it. Nothing here is a secret; a password stands in",
        "# an environment variable or a file that this names. What is left out is UNKNOWN until it",
        f"# is declared: `golive doctor --env {name}` tells what waits for it.",
        "",
        f"name = {_toml(name)}",
        f"kind = {_toml(kind)}   # or staging, production: what a statement here counts for",
        'permits = ["read"]   # add "write", "load", "disrupt", "spend" once that is agreed',
    ]
    if db is not None:
        lines += ["", *_postgres(db, dsn, f"{name.upper().replace('-', '_')}_DSN")]
    if page is not None:
        lines += ["", *_application(page)]
    if folder is not None:
        lines += ["", *_checkout(folder.resolve(), deployed)]
    return "\n".join(lines) + "\n"


def _checkout(folder: Path, deployed: dict[str, list[str]]) -> Iterator[str]:
    if (folder / ".git").exists():
        yield from ("[release]", f"repository = {_toml(str(folder))}")
        yield from ('# tag = "..."   # the candidate', '# previous_tag = "..."   # before it')
        folders = [f.rstrip("/") for k, fs in deployed.items() if "migrations of" in k for f in fs]
        if folders:
            yield f"migrations = [{', '.join(map(_toml, folders))}]"
        yield ""
    yield "[deploy]"
    yield f"checkout = {_toml(str(folder))}"
    for what, paths in deployed.items():
        more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
        yield f"#   {what}: {_plain(', '.join(paths[:_SHOWN]))}{more}"
    if _KUBERNETES & deployed.keys():
        yield from ("", "[kubernetes]")
        yield '# version = "..."   # of the cluster, e.g. 1.33'
        yield '# namespace = "..."   # the application\'s'


def _postgres(db: Database, dsn: str, variable: str) -> Iterator[str]:
    yield "[postgres]"
    if db.cause:
        yield from _comment(f"It could not be looked at: {db.cause}")
    elif db.is_pooled:
        yield from _comment(
            "Something stands between: the server listens on another port. Declare the server"
            " itself in nodes, and what is in front of it in poolers."
        )
    if db.has_password:
        yield f'dsn = {{ env = "{variable}" }}   # export it; it holds the password'
    else:
        yield f"dsn = {_toml(dsn)}"
    if db.cause:
        return
    yield f"# PostgreSQL {_plain(db.version)}{', a standby' if db.is_standby else ''}"
    if db.is_standby:
        yield from _comment(
            "This is a standby: declare the primary in nodes, with role = 'primary', and this one"
            " with role = 'standby'."
        )
    elif db.standbys or "," in dsn:
        yield "nodes = ["
        yield _node("primary", "primary", db.host, db.port)
        for number, address in enumerate(db.standbys, 1):
            yield _node(f"standby-{number}", "standby", address, 5432)
        yield "]"
    else:
        yield "# no standby is connected"
    if db.roles:
        connected = _plain(", ".join(db.roles[:_SHOWN]))
        yield f"app_role = {_toml(db.roles[0])}   # connected now: {connected}"
    else:
        yield '# app_role = "..."   # the application\'s; no other role is connected now'
    if db.owners:
        yield f"migration_role = {_toml(db.owners[0])}   # owns tables"
    if db.tables:
        yield "# the largest tables; keep those that the product cannot be without"
        yield f"core_tables = {json.dumps(db.tables[:10], ensure_ascii=False)}"
    yield f"# extensions: {_plain(', '.join(db.extensions))}"


def _node(name: str, role: str, host: str, port: int) -> str:
    return (
        f"  {{ name = {_toml(name)}, role = {_toml(role)}, host = {_toml(host)}, port = {port} }},"
    )


def _application(page: Site) -> Iterator[str]:
    yield "[application]"
    if page.cause:
        yield from _comment(f"It could not be looked at: {page.cause}")
    yield f"url = {_toml(page.url)}"
    if page.cause:
        return
    for said in page.in_front:
        yield from _comment(f"answers with {said}")
    if page.certificate:
        yield from _comment(f"certificate {page.certificate}")
    found = {
        "health": page.health,
        "login": page.login,
        "metrics": page.metrics,
        "api_document": page.document,
    }
    yield ""
    yield "[application.paths]"
    for key, path in found.items():
        yield f"{key} = {_toml(path)}" if path else f'# {key} = "..."   # not found'


def _comment(text: str) -> Iterator[str]:
    yield f"# {_plain(text)}"


def _plain(text: str) -> str:
    """Text of others for a comment, which it must not end."""
    return " ".join(re.sub(r"[^\x20-\x7e]", " ", text).split())


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")
