"""The databases, the cache, and the release that moves their data."""

from __future__ import annotations

from typing import Literal

from golive.sections import Secret, Section, needed


class Node(Section, frozen=True, kw_only=True):
    """One PostgreSQL server."""

    name: str
    role: Literal["primary", "standby"]
    host: str
    """A name, an address, or the folder of a socket on this machine."""
    port: int = 5432
    address: str = ""
    """Where testinfra finds the machine, e.g. ``ssh://db-1``; empty: this one where the host is
    this machine, else nowhere, as that of a managed database."""


class Pooler(Section, frozen=True, kw_only=True):
    """One pgbouncer."""

    name: str
    host: str
    port: int = 6432
    admin_user: str
    admin_password: Secret
    pool_mode: Literal["session", "transaction", "statement"] = "transaction"


class HotQuery(Section, frozen=True, kw_only=True):
    """A read-only query whose plan the planner must estimate well."""

    name: str
    sql: str


class IntegrityCheck(Section, frozen=True, kw_only=True):
    """SQL that returns the rows violating a rule, over a table that must not be empty."""

    name: str
    table: str
    sql: str


class Postgres(Section, frozen=True, kw_only=True):
    """The database cluster. ``user`` reads the catalogues (pg_monitor and the tables)."""

    database: str = needed()
    user: str = needed()
    password: Secret | None = None
    """Left out where none is asked for (trust, peer, a .pgpass file)."""
    app_role: str = needed()
    migration_role: str = ""
    app_clients: list[str] = []
    """Addresses that application backends may come from besides the poolers'."""
    sslmode: str = "prefer"
    sslrootcert: str = ""
    """File of the authority that signed the servers' certificates, for sslmode verify-*."""
    libpq: dict[str, str] = {}
    """Further settings of this user's connections, as libpq calls them: sslcert and sslkey where
    a certificate stands for the password, passfile, channel_binding ..."""
    nodes: list[Node] = needed()
    poolers: list[Pooler] = []
    operator_role: str = ""
    """The role whose members are the people who may change data by hand."""
    burst_user: str = ""
    burst_password: Secret | None = None
    burst_clients: int = 200
    core_tables: list[str] = needed()
    large_table_rows: int = 10_000
    hot_queries: list[HotQuery] = []
    integrity_checks: list[IntegrityCheck] = []
    marker_table: str = "golive_marker"
    """A table of the suite's own for synthetic rows; made and dropped by the probes."""
    production_rows: dict[str, int] = {}
    """Row counts of production by table, for checks on a copy of its size."""
    sales_query: str = needed()
    """One row of bookings and revenue_cents for the time from %(start)s until before %(end)s."""

    @property
    def primary(self) -> Node:
        """The declared primary."""
        return next(n for n in self.nodes if n.role == "primary")

    @property
    def standbys(self) -> list[Node]:
        """The declared standbys."""
        return [n for n in self.nodes if n.role == "standby"]


class RedisNode(Section, frozen=True, kw_only=True):
    """One Redis server."""

    name: str
    host: str
    port: int = 6379


class Redis(Section, frozen=True, kw_only=True):
    """The cache cluster. Which node is the master is the sentinels' to say; in cluster mode,
    which is found out, the servers' own."""

    nodes: list[RedisNode] = needed()
    sentinels: list[RedisNode] = []
    tls: bool = False
    master_name: str = needed()
    user: str = ""
    """Of the access list; empty: the default one."""
    password: Secret = needed()
    sentinel_user: str = ""
    sentinel_password: Secret | None = None
    eviction_policy: str = needed()


class Release(Section, frozen=True, kw_only=True):
    """The candidate, the version before it, and how the data moves between them."""

    repository: str = needed()
    """The git repository that holds the releases."""
    tag: str = needed()
    """The candidate: a tag, or whatever else git takes for a commit."""
    previous_tag: str = needed()
    migrations: str | list[str] = needed()
    """The migrations' folder inside the repository; of several, files are told with theirs."""
    declared_schema: str = needed()
    """File in the repository: the candidate's schema as the schema command prints it."""
    loss_list: str = needed()
    """File in the repository (TOML, tables ``lost`` of table, column, reason): what a rollback
    may lose; the column ``*`` stands for the whole table."""
    copy_command: list[str] = needed()
    """Restores the newest backup to a scratch instance {name} in {tag}'s schema. Prints host
    and port."""
    heads_command: list[str] = needed()
    """Prints the migrations' heads, and releases: the head of each release tag."""
    digest_command: list[str] = needed()
    """Prints files: SHA-256 by path of the migrations that the migrate command would run."""
    migrate_command: list[str] = needed()
    """Migrates the scratch instance {name} to {tag}. Prints revisions: those it applied."""
    rollback_command: list[str] = needed()
    """Takes the scratch instance {name} back to {tag}. Prints revisions: those it took back."""
    schema_command: list[str] = needed()
    """Prints the schema of the scratch instance {name}, by kind and name."""
    version_table: str = "alembic_version"
    """Its one row tells the migration that a database stands at; of several, each."""
    version_query: str = ""
    """SQL that tells it instead, a row for each head, where the table has the whole history."""
    changed_columns: list[str] = []
    """Columns, as table.column, whose values in older rows a migration changes on purpose."""
    booking_service: str = needed()
    """The service that drills book."""


class Endpoint(Section, frozen=True, kw_only=True):
    """Where something listens."""

    host: str
    port: int


class Failover(Section, frozen=True, kw_only=True):
    """How a failover of the database is rehearsed. Commands end when what they do is done."""

    cluster_command: list[str] = []
    """Starts a cluster for the drill alone and prints it as JSON: ``nodes`` (name, role, host,
    port), ``endpoint`` (host and port that the application writes to) and ``instances`` of the
    application (name, url). Left out: the declared cluster is used, on which nothing else is
    looked at meanwhile, and the roles are changed back at the end."""
    end_command: list[str] = []
    """Ends that cluster; also one that was left by a drill that was interrupted."""
    endpoint: Endpoint | None = None
    """Where the application writes to, of the declared cluster. Left out: the first pooler."""
    user: str = ""
    """Who writes through the endpoint. Left out: ``postgres.user``."""
    password: Secret | None = None
    stop_command: list[str] = needed()
    """Stops the server {node}, a standby."""
    start_command: list[str] = needed()
    """Starts it again."""
    promote_command: list[str] = needed()
    """Makes the standby {node} the primary in place of {primary}, which must not take writes any
    more, and leads the application there."""
    rebuild_command: list[str] = needed()
    """Makes {node}, the primary before, a standby that follows {primary}."""
