import { readFileSync } from 'node:fs';
import { HttpLane } from './http-lane.ts';

/** What the parent sends by IPC, once. */
export interface LoadJob {
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** file of bodies, one a line; null: no body, `count` requests */
  readonly bodies: string | null;
  readonly count: number;
  readonly connections: number;
  /** requests per second, open loop; 0: closed loop, each connection as fast as it is answered */
  readonly rate: number;
  /** counts this many answers as good when the body contains it that often; '' counts each 2xx as one */
  readonly good: string;
}

export interface LoadResult {
  readonly good: number;
  readonly bad: number;
  readonly seconds: number;
  /** ms, sorted; open loop: from the intended send time */
  readonly latencies: number[];
  readonly cpuSeconds: number;
  readonly firstBad: string;
}

process.once('message', (job: LoadJob) => {
  run(job).then(
    (result) => void process.send?.(result, undefined, undefined, () => process.disconnect?.()),
    (error: unknown) => {
      process.stderr.write(`${String(error)}\n`);
      process.exit(1);
    },
  );
});

function run(job: LoadJob): Promise<LoadResult> {
  const { hostname, port, host } = new URL(job.url);
  const requests = job.bodies === null
    ? [HttpLane.request(job.method, job.path, host, '')]
    : readFileSync(job.bodies, 'utf8').trimEnd().split('\n').map((body) => HttpLane.request(job.method, job.path, host, body));
  const total = job.bodies === null ? job.count : requests.length;
  const lanes = Array.from({ length: job.connections }, () => new HttpLane(hostname, Number(port)));
  const latencies = new Float64Array(total);
  let next = 0;
  let done = 0;
  let good = 0;
  let bad = 0;
  let firstBad = '';
  const cpu = process.cpuUsage();
  const start = performance.now();
  return new Promise((resolve) => {
    const judge = (answer: { status: number; body: Buffer } | null): void => {
      const found = answer === null ? 0 : answer.status === 200 ? occurrences(answer.body, job.good) : 0;
      good += found;
      if (found === 0) {
        bad++;
        firstBad ||= answer === null ? 'connection lost' : answer.body.toString('utf8').slice(0, 300);
      }
    };
    const finish = (): void => {
      const seconds = (performance.now() - start) / 1000;
      for (const lane of lanes) lane.close();
      const used = process.cpuUsage(cpu);
      resolve({ good, bad, seconds, latencies: [...latencies.subarray(0, done).sort()], cpuSeconds: (used.user + used.system) / 1e6, firstBad });
    };
    const free: HttpLane[] = [];
    const fire = (lane: HttpLane, since: number): void => {
      const request = requests[next % requests.length] as Buffer;
      next++;
      lane.send(request, (answer) => {
        latencies[done++] = performance.now() - since;
        judge(answer);
        if (done === total) return finish();
        if (answer === null) return;
        if (job.rate === 0) {
          if (next < total) fire(lane, performance.now());
        } else free.push(lane);
      });
    };
    if (job.rate === 0) {
      for (const lane of lanes) if (next < total) fire(lane, performance.now());
      return;
    }
    free.push(...lanes);
    const pace = (): void => {
      while (next < total && free.length > 0) {
        const intended = start + (next / job.rate) * 1000;
        if (intended > performance.now()) break;
        fire(free.pop() as HttpLane, intended);
      }
      if (next < total) setImmediate(pace);
    };
    pace();
  });
}

function occurrences(body: Buffer, text: string): number {
  if (text === '') return 1;
  let count = 0;
  for (let at = body.indexOf(text); at >= 0; at = body.indexOf(text, at + text.length)) count++;
  return count;
}
