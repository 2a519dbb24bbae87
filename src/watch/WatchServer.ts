import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { FastWamError, messageOf, UsageError } from '../errors';
import type { Snapshot, WatchEvents } from './messages';
import { refuseControl, refuseReading } from './requestChecks';
import { eventText, Viewer } from './Viewer';

/** Only programs of this machine reach the page. */
const HOST = '127.0.0.1';
/** A control request is some hundred bytes. */
const LARGEST_BODY = 16 * 1024;
/** More pages than anybody opens. */
const LARGEST_AUDIENCE = 32;
const HTTP_OK = 200;

/** What the server shows and passes requests on to. */
export interface WatchSubject {
  snapshot(): Snapshot;
  /** @throws FastWamError with a sentence for the person at the page */
  control(request: unknown): void;
  /** set as pages come and go */
  attended: boolean;
}

/** The page: its text and the Content-Security-Policy that belongs to it. */
export interface ServedPage {
  readonly html: string;
  readonly policy: string;
}

/**
 * Serves one page to browsers of this machine, tells it what happens (server-sent events), and takes its control
 * requests. Other web sites can neither read it nor steer it: Host, Origin and a token are checked.
 */
export class WatchServer {
  readonly #server: Server;
  readonly #subject: WatchSubject;
  readonly #viewers = new Set<Viewer>();
  readonly #token = randomBytes(24).toString('hex');
  readonly #page: ServedPage;

  private constructor(subject: WatchSubject, pageWith: (token: string) => ServedPage) {
    this.#subject = subject;
    this.#page = pageWith(this.#token);
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  /**
   * Begins to serve.
   * @param port 0 takes a free one
   * @param pageWith makes the page; its control requests carry the token
   * @throws UsageError if the port cannot be had
   */
  static async listen(options: {
    readonly subject: WatchSubject;
    readonly port: number;
    readonly pageWith: (token: string) => ServedPage;
  }): Promise<WatchServer> {
    const { subject, port, pageWith } = options;
    const watch = new WatchServer(subject, pageWith);
    await new Promise<void>((resolve, reject) => {
      watch.#server.once('error', (error: NodeJS.ErrnoException) => reject(portError(error, port)));
      watch.#server.listen(port, HOST, resolve);
    });
    return watch;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://${HOST}:${this.port}/`;
  }

  /** Tells all pages. */
  tell<E extends keyof WatchEvents>(event: E, message: WatchEvents[E]): void {
    if (this.#viewers.size === 0) return;
    const text = eventText(event, message);
    for (const viewer of this.#viewers) viewer.send(text);
  }

  /** Takes leave of all pages and gives the port back. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const viewer of this.#viewers) viewer.end();
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, headers } = request;
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('X-Content-Type-Options', 'nosniff');
    response.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
    const path = (request.url ?? '').split('?')[0];
    const wanted = `${method ?? ''} ${path ?? ''}`;
    const refusal =
      method === 'POST' ? refuseControl(headers, this.port, this.#token) : refuseReading(headers, this.port);
    if (refusal) plain(response, refusal.status, refusal.sentence);
    else if (wanted === 'GET /') this.#sendPage(response);
    else if (wanted === 'GET /events') this.#sendEvents(response);
    else if (wanted === 'POST /control') await this.#control(request, response);
    else plain(response, 404, 'there is nothing here; the page is at /');
  }

  #sendPage(response: ServerResponse): void {
    response.writeHead(HTTP_OK, {
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Security-Policy': this.#page.policy,
      'Referrer-Policy': 'no-referrer',
    });
    response.end(this.#page.html);
  }

  #sendEvents(response: ServerResponse): void {
    if (this.#viewers.size >= LARGEST_AUDIENCE) {
      plain(response, 503, `${LARGEST_AUDIENCE} pages are open already; close some`);
      return;
    }
    response.writeHead(HTTP_OK, { 'Content-Type': 'text/event-stream; charset=utf-8' });
    const whereThingsStand = (): string => eventText('snapshot', this.#subject.snapshot());
    const viewer = new Viewer(response, whereThingsStand);
    viewer.send(whereThingsStand());
    this.#viewers.add(viewer);
    this.#subject.attended = true;
    response.on('close', () => {
      this.#viewers.delete(viewer);
      this.#subject.attended = this.#viewers.size > 0;
    });
  }

  async #control(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      this.#subject.control(await bodyOf(request));
      response.writeHead(204).end();
    } catch (error) {
      plain(response, error instanceof FastWamError ? 400 : 500, messageOf(error));
    }
  }
}

function portError(error: NodeJS.ErrnoException, port: number): Error {
  const reason =
    error.code === 'EADDRINUSE'
      ? 'another program listens there'
      : error.code === 'EACCES'
        ? 'this user may not listen there'
        : error.message;
  return new UsageError(`--port ${port}: ${reason}; choose another one, or leave it out for a free one`);
}

function plain(response: ServerResponse, status: number, sentence: string): void {
  // Whatever of the request is unread is not waited for.
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', Connection: 'close' });
  response.end(sentence);
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > LARGEST_BODY) throw new UsageError(`control request: more than ${LARGEST_BODY} bytes`);
    parts.push(part);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString('utf8')) as unknown;
  } catch {
    throw new UsageError('control request: not JSON');
  }
}
