"""The names of statements that the application shows from its start."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client import generate_latest

from rehearsal.app import shop
from rehearsal.app.settings import Settings
from rehearsal.app.storage import Metrics


def test_every_statement_is_named() -> None:
    text = Path(shop.__file__).read_text(encoding="utf-8")
    written = set(re.findall(r'"([a-z]+\.[a-z_]+(?:\{name\})?)"', text))
    of_lists = {one for one in written if "{" in one}
    assert of_lists == {"appointments.list_{name}", "appointments.count_{name}"}
    roles = {one.format(name=role) for one in of_lists for role in ("client", "barber")}
    assert set(shop.STATEMENTS) == written - of_lists | roles


def test_a_statement_that_has_not_run_yet_counts_as_nothing() -> None:
    metrics = Metrics(Settings(database_url=""), shop.STATEMENTS)
    shown = generate_latest(metrics.registry).decode()
    for name in shop.STATEMENTS:
        assert f'bookedbarber_db_query_seconds_count{{statement="{name}"}} 0.0' in shown
