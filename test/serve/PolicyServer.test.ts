import { encode } from '@msgpack/msgpack';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { InputError, UsageError } from '../../src/errors';
import type { WireMap } from '../../src/serve/message';
import { writeMessage } from '../../src/serve/message';
import { NdArray } from '../../src/serve/NdArray';
import { readToken } from '../../src/serve/token';
import { Random } from '../../src/sim/Random';
import { readMapping } from '../../src/settings/mapping';
import { temporaryFolder } from '../helpers';
import { Client, refusal, serveCounting, tabletopObservation } from './ServerUnderTest';
import type { ServerUnderTest } from './ServerUnderTest';
import { writeFileSync } from 'node:fs';

const BUNDLE = join(__dirname, '..', '..', 'bundles', 'tabletop');
const TOKEN = 'a token of some length'.replaceAll(' ', '-');

let running: ServerUnderTest | undefined;
async function serve(...args: Parameters<typeof serveCounting> extends [string, ...infer R] ? R : never) {
  running = await serveCounting(BUNDLE, ...args);
  return running;
}
afterEach(async () => {
  await running?.server.close();
  running = undefined;
});

describe('The policy server', () => {
  it('says what it serves, gives the chunks of an episode in order, and their timing', async () => {
    const { url, episodes } = await serve();
    const client = await Client.connect(url);
    expect(client.greeting).toMatchObject({
      bundle: 'tabletop',
      action_horizon: 32,
      action_names: ['dx', 'dy', 'grip'],
      replan_steps: 10,
      observation: { cameras: { front: 'observation/front', wrist: 'observation/wrist' }, prompt: 'prompt' },
    });
    const first = (await client.ask(tabletopObservation())) as WireMap;
    expect(first['actions']).toEqual(NdArray.ofFloats([32, 3], new Float32Array(96)));
    expect(first).toMatchObject({ chunk: 0, episode: 0, cache: { policy: 'c3ache', refreshed: true } });
    expect(first['server_timing']).toEqual({ infer_ms: expect.any(Number) });
    const second = (await client.ask(tabletopObservation())) as WireMap;
    expect(second).toMatchObject({ chunk: 1, server_timing: { prev_total_ms: expect.any(Number) } });
    const [observation] = episodes[0]!.asked[0]!;
    expect(observation.instruction).toBe('put the red block on the white plate');
    expect(Array.from(observation.proprio)).toEqual([0.5, 0.25, 1]);
    expect(observation.cameras?.get('wrist')).toMatchObject({ width: 64, height: 64, encoding: 'rgb8' });
    expect(observation.cameras?.get('wrist')?.data[0]).toBe(9);
  });

  it('keeps an episode and settings of its own for each client', async () => {
    const { url, episodes } = await serve();
    const [one, other] = await Promise.all([Client.connect(url), Client.connect(url)]);
    await one.ask(tabletopObservation());
    await one.ask(tabletopObservation({ 'cache.policy': 'none' }));
    await one.ask(tabletopObservation());
    await other.ask(tabletopObservation({ cache: { refresh_interval: 2, range: [0, 5] } }));
    expect(await one.ask({ reset: true })).toMatchObject({ reset: true, settings: 'none' });
    expect(await other.ask(tabletopObservation())).toMatchObject({ chunk: 1, episode: 0 });
    expect(await one.ask(tabletopObservation())).toMatchObject({ chunk: 0, episode: 1 });
    const settings = episodes.map(({ asked }) => asked.map(([, { policy, values }]) => [policy, values]));
    expect(settings[0]!.map(([policy]) => policy)).toEqual(['c3ache', 'none', 'none', 'none']);
    expect(settings[1]![1]).toEqual([
      'c3ache',
      expect.objectContaining({ refresh_interval: 2, range: [0, 5] }),
    ]);
  });

  it('reads settings as a command line and numpy write them', async () => {
    const { url } = await serve();
    const client = await Client.connect(url);
    const numbers = new NdArray('<i8', [2], Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0));
    expect(await client.ask({ 'cache.refresh_interval': '8', 'cache.range': numbers })).toMatchObject({
      settings: 'c3ache R=8 [1,5]',
    });
    expect(await client.ask({ 'cache.range': '0:4' })).toMatchObject({ settings: 'c3ache R=8 [0,4]' });
  });

  it.each<[string, WireMap, RegExp]>([
    ['no key', {}, /message is empty; an observation has observation\/front/],
    [
      'a missing picture',
      { 'observation/front': null },
      /observation\/front: expected a picture.*got nothing/,
    ],
    [
      'an unknown key',
      { 'observation/wirst': 1 },
      /unknown key "observation\/wirst" \(did you mean observation\/wrist\?\)/,
    ],
    [
      'floats for pixels',
      { 'observation/wrist': NdArray.ofFloats([1, 1, 3], new Float32Array(3)) },
      /uint8.*got <f4 \[1, 1, 3\]/,
    ],
    [
      'a grey picture',
      { 'observation/wrist': NdArray.ofBytes([64, 64], new Uint8Array(4096)) },
      /uint8 \[height, width, 3\].*got \|u1 \[64, 64\]/,
    ],
    [
      'a short state',
      { 'observation/state': [1, 2] },
      /observation\/state: expected 3 numbers \(gripper_x, gripper_y, gripper_opening\), got 2/,
    ],
    [
      'a state of two axes',
      { 'observation/state': NdArray.ofFloats([1, 3], new Float32Array(3)) },
      /got an array <f4 \[1, 3\]/,
    ],
    ['a state that is not finite', { 'observation/state': [1, Number.NaN, 2] }, /number 1 is NaN/],
    ['a prompt of bytes', { prompt: Uint8Array.of(1) }, /prompt: expected the task as a text, got 1 bytes/],
    ['an unknown policy', { 'cache.policy': 'c3che' }, /cache\.policy/],
    ['a range beyond the steps', { 'cache.range': [0, 99] }, /range/],
    ['an unknown setting', { 'cache.refresh': 3 }, /did you mean/],
    ['a map for a setting', { 'cache.refresh_interval': { a: 1 } }, /expected a number, a text/],
    ['a reset that is no yes or no', { reset: 3 }, /reset: expected true or false/],
  ])('answers %s with a sentence, and goes on', async (name, changes, sentence) => {
    const { url, episodes } = await serve();
    const client = await Client.connect(url);
    await client.ask({ 'cache.refresh_interval': 3 });
    expect(await client.ask(name === 'no key' ? {} : tabletopObservation(changes))).toMatch(sentence);
    // Nothing of the refused message took effect.
    expect(await client.ask(tabletopObservation())).toMatchObject({ chunk: 0, episode: 0 });
    expect(episodes[0]!.asked[0]![1]).toMatchObject({ policy: 'c3ache', values: { refresh_interval: 3 } });
  });

  it('answers text and what is no message with a sentence, and goes on', async () => {
    const { url } = await serve();
    const client = await Client.connect(url);
    expect(await client.ask('hello')).toMatch(/a text; expected a map as MessagePack/);
    expect(await client.ask(Uint8Array.of(0xc1))).toMatch(/begins no value/);
    expect(await client.ask(tabletopObservation())).toMatchObject({ chunk: 0 });
  });

  it('takes keys and the task from a params file, keys in maps, planes, and pictures as JPEG', async () => {
    const file = join(temporaryFolder(), 'aloha.yaml');
    writeFileSync(
      file,
      `/**:
  ros__parameters:
    cameras:
      front: { topic: /images/cam_high }
      wrist: { topic: images/cam_wrist }
    proprio:
      sources: [arm, gripper]
      arm: { topic: state, type: Float32MultiArray, joints: [gx, gy] }
      gripper: { topic: gripper, type: Float32MultiArray, joints: [opening] }
    instruction: put the red block on the white plate
`,
    );
    const { url, episodes } = await serve({
      mapping: readMapping(file),
      keys: { rotated: ['front'], ignored: ['timestamp'] },
    });
    const client = await Client.connect(url);
    const planes = Uint8Array.from({ length: 3 * 2 * 4 }, (_, i) => i);
    const jpeg = Uint8Array.of(0xff, 0xd8, 0xff);
    const answer = await client.ask({
      images: { cam_high: NdArray.ofBytes([3, 2, 4], planes), cam_wrist: jpeg },
      state: [0.5, 0.25],
      gripper: 1,
      timestamp: 3,
    });
    expect(answer).toMatchObject({ chunk: 0 });
    const [{ cameras, proprio, instruction }] = episodes[0]!.asked[0]!;
    // Turned by 180°: the last pixel of each plane comes first.
    expect(cameras?.get('front')).toMatchObject({ width: 4, height: 2 });
    expect([...cameras!.get('front')!.data.slice(0, 6)]).toEqual([7, 15, 23, 6, 14, 22]);
    expect(cameras?.get('wrist')).toMatchObject({ kind: 'compressed', data: jpeg });
    expect(proprio).toEqual([0.5, 0.25, 1]);
    expect(instruction).toBe('put the red block on the white plate');
  });

  it('lets in whoever states the token, and no web page', async () => {
    const { url, notes, server } = await serve({ token: TOKEN });
    expect(await refusal(url)).toBe(401);
    expect(await refusal(url, { Authorization: 'Api-Key wrong' })).toBe(401);
    expect(await refusal(url, { Authorization: `Api-Key ${TOKEN}`, Origin: 'http://127.0.0.1' })).toBe(403);
    expect(await refusal(`${url}/other`, { Authorization: `Bearer ${TOKEN}` })).toBe(404);
    const client = await Client.connect(url, { Authorization: `Api-Key ${TOKEN}` });
    expect(client.greeting).toMatchObject({ bundle: 'tabletop' });
    expect(notes.join('\n')).not.toContain(TOKEN);
    expect((await fetch(`http://127.0.0.1:${server.port}/healthz`)).status).toBe(200);
    expect((await fetch(`http://127.0.0.1:${server.port}/`)).status).toBe(404);
  });

  it('wants a token of those who are not on this machine', () => {
    expect(readToken('127.0.0.1', undefined, {})).toBeUndefined();
    expect(() => readToken('0.0.0.0', undefined, {})).toThrow(UsageError);
    expect(() => readToken('192.168.1.4', undefined, { FASTWAM_TOKEN: '' })).toThrow(/--token-file/);
    expect(readToken('0.0.0.0', undefined, { FASTWAM_TOKEN: TOKEN })).toBe(TOKEN);
    expect(() => readToken('0.0.0.0', undefined, { FASTWAM_TOKEN: 'short' })).toThrow(InputError);
    const file = join(temporaryFolder(), 'token');
    writeFileSync(file, `${TOKEN}\n`);
    expect(readToken('::', file, {})).toBe(TOKEN);
    writeFileSync(file, '\n');
    expect(() => readToken('127.0.0.1', file, {})).toThrow(/at least 16 characters/);
  });

  it('has room for so many clients, and for the next when one has gone', async () => {
    const { url, episodes, server } = await serve({ clients: 2 });
    const one = await Client.connect(url);
    await Client.connect(url);
    expect(await refusal(url)).toBe(503);
    one.socket.terminate();
    await vi.waitFor(() => expect(server.clients).toBe(1));
    expect(episodes[0]!.closed).toBe(true);
    await Client.connect(url);
  });

  it('closes on a message that is too large (1009), and serves the others', async () => {
    const { url, notes } = await serve({ messageBytes: 100_000 });
    const [large, other] = await Promise.all([Client.connect(url), Client.connect(url)]);
    large.socket.send(Buffer.alloc(100_001));
    expect(await large.closed).toBe(1009);
    expect(await other.ask(tabletopObservation())).toMatchObject({ chunk: 0 });
    await vi.waitFor(() => expect(notes.join('\n')).toMatch(/gone: .*Max payload size exceeded/));
  });

  it('reads no more of a client than it answers, and forgets one that vanishes in the middle', async () => {
    const { url, episodes, server } = await serve();
    const greedy = await Client.connect(url);
    let open: () => void = () => undefined;
    episodes[0]!.gate = new Promise((resolve) => (open = resolve));
    const message = writeMessage(tabletopObservation());
    const sent = 400;
    for (let i = 0; i < sent; i++) greedy.socket.send(message);
    await vi.waitFor(() => expect(episodes[0]!.asked.length).toBe(1));
    // 400 messages of 25 kB do not fit in what the kernel holds: they wait with the client.
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(greedy.socket.bufferedAmount).toBeGreaterThan(1_000_000);
    const other = await Client.connect(url);
    expect(await other.ask(tabletopObservation())).toMatchObject({ chunk: 0 });
    open();
    for (let i = 0; i < sent; i++) expect(await greedy.next()).toMatchObject({ chunk: i });

    episodes[0]!.gate = new Promise((resolve) => (open = resolve));
    greedy.socket.send(message);
    await vi.waitFor(() => expect(episodes[0]!.asked.length).toBe(sent + 1));
    greedy.socket.terminate();
    await vi.waitFor(() => expect(server.clients).toBe(1));
    open();
    expect(episodes[0]!.closed).toBe(true);
    expect(await other.ask(tabletopObservation())).toMatchObject({ chunk: 1 });
  });

  it('is not held up by who connects and says nothing, or ends in the middle of a message', async () => {
    const { url, server } = await serve();
    const silent = connect(server.port, '127.0.0.1');
    await once(silent, 'connect');
    const torn = await Client.connect(url);
    torn.socket.send(Buffer.alloc(70_000), { fin: false });
    torn.socket.terminate();
    const client = await Client.connect(url);
    expect(await client.ask(tabletopObservation())).toMatchObject({ chunk: 0 });
    silent.destroy();
  });

  it('takes leave of its clients when it ends (1001)', async () => {
    const { url, server } = await serve();
    const client = await Client.connect(url);
    const { port } = server;
    await server.close();
    expect(await client.closed).toBe(1001);
    await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow();
  });

  it(
    'answers ten thousand malformed messages, each with a sentence or a chunk, and is alive',
    { timeout: 120_000 },
    async () => {
      const { url, episodes, notes } = await serve();
      const client = await Client.connect(url);
      const random = new Random(7, 0, 0);
      const good = Buffer.from(writeMessage(tabletopObservation({ 'cache.range': [0, 6] })));
      let refused = 0;
      for (let i = 0; i < 10_000; i++) {
        const message = malformed(good, random);
        const answer = await client.ask(message);
        if (typeof answer === 'string') {
          refused += 1;
          // A sentence for people: one line, none of the program's own faults.
          expect(answer).toMatch(/^[^\n]{10,400}$/);
          expect(answer).not.toMatch(/undefined|not a function|Cannot read|\[object/);
        } else {
          expect(answer['chunk'] ?? answer['settings']).toBeDefined();
        }
      }
      // A changed byte of a picture is no fault; most others are.
      expect(refused).toBeGreaterThan(5_000);
      expect(refused).toBeLessThan(10_000);
      expect(await client.ask({ reset: true, cache: { policy: 'none' } })).toMatchObject({
        settings: 'none',
      });
      expect(await client.ask(tabletopObservation())).toMatchObject({ chunk: 0 });
      expect(notes.join('\n')).not.toMatch(/gone/);
      expect(episodes.length).toBe(1);
    },
  );
});

/** A message with a fault: cut, bytes changed near its keys or anywhere, parts repeated, or nothing but chance. */
function malformed(good: Buffer, random: Random): Uint8Array {
  const message = Buffer.from(good);
  const head = 160;
  switch (random.integer(0, 6)) {
    case 0:
      return message.subarray(0, random.integer(0, message.length));
    case 1: {
      for (let i = random.integer(1, 4); i > 0; i--)
        message[random.integer(0, head)] = random.integer(0, 256);
      return message;
    }
    case 2: {
      const at = random.integer(0, message.length);
      message[at] = (message[at] ?? 0) ^ (1 << random.integer(0, 8));
      return message;
    }
    case 3:
      return Buffer.concat([message, message.subarray(0, random.integer(1, head))]);
    case 4:
      return Uint8Array.from({ length: random.integer(0, 200) }, () => random.integer(0, 256));
    default: {
      const values: unknown[] = [
        null,
        -1,
        'text',
        [],
        {},
        true,
        1.5,
        Uint8Array.of(1),
        [[[1]]],
        'x'.repeat(500),
      ];
      const names = [
        'observation/front',
        'observation/state',
        'prompt',
        'reset',
        'cache.policy',
        'cache.range',
        'sampler.seed',
        'cache',
      ];
      const pick = <T>(of: readonly T[]): T => of[random.integer(0, of.length)] as T;
      return encode(
        Object.fromEntries(Array.from({ length: random.integer(0, 5) }, () => [pick(names), pick(values)])),
      );
    }
  }
}
