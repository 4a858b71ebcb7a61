#!/bin/sh
# Ready: a primary that answers, or a replica that may be promoted, as the Sentinels know. Updates go on to the next pod only
# then.
. "${0%/*}/lib.sh"
[ -e "$RUN/known" ] && replica=1
ask "$LOCAL" 6379 INFO replication | awk -F: -v replica="${replica:-0}" '
  /^role:master/ { ready = 1 }
  /^slave_priority:/ && $2 > 0 && replica { ready = 1 }
  END { exit !ready }'
