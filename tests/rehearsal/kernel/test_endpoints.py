"""The overlay is TOML whatever stands in it."""

from __future__ import annotations

import tomllib

from rehearsal.endpoints import toml


def test_what_is_written_reads_back_the_same() -> None:
    document = {
        "postgres": {
            "password": {"file": "secrets/golive_monitor"},
            "nodes": [{"name": "one", "port": 20_001}, {"name": "two", "port": 20_002}],
            "ssl": True,
            "retention_days": 30.0,
        },
        "tls": {"ca_file": 'it\'s "100 %" \\ a\tpath\nof émigrés \x7f', "empty": []},
    }
    assert tomllib.loads(toml(document)) == document
