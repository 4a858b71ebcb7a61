import { parser } from '@prometheus-io/lezer-promql';

/** A selector of a query: a metric, and the labels that are asked of it. */
export interface Selector {
  readonly metric: string;
  /** `name`, the operator as it stands, and the value without quotes */
  readonly matchers: readonly { readonly label: string; readonly op: string; readonly value: string }[];
}

export interface Query {
  readonly selectors: readonly Selector[];
  /** labels that results are grouped, joined or completed by */
  readonly labels: readonly string[];
}

/** Dashboards put these in before Prometheus sees a query. */
const VARIABLES: readonly (readonly [RegExp, string])[] = [
  [/\$__rate_interval/g, '5m'],
  [/\$\w+/g, '.*'],
];

/** What a query asks for, by Prometheus' own grammar. Throws with the place where it is none. */
export function readQuery(text: string): Query {
  const query = VARIABLES.reduce((given, [variable, value]) => given.replace(variable, value), text);
  const selectors: { metric: string; matchers: { label: string; op: string; value: string }[] }[] = [];
  const labels: string[] = [];
  parser.parse(query).iterate({
    enter: ({ name, from, to, node }) => {
      const at = (child: string): string => {
        const found = node.getChild(child);
        return found ? query.slice(found.from, found.to) : '';
      };
      if (name === '⚠') throw new Error(`no PromQL at ${from}: ${query.slice(Math.max(0, from - 20), to + 20)}`);
      if (name === 'VectorSelector') selectors.push({ metric: at('Identifier'), matchers: [] });
      if (name === 'UnquotedLabelMatcher')
        selectors.at(-1)?.matchers.push({
          label: at('LabelName'),
          op: at('MatchOp'),
          value: at('StringLiteral').slice(1, -1),
        });
      if (name === 'LabelName' && node.parent?.name === 'GroupingLabels') labels.push(query.slice(from, to));
    },
  });
  return { selectors, labels: [...new Set(labels)] };
}
