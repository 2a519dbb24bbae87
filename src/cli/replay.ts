import type { Command } from 'commander';
import { collect } from './collect';
import { UsageError } from '../errors';
import { addReplayOptions, runReplayCommand } from './replayOptions';
import type { ReplayFlags } from './replayOptions';

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
    .action((bag: string, flags: ReplayFlags) =>
      runReplayCommand(
        bag,
        flags,
        settingTexts(flags).map(([name, value]) => [name, [value]]),
      ),
    );
}

/** The settings of the flags by name, as text. @throws UsageError for a `--set` without a name or value */
export function settingTexts(
  flags: Pick<ReplayFlags, 'set' | 'refresh' | 'range'>,
): readonly (readonly [name: string, value: string])[] {
  return [
    ...(flags.refresh === undefined ? [] : [['refresh_interval', flags.refresh] as const]),
    ...(flags.range === undefined ? [] : [['range', flags.range] as const]),
    ...flags.set.map((text) => {
      const equals = text.indexOf('=');
      if (equals < 1)
        throw new UsageError(`--set ${text}: expected name=value, for instance refresh_interval=4`);
      return [text.slice(0, equals).trim(), text.slice(equals + 1).trim()] as const;
    }),
  ];
}
