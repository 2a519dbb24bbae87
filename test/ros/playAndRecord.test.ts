import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { openBag } from '../../src/bag/openBag';
import { ObservationBuffer } from '../../src/observation/ObservationBuffer';
import { rawFrame } from '../../src/observation/RawFrame';
import type { RawFrame } from '../../src/observation/RawFrame';
import { fromSeconds, headerStamp, toSeconds } from '../../src/observation/stamp';
import { PolicyClient } from '../../src/policy/PolicyClient';
import { readMapping } from '../../src/settings/mapping';
import type { TopicMapping } from '../../src/settings/mapping';
import { relativeError, removeFolders, temporaryFolder } from '../helpers';
import { ROOT, RosProcess, rosLacking } from './Peer';
import { compiledSource } from './compiledSource';

const BAG = join(ROOT, 'bags', 'tabletop_demo');
const PARAMS = join(ROOT, 'params', 'tabletop_demo.yaml');
const BUNDLE = join(ROOT, 'bundles', 'tabletop');
const CHUNKS = '/fast_wam_policy/action_chunk';
/** faster than it was recorded; a chunk then has 200 ms */
const RATE = 5;

interface Chunk {
  readonly header: { readonly stamp: unknown };
  readonly episode: number;
  readonly chunk: number;
  readonly instruction: string;
  readonly actions: Float32Array;
  readonly cache: { readonly reused_steps: number };
  readonly sources: readonly { readonly name: string; readonly age: number }[];
}

interface Metrics {
  readonly chunks: number;
  readonly configurations: readonly {
    readonly name: string;
    readonly cache: { readonly full_steps: number };
    readonly deviation: { readonly executed: { readonly normalised: { readonly rmse: number } } };
  }[];
}

const processes: RosProcess[] = [];
const fastwam = (args: readonly string[]): RosProcess => {
  const process = new RosProcess(['node', join(compiledSource(), 'cli', 'main.js'), ...args]);
  processes.push(process);
  return process;
};
const node = (args: readonly string[]): RosProcess => {
  const program = join(compiledSource(), 'ros', 'executables', 'policy.js');
  const process = new RosProcess(['node', program, '--ros-args', ...args]);
  processes.push(process);
  return process;
};

/** All messages of a recording's topic, decoded. */
async function messagesOf<T>(bag: string, topic: string): Promise<T[]> {
  const reader = await openBag(bag);
  const messages: T[] = [];
  for await (const message of reader.messages({ topics: [topic] }))
    messages.push(reader.decode(message) as T);
  await reader.close();
  return messages;
}

/** The messages of each source by their stamp. */
async function sourcesByStamp({
  cameras,
  proprio,
}: TopicMapping): Promise<Map<string, Map<bigint, unknown>>> {
  const sources = new Map<string, Map<bigint, unknown>>();
  for (const { name, topic } of [...cameras, ...proprio]) {
    const messages = await messagesOf<object>(BAG, topic);
    sources.set(name, new Map(messages.map((message) => [headerStamp(message)!, message])));
  }
  return sources;
}

/** The key of a stamp that was sent as an age: doubles keep less than a nanosecond. */
function nearest(stamps: Iterable<bigint>, wanted: bigint): bigint {
  const found = [...stamps].find((stamp) => Math.abs(toSeconds(stamp - wanted)) < 1e-5);
  if (found === undefined) throw new Error(`the recording has no message stamped ${wanted}`);
  return found;
}

describe.skipIf(rosLacking() !== undefined)('fastwam play and record', { timeout: 180_000 }, () => {
  const folder = temporaryFolder();
  afterEach(async ({ task }) => {
    for (const process of processes.splice(0)) {
      if (task.result?.state === 'fail') globalThis.process.stderr.write(`${process.output}\n`);
      await process.end();
    }
  });
  afterAll(removeFolders);

  it('records nothing whole where nothing came, and refuses what cannot be meant', async () => {
    const out = join(folder, 'nothing');
    const recorder = fastwam(['record', '/nobody/says', '--out', out]);
    // It says so only at the end; that it has begun shows in its folder.
    await vi.waitUntil(() => existsSync(out), { timeout: 60_000 });
    expect(await recorder.end('SIGINT')).toEqual({ code: 0, signal: null });
    expect(recorder.output).toMatch(/nobody has published \/nobody\/says\n/);
    expect(recorder.output).toContain(`nothing -> ${out}`);
    const bag = await openBag(out);
    expect(bag.topics).toEqual([]);
    await bag.close();
    for (const [words, sentence] of [
      [['/x', '--out', out], `${out}: exists already; name a new folder`],
      [['/x', '--out', join(folder, 'a', 'b')], 'cannot be made; is there a folder to put it in?'],
      [['/x', '--out', join(folder, 'c'), '--duration', '0'], '--duration'],
      [['/x y', '--out', join(folder, 'd')], '/x y'],
      [['--out', join(folder, 'e')], "missing required argument 'topics'"],
    ] as const) {
      const refused = fastwam(['record', ...words]);
      expect([(await refused.gone()).code, refused.output]).toEqual([2, expect.stringContaining(sentence)]);
      expect(
        refused.output
          .trimEnd()
          .split('\n')
          .filter((line) => line.includes('    at ')),
      ).toEqual([]);
    }
  });

  it('gives the node a recording from which it makes the chunks that are made offline', async () => {
    const out = join(folder, 'chunks');
    const policy = node([
      ...['--params-file', PARAMS, '-p', `bundle:=${BUNDLE}`, '-p', 'execution.threads:=1'],
      ...['-p', 'autostart:=true', '-p', 'use_sim_time:=true'],
    ]);
    const recorder = fastwam(['record', CHUNKS, '--out', out]);
    await recorder.printed(/recording \/fast_wam_policy\/action_chunk/);
    const player = fastwam(
      ['play', BAG, '--rate', String(RATE), '--clock', '--wait-for', 'fast_wam_policy'].concat(
        // as ros2 launch ends its command lines
        ['--ros-args', '-r', '__ns:=/'],
      ),
    );
    expect(await player.exited).toEqual({ code: 0, signal: null });
    expect(player.output).toMatch(/1044 messages published on \d topics/);
    expect(await recorder.end('SIGINT')).toEqual({ code: 0, signal: null });
    expect(existsSync(join(out, 'metadata.yaml'))).toBe(true);
    await policy.end('SIGINT');

    const chunks = await messagesOf<Chunk>(out, CHUNKS);
    expect(recorder.output).toContain(`${chunks.length} of ${CHUNKS} -> ${out}`);
    // one a second while the four episodes are recorded; a slow machine is late with some
    expect(chunks.length).toBeGreaterThan(8);
    expect(new Set(chunks.map(({ instruction }) => instruction)).size).toBeGreaterThan(1);
    expect(chunks.some(({ cache }) => cache.reused_steps > 0)).toBe(true);

    // The report of replay.launch.py: the same as offline, on the observations of the live chunks.
    const report = join(folder, 'report');
    const replayed = fastwam(
      ['replay', BAG, '--bundle', BUNDLE, '--params', PARAMS, '--live', out, '--out', report].concat([
        '--policy',
        'c3ache',
        '--refresh',
        '4',
        '--range',
        '0:6',
        '--threads',
        '1',
        '--no-residuals',
      ]),
    );
    expect(await replayed.exited, replayed.output).toEqual({ code: 0, signal: null });
    const metrics = JSON.parse(readFileSync(join(report, 'metrics.json'), 'utf8')) as Metrics;
    const { configurations } = metrics;
    expect(metrics.chunks).toBe(chunks.length);
    const names = configurations.map(({ name }) => name);
    expect(names).toEqual(['none', expect.stringMatching(/^c3ache/), 'live']);
    const [, offlineFigures, live] = configurations;
    expect(live!.cache.full_steps).toBe(offlineFigures!.cache.full_steps);
    // The same settings on the same observations deviate from the uncached run alike.
    const rmse = ({ deviation }: Metrics['configurations'][number]): number =>
      deviation.executed.normalised.rmse;
    expect(rmse(live!)).toBeGreaterThan(0);
    expect(Math.abs(rmse(live!) / rmse(offlineFigures!) - 1)).toBeLessThan(1e-4);

    const mapping = readMapping(PARAMS);
    const recorded = await sourcesByStamp(mapping);
    const offline = await PolicyClient.load(BUNDLE, {
      execution: { provider: 'cpu', precision: 'fp32', device: 0, threads: 1 },
    });
    try {
      const episode = await offline.createEpisode();
      let running = -1;
      for (const chunk of chunks) {
        if (chunk.episode !== running) await episode.reset();
        running = chunk.episode;
        // The observation says of each source how old it was.
        const youngest = Math.min(
          ...chunk.sources.filter(({ name }) => name !== 'proprio').map(({ age }) => age),
        );
        const time = headerStamp(chunk)! + fromSeconds(youngest);
        const buffer = new ObservationBuffer<RawFrame>({
          cameras: mapping.cameras.map(({ name }) => name),
          proprio: mapping.proprio,
          limits: { maxAge: 10, maxSkew: 10 },
        });
        for (const { name, age } of chunk.sources) {
          // A single source of proprioception is called so.
          const source = mapping.cameras.some((camera) => camera.name === name)
            ? name
            : mapping.proprio[0]!.name;
          const messages = recorded.get(source)!;
          const stamp = nearest(messages.keys(), time - fromSeconds(age));
          const message = messages.get(stamp)!;
          if (source === name && name !== mapping.proprio[0]!.name)
            buffer.addFrame(name, stamp, rawFrame({ transport: 'raw' }, message), stamp);
          else buffer.addProprio(source, stamp, message, stamp);
        }
        const sampled = buffer.sample(time + 1_000_000n);
        if (sampled.kind === 'refused') throw new Error(sampled.refusals[0]!.message);
        const { actions } = await episode.infer(
          {
            cameras: new Map([...sampled.sources.frames].map(([name, { value }]) => [name, value])),
            proprio: sampled.sources.proprio,
            stamp: toSeconds(sampled.sources.stamp),
            instruction: chunk.instruction,
          },
          {
            policy: 'c3ache',
            values: { refresh_interval: 4, range: [0, 6], max_age: 0 },
            companions: {},
            noise: 'fixed',
            seed: 42,
          },
        );
        // The same engine on the same numbers.
        expect(relativeError(chunk.actions, actions)).toBeLessThan(1e-6);
      }
    } finally {
      await offline.close();
    }
  });

  it('says in one sentence what cannot be played or recorded', async () => {
    const missing = fastwam(['play', BAG, '--topics', '/front/image_rav']);
    expect(await missing.exited).toEqual({ code: 2, signal: null });
    expect(missing.output).toMatch(/has no topic \/front\/image_rav \(did you mean \/front\/image_raw\?\)/);
    const out = join(folder, 'silence');
    const silent = fastwam(['record', '/nobody', '--out', out, '--duration', '0.2']);
    expect(await silent.exited).toEqual({ code: 0, signal: null });
    expect(silent.output).toMatch(/nobody has published \/nobody/);
  });
});
