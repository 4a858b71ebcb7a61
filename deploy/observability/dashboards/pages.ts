import { OVERVIEW } from './overview.ts';
import type { Page } from './panel.ts';
import { ROUTER } from './router.ts';
import { SHARDS } from './shards.ts';
import { STORES } from './stores.ts';

export const PAGES: readonly Page[] = [OVERVIEW, SHARDS, STORES, ROUTER];
