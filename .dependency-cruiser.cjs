/** Which room may import which (ARCHITECTURE §1): a commit goes one way through the house, and no room calls back up. */
const TEST = '(\\.test(-util)?\\.ts$)';

/** Files of `room` may import only these rooms of the project, besides packages and Node. */
const only = (room, rooms) => ({
  name: `${room}-imports-only-${rooms.join('-').replaceAll(/[^a-z-]+/g, '-')}`,
  severity: 'error',
  from: { path: `^${room}/`, pathNot: TEST },
  to: {
    path: '^[^/]+/',
    pathNot: [`^(${[room, ...rooms].join('|')})(/|$)`, '^node_modules/'],
    dependencyTypes: ['local'],
  },
});

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    only('protocol', []),
    only('tracing', []),
    only('kernel', ['protocol']),
    // What routers and shards share: the link between them, the topology.
    only('cluster', ['protocol', 'tracing']),
    only('shard', ['cluster', 'kernel', 'protocol', 'tracing']),
    // A router has the same HTTP door as a single node, and settings of the same kind; nothing of what is behind the door.
    only('router', [
      'cluster',
      'kernel',
      'protocol',
      'tracing',
      'shard/(api|config)',
      'shard/(listening|enclave/answers|admission/token-bucket|signer/admin-token)\\.ts',
    ]),
    {
      name: 'router-knows-the-door-only',
      severity: 'error',
      from: { path: '^router/', pathNot: TEST },
      to: { path: '^shard/api/(post|context|local-api|local-admin)\\.ts' },
    },
    only('client', ['protocol']),
    // Dashboards and rules: generated, and about the product from outside only.
    only('deploy/observability', []),
    // The image's health check asks where its role's configuration says that it listens.
    only('deploy/image', ['shard/(config|crypto)', 'router/config', 'kernel']),
    // The back ends of shard/crypto stand alone: the CLI verifies whole enclaves with the fastest one. What is done to the
    // stores of a node that does not run is in shard/operate.
    only('cli', ['client', 'protocol', 'shard/(crypto|operate)']),
    {
      name: 'protocol-is-pure',
      comment: 'No I/O and no Node API: protocol/ also runs in a browser. Curves, ciphers and hashes are @noble.',
      severity: 'error',
      from: { path: '^protocol/', pathNot: TEST },
      to: { pathNot: ['^protocol/', '^node_modules/@noble/'] },
    },
    {
      name: 'reference-kernel-needs-no-node',
      severity: 'error',
      from: { path: '^kernel/reference/', pathNot: TEST },
      to: { pathNot: ['^kernel/', '^protocol/', '^node_modules/@noble/'] },
    },
    {
      name: 'kernel-does-not-know-its-implementations',
      severity: 'error',
      from: { path: '^kernel/reference/', pathNot: TEST },
      to: { path: '^kernel/wasm' },
    },
    {
      name: 'product-imports-no-dev-dependency',
      severity: 'error',
      from: {
        path: '^(protocol|tracing|cluster|shard|router|client|cli|deploy/image|kernel/(wasm|reference))',
        pathNot: TEST,
      },
      to: { dependencyTypes: ['npm-dev'], pathNot: '^node_modules/@types/' },
    },
    {
      name: 'opentelemetry-stays-in-its-room',
      comment: 'All others hold a Traced or null; the SDK is loaded by one file, and only where traces are exported.',
      severity: 'error',
      from: { pathNot: ['^(tracing|test)/', '^node_modules/', TEST] },
      to: { path: '^node_modules/@opentelemetry/' },
    },
    {
      name: 'sdk-of-traces-is-loaded-by-one-file',
      severity: 'error',
      from: { pathNot: ['^tracing/(exporting|counted-spans)\\.ts$', '^(test|node_modules)/', TEST] },
      to: { path: '^node_modules/@opentelemetry/(sdk|exporter|otlp|resources)' },
    },
    {
      name: 'composition-roots-are-not-imported',
      severity: 'error',
      from: { pathNot: '^bin/' },
      to: { path: '^(shard|cli|router)/main\\.ts$' },
    },
  ],
  options: {
    parser: 'swc',
    doNotFollow: { path: '^node_modules/' },
    exclude: { path: ['^kernel/assembly/', '^data/'] },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
