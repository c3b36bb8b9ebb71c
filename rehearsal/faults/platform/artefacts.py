"""Faults of the release manifest and of the artefacts that it lists."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable

from rehearsal.faults import fault
from rehearsal.kernel.files import write_atomically
from rehearsal.kernel.world import Rehearsal
from rehearsal.staff import launch_tools, people
from rehearsal.staff.launch_tools import CANDIDATE

Change = Callable[[bytes], bytes]


@fault(
    "artefact-rebuilt",
    expect_fail=["D-12.D.1"],
    touches=["tools/artefacts"],
    title="an artefact was built again after the release manifest was made",
)
def artefact_rebuilt(r: Rehearsal) -> None:
    path = launch_tools.artefact(r, CANDIDATE, "migrations")
    r.remember("artefact-rebuilt", path.read_bytes().hex())
    path.write_bytes(path.read_bytes() + b"\n")


@artefact_rebuilt.revert
def artefact_as_it_was(r: Rehearsal) -> None:
    path = launch_tools.artefact(r, CANDIDATE, "migrations")
    path.write_bytes(bytes.fromhex(r.recall("artefact-rebuilt")))
    r.forget("artefact-rebuilt")


@fault(
    "artefact-not-listed",
    expect_fail=["D-12.D.1"],
    touches=["tools/artefacts"],
    title="the store holds an artefact of the release that its manifest does not list",
)
def artefact_not_listed(r: Rehearsal) -> None:
    launch_tools.artefact(r, CANDIDATE, "hotfix").write_bytes(b"a quick one")


@artefact_not_listed.revert
def artefact_away(r: Rehearsal) -> None:
    launch_tools.artefact(r, CANDIDATE, "hotfix").unlink()


@fault(
    "manifest-of-another-commit",
    # No command of the launch day runs what the manifest does not name.
    expect_fail=["D-12.D.1"],
    # An authorisation that is written meanwhile would be for that commit.
    touches=["tools/manifest", "tools/authorisation"],
    title="the release manifest was made for another commit than the tag's",
)
def manifest_of_another_commit(r: Rehearsal) -> None:
    text = launch_tools.manifest(r).read_text()
    r.remember("manifest-of-another-commit", text)
    launch_tools.write_manifest(r, json.loads(text) | {"commit": "0" * 40})


@manifest_of_another_commit.revert
def manifest_of_the_tag(r: Rehearsal) -> None:
    _restore(r, r.recall("manifest-of-another-commit"))
    r.forget("manifest-of-another-commit")


def _restore(r: Rehearsal, text: str) -> None:
    write_atomically(launch_tools.manifest(r), text, 0o644)
    people.sign(r, launch_tools.manifest(r), launch_tools.BUILDER)


@fault(
    "release-manifest-changed-after-signing",
    expect_fail=["D-12.D.1"],
    touches=["tools/manifest"],
    title="the release manifest was written again after it was signed",
)
def release_manifest_changed_after_signing(r: Rehearsal) -> None:
    path = launch_tools.manifest(r)
    r.remember("release-manifest-changed", path.read_text())
    write_atomically(path, path.read_text() + "\n", 0o644)


@release_manifest_changed_after_signing.revert
def release_manifest_as_signed(r: Rehearsal) -> None:
    _restore(r, r.recall("release-manifest-changed"))
    r.forget("release-manifest-changed")


@fault(
    "release-manifest-signed-by-another",
    expect_fail=["D-12.D.1"],
    touches=["tools/manifest"],
    title="the release manifest is signed by somebody whose role it is not",
)
def release_manifest_signed_by_another(r: Rehearsal) -> None:
    people.sign(r, launch_tools.manifest(r), "qa_lead")


@release_manifest_signed_by_another.revert
def release_manifest_signed_by_its_role(r: Rehearsal) -> None:
    people.sign(r, launch_tools.manifest(r), launch_tools.BUILDER)


def _released_otherwise(fault_name: str, artefact: str, title: str, change: Change) -> None:
    """A fault: what was released, listed and signed is another than what was looked at."""

    @fault(
        fault_name,
        expect_fail=["D-12.D.1"],
        touches=["tools/artefacts", "tools/manifest", "tools/authorisation"],
        title=title,
    )
    def release(r: Rehearsal) -> None:
        path = launch_tools.artefact(r, CANDIDATE, artefact)
        text = launch_tools.manifest(r).read_text()
        r.remember(fault_name, {"manifest": text, "artefact": path.read_bytes().hex()})
        path.write_bytes(change(path.read_bytes()))
        launch_tools.list_again(r, artefact)
        launch_tools.authorise(r)

    def revert(r: Rehearsal) -> None:
        kept = r.recall(fault_name)
        path = launch_tools.artefact(r, CANDIDATE, artefact)
        path.write_bytes(bytes.fromhex(kept["artefact"]))
        _restore(r, kept["manifest"])
        launch_tools.authorise(r)
        r.forget(fault_name)

    release.revert(revert)


def _more_in(path: str) -> Change:
    """An archive in which one file ends with one line more."""

    def change(content: bytes) -> bytes:
        made = io.BytesIO()
        with (
            tarfile.open(fileobj=io.BytesIO(content)) as old,
            tarfile.open(fileobj=made, mode="w") as new,
        ):
            for member in old:
                file = old.extractfile(member) if member.isfile() else None
                data = file.read() if file is not None else b""
                data += b"\n" if member.name.endswith(path) else b""
                member.size = len(data)
                new.addfile(member, io.BytesIO(data))
        return made.getvalue()

    return change


_released_otherwise(
    "image-rebuilt-after-the-scan",
    f"backend{launch_tools.IMAGE}",
    "the release has another image of the backend than the one that was scanned",
    lambda content: content + b"\n",
)
_released_otherwise(
    "configuration-packaged-after-the-check",
    "configuration",
    "the release has another configuration of this environment than was validated",
    _more_in("config/rehearsal.env"),
)
_released_otherwise(
    "frontend-rebuilt-after-the-check",
    "static",
    "the release has another script of the frontend than was looked at",
    _more_in("js/config.js"),
)
_released_otherwise(
    "chart-changed-after-the-check",
    "chart",
    "the release has another chart than was validated",
    _more_in("bookedbarber/Chart.yaml"),
)
_released_otherwise(
    "manifest-changed-after-the-check",
    "manifests",
    "the release has other Kubernetes manifests than were validated",
    _more_in("k8s/backend.yaml"),
)
