"""A released file changed in the checkout, and put back."""

from __future__ import annotations

from collections.abc import Sequence

from rehearsal.data import release
from rehearsal.faults import Fault, Step, fault
from rehearsal.kernel.errors import RehearsalError
from rehearsal.kernel.world import Rehearsal

Edit = tuple[str, str, str]
"""A file of the checkout, what it says, and what the fault has it say instead, wherever it does."""


def edited(
    name: str,
    expect_fail: Sequence[str],
    title: str,
    *edits: Edit,
    touches: Sequence[str] = (),
    area: str = "deployment",
    after: Step | None = None,
) -> Fault:
    """Register the fault that changes some files of the checkout; reverting writes them again.

    :param after: what has to be done for it to take effect, both times."""
    files = tuple(dict.fromkeys(path for path, _, _ in edits))
    touched = touches or [f"checkout/{path}" for path in files]

    @fault(name, expect_fail=expect_fail, touches=touched, title=title)
    def edit(r: Rehearsal) -> None:
        checkout = release.migrations(r).parent
        r.remember(name, {path: (checkout / path).read_text() for path in files})
        for path, old, new in edits:
            text = (checkout / path).read_text()
            if old not in text:
                raise RehearsalError(f"{path} no longer says {old!r}.")
            (checkout / path).write_text(text.replace(old, new))
        if after is not None:
            after(r)

    @edit.revert
    def write_again(r: Rehearsal) -> None:
        checkout = release.migrations(r).parent
        for path, text in r.recall(name).items():
            (checkout / path).write_text(text)
        r.forget(name)
        if after is not None:
            after(r)

    edit.area = area
    return edit
