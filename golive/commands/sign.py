"""``golive sign``: a document, with the signer's own key."""

from __future__ import annotations

import argparse
import os
import secrets
from pathlib import Path

from golive.commands import _signer
from golive.commands._saying import tell
from golive.context import Context
from golive.people.signatures import DOCUMENTS, sign, signature_of, verify
from golive.signing.signed import keep
from golive.verdicts import GoliveError


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("document", type=Path)
    parser.add_argument("--role", default="", help="your role, where another role signs first")
    _signer.arguments(parser, env=False)


def run(options: argparse.Namespace) -> int:
    place = signature_of(options.document, options.role)
    if not options.env:
        if options.person or not options.key:
            raise GoliveError(
                "sign: expected --env, whose roster tells whose key it is; or --key alone, whose"
                " signature only others will check"
            )
        tell(f"signed: {sign(options.document, options.key, place=place)}")
        return 0
    context = Context.open(options.env, reports=options.reports)
    with _signer.signing(context, options) as signer:
        person = signer.person.id
        own = context.roster.roles_of(person)
        if options.role and options.role not in own:
            raise GoliveError(
                f"--role: found {options.role}; {person} has the roles {', '.join(own) or 'none'}"
            )
        draft = place.with_name(f".{place.name}.{os.getpid()}.{secrets.token_hex(4)}")
        try:
            sign(options.document, signer.key, place=draft)
            signers = context.roster.allowed_signers([person])
            found = verify(options.document, signers, person, DOCUMENTS, signature=draft)
            if not found.valid:
                raise GoliveError(f"{signer.key}: is no key of {person}: {found.cause}")
            draft.replace(place)
            kept = keep(options.document, place, context.signed)
        except OSError as e:
            raise GoliveError(f"{place}: cannot be written: {e.strerror}") from None
        finally:
            draft.unlink(missing_ok=True)
        tell(
            f"signed: {place}",
            f"  by        {signer.person.name}",
            f"  key       {signer.reported}",
        )
        if kept is not None:
            tell(f"  kept      {kept}; golive push sends it to the others")
    return 0
