"""Why a statement does not hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from golive.people import signatures
from golive.people.statements.entitlement import Entitlement
from golive.people.statements.model import (
    BODY,
    Exemption,
    Signed,
    Statement,
    is_no_go,
    malformed,
    order,
    quoted,
    takes_away,
    when,
)
from golive.people.statements.reading import Records, act, altered_evidence, digest_of, read_folder


class Judge:
    """Judges each statement of a folder by who may say it and by all the others there.

    :param records: what lies in the folder; default: as it is when first asked.
    :param own: only what was said of this environment, and of others what takes away.
    :param lasting: what time does not change of a statement (its evidence, its signature), as
        another judge of the same folder has found it.
    """

    def __init__(
        self,
        folder: Path,
        entitlement: Entitlement,
        *,
        records: Records | None = None,
        own: bool = False,
        lasting: dict[tuple[str, str], str] | None = None,
    ) -> None:
        self.folder = folder
        self.entitlement = entitlement
        self._own = own
        self._checked: dict[str, Signed] = {}
        self._lasting = {} if lasting is None else lasting
        if records is not None:
            self.__dict__["records"] = records

    @cached_property
    def records(self) -> Records:
        """What lies in the folder."""
        return read_folder(self.folder)

    @cached_property
    def kept(self) -> list[Signed]:
        """Every statement as it lies there, unjudged, newest first."""
        return [
            s
            for s in self.records.found
            if not self._own or self._is_mine(s) or takes_away(s.statement)
        ]

    def check(self, signed: Signed) -> Signed:
        """The statement with the first reason for which it does not hold, if there is one."""
        if signed.id not in self._checked:
            self._checked[signed.id] = replace(signed, cause=self._cause(signed))
        return self._checked[signed.id]

    def _cause(self, signed: Signed) -> str:
        s = signed.statement
        if s.kind == "revoke":
            # It stays, whatever becomes of the item or the candidate: nothing comes back to life.
            return self._unsound(signed)
        if is_no_go(s):  # it never runs out, whatever becomes of its author's roles or the check
            return (
                self.entitlement.about_another(s)
                or self._unsound(signed)
                or self.revoked(signed)
                or self._decided_anew(signed)
            )
        return (
            malformed(s)
            or self.entitlement.about_another(s)
            or self.entitlement.out_of_time(s)
            or self._not_entitled(s)
            or self._altered(signed)
            or self._badly_signed(signed)
            or self.revoked(signed)
            or self._in_doubt(signed)
            or self._decided_anew(signed)
        )

    def _unsound(self, signed: Signed) -> str:
        """Why it is not what somebody who may has said, whatever the time is."""
        return (
            malformed(signed.statement)
            or self._not_entitled(signed.statement)
            or self._altered(signed)
            or self._badly_signed(signed)
        )

    def _dispute(self, signed: Signed) -> str:
        """Why it breaks the trust in the rest; empty where it does not."""
        s = signed.statement
        if self._again(signed) is not None:
            return ""
        if takes_away(s):
            cause = self._unsound(signed)
        elif (
            s.environment != self.entitlement.environment
            or s.by not in self.entitlement.roster.people
        ):
            return ""  # it counts for nothing here
        else:
            cause = self._altered(signed) or self._badly_signed(signed)
        if not cause:
            return ""
        return (
            f"{cause}; next: {quoted(s.by)} does it again, or two people set it aside (`golive"
            f" set-aside {signed.id}`)"
        )

    def _again(self, signed: Signed, candidate: str = "") -> Signed | None:
        """Where the same person has done the same since, soundly; a revocation, whoever may.

        What lifts a no-go has not been taken back itself.

        :param candidate: only of this one.
        """
        mine = signed.statement
        for s in self.records.acts[act(mine)]:
            said = s.statement
            if order(s) <= order(signed):
                return None
            if candidate not in ("", said.candidate) or self._unsound(s):
                continue
            if not takes_away(said) and self.entitlement.is_ahead(said):
                continue
            lifts = is_no_go(mine) and not is_no_go(said)
            if not lifts or not (self.revoked(s) or self._in_doubt(s)):
                return s
        return None

    def set_aside(self, record: str, sha256: str) -> Exemption | None:
        """By whom a damaged or missing record was set aside, as it lies there now.

        :param record: name of the folder of a run or a statement, or what else lies there.
        :param sha256: its :func:`digest_of`.
        """
        said = [
            self.check(s)
            for s in self._of("", "set-aside")
            if (s.statement.data.get("record"), s.statement.data.get("sha256")) == (record, sha256)
        ]
        firsts = {s.sha256: s for s in said if not s.statement.about}
        for second in said:
            first = firsts.get(second.statement.about)
            if first is not None and not self.not_aside(first, second):
                return Exemption("set-aside", first, second)
        return None

    def not_aside(self, first: Signed, second: Signed) -> str:
        """Why two statements do not set a record aside; empty where they do."""
        a, b = first.statement, second.statement
        for one in (first, second):
            if one.cause:
                return f"{one.id}: {one.cause}"
        if a.by == b.by:
            return f"{second.id}: {a.by} signed twice; a second person has to"
        if (a.text, a.data) != (b.text, b.data) or b.about != first.sha256:
            return f"{second.id}: it says something else than the one it seconds"
        return self.entitlement.not_both_aside(a.role, b.role)

    def _is_set_aside(self, name: str) -> bool:
        named = (s.statement.data.get("record") for s in self._of("", "set-aside"))
        place = self.records.places.get(name)
        if name not in named or place is None:
            return False
        return self.set_aside(name, digest_of(place)) is not None

    def _not_entitled(self, s: Statement) -> str:
        return self.entitlement.not_entitled(s, self.records.by_digest.get(s.about))

    def _altered(self, signed: Signed) -> str:
        return self._once("evidence", signed, altered_evidence)

    def _badly_signed(self, signed: Signed) -> str:
        return self._once("signature", signed, self._signature_fails)

    def _once(self, what: str, signed: Signed, find: Callable[[Signed], str]) -> str:
        key = what, signed.id
        if key not in self._lasting:
            self._lasting[key] = find(signed)
        return self._lasting[key]

    def _signature_fails(self, signed: Signed) -> str:
        s = signed.statement
        found = signatures.verify(
            signed.folder / BODY,
            self.entitlement.roster.allowed_signers([s.by]),
            s.by,
            signatures.STATEMENTS,
            at=s.made_at,
        )
        return "" if found.valid else f"its signature is not valid: {found.cause}"

    def revoked(self, signed: Signed) -> str:
        """Who took it back, and why; empty where nobody has."""
        if not self.records.revocations:
            return ""
        for s in self.records.revocations.get(signed.sha256, []):
            if not self._unsound(s):
                return f"{s.statement.by} revoked it: {quoted(s.statement.text)}"
        return ""

    def _in_doubt(self, signed: Signed) -> str:
        """Whether a revocation of it does not verify, which takes it back all the same. Not so
        what sets records aside: while such a revocation lies there, nothing is GO anyway."""
        if not self.records.revocations or signed.statement.kind == "set-aside":
            return ""
        for s in self.records.revocations.get(signed.sha256, []):
            cause = self._unsound(s)
            if cause and not self._is_set_aside(s.id):
                return f"a revocation of it does not verify ({s.id}): {cause}"
        return ""

    def _decided_anew(self, signed: Signed) -> str:
        """A decision or a vote counts until the same person decides again in that role, for good.

        A no-go is lifted by what holds for good; a go ends with any no-go after it, even with one
        that does not verify.
        """
        mine = signed.statement
        if is_no_go(mine):
            reloaded = self._again(signed, mine.candidate)
            return "" if reloaded is None else f"{mine.by} decided again {when(reloaded)}"
        if mine.kind not in ("approve", "attest"):
            return ""
        for s in self.records.acts[act(mine)]:
            said = s.statement
            if order(s) <= order(signed):
                break
            if not is_no_go(said) and (mine.kind == "attest" or self.entitlement.is_ahead(said)):
                continue
            cause = self._unsound(s)
            if not cause and said.candidate == mine.candidate:
                return f"{mine.by} decided again {when(s)}"
            if cause and is_no_go(said) and not self._is_set_aside(s.id):
                return f"a no-go of {mine.by} after it does not verify ({s.id}): {cause}"
        return ""

    def _of(self, item: str, kind: str) -> list[Signed]:
        return [s for s in self._by_item.get(item, []) if s.statement.kind == kind]

    @cached_property
    def _by_item(self) -> dict[str, list[Signed]]:
        found: dict[str, list[Signed]] = {}
        for s in self.kept:
            if not self._own or self._is_mine(s):
                found.setdefault(s.statement.item, []).append(s)
        return found

    def _is_mine(self, signed: Signed) -> bool:
        return signed.statement.environment == self.entitlement.environment
