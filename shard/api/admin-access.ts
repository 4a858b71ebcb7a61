import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { AdminToken } from '../signer/admin-token.ts';

const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip', 'via'];
const LOOPBACK_HOST = /^(localhost|127(?:\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i;
const LOOPBACK_ORIGIN = /^https?:\/\/(localhost|127(?:\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i;

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

export interface AdminAccessOptions {
  readonly token: AdminToken;
  /** the node made the token up itself and listens on loopback: a developer's machine */
  readonly development: boolean;
}

/**
 * Who is the operator (PROTOCOL §9): the bearer of the admin token, compared in constant time. On a node that nobody
 * configured a token for and that listens on loopback, also whoever comes from there directly: Host is loopback, no
 * proxy has forwarded the request, and no web page of another origin sent it.
 */
export function adminAccess(options: AdminAccessOptions): (headers: IncomingHttpHeaders) => boolean {
  const expected = digest(options.token.reveal());
  return (headers) => {
    const { authorization } = headers;
    if (authorization !== undefined) {
      return authorization.startsWith('Bearer ') && timingSafeEqual(digest(authorization.slice(7)), expected);
    }
    if (!options.development) return false;
    if (headers.origin !== undefined && !LOOPBACK_ORIGIN.test(headers.origin)) return false;
    return LOOPBACK_HOST.test(headers.host ?? '') && FORWARDED.every((name) => headers[name] === undefined);
  };
}
