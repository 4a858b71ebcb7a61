/** An alert, and what is said with it. Summary and description may use Prometheus' templates. */
export interface Alert {
  readonly alert: string;
  readonly expr: string;
  /** how long it must be so; none: at once */
  readonly for?: string;
  /** critical: somebody is called; warning: somebody looks on the next working day */
  readonly severity: 'critical' | 'warning';
  readonly summary: string;
  readonly description: string;
}

/** Where it happened: outside Kubernetes there is no namespace. */
export const WHERE = '{{ with $labels.namespace }} in {{ . }}{{ end }}';
/** `expr`, of processes of this product alone: other Node processes have metrics of the same names. */
export const ours = (expr: string): string => `${expr} and on (job, instance) enc_build_info`;
/** How much a counter has grown, by process. */
export const grown = (selector: string, window: string): string =>
  `sum by (namespace, job, instance) (increase(${selector}[${window}]))`;
