import type { Rclnodejs, RosQos } from './rclnodejs';

/** Qualities of service by what travels on a topic (REP 2003 for sensors). */
export interface QosProfiles {
  /** newest message only, losses allowed: camera frames, joint states */
  readonly sensor: RosQos;
  /** losses allowed, a few kept: of what several publishers say on one topic, none takes another's place */
  readonly shared: RosQos;
  /** every message, none kept for late comers: a motion command is never replayed */
  readonly command: RosQos;
  /** the last message is kept for late comers: instructions, states */
  readonly latched: RosQos;
}

export function qosProfiles({ QoS }: Rclnodejs): QosProfiles {
  const last = QoS.HistoryPolicy.RMW_QOS_POLICY_HISTORY_KEEP_LAST;
  const {
    RMW_QOS_POLICY_RELIABILITY_RELIABLE: reliable,
    RMW_QOS_POLICY_RELIABILITY_BEST_EFFORT: bestEffort,
  } = QoS.ReliabilityPolicy;
  const { RMW_QOS_POLICY_DURABILITY_VOLATILE: volatile, RMW_QOS_POLICY_DURABILITY_TRANSIENT_LOCAL: local } =
    QoS.DurabilityPolicy;
  return {
    sensor: new QoS(last, 1, bestEffort, volatile),
    shared: new QoS(last, 10, bestEffort, volatile),
    command: new QoS(last, 10, reliable, volatile),
    latched: new QoS(last, 1, reliable, local),
  };
}
