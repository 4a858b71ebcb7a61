import { type Alert, grown, WHERE } from './alert.ts';

/** What stays at zero on a healthy node. */
export const SAFETY_ALERTS = [
  {
    alert: 'EncEnclaveRegressed',
    expr: 'sum by (namespace) (increase(enc_regressed_opens_total[15m])) > 0',
    severity: 'critical',
    summary: `An enclave has lost events${WHERE}`,
    description: 'Its log lacks what was released, so it is not opened. The shard’s log names it.',
  },
  {
    alert: 'EncOpenFailures',
    expr: `${grown('enc_open_failures_total', '15m')} > 0`,
    severity: 'warning',
    summary: 'Enclaves can not be opened: {{ $labels.instance }}',
    description: 'Damage, or a store that does not answer. The shard’s log says which enclave and why.',
  },
  {
    alert: 'EncAppendsUnknown',
    expr: `${grown('enc_append_failures_total{result="unknown"}', '5m')} > 0`,
    severity: 'warning',
    summary: 'Appends without an outcome: {{ $labels.instance }}',
    description: 'The log did not say that batches are durable. Nothing was acknowledged; clients send again.',
  },
  {
    alert: 'EncGuardFailures',
    expr: `sum by (namespace, job, instance, result) (increase(enc_guard_failures_total[5m])) > 0`,
    severity: 'warning',
    summary: 'Watermarks were not moved ({{ $labels.result }}): {{ $labels.instance }}',
    description: 'What was appended is not released before the enclave is opened again; clients send again.',
  },
  {
    alert: 'EncCheckpointFailures',
    expr: `${grown('enc_checkpoint_failures_total', '15m')} > 0`,
    severity: 'warning',
    summary: 'Checkpoints are not written: {{ $labels.instance }}',
    description: 'Enclaves open more slowly, and their log is not trimmed.',
  },
  {
    alert: 'EncClockSkew',
    expr: `${grown('enc_clock_skew_alarms_total', '1h')} > 0`,
    severity: 'warning',
    summary: 'A clock is behind: {{ $labels.instance }}',
    description: 'Enclaves were opened whose last event lies ahead of the clock of this machine.',
  },
  {
    alert: 'EncInternalErrors',
    expr: `${grown('enc_errors_total{code="internal"}', '15m')} > 0`,
    severity: 'warning',
    summary: 'Unexpected faults: {{ $labels.job }} {{ $labels.instance }}',
    description: 'Calls were answered `internal`. The log has the fault with its stack.',
  },
  {
    alert: 'EncCryptoWorkerDied',
    expr: `${grown('enc_crypto_worker_deaths_total', '15m')} > 0`,
    severity: 'warning',
    summary: 'A thread for signatures died: {{ $labels.instance }}',
    description: 'It was replaced, and its work done again. After five in a row the shard stops signing.',
  },
  {
    alert: 'EncSlowSignatures',
    expr: 'enc_build_info{secp256k1=~"wasm|noble"}',
    for: '15m',
    severity: 'warning',
    summary: 'Signatures take many times as long as they could: {{ $labels.instance }}',
    description: 'libsecp256k1 was not found; {{ $labels.secp256k1 }} does its work.',
  },
] as const satisfies readonly Alert[];
