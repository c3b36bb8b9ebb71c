"""What is otherwise than it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from golive import ledger
from golive.answer import (
    Change,
    Standing,
)


def changed_rules(then: ledger.Rules, now: ledger.Rules) -> list[str]:
    """What is otherwise in thresholds, approvers and roster, one line each."""
    out = []
    for name in sorted({*then.thresholds, *now.thresholds}):
        old, new = then.thresholds.get(name), now.thresholds.get(name)
        if old != new:
            was, is_now = ("none" if v is None else f"{v:g}" for v in (old, new))
            out.append(f"threshold {name}: {was}, now {is_now}")
    out += [
        f"approvers: {role} {'came' if role in now.approvers else 'left'}"
        for role in sorted(set(then.approvers) ^ set(now.approvers))
    ]
    for person in sorted({*then.people, *now.people}):
        old_one, new_one = then.people.get(person), now.people.get(person)
        if old_one is None or new_one is None:
            out.append(f"roster: {person} {'came' if old_one is None else 'left'}")
            continue
        if old_one.roles != new_one.roles:
            roles = [", ".join(p.roles) or "no role" for p in (old_one, new_one)]
            out.append(f"roster: {person} was {roles[0]}, now {roles[1]}")
        if old_one.keys != new_one.keys:
            out.append(f"roster: {person} has other keys")
    return out


def changes(standings: Sequence[Standing], then: Mapping[str, str]) -> list[Change]:
    return [
        Change(
            id=s.line.id,
            title=s.line.title,
            owner=s.line.owner,
            before=str(then[s.line.id]),
            after=s.state,
            reason=s.reason,
        )
        for s in standings
        if s.state != then[s.line.id]
    ]
