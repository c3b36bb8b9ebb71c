"""The overlay: joined from what each part tells, and TOML whatever stands in it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from rehearsal import endpoints
from rehearsal.kernel import inventory, toml
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.world import Rehearsal


def test_what_is_written_reads_back_the_same() -> None:
    document: dict[str, dict[str, Any]] = {
        "postgres": {
            "password": {"file": "secrets/golive_monitor"},
            "nodes": [{"name": "one", "port": 20_001}, {"name": "two", "port": 20_002}],
            "ssl": True,
            "retention_days": 30.0,
        },
        "tls": {"ca_file": 'it\'s "100 %" \\ a\tpath\nof émigrés \x7f', "empty": []},
    }
    assert tomllib.loads(toml.document(document, "a comment")) == document


def test_tables_are_joined_and_lists_follow_one_another() -> None:
    one = {"tls": {"ca": "root.pem", "hosts": ["www"], "nodes": [{"port": 1}]}}
    other = {"tls": {"ca": "root.pem", "hosts": ["www", "app"], "nodes": [{"port": 2}]}, "aws": {}}
    assert endpoints.joined(one, other) == {
        "tls": {"ca": "root.pem", "hosts": ["www", "app"], "nodes": [{"port": 1}, {"port": 2}]},
        "aws": {},
    }


def test_entries_of_one_name_are_one_entry() -> None:
    one = [{"name": "www", "nodes": [{"port": 1}]}, {"name": "app", "nodes": []}]
    other = [{"name": "www", "nodes": [{"port": 2}]}]
    both = {"name": "www", "nodes": [{"port": 1}, {"port": 2}]}
    assert endpoints.joined(one, other) == [both, {"name": "app", "nodes": []}]


def test_two_that_tell_different_things_are_named() -> None:
    with pytest.raises(
        RehearsalError, match=r"endpoints\.redis\.name is reported as 'a' and as 'b'"
    ):
        endpoints.joined({"redis": {"name": "a"}}, {"redis": {"name": "b"}})


def test_every_declared_node_is_told_by_its_part(tmp_path: Path) -> None:
    r = Rehearsal(tmp_path)
    r.remember("aws", {"distribution_id": "E1"})
    reported = endpoints.describe(r, inventory.parts())
    assert [n["role"] for n in reported["postgres"]["nodes"]] == ["primary", "standby"]
    assert [len(reported["redis"][kind]) for kind in ("nodes", "sentinels")] == [2, 3]
    assert [one["name"] for one in reported["application"]["instances"]] == ["app-1", "app-2"]
    served = {one["name"]: len(one["nodes"]) for one in reported["tls"]["endpoints"]}
    assert served["www.bookedbarber.test"] == served["app.bookedbarber.test"] == 2
    assert served["api.bookedbarber.test"] == served["postgres-primary.bookedbarber.test"] == 1
    assert reported["edge"]["distribution_id"] == "E1"
