#!/bin/sh
# Makes what a cluster's processes share, where it is not there yet: the secret from which sequencer keys derive, the one by
# which routers and shards know each other, and the operator's token. Files appear whole or not at all.
set -eu
umask 077
folder=${1:-/data/keys}
mkdir -p "$folder"

random() { head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }

# make NAME: from standard input, unless there is one already.
make() {
  if [ -s "$folder/$1" ]; then
    cat >/dev/null
    echo "$1 is there"
    return
  fi
  cat >"$folder/$1.new"
  sync "$folder/$1.new"
  mv "$folder/$1.new" "$folder/$1"
  echo "$1 made"
}

printf '{"format":1,"versions":[{"version":1,"secret":"%s"}]}\n' "$(random)" | make master.json
printf '%s\n' "$(random)" | make link-secret
printf '%s\n' "$(random)" | make admin-token
