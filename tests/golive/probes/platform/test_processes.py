"""Variables of real processes against a released file, in a git repository and on moto."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

from golive.environments import Environment
from golive.probes.platform import envfiles
from golive.probes.platform.processes import ProcessVariables, process_variables
from golive.probes.platform.references import Reference, Store, reference
from golive.verdicts import ProbeError, Unseen
from tests.golive.probes.answering import Service, answering

EnvWith = Callable[..., Environment]
Refuse = Callable[..., None]
FILE = """\
# Ours
DEBUG=false
export POOL=20   # connections
QUOTED='a b'
API_KEY=secretsmanager:shop/keys#API_KEY
PEER=ssm:/shop/peer
"""
RESOLVED = {"DEBUG": "false", "POOL": "20", "QUOTED": "a b", "API_KEY": "k" * 20, "PEER": "h:1"}
SCHEMA = {
    "DEBUG": {"type": "boolean"},
    "POOL": {"type": "integer", "minimum": 1, "maximum": 50},
    "API_KEY": {"type": "string", "minLength": 16},
}


@contextmanager
def running(variables: Mapping[str, str], pid_file: Path) -> Iterator[None]:
    """A process with just these variables, and its id in a file."""
    wait = "import sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-S", "-c", wait],
        env={"PATH": "/usr/bin", **variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        pid_file.write_text(f"{process.pid}\n")
        yield
        process.communicate(b"")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return released(tmp_path / "shop.git", FILE)


def released(folder: Path, text: str) -> Path:
    (folder / "env").mkdir(parents=True)
    (folder / "env" / "live.env").write_text(text)
    (folder / "env" / "schema.json").write_text(json.dumps({"properties": SCHEMA}))
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"], ["tag", "v2.0.0"]):
        subprocess.run(["git", *who, *words], cwd=folder, env=clean, check=True)
    return folder


@pytest.fixture
def aws(aws_url: str) -> str:
    """Moto with the secret and the parameter that the file refers to."""
    import requests

    requests.post(f"{aws_url}/moto-api/reset", timeout=10)
    at: dict[str, Any] = {
        "region_name": "us-east-1",
        "endpoint_url": aws_url,
        "aws_access_key_id": "x",
        "aws_secret_access_key": "x",
    }
    secrets: Any = boto3.client("secretsmanager", **at)
    keys = json.dumps({"API_KEY": RESOLVED["API_KEY"]})
    secrets.create_secret(Name="shop/keys", SecretString=keys)
    parameters: Any = boto3.client("ssm", **at)
    parameters.put_parameter(Name="/shop/peer", Value=RESOLVED["PEER"], Type="String")
    return aws_url


@pytest.fixture
def make(env_with: EnvWith, aws: str, repository: Path, tmp_path: Path) -> EnvWith:
    """An environment with that release and two processes."""

    def made(**more: Any) -> Environment:
        return env_with(
            aws={"endpoint_url": aws},
            release={"repository": str(repository), "tag": "v2.0.0"},
            configuration={
                "env_file": "env/live.env",
                "schema": "env/schema.json",
                "processes": [
                    {"name": n, "pid_file": str(tmp_path / f"{n}.pid")} for n in ("one", "two")
                ],
                **more,
            },
        )

    return made


def looked(env: Environment, tmp_path: Path, **of_two: str | None) -> ProcessVariables:
    """What is seen where the second process has other variables."""
    other = {k: v for k, v in {**RESOLVED, **of_two}.items() if v is not None}
    with running(RESOLVED, tmp_path / "one.pid"), running(other, tmp_path / "two.pid"):
        return process_variables(env)


def complaints(found: ProcessVariables) -> dict[str, Any]:
    names = ("missing", "extra", "differing", "empty", "placeholders", "unfit", "divergent")
    return {name: told for name in names if (told := getattr(found, name)) != []}


def test_processes_with_the_released_values_are_sound(make: EnvWith, tmp_path: Path) -> None:
    found = looked(make(), tmp_path)
    assert complaints(found) == {}
    assert (found.looked_at, found.compared) == (["one", "two"], 10)


def test_no_value_is_kept(make: EnvWith, tmp_path: Path) -> None:
    kept = repr(looked(make(), tmp_path, EXTRA="something secret"))
    assert RESOLVED["API_KEY"] not in kept
    assert "something secret" not in kept
    # Nor a digest by which a short value could be guessed.
    assert hashlib.sha256(b"20").hexdigest()[:16] not in kept


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"POOL": None}, {"missing": ["two: POOL"], "divergent": ["POOL"]}),
        ({"OLD": "1"}, {"extra": ["two: OLD"], "divergent": ["OLD"]}),
        ({"DEBUG": "true"}, {"differing": ["two: DEBUG"], "divergent": ["DEBUG"]}),
    ],
)
def test_a_process_with_other_variables_is_told(
    make: EnvWith, tmp_path: Path, variables: dict[str, str], told: dict[str, list[str]]
) -> None:
    assert complaints(looked(make(), tmp_path, **variables)) == told


def test_values_that_cannot_be_right_are_told(make: EnvWith, tmp_path: Path) -> None:
    found = looked(make(), tmp_path, DEBUG="", POOL="500", API_KEY="changeme")
    assert found.empty == ["two: DEBUG"]
    assert found.placeholders == ["two: API_KEY"]
    assert found.unfit == [
        "two: POOL is not within 1..50",
        "two: API_KEY has less than 16 characters",
    ]


def test_what_a_platform_sets_is_no_configuration(make: EnvWith, tmp_path: Path) -> None:
    platform = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "LC_CTYPE": "C", "INVOCATION_ID": "x"}
    assert complaints(looked(make(), tmp_path, **platform)) == {}
    assert complaints(looked(make(not_configured=["POD"]), tmp_path, POD="p")) == {}


def test_a_secret_that_may_not_be_read_leaves_the_others_judged(
    make: EnvWith, tmp_path: Path, refuse: Refuse
) -> None:
    refuse("GetSecretValue")
    found = looked(make(), tmp_path)
    assert isinstance(found.differing, Unseen)
    assert "permit secretsmanager:GetSecretValue" in str(found.differing.error)
    assert found.missing == []
    assert looked(make(), tmp_path, POOL="30").differing == ["two: POOL"]


def test_without_a_schema_all_but_types_is_judged(make: EnvWith, tmp_path: Path) -> None:
    found = looked(make(schema="env/none.json"), tmp_path, API_KEY="changeme")
    assert isinstance(found.unfit, Unseen)
    assert found.placeholders == ["two: API_KEY"]


def test_a_process_that_is_gone_is_not_taken_for_sound(make: EnvWith, tmp_path: Path) -> None:
    env = make()
    with running(RESOLVED, tmp_path / "one.pid"):
        found = process_variables(env)
    assert isinstance(found.missing, Unseen)
    (tmp_path / "two.pid").write_text("\n")
    with running({**RESOLVED, "OLD": "1"}, tmp_path / "one.pid"):
        assert process_variables(env).extra == ["one: OLD"]


def test_a_release_without_the_file_is_told(make: EnvWith) -> None:
    with pytest.raises(ProbeError, match=r"env/other\.env"):
        process_variables(make(env_file="env/other.env"))


def test_nothing_declared_is_told(make: EnvWith) -> None:
    with pytest.raises(ProbeError, match="none is declared"):
        process_variables(make(processes=[]))


@pytest.fixture
def agent() -> Iterator[Service]:
    with answering() as service:
        yield service


def test_an_agent_that_hashes_on_the_spot_is_as_good(make: EnvWith, agent: Service) -> None:
    hashed = {n: hashlib.sha256(v.encode()).hexdigest() for n, v in RESOLVED.items()}
    agent.says("/one", {**hashed, "PATH": "0" * 64})
    agent.says("/two", {**hashed, "POOL": hashlib.sha256(b"").hexdigest()})
    env = make(processes=[{"name": n, "hashes_url": f"{agent.url}/{n}"} for n in ("one", "two")])
    found = process_variables(env)
    assert complaints(found) == {
        "differing": ["two: POOL"],
        "empty": ["two: POOL"],
        "divergent": ["POOL"],
    }
    agent.says("/two", {"POOL": "20"})
    assert isinstance(process_variables(env).processes["two"], Unseen)


def test_references_are_read_as_task_definitions_have_them(make: EnvWith) -> None:
    env = make()
    arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop/keys-AbCdEf"
    assert reference(arn, env) == Reference("secretsmanager", arn, "", "eu-west-1")
    assert reference(f"{arn}:API_KEY::", env) == Reference(
        "secretsmanager", arn, "API_KEY", "eu-west-1"
    )
    parameter = "arn:aws:ssm:eu-west-1:123456789012:parameter/shop/peer"
    assert reference(parameter, env) == Reference("ssm", "/shop/peer", "", "eu-west-1")
    assert reference("https://shop.example", env) is None
    with pytest.raises(ProbeError, match="has no key OTHER"):
        Store(env).value(Reference("secretsmanager", "shop/keys", "OTHER"))


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        *[(v, True) for v in ("changeme", "change-me-now", "xxx", "sk_test_xxxx", "<token>")],
        *[(v, True) for v in ("${API_KEY}", "your-api-key", "https://example.com/x", "{{ key }}")],
        *[
            (v, False)
            for v in ("exchange", "a@b.example", "a3xxxf9", "boxxx1", "counterexamples", "methods")
        ],
        *[(v, False) for v in ("sk_live_51H", "https://shop.test/todos", "youridentity")],
    ],
)
def test_placeholders_are_told_from_words_that_hold_them(value: str, is_one: bool) -> None:
    assert envfiles.is_placeholder(value, production=False) is is_one


def test_a_key_for_tests_is_one_in_production_only() -> None:
    assert envfiles.is_placeholder("sk_test_51Habc", production=True)
    assert not envfiles.is_placeholder("sk_test_51Habc", production=False)


def test_files_of_other_habits_are_read() -> None:
    text = "\ufeffA=\"x # y\"\r\n\r\nB = two\nC=\nD=a=b#c\n  # note\nE='it is' # why\n"
    assert envfiles.parse(text, "f") == {
        "A": "x # y",
        "B": "two",
        "C": "",
        "D": "a=b#c",
        "E": "it is",
    }
    with pytest.raises(ProbeError, match="line 2 is no variable") as told:
        envfiles.parse("A=1\nhunter2 secret\n", "f")
    assert "hunter2" not in str(told.value)
