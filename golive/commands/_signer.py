"""Who signs, and with which key: the part that the commands of people share."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from golive.context import Context
from golive.people.roster import Person
from golive.signing import signers

Signer = signers.Signer[Person]


def arguments(parser: argparse.ArgumentParser, *, env: bool = True) -> None:
    """What every command takes that signs."""
    parser.add_argument(
        "--as",
        dest="person",
        default="",
        metavar="PERSON",
        help="your id on the roster (default: whose key it is)",
    )
    parser.add_argument(
        "--key",
        type=Path,
        metavar="FILE",
        help="your SSH key (default: one of yours in the agent or in ~/.ssh)",
    )
    parser.add_argument(
        "--env", required=env, default="", metavar="NAME", help="a name or a TOML file"
    )
    parser.add_argument("--reports", type=Path, default=None, metavar="FOLDER")


@contextmanager
def signing(context: Context, options: argparse.Namespace) -> Iterator[Signer]:
    """Who signs: the person of --as, or else the one whose key is at hand.

    :raises GoliveError: nobody can be reported, or the key is not that person's on the roster.
    """
    with signers.at_hand(context, context.roster.people, options.person, options.key) as signer:
        yield signer
