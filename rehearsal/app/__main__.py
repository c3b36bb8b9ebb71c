"""Commands of the reference application. Each prints one JSON document on standard output."""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

from rehearsal.app.settings import VERSIONS, CommandError, Settings


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0, or 1 with one paragraph on standard error."""
    options = _parser().parse_args(arguments)
    try:
        document = _run(options)
    except CommandError as error:
        print(f"{options.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if document is not None:
        json.dump(document, sys.stdout, indent=1, sort_keys=True)
        print()
    return 0


def _run(options: argparse.Namespace) -> Any:
    # Each command loads what it needs: an instance starts without Alembic, a digest without HTTP.
    match options.command:
        case "serve":
            return _serve(options)
        case "portal":
            return _portal(options)
        case "routes":
            return _routes(options)
        case "workload":
            from rehearsal.app.workload import workload

            return workload(
                options.url, options.seconds, options.rate, options.ca_file, dense=options.dense
            )
        case "flags":
            from rehearsal.app.flags import without_service

            return without_service(Settings.from_environment("outage", options.version))
        case "seed":
            from rehearsal.app.seed import seed

            return seed(options.appointments, options.today, vacuum=options.vacuum)
    from rehearsal.app import migrate

    match options.command:
        case "migrate":
            return migrate.run(options.to, "upgrade")
        case "downgrade":
            return migrate.run(options.to, "downgrade")
        case "heads":
            return migrate.heads()
        case "digest":
            return migrate.digest()
        case _:
            return migrate.schema()


def _serve(options: argparse.Namespace) -> None:
    # Many objects are made while modules load, none of them garbage.
    gc.disable()
    import uvicorn

    settings = Settings.from_environment(options.instance, options.version)
    if options.static:
        settings = replace(settings, static=options.static)
    if options.pid_file:
        options.pid_file.write_text(f"{os.getpid()}\n")
    from rehearsal.app.web import create_app

    app = create_app(settings)
    gc.freeze()
    gc.enable()
    uvicorn.run(
        app,
        host=options.host,
        port=options.port,
        access_log=False,
        proxy_headers=False,  # the application reads the forwarding header itself, to show it
        server_header=False,
        timeout_graceful_shutdown=1,
    )


def _portal(options: argparse.Namespace) -> None:
    from rehearsal.app import portal

    settings = Settings.from_environment("portal", options.current)
    changelog = portal.CHANGELOG.read_text(encoding="utf-8")
    if options.silent_changelog:
        changelog = changelog.partition("## ")[0]
    portal.serve(
        options.folder,
        options.host,
        options.port,
        partial(
            portal.publish,
            settings,
            options.folder,
            current=settings.version,
            changelog=changelog,
            more=options.more,
            earlier=options.earlier,
        ),
    )


def _routes(options: argparse.Namespace) -> Any:
    from rehearsal.app.documented import routes
    from rehearsal.app.web import create_app

    # Nothing is asked of the database.
    settings = Settings("postgresql+psycopg://", version=options.version.removeprefix("v"))
    return {"routes": routes(create_app(replace(settings, faults_file=options.faults)))}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m rehearsal.app", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="run one instance until it is stopped")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, required=True)
    serve.add_argument("--instance", required=True)
    serve.add_argument("--version", default=VERSIONS[-1])
    serve.add_argument("--static", type=Path, help="folder of the built frontend")
    serve.add_argument("--pid-file", type=Path, help="where to write the process id")
    flags = commands.add_parser("flags", help="what flags answer once their service is gone")
    flags.add_argument("--version", default=VERSIONS[-1])
    published = commands.add_parser("portal", help="publish the API's document and serve it")
    published.add_argument("--folder", type=Path, required=True)
    published.add_argument("--host", default="127.0.0.1")
    published.add_argument("--port", type=int, required=True)
    published.add_argument("--current", default=VERSIONS[-1], help="whose document clients get")
    published.add_argument("--more", default="", help="a further link of the guide")
    published.add_argument("--earlier", default="", help="whose document stands for all releases")
    published.add_argument("--silent-changelog", action="store_true", help="it lists nothing")
    listed = commands.add_parser("routes", help="every route that is registered")
    listed.add_argument("--version", default=VERSIONS[-1])
    listed.add_argument("--faults", type=Path, help="what the rehearsal orders")
    for name, text in (("migrate", "upgrade"), ("downgrade", "roll back")):
        change = commands.add_parser(name, help=f"{text} to a release tag or revision")
        change.add_argument("--to", required=True)
    seed = commands.add_parser("seed", help="fill an empty database with synthetic data")
    seed.add_argument("--appointments", type=int, default=200_000)
    seed.add_argument("--today", type=date.fromisoformat, default=datetime.now(UTC).date())
    seed.add_argument("--no-vacuum", dest="vacuum", action="store_false", help="others will")
    commands.add_parser("heads", help="revisions, heads, and the head of each release")
    commands.add_parser("digest", help="SHA-256 over the migration files")
    commands.add_parser("schema", help="the database's schema as JSON")
    load = commands.add_parser("workload", help="a small mixed load over the public API")
    load.add_argument("--url", required=True)
    load.add_argument("--seconds", type=float, default=5, help="0: until stopped")
    load.add_argument("--rate", type=float, default=20, help="actions per second")
    load.add_argument("--dense", action="store_true", help="more statements for a request")
    load.add_argument("--ca-file", help="certificate authority of an https URL")
    return parser


if __name__ == "__main__":
    sys.exit(main())
