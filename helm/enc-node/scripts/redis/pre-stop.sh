#!/bin/sh
# A primary that is to go hands over first: a planned change costs a second, not the time after which silence counts as
# death. Where no replica can take over it goes all the same.
. /scripts/lib.sh
LIMIT=15

primary() { ask 127.0.0.1 6379 INFO replication | grep -q '^role:master'; }

[ "$COUNT" -gt 1 ] && primary || exit 0
for host in $(others); do
  [ "$(ask "$host" 26379 SENTINEL FAILOVER "$STORE")" = OK ] || continue
  waited=0
  while primary && [ $waited -lt $LIMIT ]; do
    sleep 1
    waited=$((waited + 1))
  done
  exit 0
done
