import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ConfigError } from './env.ts';
import { readTraceHeaders, readTracing } from './tracing-config.ts';

type Env = Record<string, string>;

const on = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };
const read = (env: Env = {}) => readTracing({ ...on, ...env }) ?? assert.fail();
const refused = (message: RegExp, env: Env): void =>
  assert.throws(
    () => readTracing({ ...on, ...env }),
    (error: Error) => error instanceof ConfigError && message.test(error.message) && !error.message.includes('\n'),
  );

describe('settings of traces', () => {
  test('without a receiver there are none, whatever else is set', () => {
    assert.equal(readTracing({}), null);
    assert.equal(readTracing({ OTEL_TRACES_SAMPLER: 'always_on', OTEL_SERVICE_NAME: 'x' }), null);
    assert.equal(readTracing({ OTEL_EXPORTER_OTLP_ENDPOINT: '' }), null);
    assert.equal(readTracing({ ...on, OTEL_TRACES_EXPORTER: 'none' }), null);
    assert.equal(readTracing({ ...on, OTEL_SDK_DISABLED: 'TRUE' }), null);
    assert.ok(readTracing({ ...on, OTEL_SDK_DISABLED: 'false' }));
  });

  test('where spans go', () => {
    assert.equal(read().url, 'http://collector:4318/v1/traces');
    assert.equal(read({ OTEL_EXPORTER_OTLP_ENDPOINT: 'https://c/otlp/' }).url, 'https://c/otlp/v1/traces');
    assert.equal(read({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://t:1/own' }).url, 'http://t:1/own');
    assert.equal(readTracing({ OTEL_TRACES_EXPORTER: 'otlp' })?.url, 'http://localhost:4318/v1/traces');
  });

  test('what nothing is said about is as OpenTelemetry has it', () => {
    assert.deepEqual(read(), {
      url: 'http://collector:4318/v1/traces',
      compression: 'none',
      timeout: 10_000,
      sampling: { ratio: 1, parentBased: true },
      resource: {},
      queue: { size: 2048, batch: 512, delay: 5000, timeout: 30_000 },
    });
  });

  test('samplers', () => {
    const sampling = (name: string, arg = ''): unknown =>
      Object.values(read({ OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: arg }).sampling);
    assert.deepEqual(sampling('always_on'), [1, false]);
    assert.deepEqual(sampling('always_off'), [0, false]);
    assert.deepEqual(sampling('traceidratio', '0.01'), [0.01, false]);
    assert.deepEqual(sampling('parentbased_always_off'), [0, true]);
    assert.deepEqual(sampling('parentbased_traceidratio', '.5'), [0.5, true]);
    assert.deepEqual(sampling('parentbased_traceidratio', '1.0'), [1, true]);
    assert.deepEqual(sampling('traceidratio'), [1, false]);
  });

  test('service and attributes', () => {
    const env = { OTEL_SERVICE_NAME: 'mine', OTEL_RESOURCE_ATTRIBUTES: 'service.name=other, a=b%2Cc ,d=' };
    assert.deepEqual(read(env).resource, { 'service.name': 'mine', a: 'b,c', d: '' });
  });

  test('a queue smaller than a batch makes batches of its size', () => {
    assert.deepEqual(read({ OTEL_BSP_MAX_QUEUE_SIZE: '100' }).queue.batch, 100);
  });

  test('what this node can not do is refused in a sentence that quotes nothing', () => {
    refused(/^OTEL_EXPORTER_OTLP_PROTOCOL .* http\/protobuf$/, { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' });
    refused(/^OTEL_TRACES_EXPORTER .* otlp, none$/, { OTEL_TRACES_EXPORTER: 'zipkin' });
    refused(/^OTEL_TRACES_SAMPLER .*traceidratio/, { OTEL_TRACES_SAMPLER: 'jaeger_remote' });
    for (const arg of ['1%', '-1', '2', '1e-3', 'x', '1.5'])
      refused(/^OTEL_TRACES_SAMPLER_ARG .* from 0 to 1$/, {
        OTEL_TRACES_SAMPLER: 'traceidratio',
        OTEL_TRACES_SAMPLER_ARG: arg,
      });
    refused(/^OTEL_EXPORTER_OTLP_ENDPOINT (?!.*hunter2).*https:\/\/$/, {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'user:hunter2@collector:4318',
    });
    refused(/^OTEL_RESOURCE_ATTRIBUTES .*=value/, { OTEL_RESOURCE_ATTRIBUTES: 'novalue' });
    refused(/^OTEL_BSP_MAX_QUEUE_SIZE .*whole number/, { OTEL_BSP_MAX_QUEUE_SIZE: 'many' });
  });

  test('headers of exports, which are secret', () => {
    assert.deepEqual(readTraceHeaders({}), {});
    assert.deepEqual(
      readTraceHeaders({ OTEL_EXPORTER_OTLP_HEADERS: 'a=1,b=2', OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'b=Bearer%20x' }),
      { a: '1', b: 'Bearer x' },
    );
    assert.throws(
      () => readTraceHeaders({ OTEL_EXPORTER_OTLP_HEADERS: 'hunter2' }),
      (error: Error) => error instanceof ConfigError && !error.message.includes('hunter2'),
    );
  });
});
