#!/bin/sh
# Find redis-server, nginx and promtool for the tests, or install them; without the last, its tests
# are skipped.
set -eu
PATH="$PATH:/usr/sbin:/usr/local/sbin"

found() {
    for program; do
        command -v "$program" >/dev/null && return 0
    done
    return 1
}

missing=
found redis-server valkey-server || missing="redis-server"
found nginx || missing="$missing nginx-light"
wanted=
found promtool || wanted=prometheus
[ -n "$missing$wanted" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing for the tests: $missing $wanted…"
    export DEBIAN_FRONTEND=noninteractive
    # The tests start their own, on loopback; the packages' are not to be started.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    apt-get update -qq
    if [ -n "$missing" ]; then
        # shellcheck disable=SC2086 # two names are two words
        apt-get install -qq --yes --no-install-recommends $missing >/dev/null 2>&1 ||
            apt-get install -qq --yes --no-install-recommends redis-server nginx >/dev/null
    fi
    if [ -n "$wanted" ]; then
        apt-get install -qq --yes --no-install-recommends "$wanted" >/dev/null ||
            echo "No promtool to be had: the tests that need it will be skipped." >&2
    fi
    exit 0
fi

[ -n "$missing" ] || exit 0
echo "The tests need a real Redis and a real nginx, and lack: $missing. Install them:" >&2
echo "    sudo apt-get install redis-server nginx    (Debian, Ubuntu)" >&2
echo "    brew install redis nginx                   (macOS)" >&2
exit 1
