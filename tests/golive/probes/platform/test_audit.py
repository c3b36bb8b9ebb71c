"""The audit: the item on literal facts; trail, log and rights on moto."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from math import inf
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from golive.claims import Claim
from golive.environments import Environment
from golive.probes.platform import audit
from golive.probes.platform.audit import Act, AuditLog, AuditTrail, audit_log, audit_trail
from golive.verdicts import ProbeError, Unseen

Judge = Callable[..., Claim | None]
EnvWith = Callable[..., Environment]
Refuse = Callable[..., None]
NOW = datetime.now(UTC)
HIDDEN = Unseen(ProbeError("x", "no right"))
ROLE = "arn:aws:iam::123456789012:role/writer"

TRAIL = AuditTrail("main", True, True, True, 0.2, 0.3, "")
ACTS = tuple(Act(n, n, "who", "1.2.3.4", NOW, 2.0) for n in ("login", "table", "request"))
LOG = AuditLog(ACTS, (), None, "", (), 3)
ENV = SimpleNamespace(windows=SimpleNamespace(audit_s=60.0))


@pytest.mark.parametrize(
    ("trail", "log", "subject"),
    [
        ({}, {}, None),
        ({"is_logging": False}, {}, "trail's logging"),
        ({"is_everywhere": False}, {}, "trail's regions"),
        ({"is_validated": False}, {}, "trail's file validation"),
        ({"delivered_h": 24.1}, {}, "last delivery by the trail itself"),
        ({"newest_h": inf}, {}, "newest file of the trail"),
        ({"delivery_error": "AccessDenied"}, {}, "trail's delivery"),
        ({}, {"admitted": "status 200"}, "administrative request"),
        ({}, {"acts": (replace(ACTS[0], found_after_s=61.0),)}, "found in the central log"),
        ({}, {"acts": (replace(ACTS[0], found_after_s=inf),)}, "found in the central log"),
        ({}, {"acts": (replace(ACTS[0], lacks=("source",)),)}, "acts that are not told whole"),
        ({}, {"deletable": ("streams",)}, "what the writers can delete"),
    ],
)
def test_each_clause_is_judged(
    judged: Judge, trail: dict[str, Any], log: dict[str, Any], subject: str | None
) -> None:
    claim = judged(
        "D-14.3.5", audit_trail=replace(TRAIL, **trail), audit_log=replace(LOG, **log), env=ENV
    )
    assert (claim is None) == (subject is None)
    if claim is not None and subject is not None:
        assert claim.broken
        assert fnmatchcase(claim.subject, subject)


@pytest.mark.parametrize(
    "log", [{"search": HIDDEN}, {"not_done": (HIDDEN,)}, {"deletable": HIDDEN}]
)
def test_what_could_not_be_tried_is_unknown(judged: Judge, log: dict[str, Any]) -> None:
    claim = judged("D-14.3.5", audit_trail=TRAIL, audit_log=replace(LOG, **log), env=ENV)
    assert claim is not None
    assert claim.unseen is not None


# -- on moto -----------------------------------------------------------------------------------


@pytest.fixture
def aws(aws_url: str) -> Callable[[str], Any]:
    """An emptied moto with a trail, its bucket, a log group and the writers' role."""
    import requests

    requests.post(f"{aws_url}/moto-api/reset", timeout=10)

    def client(service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]
            service,
            region_name="us-east-1",
            endpoint_url=aws_url,
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )

    client("s3").create_bucket(Bucket="trail")
    client("cloudtrail").create_trail(
        Name="main",
        S3BucketName="trail",
        S3KeyPrefix="all",
        IsMultiRegionTrail=True,
        EnableLogFileValidation=True,
    )
    client("cloudtrail").start_logging(Name="main")
    client("logs").create_log_group(logGroupName="central")
    client("logs").put_retention_policy(logGroupName="central", retentionInDays=365)
    client("logs").create_log_stream(logGroupName="central", logStreamName="db")
    client("iam").create_role(RoleName="writer", AssumeRolePolicyDocument="{}")
    return client


@pytest.fixture
def env(aws: object, aws_url: str, env_with: EnvWith) -> Callable[..., Environment]:
    def make(**changes: Any) -> Environment:
        said = {
            "trail": "main",
            "region": "us-east-1",
            "log_group": "central",
            "writer_role": ROLE,
            "refused_url": "http://127.0.0.1:1/metrics",
        }
        return env_with(
            permits=["read", "write"],
            aws={"endpoint_url": aws_url},
            audit=said | changes,
            windows={"audit_s": 1.0},
        )

    return make


@pytest.mark.parametrize("top", ["all/AWSLogs/1/", "all/AWSLogs/o-abc/1/"])
def test_a_trail_that_delivers_is_found_whole(
    env: Callable[..., Environment], aws: Callable[[str], Any], top: str
) -> None:
    assert audit_trail(env()).newest_h == inf
    key = f"{top}CloudTrail/eu-west-1/{datetime.now(UTC):%Y/%m/%d}/1.json.gz"
    aws("s3").put_object(Bucket="trail", Key=key, Body=b"x")
    found = audit_trail(env())
    assert (found.is_logging, found.is_everywhere, found.is_validated) == (True, True, True)
    assert isinstance(found.newest_h, float)
    assert found.newest_h < 1
    assert isinstance(found.delivered_h, float)
    assert found.delivered_h < 1
    aws("cloudtrail").stop_logging(Name="main")
    assert audit_trail(env()).is_logging is False


@pytest.mark.parametrize(
    ("operation", "hidden"),
    [("GetTrailStatus", {"is_logging", "delivered_h"}), ("ListObjectsV2", {"newest_h"})],
)
def test_one_refused_right_hides_one_look(
    env: Callable[..., Environment], refuse: Refuse, operation: str, hidden: set[str]
) -> None:
    refuse(operation)
    found = audit_trail(env())
    names = ("is_logging", "delivered_h", "newest_h")
    assert {n for n in names if isinstance(getattr(found, n), Unseen)} == hidden


def test_a_trail_that_is_not_there_could_not_be_looked_at(env: Callable[..., Environment]) -> None:
    with pytest.raises(ProbeError, match="the trail other"):
        audit_trail(env(trail="other"))


@pytest.fixture
def acts(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of a database and a balancer: acts that are done already."""

    def act(name: str) -> Callable[..., Act]:
        return lambda _, mark, *__: Act(name, f"{name}-{mark}", "who", "1.2.3.4", NOW)

    monkeypatch.setattr(audit, "_failed_login", act("login"))
    monkeypatch.setattr(audit, "_table", act("table"))
    monkeypatch.setattr(audit, "_request", act("request"))
    monkeypatch.setattr("golive.probes.platform.audit.secrets.token_hex", lambda _: "mark")
    monkeypatch.setattr(audit, "_POLL_S", 0.05)


def write(aws: Callable[[str], Any], *messages: str) -> None:
    now = int(datetime.now(UTC).timestamp() * 1000)
    aws("logs").put_log_events(
        logGroupName="central",
        logStreamName="db",
        logEvents=[{"timestamp": now, "message": m} for m in messages],
    )


def test_what_is_in_the_log_is_found_and_what_it_lacks_is_told(
    env: Callable[..., Environment], aws: Callable[[str], Any], acts: None
) -> None:
    write(
        aws,
        "2026-11-20 10:00:00 [7] FATAL: login-mark who from 1.2.3.4",
        "[8] LOG: table-mark by who",
        "2026-11-20 10:00:00 [9] connection received: host=1.2.3.4",
    )
    found = audit_log(env())
    assert isinstance(found.found_after_s, dict)
    late = {name: after == inf for name, after in found.found_after_s.items()}
    assert late == {"login": False, "table": False, "request": True}
    assert found.incomplete == ["table (no source)"]


def test_the_source_may_stand_in_another_entry_of_the_same_process(
    env: Callable[..., Environment], aws: Callable[[str], Any], acts: None
) -> None:
    lines = [f"[8] {name}-mark who" for name in ("login", "table", "request")]
    write(aws, *lines, "[8] connection received: host=1.2.3.4")
    assert audit_log(env()).incomplete == []


def test_whoever_may_delete_is_told_and_nothing_is_lost(
    env: Callable[..., Environment], aws: Callable[[str], Any], acts: None
) -> None:
    # moto lets everybody delete.
    found = audit_log(env())
    assert found.deletable == (
        "streams of the log group",
        "the retention of the log group",
        "files of the trail",
    )
    streams = aws("logs").describe_log_streams(logGroupName="central")["logStreams"]
    assert [s["logStreamName"] for s in streams] == ["db"]
    [group] = aws("logs").describe_log_groups()["logGroups"]
    assert group["retentionInDays"] == 365


def test_a_log_elsewhere_is_searched_and_guarded_by_commands(
    env: Callable[..., Environment], acts: None, tmp_path: Path, refuse: Refuse
) -> None:
    lines = [f"2026-11-20T10:00:00Z {n}-mark who 1.2.3.4" for n in ("login", "table", "request")]
    (tmp_path / "log.json").write_text(json.dumps(lines))
    (tmp_path / "answer.json").write_text('{"deleted": false}')
    refuse("DeleteObject")
    found = audit_log(
        env(
            search_command=["cat", str(tmp_path / "log.json")],
            delete_command=["cat", str(tmp_path / "answer.json")],
        )
    )
    assert isinstance(found.found_after_s, dict)
    assert max(found.found_after_s.values()) < 3600
    assert found.incomplete == []
    assert found.deletable == ()


def test_where_no_log_is_declared_nothing_was_searched(
    env: Callable[..., Environment], acts: None
) -> None:
    found = audit_log(env(log_group=""))
    assert isinstance(found.found_after_s, Unseen)
    assert "audit.log_group" in found.found_after_s.error.next_step


def test_where_nothing_could_be_done_nothing_was_looked_at(
    env: Callable[..., Environment], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> Act:
        raise ProbeError("db", "away")

    for name in ("_failed_login", "_table", "_request"):
        monkeypatch.setattr(audit, name, away)
    with pytest.raises(ProbeError, match="away"):
        audit_log(env())
