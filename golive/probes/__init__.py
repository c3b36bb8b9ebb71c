"""One module per kind of system; importing one registers its probes."""

from __future__ import annotations

import pkgutil
from importlib import import_module


def register_all() -> None:
    """Import every module of this package, which registers its probes."""
    for module in pkgutil.walk_packages(__path__, f"{__name__}."):
        import_module(module.name)
