"""Faults of how configuration is deployed, taken back, and watched."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from rehearsal.data import desired, release
from rehearsal.faults import fault
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts.observe.prometheus import prometheus
from rehearsal.parts.traffic.balancer import BACKEND, balancer
from rehearsal.staff import config_tool

DRIFT, TOOL = ["config-drift"], ["config-tool"]
LAST_RUN, DIFFERENCES = "config_drift_last_run_timestamp_seconds", "config_drift_differences"


def _told(r: Rehearsal, query: str) -> list[float]:
    """The values of a query's series in Prometheus now."""
    where = r.url("prometheus", f"/api/v1/query?query={query}")
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
        where, timeout=2
    ) as said:
        return [float(one["value"][1]) for one in json.load(said)["data"]["result"]]


@fault(
    "drift-job-stopped",
    expect_fail=["D-12.3.4"],
    touches=DRIFT,
    title="the drift job does not run",
    settled=lambda r: not _told(r, LAST_RUN),
    reverted=lambda r: bool(_told(r, LAST_RUN)),
)
def drift_job_stopped(r: Rehearsal) -> None:
    r.stop("config-drift")


@drift_job_stopped.revert
def start_the_drift_job(r: Rehearsal) -> None:
    r.start("config-drift")


@fault(
    "drift-without-the-balancer",
    expect_fail=["D-12.3.4"],
    touches=DRIFT,
    title="the drift job leaves the balancer out",
)
def drift_without_the_balancer(r: Rehearsal) -> None:
    sources = ["environment", "database", "flags", "security-groups"]
    r.override("config-drift", sources=sources)
    r.restart("config-drift")
    _wait_for_sources(r, len(sources))


@drift_without_the_balancer.revert
def look_at_it_again(r: Rehearsal) -> None:
    r.clear_override("config-drift", "sources")
    r.restart("config-drift")
    _wait_for_sources(r, 5)


def _wait_for_sources(r: Rehearsal, count: int) -> None:
    r.wait("the job's other sources show", lambda: len(_told(r, DIFFERENCES)) == count)


@fault(
    "setting-changed-outside-git",
    expect_fail=["D-12.3.4"],
    touches=["balancer/weight"],
    title="somebody changed a live setting of the balancer by hand",
    settled=lambda r: sum(_told(r, DIFFERENCES)) > 0,
    reverted=lambda r: sum(_told(r, DIFFERENCES)) == 0,
)
def setting_changed_outside_git(r: Rehearsal) -> None:
    balancer.ask(r, f"set server {BACKEND}/app-2 weight 2")


@setting_changed_outside_git.revert
def set_it_as_git_says(r: Rehearsal) -> None:
    balancer.ask(r, f"set server {BACKEND}/app-2 weight 1")


@fault(
    "drift-without-its-rule",
    expect_fail=["D-12.3.4"],
    touches=["prometheus"],
    title="Prometheus lost the rule that alerts drift",
)
def drift_without_its_rule(r: Rehearsal) -> None:
    r.override("prometheus", without_rules=["ConfigurationDrift"])
    r.reload(prometheus.name)


@drift_without_its_rule.revert
def load_all_rules(r: Rehearsal) -> None:
    r.clear_override("prometheus", "without_rules")
    r.reload(prometheus.name)


@fault(
    "drift-alert-misrouted",
    expect_fail=["D-12.3.4"],
    touches=["alertmanager"],
    title="nobody on call is told of drift",
)
def drift_alert_misrouted(r: Rehearsal) -> None:
    r.override("alertmanager", routes={"monitoring": "mailbox"})
    r.reload("alertmanager")


@drift_alert_misrouted.revert
def tell_whoever_is_on_call(r: Rehearsal) -> None:
    r.clear_override("alertmanager", "routes")
    r.reload("alertmanager")


# -- rollback --------------------------------------------------------------------------------------


@fault(
    "config-rollback-without-restart",
    expect_fail=["D-12.3.5"],
    touches=TOOL,
    title="a rollback restores the files and restarts nothing",
)
def config_rollback_without_restart(r: Rehearsal) -> None:
    _has(r, skips_restart=True)


@fault(
    "instance-left-on-new-revision",
    expect_fail=["D-12.3.5"],
    touches=TOOL,
    title="a rollback leaves one instance on the new revision",
)
def instance_left_on_new_revision(r: Rehearsal) -> None:
    _has(r, skips_instances=["app-2"])


@fault(
    "deploy-skips-an-instance",
    expect_fail=["D-12.3.5"],
    touches=TOOL,
    title="a change of the configuration does not reach one instance",
)
def deploy_skips_an_instance(r: Rehearsal) -> None:
    _has(r, leaves_out=["app-2"])


@fault(
    "deploy-refused",
    expect_fail=["D-12.3.5"],
    touches=TOOL,
    title="the deploy command does nothing",
)
def deploy_refused(r: Rehearsal) -> None:
    _has(r, refuses=True)


@fault(
    "deploy-without-draining",
    expect_fail=["D-12.3.5"],
    touches=TOOL,
    title="all instances are restarted together",
)
def deploy_without_draining(r: Rehearsal) -> None:
    _has(r, drains=False)


@fault(
    "config-history-lost",
    expect_fail=["D-12.3.5"],
    touches=TOOL,
    title="changes of the configuration are not on record",
)
def config_history_lost(r: Rehearsal) -> None:
    _has(r, records=False)


@fault(
    "config-history-without-actor",
    expect_fail=["D-12.3.5"],
    touches=TOOL,
    title="the record of changes does not say who made them",
)
def config_history_without_actor(r: Rehearsal) -> None:
    _has(r, names_actor=False)


def _has(r: Rehearsal, **settings: Any) -> None:
    r.override("config-tool", **settings)


@fault(
    "config-revision-deleted",
    expect_fail=["D-12.3.5"],
    touches=TOOL,
    title="older revisions of the configuration are deleted",
)
def config_revision_deleted(r: Rehearsal) -> None:
    for tag in release.git(desired.repository(r), "tag", "--list").split():
        release.git(desired.repository(r), "tag", "--delete", tag)


@config_rollback_without_restart.revert
@instance_left_on_new_revision.revert
@deploy_skips_an_instance.revert
@deploy_refused.revert
@deploy_without_draining.revert
@config_history_lost.revert
@config_history_without_actor.revert
@config_revision_deleted.revert
def deploy_what_is_released(r: Rehearsal) -> None:
    r.clear_override("config-tool")
    config_tool.put_back(r)
