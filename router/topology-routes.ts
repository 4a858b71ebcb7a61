import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ClusterView } from '../cluster/topology/cluster-view.ts';
import { MAX_SHARDS } from '../cluster/topology/topology.ts';
import type { TopologyStore } from '../cluster/topology/topology-store.ts';
import { errorNumber } from '../protocol/errors.ts';
import { isObject, parseJson } from '../protocol/json.ts';
import type { Exchange } from '../shard/api/api.ts';
import { type DoorModules, HttpExchange } from '../shard/api/http-exchange.ts';
import { errorBytes } from '../shard/enclave/answers.ts';

const UNAUTHORIZED = errorNumber('unauthorized');
const INVALID_JSON = errorNumber('invalid_json');
const INVALID_COMMIT = errorNumber('invalid_commit');
const STATE_MISMATCH = errorNumber('state_mismatch');
const UNAVAILABLE = errorNumber('unavailable');

/** Shards with higher numbers than the topology has are looked for this far: they live until somebody stops them. */
const LEAVING = 256;

export interface TopologyModules extends DoorModules {
  readonly view: ClusterView;
  readonly store: TopologyStore;
}

/**
 * `GET /cluster/topology` and `POST /cluster/topology` `{"shards":n,"version"?}`: how the operator sees and changes the
 * shape of the cluster. `version`: the one that is to be replaced, so that two operators do not undo each other.
 */
export function topologyRoutes(app: FastifyInstance, modules: TopologyModules): void {
  const { view, store } = modules;
  const guarded =
    (work: (exchange: Exchange) => Promise<void>) =>
    (request: FastifyRequest, reply: FastifyReply): void => {
      const exchange = HttpExchange.of(request, reply, modules, 'operator');
      if (!exchange.isAdmin()) return exchange.answer(UNAUTHORIZED, errorBytes(UNAUTHORIZED));
      work(exchange).catch(() => exchange.answer(UNAVAILABLE, errorBytes(UNAVAILABLE)));
    };
  const show = async (exchange: Exchange): Promise<void> => {
    const { topology, beats } = await store.look(Math.max(view.topology.shards, view.topology.before) + LEAVING);
    view.adopt(topology);
    const { version, shards } = topology;
    const leaving = [...beats.keys()].filter((shard) => shard >= shards).sort((a, b) => a - b);
    const members = [...Array.from({ length: shards }, (_, shard) => shard), ...leaving].map((shard) => {
      const beat = beats.get(shard);
      if (!beat) return { shard, alive: false };
      const { url, topology: follows, active, guests, silent } = beat;
      return { shard, alive: true, leaving: shard >= shards, url, topology: follows, active, guests, silent };
    });
    const body = { type: 'Topology', version, shards, members };
    exchange.answer(0, Buffer.from(JSON.stringify(body)));
  };
  app.get('/cluster/topology', guarded(show));
  app.post(
    '/cluster/topology',
    guarded(async (exchange) => {
      const wanted = parse(exchange.body);
      if (typeof wanted === 'number') return exchange.answer(wanted, errorBytes(wanted));
      const { version } = (await store.look(0)).topology;
      const published = version === (wanted.version ?? version) && (await store.publish(version, wanted.shards));
      if (!published) return exchange.answer(STATE_MISMATCH, errorBytes(STATE_MISMATCH));
      await show(exchange);
    }),
  );
}

function parse(body: Uint8Array): { shards: number; version: number | null } | number {
  const parsed = parseJson(body);
  if (!parsed) return INVALID_JSON;
  if (!isObject(parsed.value)) return INVALID_COMMIT;
  const { shards, version = null, ...rest } = Object.fromEntries(parsed.value);
  if (Object.keys(rest).length > 0 || typeof shards !== 'number' || shards < 1 || shards > MAX_SHARDS)
    return INVALID_COMMIT;
  if (version !== null && typeof version !== 'number') return INVALID_COMMIT;
  return { shards, version };
}
