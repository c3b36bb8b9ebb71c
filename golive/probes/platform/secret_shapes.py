"""What a secret looks like, where nobody tells which there are: the shapes that their issuers give
them, private keys, and variables whose name says so."""

from __future__ import annotations

import re
from collections.abc import Iterator

_SHAPES = {
    "a Stripe key": rb"\b[sr]k_(?:live|test)_[0-9A-Za-z]{16,}",
    "a Stripe webhook secret": rb"\bwhsec_[0-9A-Za-z+/]{16,}",
    "an AWS access key": rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b(?<!EXAMPLE)",
    "a SendGrid key": rb"\bSG\.[\w-]{16,}\.[\w-]{16,}",
    "a GitHub token": rb"\b(?:gh[pousr]_[0-9A-Za-z]{36}|github_pat_\w{40,})",
    "a GitLab token": rb"\bglpat-[\w-]{20,}",
    "an npm token": rb"\bnpm_[0-9A-Za-z]{36}\b",
    "a Slack token": rb"\bxox[abeoprs]-[\w-]{10,}",
    "a Google API key": rb"\bAIza[\w-]{35}\b",
    "a Google client secret": rb"\bGOCSPX-[\w-]{20,}",
}
_KEY = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----\s+(?:[\w-]+: .*\s+)*[A-Za-z0-9+/=]{40}"
)
_VARIABLE = re.compile(
    rb"(?:^|[\s|])(?:ENV |ARG |export )?([A-Z][A-Z0-9_]*(?:SECRET|PASSWORD|PASSWD|TOKEN|API_KEY"
    rb"|ACCESS_KEY|PRIVATE_KEY|ENCRYPTION_KEY)[A-Z0-9_]*)=(\"[^\"\n]*\"|'[^'\n]*'|[^\s\"']*)",
    re.MULTILINE,
)
_REFERENCE = re.compile(
    rb"^$|^[\"']?(?:\$|<|\{\{|[a-z][a-z0-9+.-]*:(?!//\S*:\S*@)|changeme|replace|your|xxx|\*|/run/)",
    re.IGNORECASE,
)
"""What stands in the place of a secret: a variable, a reference to a store, a file, a blank to fill
in."""
_OTHERS = re.compile(
    r"(?:^|/)(?:site-packages|dist-packages|node_modules|usr/share|usr/lib|tests?)/"
)
"""Places of what others wrote: their sample keys open nothing of ours."""
_VARIABLES_IN = re.compile(r"(?:^|/)(?:\.env(?:\.[\w.-]+)?|[\w.-]+\.env|\.npmrc|\.pypirc|\.netrc)$")
_shapes = {name: re.compile(pattern) for name, pattern in _SHAPES.items()}


def in_file(path: str, content: bytes) -> Iterator[str]:
    """The kinds of secrets in a file, without what they are."""
    yield from in_text(content)
    if not _OTHERS.search(path) and _KEY.search(content):
        yield "a private key"
    if _VARIABLES_IN.search(path):
        yield from in_variables(content)


def in_text(content: bytes) -> Iterator[str]:
    """The kinds of secrets of a known shape."""
    for name, shape in _shapes.items():
        if shape.search(content):
            yield name


def in_variables(content: bytes) -> Iterator[str]:
    """Variables that are named like a secret and have a value of their own."""
    for name, value in _VARIABLE.findall(content):
        if not _REFERENCE.match(value) and len(value.strip(b"\"'")) >= 8:
            yield f"a value of {name.decode()}"
