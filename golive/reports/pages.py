"""What every page shares: safe text, words for numbers and times, one self-contained file.

Whatever a ledger says was once said by a system under test, so it is untrusted: it is escaped,
and what could repaint a terminal or reorder a line is made visible instead.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from golive import files
from golive.masking import clean as clean
from golive.verdicts import GoliveError

if TYPE_CHECKING:
    from jinja2 import Environment as Templates
    from markupsafe import Markup

_HERE = Path(__file__).parent


def sentence(text: str) -> str:
    """Text that begins with a capital, as what stands on its own does."""
    return text[:1].upper() + text[1:]


def slug(name: object) -> str:
    """A verdict's name as part of a CSS class: ``not-due``."""
    return str(name).lower().replace(" ", "-")


def duration(seconds: float | None) -> str:
    """A length of time as one reads it: 240 ms, 2.3 s, 3 min 12 s, 1 h 04 min."""
    if seconds is None:
        return "\N{EN DASH}"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def hours(minutes: int) -> str:
    """Planned time: 45 minutes, 3 hours, 2.5 hours."""
    if minutes < 60:
        return counted(minutes, "minute")
    return f"{minutes / 60:g} hour{'' if minutes == 60 else 's'}"


def day(when: date) -> str:
    """A date in words, the same in every locale: 23 November 2026."""
    return f"{when.day} {_MONTHS[when.month - 1]} {when.year}"


def moment(when: datetime | None) -> str:
    """A point in time with its zone: 23 November 2026, 22:43:07 UTC."""
    if when is None:
        return "\N{EN DASH}"
    zone = when.tzname() or "no time zone"
    return f"{day(when)}, {when:%H:%M:%S} {zone}"


def counted(number: int, noun: str, plural: str = "") -> str:
    """``1 item``, ``479 items``, ``1,234 lines``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def number(value: object) -> str:
    """A figure without digits that nobody measured: 12,345; 23.4; 0.0031."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            return str(value)
        if value.is_integer() and abs(value) < 1e15:
            return f"{int(value):,}"
        return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.3g}"
    return "\N{EN DASH}" if value is None else str(value)


def is_scalar(value: object) -> bool:
    """Whether a value is one figure or word."""
    return not isinstance(value, (Mapping, list, tuple))


def as_rows(value: Sequence[Any]) -> list[str] | None:
    """The columns of a list whose members are alike and flat, so that it reads as a table."""
    if not value or not all(isinstance(v, Mapping) for v in value):
        return None
    columns = list(value[0])
    alike = all(list(v) == columns and all(map(is_scalar, v.values())) for v in value)
    return columns if columns and alike else None


def compact(value: object) -> str:
    """A value nested too deeply to be laid out, in one line."""
    return json.dumps(value, ensure_ascii=False, default=str)


def render(template: str, **values: Any) -> str:
    """A page from a template of this folder."""
    return _templates().get_template(template).render(**values)


def trusted(html: str) -> Markup:
    """Text that is HTML already and must not be escaped: our own, or canonical JSON."""
    from markupsafe import Markup

    return Markup(html)  # noqa: S704 - what calls this vouches for it


def csp_source(text: str) -> Markup:
    """What a page's policy permits one inline script or style by: the digest of just its text."""
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return trusted(f"'sha256-{digest}'")


def running(words: str) -> str:
    """The line at the foot of printed pages; it stands in CSS, so it holds plain words only."""
    return re.sub(r"[^A-Za-z0-9 .,:+-]", "-", words)


def write(path: Path, page: str) -> Path:
    """Put a page in its place, whole or not at all.

    :raises GoliveError: it cannot be written; names the file.
    """
    try:
        files.folder(path.parent)
        return files.write(path, page.encode())
    except OSError as e:
        raise GoliveError(
            f"{path}: cannot be written: {e.strerror}; expected a folder for reports that you"
            " may write to (--reports names another)"
        ) from None


@cache
def _templates() -> Templates:
    # Imported here, so that collecting items never pays for it.
    from jinja2 import Environment as Templates
    from jinja2 import FileSystemBytecodeCache, FileSystemLoader, StrictUndefined

    def finalize(value: Any) -> Any:
        return clean(value) if type(value) is str else value

    # Compiled templates are kept where Python keeps compiled modules, if it does.
    compiled = _HERE / "__pycache__"
    is_kept = os.access(compiled, os.W_OK)
    templates = Templates(
        loader=FileSystemLoader(_HERE),
        bytecode_cache=FileSystemBytecodeCache(str(compiled)) if is_kept else None,
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(
        sentence=sentence,
        slug=slug,
        duration=duration,
        hours=hours,
        day=day,
        moment=moment,
        number=number,
    )
    templates.tests.update(scalar=is_scalar)
    templates.globals.update(
        counted=counted,
        as_rows=as_rows,
        compact=compact,
        style=trusted((_HERE / "style.css").read_text(encoding="utf-8")),
        script=trusted((_HERE / "run.js").read_text(encoding="utf-8")),
        csp_source=csp_source,
        csp_none=trusted("'none'"),
    )
    return templates


_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
