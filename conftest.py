"""Everything that the suites need comes from the engine."""

pytest_plugins = ("golive.plugin",)
