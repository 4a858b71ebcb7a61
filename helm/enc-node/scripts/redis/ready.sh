#!/bin/sh
# Ready: a primary that answers, or a replica that may be promoted. Updates go on to the next pod only then.
. "${0%/*}/lib.sh"
ask "$LOCAL" 6379 INFO replication | awk -F: '
  /^role:master/ { ready = 1 }
  /^slave_priority:/ && $2 > 0 { ready = 1 }
  END { exit !ready }'
