#!/bin/sh
# Alive: it answers anything at all (also that it is loading), or start.sh has not started it yet.
. "${0%/*}/lib.sh"
[ -e "$RUN/redis.conf" ] || exit 0
[ -n "$(ask "$LOCAL" 6379 PING)" ]
