/** What `-e NAME=VALUE` says; every script has the same names (README.md). Throws, and so ends k6, on what makes no sense. */

/** The node or router under load, without a slash at the end. */
export const NODE_URL: string = text('URL', 'http://127.0.0.1:8080').replace(/\/+$/, '');
/** Admin token, for nodes where not anyone may create enclaves; '' for none. */
export const TOKEN: string = text('TOKEN', '');
/** File that `handleSummary` writes rows into; '' leaves k6's own summary alone. */
export const JSON_FILE: string = text('JSON', '');
/** A file, or the address of `npm run bench -- corpus --serve`. */
export const CORPUS: string = text('CORPUS', 'corpus.ndjson');

export function text(name: string, fallback: string): string {
  return __ENV[name] ?? fallback;
}

/** A number ≥ `least`. */
export function number(name: string, fallback: number, least = 0): number {
  const given = __ENV[name];
  const value = given === undefined ? fallback : Number(given);
  if (given === '' || !(value >= least))
    throw new Error(`-e ${name}=${given}: a number of at least ${least} is needed`);
  return value;
}

/** Seconds of a duration such as 90s, 10m or 2h. */
export function seconds(name: string, fallback: string): number {
  const given = text(name, fallback);
  const found = /^(\d+)(s|m|h)$/.exec(given);
  const value = Number(found?.[1]) * { s: 1, m: 60, h: 3600 }[(found?.[2] ?? 's') as 's' | 'm' | 'h'];
  if (!(value > 0)) throw new Error(`-e ${name}=${given}: a duration such as 30s, 10m or 2h is needed`);
  return value;
}

/** A path as the caller's shell means it: k6 takes it from the script's folder. */
export function fromShell(path: string): string {
  return path.startsWith('/') ? path : `${text('PWD', '.')}/${path}`;
}
