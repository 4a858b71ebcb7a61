#!/bin/sh
# Starts the Sentinel of this pod. What it has learnt is on the volume; its settings are written anew each time. Without
# anything learnt it asks the others, the servers included, before it takes the first server for the primary.
set -eu
. "${0%/*}/lib.sh"
CONF=$DATA/sentinel/sentinel.conf
trap 'exit 0' TERM
mkdir -p "$DATA/sentinel"

# Who is the primary, for a Sentinel that knows nothing.
first_primary() {
  for host in $(others); do
    at=$(ask "$host" 26379 SENTINEL GET-MASTER-ADDR-BY-NAME "$STORE" | head -n 1)
    [ -z "$at" ] || { echo "$at"; return; }
  done
  for host in $SERVERS; do
    if ask "$host" 6379 INFO replication | grep -q '^role:master'; then echo "$host"; return; fi
  done
  if [ -s "$MARK" ]; then cat "$MARK"; return; fi
  echo "${SERVERS%% *}"
}

umask 077
if grep -q "^sentinel monitor $STORE " "$CONF" 2>/dev/null; then
  learnt=$(grep -E "^sentinel (myid|current-epoch|monitor|config-epoch|leader-epoch|known-replica|known-sentinel) " "$CONF")
else
  learnt="sentinel monitor $STORE $(first_primary) 6379 $MAJORITY"
  say "nothing learnt yet: ${learnt#sentinel }"
fi
# A name must be known to DNS before it can be taken. `resolve-hostnames` goes first: what follows needs it.
{
  cat <<CONFIG
dir $DATA/sentinel
bind $BIND
port 26379
protected-mode no
requirepass $(quoted "$REDISCLI_AUTH")
sentinel sentinel-pass $(quoted "$REDISCLI_AUTH")
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip $ME
sentinel deny-scripts-reconfig yes
CONFIG
  echo "$learnt" | grep -E '^sentinel (myid|current-epoch) ' || true
  echo "$learnt" | grep '^sentinel monitor '
  cat <<CONFIG
sentinel auth-pass $STORE $(quoted "$REDISCLI_AUTH")
sentinel down-after-milliseconds $STORE $DOWN_AFTER_MS
sentinel failover-timeout $STORE $FAILOVER_TIMEOUT_MS
sentinel parallel-syncs $STORE 1
CONFIG
  echo "$learnt" | grep -E '^sentinel (config-epoch|leader-epoch|known-replica|known-sentinel) ' || true
} >"$CONF.new"
mv "$CONF.new" "$CONF"
exec "$SERVER" "$CONF" --sentinel
