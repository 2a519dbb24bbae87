import type { Command } from 'commander';
import { addReplayOptions, runReplayCommand } from './replayOptions';
import type { ReplayFlags } from './replayOptions';
import { collect } from './flagValues';

/** `fastwam sweep` */
export function sweepCommand(program: Command): Command {
  const command = program
    .command('sweep')
    .description('replay with every combination of settings, and mark the ones worth having');
  return addReplayOptions(command, 'out/sweep')
    .option('--refresh <list>', 'refresh intervals, for instance 0,2,4,8')
    .option('--range <list>', 'ranges of reused steps, for instance 0:6,0:7')
    .option(
      '--set <name=list>',
      'values to try of any setting, or policy.name=list; may be repeated',
      collect,
      [] as readonly string[],
    )
    .action((bag: string, flags: ReplayFlags) => runReplayCommand(bag, flags, { lists: true }));
}
