"""``golive package``: everything that the decision rests on, in one zip; and its signatures."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

from golive import environments, package
from golive.answer import Answer
from golive.commands import _signer
from golive.commands._saying import tell
from golive.commands.status import look
from golive.desk import Desk
from golive.masking import Mask
from golive.verdicts import GoliveError


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sign", type=Path, metavar="FILE", help="add your signature to a package that is there"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="the zip to write")
    parser.add_argument("--today", metavar="DATE", help="look at the launch as on this day")
    _signer.arguments(parser, env=False)


def run(options: argparse.Namespace) -> int:
    path: Path = options.sign
    if options.sign is None:
        if not options.env:
            raise GoliveError("package: expected --env NAME, or --sign FILE")
        desk = Desk.open(options.env, reports=options.reports)
        path = _make(desk, options)
        if not (options.person or options.key):
            tell(f"next: golive package --sign {path} --as PERSON")
            return 0
    else:
        if options.out or options.today:
            raise GoliveError("--sign: expected a package as it is, so no --out or --today")
        with package.opened(path) as found:
            about = found.about
        desk = Desk.open(options.env or about.environment, reports=options.reports)
        if desk.environment.name != about.environment:
            raise GoliveError(f"{path}: is about {about.environment}, not {options.env}")
    with _signer.signing(desk, options) as signer:
        package.sign(path, signer.person.id, signer.key, desk.roster)
        tell(f"signed: {path}", f"  by        {signer.person.name}", f"  key       {signer.told}")
    tell(f"next: golive verify {path}")
    return 0


def _make(desk: Desk, options: argparse.Namespace) -> Path:
    answer = look(desk, options.today)
    path = options.out or desk.reports / "packages" / _name(answer)
    data = package.build(desk, answer, _mask(desk, options.env))
    package.write(path, data)
    mark = "REHEARSAL, decides nothing: " if answer.is_rehearsal else ""
    tell(
        f"package: {path}",
        f"  answer    {mark}{answer.answer}",
        f"  size      {len(data) / 2**20:,.1f} MiB",
        f"  sha256    {hashlib.sha256(data).hexdigest()}",
    )
    return path


def _name(answer: Answer) -> str:
    band = "REHEARSAL-" if answer.is_rehearsal else ""
    candidate = "".join(c if c.isalnum() or c in ".-" else "-" for c in answer.candidate)
    return f"{band}golive-{answer.environment}-{candidate}-{answer.made_at:%Y%m%dT%H%M%SZ}.zip"


def _mask(desk: Desk, env: str) -> Mask:
    """Knows the environment's secrets, as far as they are at hand: packaging needs none."""
    mask = Mask()
    try:
        file = environments.find(env, desk.suites)
        environments.load(file, desk.suites / "product.toml", desk.root, mask)
    except GoliveError as e:
        tell(f"not all secrets are at hand to look for in the package: {e}")
    return mask
