"""``golive push``: send runs, statements and signed documents to where those of others are."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from golive import launch
from golive.environments import secrets_at_hand
from golive.masking import Mask
from golive.reports.pages import counted
from golive.store import DOCUMENTS, KINDS, RUNS, STATEMENTS, Outcome, Store, push
from golive.toml import read_toml
from golive.verdicts import GoliveError


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--store",
        metavar="FOLDER|URL",
        help="a shared folder or s3://BUCKET/PREFIX (default: launch.store in suites/launch.toml)",
    )
    parser.add_argument("--env", default="", metavar="NAME", help="only this environment's")
    parser.add_argument("--reports", type=Path, default=Path("reports"), metavar="FOLDER")
    parser.add_argument(
        "--statements", type=Path, metavar="FOLDER", help="default: statements in the reports"
    )
    parser.add_argument("--json", action="store_true", help="tell it to a machine")


def run(options: argparse.Namespace) -> int:
    if not options.reports.is_dir():
        raise GoliveError(
            f"{options.reports}: there is no such folder; expected reports to push: call it beside"
            " suites/, or name the folder with --reports"
        )
    done = push(store(options), folders(options), options.env, progress, mask=_mask(options.env))
    return tell(done, "pushed", options)


def _mask(env: str) -> Mask:
    """Knows the secrets of every environment here, as far as they are at hand.

    :param env: only of this one it is told what is not; else of all but rehearsals, whose secrets
        are made for the moment.
    """
    suites, mask, missing = Path("suites"), Mask(), []
    files = sorted((suites / "environments").glob("*.toml"))
    for file in files:
        names = secrets_at_hand(file, suites / "product.toml", Path.cwd(), mask)
        raw = read_toml(file)
        if raw.get("name") == env or (not env and raw.get("kind") != "rehearsal"):
            missing += [f"{name} ({file.stem})" for name in names]
    if missing:
        print(f"not searched for: {', '.join(missing)}, not at hand here", file=sys.stderr)
    if not files:
        print(
            f"not searched for secrets: found no environment in {suites / 'environments'}",
            file=sys.stderr,
        )
    return mask


def store(options: argparse.Namespace) -> Store:
    """The store that is named, or else the launch's."""
    if options.store:
        return Store(options.store)
    source = Path("suites/launch.toml")
    place = launch.load(source).store
    if not place:
        raise GoliveError(
            f"{source}: launch.store: the key is missing; expected a folder or a URL such as"
            ' "s3://bucket/launch", or --store'
        )
    return Store(place, Path.cwd())


def folders(options: argparse.Namespace) -> dict[str, Path]:
    """Where the bundles of each kind lie here."""
    return {
        RUNS: options.reports / "runs",
        STATEMENTS: options.statements or options.reports / "statements",
        DOCUMENTS: options.reports / "signed",
    }


def progress(kind: str, done: int, of: int) -> None:
    """A line that is written over, for somebody who watches."""
    if sys.stderr.isatty():
        print(f"\r{kind}: {done} of {of}", end="\n" if done == of else "", file=sys.stderr)


def tell(outcome: Outcome, done: str, options: argparse.Namespace) -> int:
    """Print what was done; 1 when a bundle was refused."""
    if options.json:
        reported = {
            "store": outcome.store,
            done: outcome.moved,
            "there": outcome.there,
            "running": outcome.running,
            "ignored": outcome.ignored,
            "refused": outcome.refused,
        }
        print(json.dumps(reported, indent=1))
        return int(bool(outcome.refused))
    moved = (counted(len(outcome.moved[kind]), kind.removesuffix("s")) for kind in KINDS)
    there = sum(outcome.there.values())
    were = "was" if there == 1 else "were"
    print(f"{done} {', '.join(moved)}; {there} {were} there already ({outcome.store})")
    for ident in outcome.running:
        print(f"not pushed: {ident} is still running")
    for name in outcome.ignored:
        print(f"ignored: {name} in the store is no bundle")
    for name, why in outcome.refused.items():
        print(f"refused: {name}: {why}", file=sys.stderr)
    return int(bool(outcome.refused))
