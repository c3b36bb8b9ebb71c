"""The frontend as a build leaves it: `<folder>/frontend/static`, which the instances serve.

Scripts and styles lose what only people read; `js/config.js` gets the public values of one
environment's configuration, as Next.js puts NEXT_PUBLIC_* into its bundle. Addresses of assets
carry a digest of their content, which the application adds.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
from pathlib import Path
from random import Random

from rehearsal.kernel.world import PROJECT, Rehearsal
from rehearsal.parts import Endpoints

SOURCE = PROJECT / "rehearsal" / "app" / "static"
CONFIGURATION = PROJECT / "rehearsal" / "product" / "config"
PUBLIC = "NEXT_PUBLIC_"
CONFIG = "js/config.js"
NO_DIGESTS = ".no-digests"
"""A file of that name has the application name the release where digests stand."""
_LITERAL = re.compile(
    r"""(`(?:\\.|[^`\\])*`|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|//[^\n]*|/\*.*?\*/""", re.DOTALL
)


def folder(r: Rehearsal) -> Path:
    """Where the built files lie."""
    return r.path("frontend", "static")


def build(r: Rehearsal, environment: str = "rehearsal", *, minify: bool = True) -> None:
    """Build for an environment, in place of what is there."""
    target = folder(r)
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(SOURCE, target)
    for path in target.rglob("*"):
        if minify and path.suffix in (".js", ".css"):
            path.write_text(minified(path.read_text(encoding="utf-8")), encoding="utf-8")
    values = public_values(environment)
    (target / CONFIG).write_text(
        f"window.__ENV__={json.dumps(values, separators=(',', ':'))};", encoding="utf-8"
    )


def enlarge(r: Rehearsal, name: str, size: int) -> None:
    """Add so many bytes to a file, which no compression makes fewer."""
    filling = Random(size).randbytes(size)  # noqa: S311 - nothing secret
    text = base64.b64encode(filling).decode()
    end = f"<!--{text}-->" if name.endswith(".svg") else f';"{text}"'
    with (folder(r) / name).open("a", encoding="utf-8") as file:
        file.write(end)


def endpoints(r: Rehearsal) -> Endpoints:
    """Where the built frontend lies."""
    return {"package": {"bundle": str(folder(r))}}


def public_values(environment: str) -> dict[str, str]:
    """What of an environment's configuration a browser may know."""
    text = (CONFIGURATION / f"{environment}.env").read_text(encoding="utf-8")
    pairs = (line.partition("=") for line in text.splitlines() if line.startswith(PUBLIC))
    return {name: value for name, _, value in pairs}


def minified(text: str) -> str:
    """A script or style sheet without comments and without blanks that mean nothing."""
    pieces, at = [], 0
    for match in _LITERAL.finditer(text):
        pieces += [_tight(text[at : match.start()]), match[1] or ""]
        at = match.end()
    pieces.append(_tight(text[at:]))
    return re.sub(r"\n+", "\n", "".join(pieces)).strip()


def _tight(code: str) -> str:
    code = re.sub(r"[ \t]*\n\s*", "\n", code)
    code = re.sub(r"[ \t]+", " ", code)
    code = re.sub(r"[ ]?([{}();,=?&|<>])[ ]?|: ", lambda m: m[1] or ":", code)
    return re.sub(r"([{(,;])\n|\n([})])", r"\1\2", code)
