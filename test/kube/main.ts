/**
 * `npm run test:kube [-- --quick]` (docs/faults.md): the image, the chart and what operators do to a cluster, on a
 * real Kubernetes, under load from the hammer. The last line is `N checks passed, M failed`; exits 0 only if none failed.
 * Where no cluster can be had it says so and exits 0.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { Checks, Told } from './checks.ts';
import { findPlace } from './find-place.ts';
import { Hammer } from './hammer.ts';
import type { Place } from './place.ts';
import { Release } from './release.ts';
import { ALL, type CarriedOut, QUICK } from './trials.ts';
import { verdict } from './verdict.ts';

const flags = new Command('npm run test:kube --')
  .description(
    'Installs the chart on a real Kubernetes, and breaks and changes it under load. Uses ../shared/kube (ENC_KUBE: another ' +
      'folder), or the cluster of KUBECONFIG with images that it can pull: ENC_KUBE_IMAGE, ENC_KUBE_REDIS_IMAGE (default: ' +
      "the chart's), and ENC_KUBE_URL, where the routers can be reached from here (default: a node port).",
  )
  .option('--quick', 'the smallest cluster, and one trial', false)
  .option('--keep', 'leave everything there to be looked at', false)
  .option('--out <dir>', "where the hammer's report goes", 'data/test-kube')
  .parse()
  .opts<{ quick: boolean; keep: boolean; out: string }>();

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    if (stop.signal.aborted) process.exit(1);
    stop.abort(new Error(`stopped by ${signal}`));
  });

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const SMALL = ['-f', here('../../helm/enc-node/values-dev.yaml'), '-f', here('values-quick.yaml')];
const plan = flags.quick
  ? { values: SMALL, trials: QUICK, load: { rate: 50, enclaves: 8 } }
  : { values: ['-f', here('values.yaml')], trials: ALL, load: { rate: 50, enclaves: 16 } };

const began = performance.now();
const checks = new Checks();
const found = await findPlace(process.env, flags.quick, stop.signal);
if ('skipped' in found) console.log(`skipped: ${found.skipped}`);
else {
  await onCluster(found.place);
  console.log(`took ${((performance.now() - began) / 1000).toFixed(0)} s`);
  console.log(String(checks));
  process.exitCode = checks.ok ? 0 : 1;
}

async function onCluster(place: Place): Promise<void> {
  const folder = resolve(flags.out);
  mkdirSync(folder, { recursive: true });
  const release = new Release(place, `enc-test-${randomBytes(3).toString('hex')}`, stop.signal);
  console.log(`on ${place.name}, in namespace ${release.namespace}`);
  try {
    const images = await checks.step('images built and known to the cluster', () => place.images(stop.signal));
    const values = [...plan.values, ...images, ...place.exposing];
    await checks.step('helm install: every part is ready', () => release.install(values));
    await checks.step('helm test', () => release.test());
    await underLoad(place, release, folder);
    await checks.step('helm uninstall leaves volumes and the master key, and nothing that runs', () =>
      uninstalled(release),
    );
  } catch (error) {
    if (!(error instanceof Told)) throw error;
    await tellState(place, release);
  } finally {
    if (flags.keep) console.log(`kept: namespace ${release.namespace}`);
    else await cleanUp(place, release.namespace);
  }
}

async function underLoad(place: Place, release: Release, folder: string): Promise<void> {
  const url = await release.url();
  const hammer = new Hammer({ url, ...plan.load }, (argv) => place.inside(argv), folder);
  try {
    await checks.step(`the hammer offers ${plan.load.rate} commits per second`, () => hammer.begun(stop.signal));
    for (const trial of plan.trials) await checks.step(trial.label, () => carryOut(trial, release, hammer));
    const report = await checks.step('everything acknowledged is read back', () => hammer.judge(stop.signal));
    for (const check of verdict(report, plan.trials)) checks.add(check);
  } finally {
    hammer.kill();
  }
}

async function carryOut(trial: CarriedOut, release: Release, hammer: Hammer): Promise<void> {
  const at = Date.now();
  try {
    await trial.run(release);
  } finally {
    hammer.mark(at, trial.label);
  }
  await hammer.steady(stop.signal);
}

async function uninstalled(release: Release): Promise<void> {
  const keys = (await release.names('secret')).filter((name) => name.endsWith('-master-key'));
  await release.uninstall();
  const secrets = await release.names('secret');
  if (keys.length !== 1 || !secrets.includes(keys[0]!)) throw new Error('the master key is gone');
  if ((await release.names('pvc')).length === 0) throw new Error('the volumes of Redis are gone');
}

/** For whoever has to find out why. */
async function tellState(place: Place, release: Release): Promise<void> {
  const show = { deadline: 30_000 };
  const ask = (...args: string[]): Promise<string> =>
    place.kubectl(['-n', release.namespace, ...args], show).catch((error: unknown) => String(error));
  console.error(await ask('get', 'pods', '-o', 'wide'));
  const events = (await ask('get', 'events', '--sort-by=.lastTimestamp')).trimEnd().split('\n');
  console.error(events.slice(-15).join('\n'));
  console.error(
    await ask('logs', '-l', 'app.kubernetes.io/instance=enc-node', '--all-containers', '--prefix', '--tail=8'),
  );
}

async function cleanUp(place: Place, namespace: string): Promise<void> {
  try {
    await place.kubectl(['delete', 'namespace', namespace, '--ignore-not-found', '--timeout=120s'], {
      deadline: 150_000,
    });
    await place.reclaim(namespace);
    await place.close();
  } catch (error) {
    checks.add({ name: 'cleaned up', wrong: error instanceof Error ? error.message : String(error) });
  }
}
