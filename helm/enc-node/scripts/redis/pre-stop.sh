#!/bin/sh
# A planned stop must not cost the time after which silence counts as death, neither for a primary nor for a replica that
# writes are counted on.
#
#   1. A primary hands over to a replica, and follows it at once: Sentinel would see to that only after 8 s.
#   2. A replica takes itself out of promotion, and waits until the Sentinels know: from then on no write needs it.
#
# Where nobody can take over it goes all the same: its disk has all that was acknowledged.
. "${0%/*}/lib.sh"

primary() { ask "$LOCAL" 6379 INFO replication | grep -q '^role:master'; }

# within SECONDS CONDITION…: looks every half second; fails when it is over.
within() {
  looks=$(($1 * 2))
  shift
  until "$@"; do
    looks=$((looks - 1))
    [ "$looks" -gt 0 ] || return 1
    sleep 0.5
  done
}

replaced() { heir=$(named) && [ "$heir" != "$ME" ]; }

[ "$COUNT" -gt 1 ] || exit 0
touch "$RUN/leaving"
if primary; then
  for host in $(others); do
    [ "$(ask "$host" 26379 SENTINEL FAILOVER "$STORE")" = OK ] && asked=1 && break
  done
  [ "${asked:-}" ] && within 15 replaced || exit 0
  ask "$LOCAL" 6379 REPLICAOF "$heir" 6379 >/dev/null
fi
ask "$LOCAL" 6379 CONFIG SET replica-priority 0 >/dev/null
within 12 known 0
exit 0
