"""What was built of the release: its packages, and what is known against them."""

from __future__ import annotations

from rehearsal.data import dependencies, frontend, images
from rehearsal.kernel.world import Rehearsal
from rehearsal.parts import Endpoints, Job
from rehearsal.staff import launch_tools


class Build(Job):
    name = "build"
    title = "packages, images and bundles of the release"
    needs = ("release",)

    def run(self, r: Rehearsal) -> None:
        frontend.build(r)
        dependencies.install(r)
        dependencies.fetch_advisories(r)
        dependencies.write_waivers(r)
        images.build(r)
        built = {name: images.manifest(r, name) for name in images.NAMES}
        launch_tools.add_built(r, built, frontend.folder(r))

    def endpoints(self, r: Rehearsal) -> Endpoints:
        return {**dependencies.endpoints(r), **images.endpoints(r), **frontend.endpoints(r)}


build = Build()
PARTS = (build,)
