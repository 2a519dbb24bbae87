import type { Command } from 'commander';
import type { EpisodeSelection } from '../sim/episodes';
import { NOISE_MODES } from '../sampler/types';
import type { Sampler } from '../sampler/types';
import { SPEED_NAMES } from '../sim/speeds';
import { CONDITIONS } from '../sim/tasks';
import { oneOf, wholeNumber } from './flagValues';
import { NOISE_HELP } from './policyOptions';

/** Options by which a command chooses the episodes of the simulated world, and the noise of the policy in it. */
export interface WorldFlags {
  readonly seed: string;
  readonly worldSpeed: string;
  readonly condition: string;
  readonly noise: string;
  readonly noiseSeed: string;
}

/** Adds `--seed`, `--world-speed`, `--condition`, `--noise` and `--noise-seed`. */
export function addWorldOptions(command: Command): Command {
  return command
    .option('--seed <n>', 'seed of the episodes', '0')
    .option('--world-speed <name>', 'slow or fast', 'slow')
    .option('--condition <name>', 'clean, or random: objects also jump and slip', 'clean')
    .option('--noise <mode>', NOISE_HELP, 'fixed')
    .option('--noise-seed <n>', 'seed of the noise', '42');
}

/** @throws UsageError for a value that cannot be meant */
export function readWorldOptions(flags: WorldFlags): {
  readonly selection: EpisodeSelection;
  readonly sampler: Sampler;
} {
  return {
    selection: {
      seed: wholeNumber('--seed', flags.seed),
      speed: oneOf('--world-speed', flags.worldSpeed, SPEED_NAMES),
      condition: oneOf('--condition', flags.condition, CONDITIONS),
    },
    sampler: {
      noise: oneOf('--noise', flags.noise, NOISE_MODES),
      seed: wholeNumber('--noise-seed', flags.noiseSeed),
    },
  };
}
