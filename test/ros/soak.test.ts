import { afterAll, describe, expect, it } from 'vitest';
import { removeFolders, temporaryFolder } from '../helpers';
import { rosLacking } from './Peer';
import { ChunkLedger } from './chunkLedger';
import { MOMENTS, cleanExits } from './cleanExits';
import { soak } from './soak';
import { exportTabletop } from './tabletopBundle';

const cache = { policy: 'c3ache', refresh_interval: 4, range_start: 0, range_end: 6 };

describe('the books of chunk numbers', () => {
  const faultsOf = (numbers: readonly (readonly [number, number])[], restarts = 0): readonly string[] => {
    const ledger = new ChunkLedger();
    for (let i = 0; i < restarts; i++) ledger.expectRestart();
    for (const [episode, chunk] of numbers) ledger.enter({ episode, chunk, cache });
    return ledger.faults;
  };

  it('find nothing where episodes run from 0 and go up', () => {
    expect(faultsOf([[0, 0], [0, 1], [1, 0], [3, 0], [3, 1]])).toEqual([]); // prettier-ignore
    expect(faultsOf([[0, 0], [2, 0], [0, 0], [0, 1]], 1)).toEqual([]); // prettier-ignore
  });

  it('find every number that is missing, comes twice, or begins again without a reason', () => {
    expect(faultsOf([[0, 0], [0, 2]])).toEqual(['chunk 2: after 0:0 came 0:2']); // prettier-ignore
    expect(faultsOf([[0, 0], [0, 0]])).toHaveLength(1); // prettier-ignore
    expect(faultsOf([[0, 0], [1, 1]])).toHaveLength(1); // prettier-ignore
    expect(faultsOf([[0, 1]])).toHaveLength(1);
    expect(faultsOf([[0, 0], [2, 0], [0, 0]])).toHaveLength(1); // prettier-ignore
    expect(faultsOf([[0, 0], [2, 0], [0, 0], [2, 0], [0, 0]], 1)).toHaveLength(1); // prettier-ignore
  });
});

// The long form, with memory and times, is scripts/soak.ts.
describe.skipIf(rosLacking() !== undefined)('the policy node under a soak', { timeout: 300_000 }, () => {
  afterAll(removeFolders);

  it('loses and duplicates no chunk number and mixes no settings, whatever happens to it', async () => {
    const folder = temporaryFolder();
    const bundle = exportTabletop(folder);
    const report = await soak({ bundle, folder, seconds: 15, speed: 6, seed: 20, say: () => undefined });
    expect(report.faults).toEqual([]);
    // Each event was made at least once, and a chunk came after each.
    expect(Object.keys(report.disturbances)).toHaveLength(13);
    expect(report.chunks).toBeGreaterThan(20);
    expect(report.exit).toEqual({ code: 0, signal: null });
    expect(report.output).not.toMatch(/terminate called|Napi/);
  });

  it('leaves cleanly on SIGINT and SIGTERM while it loads, waits and computes', async () => {
    const folder = temporaryFolder();
    const trials = MOMENTS.flatMap((moment) => [[moment, 'SIGINT'] as const, [moment, 'SIGTERM'] as const]);
    const exits = await cleanExits({
      bundle: exportTabletop(folder),
      folder,
      trials,
      spread: 200,
      random: Math.random,
    });
    expect(exits.flatMap(({ fault }) => fault ?? [])).toEqual([]);
    expect(exits).toHaveLength(6);
  });
});
