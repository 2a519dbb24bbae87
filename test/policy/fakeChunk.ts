import type { ChunkReport } from '../../src/cache/types';
import type { ActionChunk, StageTimes } from '../../src/policy/types';

/** What a chunk of ten full steps reports that refreshes because it is the first; say what is to differ. */
export function fakeReport(parts: Partial<ChunkReport> = {}): ChunkReport {
  return {
    policy: 'c3ache',
    refreshInterval: 4,
    range: [0, 6],
    refreshed: true,
    reason: 'first_chunk',
    fullSteps: 10,
    reusedSteps: 0,
    stackEvaluations: 10,
    computedSubBlocks: 120,
    totalSubBlocks: 120,
    computed: new Uint8Array(10).fill(1),
    computedShape: 'steps',
    gateSeconds: 0,
    signals: {},
    fallbacks: 0,
    bytes: 0,
    ...parts,
  };
}

interface ChunkParts extends Partial<Omit<ActionChunk, 'report' | 'times'>> {
  readonly report?: Partial<ChunkReport>;
  readonly times?: Partial<StageTimes>;
}

/** A chunk of an engine that is not there; say what is to differ. */
export function fakeChunk({ report, times, ...parts }: ChunkParts = {}): ActionChunk {
  const actions = parts.actions ?? new Float32Array(6);
  return {
    episode: 0,
    chunk: 0,
    instruction: 'go',
    stamp: 0,
    actions,
    normalised: actions,
    clamped: 0,
    still: [],
    report: fakeReport(report),
    guidance: { rows: 0, delay: 0, executed: 0, reason: 'off' },
    times: { decode: 0, vae: 0.001, prefill: 0.002, expert: 0.01, total: 0.02, ...times },
    ...parts,
  };
}
