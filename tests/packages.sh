#!/bin/sh
# Sees to the servers, the browser, npm and promtool that tests start for themselves: root installs them, anybody else is told to.
set -eu

missing=
command -v redis-server >/dev/null || missing="redis-server"
[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || missing="$missing rabbitmq-server"
command -v chromium >/dev/null || missing="$missing chromium"
command -v npm >/dev/null || missing="$missing npm"
command -v promtool >/dev/null || missing="$missing prometheus"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
    echo "The tests need these Debian packages: $missing. Install them: sudo apt-get install $missing" >&2
    exit 1
fi
echo "Installing for the tests: $missing"
# Run level 1 keeps the packages from starting their servers: the tests start their own.
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
apt-get update -qq
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/dev/null
