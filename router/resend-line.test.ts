import assert from 'node:assert/strict';
import { beforeEach, describe, mock, test } from 'node:test';
import { Flight } from './flight.ts';
import { ResendLine } from './resend-line.ts';
import type { Route } from './routes.ts';

/** Nobody stands in the line for longer, ms, unless calls keep coming. */
const LONGEST_MS = 320;
const TURN_MS = 20;

const route = (byte: number): Route => ({
  enclave: Buffer.alloc(32, byte),
  known: [],
  rest: [].values(),
  version: 1,
  owner: -1,
  ownerUntil: 0,
});
const routes = Array.from({ length: 64 }, (_, i) => route(i));

class Scene {
  now = 0;
  readonly sent: { flight: Flight; at: number }[] = [];
  readonly line: ResendLine;

  constructor(also: (flight: Flight) => void = () => {}) {
    this.line = new ResendLine((flight) => {
      this.sent.push({ flight, at: this.now });
      also(flight);
    });
  }

  flight(of: number | null): Flight {
    const none = { answer: () => assert.fail('the line answers nothing') };
    return new Flight(0, 0, Buffer.alloc(0), of === null ? null : (routes[of] as Route), none, null, 0);
  }

  push(of: number | null): Flight {
    const flight = this.flight(of);
    this.line.push(flight);
    return flight;
  }

  /** Lets so much time pass, portion by portion. */
  pass(ms: number): void {
    for (const until = this.now + ms; this.now < until; this.now += TURN_MS) mock.timers.tick(TURN_MS);
  }
}

describe('calls that are sent again', () => {
  beforeEach(() => {
    mock.timers.reset();
    mock.timers.enable({ apis: ['setTimeout', 'setImmediate'] });
  });

  for (const [calls, enclaves] of [
    [1, 1],
    [5, 5],
    [120, 16],
    [16, 16],
    [5000, 64],
    [5000, 1],
  ] as const) {
    test(`${calls} of ${enclaves} enclaves: each once, evenly, enclave by enclave, within a third of a second`, () => {
      const scene = new Scene();
      const pushed = Array.from({ length: calls }, (_, i) => scene.push(i % enclaves));
      assert.equal(scene.line.length, calls);
      assert.equal(scene.sent.length, 0, 'not while the link that broke is still being told of');
      scene.pass(LONGEST_MS);
      assert.equal(scene.line.length, 0);
      assert.deepEqual(new Set(scene.sent.map(({ flight }) => flight)), new Set(pushed));
      assert.equal(scene.sent.length, calls);
      const order = scene.sent.map(({ flight }) => flight.route);
      const changes = order.filter((one, i) => one !== order[i - 1]).length;
      assert.equal(changes, enclaves, 'an enclave is gone back to');
      const turns = Map.groupBy(scene.sent, ({ at }) => at);
      const most = Math.max(...[...turns.values()].map((turn) => turn.length));
      assert.equal(most, Math.ceil(calls / 16));
    });
  }

  test('a new call joins those of its enclave until the first of them is sent, and no longer', () => {
    const scene = new Scene();
    for (let i = 0; i < 64; i++) scene.push(i % 2);
    assert.ok(scene.line.holds(scene.flight(0)));
    assert.ok(!scene.line.holds(scene.flight(2)));
    assert.ok(!scene.line.holds(scene.flight(null)));
    scene.pass(TURN_MS);
    assert.ok(!scene.line.holds(scene.flight(0)), 'others would wait for ever behind an enclave that is busy enough');
    assert.ok(scene.line.holds(scene.flight(1)));
    const late = scene.push(1);
    scene.pass(LONGEST_MS);
    assert.equal(scene.sent.at(-1)?.flight, late);
    assert.ok(!scene.line.holds(scene.flight(1)));
  });

  test('a line that is long enough is joined by no new call', () => {
    const scene = new Scene();
    for (let i = 0; i < 16_383; i++) scene.push(i % 2);
    assert.ok(scene.line.holds(scene.flight(0)));
    scene.push(0);
    assert.ok(!scene.line.holds(scene.flight(0)));
    scene.pass(TURN_MS);
    assert.ok(scene.line.holds(scene.flight(1)), 'nor when it is shorter');
  });

  test('what fails at once and comes back is sent in a later turn, and the line goes on for it', () => {
    let failures = 3;
    const scene = new Scene((flight) => {
      if (failures-- > 0) scene.line.push(flight);
    });
    const flight = scene.push(null);
    scene.pass(5 * TURN_MS);
    assert.deepEqual(
      scene.sent.map(({ at }) => at),
      [0, 20, 40, 60],
    );
    assert.ok(scene.sent.every((one) => one.flight === flight));
    assert.equal(scene.line.length, 0);
  });

  test('while others keep coming nobody waits for twice as long', () => {
    const scene = new Scene();
    const since = new Map<Flight, number>();
    for (let turn = 0; turn < 100; turn++) {
      for (let i = 0; i < 40; i++) since.set(scene.push((turn * 7 + i) % 64), scene.now);
      scene.pass(TURN_MS);
    }
    scene.pass(LONGEST_MS);
    assert.equal(scene.sent.length, since.size);
    for (const { flight, at } of scene.sent) assert.ok(at - (since.get(flight) as number) < 2 * LONGEST_MS);
  });

  test('emptied, it sends nothing, and goes on with what comes then', () => {
    const scene = new Scene();
    const pushed = Array.from({ length: 64 }, (_, i) => scene.push(i % 2));
    scene.pass(TURN_MS);
    const rest = scene.line.take();
    assert.deepEqual(new Set([...rest, ...scene.sent.map(({ flight }) => flight)]), new Set(pushed));
    const sent = scene.sent.length;
    scene.pass(LONGEST_MS);
    assert.equal(scene.sent.length, sent);
    scene.push(3);
    scene.pass(LONGEST_MS);
    assert.equal(scene.sent.length, sent + 1);
  });
});
