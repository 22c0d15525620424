# `make demo` and `make test` do all the set-up on a fresh machine.
PYTHON ?= python3
VENV   ?= .venv
# Tests at a time: one more than a small machine has cores, as each waits for a part of its time.
AT_ONCE ?= 3
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: demo test test-faults check lint audit bench browser services elsewhere peers lock widget reference docs wheel dist clean

demo: $(READY)
	$(BIN)/kataven-flask demo

test: $(READY) browser services elsewhere
	$(BIN)/python -m pytest tests -n $(AT_ONCE) --dist worksteal
	$(BIN)/python -m pytest e2e -n $(AT_ONCE) --dist loadfile

# Races between servers, servers killed under load, Redis and SQLite broken in every way.
test-faults: $(READY) services
	$(BIN)/python -m pytest -m faults -n $(AT_ONCE)

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

# What verifies our tokens in other languages. What can't be had is said, and its tests are skipped.
elsewhere:
	sh tests/verify_elsewhere/install.sh

peers: $(READY)
	sh benchmarks/install.sh "$(abspath $(BIN))/python"

lock:
	uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-annotate --upgrade --quiet \
	  --custom-compile-command "make lock" --output-file requirements.lock
	printf 'hatch-fancy-pypi-readme>=25.1\nhatchling>=1.27\n' | uv pip compile pyproject.toml - --extra redis --universal \
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

# The pages of docs/ that are made from the code: the tenants' file, the command, the variables.
reference: $(READY)
	$(BIN)/python -m docsite

# The documentation as a site, in build/docs: files that any web server can serve.
docs: $(READY)
	$(BIN)/python -m sphinx -W -n --keep-going -q -E -c docsite -d build/doctrees . build/docs
	@echo "Look at it: $(BIN)/python -m http.server --bind 127.0.0.1 --directory build/docs 8080"

wheel: $(READY)
	$(BIN)/python -m hatchling build

# Both archives, and whether an index would take them.
dist: wheel
	$(BIN)/python -m twine check --strict dist/*
	$(BIN)/python -m check_wheel_contents dist/*.whl

clean:
	rm -rf tests/verify_elsewhere/node_modules tests/verify_elsewhere/vendor
	rm -rf $(VENV) benchmarks/.venv benchmarks/.venv-server benchmarks/peers/node_modules build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
