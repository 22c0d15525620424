#!/bin/sh
# Fetch what verifies in other languages, beside the product's own. What can't be had is said, and
# its tests are skipped.
set -u
cd "$(dirname "$0")"
node_packages="jose@6.2.18 jsonwebtoken@9.0.3 express@5.3.0 cookie-session@2.1.1"
php_package="firebase/php-jwt:7.0.5"
java_package="org.bitbucket.b_c:jose4j:0.9.6"

have() {
    command -v "$1" >/dev/null
}

bounded="timeout 120"
have timeout || bounded=

# Usage: try LANGUAGE COMMAND…
try() {
    language=$1
    shift
    $bounded "$@" >/dev/null 2>&1 ||
        echo "No library for $language to be had: the tests that need it will be skipped." >&2
}

install_node() {
    # A link in its place is somebody's own; npm would go through it.
    [ ! -L node_modules ] && npm install --silent --no-save --no-package-lock --no-audit --no-fund \
        --prefix . $node_packages && echo "$node_packages" >node_modules/.ready
}

if have npm && [ "$(cat node_modules/.ready 2>/dev/null)" != "$node_packages" ]; then
    echo "Installing Node packages for the tests…"
    install_node || echo "No Node packages to be had: the tests that need them will be skipped." >&2
fi
if have ruby && ! ruby -rjwt -e 0 2>/dev/null; then
    try Ruby gem install --user-install jwt --version 3.2.0
fi
if have go; then
    folder=$(mktemp -d) # it would write a go.sum here
    cp go.mod "$folder"
    try Go sh -c "cd '$folder' && GOFLAGS=-mod=mod go mod download"
    rm -r "$folder"
fi
if have composer && [ ! -e vendor/autoload.php ]; then
    mkdir -p vendor
    echo '{"config": {"vendor-dir": "."}}' >vendor/composer.json
    try PHP composer require --working-dir=vendor --no-interaction "$php_package"
fi
if have mvn && ! ls "$HOME"/.m2/repository/org/bitbucket/b_c/jose4j/*/*.jar >/dev/null 2>&1; then
    try Java mvn --quiet dependency:get -Dartifact="$java_package"
fi
