import type { ChunkRefusal, HoldReason } from '../../executor/ChunkExecutor';
import { NODE_PROBLEMS } from '../node/nodeProblems';
import { problemRows } from '../node/problemTable';
import type { Problem, ProblemEntry } from '../node/problemTable';

const CHUNKS: Readonly<Record<ChunkRefusal, ProblemEntry>> = {
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
const HOLDS: Readonly<Record<Exclude<HoldReason, 'no_chunk' | 'paused'>, ProblemEntry>> = {
  not_yet: { what: 'the chunk lies in the future', remedy: 'synchronise the clocks' },
  deadline: { what: 'chunks stop coming', remedy: "the policy node's diagnostics" },
  horizon: { what: 'the chunk has no action left', remedy: "the policy node's diagnostics" },
  limits: { what: 'a command lies outside the limits, `refuse`', remedy: "is the bundle the robot's?" },
};

/** What the action executor refuses, and where it shows. */
export const EXECUTOR_PROBLEMS: readonly Problem[] = [
  ...NODE_PROBLEMS,
  ...problemRows(CHUNKS, 'Action queue', 'refused, '),
  ...problemRows(HOLDS, 'Action queue', 'held, '),
  {
    what: 'commands outside the limits',
    status: 'Safety',
    value: 'limited, <action>',
    level: 'warn',
    remedy: "is the bundle the robot's? are its statistics?",
  },
];
