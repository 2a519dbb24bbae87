import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { UsageError } from '../errors';
import { sameSecret } from '../words/sameSecret';
import { Connection } from './Connection';
import type { Conversation } from './Conversation';

/** How often clients are asked whether they are still there, milliseconds. */
const PING_PERIOD = 20_000;
/** A request that does not even state its headers in so long is let go, milliseconds. */
const HEADER_PATIENCE = 10_000;
/** How long clients have to say goodbye when the server ends, milliseconds. */
const FAREWELL = 2_000;
/** Plain requests (`/healthz`) beside the clients. */
const PLAIN_REQUESTS = 16;

export interface ServerOptions {
  readonly host: string;
  /** 0 takes a free one */
  readonly port: number;
  /** what clients must state; none is asked for where it is undefined */
  readonly token?: string;
  /** clients at a time */
  readonly clients: number;
  /** largest message of a client, bytes */
  readonly messageBytes: number;
  /** what is spoken at each path */
  readonly conversations: ReadonlyMap<string, () => Promise<Conversation>>;
  /** told of clients that come, go and are refused, one line each */
  readonly onNote?: (note: string) => void;
}

/** A refusal: HTTP status and one sentence. */
interface Refusal {
  readonly status: string;
  readonly sentence: string;
}

/**
 * Serves conversations over websockets as openpi's policy server does: MessagePack in binary messages, a greeting to
 * whoever connects, a reply to each message, `GET /healthz` for those who look whether it is there.
 */
export class PolicyServer {
  readonly #options: ServerOptions;
  readonly #http: Server;
  readonly #sockets: WebSocketServer;
  readonly #connections = new Set<Connection>();
  readonly #pinging: NodeJS.Timeout;
  #closing = false;

  private constructor(options: ServerOptions) {
    this.#options = options;
    this.#http = createServer((request, response) => this.#answer(request, response));
    this.#http.maxConnections = options.clients + PLAIN_REQUESTS;
    this.#http.headersTimeout = HEADER_PATIENCE;
    this.#sockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: options.messageBytes,
    });
    this.#http.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    this.#pinging = setInterval(() => {
      for (const connection of this.#connections) connection.askIfThere();
    }, PING_PERIOD);
  }

  /**
   * Begins to serve.
   * @throws UsageError if the port cannot be had
   */
  static async listen(options: ServerOptions): Promise<PolicyServer> {
    const server = new PolicyServer(options);
    const { host, port } = options;
    try {
      await new Promise<void>((resolve, reject) => {
        server.#http.once('error', reject);
        server.#http.listen(port, host, resolve);
      });
    } catch (error) {
      clearInterval(server.#pinging);
      throw new UsageError(
        `--host ${host} --port ${port}: ${whyNot(error as NodeJS.ErrnoException)}; choose others`,
      );
    }
    return server;
  }

  get port(): number {
    return (this.#http.address() as AddressInfo).port;
  }

  /** Clients that are connected. */
  get clients(): number {
    return this.#connections.size;
  }

  /** Takes leave of all clients and gives the port back. */
  async close(reason = 'the server ends'): Promise<void> {
    this.#closing = true;
    clearInterval(this.#pinging);
    const closed = new Promise<void>((resolve) => this.#http.close(() => resolve()));
    const connections = [...this.#connections];
    for (const connection of connections) connection.close(reason);
    const late = setTimeout(() => {
      for (const connection of connections) connection.terminate();
    }, FAREWELL);
    await Promise.all(connections.map(({ ended }) => ended));
    clearTimeout(late);
    this.#http.closeAllConnections();
    await closed;
  }

  #answer({ method, url }: IncomingMessage, response: ServerResponse): void {
    const healthy = method === 'GET' && pathOf(url) === '/healthz';
    const [status, text] = healthy
      ? [200, 'OK\n']
      : [404, 'clients connect by websocket; GET /healthz says whether this server is there\n'];
    response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', Connection: 'close' });
    response.end(text);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { remoteAddress = '', remotePort = 0 } = request.socket;
    const who = `${remoteAddress}:${remotePort}`;
    socket.on('error', () => undefined);
    const conversation = this.#conversationFor(request);
    if (typeof conversation !== 'function') {
      this.#note(`${who} refused: ${conversation.sentence}`);
      refuse(socket, conversation);
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (client) => {
      const connection = new Connection(client, conversation);
      this.#connections.add(connection);
      this.#note(`${who} connected; ${this.clients} of ${this.#options.clients} clients`);
      void connection.ended.then(() => {
        this.#connections.delete(connection);
        this.#note(`${who} gone: ${connection.account}`);
      });
    });
  }

  /** What is spoken with a client, or why it is not let in. */
  #conversationFor({ headers, url }: IncomingMessage): (() => Promise<Conversation>) | Refusal {
    const { token, clients, conversations } = this.#options;
    // Only browsers state an origin: a page that somebody visits shall not drive a robot of this machine.
    if (headers.origin !== undefined) return { status: '403 Forbidden', sentence: 'not for web pages' };
    const given = /^(?:Api-Key|Bearer) (.*)$/i.exec(headers.authorization ?? '')?.[1] ?? '';
    if (token !== undefined && !sameSecret(given, token)) {
      return {
        status: '401 Unauthorized',
        sentence: 'the token is missing or wrong (api_key of the client)',
      };
    }
    const path = pathOf(url);
    const found = conversations.get(path);
    if (!found) {
      const known = [...conversations.keys()].join(', ');
      return { status: '404 Not Found', sentence: `nothing is served there; paths are ${known}` };
    }
    if (this.#closing || this.clients >= clients) {
      return { status: '503 Service Unavailable', sentence: `there are ${clients} clients already` };
    }
    return found;
  }

  #note(note: string): void {
    this.#options.onNote?.(note);
  }
}

function pathOf(url = '/'): string {
  return url.split('?')[0] ?? '/';
}

function refuse(socket: Duplex, { status, sentence }: Refusal): void {
  const body = `${sentence}\n`;
  socket.end(
    [
      `HTTP/1.1 ${status}`,
      'Connection: close',
      'Content-Type: text/plain; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(body)}`,
      '',
      body,
    ].join('\r\n'),
  );
}

function whyNot({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'EADDRINUSE':
      return 'another program listens there';
    case 'EACCES':
      return 'this user may not listen there';
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return 'this machine has no such address';
    default:
      return message;
  }
}
