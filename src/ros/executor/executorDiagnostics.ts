import type { ExecutorSession } from '../../executor/ExecutorSession';
import { LEVEL } from '../node/Diagnostics';
import type { Status } from '../node/Diagnostics';
import { sum } from '../../cache/matrix';

/** Counts up to which somebody was told. */
export interface Reported {
  readonly held: number;
  readonly limited: number;
}

export interface StatusOptions {
  /** seconds */
  readonly now: number;
  /** of the actions */
  readonly names: readonly string[];
  readonly nameOf: (source: string) => string;
  readonly reported: Reported;
}

const ms = (seconds: number): string => `${(seconds * 1000).toFixed(1)} ms`;

/** What an executor does, what it knows of the robot, and what it keeps from it. */
export function executorStatuses(
  session: ExecutorSession,
  options: StatusOptions,
): { readonly statuses: Status[]; readonly reported: Reported } {
  const { heldCommands, limited } = session.counts;
  const wanted = heldCommands.no_chunk + heldCommands.paused;
  const reported = { held: sum(Object.values(heldCommands)) - wanted, limited: sum(limited) };
  const statuses = [queueStatus(session, options, reported)];
  if (session.needsState) statuses.push(jointStatus(session, options));
  return { statuses: [...statuses, safetyStatus(session, options, reported)], reported };
}

function queueStatus(
  session: ExecutorSession,
  { now, nameOf, reported }: StatusOptions,
  { held }: Reported,
): Status {
  const { chunksRefused, heldCommands, commands, overdueCommands, chunksAccepted } = session.counts;
  const { no_chunk: noChunk, paused, ...unwanted } = heldCommands;
  const { mode, reason, seamJump, source } = session.stateOf(now);
  const others = session.otherSources(now);
  const { median, p95, worst } = session.jitter;
  const intruders =
    others.length === 0
      ? ''
      : `${others.map((other) => nameOf(other) || 'a publisher that is gone').join(', ')} sends chunks too, which are refused: ${nameOf(source)} is followed`;
  const heldNow = held > reported.held;
  const doing = mode === 'inactive' ? 'not active' : reason === '' ? 'chunks are being executed' : reason;
  return {
    name: 'Action queue',
    level: heldNow ? LEVEL.error : intruders === '' ? LEVEL.ok : LEVEL.warn,
    message: [doing, intruders].filter((part) => part !== '').join('; '),
    values: {
      'chunks from': nameOf(source),
      commands,
      'commands beyond replan_steps': overdueCommands,
      'chunks accepted': chunksAccepted,
      'held before the first chunk': noChunk,
      'held on request': paused,
      ...prefixed('held, ', unwanted),
      ...prefixed('refused, ', chunksRefused),
      'last seam': seamJump.toPrecision(3),
      jitter: `median ${ms(median)}, 95 % within ${ms(p95)}, worst ${ms(worst)}`,
    },
  };
}

function jointStatus(session: ExecutorSession, { now }: StatusOptions): Status {
  const { lacking, problem, age } = session.stateAt(now);
  const { messages, refused } = session.stateCounts;
  return {
    name: 'Joint states',
    level: lacking !== undefined && session.active ? LEVEL.error : LEVEL.ok,
    message: lacking === undefined ? 'it is known where the robot is' : problem,
    values: {
      messages,
      age: age === undefined ? 'unknown' : ms(age),
      state_max_age: ms(session.settings.stateMaxAge),
      ...prefixed('refused, ', refused),
    },
  };
}

function safetyStatus(
  session: ExecutorSession,
  { names, reported }: StatusOptions,
  { limited }: Reported,
): Status {
  const limitedNow = limited > reported.limited;
  return {
    name: 'Safety',
    level: limitedNow ? LEVEL.warn : LEVEL.ok,
    message: limitedNow ? 'commands were outside the limits' : 'commands are inside the limits',
    values: {
      'safety.limits': session.settings.limits,
      ...Object.fromEntries(session.counts.limited.map((count, i) => [`limited, ${names[i] ?? i}`, count])),
    },
  };
}

function prefixed(prefix: string, counts: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).map(([name, count]) => [prefix + name, count]));
}
