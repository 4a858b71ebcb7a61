import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withK6Table } from './k6-table.ts';

const ROWS = [
  { name: 'k6-load-single', what: 'one per POST', rate: 200 },
  { name: 'k6-load-reads', what: 'reads', rate: 20 },
];

test('the rows of k6 become figures of the page, in place of those of before', () => {
  const once = withK6Table('before\n<!-- k6 -->\nold\n<!-- /k6 -->\nafter\n', ROWS);
  assert.match(once, /^before\n<!-- k6 -->\n\| .*\n<!-- \/k6 -->\nafter\n$/s);
  assert.doesNotMatch(once, /old/);
  assert.match(once, /^\| <!-- figure bench\/results\/k6\.json k6-load-single\.what -->/m);
  assert.match(once, /k6-load-reads\.p99_ms 1 -->/);
  assert.equal(withK6Table(once, ROWS), once);
});

test('a page without a place for them is refused', () => {
  assert.throws(() => withK6Table('no marks', ROWS), /has no <!-- k6 -->/);
});
