"""What a package consists of, and the one way in which it is written as a zip."""

from __future__ import annotations

import hashlib
import re
import stat
import zipfile
from collections.abc import Mapping
from io import BytesIO
from typing import Literal

import msgspec

from golive import ledger
from golive.people.statements import BODY, EVIDENCE
from golive.verdicts import GoliveError

SUMS = "SHA256SUMS"
INDEX, ANSWER, HOW_TO = "index.html", "answer.json", "HOW-TO-VERIFY.txt"
ABOUT, ROSTER, SIGNERS = "package.json", "roster.toml", "allowed_signers"
SCHEMA = 2
"""Since 2 a package says which code, suites and environment its answer was made with."""
MOST_BYTES = 2 * 2**30
"""Of all files together."""
MOST_FILES = 200_000
Kind = Literal["rehearsal", "staging", "production"]
"""Of an environment."""
EPOCH = (1980, 1, 1, 0, 0, 0)
FILE = stat.S_IFREG | 0o644
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ +@-]{0,250}(?:/[A-Za-z0-9][A-Za-z0-9._ +@-]{0,250})*")
SIGNATURE = re.compile(rf"{SUMS}\.(?P<person>[A-Za-z0-9_-]+)\.sig")
RUN_FILES = (ledger.HEAD, ledger.FACTS, ledger.VERDICTS, ledger.END, f"{ledger.END}.sig")
STATEMENT_FILES = (BODY, f"{BODY}.sig", EVIDENCE)
FOLDERS = ("documents", "papers", "runs", "sheets", "statements", "suites")
Files = dict[str, bytes]


class About(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the package is of."""

    schema: int = SCHEMA
    golive: str
    """The version that made it."""
    environment: str
    environment_kind: Kind
    environment_title: str
    engine: str
    """SHA-256 of the golive that made it."""
    fingerprint: str
    """Of the environment."""
    suite: ledger.Suite
    """The suites that the answer was made with."""

    @property
    def is_rehearsal(self) -> bool:
        """Whether it decides nothing."""
        return self.environment_kind == "rehearsal"


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Files as a package's bytes, with the list of their digests.

    :raises GoliveError: a name that no package may have, or more than fits.
    """
    for name in files:
        if not NAME.fullmatch(name) or ".." in name.split("/"):
            raise GoliveError(f"{name!r}: is no name of a file in a package; rename the file")
    total = sum(map(len, files.values()))
    if total > MOST_BYTES or len(files) >= MOST_FILES:
        raise GoliveError(
            f"the package would have {len(files):,} files of {total / 2**20:,.0f} MiB; expected"
            f" at most {MOST_BYTES // 2**20:,} MiB: move old runs elsewhere"
        )
    content = {n: d for n, d in files.items() if n != SUMS and not SIGNATURE.fullmatch(n)}
    lines = [f"{hashlib.sha256(content[n]).hexdigest()}  {n}\n" for n in sorted(content)]
    whole = dict(files) | {SUMS: "".join(lines).encode()}
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(whole):
            info = zipfile.ZipInfo(name, EPOCH)
            info.create_system = 3
            info.external_attr = FILE << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, whole[name], compresslevel=6)
        archive.comment = b"0" * 64
    data = buffer.getvalue()[:-64]
    return data + hashlib.sha256(data).hexdigest().encode()
