# `make demo` and `make test` do all the set-up on a fresh machine.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: demo test test-faults check lint audit bench browser services peers lock widget wheel clean

demo: $(READY)
	$(BIN)/kataven-flask demo

# The browser's tests run two at a time, as each mostly waits.
test: $(READY) browser services
	$(BIN)/python -m pytest tests
	$(BIN)/python -m pytest e2e -n 2 --dist loadfile

# Races between servers, servers killed under load, Redis and SQLite broken in every way. Three at
# a time, as each mostly waits.
test-faults: $(READY) services
	$(BIN)/python -m pytest -m faults -n 3

check: lint audit test

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# Known vulnerabilities of all that is pinned. Where no service answers, it says so and goes on.
audit: $(READY)
	$(BIN)/python -m tests.audit $(VENV)/audit

# Side by side with what a user would pick instead: under ten minutes, on a machine that rests.
bench: $(READY) services peers
	$(BIN)/python -m benchmarks

# Everything pinned and hashed; then this checkout itself, built with what is installed.
$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-build-isolation --no-deps --editable .
	touch $@

browser: $(READY)
	sh e2e/install-browser.sh $(BIN)/python

services:
	sh tests/install-services.sh

peers: $(READY)
	sh benchmarks/install.sh "$(abspath $(BIN))/python"

lock:
	uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-annotate --upgrade --quiet \
	  --custom-compile-command "make lock" --output-file requirements.lock
	echo 'hatchling>=1.27' | uv pip compile pyproject.toml - --extra redis --universal \
	  --python-version 3.11 --constraints requirements.lock \
	  --generate-hashes --no-emit-index-url --no-annotate --upgrade --quiet \
	  --custom-compile-command "make lock" --output-file requirements-server.lock
	uv pip compile pyproject.toml benchmarks/requirements.in --universal --python-version 3.11 \
	  --constraints requirements.lock \
	  --generate-hashes --no-emit-index-url --no-annotate --upgrade --quiet \
	  --custom-compile-command "make lock" --output-file benchmarks/requirements.lock
	uv pip compile tests/audit/requirements.in --universal --python-version 3.11 \
	  --constraints requirements.lock \
	  --generate-hashes --no-emit-index-url --no-annotate --upgrade --quiet \
	  --custom-compile-command "make lock" --output-file tests/audit/requirements.lock

# What browsers get is packed when the widget's source was changed, and not at each start.
widget: $(READY)
	rm -f static/widget/v1.*.js.gz
	$(BIN)/python -m kataven_flask.widget

wheel: $(READY)
	$(BIN)/python -m hatchling build

clean:
	rm -rf $(VENV) benchmarks/.venv benchmarks/peers/node_modules dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
