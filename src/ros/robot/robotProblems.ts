import { CLOCK_PROBLEM } from '../node/ClockWatch';
import { PARAMETER_PROBLEMS } from '../node/nodeProblems';
import { problemRows } from '../node/problemTable';
import type { Problem, ProblemEntry } from '../node/problemTable';
import type { CommandRefusal } from './RobotCommands';

const COMMANDS: Readonly<Record<CommandRefusal, ProblemEntry>> = {
  unreadable: { what: 'a command cannot be read', remedy: 'whoever publishes it' },
  size: { what: 'a command does not have three numbers', remedy: 'is the bundle the table-top one?' },
  not_finite: { what: 'a command holds NaN or an infinite number', remedy: 'whoever publishes it' },
};

/** What the simulated robot refuses, and where it shows. */
export const ROBOT_PROBLEMS: readonly Problem[] = [
  ...problemRows(COMMANDS, 'Commands', 'refused, ').map((row) => ({ ...row, level: 'warn' as const })),
  {
    what: 'commands are published as another type, and never arrive',
    status: 'Commands',
    level: 'warn',
    remedy: '`command.interface: forward` of the executor',
  },
  {
    what: 'the next command is late',
    status: 'Commands',
    value: 'control steps without a command',
    remedy: "nothing, if seldom; else the executor's diagnostics, or a smaller `real_time_factor`",
  },
  {
    what: 'more than one node publishes `/clock`',
    status: 'Clock',
    level: 'warn',
    remedy: '`clock: false`, or end the other one',
  },
  ...PARAMETER_PROBLEMS,
  CLOCK_PROBLEM,
];
