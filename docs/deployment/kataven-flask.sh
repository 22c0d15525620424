#!/bin/sh
# /usr/local/sbin/kataven-flask: the command as the server runs it, as its user, with its settings.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin  # cron gives less
[ "$(id -un)" = kataven ] || exec runuser -u kataven -- "$0" "$@"
set -a
. /etc/kataven-flask/env
exec /opt/kataven-flask/bin/kataven-flask "$@"
