/**
 * Renders the chart (helm/enc-node) into deploy/k8s, in two sizes:
 *
 *   node scripts/manifests.ts             writes the manifests
 *   node scripts/manifests.ts --check     fails if they are not what the chart renders, or if the chart does not lint
 *
 * Without helm (HELM, or in PATH) the check says skipped and ends well.
 */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import manifest from '../package.json' with { type: 'json' };

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CHART = join(ROOT, 'helm', 'enc-node');
/** Of a helm that asks no cluster: the oldest that the chart takes. */
const KUBE_VERSION = '1.28.0';
/** What only a cluster with the Prometheus operator takes is in a file of its own. */
const MONITORING = 'templates/monitoring.yaml';

const SIZES = { dev: 'values-dev.yaml', production: 'values-production.yaml' };

const run = promisify(execFile);

function findHelm(): string | null {
  const { HELM, PATH = '', KUBE_HOME = '/var/cache/kube-here' } = process.env;
  if (HELM) return HELM;
  const folders = [...PATH.split(delimiter), join(KUBE_HOME, 'bin')];
  return folders.map((folder) => join(folder, 'helm')).find(existsSync) ?? null;
}

/** Manifests by their path below deploy/k8s. No Secret is among them: whoever applies them makes those (secrets.sh). */
async function render(helm: string): Promise<Map<string, string>> {
  const sizes = Object.entries(SIZES).map(async ([size, values]) => {
    const fixed = [
      '--namespace',
      'enc-node',
      '--kube-version',
      KUBE_VERSION,
      '--no-hooks',
      '--set',
      'secrets.create=false',
    ];
    const args = ['template', 'enc-node', CHART, '--values', join(CHART, values), ...fixed];
    const { stdout } = await run(helm, args, { maxBuffer: 64 * 1024 * 1024 });
    const documents = stdout.split(/^---\n/m).filter((document) => document.trim() !== '');
    const isMonitoring = (document: string): boolean => document.startsWith(`# Source: enc-node/${MONITORING}`);
    return [
      [`${size}/enc-node.yaml`, file(documents.filter((document) => !isMonitoring(document)))],
      [`${size}/monitoring.yaml`, file(documents.filter(isMonitoring))],
    ] as const;
  });
  return new Map((await Promise.all(sizes)).flat().filter(([, text]) => text !== ''));
}

/** Chart templates leave blanks where something was left out. */
function file(documents: readonly string[]): string {
  return documents.map((document) => `---\n${document.trimEnd()}\n`.replace(/[ \t]+$/gm, '')).join('');
}

/** What is wrong with the chart, one sentence each. */
async function faults(helm: string): Promise<string[]> {
  const lint = Object.values(SIZES).map(async (values) => {
    const args = [
      'lint',
      CHART,
      '--strict',
      '--quiet',
      '--kube-version',
      KUBE_VERSION,
      '--values',
      join(CHART, values),
    ];
    return run(helm, args).then(
      () => [],
      (error: { stdout: string; stderr: string }) => [`helm lint with ${values}:\n${error.stdout}${error.stderr}`],
    );
  });
  const stale = [...(await render(helm))].flatMap(([path, text]) => {
    const there = join(ROOT, 'deploy', 'k8s', path);
    return existsSync(there) && readFileSync(there, 'utf8') === text
      ? []
      : [`deploy/k8s/${path} is not what the chart renders`];
  });
  if (stale.length > 0) stale.push('run node scripts/manifests.ts, and look at what has changed');
  return [...(await Promise.all(lint)).flat(), ...versions(), ...stale];
}

/** The chart says which version of the program it installs. */
function versions(): string[] {
  const text = readFileSync(join(CHART, 'Chart.yaml'), 'utf8');
  const found = /^appVersion: "?([^"\n]+)"?$/m.exec(text)?.[1];
  return found === manifest.version
    ? []
    : [`helm/enc-node/Chart.yaml has appVersion ${found}, package.json ${manifest.version}`];
}

const helm = findHelm();
if (process.argv.includes('--check')) {
  const wrong = helm === null ? versions() : await faults(helm);
  for (const fault of wrong) console.log(fault);
  if (wrong.length === 0 && helm === null)
    console.log('skipped: helm is not installed (https://helm.sh), so deploy/k8s was not compared with the chart');
  process.exit(wrong.length === 0 ? 0 : 1);
}
if (helm === null) {
  console.error('helm is not installed: see https://helm.sh, or set HELM to where it is');
  process.exit(1);
}
for (const [path, text] of await render(helm)) {
  writeFileSync(join(ROOT, 'deploy', 'k8s', path), text);
  console.log(`deploy/k8s/${path}`);
}
