import { once } from 'node:events';
import { WebSocket } from 'ws';
import { Bundle } from '../../src/bundle/Bundle';
import type { EpisodeHandle } from '../../src/policy/PolicyClient';
import type { ActionChunk } from '../../src/policy/types';
import type { WireMap } from '../../src/serve/message';
import { readMessage, writeMessage } from '../../src/serve/message';
import { NdArray } from '../../src/serve/NdArray';
import { observationKeys } from '../../src/serve/observationKeys';
import type { KeyOptions } from '../../src/serve/observationKeys';
import { PolicyConversation } from '../../src/serve/PolicyConversation';
import { PolicyServer } from '../../src/serve/PolicyServer';
import type { ServerOptions } from '../../src/serve/PolicyServer';
import type { TopicMapping } from '../../src/settings/mapping';
import type { ParameterValues } from '../../src/settings/parameterValues';
import { fakeChunk } from '../policy/fakeChunk';

/** An episode whose chunks count: their actions are all the number of the chunk. Knows what it was asked. */
export class CountingEpisode implements EpisodeHandle {
  readonly asked: Parameters<EpisodeHandle['infer']>[] = [];
  resets = 0;
  closed = false;
  chunk = 0;
  /** awaited by each chunk */
  gate: Promise<void> = Promise.resolve();

  constructor(private readonly values: number) {}

  async infer(...args: Parameters<EpisodeHandle['infer']>): Promise<ActionChunk> {
    this.asked.push(args);
    await this.gate;
    const chunk = this.chunk++;
    return fakeChunk({
      episode: this.resets,
      chunk,
      instruction: args[0].instruction,
      stamp: args[0].stamp,
      actions: new Float32Array(this.values).fill(chunk),
      normalised: new Float32Array(this.values),
      report: { policy: args[1].policy },
    });
  }
  reset(): Promise<void> {
    this.resets += 1;
    this.chunk = 0;
    return Promise.resolve();
  }
  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }
}

export interface ServerUnderTest {
  readonly server: PolicyServer;
  readonly url: string;
  readonly episodes: CountingEpisode[];
  readonly notes: string[];
}

/** A server of a bundle whose episodes only count. */
export async function serveCounting(
  folder: string,
  options: Partial<ServerOptions> & { readonly mapping?: TopicMapping; readonly keys?: KeyOptions } = {},
  settings: ParameterValues = new Map(),
): Promise<ServerUnderTest> {
  const bundle = Bundle.describe(folder);
  const keys = observationKeys(bundle, options.mapping, options.keys);
  const { horizon, actionDim } = bundle.dimensions;
  const episodes: CountingEpisode[] = [];
  const notes: string[] = [];
  const server = await PolicyServer.listen({
    host: '127.0.0.1',
    port: 0,
    clients: 8,
    messageBytes: 1 << 20,
    conversations: new Map([
      [
        '/',
        () => {
          const episode = new CountingEpisode(horizon * actionDim);
          episodes.push(episode);
          return Promise.resolve(
            new PolicyConversation({ bundle, keys, settings, infer: {}, episode, version: '0' }),
          );
        },
      ],
    ]),
    onNote: (note) => notes.push(note),
    ...options,
  });
  return { server, url: `ws://127.0.0.1:${server.port}`, episodes, notes };
}

/** What the table-top policy takes. */
export function tabletopObservation(changes: WireMap = {}): WireMap {
  return {
    'observation/front': NdArray.ofBytes([64, 64, 3], new Uint8Array(64 * 64 * 3)),
    'observation/wrist': NdArray.ofBytes([64, 64, 3], new Uint8Array(64 * 64 * 3).fill(9)),
    'observation/state': NdArray.ofFloats([3], Float32Array.of(0.5, 0.25, 1)),
    prompt: 'put the red block on the white plate',
    ...changes,
  };
}

/** A client that sees each message of the server in turn. */
export class Client {
  readonly #received: (WireMap | string)[] = [];
  readonly #waiting: ((message: WireMap | string) => void)[] = [];
  readonly closed: Promise<number>;

  private constructor(readonly socket: WebSocket) {
    socket.on('message', (data, binary) => {
      const message = binary ? readMessage(data as Buffer) : (data as Buffer).toString();
      const next = this.#waiting.shift();
      if (next) next(message);
      else this.#received.push(message);
    });
    socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => socket.on('close', resolve));
  }

  /** Connects, and takes the greeting. */
  static async connect(
    url: string,
    headers: Record<string, string> = {},
  ): Promise<Client & { greeting: WireMap }> {
    const client = new Client(new WebSocket(url, { headers }));
    await once(client.socket, 'open');
    const greeting = (await client.next()) as WireMap;
    return Object.assign(client, { greeting });
  }

  next(): Promise<WireMap | string> {
    const there = this.#received.shift();
    if (there !== undefined) return Promise.resolve(there);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  ask(message: WireMap | Uint8Array | string): Promise<WireMap | string> {
    const isMap = typeof message !== 'string' && !(message instanceof Uint8Array);
    this.socket.send(isMap ? writeMessage(message) : message);
    return this.next();
  }
}

/** The HTTP status with which a connection is refused. */
export async function refusal(
  url: string,
  headers: Record<string, string> = {},
): Promise<number | undefined> {
  const socket = new WebSocket(url, { headers });
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, { statusCode?: number }];
  socket.on('error', () => undefined);
  socket.terminate();
  return response.statusCode;
}
