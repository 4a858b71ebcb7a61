#!/bin/sh
# Starts this server of the store in the only role that can lose nothing.
#
# Of a primary that has died, a replica may have taken the place. So no server believes itself: a majority of the
# Sentinels says who is the primary, and every other server starts as its replica. The one that they name starts as the
# primary only where that can't take anything away from anybody:
#
#   - not while another server could be promoted or has been: the Sentinels will put that one in its place, because
#     this one does not answer, and this one becomes its replica. Its disk may be empty or old; the other's is neither;
#   - not with data of a time at which another server was the primary, if the Sentinels know of no change since: they have
#     lost what they knew, and name the first server;
#   - without any data only if all others are there and have none either: that is the first start.
#
# Everything else waits, and says for what. A single server (no Sentinels) just starts.
set -eu
. "${0%/*}/lib.sh"
CONF=$RUN/redis.conf
trap 'exit 0' TERM
mkdir -p "$DATA/redis"
rm -f "$RUN/leaving" "$RUN/known"

# state HOST: what a server says of itself: "primary", "promotable", "behind", "empty", or nothing when it does not answer.
state() {
  ask "$1" 6379 INFO | awk -F: '
    /^role:master/ { primary = 1 }
    /^loading:1/ { loading = 1 }
    /^slave_priority:/ { priority = $2 }
    /^db[0-9]+:keys=/ { data = 1 }
    END {
      if (!NR) exit
      if (primary) print "primary"
      else if (priority > 0) print "promotable"
      else print data || loading ? "behind" : "empty"
    }'
}

has_data() { [ -n "$(ls -A "$DATA/redis/appendonlydir" 2>/dev/null)" ]; }

# Do the Sentinels know of a fail-over? Each gives the primary's place a higher epoch, which is 0 on a first start.
remember() {
  for host in $SERVERS; do
    ask "$host" 26379 SENTINEL MASTER "$STORE" | awk '
      $0 == "config-epoch" { getline; if ($0 + 0 > 0) found = 1 }
      END { exit !found }' && return 0
  done
  return 1
}

told=
# wait_for TEXT: says it when it is new, then waits a moment.
wait_for() {
  [ "$told" = "$*" ] || say "waiting: $*"
  told=$*
  sleep 1
}

# Sets PRIMARY to the server to follow, or to this one.
find_role() {
  while :; do
    if ! PRIMARY=$(named); then
      wait_for "no majority of the Sentinels names a primary"
      continue
    fi
    [ "$PRIMARY" = "$ME" ] || return 0
    better= empty=0
    for host in $(others); do
      case $(state "$host") in
        primary | promotable) better=$host ;;
        empty) empty=$((empty + 1)) ;;
      esac
    done
    if [ -n "$better" ]; then
      wait_for "$better has all data; the Sentinels will make it the primary"
    elif ! has_data; then
      [ "$empty" -lt $((COUNT - 1)) ] || return 0
      wait_for "this disk is empty, and of $((COUNT - 1)) other servers $empty are known to be. If the data of another \
one is to be taken, run there: sh /scripts/allow-promotion.sh"
    elif [ -s "$MARK" ] && [ "$(cat "$MARK")" != "$ME" ] && ! remember; then
      wait_for "the Sentinels name this server, but it last knew $(cat "$MARK") as the primary. If this disk is to be \
taken all the same, remove $MARK here"
    else
      return 0
    fi
  done
}

ROLE=
if [ "$COUNT" -gt 1 ]; then
  find_role
  if [ "$PRIMARY" = "$ME" ]; then
    say "starting as the primary"
  else
    say "starting as a replica of $PRIMARY"
    ROLE="replicaof $PRIMARY 6379"
  fi
fi

# Never promoted before warden.sh has seen it in step.
umask 077
cat >"$CONF" <<CONFIG
dir $DATA/redis
bind $BIND
port 6379
protected-mode no
requirepass $(quoted "$REDISCLI_AUTH")
masterauth $(quoted "$REDISCLI_AUTH")
appendonly yes
appendfsync always
no-appendfsync-on-rewrite no
maxmemory-policy noeviction
save ""
repl-diskless-sync-delay 0
repl-timeout 20
repl-backlog-size 64mb
replica-announce-ip $ME
replica-priority 0
$ROLE
$(cat "${0%/*}/extra.conf")
CONFIG
exec "$SERVER" "$CONF"
