import type { Command } from 'commander';
import { addReplayOptions, runReplayCommand } from './replayOptions';
import type { ReplayFlags } from './replayOptions';
import { collect } from './flagValues';

/** `fastwam replay` */
export function replayCommand(program: Command): Command {
  const command = program
    .command('replay')
    .description('run a recording through a bundle, with and without a cache, and report gain and cost');
  return addReplayOptions(command, 'out/replay')
    .option('--refresh <R>', 'refresh interval in chunks; short for --set refresh_interval=R')
    .option('--range <a:b>', 'first and last reused step; short for --set range=a:b')
    .option(
      '--set <name=value>',
      'a setting of the policies that have it, or policy.name=value; may be repeated',
      collect,
      [] as readonly string[],
    )
    .action((bag: string, flags: ReplayFlags) => runReplayCommand(bag, flags, { lists: false }));
}
