{{- define "enc.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* Room is left for "-redis-guard-2" in names of at most 63 letters. */}}
{{- define "enc.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "enc.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "enc.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What pods are selected by: (list . COMPONENT). Never changes in the life of a release. */}}
{{- define "enc.selector" -}}
{{- $root := first . -}}
app.kubernetes.io/name: {{ include "enc.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ last . }}
{{- end -}}

{{- define "enc.labels" -}}
{{- $root := first . -}}
{{ include "enc.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: enc-node
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* (list IMAGE TAG): repository:tag, or repository@digest */}}
{{- define "enc.image" -}}
{{- $image := first . -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default (last .) $image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "enc.nodeImage" -}}
image: {{ include "enc.image" (list .Values.image .Chart.AppVersion) | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end -}}

{{- define "enc.redisImage" -}}
image: {{ include "enc.image" (list .Values.redis.image "latest") | quote }}
imagePullPolicy: {{ .Values.redis.image.pullPolicy }}
{{- end -}}

{{- define "enc.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "enc.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* The user is the image's "node". */}}
{{- define "enc.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "enc.redisPodSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .Values.redis.user }}
runAsGroup: {{ .Values.redis.group }}
fsGroup: {{ .Values.redis.group }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "enc.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* (list . COMPONENT VALUES): where pods of a component go */}}
{{- define "enc.placement" -}}
{{- $root := index . 0 -}}{{- $component := index . 1 -}}{{- $values := index . 2 -}}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if $values.affinity }}
affinity:
  {{- toYaml $values.affinity | nindent 2 }}
{{- else if eq (default "none" $values.antiAffinity) "hard" }}
affinity:
  podAntiAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      - topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- include "enc.selector" (list $root $component) | nindent 12 }}
{{- else if eq (default "none" $values.antiAffinity) "soft" }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "enc.selector" (list $root $component) | nindent 14 }}
{{- end }}
topologySpreadConstraints:
{{- if $values.topologySpreadConstraints }}
  {{- toYaml $values.topologySpreadConstraints | nindent 2 }}
{{- else }}
{{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "enc.selector" (list $root $component) | nindent 8 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* (list . COMPONENT) */}}
{{- define "enc.disruptionBudget" -}}
{{- $root := first . -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "enc.fullname" $root }}-{{ last . }}
  labels:
    {{- include "enc.labels" . | nindent 4 }}
spec:
  # A pod that does not run anyway is no reason to keep its node.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "enc.selector" . | nindent 6 }}
{{- end -}}

{{/* Names of Secrets: (list . KIND), KIND one of masterKey, link, adminToken */}}
{{- define "enc.secretName" -}}
{{- $root := first . -}}{{- $kind := last . -}}
{{- $suffix := get (dict "masterKey" "master-key" "link" "link" "adminToken" "admin") $kind -}}
{{- default (printf "%s-%s" (include "enc.fullname" $root) $suffix) (index $root.Values.secrets $kind).existingSecret -}}
{{- end -}}

{{/* Is a Redis of the chart's own? (list . STORE), STORE log or guard: "yes" or nothing */}}
{{- define "enc.builtIn" -}}
{{- $existing := (index (first .).Values.redis (last .)).existing -}}
{{- if not (or $existing.url $existing.secret) -}}yes{{- end -}}
{{- end -}}

{{- define "enc.redisName" -}}
{{- printf "%s-redis-%s" (include "enc.fullname" (first .)) (last .) -}}
{{- end -}}

{{- define "enc.redisSecretName" -}}
{{- $auth := (index (first .).Values.redis (last .)).auth -}}
{{- default (include "enc.redisName" .) $auth.existingSecret -}}
{{- end -}}

{{/* Host names of all servers of a store: pod 0 first, blanks between */}}
{{- define "enc.redisHosts" -}}
{{- $root := first . -}}{{- $name := include "enc.redisName" . -}}
{{- $hosts := list -}}
{{- range $i := until (int (add1 (index $root.Values.redis (last .)).replicas)) -}}
{{- $hosts = append $hosts (printf "%s-%d.%s.%s.svc.%s" $name $i $name $root.Release.Namespace $root.Values.clusterDomain) -}}
{{- end -}}
{{- join " " $hosts -}}
{{- end -}}

{{/* Address of a store as a variable: (list . VARIABLE STORE) */}}
{{- define "enc.redisUrl" -}}
{{- $root := index . 0 -}}{{- $variable := index . 1 -}}{{- $store := index . 2 -}}
{{- $values := index $root.Values.redis $store -}}
{{- $at := list $root $store -}}
{{- if include "enc.builtIn" $at -}}
{{- $password := printf "%s_PASSWORD" $variable -}}
- name: {{ $password }}
  valueFrom:
    secretKeyRef:
      name: {{ include "enc.redisSecretName" $at }}
      key: {{ $values.auth.key }}
- name: {{ $variable }}
{{- $hosts := splitList " " (include "enc.redisHosts" $at) }}
{{- if $values.replicas }}
  value: sentinel://:$({{ $password }})@{{ join ":26379," $hosts }}:26379/{{ $store }}?sentinel-password=$({{ $password }})
{{- else }}
  value: redis://:$({{ $password }})@{{ first $hosts }}:6379
{{- end }}
{{- else if $values.existing.secret -}}
- name: {{ $variable }}
  valueFrom:
    secretKeyRef:
      name: {{ $values.existing.secret }}
      key: {{ $values.existing.key }}
{{- else -}}
- name: {{ $variable }}
  value: {{ $values.existing.url | quote }}
{{- end -}}
{{- end -}}

{{/* Settings of users as variables: (list COMMON OWN); own ones win */}}
{{- define "enc.settings" -}}
{{- $settings := merge (dict) (last .) (first .) -}}
{{- range $name, $value := $settings }}
- name: {{ $name }}
  {{- /* Helm reads numbers as floating point: 10000000 would be 1e+07. */}}
  value: {{ kindIs "float64" $value | ternary ($value | int64 | toString) ($value | toString) | quote }}
{{- end }}
{{- end -}}

{{/* Files of the link: the volume */}}
{{- define "enc.linkVolume" -}}
- name: link
  projected:
    defaultMode: 0440
    sources:
      - secret:
          name: {{ include "enc.secretName" (list . "link") }}
          items:
            - key: {{ .Values.secrets.link.key }}
              path: secret
      {{- with .Values.link.tlsSecret }}
      - secret:
          name: {{ . }}
          items:
            - { key: tls.crt, path: tls.crt }
            - { key: tls.key, path: tls.key }
            - { key: ca.crt, path: ca.crt }
      {{- end }}
{{- end -}}

{{- define "enc.linkSettings" -}}
- name: ENC_LINK_SECRET
  value: /etc/enc/link/secret
{{- if .Values.link.tlsSecret }}
- name: ENC_LINK_CERT
  value: /etc/enc/link/tls.crt
- name: ENC_LINK_KEY
  value: /etc/enc/link/tls.key
- name: ENC_LINK_CA
  value: /etc/enc/link/ca.crt
{{- end }}
{{- end -}}

{{/* Where the CLI's pods find the cluster */}}
{{- define "enc.cliSettings" -}}
- name: ENC_REMOTE
  value: http://{{ include "enc.fullname" . }}-router.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}:{{ .Values.router.service.port }}
- name: ENC_ADMIN_TOKEN
  valueFrom:
    secretKeyRef:
      name: {{ include "enc.secretName" (list . "adminToken") }}
      key: {{ .Values.secrets.adminToken.key }}
- name: XDG_CONFIG_HOME
  value: /tmp
{{- end -}}

{{- define "enc.probes" -}}
startupProbe:
  httpGet: { path: /healthz, port: ops }
  periodSeconds: 1
  timeoutSeconds: 2
  failureThreshold: 120
livenessProbe:
  httpGet: { path: /healthz, port: ops }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { path: /readyz, port: ops }
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 2
{{- end -}}

{{/* Egress rules of network policies; redisEgress: (list . COMPONENT) */}}
{{- define "enc.dnsEgress" -}}
- ports:
    - { port: 53, protocol: UDP }
    - { port: 53, protocol: TCP }
{{- end -}}
{{- define "enc.redisEgress" -}}
- ports:
    - port: 6379
    - port: 26379
  to:
    - podSelector:
        matchLabels:
          {{- include "enc.selector" . | nindent 10 }}
{{- end -}}
{{- define "enc.outsideEgress" -}}
# Redis servers of yours, or S3, at addresses that the chart does not know: set networkPolicy.extraEgress to name them.
- to:
    - ipBlock: { cidr: 0.0.0.0/0 }
    - ipBlock: { cidr: "::/0" }
{{- end -}}

{{/* What the scripts of a Redis pod are told: (list . STORE) */}}
{{- define "enc.redisEnv" -}}
{{- $root := first . -}}{{- $name := include "enc.redisName" . -}}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: STORE
  value: {{ last . }}
- name: ME
  value: $(POD_NAME).{{ $name }}.{{ $root.Release.Namespace }}.svc.{{ $root.Values.clusterDomain }}
- name: SERVERS
  value: {{ include "enc.redisHosts" . }}
- name: SERVER
  value: {{ $root.Values.redis.command.server }}
- name: CLI
  value: {{ $root.Values.redis.command.cli }}
- name: DOWN_AFTER_MS
  value: {{ $root.Values.redis.sentinel.downAfterMs | int | quote }}
- name: FAILOVER_TIMEOUT_MS
  value: {{ $root.Values.redis.sentinel.failoverTimeoutMs | int | quote }}
- name: REDISCLI_AUTH
  valueFrom:
    secretKeyRef:
      name: {{ include "enc.redisSecretName" . }}
      key: {{ (index $root.Values.redis (last .)).auth.key }}
{{- end -}}

{{- define "enc.redisMounts" -}}
- { name: data, mountPath: /data }
- { name: scripts, mountPath: /scripts, readOnly: true }
- { name: run, mountPath: /run/redis }
{{- end -}}
