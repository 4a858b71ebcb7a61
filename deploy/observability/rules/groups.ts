import type { Alert } from './alert.ts';
import { BURN_ALERTS } from './burn-alerts.ts';
import { CAPACITY_ALERTS } from './capacity-alerts.ts';
import { CLUSTER_ALERTS } from './cluster-alerts.ts';
import { RECORDINGS } from './objectives.ts';
import { SAFETY_ALERTS } from './safety-alerts.ts';
import { STORE_ALERTS } from './store-alerts.ts';

/** Where runbooks are, as rules say it; the chart puts an address in place of the folder, if it is given one. */
const RUNBOOKS = 'docs/runbooks/alerts.md';

const ALERTS = [...BURN_ALERTS, ...CLUSTER_ALERTS, ...SAFETY_ALERTS, ...STORE_ALERTS, ...CAPACITY_ALERTS] as const;
export type AlertName = (typeof ALERTS)[number]['alert'];
export const ALERT_NAMES: readonly AlertName[] = ALERTS.map(({ alert }) => alert);

/** The anchor of an alert's section in the page of runbooks. */
export const anchorOf = (name: string): string => name.toLowerCase();

const alerting = ({ alert, expr, for: held, severity, summary, description }: Alert) => ({
  alert,
  expr,
  ...(held === undefined ? {} : { for: held }),
  labels: { severity },
  annotations: { summary, description, runbook_url: `${RUNBOOKS}#${anchorOf(alert)}` },
});

/** Rule files by name, as Prometheus reads them. */
export const RULE_FILES = {
  objectives: {
    groups: [
      { name: 'enc-objectives', interval: '30s', rules: RECORDINGS },
      { name: 'enc-burn', rules: BURN_ALERTS.map(alerting) },
    ],
  },
  alerts: {
    groups: [
      { name: 'enc-cluster', rules: CLUSTER_ALERTS.map(alerting) },
      { name: 'enc-safety', rules: SAFETY_ALERTS.map(alerting) },
      { name: 'enc-stores', rules: STORE_ALERTS.map(alerting) },
      { name: 'enc-capacity', rules: CAPACITY_ALERTS.map(alerting) },
    ],
  },
};
