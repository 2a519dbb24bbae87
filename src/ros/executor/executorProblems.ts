import type { HoldReason } from '../../executor/ChunkExecutor';
import type { SessionRefusal } from '../../executor/ExecutorSession';
import type { StateRefusal } from '../../executor/MeasuredState';
import { NODE_PROBLEMS } from '../node/nodeProblems';
import { problemRows } from '../node/problemTable';
import type { Problem, ProblemEntry } from '../node/problemTable';

const CHUNKS: Readonly<Record<SessionRefusal, ProblemEntry>> = {
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
  names: {
    what: "a chunk's action names are not the bundle's",
    remedy: 'the same bundle for policy and executor',
  },
  source: {
    what: 'a chunk comes from another publisher than the one that is followed',
    remedy: 'one policy node for each robot; another is followed when that one is gone or silent for 5 s',
  },
};

const STATES: Readonly<Record<StateRefusal, ProblemEntry>> = {
  unreadable: { what: 'a joint state cannot be read', remedy: 'whoever publishes it' },
  shape: { what: 'a joint state has fewer positions than names', remedy: 'the driver' },
  not_finite: { what: 'a joint position is NaN or infinite', remedy: 'the driver' },
  future: {
    what: 'a joint state is stamped ahead of the clock by more than `state_max_age`',
    remedy: 'synchronise clocks; `use_sim_time` on both sides or neither',
  },
  outdated: {
    what: 'a joint state is older than the one before it',
    remedy: 'one publisher for each joint',
  },
};

/** Holds that nobody asked for. */
const HOLDS: Readonly<Record<Exclude<HoldReason, 'no_chunk' | 'paused'>, ProblemEntry>> = {
  not_yet: { what: 'the chunk lies in the future', remedy: 'synchronise the clocks' },
  deadline: { what: 'chunks stop coming', remedy: "the policy node's diagnostics" },
  horizon: { what: 'the chunk has no action left', remedy: "the policy node's diagnostics" },
  limits: { what: 'a command lies outside the limits, `refuse`', remedy: "is the bundle the robot's?" },
  no_state: {
    what: 'the position of a joint has never come',
    remedy: '`state_topic`; joints are named as the actions of the bundle; the message names those that lack',
  },
  stale_state: {
    what: 'the position of a joint is older than `state_max_age`',
    remedy: "the driver's rate, the network; or allow more",
  },
};

/** What the action executor refuses, and where it shows. */
export const EXECUTOR_PROBLEMS: readonly Problem[] = [
  ...NODE_PROBLEMS,
  ...problemRows(CHUNKS, 'Action queue', 'refused, '),
  ...problemRows(HOLDS, 'Action queue', 'held, '),
  ...problemRows(STATES, 'Joint states', 'refused, '),
  {
    what: 'commands outside the limits',
    status: 'Safety',
    value: 'limited, <action>',
    level: 'warn',
    remedy: "is the bundle the robot's? are its statistics?",
  },
];
