#!/bin/sh
# /usr/local/sbin/kataven-flask: the command with the server's settings; run it by sudo.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin  # cron gives less
case ${1-} in
  agents|keys|origins|schema|tenants) ;;  # the tenants' file is root's: the server can't change it
  *) [ "$(id -un)" = kataven ] || exec runuser -u kataven -- "$0" "$@" ;;
esac
set -a
. /etc/kataven-flask/env
exec /opt/kataven-flask/bin/kataven-flask "$@"
