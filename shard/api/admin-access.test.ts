import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AdminToken } from '../signer/admin-token.ts';
import { adminAccess } from './admin-access.ts';

const token = new AdminToken('a-token-of-some-length', null);
const production = adminAccess({ token, development: false });
const development = adminAccess({ token, development: true });
const host = 'localhost:8080';

test('the bearer of the token is the operator, whatever else the request says', () => {
  assert.equal(production({ authorization: 'Bearer a-token-of-some-length' }), true);
  assert.equal(production({ authorization: 'Bearer a-token-of-some-lengtH' }), false);
  assert.equal(production({ authorization: 'Basic a-token-of-some-length' }), false);
  assert.equal(production({ host }), false);
});

test('a wrong token is refused in development too', () => {
  assert.equal(development({ host, authorization: 'Bearer wrong' }), false);
});

test('in development a direct loopback caller needs no token', () => {
  for (const name of ['localhost', '127.0.0.1:80', '[::1]:8080', '127.9.9.9'])
    assert.equal(development({ host: name }), true, name);
});

test('in development nobody gets in by another name, through a proxy, or from a web page', () => {
  for (const name of ['evil.test', 'localhost.evil.test', '127.0.0.1.evil.test', '10.0.0.1', '']) {
    assert.equal(development({ host: name }), false, name);
  }
  for (const header of ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip', 'via']) {
    assert.equal(development({ host, [header]: '127.0.0.1' }), false, header);
  }
  assert.equal(development({ host, origin: 'https://evil.test' }), false);
  assert.equal(development({ host, origin: 'http://localhost:3000' }), true);
});
