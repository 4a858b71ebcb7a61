import type { CommandOptions } from './command.ts';

/** A Kubernetes that charts can be installed in. */
export interface Place {
  readonly name: string;
  /** Each resolves to standard output, and rejects if the command fails. */
  kubectl(args: readonly string[], options: CommandOptions): Promise<string>;
  helm(args: readonly string[], options: CommandOptions): Promise<string>;
  /** the command line of a program that must reach what runs there */
  inside(argv: readonly string[]): readonly string[];
  /** Sees to it that pods can use these images, building what is ours; resolves to the chart's values for them. */
  images(signal: AbortSignal): Promise<readonly string[]>;
  /** values of the chart that make the routers reachable for `inside` */
  readonly exposing: readonly string[];
  /** the routers' address for `inside` */
  url(namespace: string, service: string): Promise<string>;
  /** Makes room again: what the volumes of a namespace that is gone hold. */
  reclaim(namespace: string): Promise<void>;
  /** Ends the cluster if it was started here. */
  close(): Promise<void>;
}

export type Found = { readonly place: Place } | { readonly skipped: string };
