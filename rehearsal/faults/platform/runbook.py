"""Faults of the deployment runbook, as it was released."""

from __future__ import annotations

from collections.abc import Callable

from rehearsal.data import release
from rehearsal.faults import fault
from rehearsal.kernel.world import Rehearsal
from rehearsal.staff import runbook

TOUCHES = ["release"]
SMOKE = "scripts/smoke-test.sh"


def _says(r: Rehearsal, edit: Callable[[str], str]) -> None:
    """Release another text, which is reviewed and signed as it is."""
    release.retag_with(r, runbook.FILE, edit)
    runbook.review(r)


def _without(*words: str) -> Callable[[str], str]:
    def edit(text: str) -> str:
        for word in words:
            text = text.replace(word, "")
        return text

    return edit


@fault(
    "runbook-calls-a-renamed-script",
    expect_fail=["D-12.D.3"],
    title="a script that the runbook calls has another name",
)
def runbook_calls_a_renamed_script(r: Rehearsal) -> None:
    release.retag_with(r, SMOKE, None)


@fault(
    "deploy-script-newer-than-runbook",
    expect_fail=["D-12.D.3"],
    title="a deploy script was changed after the runbook",
)
def deploy_script_newer_than_runbook(r: Rehearsal) -> None:
    release.retag_with(r, SMOKE, lambda text: text + "# once more\n", now=True)


@fault(
    "runbook-deploys-the-previous-version",
    expect_fail=["D-12.D.3"],
    title="the runbook's target is still the previous version",
)
def runbook_deploys_the_previous_version(r: Rehearsal) -> None:
    _says(r, lambda text: text.replace("Target version: v2.0.0", "Target version: v1.9.0"))


@fault(
    "runbook-rolls-back-to-another-version",
    expect_fail=["D-12.D.3"],
    title="the runbook rolls back to a version that was not there",
)
def runbook_rolls_back_to_another_version(r: Rehearsal) -> None:
    _says(r, lambda text: text.replace("Previous version: v1.9.0", "Previous version: v1.8.0"))


@fault(
    "runbook-without-verification",
    expect_fail=["D-12.D.3"],
    title="the runbook has no steps to verify a deployment",
)
def runbook_without_verification(r: Rehearsal) -> None:
    _says(r, lambda text: text.replace("## Verify", "## Afterwards"))


@fault(
    "runbook-step-without-owner",
    expect_fail=["D-12.D.3"],
    title="a step of the runbook belongs to nobody",
)
def runbook_step_without_owner(r: Rehearsal) -> None:
    _says(r, _without("Performance Lead"))


@fault(
    "runbook-step-without-duration",
    expect_fail=["D-12.D.3"],
    title="a step of the runbook has no duration",
)
def runbook_step_without_duration(r: Rehearsal) -> None:
    _says(r, _without("25 min"))


@fault(
    "runbook-with-few-commands",
    expect_fail=["D-12.D.3"],
    title="the runbook says what is done, and hardly how",
)
def runbook_with_few_commands(r: Rehearsal) -> None:
    _says(r, lambda text: text.replace("```sh", "```text"))


@fault(
    "runbook-with-an-unknown-option",
    expect_fail=["D-12.D.3"],
    title="the runbook gives a command an option that it does not have",
)
def runbook_with_an_unknown_option(r: Rehearsal) -> None:
    _says(r, lambda text: text.replace("warm-caches --as", "warm-caches --quickly --as"))


@fault(
    "runbook-refers-to-nothing",
    expect_fail=["D-12.D.3"],
    title="the runbook refers to a file that is not there",
)
def runbook_refers_to_nothing(r: Rehearsal) -> None:
    _says(r, lambda text: text.replace("config/schema.json", "config/schema.yaml"))


@fault(
    "runbook-not-reviewed",
    expect_fail=["D-12.D.3"],
    touches=["runbook-review"],
    title="the DevOps Lead has not signed the review of the runbook",
)
def runbook_not_reviewed(r: Rehearsal) -> None:
    r.override("runbook", unsigned=["devops_lead"])
    runbook.review(r)


@runbook_not_reviewed.revert
def sign_the_review(r: Rehearsal) -> None:
    r.clear_override("runbook", "unsigned")
    runbook.review(r)


@runbook_calls_a_renamed_script.revert
@deploy_script_newer_than_runbook.revert
@runbook_deploys_the_previous_version.revert
@runbook_rolls_back_to_another_version.revert
@runbook_without_verification.revert
@runbook_step_without_owner.revert
@runbook_step_without_duration.revert
@runbook_with_few_commands.revert
@runbook_with_an_unknown_option.revert
@runbook_refers_to_nothing.revert
def release_it_as_it_was(r: Rehearsal) -> None:
    release.publish(r)
    runbook.review(r)
