import type { Command } from 'commander';
import { exportCommand } from './export';
import { inferCommand } from './infer';
import { infoCommand } from './info';

/** Every command of `fastwam`, in the order of its help. */
export const COMMANDS: readonly ((program: Command) => Command)[] = [
  exportCommand,
  infoCommand,
  inferCommand,
];
