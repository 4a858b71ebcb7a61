import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ERRORS, errorBody, errorNumber, errorOf, isErrorCode } from './errors.ts';

test('what is not in the table throws', () => {
  for (const number of [0, -1, 37, 1.5, Number.NaN]) assert.throws(() => errorOf(number), RangeError);
  assert.throws(() => errorOf('toString' as never), RangeError);
  assert.equal(isErrorCode('constructor'), false);
});

test('numbers are 1…36 in the order of the table, codes and sentences are unique', () => {
  assert.deepEqual(
    ERRORS.map((row) => row.number),
    Array.from({ length: 36 }, (_, i) => i + 1),
  );
  assert.equal(new Set(ERRORS.map((row) => row.code)).size, 36);
  assert.equal(new Set(ERRORS.map((row) => row.message)).size, 36);
  for (const row of ERRORS) {
    assert.equal(errorNumber(row.code), row.number);
    assert.ok(isErrorCode(row.code));
  }
});

test('every sentence needs no escaping in JSON', () => {
  for (const row of ERRORS) assert.equal(JSON.stringify(row.message), `"${row.message}"`);
});

test('statuses are those of PROTOCOL §9', () => {
  const byStatus = Map.groupBy(ERRORS, (row) => row.status);
  assert.deepEqual(
    [...byStatus].map(([status, rows]) => [status, rows.length]),
    [
      [400, 9],
      [401, 4],
      [403, 6],
      [404, 3],
      [409, 5],
      [410, 2],
      [413, 1],
      [429, 1],
      [503, 4],
      [500, 1],
    ],
  );
});

test('a body names code and sentence, then the details', () => {
  const message = errorOf('no_change').message;
  assert.equal(errorBody('no_change'), `{"type":"Error","error":"no_change","message":"${message}"}`);
  assert.equal(errorBody(17, '"op":3'), `{"type":"Error","error":"no_change","message":"${message}","op":3}`);
});
