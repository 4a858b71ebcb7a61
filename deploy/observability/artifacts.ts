import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

const FILES = fileURLToPath(new URL('../../helm/enc-node/files/', import.meta.url));

/** A query that somebody will make of Prometheus, and where it stands. */
export interface Asked {
  readonly where: string;
  readonly expr: string;
}

interface Dashboard {
  readonly title: string;
  readonly panels: readonly {
    readonly title: string;
    readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
  }[];
}

interface RuleFile {
  readonly groups: readonly {
    readonly rules: readonly { readonly alert?: string; readonly record?: string; readonly expr: string }[];
  }[];
}

const textsIn = (folder: string): string[] =>
  readdirSync(join(FILES, folder)).map((name) => readFileSync(join(FILES, folder, name), 'utf8'));

/** Every query of the dashboards as they are shipped: `page: panel: legend`. */
export function panelQueries(): Asked[] {
  return textsIn('dashboards').flatMap((text) => {
    const { title, panels } = JSON.parse(text) as Dashboard;
    return panels.flatMap((panel) =>
      (panel.targets ?? []).map(({ expr, legendFormat }) => ({
        where: `${title.replace('enc-node / ', '')}: ${panel.title}: ${legendFormat}`,
        expr,
      })),
    );
  });
}

/** Every alert and recording as it is shipped. */
export function ruleQueries(): Asked[] {
  return textsIn('rules').flatMap((text) =>
    (parse(text) as RuleFile).groups.flatMap(({ rules }) =>
      rules.map(({ alert, record, expr }) => ({ where: alert ?? record ?? '', expr })),
    ),
  );
}
