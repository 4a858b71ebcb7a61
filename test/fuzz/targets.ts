import { body } from './body.ts';
import { filter } from './filter.ts';
import { http } from './http.ts';
import { log } from './log.ts';
import { manifest } from './manifest.ts';
import { session } from './session.ts';
import { snapshot } from './snapshot.ts';
import type { FuzzTarget } from './target.ts';

export const TARGETS: Readonly<Record<string, FuzzTarget>> = { body, http, session, filter, manifest, snapshot, log };
