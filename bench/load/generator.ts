import { readFileSync } from 'node:fs';
import { HttpLane } from './http-lane.ts';

/** What the parent sends by IPC, once. */
export interface LoadJob {
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** file of bodies, one a line; null: no body */
  readonly bodies: string | null;
  /** requests, going round the bodies; 0: each body once */
  readonly count: number;
  /** ends the load after so long even if `count` is not reached; 0: no limit */
  readonly maxSeconds: number;
  readonly connections: number;
  /** requests per second, open loop; 0: closed loop, each connection as fast as it is answered */
  readonly rate: number;
  /** Requests of so many seconds at the start do not count among the latencies: connections are made and code is compiled. */
  readonly warmUpSeconds: number;
  /** counts this many answers as good when the body contains it that often; '' counts each 200 as one */
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

/** The pace of an open loop, ms: a busy wait would take the node's CPU. What it is late by counts as latency. */
const TICK_MS = 1;

process.once('message', (job: LoadJob) => {
  new Load(job).run().then(
    (result) => void process.send?.(result, undefined, undefined, () => process.disconnect?.()),
    (error: unknown) => {
      process.stderr.write(`${String(error)}\n`);
      process.exit(1);
    },
  );
});

class Load {
  readonly #job: LoadJob;
  readonly #requests: Buffer[];
  readonly #total: number;
  readonly #lanes: HttpLane[];
  readonly #free: HttpLane[] = [];
  readonly #latencies: Float64Array;
  readonly #cpu = process.cpuUsage();
  readonly #start = performance.now();
  readonly #finished = Promise.withResolvers<void>();
  #next = 0;
  #last: number;
  readonly #counted: number;
  #done = 0;
  #measured = 0;
  #good = 0;
  #bad = 0;
  #firstBad = '';

  constructor(job: LoadJob) {
    this.#job = job;
    const { hostname, port, host } = new URL(job.url);
    const bodies = job.bodies === null ? [''] : readFileSync(job.bodies, 'utf8').trimEnd().split('\n');
    this.#requests = bodies.map((body) => HttpLane.request(job.method, job.path, host, body));
    this.#total = job.count || this.#requests.length;
    this.#last = this.#total;
    this.#lanes = Array.from({ length: job.connections }, () => new HttpLane(hostname, Number(port)));
    this.#latencies = new Float64Array(this.#total);
    this.#counted = this.#start + job.warmUpSeconds * 1000;
  }

  async run(): Promise<LoadResult> {
    if (this.#job.maxSeconds > 0) setTimeout(() => this.#stop(), this.#job.maxSeconds * 1000).unref();
    if (this.#job.rate === 0) for (const lane of this.#lanes) this.#fire(lane, performance.now());
    else {
      this.#free.push(...this.#lanes);
      this.#pace();
    }
    await this.#finished.promise;
    const seconds = (performance.now() - this.#start) / 1000;
    for (const lane of this.#lanes) lane.close();
    const used = process.cpuUsage(this.#cpu);
    return {
      good: this.#good,
      bad: this.#bad,
      seconds,
      latencies: [...this.#latencies.subarray(0, this.#measured).sort()],
      cpuSeconds: (used.user + used.system) / 1e6,
      firstBad: this.#firstBad,
    };
  }

  #stop(): void {
    this.#last = this.#next;
    if (this.#done >= this.#last) this.#finished.resolve();
  }

  #fire(lane: HttpLane, since: number): void {
    if (this.#next >= this.#last) return;
    const request = this.#requests[this.#next % this.#requests.length] as Buffer;
    this.#next++;
    lane.send(request, (answer) => {
      this.#done++;
      if (since >= this.#counted) this.#latencies[this.#measured++] = performance.now() - since;
      this.#judge(answer);
      if (this.#done >= this.#last) return this.#finished.resolve();
      if (answer === null) throw new Error('the node closed a connection');
      if (this.#job.rate === 0) this.#fire(lane, performance.now());
      else this.#free.push(lane);
    });
  }

  /** Sends what is due. A request that finds no free connection waits, and its wait counts. */
  #pace(): void {
    const { rate } = this.#job;
    while (this.#next < this.#last && this.#free.length > 0) {
      const intended = this.#start + (this.#next / rate) * 1000;
      if (intended > performance.now()) break;
      this.#fire(this.#free.pop() as HttpLane, intended);
    }
    if (this.#next < this.#last) setTimeout(() => this.#pace(), TICK_MS);
  }

  #judge(answer: { status: number; body: Buffer } | null): void {
    const found = answer?.status === 200 ? occurrences(answer.body, this.#job.good) : 0;
    this.#good += found;
    if (found > 0) return;
    this.#bad++;
    this.#firstBad ||= answer === null ? 'connection lost' : answer.body.toString('utf8').slice(0, 300);
  }
}

function occurrences(body: Buffer, text: string): number {
  if (text === '') return 1;
  let count = 0;
  for (let at = body.indexOf(text); at >= 0; at = body.indexOf(text, at + text.length)) count++;
  return count;
}
