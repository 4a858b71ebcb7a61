import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import * as common from '@grafana/grafana-foundation-sdk/common';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as GraphBuilder } from '@grafana/grafana-foundation-sdk/timeseries';

export type Panel = StatBuilder | GraphBuilder;

/** Of the whole product in a namespace. Outside Kubernetes nothing has that label, and `.*` finds what has none. */
export const ALL = 'namespace=~"$namespace"';
/** Of the processes that are chosen. */
export const CHOSEN = `${ALL},instance=~"$instance"`;
/** What rates are taken over: Grafana makes it fit the graph and the scrape interval. */
export const OVER = '[$__rate_interval]';

const DATASOURCE = { type: 'prometheus', uid: '$' + '{datasource}' };

export interface PanelOptions {
  readonly title: string;
  /** what it shows, and what to think of it */
  readonly help: string;
  /** as Grafana names units: s, bytes, ops, percentunit, short … */
  readonly unit: string;
  /** PromQL by legend, where labels stand as {{label}} */
  readonly queries: Readonly<Record<string, string>>;
  /** columns of 24; default 8 */
  readonly span?: number;
}

export interface GraphOptions extends PanelOptions {
  readonly stacked?: boolean;
  /** end of the axis, where one is known */
  readonly max?: number;
}

/** Lines over time. */
export function graph({ stacked, max, ...options }: GraphOptions): GraphBuilder {
  const panel = dressed(new GraphBuilder(), options)
    .height(8)
    .lineWidth(1)
    .fillOpacity(stacked ? 60 : 10)
    .showPoints(common.VisibilityMode.Never)
    .min(0)
    .legend(
      new common.VizLegendOptionsBuilder()
        .showLegend(true)
        .displayMode(common.LegendDisplayMode.List)
        .placement(common.LegendPlacement.Bottom),
    )
    .tooltip(
      new common.VizTooltipOptionsBuilder().mode(common.TooltipDisplayMode.Multi).sort(common.SortOrder.Descending),
    );
  if (stacked) panel.stacking(new common.StackingConfigBuilder().mode(common.StackingMode.Normal));
  return max === undefined ? panel : panel.max(max);
}

/** One number, green until the first of the thresholds that are given. */
export function stat(options: PanelOptions & { readonly warn?: number; readonly alarm?: number }): StatBuilder {
  const steps: dashboard.Threshold[] = [{ value: null, color: 'green' }];
  if (options.warn !== undefined) steps.push({ value: options.warn, color: 'orange' });
  if (options.alarm !== undefined) steps.push({ value: options.alarm, color: 'red' });
  return dressed(new StatBuilder(), { span: 4, ...options })
    .height(4)
    .graphMode(common.BigValueGraphMode.None)
    .colorMode(common.BigValueColorMode.Value)
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']))
    .thresholds(new dashboard.ThresholdsConfigBuilder().mode(dashboard.ThresholdsMode.Absolute).steps(steps));
}

function dressed<P extends Panel>(panel: P, { title, help, unit, queries, span = 8 }: PanelOptions): P {
  panel.title(title).description(help).unit(unit).span(span).datasource(DATASOURCE);
  for (const [i, [legend, expr]] of Object.entries(queries).entries())
    panel.withTarget(
      new DataqueryBuilder()
        .expr(expr)
        .legendFormat(legend)
        .refId(String.fromCharCode(65 + i))
        .datasource(DATASOURCE),
    );
  return panel;
}

/** Two quantiles of a histogram, by the labels that are given. */
export function quantiles(bucket: string, selector: string, by: readonly string[] = []): Record<string, string> {
  const name = by.map((label) => `{{${label}}} `).join('');
  const of = (q: number): string =>
    `histogram_quantile(${q}, sum by (${[...by, 'le'].join(', ')}) (rate(${bucket}{${selector}}${OVER})))`;
  return { [`${name}p50`]: of(0.5), [`${name}p99`]: of(0.99) };
}

/** A metric that every Node process has, of this product's processes alone. */
export const ours = (expr: string, selector = CHOSEN): string =>
  `${expr} and on (job, instance) enc_build_info{${selector}}`;

export interface Page {
  /** also the name of its file */
  readonly uid: string;
  readonly title: string;
  readonly help: string;
  /** roles (of enc_build_info) that may be chosen among; null: no such choice */
  readonly roles: string | null;
  readonly rows: Readonly<Record<string, readonly Panel[]>>;
}

const variable = (name: string, label: string, query: string): Builder<dashboard.VariableModel> =>
  new dashboard.QueryVariableBuilder(name)
    .label(label)
    .datasource(DATASOURCE)
    .query({ query, refId: name })
    .definition(query)
    .refresh(dashboard.VariableRefresh.OnTimeRangeChanged)
    .sort(dashboard.VariableSort.NaturalAsc)
    .multi(true)
    .includeAll(true)
    .allValue('.*')
    .current({ selected: true, text: 'All', value: '$__all' });

/**
 * A page as Grafana reads it from a file. (The SDK calls this model the older one: it is what every Grafana since 7 reads,
 * and what provisioning and the sidecars of its charts expect.)
 */
export function build({ uid, title, help, roles, rows }: Page): dashboard.Dashboard {
  const page = new dashboard.DashboardBuilder(title)
    .uid(uid)
    .description(help)
    .tags(['enc-node'])
    .timezone('browser')
    .refresh('30s')
    .time({ from: 'now-1h', to: 'now' })
    .tooltip(dashboard.DashboardCursorSync.Crosshair)
    .withVariable(new dashboard.DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'))
    .withVariable(variable('namespace', 'Namespace', 'label_values(enc_build_info, namespace)'))
    .link(
      new dashboard.DashboardLinkBuilder('enc-node')
        .type(dashboard.DashboardLinkType.Dashboards)
        .tags(['enc-node'])
        .keepTime(true)
        .includeVars(true),
    );
  if (roles !== null)
    page.withVariable(
      variable('instance', 'Process', `label_values(enc_build_info{${ALL},role=~"${roles}"}, instance)`),
    );
  let id = 1;
  for (const [name, panels] of Object.entries(rows)) {
    page.withRow(new dashboard.RowBuilder(name).id(id++));
    for (const panel of panels) page.withPanel(panel.id(id++));
  }
  return page.build();
}
