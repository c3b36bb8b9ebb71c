"""Faults of what containers ask for, may have and use: the manifests, and what Prometheus has of
the last days."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rehearsal.faults import fault
from rehearsal.faults.platform.editing import edited
from rehearsal.kernel.files import write_atomically
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.observe import containers

_ITEM = "D-14.2.4"
_POOLER, _QUOTA = "k8s/pgbouncer.yaml", "k8s/quota.yaml"
_DEFAULTS = "      default: {cpu: 500m, memory: 512Mi}\n"
_REQUESTS = "      defaultRequest: {cpu: 100m, memory: 128Mi}\n"

# -- manifests -----------------------------------------------------------------------------------


def _manifest(name: str, title: str, *edits: tuple[str, str, str]) -> None:
    edited(name, [_ITEM], title, *edits, area="resources")


_manifest(
    "memory-limit-removed",
    "nothing limits the memory of the pooler",
    (_POOLER, "              memory: 256Mi\n", ""),
    (_QUOTA, _DEFAULTS, "      default: {cpu: 500m}\n"),
)
_manifest(
    "memory-request-removed",
    "the pooler asks for no memory, and has no limit of it that would be its request",
    (_POOLER, "              memory: 256Mi\n", ""),
    (_POOLER, "              memory: 128Mi\n", ""),
    (_QUOTA, _DEFAULTS, "      default: {cpu: 500m}\n"),
    (_QUOTA, _REQUESTS, "      defaultRequest: {cpu: 100m}\n"),
)
_manifest(
    "request-above-limit",
    "the pooler asks for more memory than it may have",
    (_POOLER, "              memory: 128Mi\n", "              memory: 300Mi\n"),
)
_manifest(
    "memory-limit-ten-times-use",
    "the pooler may take ten times the memory that it uses",
    (_POOLER, "              memory: 256Mi\n", "              memory: 1100Mi\n"),
)
# -- history -------------------------------------------------------------------------------------


def _history(name: str, title: str, **settings: Any) -> None:
    """What the last days were like is another thing: Prometheus is started on other blocks."""

    @fault(name, expect_fail=[_ITEM], touches=["prometheus/containers"], title=title)
    def lay_out(r: Rehearsal) -> None:
        r.override(containers.NAME, **settings)
        r.restart("prometheus")

    @lay_out.revert
    def lay_out_again(r: Rehearsal) -> None:
        r.clear_override(containers.NAME, *settings)
        r.restart("prometheus")


_history("memory-near-the-limit", "the backend takes 90 % of its memory", memory={"backend": 1.6})
_history("cpu-above-the-request", "the backend takes all the CPU it asks for", cpu={"backend": 1.8})
_history(
    "cpu-request-ten-times-use",
    "the pooler uses a tenth of the CPU that it asks for",
    cpu={"pgbouncer": 0.2},
)
_history("pod-throttled", "a pod of the backend waits for the CPU", throttled={"backend": 0.12})
_history("pod-killed", "a pod of the frontend ran out of memory", killed=["frontend"])
_history("pod-not-scraped", "one of two poolers has no samples", unscraped=["pgbouncer"])


@fault(
    "kernel-tells-of-a-kill",
    expect_fail=[_ITEM],
    touches=["prometheus/kernel-log"],
    title="the kernel of a node has killed a process, which no metric tells",
)
def kernel_tells_of_a_kill(r: Rehearsal) -> None:
    log = containers.kernel_log(r)
    r.remember("kernel-log", log.read_text())
    at = datetime.now(UTC).isoformat()
    killed = "Memory cgroup out of memory: Killed process 4711 (uvicorn)"
    write_atomically(log, f"{log.read_text()}{at} node-1 kernel: {killed}\n", 0o644)


@kernel_tells_of_a_kill.revert
def forget_the_kill(r: Rehearsal) -> None:
    write_atomically(containers.kernel_log(r), r.recall("kernel-log"), 0o644)
    r.forget("kernel-log")
