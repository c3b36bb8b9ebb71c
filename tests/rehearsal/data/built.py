"""What the rehearsal builds, without the parts that would have to run."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from golive.environments import Environment, loader
from golive.masking import Mask
from rehearsal import faults
from rehearsal.data import release
from rehearsal.endpoints import joined
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.platform.build import build
from rehearsal.parts.traffic.hosts import EDGE_HOSTS
from rehearsal.staff import launch_tools
from tests import checks
from tests.conftest import SECRET_VARIABLE, small_environment, toml

SUITES = Path(__file__).resolve().parents[3] / "suites"
PRODUCT: dict[str, Any] = tomllib.loads((SUITES / "product.toml").read_text(encoding="utf-8"))
OTHERS = {"staging": "config/staging.env", "production": "config/production.env"}

NAMED = {"name": "rehearsal", "kind": "rehearsal"}


class Built:
    """A release with everything that is built of it, and an environment that names it."""

    def __init__(self, folder: Path) -> None:
        self.r = Rehearsal(folder)
        release.publish(self.r)
        launch_tools.install(self.r)
        build.run(self.r)

    def env(self, **changes: Any) -> Environment:
        """The environment, with some of its tables otherwise."""
        told = joined(release.endpoints(self.r), build.endpoints(self.r))
        instances = [{"name": n, "url": "http://127.0.0.1:1"} for n in ("app-1", "app-2")]
        told["configuration"] = {
            "env_file": "config/rehearsal.env",
            "schema": "config/schema.json",
        }
        told["package"] |= PRODUCT["package"] | {"others": OTHERS}
        told["edge"] = {
            "hosts": list(EDGE_HOSTS),
            "nodes": [{"name": "edge", "host": "127.0.0.1", "port": 1}],
        }
        told["redis"] = {"nodes": [{"name": "redis-1", "host": "127.0.0.1", "port": 6379}]}
        told["application"] = {"instances": instances} | told.get("application", {})
        path, product = self.r.path("small.toml"), self.r.path("product.toml")
        path.write_text(toml(small_environment(**(NAMED | told | changes))), encoding="utf-8")
        product.write_text("", encoding="utf-8")
        return loader.load(path, product, self.r.folder, Mask())

    def broken(self, ident: str, facts: Callable[[Environment], Mapping[str, Any]]) -> str:
        """The subject of the claim that breaks an item now; empty where it is green."""
        return checks.broken(ident, facts(self.env()))

    def broken_by(
        self, fault: str, ident: str, facts: Callable[[Environment], Mapping[str, Any]]
    ) -> str:
        """The same with a fault, which has to leave the item green once it is reverted."""
        faults.inject(self.r, fault)
        try:
            found = self.broken(ident, facts)
        finally:
            faults.revert(self.r, fault)
        assert self.broken(ident, facts) == ""
        return found


SECRET = SECRET_VARIABLE
"""The variable that the environment's secrets are read from."""
