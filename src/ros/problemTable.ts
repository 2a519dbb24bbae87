import type { ChunkRefusal, HoldReason } from '../executor/ChunkExecutor';
import type { RefusalKind } from '../observation/Refusal';
import { LEVEL } from './Diagnostics';
import type { CommandRefusal } from './RobotCommands';

/** One thing that can go wrong, for the table in docs/ros.md. */
export interface Problem {
  readonly what: string;
  /** name of the status on /diagnostics */
  readonly status: string;
  /** the value of that status that counts it; undefined where the message alone says it */
  readonly value?: string;
  readonly level?: keyof typeof LEVEL;
  readonly remedy: string;
}

type Entry = Pick<Problem, 'what' | 'remedy'>;

const OBSERVATIONS: Readonly<Record<RefusalKind, Entry>> = {
  missing: { what: 'a source has sent nothing since the episode began', remedy: 'as for a silent source' },
  missing_joints: { what: 'joints are missing from the message', remedy: '`proprio.<source>.joints`' },
  not_finite: { what: 'a number is NaN or infinite', remedy: 'the driver' },
  malformed: { what: 'a message does not hold what its type promises', remedy: 'the driver' },
  future: {
    what: 'a stamp ahead of the clock',
    remedy: 'synchronise clocks; `use_sim_time` on both sides or neither',
  },
  stale: {
    what: 'a source is older than `observation.max_age`',
    remedy: "the source's rate, the network; or allow more",
  },
  skewed: {
    what: 'cameras further apart than `observation.max_skew`',
    remedy: 'synchronise the cameras; or allow more',
  },
};

const CHUNKS: Readonly<Record<ChunkRefusal, Entry>> = {
  shape: { what: "a chunk's actions are not [horizon, action_names]", remedy: 'whoever publishes it' },
  period: {
    what: 'a chunk was made for another control rate',
    remedy: '`control.rate` of policy and executor to the same',
  },
  not_finite: { what: 'a chunk holds NaN or an infinite number', remedy: 'whoever publishes it' },
  outdated: {
    what: 'a chunk is older than the one being executed',
    remedy: 'one policy node for each robot',
  },
  expired: {
    what: "all of a chunk's actions are in the past",
    remedy: 'inference takes longer than the horizon, or the clocks differ',
  },
  future: { what: 'a chunk begins more than a step from now', remedy: 'synchronise the clocks' },
  paused: { what: 'a chunk comes while paused', remedy: 'nothing, or `~/pause` with false' },
};

/** Holds that nobody asked for. */
const HOLDS: Readonly<Record<Exclude<HoldReason, 'no_chunk' | 'paused'>, Entry>> = {
  not_yet: { what: 'the chunk lies in the future', remedy: 'synchronise the clocks' },
  deadline: { what: 'chunks stop coming', remedy: "the policy node's diagnostics" },
  horizon: { what: 'the chunk has no action left', remedy: "the policy node's diagnostics" },
  limits: { what: 'a command lies outside the limits, `refuse`', remedy: "is the bundle the robot's?" },
};

const COMMANDS: Readonly<Record<CommandRefusal, Entry>> = {
  unreadable: { what: 'a command cannot be read', remedy: 'whoever publishes it' },
  size: { what: 'a command does not have three numbers', remedy: 'is the bundle the table-top one?' },
  not_finite: { what: 'a command holds NaN or an infinite number', remedy: 'whoever publishes it' },
};

function rows(entries: Readonly<Record<string, Entry>>, status: string, prefix: string): readonly Problem[] {
  return Object.entries(entries).map(([kind, entry]) => ({
    ...entry,
    status,
    value: `${prefix}${kind}`,
    ...(prefix !== 'refused, ' && { level: 'error' as const }),
  }));
}

/** What the policy node refuses, and where it shows. */
export const POLICY_PROBLEMS: readonly Problem[] = [
  {
    what: 'a transition failed, a params file has an error',
    status: 'State',
    level: 'error',
    remedy: 'the message says which parameter; set it and request the transition again',
  },
  {
    what: 'an instruction that the bundle does not know',
    status: 'State',
    level: 'warn',
    remedy: '`fastwam info` lists the known ones; the running one goes on',
  },
  {
    what: 'a source sends nothing',
    status: 'Observation',
    level: 'warn',
    remedy: "topic name, type, publisher; frames above 512 KiB need a larger segment on the publisher's side",
  },
  {
    what: 'a message cannot be read',
    status: 'Observation',
    value: '<source> unreadable',
    remedy: 'its type; the last problem is given',
  },
  ...rows(OBSERVATIONS, 'Observation', 'skipped, '),
  {
    what: 'an encoding or size that cannot be used, an action that is not finite, a model that failed',
    status: 'Inference',
    value: 'chunks failed',
    level: 'error',
    remedy: 'the message says why; nothing was published, the cache keeps nothing of it',
  },
  {
    what: 'a chunk is due while one is computed',
    status: 'Inference',
    value: 'chunks late',
    level: 'warn',
    remedy: 'cache more, or raise `control.replan_steps`',
  },
  {
    what: 'a chunk whose episode has ended meanwhile',
    status: 'Inference',
    value: 'chunks discarded',
    remedy: 'nothing: a reset does this',
  },
  {
    what: 'settings of the cache that cannot help',
    status: 'Cache',
    level: 'warn',
    remedy: 'the message says what would',
  },
  {
    what: 'actions outside the limits, `clamp`',
    status: 'Safety',
    value: 'values clamped',
    level: 'warn',
    remedy: "is the bundle the robot's? are its statistics?",
  },
  {
    what: 'actions outside the limits, `refuse`',
    status: 'Safety',
    value: 'chunks dropped',
    level: 'error',
    remedy: 'the same; the chunk leaves no trace, the next one is tried when it is due',
  },
];

/** What the action executor refuses, and where it shows. */
export const EXECUTOR_PROBLEMS: readonly Problem[] = [
  ...rows(CHUNKS, 'Action queue', 'refused, '),
  ...rows(HOLDS, 'Action queue', 'held, '),
  {
    what: 'commands outside the limits',
    status: 'Safety',
    value: 'limited, <action>',
    level: 'warn',
    remedy: "is the bundle the robot's? are its statistics?",
  },
];

/** What the simulated robot refuses, and where it shows. */
export const ROBOT_PROBLEMS: readonly Problem[] = [
  ...rows(COMMANDS, 'Commands', 'refused, ').map((row) => ({ ...row, level: 'warn' as const })),
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
];

/** The problems as a Markdown table. */
export function problemTable(problems: readonly Problem[]): string {
  return [
    '| what | status, value | level | what to do |',
    '| --- | --- | --- | --- |',
    ...problems.map(({ what, status, value, level, remedy }) => {
      const place = value === undefined ? status : `${status}, \`${value}\``;
      return `| ${what} | ${place} | ${level ?? '–'} | ${remedy} |`;
    }),
  ].join('\n');
}
