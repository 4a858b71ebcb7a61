#!/bin/sh
# Sees to it that only a replica that has everything can be promoted. Sentinel would also promote one that has never had
# the data, or that has just come back; of priority 0 it promotes none.
#
#   - a replica that has heard its primary without a break for STEP seconds may be promoted: shards have counted it by
#     then (they count replicas every 2 s, and a count takes 2.5 s at most). The Sentinels must list it, else they could
#     not promote it, and a primary that came back would wait for that for ever;
#   - one that hears its primary, but had not for more than GAP seconds, or is being sent the data, may not;
#   - one that does not hear it stays what it was: this is when it is needed;
#   - a primary may not, so that it comes back as a replica that may not.
#
# It also keeps on the volume who the primary is (start.sh), and says in $RUN/known that the Sentinels know of a replica that
# may be promoted (ready.sh).
set -u
. "${0%/*}/lib.sh"
STEP=${STEP:-6}
GAP=3

since=0 seen=0 lead=0 mark=$(cat "$MARK" 2>/dev/null)

# promotable PRIORITY: not if this server is about to stop (pre-stop.sh).
promotable() {
  [ ! -e "$RUN/leaving" ] || return 1
  rm -f "$RUN/known"
  ask "$LOCAL" 6379 CONFIG SET replica-priority "$1" | grep -q '^OK' || return 1
  say "replica-priority $1"
}

# mark HOST: durable before it counts.
mark() {
  [ "$mark" != "$1" ] || return 0
  echo "$1" >"$MARK.new" && sync && mv "$MARK.new" "$MARK" && mark=$1
}

look() {
  if [ "$role" = master ]; then
    mark "$ME"
    [ $lead = 1 ] || { promotable 0 && lead=1; }
    since=0
    return
  fi
  lead=0
  if [ "$link" = up ] && [ "$sync" = 0 ]; then
    mark "$primary"
    [ $since != 0 ] && [ $((now - seen)) -le $GAP ] || since=$now
    seen=$now
    want=0
    if [ $((now - since)) -ge "$STEP" ]; then
      if [ "$priority" = 100 ]; then
        want=100
        [ -e "$RUN/known" ] || { known 100 && touch "$RUN/known"; }
      elif known; then
        want=100
      fi
    fi
  elif [ "$sync" = 1 ]; then
    since=0 want=0
  else
    want=$priority
  fi
  [ "$want" = "$priority" ] || promotable "$want"
}

# One connection, one answer a second; the last line of an answer sets off the look at it.
watch() {
  now=0 role= link= sync=0 primary= priority=
  "$CLI" -h "$LOCAL" -r -1 -i 1 INFO server replication 2>/dev/null </dev/null | while IFS= read -r line; do
    line=${line%?}
    value=${line#*:}
    case $line in
      server_time_usec:*) now=$((value / 1000000)) ;;
      role:*) role=$value link= sync=0 ;;
      master_host:*) primary=$value ;;
      master_link_status:*) link=$value ;;
      master_sync_in_progress:*) sync=$value ;;
      slave_priority:*) priority=$value ;;
      repl_backlog_histlen:*) look ;;
    esac
  done
}

# A shell that waits for a child in the foreground hears no signal.
trap 'exit 0' TERM
while :; do
  watch &
  wait $!
  sleep 1
done
