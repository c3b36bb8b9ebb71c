# Two commands: `make rehearse` and `make test`. Both set up first what is missing.
PYTHON ?= python3
ARGS ?=
# Kept in __pycache__, which git ignores: without compiled code Python starts twice as slowly.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup rehearse test campaign bench lint lock clean

help:  ## what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 18

setup:  ## .venv, Python packages and the rehearsal's programs (below 3 s when all is there)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "setup: $(PYTHON) is $$($(PYTHON) --version 2>&1); Python 3.11 or newer is needed. Name one: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) scripts/setup.py

# People have not signed in a rehearsal, so verdicts do not decide make's exit status.
rehearse: setup  ## bring the rehearsal up, run every written item, sign, decide, package, verify
	@.venv/bin/python -m rehearsal walk -- $(ARGS)

test: setup  ## the project's own tests; ARGS='-m unit' for those that start no part or browser
	@.venv/bin/pytest -c tests/pytest.ini -n auto tests $(ARGS)

campaign: setup  ## every fault, and whether it turns exactly the items red that it names
	@.venv/bin/python -m tests.campaign $(ARGS)

bench: setup  ## a table of timings with ratios; ARGS=--soak for what turns red within hours
	@.venv/bin/python -m tests.benchmarks $(ARGS)

lint: setup  ## ruff, mypy and the import contracts
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

lock: setup  ## resolve the Python packages anew into requirements.lock
	@.venv/bin/uv pip compile --quiet --universal --generate-hashes --all-extras --upgrade \
	  --python-version 3.11 --no-annotate --custom-compile-command "make lock" \
	  pyproject.toml -o requirements.lock

clean:  ## take the rehearsal down; remove what setup and runs made (reports stay)
	@if [ -x .venv/bin/python ]; then .venv/bin/python -m rehearsal down; fi
	@rm -rf .venv .parts .rehearsal .mypy_cache .ruff_cache .pytest_cache .import_linter_cache *.egg-info
