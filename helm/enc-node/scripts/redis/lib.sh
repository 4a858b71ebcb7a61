# Shared by the scripts of a Redis pod. Variables: STORE (its name in Sentinel), ME (this pod's host name), SERVERS (host
# names of all pods of the store, blanks between), SERVER and CLI (programs). The CLI takes the password from REDISCLI_AUTH.

COUNT=$(set -- $SERVERS; echo $#)
MAJORITY=$((COUNT / 2 + 1))
DATA=${DATA:-/data}
RUN=${RUN:-/run/redis}
# One address to listen on instead of all.
LOCAL=${LISTEN:-127.0.0.1}
BIND=${LISTEN:-"* -::*"}
# Which server this one last knew to be the primary, itself included (warden.sh).
MARK=$DATA/primary

say() { echo "$STORE: $*"; }

# ask HOST PORT COMMAND…: the answer, within 2 s, or nothing.
ask() {
  ask_host=$1 ask_port=$2
  shift 2
  timeout 2 "$CLI" -h "$ask_host" -p "$ask_port" "$@" 2>/dev/null </dev/null | tr -d '\r'
}

# The server that most Sentinels name as the primary. Fails when no majority agrees.
named() {
  for host in $SERVERS; do
    ask "$host" 26379 SENTINEL GET-MASTER-ADDR-BY-NAME "$STORE" | head -n 1
  done | grep -v '^$' | sort | uniq -c | sort -rn | {
    read -r votes host && [ "$votes" -ge "$MAJORITY" ] && echo "$host"
  }
}

others() {
  for host in $SERVERS; do [ "$host" = "$ME" ] || echo "$host"; done
}

# known [PRIORITY]: does a majority of the Sentinels list this server as a replica, with this priority? They ask for both
# every 10 s only; one that does not list a replica can't promote it, one that believes that its priority is 0 won't.
known() {
  knowing=0
  for host in $SERVERS; do
    ask "$host" 26379 SENTINEL REPLICAS "$STORE" | awk -v me="$ME" -v wanted="${1:-}" '
      $0 == "name" { mine = 0 }
      $0 == "ip" { getline; mine = $0 == me }
      $0 == "slave-priority" { getline; if (mine && (wanted == "" || $0 == wanted)) found = 1 }
      END { exit !found }' && knowing=$((knowing + 1))
  done
  [ "$knowing" -ge "$MAJORITY" ]
}

# A password as a value of a configuration file.
quoted() { printf '"%s"' "$(printf %s "$1" | sed 's/[\\"]/\\&/g')"; }
