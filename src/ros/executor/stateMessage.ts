import type { ExecutorSession, Mode } from '../../executor/ExecutorSession';
import { toSeconds } from '../../observation/stamp';
import { timeMessage } from '../../observation/stamp';
import { durationMessage } from '../client/time';
import { toWire } from '../client/toWire';
import { sum } from '../../cache/matrix';

/** The modes of fast_wam_msgs/msg/ExecutorState. */
const MODES: Readonly<Record<Mode, number>> = {
  waiting: 0,
  executing: 1,
  holding: 2,
  paused: 3,
  inactive: 4,
};

/** What an executor is doing, as fast_wam_msgs/msg/ExecutorState. @param now nanoseconds */
export function stateMessage(
  session: ExecutorSession,
  now: bigint,
  nameOf: (source: string) => string,
): object {
  const { chunksRefused, heldCommands, commands, limited } = session.counts;
  const seconds = toSeconds(now);
  const state = session.stateOf(seconds);
  return {
    header: { stamp: timeMessage(now), frame_id: '' },
    mode: MODES[state.mode],
    hold: state.hold ?? '',
    reason: state.reason,
    source: nameOf(state.source),
    episode: state.episode,
    chunk: state.chunk,
    step: state.step,
    horizon: state.horizon,
    seam_jump: state.seamJump,
    overdue: durationMessage(state.overdue),
    state_age: durationMessage(session.needsState ? (session.stateAt(seconds).age ?? 0) : 0),
    jitter: durationMessage(session.jitter.p95),
    commands: toWire.int64(commands),
    starved: toWire.int64(sum(Object.values(heldCommands))),
    limited: toWire.int64(sum(limited)),
    refused: toWire.int64(sum(Object.values(chunksRefused))),
    refusal_reasons: Object.keys(chunksRefused),
    refusal_counts: Object.values(chunksRefused).map((count) => toWire.int64(count)),
    hold_reasons: Object.keys(heldCommands),
    hold_counts: Object.values(heldCommands).map((count) => toWire.int64(count)),
  };
}
