#!/bin/sh
# Alive: it answers anything at all (also that it is loading), or start.sh has not started it yet.
. /scripts/lib.sh
[ -e /run/redis/redis.conf ] || exit 0
[ -n "$(ask 127.0.0.1 6379 PING)" ]
