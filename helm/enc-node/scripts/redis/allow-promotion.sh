#!/bin/sh
# For the operator, when the primary and its disk are gone and no replica may be promoted, because all were restarted at
# the same time: run it in the pod whose data is to be taken. What that one lacks is lost; the release guard shows it.
. "${0%/*}/lib.sh"
[ "$(ask "$LOCAL" 6379 CONFIG SET replica-priority 100)" = OK ] || { say "this server does not answer"; exit 1; }
say "this server may be promoted now: the Sentinels will do so"
