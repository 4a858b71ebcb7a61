import { loadScript, type Script } from '../../redis/script.ts';

const lua = (name: string): Script => loadScript(new URL(`./lua/${name}.lua`, import.meta.url));

/** Every script of the log; each is described at its head. */
export const APPEND = lua('append-n');
export const ARCHIVED = lua('archived-1');
export const CHECKPOINT = lua('checkpoint-2');
export const DROP = lua('drop-1');
export const ERASE = lua('erase-3');
export const ERASED = lua('erased-2');
export const GUARD = lua('guard-1');
export const INDEX = lua('index-2');
export const MOVE_COPY = lua('move-copy-1');
export const MOVE_IN = lua('move-in-6');
export const MOVE_OUT = lua('move-out-5');
export const MOVED = lua('moved-n');
export const OPEN = lua('open-3');
export const PICK = lua('pick-3');
export const PLACE = lua('place-1');
export const READ = lua('read-4');
export const REPLACE = lua('replace-n');
export const REWRITTEN = lua('rewritten-1');
export const TRIM = lua('trim-n');

export const SCRIPTS: readonly Script[] = [
  APPEND,
  ARCHIVED,
  CHECKPOINT,
  DROP,
  ERASE,
  ERASED,
  GUARD,
  INDEX,
  MOVE_COPY,
  MOVE_IN,
  MOVE_OUT,
  MOVED,
  OPEN,
  PICK,
  PLACE,
  READ,
  REPLACE,
  REWRITTEN,
  TRIM,
];
