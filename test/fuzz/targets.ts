import { body } from './body.ts';
import type { FuzzTarget } from './target.ts';

export const TARGETS: Readonly<Record<string, FuzzTarget>> = { body };
