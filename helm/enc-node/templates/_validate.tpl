{{/* What values.schema.json can't say: rules between values. Each failure is one sentence that says what to set. */}}
{{- define "enc.validate" -}}
{{- $worked := list "ENC_HOST" "ENC_PORT" "ENC_OPS_HOST" "ENC_OPS_PORT" "ENC_DATA" "ENC_KEYS_DIR" "ENC_LOG_DIR" "ENC_GUARD_DIR" "ENC_ARCHIVE_DIR" "ENC_SHARD" "ENC_SHARDS" "ENC_LOG_REDIS" "ENC_GUARD_REDIS" "ENC_TOPOLOGY_URL" "ENC_ALLOW_SHARED_REDIS" "ENC_ALLOW_UNSAFE_REDIS" "ENC_LINK_HOST" "ENC_LINK_PORT" "ENC_LINK_URL" "ENC_LINK_SECRET" "ENC_LINK_CERT" "ENC_LINK_KEY" "ENC_LINK_CA" "ENC_ADMIN_TOKEN" "ENC_LAME_DUCK_MS" -}}
{{- range $where, $settings := dict "settings" .Values.settings "router.settings" .Values.router.settings "shard.settings" .Values.shard.settings -}}
{{- range $name, $_ := $settings -}}
{{- if has $name $worked -}}
{{- fail (printf "\n\n%s.%s can not be set: the chart works it out from its other values; take it out of %s.\n" $where $name $where) -}}
{{- end -}}
{{- if not (regexMatch "^(ENC|OTEL|AWS|NODE)_[A-Z0-9_]+$" $name) -}}
{{- fail (printf "\n\n%s.%s is no setting: names are those of environment variables, such as ENC_LOG_LEVEL.\n" $where $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $row := list
  (list "image.repository" "^[a-z0-9][a-zA-Z0-9._/:-]*$" "the name of an image without its tag, such as registry.example.org/enc-node")
  (list "image.tag" "^([A-Za-z0-9_][A-Za-z0-9_.-]*)?$" "a tag, such as 0.1.0, or \"\" for the chart's own")
  (list "image.digest" "^(sha256:[0-9a-f]{64})?$" "sha256: and 64 hex digits, or \"\"")
  (list "redis.image.repository" "^[a-z0-9][a-zA-Z0-9._/:-]*$" "the name of an image without its tag, such as valkey/valkey")
  (list "redis.image.tag" "^[A-Za-z0-9_][A-Za-z0-9_.-]*$" "a tag, such as 8.1")
  (list "redis.image.digest" "^(sha256:[0-9a-f]{64})?$" "sha256: and 64 hex digits, or \"\"")
  (list "nameOverride" "^([a-z]([-a-z0-9]*[a-z0-9])?)?$" "lower-case letters, digits and hyphens, a letter first, or \"\"")
  (list "fullnameOverride" "^([a-z]([-a-z0-9]*[a-z0-9])?)?$" "lower-case letters, digits and hyphens, a letter first, or \"\"")
  (list "clusterDomain" "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$" "the DNS domain of the cluster, such as cluster.local")
  (list "listenAddress" "^[0-9a-fA-F.:]+$" "an address to listen on: 0.0.0.0, or ::")
  (list "archive.place" "^(s3://[^/\\s]+(/\\S*)?|/archive(/\\S*)?)?$" "s3://bucket/prefix, a folder below /archive, or \"\" for no archive")
  (list "metrics.serviceMonitor.interval" "^[0-9]+(ms|s|m)$" "a time, such as 15s")
  (list "router.podDisruptionBudget.maxUnavailable" "^([1-9][0-9]*|[1-9][0-9]?%|100%)$" "a number of pods, or a percentage, of 1 or more: with 0 no node could ever be drained")
  (list "shard.podDisruptionBudget.maxUnavailable" "^([1-9][0-9]*|[1-9][0-9]?%|100%)$" "a number of pods, or a percentage, of 1 or more: with 0 no node could ever be drained")
  (list "redis.log.existing.url" "^((rediss?|sentinels?)://\\S+)?$" "redis://host:port, rediss://host:port, sentinel://host:port,host:port/name, or \"\"")
  (list "redis.guard.existing.url" "^((rediss?|sentinels?)://\\S+)?$" "redis://host:port, rediss://host:port, sentinel://host:port,host:port/name, or \"\"")
  (list "redis.log.persistence.size" "^[0-9]+(\\.[0-9]+)?(k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)$" "a size, such as 20Gi")
  (list "redis.guard.persistence.size" "^[0-9]+(\\.[0-9]+)?(k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)$" "a size, such as 2Gi")
-}}
{{- $value := $.Values -}}
{{- range splitList "." (index $row 0) -}}{{- $value = index $value . -}}{{- end -}}
{{- if not (regexMatch (index $row 1) (toString $value)) -}}
{{- fail (printf "\n\n%s is %q: set it to %s.\n" (index $row 0) (toString $value) (index $row 2)) -}}
{{- end -}}
{{- end -}}
{{- range $where, $resources := dict "router" .Values.router.resources "shard" .Values.shard.resources "redis.log" .Values.redis.log.resources "redis.guard" .Values.redis.guard.resources "redis.sentinel" .Values.redis.sentinel.resources -}}
{{- range $kind, $quantities := $resources -}}
{{- if kindIs "map" $quantities -}}
{{- range $name, $quantity := $quantities -}}
{{- if not (regexMatch "^[0-9]+(\\.[0-9]+)?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$" (toString $quantity)) -}}
{{- fail (printf "\n\n%s.resources.%s.%s is %q: set it to a quantity, such as 500m or 2Gi.\n" $where $kind $name (toString $quantity)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with .Values.router.autoscaling -}}
{{- if and .enabled (gt (int .minReplicas) (int .maxReplicas)) -}}
{{- fail (printf "\n\nrouter.autoscaling.minReplicas (%v) is more than maxReplicas (%v): set maxReplicas to at least as much.\n" .minReplicas .maxReplicas) -}}
{{- end -}}
{{- end -}}
{{- range $store := list "log" "guard" -}}
{{- $values := index $.Values.redis $store -}}
{{- if and $values.existing.url $values.existing.secret -}}
{{- fail (printf "\n\nredis.%s.existing has both url and secret: set one of them, the other to \"\".\n" $store) -}}
{{- end -}}
{{- if eq (int $values.replicas) 1 -}}
{{- fail (printf "\n\nredis.%s.replicas is 1: two Sentinels can not outvote one that is gone; set it to 2 or more, or to 0 for a single server without fail-over.\n" $store) -}}
{{- end -}}
{{- end -}}
{{- if and (not (include "enc.builtIn" (list . "log"))) (eq .Values.redis.log.existing.url .Values.redis.guard.existing.url) .Values.redis.log.existing.url (not .Values.redis.allowShared) -}}
{{- fail "\n\nredis.log.existing.url and redis.guard.existing.url are the same: what destroys one would destroy what shows it; give the guard a server of its own (or set redis.allowShared for trying things out).\n" -}}
{{- end -}}
{{- if and .Values.archive.persistentVolumeClaim (hasPrefix "s3://" .Values.archive.place) -}}
{{- fail "\n\narchive.place is in S3, yet archive.persistentVolumeClaim is set: set one of them to \"\".\n" -}}
{{- end -}}
{{- if and .Values.archive.place (not (hasPrefix "s3://" .Values.archive.place)) (not .Values.archive.persistentVolumeClaim) -}}
{{- fail "\n\narchive.place is a folder: set archive.persistentVolumeClaim to a claim that all shards can write, or archive.place to s3://bucket/prefix.\n" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "\n\ningress.enabled needs a name to listen for: set ingress.hosts, such as [{host: enc.example.org}].\n" -}}
{{- end -}}
{{- if lt (int .Values.shard.terminationGracePeriodSeconds) 30 -}}
{{- fail (printf "\n\nshard.terminationGracePeriodSeconds is %v: a drain takes up to 20 s, and then stores are closed; set it to 30 or more.\n" .Values.shard.terminationGracePeriodSeconds) -}}
{{- end -}}
{{- end -}}
