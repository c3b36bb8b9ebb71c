from __future__ import annotations

import copy
import getpass
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from golive.environments import Environment, find, load, secrets_at_hand
from golive.masking import MASKED, Mask
from golive.sections import declares
from golive.toml import read_toml
from golive.verdicts import GoliveError, ProbeError
from tests.conftest import SECRET, SECRET_VARIABLE, small_environment, toml

ROOT = Path(__file__).resolve().parents[3]
Path_ = tuple[str | int, ...]


class Files:
    """An environment's files in a folder, and what loading them says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mask = Mask()
        self.product: dict[str, Any] = {}
        self.raw = small_environment()
        self.overlay: dict[str, Any] | None = None

    def load(self) -> Environment:
        (self.folder / "product.toml").write_text(toml(self.product))
        (self.folder / "small.toml").write_text(toml(self.raw))
        if self.overlay is not None:
            (self.folder / "up").mkdir(exist_ok=True)
            (self.folder / "up/endpoints.toml").write_text(toml(self.overlay))
        files = (self.folder / "small.toml", self.folder / "product.toml")
        return load(*files, self.folder, self.mask)

    def error(self) -> str:
        with pytest.raises(GoliveError) as caught:
            self.load()
        text = str(caught.value)
        assert "\n" not in text
        assert SECRET not in text
        return text.removeprefix(f"{self.folder}/")


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    monkeypatch.setenv(SECRET_VARIABLE, SECRET)
    monkeypatch.delenv("GOLIVE_REHEARSAL", raising=False)
    return Files(tmp_path)


def tables(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """The paths of every table in a value, but of those that name a secret."""
    if isinstance(value, dict) and value != {"env": SECRET_VARIABLE}:
        yield path
        for key, inner in value.items():
            yield from tables(inner, (*path, key))
    if isinstance(value, list):
        for n, inner in enumerate(value):
            yield from tables(inner, (*path, n))


def at(value: Any, path: Path_) -> Any:
    for key in path:
        value = value[key]
    return value


def written(path: Path_) -> str:
    return ".".join(map(str, path))


def test_every_missing_and_every_unknown_key_is_named_with_its_table(files: Files) -> None:
    whole = files.raw
    looked = 0
    for path in tables(whole):
        for key in at(whole, path):
            files.raw = copy.deepcopy(whole)
            del at(files.raw, path)[key]
            place = written((*path, key))
            if place in ("name", "title", "permits", "postgres.password"):  # may be left out
                files.load()
            elif (
                any(isinstance(part, int) for part in path)
                or place.startswith(("kind", "people", "backups.source.", "backups.copy."))
                or (place.startswith("stripe.drill.") and len(path) > 2)
            ):
                assert files.error() == (
                    f"small.toml: {place}: the key is missing; expected a value for it"
                )
            else:
                assert not declares(files.load(), place)
            looked += 1
        if path in {("package", "others"), ("package", "pairs")}:
            continue  # their keys are names of environments, and of variables
        files.raw = copy.deepcopy(whole)
        at(files.raw, path)["pasword"] = 1
        assert files.error() == (
            f"small.toml: {written((*path, 'pasword'))}: unknown key;"
            " expected a key of golive's environment model"
        )
    assert looked > 60


def read(env: Environment, place: str) -> object:
    value: Any = env
    for name in place.split("."):
        value = getattr(value, name)
    return value


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (
            "redis.nodes",
            "could not look at [redis]: the environment declares no Redis; next: write",
        ),
        ("status_page.page", "[status_page]: the environment declares no status page"),
        (
            "application.accounts",
            "[application]: the environment does not declare its key accounts",
        ),
        (
            "application.paths.health",
            "[application]: the environment does not declare its key path",
        ),
        ("postgres.app_role", "[postgres]: the environment does not declare its key app_role"),
    ],
)
def test_what_is_not_declared_is_told_to_whoever_looks_at_it(
    files: Files, place: str, said: str
) -> None:
    files.raw = {
        "kind": "staging",
        "postgres": {"dsn": "postgresql://monitor@127.0.0.1:5999/shop"},
        "application": {"url": "https://shop.example.com"},
        "people": files.raw["people"],
    }
    # Names of the product alone declare no system of the environment.
    files.product = {"redis": {"master_name": "shop", "eviction_policy": "noeviction"}}
    env = files.load()
    assert (env.name, env.title, env.permits) == ("small", "small", ["read"])
    with pytest.raises(ProbeError, match=re.escape(said)):
        read(env, place)


def test_a_section_that_the_product_declares_whole_is_declared(files: Files) -> None:
    files.product = {"contacts": files.raw.pop("contacts")}
    assert files.load().contacts.roles == files.product["contacts"]["roles"]


@pytest.mark.parametrize(
    ("dsn", "nodes"),
    [
        ("postgresql://monitor@db-1/shop", [("db-1", "primary", 5432)]),
        ("host=db-1 port=5999 dbname=shop user=monitor", [("db-1", "primary", 5999)]),
        (
            "postgresql://monitor@db-1/shop?connect_timeout=9&sslrootcert=/etc/ca.pem",
            [("db-1", "primary", 5432)],
        ),
    ],
)
def test_a_connection_string_declares_the_database(
    files: Files, dsn: str, nodes: list[tuple[str, str, int]]
) -> None:
    files.raw["postgres"] = {"dsn": dsn, "database": "another"}
    postgres = files.load().postgres
    assert [(n.name, n.role, n.port) for n in postgres.nodes] == nodes
    assert (postgres.database, postgres.user) == ("shop", "monitor")


def test_the_trust_that_a_connection_string_names_is_kept(files: Files) -> None:
    dsn = "postgresql://m@db-1/shop?sslmode=verify-full&sslrootcert=/etc/ca.pem"
    files.raw["postgres"] = {"dsn": dsn}
    postgres = files.load().postgres
    assert (postgres.sslmode, postgres.sslrootcert) == ("verify-full", "/etc/ca.pem")


def test_a_certificate_stands_for_a_password_where_a_connection_string_names_one(
    files: Files,
) -> None:
    dsn = "postgresql://m@db-1/shop?sslcert=/m.crt&sslkey=/m.key&options=endpoint%3Dx"
    files.raw["postgres"] = {"dsn": dsn, "libpq": {"sslkey": "/other.key"}}
    found = files.load().postgres
    assert found.libpq == {"sslcert": "/m.crt", "sslkey": "/other.key", "options": "endpoint=x"}
    assert found.password is None


@pytest.mark.parametrize(
    ("dsn", "host"),
    [
        ("dbname=shop", "/var/run/postgresql"),
        ("host=/tmp/sockets port=5433 dbname=shop", "/tmp/sockets"),
        ("postgresql://%2Ftmp%2Fsockets/shop", "/tmp/sockets"),
    ],
)
def test_a_server_on_this_machine_is_reached_by_its_socket_as_who_one_is(
    files: Files, monkeypatch: pytest.MonkeyPatch, dsn: str, host: str
) -> None:
    for name in ("PGHOST", "PGPORT", "PGUSER"):
        monkeypatch.delenv(name, raising=False)
    files.raw["postgres"] = {"dsn": dsn}
    found = files.load().postgres
    assert [(n.name, n.host) for n in found.nodes] == [("local", host)]
    assert found.user == getpass.getuser()


def test_the_password_of_a_connection_string_is_a_secret(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "SHOP_DSN", "postgresql://monitor:fieldfare-7f3a9c@db-1/shop?sslmode=require"
    )
    files.raw["postgres"] = {"dsn": {"env": "SHOP_DSN"}}
    postgres = files.load().postgres
    assert postgres.password is not None
    assert postgres.password.reveal() == "fieldfare-7f3a9c"
    assert postgres.sslmode == "require"
    assert files.mask("fieldfare-7f3a9c") == MASKED


@pytest.mark.parametrize(
    ("dsn", "said"),
    [
        ("postgresql://u:fieldfare-7f3a9c@db-1/shop", "found a password; expected it outside"),
        ("postgresql://u:fieldfare-7f3a9c@db-1:x y/shop", "it is no connection string; expected"),
        ("postgresql://u@db-1,db-2/shop", "found several hosts; expected one, or nodes with"),
        ("postgresql://u@db-1:a/shop", "found the port 'a'; expected a number"),
        ("host=db-1 sslpassword=fieldfare-7f3a9c", "found sslpassword; expected none but dbname"),
        ("host=db-1 service=shop", "found service; expected none but dbname"),
        (7, "Expected `str`, got `int`; expected postgresql://"),
        ({"env": "UNSET"}, "the environment variable UNSET is unset or empty; expected"),
    ],
)
def test_a_connection_string_that_is_none_is_told_without_its_secret(
    files: Files, dsn: object, said: str
) -> None:
    files.raw["postgres"] = {"dsn": dsn}
    error = files.error()
    assert error.startswith("small.toml: postgres.dsn: ")
    assert said in error
    assert "fieldfare" not in error


def test_a_wrong_value_is_named_with_the_file_that_says_it(files: Files) -> None:
    files.raw["kind"] = "stagging"
    assert files.error() == (
        "small.toml: kind: found 'stagging'; expected one of 'rehearsal', 'staging', 'production'"
    )
    files.raw["kind"] = "staging"
    files.raw["permits"] = ["read", "destroy"]
    assert files.error() == (
        "small.toml: permits[1]: found 'destroy';"
        " expected one of 'read', 'write', 'load', 'disrupt', 'spend'"
    )
    files.raw["permits"] = ["read"]
    files.product = {"time_limits": {"probe": "30 s"}}
    assert files.error() == "product.toml: time_limits.probe: found str; expected float"
    files.product = {"postgrs": {}}
    assert files.error().startswith("product.toml: postgrs: unknown key")
    files.product = {}
    files.raw["started"] = {"command": ["true"], "folder": "up"}
    assert "[started] expects" in files.error()
    files.overlay = {"postgres": {"nodes": [{"name": "db-1", "role": "primary", "port": 5432}]}}
    assert "postgres.nodes.0.host: the key is missing" in files.error()
    files.overlay = {"postgres": {"user": 7}}
    assert files.error() == "up/endpoints.toml: postgres.user: found int; expected str"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"postgres": {"nodes": []}}, "postgres.nodes: found 0 nodes with role primary; expected"),
        (
            {"redis": {"nodes": [{"name": "r", "host": "a"}, {"name": "r", "host": "b"}]}},
            "redis.nodes: found a name twice; expected different names",
        ),
        (
            {"people": {"keys": "keys"}},
            "people.keys: found a folder of private keys; only a rehearsal may have one",
        ),
        ({"postgres": {"password": "hunter22"}}, "postgres.password: found str; expected object"),
        ({"postgres": {"password": {}}}, "postgres.password: found no secret; expected either"),
        (
            {"postgres": {"password": {"env": SECRET_VARIABLE, "file": "x"}}},
            "postgres.password: found no secret; expected either",
        ),
        (
            {"postgres": {"password": {"env": "GOLIVE_TEST_UNSET"}}},
            "postgres.password: the environment variable GOLIVE_TEST_UNSET is unset or empty;",
        ),
        ({"aws": {"access_key_id": {"file": "none"}}}, "cannot be read: No such file"),
        ({"aws": {"access_key_id": {"file": "empty"}}}, "empty is empty; expected the secret"),
        ({"aws": {"access_key_id": {"file": "short"}}}, "found a secret of under 4 characters"),
        ({"aws": {"access_key_id": {"file": "bytes"}}}, "is not UTF-8 text"),
    ],
)
def test_what_types_cannot_say_is_refused_too(
    files: Files, change: dict[str, Any], message: str
) -> None:
    (files.folder / "empty").write_text("\n")
    (files.folder / "short").write_text("abc")
    (files.folder / "bytes").write_bytes(b"\xff\xfe")
    files.raw = small_environment(**change)
    text = files.error()
    assert text.startswith("small.toml: ")
    assert message in text
    assert "hunter22" not in text


def test_layers_lie_above_one_another_and_a_secret_s_place_is_one_thing(files: Files) -> None:
    (files.folder / "up/secrets").mkdir(parents=True)
    (files.folder / "up/secrets/postgres").write_text("pA55-from-file\n")
    del files.raw["postgres"]["user"], files.raw["postgres"]["database"]
    files.raw["postgres"]["database"] = "shop"
    files.product = {"postgres": {"user": "monitor", "database": "product"}}
    files.raw["started"] = {"command": ["true"], "folder": "up"}
    files.overlay = {
        "postgres": {
            "password": {"file": "secrets/postgres"},
            "nodes": [
                {"name": "db-1", "role": "primary", "host": "127.0.0.1", "port": 31001},
                {"name": "db-2", "role": "standby", "host": "127.0.0.1", "port": 31002},
            ],
        }
    }
    env = files.load()
    assert (env.postgres.user, env.postgres.database) == ("monitor", "shop")
    assert env.postgres.password is not None
    assert env.postgres.password.reveal() == "pA55-from-file"
    assert env.postgres.primary.port == 31001
    assert [n.name for n in env.postgres.standbys] == ["db-2"]
    assert env.redis.password.reveal() == SECRET
    assert files.mask(f"pA55-from-file {SECRET}") == f"{MASKED} {MASKED}"


def test_a_fingerprint_is_of_what_is_said_and_of_no_secret(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = files.load().fingerprint
    monkeypatch.setenv(SECRET_VARIABLE, "another-one")
    files.raw = dict(reversed(files.raw.items()))
    assert files.load().fingerprint == first
    files.raw["title"] = "Another"
    assert files.load().fingerprint != first


def test_an_environment_is_found_by_name_or_path(tmp_path: Path) -> None:
    folder = tmp_path / "environments"
    folder.mkdir()
    for name in ("staging", "production"):
        (folder / f"{name}.toml").write_text("")
    assert find("staging", tmp_path) == folder / "staging.toml"
    assert find(str(folder / "staging.toml"), Path("nowhere")) == folder / "staging.toml"
    with pytest.raises(GoliveError, match=r"--env stagng: .* expected one of production, staging,"):
        find("stagng", tmp_path)
    with pytest.raises(GoliveError, match=r"--env \./x\.toml: there is no such file"):
        find("./x.toml", tmp_path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a = ", "is not valid TOML: Invalid value (at end of document)"),
        (b"a = 1\na = 2\n", "is not valid TOML: Cannot overwrite a value (at line 2, column 6)"),
        (
            b"\xff",
            "is not UTF-8 text: invalid start byte at byte 0; expected a file of TOML",
        ),
        (None, "is a folder; expected a file of TOML, an ordinary file"),
    ],
)
def test_what_is_no_toml_is_refused(tmp_path: Path, data: bytes | None, message: str) -> None:
    path = tmp_path / "x.toml"
    if data is None:
        path.mkdir()
    else:
        path.write_bytes(data)
    with pytest.raises(GoliveError) as caught:
        read_toml(path)
    assert str(caught.value) == f"{path}: {message}"


@pytest.mark.parametrize("name", ["staging", "production", "dead"])
def test_the_declared_environments_load_once_their_secrets_are_set(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = ROOT / f"suites/environments/{name}.toml"
    for variable in _variables(read_toml(path)):
        monkeypatch.setenv(variable, SECRET)
    env = load(path, ROOT / "suites/product.toml", tmp_path, Mask())
    assert env.name == name
    assert not env.is_rehearsal
    if name == "production":
        assert set(env.permits) == {"read", "write"}


def _variables(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["env"]} if set(value) == {"env"} else set()
        return own.union(*map(_variables, value.values()))
    return set().union(*map(_variables, value)) if isinstance(value, list) else set()


def test_the_small_environment_of_the_tests_is_valid(env_with: Callable[..., Environment]) -> None:
    assert env_with(title="Changed").title == "Changed"


# -- without a server --------------------------------------------------------------------------


def searched(files: Files) -> tuple[str, list[str]]:
    """A text with three secrets as far as it is masked, and what was not at hand for that."""
    for name, content in (("small", files.raw), ("product", files.product)):
        (files.folder / f"{name}.toml").write_text(toml(content))
    mask = Mask()
    paths = (files.folder / "small.toml", files.folder / "product.toml")
    missing = secrets_at_hand(*paths, files.folder, mask)
    return mask(f"{SECRET} wagtail-7f3a9c fieldfare-7f3a9c"), missing


def test_secrets_at_hand_are_known_and_the_others_named(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert searched(files) == (f"{MASKED} wagtail-7f3a9c fieldfare-7f3a9c", [])
    (files.folder / "key").write_text("wagtail-7f3a9c\n")
    monkeypatch.setenv("SHORT", "abc")
    files.raw["redis"]["password"] = {"file": "key"}
    files.raw["redis"]["sentinel_password"] = {"file": "absent"}
    files.raw["postgres"]["password"] = {"env": "UNSET"}
    files.raw["postgres"]["burst_password"] = {"env": "UNSET"}
    files.raw["aws"]["access_key_id"] = {"env": "SHORT"}
    text, missing = searched(files)
    assert text == f"{MASKED} {MASKED} fieldfare-7f3a9c"
    assert sorted(missing) == sorted(["SHORT (too short)", "UNSET", str(files.folder / "absent")])


def test_secrets_are_looked_for_though_the_environment_is_not_up_or_wrong(files: Files) -> None:
    files.raw["started"] = {"command": ["x"], "folder": "up"}
    files.raw["posgres"] = {}
    text, missing = searched(files)
    assert text.startswith(MASKED)
    assert missing == [f"what {files.folder / 'up/endpoints.toml'} names, which is not there"]
    files.overlay = {"redis": {"password": {"file": "wagtail"}}}
    (files.folder / "up").mkdir()
    (files.folder / "up/wagtail").write_text("wagtail-7f3a9c")
    (files.folder / "up/endpoints.toml").write_text(toml(files.overlay))
    assert searched(files) == (f"{MASKED} {MASKED} fieldfare-7f3a9c", [])
