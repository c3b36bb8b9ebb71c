"""Day -13: its documents, on literal verdicts."""

from __future__ import annotations

import inspect

from golive.claims import collect
from golive.deliverables import NOT_GREEN
from golive.probes.data.migrations import CandidateMigrations
from golive.verdicts import Verdict
from tests.checks import checks
from tests.suites.derived import World


def test_the_confirmation_names_what_is_red_although_no_drill_has_measured_anything(
    world: World,
) -> None:
    """A figure that was not measured ended the check before it came to what is red."""
    wanted = ("D-13.2.1", "D-13.3.1", "D-13.3.2", "D-13.3.3", "D-13.3.4")
    world.run(dict.fromkeys(wanted, Verdict.PASS) | {"D-13.3.1": Verdict.FAIL})
    live = CandidateMigrations("v2.0.0", "ab" * 32, "7711")
    check = checks("derived")["D-13.D.3"]
    facts = world.fixtures() | {"candidate_migrations": live}
    with collect(to_the_end=True) as claims:
        check(**{name: facts[name] for name in inspect.signature(check).parameters})
    told = {c.subject: c.ids for c in claims if c.broken}
    assert told[NOT_GREEN] == ("D-13.3.1",)
