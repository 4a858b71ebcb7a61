import { CHOSEN, graph, OVER, ours, type Panel } from './panel.ts';

/** What every process has: CPU, event loop, memory, garbage, files. */
export function processRow(who: string): Panel[] {
  return [
    graph({
      title: 'CPU',
      help: `${who} does its work on one thread: above 0.9 of a core there is no more to get from that one.`,
      unit: 'none',
      queries: { '{{instance}}': ours(`rate(process_cpu_seconds_total{${CHOSEN}}${OVER})`) },
    }),
    graph({
      title: 'Event loop delay, p99',
      help: 'How late timers and answers are. Above 100 ms heartbeats and links suffer.',
      unit: 's',
      queries: { '{{instance}}': ours(`nodejs_eventloop_lag_p99_seconds{${CHOSEN}}`) },
    }),
    graph({
      title: 'Memory',
      help: 'Resident: what the container is charged for. Heap: what JavaScript uses of it.',
      unit: 'bytes',
      queries: {
        '{{instance}} resident': ours(`process_resident_memory_bytes{${CHOSEN}}`),
        '{{instance}} heap': ours(`nodejs_heap_size_used_bytes{${CHOSEN}}`),
      },
    }),
    graph({
      title: 'Time in garbage collection',
      help: 'Share of one core.',
      unit: 'percentunit',
      span: 12,
      queries: {
        '{{instance}}': ours(`sum by (job, instance) (rate(nodejs_gc_duration_seconds_sum{${CHOSEN}}${OVER}))`),
      },
    }),
    graph({
      title: 'Open files and connections',
      help: 'Share of the descriptors that the process may have.',
      unit: 'percentunit',
      span: 12,
      max: 1,
      queries: { '{{instance}}': ours(`process_open_fds{${CHOSEN}} / process_max_fds{${CHOSEN}}`) },
    }),
  ];
}
