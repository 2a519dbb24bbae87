import { join } from 'node:path';
import { parse } from '@foxglove/rosmsg';
import { MessageReader } from '@foxglove/rosmsg2-serialization';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MessageEncoder } from '../../src/bag/MessageEncoder';
import { definitionText } from '../../src/bag/definitionText';
import type { ChunkReport } from '../../src/cache/types';
import { InputError } from '../../src/errors';
import { UNGUIDED_REASONS } from '../../src/policy/Continuation';
import type { GuidanceReport } from '../../src/policy/Continuation';
import { ACTION_CHUNK_TYPE, actionChunkMessage, readActionChunk } from '../../src/policy/actionChunkMessage';
import type { ActionChunkMessage } from '../../src/policy/actionChunkMessage';
import type { StageTimes } from '../../src/policy/types';
import { fakeChunk, fakeReport } from './fakeChunk';

const definition = definitionText(ACTION_CHUNK_TYPE, { fast_wam_msgs: join(__dirname, '../../msgs/msg') });
const encoder = new MessageEncoder(definition);
const reader = new MessageReader(parse(definition, { ros2: true }));

/** Through the bytes that the definitions in msgs/ prescribe. */
const transmitted = (message: ActionChunkMessage): unknown => reader.readMessage(encoder.encode(message));

const count = fc.nat(1_000_000);
const figure = fc.double({ noNaN: true, noDefaultInfinity: true });
const name = fc.string({ unit: 'binary' });
const reports: fc.Arbitrary<ChunkReport> = fc.record({
  policy: name,
  refreshInterval: count,
  range: fc.tuple(count, count),
  refreshed: fc.boolean(),
  reason: name,
  fullSteps: count,
  reusedSteps: count,
  stackEvaluations: figure,
  computedSubBlocks: count,
  totalSubBlocks: count,
  computed: fc.uint8Array({ max: 1 }),
  computedShape: fc.constantFrom('steps', 'blocks', 'subblocks'),
  gateSeconds: figure,
  signals: fc.dictionary(fc.stringMatching(/^[a-z_]+$/), figure, { noNullPrototype: true }),
  fallbacks: count,
  bytes: fc.maxSafeNat(),
});
const guidances: fc.Arbitrary<GuidanceReport> = fc.record({
  rows: count,
  delay: count,
  executed: count,
  reason: fc.constantFrom('' as const, ...UNGUIDED_REASONS),
});
const times: fc.Arbitrary<StageTimes> = fc.record({
  decode: figure,
  vae: figure,
  prefill: figure,
  expert: figure,
  total: figure,
});

const items = ['x', 'y', 'grip'].map((one) => ({ name: one, unit: '', group: '' }));
const conditions = { period: 0.05, replanSteps: 7 };

describe('the message of a chunk', () => {
  it('says everything that the cache did, and is read back as it was', () => {
    const stamps = fc.bigInt({ min: 1n, max: 2n ** 31n * 1_000_000_000n - 1n });
    const sources = fc.array(fc.record({ name, age: figure }));
    fc.assert(
      fc.property(
        reports,
        guidances,
        times,
        stamps,
        sources,
        name,
        (report, guidance, took, stamp, ages, instruction) => {
          const actions = Float32Array.from([1, 2, 3, 4, 5, 6]);
          const chunk = fakeChunk({
            episode: 3,
            chunk: 4,
            instruction,
            actions,
            report,
            guidance,
            times: took,
          });
          const message = actionChunkMessage(
            { chunk, conditions, sources: { stamp, ages } },
            { frame: 'base', items },
          );
          expect(message.horizon).toBe(2);
          const read = readActionChunk(transmitted(message));
          expect(read).toEqual({
            ...{ episode: 3, chunk: 4, instruction, stamp, ...conditions },
            actionNames: ['x', 'y', 'grip'],
            actions,
            report,
            guidance,
            times: took,
            sources: ages,
          });
        },
      ),
    );
  });

  it('is read without guidance where it was recorded before there was any', () => {
    const { guidance, ...old } = actionChunkMessage(
      { chunk: fakeChunk(), conditions, sources: { stamp: 1n, ages: [] } },
      { frame: '', items },
    );
    expect(guidance.reason).toBe('off');
    expect(readActionChunk(old).guidance).toEqual({ rows: 0, delay: 0, executed: 0, reason: 'off' });
  });

  it('is refused in a sentence where it was recorded with other interfaces', () => {
    const { cache, ...rest } = actionChunkMessage(
      { chunk: fakeChunk({ report: fakeReport() }), conditions, sources: { stamp: 1n, ages: [] } },
      { frame: '', items },
    );
    const { computed, ...older } = cache;
    expect(computed).toHaveLength(10);
    expect(() => readActionChunk({ ...rest, cache: older })).toThrow(InputError);
    expect(() => readActionChunk({ ...rest, cache: older })).toThrow(
      /^a message is no fast_wam_msgs\/msg\/ActionChunk of this version: cache\.computed .*record the node again$/,
    );
    for (const nonsense of [undefined, null, {}, 3, 'text']) {
      expect(() => readActionChunk(nonsense)).toThrow(InputError);
    }
  });
});
