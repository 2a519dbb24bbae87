import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UsageError } from '../../src/errors';
import type { Snapshot } from '../../src/watch/messages';
import { TOKEN_HEADER } from '../../src/watch/messages';
import { WatchServer } from '../../src/watch/WatchServer';

class FakeSubject {
  attended = false;
  readonly asked: unknown[] = [];
  snapshot(): Snapshot {
    return { instruction: 'take the cup' } as Snapshot;
  }
  control(json: unknown): void {
    if (json === 'nonsense') throw new UsageError('range [9, 6]: start must be at most end, which is 6');
    this.asked.push(json);
  }
}

describe('The server of the live page', () => {
  let subject: FakeSubject;
  let server: WatchServer;
  let token = '';

  beforeEach(async () => {
    subject = new FakeSubject();
    const pageWith = (given: string) => {
      token = given;
      return { html: '<p>page', policy: "default-src 'none'" };
    };
    server = await WatchServer.listen({ subject, port: 0, pageWith });
  });
  afterEach(() => server.close());

  const send = async (
    method: string,
    path: string,
    headers: Record<string, string> = {},
    body = '',
  ): Promise<IncomingMessage> => {
    const sent = request({ host: '127.0.0.1', port: server.port, method, path, headers });
    // A refused request is answered before its body is read.
    sent.on('error', () => undefined);
    sent.end(body);
    return ((await once(sent, 'response')) as [IncomingMessage])[0];
  };
  const textOf = async (response: IncomingMessage): Promise<string> =>
    Buffer.concat((await response.toArray()) as Buffer[]).toString('utf8');
  const control = (
    body: unknown,
    changed: Record<string, string | undefined> = {},
  ): Promise<IncomingMessage> => {
    const headers: Record<string, string | undefined> = {
      origin: `http://127.0.0.1:${server.port}`,
      'content-type': 'application/json',
      [TOKEN_HEADER]: token,
      ...changed,
    };
    const given = Object.entries(headers).filter((pair): pair is [string, string] => pair[1] !== undefined);
    return send('POST', '/control', Object.fromEntries(given), JSON.stringify(body));
  };

  it('serves the page under its content policy, to be kept nowhere', async () => {
    const response = await send('GET', '/');
    expect(response.statusCode).toBe(200);
    expect(response.headers).toMatchObject({
      'content-security-policy': "default-src 'none'",
      'cache-control': 'no-store',
      'cross-origin-resource-policy': 'same-origin',
    });
    expect(await textOf(response)).toBe('<p>page');
  });

  it('does what its own page asks for', async () => {
    expect((await control({ do: 'pause' })).statusCode).toBe(204);
    expect(subject.asked).toEqual([{ do: 'pause' }]);
  });

  it('answers what does not fit with the sentence that says why', async () => {
    const response = await control('nonsense');
    expect(response.statusCode).toBe(400);
    expect(await textOf(response)).toBe('range [9, 6]: start must be at most end, which is 6');
  });

  it.each([
    ['from another site', { origin: 'http://evil.example' }, 403],
    ['from another port of this machine', { origin: 'http://127.0.0.1:1' }, 403],
    ['from a page that hides where it comes from', { origin: 'null' }, 403],
    ['from no page', { origin: undefined }, 403],
    ['without the token', { [TOKEN_HEADER]: undefined }, 403],
    ['with a wrong token', { [TOKEN_HEADER]: 'a'.repeat(48) }, 403],
    ['to a name that points here', { host: 'evil.example', origin: 'http://evil.example' }, 403],
    ['as a form sends it', { 'content-type': 'text/plain' }, 415],
  ])('refuses a control request %s', async (_, changed, status) => {
    expect((await control({ do: 'pause' }, changed)).statusCode).toBe(status);
    expect(subject.asked).toEqual([]);
  });

  it('refuses bodies that are too long or no JSON', async () => {
    expect(await textOf(await control('x'.repeat(20_000)))).toMatch(/more than 16384 bytes/);
    const headers = {
      origin: server.url.slice(0, -1),
      'content-type': 'application/json',
      [TOKEN_HEADER]: token,
    };
    expect(await textOf(await send('POST', '/control', headers, '{'))).toMatch(/not JSON/);
    expect(subject.asked).toEqual([]);
  });

  it.each([
    ['page', '/'],
    ['events', '/events'],
  ])('shows the %s to no other site', async (_, path) => {
    expect((await send('GET', path, { host: 'evil.example' })).statusCode).toBe(403);
    expect((await send('GET', path, { origin: 'http://evil.example' })).statusCode).toBe(403);
    expect((await send('GET', path, { 'sec-fetch-site': 'cross-site' })).statusCode).toBe(403);
    expect(subject.attended).toBe(false);
  });

  it('changes nothing on a GET, and says where the page is', async () => {
    expect((await send('GET', '/control?do=pause', { [TOKEN_HEADER]: token })).statusCode).toBe(404);
    expect(await textOf(await send('GET', '/../secret'))).toMatch(/the page is at \//);
    expect(subject.asked).toEqual([]);
  });

  it('tells a page first where things stand, then what happens; and knows when it is gone', async () => {
    const events = await send('GET', '/events');
    expect(events.headers['content-type']).toMatch('text/event-stream');
    expect(subject.attended).toBe(true);
    const [first] = (await once(events, 'data')) as [Buffer];
    expect(first.toString()).toBe('event: snapshot\ndata: {"instruction":"take the cup"}\n\n');
    const next = once(events, 'data') as Promise<[Buffer]>;
    server.tell('world', { step: 3 } as never);
    expect((await next)[0].toString()).toBe('event: world\ndata: {"step":3}\n\n');
    events.destroy();
    await expect.poll(() => subject.attended).toBe(false);
  });

  it('says in one line that a port is taken', async () => {
    const again = WatchServer.listen({
      subject,
      port: server.port,
      pageWith: () => ({ html: '', policy: '' }),
    });
    await expect(again).rejects.toThrow(UsageError);
    await expect(again).rejects.toThrow(
      `--port ${server.port}: another program listens there; choose another one, or leave it out for a free one`,
    );
  });
});
