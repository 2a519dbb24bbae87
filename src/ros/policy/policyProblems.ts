import type { RefusalKind } from '../../observation/Refusal';
import { NODE_PROBLEMS } from '../node/nodeProblems';
import { problemRows } from '../node/problemTable';
import type { Problem, ProblemEntry } from '../node/problemTable';

const OBSERVATIONS: Readonly<Record<RefusalKind, ProblemEntry>> = {
  missing: { what: 'a source has sent nothing since the episode began', remedy: 'as for a silent source' },
  missing_joints: {
    what: 'joints are missing from the message, or are named otherwise',
    remedy: '`proprio.<source>.joints`; the message says which names came',
  },
  not_finite: { what: 'a number is NaN or infinite', remedy: 'the driver' },
  malformed: { what: 'a message does not hold what its type promises', remedy: 'the driver' },
  future: {
    what: 'a stamp ahead of the clock, of all messages or by more than `observation.max_age`',
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
  implausible: {
    what: 'a number further from training than `observation.max_deviation` (a warning from 6 on)',
    remedy: 'its unit (rad or degrees, m or mm); the bundle of another robot',
  },
  undecodable: {
    what: 'a picture cannot be read: its encoding, its size, its bytes',
    remedy: 'the message says why; `cameras.<camera>.transport`, the driver',
  },
  frozen: {
    what: 'a camera repeats its picture for longer than `observation.max_frozen` (a warning before)',
    remedy: 'the driver; in a simulation without noise, `observation.max_frozen: 0.0`',
  },
};

/** What the policy node refuses, and where it shows. */
export const POLICY_PROBLEMS: readonly Problem[] = [
  ...NODE_PROBLEMS,
  {
    what: 'an instruction that the bundle does not know',
    status: 'State',
    value: 'refused, instruction',
    level: 'warn',
    remedy: '`fastwam info` lists the known ones; with `text_encoder.path` others are encoded',
  },
  {
    what: 'an instruction is being encoded, or could not be',
    status: 'State',
    value: 'text encoder',
    level: 'warn',
    remedy: 'wait, the running one goes on; where it failed, the message says why',
  },
  {
    what: 'a request to `~/infer` or `~/reset_episode` that cannot be answered with what it asks for',
    status: 'State',
    value: 'refused, request',
    remedy: 'the answer says why',
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
  {
    what: 'a message holds what cannot be used (a kind of the rows below), while others can',
    status: 'Observation',
    value: '<source> refused, <kind>',
    remedy: 'as below; the last good message is used until it is older than `observation.max_age`',
  },
  ...problemRows(OBSERVATIONS, 'Observation', 'skipped, '),
  {
    what: 'an action that is not finite, a model that failed',
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
