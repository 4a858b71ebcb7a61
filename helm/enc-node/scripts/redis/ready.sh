#!/bin/sh
# Ready: a primary that answers, or a replica that may be promoted. Updates go on to the next pod only then.
. /scripts/lib.sh
ask 127.0.0.1 6379 INFO replication | awk -F: '
  /^role:master/ { ready = 1 }
  /^slave_priority:/ && $2 > 0 { ready = 1 }
  END { exit !ready }'
