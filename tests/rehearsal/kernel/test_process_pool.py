"""The project's own processes, as the supervisor has them born."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import psutil
import pytest

from rehearsal import lifecycle
from rehearsal.kernel import control, inventory, process_pool
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts import Child

pytestmark = pytest.mark.skipif(not process_pool.SUPPORTED, reason="needs Linux's subreaper")


@pytest.fixture(scope="module")
def r(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    rehearsal = Rehearsal(tmp_path_factory.mktemp("process-pool"))
    lifecycle.up(rehearsal, only=["receiver"], say=lambda _: None)
    yield rehearsal
    lifecycle.down(rehearsal, say=lambda _: None)


def module(r: Rehearsal, name: str, *words: str, **environment: str) -> Child:
    return Child(name, [sys.executable, "-m", *words], r.log(name), environment=environment)


def ended(r: Rehearsal, name: str) -> str:
    parts = r.ask("status")["parts"]
    return str(parts[name]["state"])


def test_a_part_is_the_supervisors_own_child_with_a_name_and_a_session(r: Rehearsal) -> None:
    record = control.supervisor(r.folder)
    assert record is not None
    part = psutil.Process(r.running()["receiver"])
    assert part.ppid() == record.pid
    assert part.name() == "receiver"
    assert os.getsid(part.pid) == part.pid


def test_a_module_gets_its_words_its_environment_and_its_log(r: Rehearsal) -> None:
    words = ["timeit", "-n1", "-r1", "import os; print(os.environ['WORD'], os.getcwd())"]
    r.run(module(r, "told", *words, WORD="heard"))
    r.wait("it has ended", lambda: ended(r, "told") == "died (exit status 0)")
    assert f"heard {r.folder}\n" in r.log("told").read_text()


def test_the_kernel_tells_a_modules_own_environment(r: Rehearsal) -> None:
    text = "open('/proc/self/environ').read().strip(chr(0)).split(chr(0))"
    words = [
        "timeit",
        "-n1",
        "-r1",
        f"import os; print({text} == [*map('='.join, os.environ.items())])",
    ]
    child = module(r, "shown", *words, WORD="heard", EMPTY="")
    r.run(child)
    r.wait("it has ended", lambda: ended(r, "shown") == "died (exit status 0)")
    assert "True\n" in r.log("shown").read_text()


def test_a_module_finds_loaded_what_it_asks_for(r: Rehearsal) -> None:
    words = ["timeit", "-n1", "-r1", "import sys; print('colorsys' in sys.modules)"]
    child = Child("eager", [sys.executable, "-m", *words], r.log("eager"), loads=("colorsys",))
    r.run(child)
    r.wait("it has ended", lambda: ended(r, "eager") == "died (exit status 0)")
    assert "True\n" in r.log("eager").read_text()


def test_parts_with_the_same_modules_are_forked_from_one_process() -> None:
    loads = {part.name: part.loads for part in inventory.parts()}
    assert loads["app-1"] == loads["app-2"] != ()
    assert loads["aws"] == loads["backup-copier"] == loads["exporter"] != loads["app-1"]
    assert loads["receiver"] == ()


def test_how_a_module_ended_is_known(r: Rehearsal) -> None:
    r.run(module(r, "refused", "rehearsal", "no-such-verb"))
    r.wait("it has ended", lambda: ended(r, "refused") == "died (exit status 2)")
    assert "invalid choice: 'no-such-verb'" in r.log("refused").read_text()
    r.run(module(r, "unknown", "rehearsal.nothing"))
    r.wait("it has ended", lambda: ended(r, "unknown") == "died (exit status 1)")
    assert "No module named rehearsal.nothing" in r.log("unknown").read_text()


def test_a_module_is_stopped_like_any_other(r: Rehearsal) -> None:
    pid = r.run(module(r, "server", "http.server", "--bind", "127.0.0.1", str(r.port("server"))))
    r.stop("server")
    assert not psutil.pid_exists(pid)


def test_without_its_nursery_a_rehearsal_says_so(r: Rehearsal) -> None:
    record = control.supervisor(r.folder)
    assert record is not None
    [mother] = [p for p in psutil.Process(record.pid).children() if p.name() == "process-pool"]
    mother.kill()
    mother.wait(5)
    with pytest.raises(RehearsalError, match="receiver cannot be started: the process that"):
        r.restart("receiver")
