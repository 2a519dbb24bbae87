import type { Command } from 'commander';
import { ProgressBar } from '../report/ProgressBar';
import { writeDemonstrations } from '../sim/demos';
import { SPEEDS } from '../sim/speeds';
import type { SpeedName } from '../sim/speeds';
import { SUITES } from '../sim/tasks';
import { print, progressStream } from '../terminal';
import { listed } from '../words/listed';
import { oneOf, wholeNumber } from './flagValues';

interface DemosFlags {
  readonly out: string;
  readonly episodes: string;
  readonly seed: string;
  readonly worldSpeed: string;
  readonly suite: string;
  readonly shardStates: string;
  readonly overwrite?: boolean;
}

/** `fastwam demos` */
export function demosCommand(program: Command): Command {
  return program
    .command('demos')
    .description('write demonstrations of the simulated world to train a policy on')
    .requiredOption('--out <dir>', 'folder of the data set')
    .requiredOption('--episodes <n>', 'episodes, over the tasks of the suites in turn')
    .option('--seed <n>', 'seed of the episodes', '0')
    .option('--world-speed <name>', 'slow or fast', 'slow')
    .option('--suite <names>', 'suites, separated by commas', SUITES.join(','))
    .option('--shard-states <n>', 'states in a file', '8192')
    .option('--overwrite', 'replace a data set that is there')
    .action((flags: DemosFlags) => {
      const episodes = wholeNumber('--episodes', flags.episodes);
      const bar = new ProgressBar({ stream: progressStream, label: 'episodes', total: episodes });
      const manifest = writeDemonstrations(flags.out, {
        episodes,
        seed: wholeNumber('--seed', flags.seed),
        speed: oneOf('--world-speed', flags.worldSpeed, Object.keys(SPEEDS) as SpeedName[]),
        suites: listed(flags.suite).map((name) => oneOf('--suite', name, SUITES)),
        shardStates: wholeNumber('--shard-states', flags.shardStates),
        overwrite: flags.overwrite === true,
        onProgress: (progress) => bar.update(progress.episodes),
      });
      bar.finish();
      const { states, shards } = manifest;
      print(
        `${states} states of ${manifest.episodes} episodes in ${shards.length} ${shards.length === 1 ? 'file' : 'files'} -> ${flags.out}\n`,
      );
    });
}
