/**
 * Success rate of the scripted expert, re-planned every 10 steps, by speed, condition and suite.
 * Run it with: npx ts-node scripts/measure-demonstrator.ts [episodes a suite] [seed]
 */
import { runEpisode } from '../src/sim/closedLoop';
import { planEpisodes } from '../src/sim/episodes';
import { demonstratorSource } from '../src/sim/demonstratorSource';
import { SPEED_NAMES } from '../src/sim/speeds';
import { successRate } from '../src/sim/successStatistics';
import { CONDITIONS, SUITES } from '../src/sim/tasks';

async function main(episodes: number, seed: number): Promise<void> {
  for (const speed of SPEED_NAMES) {
    for (const condition of CONDITIONS) {
      for (const suite of SUITES) {
        const results = [];
        for (const plan of planEpisodes(episodes, [suite], { seed, speed, condition })) {
          results.push(await runEpisode(plan, demonstratorSource()));
        }
        const won = results.filter(({ success }) => success);
        const { value, low, high } = successRate(won.length, episodes);
        const steps = won.map((r) => r.steps);
        const mean = steps.reduce((a, b) => a + b, 0) / won.length;
        const chunks = results.reduce((a, b) => a + b.chunks, 0) / episodes;
        const disturbed = results.reduce((a, b) => a + b.disturbances, 0) / episodes;
        process.stdout.write(
          `${speed} ${condition} ${suite}: ${(100 * value).toFixed(2)} % (${(100 * low).toFixed(2)} to ${(100 * high).toFixed(2)}), ` +
            `steps ${mean.toFixed(1)} at most ${Math.max(...steps)}, chunks ${chunks.toFixed(1)}, ` +
            `disturbances ${disturbed.toFixed(2)}, failed ${results
              .filter((r) => !r.success)
              .map((r) => `${r.index}:${r.task}`)
              .join(' ')}\n`,
        );
      }
    }
  }
}

void main(Number(process.argv[2] ?? 400), Number(process.argv[3] ?? 7));
