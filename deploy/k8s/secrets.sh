#!/bin/sh
# Makes the Secrets that the manifests beside it need, in a namespace: secrets.sh [NAMESPACE], default enc-node. What is
# there already stays as it is, so it may be called again. Needs kubectl and openssl.
set -eu
namespace=${1:-enc-node}

# secret NAME KEY VALUE
secret() {
  if kubectl -n "$namespace" get secret "$1" >/dev/null 2>&1; then
    echo "secret/$1 is there"
    return
  fi
  # Through a pipe: a command line can be seen by others on this machine.
  kubectl create -f - <<JSON
{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "$1", "namespace": "$namespace"}, "immutable": true,
 "stringData": {"$2": "$3"}}
JSON
}
random() { openssl rand -hex 32; }

secret enc-node-master-key master.json "{\\\"format\\\":1,\\\"versions\\\":[{\\\"version\\\":1,\\\"secret\\\":\\\"$(random)\\\"}]}"
secret enc-node-link link-secret "$(random)"
secret enc-node-admin token "$(random)"
secret enc-node-redis-log password "$(random)"
secret enc-node-redis-guard password "$(random)"
echo "Save enc-node-master-key where only you can read it: without it no enclave can be continued."
