#!/bin/sh
# Find a Chromium for the end-to-end tests, or install one. Argument: the Python to ask.
set -eu
python=$1

{ [ -x /usr/bin/chromium-headless-shell ] || [ -x /usr/bin/chromium ]; } && exit 0
"$python" - <<'PY' && exit 0
import pathlib, sys
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    sys.exit(not pathlib.Path(playwright.chromium.executable_path).exists())
PY

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing Debian's Chromium for the end-to-end tests…"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -qq --yes --no-install-recommends chromium-headless-shell >/dev/null
    exit 0
fi

echo "Installing Playwright's own Chromium for the end-to-end tests…"
"$python" -m playwright install chromium || {
    echo "No browser for the end-to-end tests. Install one (Debian: apt-get install chromium-headless-shell)." >&2
    exit 1
}
