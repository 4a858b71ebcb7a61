import { integer, type Kind, text } from './kinds.ts';

export interface Setting<T> {
  /** environment variable; the flag has the same name: ENC_MAX_BODY is --max-body */
  readonly env: `ENC_${string}`;
  readonly kind: Kind<T>;
  readonly default: T;
  /** shown instead of the default where that is worked out from others */
  readonly shown?: string;
  readonly help: string;
}

export const setting = <T>(
  env: Setting<T>['env'],
  kind: Kind<T>,
  fallback: T,
  help: string,
  shown?: string,
): Setting<T> => ({
  env,
  kind,
  default: fallback,
  help,
  ...(shown === undefined ? {} : { shown }),
});

/** A setting that is worked out from others unless it is given. */
export const optional = <T>(env: Setting<T>['env'], kind: Kind<T>, shown: string, help: string): Setting<T | null> =>
  setting<T | null>(env, kind, null, help, shown);

export const HOST = text(
  'HOST',
  /^[0-9A-Za-z.:_-]{1,255}$/,
  'a host name or an address to listen on, such as 127.0.0.1 or ::',
);
export const PORT = integer(0, 65_535, 'PORT');

/** ENC_MAX_BODY → --max-body */
export function flagOf(env: string): string {
  return `--${env.slice('ENC_'.length).toLowerCase().replaceAll('_', '-')}`;
}

export function offOr(kind: Kind<number>): Kind<number | 'off'> {
  return { ...kind, wanted: `${kind.wanted}, or off`, parse: (value) => (value === 'off' ? 'off' : kind.parse(value)) };
}
