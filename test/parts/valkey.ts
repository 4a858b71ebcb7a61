/**
 * Valkey, which has WAITAOF: from the PATH, else from Debian's backports, unpacked into a folder of its own and not
 * installed. `missing` says why it is not here: pass it as a test's `skip`.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { delimiter, join } from 'node:path';

const UNPACKED = join(tmpdir(), `enc-valkey-${userInfo().uid}`);
const APT_MS = 60_000;
const BACKPORTS = 'http://deb.debian.org/debian bookworm-backports main';
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

const found = find();
/** false when Valkey is here, else the sentence for `skip`. */
export const missing: string | false = 'missing' in found ? found.missing : false;
/** path of valkey-server */
export const valkey = 'binary' in found ? found.binary : '';

function find(): { binary: string } | { missing: string } {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter))
    if (existsSync(join(folder, 'valkey-server'))) return { binary: join(folder, 'valkey-server') };
  const binary = join(UNPACKED, 'usr/bin/valkey-server');
  try {
    if (!existsSync(binary)) unpack();
    execFileSync(binary, ['--version'], { timeout: APT_MS, stdio: 'ignore' });
    return { binary };
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    return { missing: `valkey-server is not here and Debian's packages of it could not be used (${reason})` };
  }
}

/** With lists and cache of its own: neither root nor the machine's sources are needed, and both stay as they are. */
function unpack(): void {
  const work = mkdtempSync(join(tmpdir(), 'enc-valkey-'));
  try {
    for (const folder of ['lists/partial', 'cache/archives/partial', 'root'])
      mkdirSync(join(work, folder), { recursive: true });
    writeFileSync(join(work, 'sources.list'), `deb [signed-by=${KEYRING}] ${BACKPORTS}\n`);
    const options = {
      'Dir::Etc::SourceList': join(work, 'sources.list'),
      'Dir::Etc::SourceParts': '/dev/null',
      'Dir::State::Lists': join(work, 'lists'),
      'Dir::Cache': join(work, 'cache'),
      'APT::Sandbox::User': userInfo().username,
    };
    const apt = (...args: string[]): void => {
      const flags = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
      execFileSync('apt-get', [...flags, ...args], { cwd: work, timeout: APT_MS, stdio: ['ignore', 'ignore', 'pipe'] });
    };
    apt('update');
    apt('download', 'valkey-server', 'valkey-tools');
    for (const file of readdirSync(work))
      if (file.endsWith('.deb')) execFileSync('dpkg', ['-x', file, 'root'], { cwd: work, timeout: APT_MS });
    // Another test may have been faster.
    if (!existsSync(UNPACKED)) renameSync(join(work, 'root'), UNPACKED);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
