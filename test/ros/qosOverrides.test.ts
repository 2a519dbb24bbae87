import { describe, expect, it } from 'vitest';
import { QosOverrides } from '../../src/ros/node/qosOverrides';
import type { Rclnodejs, RosNode, RosQos } from '../../src/ros/client/rclnodejs';
import { standIn } from '../standIn';

/** rmw's numbers, which only have to differ. */
class Qos implements RosQos {
  static HistoryPolicy = { RMW_QOS_POLICY_HISTORY_KEEP_LAST: 1, RMW_QOS_POLICY_HISTORY_KEEP_ALL: 2 };
  static ReliabilityPolicy = {
    RMW_QOS_POLICY_RELIABILITY_RELIABLE: 1,
    RMW_QOS_POLICY_RELIABILITY_BEST_EFFORT: 2,
  };
  static DurabilityPolicy = {
    RMW_QOS_POLICY_DURABILITY_TRANSIENT_LOCAL: 1,
    RMW_QOS_POLICY_DURABILITY_VOLATILE: 2,
  };
  constructor(
    readonly history: number,
    readonly depth: number,
    readonly reliability: number,
    readonly durability: number,
  ) {}
}
const RCLNODEJS = standIn<Rclnodejs>({ QoS: Qos });
const SENSOR = new Qos(1, 1, 2, 2);

const overrides = (values: Readonly<Record<string, unknown>>): QosOverrides =>
  new QosOverrides(
    RCLNODEJS,
    new Map(Object.entries(values).map(([name, value]) => [name, { name, type: 0, value }])),
  );

describe('qos_overrides parameters', () => {
  it('change what they name of one end of one topic, and nothing else', () => {
    const qos = overrides({
      'qos_overrides./cam/front.subscription.reliability': 'reliable',
      'qos_overrides./cam/front.subscription.depth': 5n,
      'qos_overrides./cam/front.publisher.durability': 'transient_local',
      'control.rate': 10,
    });
    expect(qos.problems.size).toBe(0);
    expect(qos.of('subscription', '/cam/front', SENSOR)).toEqual(new Qos(1, 5, 1, 2));
    expect(qos.of('publisher', '/cam/front', SENSOR)).toEqual(new Qos(1, 1, 2, 1));
    expect(qos.of('subscription', '/cam/wrist', SENSOR)).toBe(SENSOR);
  });

  it('hold for the full name of a topic, and for one about which nothing else is said', () => {
    const made: RosQos[] = [];
    const ros = standIn<RosNode>({
      resolveTopicName: (topic) => `/ns/${topic}`,
      createPublisher: (_type, _topic, options) => {
        made.push(options!.qos!);
        return { publish: () => undefined, waitForAllAcked: () => true };
      },
      createSubscription: (_type, topic, { qos }) => {
        made.push(qos!);
        return { topic };
      },
    });
    overrides({
      'qos_overrides./ns/a.publisher.history': 'keep_all',
      'qos_overrides./ns/a.subscription.depth': 3,
    }).applyTo(ros);
    ros.createPublisher('t', 'a');
    ros.createSubscription('t', 'a', { qos: SENSOR, isRaw: true }, () => undefined);
    ros.createSubscription('t', 'b', { qos: SENSOR }, () => undefined);
    expect(made).toEqual([new Qos(2, 10, 1, 2), new Qos(1, 3, 2, 2), SENSOR]);
  });

  it('that cannot be used are refused with what could be', () => {
    const qos = overrides({
      'qos_overrides./a.subscription.reliability': 'relyable',
      'qos_overrides./a.subscription.depth': 0,
      'qos_overrides./a.subscription.lifespan': 3,
      'qos_overrides.a.subscription.depth': 3,
    });
    expect([...qos.problems.values()]).toEqual([
      'qos_overrides./a.subscription.reliability "relyable": expected reliable or best_effort',
      'qos_overrides./a.subscription.depth 0: expected a whole number from 1 to 100000',
      expect.stringMatching(/lifespan.* is not known; expected qos_overrides\.<full topic name>/),
      expect.stringMatching(/is not known; expected qos_overrides\.<full topic name>/),
    ]);
    expect(qos.of('subscription', '/a', SENSOR)).toBe(SENSOR);
  });
});
