"""``golive package``: everything that the decision rests on, in one zip; and its signatures."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

from golive import package
from golive.answer import Answer
from golive.commands import _saying, _signer
from golive.commands._saying import tell
from golive.commands.status import look
from golive.context import Context
from golive.masking import Mask
from golive.verdicts import GoliveError


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sign", type=Path, metavar="FILE", help="add your signature to a package that is there"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="the zip to write")
    parser.add_argument(
        "--secrets-elsewhere",
        action="store_true",
        help="make it although not all secrets are at hand here to search it for: somebody who"
        " has them has searched what goes into it",
    )
    parser.add_argument("--today", metavar="DATE", help="look at the launch as on this day")
    _signer.arguments(parser, env=False)


def run(options: argparse.Namespace) -> int:
    path: Path = options.sign
    if options.sign is None:
        if not options.env:
            raise GoliveError("package: expected --env NAME, or --sign FILE")
        context = Context.open(options.env, reports=options.reports)
        path = _make(context, options)
        if not (options.person or options.key):
            tell(f"next: golive package --sign {path} --as PERSON")
            return 0
    else:
        if options.out or options.today:
            raise GoliveError("--sign: expected a package as it is, so no --out or --today")
        with package.opened(path) as found:
            about = found.about
        context = Context.open(options.env or about.environment, reports=options.reports)
        if context.environment.name != about.environment:
            raise GoliveError(f"{path}: is about {about.environment}, not {options.env}")
    with _signer.signing(context, options) as signer:
        package.sign(path, signer.person.id, signer.key, context.roster)
        tell(
            f"signed: {path}", f"  by        {signer.person.name}", f"  key       {signer.reported}"
        )
    tell(f"next: golive verify {path}")
    return 0


def _make(context: Context, options: argparse.Namespace) -> Path:
    mask = _mask(context, options.secrets_elsewhere)
    answer = look(context, options.today)
    path = options.out or context.reports / "packages" / _name(answer)
    data = package.build(context, answer, mask)
    package.write(path, data)
    mark = "REHEARSAL, decides nothing: " if answer.is_rehearsal else ""
    tell(
        f"package: {path}",
        f"  answer    {mark}{answer.answer}",
        f"  size      {len(data) / 2**20:,.1f} MiB",
        f"  sha256    {hashlib.sha256(data).hexdigest()}",
        *_saying.unsearched(context),
    )
    return path


def _name(answer: Answer) -> str:
    band = "REHEARSAL-" if answer.is_rehearsal else ""
    candidate = "".join(c if c.isalnum() or c in ".-" else "-" for c in answer.candidate)
    return f"{band}golive-{answer.environment}-{candidate}-{answer.made_at:%Y%m%dT%H%M%SZ}.zip"


def _mask(context: Context, elsewhere: bool) -> Mask:
    """Knows the environment's secrets, all of them unless it was said that others have searched.

    :raises GoliveError: some are not at hand here; names them.
    """
    mask, missing = context.secrets
    if missing and context.environment.kind != "rehearsal" and not elsewhere:
        are = "is" if len(missing) == 1 else "are"
        raise GoliveError(
            f"{context.environment.name}: {', '.join(missing)} {are} not at hand"
            " to search the package"
            " for; make it where they are, or, once somebody who has them has searched what goes"
            " into it, with --secrets-elsewhere"
        )
    return mask
