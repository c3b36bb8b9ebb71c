"""pytest's hooks. Each is a few lines that call the room where the work is done."""

from __future__ import annotations

import gc
import sys
from collections.abc import Generator
from contextlib import suppress
from typing import Any

import pytest

from golive.claims import collect, to_the_first
from golive.items import card_of
from golive.launch import asked
from golive.sections import Asked
from golive.session import Session, probe_fixtures, status_of
from golive.verdicts import GoliveError

SESSION = pytest.StashKey[Session]()
_FAILED = (Exception, pytest.fail.Exception, pytest.skip.Exception)
"""How a check ends that does not hold. What ends the whole run is none of these."""
REGISTERED = pytest.StashKey[list[tuple[str, object]]]()
_GARBAGE = 50_000
"""New objects after which cycles among them are looked for; Python's 700 cost a tenth of a run."""


def pytest_plugin_registered(
    plugin: object, plugin_name: str, manager: pytest.PytestPluginManager
) -> None:
    # pytest tells of those before this one too, also of those that are gone again.
    config = manager.getplugin("pytestconfig")
    if config is not None:
        config.stash.setdefault(REGISTERED, []).append((plugin_name, plugin))


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("golive", "launch validation")
    group.addoption(
        "--env", default="rehearsal", metavar="NAME", help="environment: a name or a TOML file"
    )
    group.addoption(
        "--item",
        action="append",
        default=[],
        metavar="ID",
        help="only this item, or all whose ids it begins; may be repeated",
    )
    group.addoption("--today", metavar="DATE", help="look at the launch as on this day")
    group.addoption(
        "--reports", metavar="FOLDER", help="where runs and reports go (default: reports)"
    )
    group.addoption(
        "--report-only",
        action="store_true",
        help="exit 0 whatever the verdicts are, for nightly trend runs",
    )
    group.addoption(
        "--as",
        dest="person",
        default="",
        metavar="ID",
        help="who signs the run: an id on the roster, of a person or a runner"
        " (default: GOLIVE_AS, or whose key it is)",
    )
    group.addoption(
        "--key",
        default="",
        metavar="FILE",
        help="the SSH key that signs the run (default: GOLIVE_KEY, or one in the agent or ~/.ssh)",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    _spare_garbage(config)
    with _usage_errors():
        config.stash[SESSION] = session = Session(config)
        fixtures = probe_fixtures(session.facts_of)
        registered = config.stash[REGISTERED]
        session.setup.loaded.follow(registered, own=fixtures)
        config.pluginmanager.register(fixtures, "golive-probes")
    if config.getoption("htmlpath", None):
        from golive.reports import pytest_html

        config.pluginmanager.register(pytest_html, "golive-pytest-html")


def _spare_garbage(config: pytest.Config) -> None:
    """Look for garbage seldom until the session has ended."""
    usual = gc.get_threshold()
    gc.set_threshold(_GARBAGE, *usual[1:])

    def again() -> None:
        gc.unfreeze()
        gc.set_threshold(*usual)

    config.add_cleanup(again)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    with _usage_errors():
        session.config.stash[SESSION].start()


@pytest.fixture(scope="session")
def env(request: pytest.FixtureRequest) -> Any:
    """The environment under test; of what it does not declare each claim is unseen by itself."""
    found = request.config.stash[SESSION].env
    return None if found is None else Asked(found)


@pytest.fixture(scope="session")
def launch(request: pytest.FixtureRequest) -> Any:
    """What launch.toml says."""
    return request.config.stash[SESSION].setup.launch


@pytest.fixture(scope="session")
def limits(request: pytest.FixtureRequest) -> Any:
    """The thresholds of launch.toml."""
    return request.config.stash[SESSION].setup.launch.limits


@pytest.fixture(scope="session")
def today(request: pytest.FixtureRequest) -> Any:
    """The day as which the launch is looked at."""
    return request.config.stash[SESSION].setup.today


@pytest.fixture(scope="session")
def deliverables(request: pytest.FixtureRequest) -> Any:
    """The documents that follow from this environment's newest verdicts."""
    return request.config.stash[SESSION].people.deliverables()


@pytest.fixture(scope="session")
def context(request: pytest.FixtureRequest) -> Any:
    """Where what people write and sign lies: the roster, papers, statements."""
    return request.config.stash[SESSION].people.context()


@pytest.fixture(scope="session")
def roster(context: Any) -> Any:
    """Who is who."""
    return context.roster


@pytest.fixture(scope="session")
def papers(context: Any) -> Any:
    """The documents that people have written."""
    from golive.papers import Papers

    return Papers(context.papers)


@pytest.fixture
def kept(request: pytest.FixtureRequest) -> Any:
    """How the store keeps a document, by its path."""
    return request.config.stash[SESSION].kept


@pytest.fixture
def ask(request: pytest.FixtureRequest) -> Any:
    """What a look finds, by its name, that only this item knows what at."""
    return request.config.stash[SESSION].ask


@pytest.fixture
def vouched(request: pytest.FixtureRequest) -> Any:
    """What people have stated of this item."""
    card = card_of(request.node.obj)
    assert card is not None
    return request.config.stash[SESSION].vouched(card.id)


@pytest.fixture
def exempted(request: pytest.FixtureRequest) -> Any:
    """Whether two people have declared this item not applicable."""
    card = card_of(request.node.obj)
    assert card is not None
    return request.config.stash[SESSION].people.exempted(card.id)


@pytest.fixture
def vouched_of(request: pytest.FixtureRequest) -> Any:
    """What people have stated of another item, by its id."""
    return request.config.stash[SESSION].vouched


@pytest.hookimpl(wrapper=True)
def pytest_collectreport(report: pytest.CollectReport) -> Generator[None, object, object]:
    if report.outcome == "skipped":  # all of its items would be missing, and nobody would see it
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid}: {reason}; expected a file that skips nothing"
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None, object, object]:
    state = config.stash[SESSION]
    with _usage_errors():
        state.collection.arrange(items)
    result = yield
    state.collection.is_arranged = True
    return result


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    state = session.config.stash[SESSION]
    # pytest comes here also when one of the hooks before has refused what was collected.
    if not state.collection.is_arranged or session.config.option.collectonly or session.testsfailed:
        return
    if session.items:
        with _usage_errors():
            state.open(session.items)
        gc.freeze()  # what is there by now stays to the end, so nobody need look through it again


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    state = item.config.stash[SESSION]
    if card_of(getattr(item, "obj", None)) is None:
        return (yield)
    with collect(to_the_end=True) as claims, asked() as limits:
        state.begin(item, claims, limits)
        result = yield
    state.finish()
    return result


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    with asked() as limits, to_the_first():
        result = yield
    request.config.stash[SESSION].fixture_asked(fixturedef.argname, limits)
    return result


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.config.stash[SESSION].refuse()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    state = item.config.stash[SESSION]
    if card_of(getattr(item, "obj", None)) is None:
        return (yield)
    try:
        result = yield
    except pytest.exit.Exception:
        raise
    except _FAILED:
        with suppress(Exception):  # the check's own failure is what counts
            state.vouch(item, failed=True)
        raise
    state.vouch(item, failed=state.is_red)
    return result


def pytest_assertion_pass(item: pytest.Item, orig: str, expl: str) -> None:
    # Packages with a pytest plugin of their own have their assertions told, too.
    if _asserting_file() == str(item.path):
        item.config.stash[SESSION].held(orig, expl)


def _asserting_file() -> str:
    """Where the assertion stands that pytest tells of."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_name != "_call_assertion_pass":
        frame = frame.f_back
    return frame.f_back.f_code.co_filename if frame.f_back is not None else ""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.config.stash[SESSION].judge(item, call, report)
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(report: Any) -> tuple[str, str, str] | None:
    return status_of(report)


def pytest_report_header(config: pytest.Config) -> list[str]:
    return config.stash[SESSION].terminal.header()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, object, object]:
    state = session.config.stash.get(SESSION, None)
    if state is not None:
        session.exitstatus = state.close(int(session.exitstatus))
    return (yield)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.config.stash[SESSION].summarise(terminalreporter)


class _usage_errors:  # noqa: N801 - reads as a statement: with _usage_errors():
    """A user's mistake ends the session with pytest's status for usage, in one paragraph."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, GoliveError):
            raise pytest.UsageError(str(error)) from None
