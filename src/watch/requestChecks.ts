import type { IncomingHttpHeaders } from 'node:http';
import { sameSecret } from '../words/sameSecret';
import { TOKEN_HEADER } from './messages';

/** A refusal: HTTP status and one sentence. */
export interface Refusal {
  readonly status: number;
  readonly sentence: string;
}

/** Names under which the page is reached; any other comes from a name that somebody points at this machine. */
function hostsOf(port: number): readonly string[] {
  const names = ['127.0.0.1', 'localhost'];
  return [...names.map((name) => `${name}:${port}`), ...(port === 80 ? names : [])];
}

/** Why a request that reads is refused; undefined if it is not. */
export function refuseReading(headers: IncomingHttpHeaders, port: number): Refusal | undefined {
  const { host, origin } = headers;
  if (host === undefined || !hostsOf(port).includes(host)) {
    return { status: 403, sentence: `this page is served to http://127.0.0.1:${port} only` };
  }
  const site = headers['sec-fetch-site'];
  const foreign =
    (origin !== undefined && origin !== `http://${host}`) || site === 'cross-site' || site === 'same-site';
  return foreign ? { status: 403, sentence: 'other web pages may not read this one' } : undefined;
}

/** Why a request that changes something is refused; undefined if it is not. */
export function refuseControl(
  headers: IncomingHttpHeaders,
  port: number,
  token: string,
): Refusal | undefined {
  const refusal = refuseReading(headers, port);
  if (refusal) return refusal;
  if (headers.origin === undefined) {
    return { status: 403, sentence: 'a control request must say which page it comes from (Origin)' };
  }
  const given = headers[TOKEN_HEADER];
  if (typeof given !== 'string' || !sameSecret(given, token)) {
    return { status: 403, sentence: 'this page belongs to an earlier run; load it again' };
  }
  if (headers['content-type'] !== 'application/json') {
    return { status: 415, sentence: 'a control request is JSON (Content-Type: application/json)' };
  }
  return undefined;
}
