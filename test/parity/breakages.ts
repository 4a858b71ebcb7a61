import type { Plain } from './commits.ts';
import type { Fields } from './manifests.ts';

export interface Breakage {
  readonly name: string;
  /** the fault's place (PROTOCOL §4) */
  readonly path: string;
  readonly broken: (manifest: Fields) => Plain;
}

/** `value` with what is at `path` replaced (or removed, for undefined); a path ends in a new key to add one. */
function put(value: Plain, path: readonly string[], next: Plain | undefined): Plain {
  const [key, ...rest] = path;
  if (key === undefined) return next as Plain;
  if (Array.isArray(value)) {
    const copy = [...value];
    copy[Number(key)] = put(copy[Number(key)] ?? null, rest, next);
    return copy;
  }
  const copy: Fields = { ...(value as Fields) };
  if (rest.length === 0 && next === undefined) delete copy[key];
  else copy[key] = put(copy[key] ?? null, rest, next);
  return copy;
}

const at = (path: string, next: Plain | undefined, fault = path, name?: string): Breakage => ({
  name: name ?? `${path} = ${next === undefined ? 'missing' : JSON.stringify(next).slice(0, 40)}`,
  path: fault,
  broken: (manifest) => put(manifest, path.split('/').slice(1), next),
});

const rows = (count: number, row: (index: number) => Plain): Plain[] =>
  Array.from({ length: count }, (_, index) => row(index));
const move = (from: string, to: string): Plain => ({ event: 'Move', from, to, operator: 'Public', ops: ['C'] });
const R = '/RBAC';

/**
 * Every rule of a Manifest's validation, broken in `fullManifest`. The path is where PROTOCOL §4 puts the fault: shapes
 * in order, then names, then In and Out.
 */
export const BREAKAGES: readonly Breakage[] = [
  { name: 'not an object', path: '', broken: () => 'manifest' },
  { name: 'an array', path: '', broken: () => [] },
  at('/enc_v', undefined),
  at('/enc_v', 1),
  at('/enc_v', '2'),
  at('/nonce', 7),
  at('/bundle', []),
  at('/bundle/size', 0),
  at('/bundle/size', 4097),
  at('/bundle/size', '4'),
  at('/bundle/timeout', 99),
  at('/bundle/timeout', 600_001),
  at('/bundle/timeout', null),
  at('/bundle/more', 1),
  at('/sequencer', 'AB'),
  at('/sequencer', 'ab'.repeat(32), '/sequencer', 'another sequencer'),
  at(R, undefined),
  at(R, null),
  at('/extra', 1),
  at('/a~b~1c', 1, '/a~0b~01c', 'unknown key that needs escapes'),
  at(`${R}/extra`, []),
  at(`${R}/states`, 'MEMBER'),
  at(`${R}/states/1`, 'member'),
  at(`${R}/states/1`, 'M'.repeat(65)),
  at(`${R}/states/1`, ''),
  at(
    `${R}/states`,
    rows(256, (i) => `S${i}`),
    `${R}/states`,
    '256 states',
  ),
  at(`${R}/states/1`, 'OUTSIDER', `${R}/states/1`, 'OUTSIDER declared'),
  at(`${R}/states/1`, 'MEMBER', `${R}/states/1`, 'state declared twice'),
  at(`${R}/traits`, {}),
  at(`${R}/traits/1`, 'mod'),
  at(`${R}/traits/1`, 'Mod(2)'),
  at(`${R}/traits/1`, 'mod(02)'),
  at(`${R}/traits/1`, 'mod(1000000000)'),
  at(`${R}/traits/1`, 'mod(-1)'),
  at(`${R}/traits/1`, `${'m'.repeat(65)}(1)`),
  at(
    `${R}/traits`,
    rows(25, (i) => `t${i}(${i})`),
    `${R}/traits`,
    '25 traits',
  ),
  at(`${R}/traits/1`, 'owner(2)', `${R}/traits/1`, 'trait declared twice'),
  at(`${R}/readers`, 1),
  at(`${R}/readers/0`, 'MEMBER'),
  at(`${R}/readers/0/type`, undefined),
  at(`${R}/readers/0/type`, 1),
  at(`${R}/readers/0/type`, 'nobody'),
  at(`${R}/readers/0/reads`, undefined),
  at(`${R}/readers/0/reads`, 'all'),
  at(`${R}/readers/0/reads`, ['ok', 'not ok'], `${R}/readers/0/reads/1`),
  at(`${R}/readers/0/retention`, 'forever'),
  at(`${R}/readers/0/retention`, null),
  at(`${R}/readers/0/more`, 1),
  at(
    `${R}/readers`,
    rows(1025, () => ({ type: 'Public', reads: '*' })),
    `${R}/readers`,
    '1025 rows',
  ),
  at(`${R}/moves/0/event`, 'Moves'),
  at(`${R}/moves/0/from`, undefined),
  at(`${R}/moves/0/from`, 'mod', `${R}/moves/0/from`, 'move from a trait'),
  at(`${R}/moves/0/to`, 'NOWHERE'),
  at(`${R}/moves/0/to`, 'OUTSIDER', `${R}/moves/0/to`, 'from = to'),
  at(`${R}/moves/0/operator`, ['Self']),
  at(`${R}/moves/0/operator`, 'NOBODY'),
  at(`${R}/moves/0/ops`, []),
  at(`${R}/moves/0/ops`, ['C', 'C']),
  at(`${R}/moves/0/ops`, ['R'], `${R}/moves/0/ops/0`),
  at(`${R}/moves/0/alias`, 'a door'),
  at(`${R}/moves/0/alias`, undefined, `${R}/moves/0/alias`, 'gate without alias'),
  at(`${R}/moves/0/gate`, true),
  at(`${R}/moves/0/gate/operator`, 'mod'),
  at(`${R}/moves/0/gate/operator`, undefined),
  at(`${R}/moves/0/gate/operator/1`, 'nobody'),
  at(`${R}/moves/0/gate/open`, 1),
  at(`${R}/moves/0/gate/more`, 1),
  at(`${R}/moves/0/more`, 1),
  at(`${R}/grants/0/event`, 'Move'),
  at(`${R}/grants/0/operator`, 'owner'),
  at(`${R}/grants/0/operator/0`, 'nobody'),
  at(`${R}/grants/0/scope`, undefined),
  at(`${R}/grants/0/scope/0`, 'owner'),
  at(`${R}/grants/0/trait`, undefined),
  at(`${R}/grants/0/trait/0`, 'MEMBER'),
  at(`${R}/grants/0/more`, 1),
  at(`${R}/transfers/0/scope/1`, 'NOWHERE'),
  at(`${R}/transfers/0/trait/0`, 'owner(0)'),
  at(`${R}/slots/0/event`, 'Slot'),
  at(`${R}/slots/0/operator`, 'nobody'),
  at(`${R}/slots/0/ops`, 'C'),
  at(`${R}/slots/0/ops/1`, '__C'),
  at(`${R}/slots/0/ops/1`, 'c'),
  at(`${R}/slots/0/key`, ''),
  at(`${R}/slots/0/key`, 'ä'.repeat(129), `${R}/slots/0/key`, 'key of 258 bytes'),
  at(`${R}/slots/0/more`, 1),
  at(`${R}/lifecycle/0/event`, 'Stop'),
  at(`${R}/lifecycle/0/operator`, 'nobody'),
  at(`${R}/lifecycle/0/ops`, ['C', 'R'], `${R}/lifecycle/0/ops/1`),
  at(`${R}/lifecycle/0/alias`, 'x'),
  at(`${R}/customs/0/event`, 'Move'),
  at(`${R}/customs/0/event`, 'Lanes'),
  at(`${R}/customs/0/event`, 'm'.repeat(65)),
  at(`${R}/customs/0/event`, ''),
  at(`${R}/customs/0/operator`, 'nobody'),
  at(`${R}/customs/1/ops/2`, '_X'),
  at(`${R}/customs/0/alias`, 'door', `${R}/customs/0/gate`, 'two gates of one alias'),
  at(`${R}/customs/0/gate/operator/0`, 'nobody'),
  at(`${R}/customs/0/more`, 1),
  at(`${R}/init/0/identity`, 'me'),
  at(`${R}/init/0/identity`, 'AB'.repeat(32)),
  at(`${R}/init/0/state`, 'owner'),
  at(`${R}/init/0/traits`, undefined),
  at(`${R}/init/0/traits`, ['admin'], `${R}/init/0/traits/0`),
  at(`${R}/init/0/traits`, ['owner', 'owner'], `${R}/init/0/traits/1`),
  at(`${R}/init/0/state`, 'OUTSIDER', `${R}/init/0/traits`, 'OUTSIDER with traits'),
  at(`${R}/init/0/more`, 1),
  {
    name: 'one identity twice',
    path: `${R}/init/1/identity`,
    broken: (m) => put(m, ['RBAC', 'init', '1'], (m['RBAC'] as { init: Fields[] }).init[0] as Plain),
  },
  at(`${R}/moves/0/to`, 'ADMIN', `${R}/states/1`, 'no way out'),
  at(`${R}/moves/1`, move('OUTSIDER', 'MEMBER'), `${R}/states/0`, 'no way out after a move'),
  at(`${R}/moves`, [], '', 'all init-only (valid)'),
  at(`${R}/moves`, [move('MEMBER', 'OUTSIDER'), move('ADMIN', 'OUTSIDER')], '', 'init and out (valid)'),
  at(`${R}/init`, [], `${R}/states/1`, 'no way in'),
  {
    name: 'a name and no way in',
    path: `${R}/slots/0/operator`,
    broken: (m) => put(put(m, ['RBAC', 'init'], []), ['RBAC', 'slots', '0', 'operator'], 'nobody'),
  },
  {
    name: 'a shape behind a name',
    path: `${R}/init/0/state`,
    broken: (m) => put(put(m, ['RBAC', 'init', '0', 'state'], 1), ['RBAC', 'readers', '0', 'type'], 'nobody'),
  },
];
