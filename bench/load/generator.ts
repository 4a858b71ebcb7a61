import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
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
  /** ms since the epoch at which it begins, so that others know what happened when; 0: at once */
  readonly startAt: number;
  /** one request in so many names a trace that is sampled (W3C Trace Context), all others one that is not; 0: none names any */
  readonly tracedEvery: number;
  /** counts this many answers as good when the body contains it that often; '' counts each 200 as one */
  readonly good: string;
}

export interface LoadResult {
  readonly good: number;
  readonly bad: number;
  readonly seconds: number;
  /** ms, sorted; open loop: from the intended send time */
  readonly latencies: number[];
  /** open loop: what was answered, in that order: when it was meant to be sent (ms since the epoch) and its latency, ms */
  readonly timeline: [sent: number, latency: number][];
  readonly cpuSeconds: number;
  readonly firstBad: string;
}

/** The pace of an open loop, ms: a busy wait would take the node's CPU. What it is late by counts as latency. */
const TICK_MS = 1;

process.once('message', async (job: LoadJob) => {
  const load = new Load(job);
  if (job.startAt > 0) await sleep(job.startAt - Date.now());
  load.run().then(
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
  readonly #connect: () => HttpLane;
  readonly #lanes: HttpLane[];
  readonly #free: HttpLane[] = [];
  readonly #latencies: Float64Array;
  readonly #timeline: [number, number][] = [];
  readonly #cpu = process.cpuUsage();
  #start = 0;
  readonly #finished = Promise.withResolvers<void>();
  #next = 0;
  #last: number;
  #counted = 0;
  #done = 0;
  #measured = 0;
  #good = 0;
  #bad = 0;
  #firstBad = '';

  constructor(job: LoadJob) {
    this.#job = job;
    const { hostname, port, host } = new URL(job.url);
    const bodies = job.bodies === null ? [''] : readFileSync(job.bodies, 'utf8').trimEnd().split('\n');
    this.#requests = bodies.map((body, i) => {
      const headers = job.tracedEvery === 0 ? '' : traceparent((i + 1) % job.tracedEvery === 0);
      return HttpLane.request(job.method, job.path, host, body, headers);
    });
    this.#total = job.count || this.#requests.length;
    this.#last = this.#total;
    this.#connect = () => new HttpLane(hostname, Number(port));
    // An open loop connects when it has to: the node ends connections on which no request comes.
    this.#lanes = Array.from({ length: job.rate > 0 ? 0 : job.connections }, this.#connect);
    this.#latencies = new Float64Array(this.#total);
  }

  async run(): Promise<LoadResult> {
    this.#start = performance.now();
    this.#counted = this.#start + this.#job.warmUpSeconds * 1000;
    if (this.#job.maxSeconds > 0) setTimeout(() => this.#stop(), this.#job.maxSeconds * 1000).unref();
    if (this.#job.rate === 0) for (const lane of this.#lanes) this.#fire(lane, performance.now());
    else this.#pace();
    await this.#finished.promise;
    const seconds = (performance.now() - this.#start) / 1000;
    for (const lane of this.#lanes) lane.close();
    const used = process.cpuUsage(this.#cpu);
    return {
      good: this.#good,
      bad: this.#bad,
      seconds,
      latencies: [...this.#latencies.subarray(0, this.#measured).sort()],
      timeline: this.#timeline,
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
      const took = performance.now() - since;
      if (since >= this.#counted) this.#latencies[this.#measured++] = took;
      if (this.#job.rate > 0) this.#timeline.push([performance.timeOrigin + since, took]);
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
    while (this.#next < this.#last) {
      const intended = this.#start + (this.#next / rate) * 1000;
      const lane = intended > performance.now() ? null : this.#lane();
      if (lane === null) break;
      this.#fire(lane, intended);
    }
    if (this.#next < this.#last) setTimeout(() => this.#pace(), TICK_MS);
  }

  /** One that is free, null if all that there may be are in use. */
  #lane(): HttpLane | null {
    const free = this.#free.pop();
    if (free || this.#lanes.length >= this.#job.connections) return free ?? null;
    const lane = this.#connect();
    this.#lanes.push(lane);
    return lane;
  }

  #judge(answer: { status: number; body: Buffer } | null): void {
    const found = answer?.status === 200 ? occurrences(answer.body, this.#job.good) : 0;
    this.#good += found;
    if (found > 0) return;
    this.#bad++;
    this.#firstBad ||= answer === null ? 'connection lost' : answer.body.toString('utf8').slice(0, 300);
  }
}

function traceparent(sampled: boolean): string {
  const [trace, span] = [randomBytes(16), randomBytes(8)].map((bytes) => bytes.toString('hex'));
  return `traceparent: 00-${trace}-${span}-0${sampled ? 1 : 0}\r\n`;
}

function occurrences(body: Buffer, text: string): number {
  if (text === '') return 1;
  let count = 0;
  for (let at = body.indexOf(text); at >= 0; at = body.indexOf(text, at + text.length)) count++;
  return count;
}
