"""Sign-off sheets of an answer: each block with its items as they stand, for its owner."""

from __future__ import annotations

from golive.answer import Answer, Standing
from golive.reports import pages
from golive.reports.launch_page import counts_of_states, grouped, shown_state
from golive.reports.run_report import Block, Row, Task
from golive.verdicts import Verdict

_SIGNABLE = (str(Verdict.PASS), str(Verdict.WAIVED), str(Verdict.NOT_APPLICABLE))


def sheets(answer: Answer) -> dict[str, str]:
    """The sheet of each block as HTML, by the block's mark."""
    blocks = grouped(answer.standings, lambda s: s.line.block)
    return {members[0].line.block: _sheet(answer, members) for members in blocks}


def _sheet(answer: Answer, members: list[Standing]) -> str:
    line = members[0].line
    counts = counts_of_states(shown_state(s) for s in members)
    planned = {s.line.task: s.line.minutes or 0 for s in members}
    block = Block(
        mark=line.block,
        title=line.block_title,
        owner=line.owner,
        phase=line.phase,
        tasks=[
            Task(
                group[0].line.task,
                group[0].line.time,
                group[0].line.minutes,
                [Row(s.line, shown_state(s), None, [], "", []) for s in group],
            )
            for group in grouped(members, lambda s: s.line.task)
        ],
        unwritten=[],
        minutes=sum(planned.values()),
        counts=counts,
        reasons=[f"{n} {state}" for state, n in counts.items() if state not in _SIGNABLE],
    )
    running = f"{line.block}, {answer.candidate} on {answer.environment}, {answer.made_at:%F %H:%M}"
    return pages.render(
        "sheet.html.j2",
        answer=answer,
        block=block,
        block_runs=sorted({s.run for s in members if s.run}),
        running=pages.running(running),
    )
