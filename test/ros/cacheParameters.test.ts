import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Bundle } from '../../src/bundle/Bundle';
import { bacCalibration } from '../../src/cache/bac';
import type { BacSchedule } from '../../src/cache/bacSchedule';
import { CalibrationFile } from '../../src/policy/CalibrationFile';
import { removeFolders, temporaryFolder } from '../helpers';
import { rosLacking } from './Peer';
import { PolicyRun } from './PolicyRun';
import { TASK, exportTabletop, writeParams } from './tabletopBundle';

/** Every sub-block at the even of the 10 steps, none at the odd ones. */
const EVEN_STEPS: BacSchedule = {
  policy: 'bac',
  updates: 5,
  union_blocks: 5,
  similarity: 'cosine',
  steps: 10,
  layers: 4,
  chunks: 1,
  computed: Array.from({ length: 10 }, (_, step) =>
    Array.from({ length: 4 }, () => (step % 2 === 0 ? [1, 1, 1] : [0, 0, 0])),
  ),
};

describe.skipIf(rosLacking() !== undefined)(
  'cache policies that need more than their own settings, chosen while the node runs',
  { timeout: 240_000 },
  () => {
    let folder: string;
    let bundle: string;
    let run: PolicyRun;

    beforeEach(async () => {
      folder = temporaryFolder();
      bundle = exportTabletop(folder);
      run = await PolicyRun.prepare();
      await run.serving(writeParams(folder, { bundle, instruction: TASK, autostart: true }));
    });
    afterEach((context) => run.end(context));
    afterAll(removeFolders);

    it('refuses bac until it is calibrated, says how, and follows the schedule from the next chunk on', async () => {
      const { remote } = run;
      const howTo =
        'no bac schedule for updates=5 union_blocks=5 similarity=cosine (the bundle has none): make it with fastwam calibrate';
      const [refused] = await remote.set({ 'cache.policy': 'bac' });
      expect(refused).toMatchObject({ successful: false });
      expect(refused!.reason).toContain(`cache.policy bac: ${howTo}`);
      const [tail] = await remote.set({ 'cache.c3ache.tail': 'bac' });
      expect(tail!.reason).toContain(howTo);
      expect((await run.chunk()).cache['policy']).toBe('c3ache');

      new CalibrationFile(Bundle.open(bundle), bacCalibration).add(EVEN_STEPS);
      expect(await remote.set({ 'cache.policy': 'bac' })).toEqual([{ successful: true, reason: '' }]);
      const { cache } = await run.chunk(({ cache: { policy } }) => policy === 'bac');
      expect(run.node!.output).toMatch(
        /loading the action expert with gates, which bac needs; the next chunk waits/,
      );
      // 5 of 10 steps, of 4 layers with 3 sub-blocks each
      expect([cache['computed_sub_blocks'], cache['total_sub_blocks']]).toEqual([60, 120]);

      const [other] = await remote.set({ 'cache.bac.updates': 4 });
      expect(other!.reason).toContain(
        'no bac schedule for updates=4 union_blocks=5 similarity=cosine (the bundle has {updates=5 union_blocks=5 similarity=cosine}): make it with',
      );
      // as many updates as steps need no schedule
      expect(await remote.set({ 'cache.bac.updates': 10 })).toMatchObject([{ successful: true }]);
      await run.chunk(({ cache: { computed_sub_blocks } }) => computed_sub_blocks === 120);
      const numbers = run.chunks().map(({ chunk }) => chunk);
      expect(numbers).toEqual(numbers.map((_, i) => i));
    });

    it('hands the steps after the range to a tail policy with that policy’s own parameters', async () => {
      const { remote } = run;
      const inverted = await remote.setTogether({
        'cache.c3ache.tail': 'worldcache_ht',
        'cache.range': [0, 1],
        'cache.worldcache_ht.stable_quantile': 0.9,
      });
      expect(inverted.reason).toBe(
        'cache.policy c3ache: stable_quantile 0.9 must not be above chaotic_quantile 0.7',
      );
      // Steps 2 to 9 are left; the warm-up and the last one always run, and no accumulated motion ends a prediction.
      const predicting = {
        'cache.c3ache.tail': 'worldcache_ht',
        'cache.range': [0, 1],
        'cache.refresh_interval': 0,
        'cache.worldcache_ht.error_budget': 1e12,
      };
      expect(
        await remote.setTogether({ ...predicting, 'cache.worldcache_ht.max_predicted': 0 }),
      ).toMatchObject({ successful: true });
      const reused = ({ cache }: { cache: Readonly<Record<string, unknown>> }): boolean =>
        cache['policy'] === 'c3ache' && cache['range_end'] === 1 && cache['refreshed'] === false;
      expect((await run.chunk(reused)).cache['full_steps']).toBe(8);

      await remote.set({ 'cache.worldcache_ht.max_predicted': 6 });
      await run.chunk((chunk) => reused(chunk) && chunk.cache['full_steps'] === 3 + 1);
      await remote.set({ 'cache.worldcache_ht.warmup_steps': 5 });
      await run.chunk((chunk) => reused(chunk) && chunk.cache['full_steps'] === 5 + 1);

      new CalibrationFile(Bundle.open(bundle), bacCalibration).add(EVEN_STEPS);
      expect(await remote.set({ 'cache.c3ache.tail': 'bac' })).toMatchObject([{ successful: true }]);
      // steps 2, 4, 6 and 8 of the schedule
      await run.chunk((chunk) => reused(chunk) && chunk.cache['computed_sub_blocks'] === 4 * 12);
    });
  },
);
