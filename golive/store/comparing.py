"""Whether what the store holds is here, and how it keeps a document."""

from __future__ import annotations

import hashlib
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from golive.context import Context
from golive.people import statements
from golive.signing import signed
from golive.store.bundles import environment_of, own, pack, unpack
from golive.store.limits import DOCUMENTS, RUNS, STATEMENTS, Refused
from golive.store.moving import AT_ONCE, several
from golive.store.objects import Kept, Store, Stored
from golive.verdicts import GoliveError, Pending, ProbeError


def compare(context: Context) -> list[str]:
    """Runs and statements of the context's environment that the store of launch.toml holds and that
    are not here, or not with the same content.

    :raises GoliveError: launch.toml names no store, or the store cannot be asked.
    """
    if not context.launch.store:
        raise GoliveError(f"{context.launch.source}: launch.store: names no store to compare with")
    store, env = Store(context.launch.store, context.root), context.environment.name
    found: list[str] = []
    for kind, folder in ((RUNS, context.reports / "runs"), (STATEMENTS, context.statements.folder)):
        there, _ = store.list(kind)
        mine = [i for i in there if kind == STATEMENTS or environment_of(i) == env]
        asked = [partial(_elsewhere, store, kind, there[i], folder / i, env) for i in mine]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found += [reported for reported in pool.map(lambda ask: ask(), asked) if reported]
    return found


def _elsewhere(store: Store, kind: str, known: list[Stored], here: Path, env: str) -> str:
    """What the store holds under an id and is not here as it is there; empty: nothing of it."""
    try:
        own = hashlib.sha256(pack(here, kind)).hexdigest() if os.path.lexists(here) else ""
    except (Refused, OSError):
        own = "unlike any"
    if {s.digest for s in known} == {own}:
        return ""
    if kind == STATEMENTS and not any(_may_be_of(store, s, env) for s in known):
        return ""
    return f"{here.name} (here with another content)" if own else here.name


def _may_be_of(store: Store, stored: Stored, env: str) -> bool:
    """Whether a statement is of an environment, or revokes, which counts in each."""
    with tempfile.TemporaryDirectory(prefix="golive-store-") as place:
        draft = Path(place) / stored.id
        try:
            unpack(store.read(stored), draft, STATEMENTS)
            said = statements.read_statement(draft).statement
        except (Refused, GoliveError, OSError):
            return True  # it cannot be reported, so somebody has to look
    return said.environment == env or said.kind == "revoke"


def kept_document(context: Context, page: Path) -> Kept:
    """How the store of launch.toml keeps a document as it lies there signed, after its content
    there was found to be the same.

    :raises Pending: no store is named, or the document has not been sent to it.
    :raises ProbeError: the store cannot be asked, or what it has is something else.
    """
    if not context.launch.store:
        raise Pending(f"{context.launch.source}: launch.store names no store; name one, then push")
    content = own(page)
    mine = [c for c in signed.copies(context) if own(c.page) == content]
    if not mine:
        sign = f"golive sign {page} --env {context.environment.name}"
        raise Pending(f"{page} was not kept as it was signed; `{sign}` does that")
    try:
        store = Store(context.launch.store, context.root)
        there, _ = store.list(DOCUMENTS)
        found = [s for c in mine for s in there.get(c.id, [])]
        if not found:
            raise Pending(f"{page} is signed, but not in {store.shown}; `golive push` sends it")
        if len(found) > 1:
            raise Refused(several(found))
        folder = next(c.page.parent for c in mine if c.id == found[0].id)
        if store.read(found[0]) != pack(folder, DOCUMENTS):
            raise Refused("holds something else than what was signed here")
        return store.kept(found[0])
    except (GoliveError, Refused) as e:
        step = "look at it there; remove what is not genuine, and push again"
        raise ProbeError(f"the copy of {page.name} in the store", e, step) from None
