"""The developers' portal: the API's published document, its changelog, and pages that link them.

FOLDER/index.html           the guide
FOLDER/openapi.json         the document of the release that clients use
FOLDER/openapi-1.9.0.json   the documents of earlier releases
FOLDER/changelog.md         what changed
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from rehearsal.app.settings import VERSIONS, Settings

CHANGELOG = Path(__file__).parent / "CHANGELOG.md"
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>
<body><h1>{title}</h1>{body}</body></html>
"""
_GUIDE = """
<ul><li><a href="#errors">Errors</a></li>
<li><a href="openapi.json">The API document</a></li>
<li><a href="changelog.md">Changelog</a></li>
<li><a href="support.html#contact">Support</a></li>{more}</ul>
<h2 id="errors">Errors</h2><p>Each error has a type and a message.</p>
"""


class Handler(SimpleHTTPRequestHandler):
    published = threading.Event()

    def do_GET(self) -> None:
        self.published.wait(60)
        super().do_GET()

    def log_message(self, *_: object) -> None:
        return


def publish(
    settings: Settings, folder: Path, *, current: str, changelog: str, more: str, earlier: str = ""
) -> None:
    """Write everything that is served.

    :param current: the release whose document clients are given.
    :param earlier: the release whose document stands in the place of those of all others.
    :param more: a further link of the guide; empty for none.
    """
    from rehearsal.app.web import create_app

    folder.mkdir(parents=True, exist_ok=True)
    made = {
        v: json.dumps(create_app(replace(settings, version=v)).openapi(), indent=1)
        for v in VERSIONS
    }
    for version in VERSIONS:
        (folder / f"openapi-{version}.json").write_text(made[earlier or version])
    (folder / "openapi.json").write_text(made[current])
    link = f'<li><a href="{more}">More</a></li>' if more else ""
    pages = {"index": _GUIDE.format(more=link), "support": '<p id="contact">api@example.com</p>'}
    for name, body in pages.items():
        text = _PAGE.format(title="BookedBarber for developers", body=body)
        (folder / f"{name}.html").write_text(text)
    (folder / "changelog.md").write_text(changelog)


def serve(folder: Path, host: str, port: int, publishes: Callable[[], None]) -> None:
    """Serve the folder until the process is stopped. Whoever asks at once waits until all of it
    is written."""
    handler = partial(Handler, directory=str(folder))
    with ThreadingHTTPServer((host, port), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        publishes()
        Handler.published.set()
        threading.Event().wait()
