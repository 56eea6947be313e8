# Everything starts here, from a fresh clone, with Python 3.11 or newer and make.
#
#   make up      the whole of linekey on this machine: lab CA, server, one phone
#   make test    every test (foreign peers skip when absent; CI=true makes that a failure)
#   make property  "no phone gets another's file", in 1,000,000 cases instead of 120,000
#   make check   lint, types and the fast tests: run it before each commit
#   make peers   install the foreign software the live tests talk to (Debian/Ubuntu)
#   make bench   every measure of speed and of many phones, beside nginx and others, one
#                after the other; writes pages of docs/explanation (ARGS=--help tells all)
#   make docs    regenerate the reference pages that come from code
#   make interop run the live tests and write docs/reference/interop.md
#   make release sdist, wheel and list of parts into dist/, tried in a bare environment
#   make lock    re-pin requirements/*.txt (hashes, no addresses)

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check
ARGS   ?=
# Tests wait for other programs more than they compute, so more of them than cores; a
# file's stay together, since they share servers that are dear to start.
CORES  := $(shell nproc 2>/dev/null || echo 2)
JOBS   ?= $(shell expr 2 \* $(CORES))
PYTEST  = $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder
# Tests start linekey by the hundred; without kept bytecode each would compile it anew.
export PYTHONDONTWRITEBYTECODE =

.PHONY: up test property check peers bench docs interop lock release setup setup-run clean

$(VENV)/run.stamp: requirements/build.txt requirements/run.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: linekey needs Python 3.11 or newer; this is " + sys.version.split()[0] + "\nhint: make PYTHON=python3.11 …")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --require-hashes -r requirements/build.txt
	$(PIP) install --quiet --require-hashes -r requirements/run.txt
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/test.stamp: $(VENV)/run.stamp requirements/test.txt
	$(PIP) install --quiet --require-hashes -r requirements/test.txt
	touch $@

$(VENV)/client.stamp: $(VENV)/test.stamp requirements/client.txt tools/client_generator.py
	$(BIN)/python -m tools.client_generator
	touch $@

setup-run: $(VENV)/run.stamp

setup: $(VENV)/client.stamp

up: setup-run
	$(BIN)/linekey up $(ARGS)

test: setup
	$(PYTEST) $(ARGS) || { test "$$?" = 1 && test "$$CI" = true && $(BIN)/python -m tools.once_more; }

property: setup
	LINEKEY_PROPERTY_CASES=1000000 $(BIN)/python -m pytest -q tests/unit/provisioning/test_no_phone_gets_anothers_file.py $(ARGS)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(PYTEST) -q tests/unit tests/pair tests/docs $(ARGS)

peers:
	./tools/install-peers

bench: setup
	$(BIN)/python -m bench.all $(ARGS)

docs: setup
	$(BIN)/python tools/make_docs.py

interop: setup
	rm -f .cache/interop.jsonl
	CI=true $(BIN)/python -m pytest -q tests/live $(ARGS)
	$(BIN)/python tools/interop_page.py
	$(BIN)/python tools/make_docs.py

release:
	PYTHON=$(PYTHON) ./tools/release

lock:
	test -x $(VENV)-lock/bin/pip-compile || ($(PYTHON) -m venv $(VENV)-lock && $(VENV)-lock/bin/python -m pip install --quiet -r requirements/lock.in)
	for part in build run plan load test client release; do \
	  $(VENV)-lock/bin/pip-compile --quiet --upgrade --generate-hashes --strip-extras --allow-unsafe --no-header \
	    --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
	    -o requirements/$$part.txt requirements/$$part.in || exit 1; done

clean:
	rm -rf $(VENV) $(VENV)-lock .mypy_cache .pytest_cache .ruff_cache .hypothesis
