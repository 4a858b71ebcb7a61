import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorOf } from '../../protocol/errors.ts';
import { LogDamaged, LogUnavailable } from '../log/log-errors.ts';
import { failureCode } from './answers.ts';

test('a log that is away is unavailable, a damaged one is regressed, and only what nobody expects is internal', () => {
  const code = (error: unknown): string => errorOf(failureCode(error)).code;
  assert.equal(code(new LogUnavailable('unknown')), 'unavailable');
  assert.equal(code(new LogUnavailable('fenced')), 'fenced');
  assert.equal(code(new LogDamaged(null, 3, 'batch')), 'enclave_regressed');
  assert.equal(code(new Error('what is this?')), 'internal');
});
