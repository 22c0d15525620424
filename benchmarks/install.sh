#!/bin/sh
# Find or install what `make bench` needs beside the product: wrk, Node.js, the peers' packages, and
# what an operator has, which is less than what a developer has.
# Usage: install.sh PYTHON
set -eu
cd "$(dirname "$0")"
export PATH="$PATH:/usr/sbin:/usr/local/sbin"
node_packages="express@5.3.0 cors@2.8.6 jsonwebtoken@9.0.3 bcrypt@6.0.0"

missing=
command -v wrk >/dev/null || missing="wrk"
command -v node >/dev/null && command -v npm >/dev/null || missing="$missing nodejs npm"
if [ -n "$missing" ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "The benchmark lacks: $missing. Install them:" >&2
        echo "    sudo apt-get install wrk nodejs npm    (Debian, Ubuntu)" >&2
        exit 1
    fi
    echo "Installing for the benchmark: $missing…"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086 # several names are several words
    apt-get install -qq --yes --no-install-recommends $missing >/dev/null
fi

# Never among the product's own: environments and a folder of their own, which git ignores.
environment() { # PYTHON FOLDER LOCK WHOSE
    if [ ! -e "$2/.ready" ] || [ "$3" -nt "$2/.ready" ]; then
        echo "Installing $4 Python packages…"
        "$1" -m venv --clear "$2"
        "$2/bin/python" -m pip install --quiet --require-hashes --requirement "$3"
        touch "$2/.ready"
    fi
}

environment "$1" .venv requirements.lock "the peers'"
environment "$1" .venv-server ../requirements-server.lock "an operator's"
if [ "$(cat peers/node_modules/.ready 2>/dev/null)" != "$node_packages" ]; then
    echo "Installing the peers' Node packages…"
    # shellcheck disable=SC2086
    npm install --silent --no-save --no-package-lock --no-audit --no-fund --prefix peers $node_packages
    echo "$node_packages" >peers/node_modules/.ready
fi
