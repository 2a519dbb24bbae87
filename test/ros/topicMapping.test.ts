import { describe, expect, it } from 'vitest';
import { topicMapping } from '../../src/ros/policy/topicMapping';
import type { MappedModel } from '../../src/settings/mapping';
import { ParameterSet } from '../../src/settings/ParameterSet';
import type { ParameterValue } from '../../src/settings/parameterFile';
import { POLICY_PARAMETERS } from '../../src/settings/policyParameters';

const BUNDLE: MappedModel = {
  cameras: [{ name: 'front' }, { name: 'wrist' }],
  proprio: { names: ['x', 'y', 'opening'] },
  actions: { items: [{ name: 'dx' }] },
};

const GOOD = {
  'cameras.front.topic': 'front/image_raw',
  'cameras.wrist.topic': 'wrist/image_raw/compressed',
  'proprio.arm.topic': 'joint_states',
  'proprio.arm.joints': ['x', 'y', 'opening'],
};

function mapping(values: Readonly<Record<string, ParameterValue>>, bundle = BUNDLE) {
  const set = new ParameterSet(POLICY_PARAMETERS);
  set.apply(new Map(Object.entries(values)));
  return topicMapping(set.values, set.explicit, bundle).mapping;
}
const without = (name: keyof typeof GOOD): Record<string, ParameterValue> =>
  Object.fromEntries(Object.entries(GOOD).filter(([key]) => key !== name));

describe('the topics of an observation, from parameters', () => {
  it('are the cameras with their transports and the sources with what is taken from them', () => {
    const { cameras, proprio, instructionTopic } = mapping(GOOD);
    expect(cameras.map(({ name, topic, transport }) => [name, topic, transport])).toEqual([
      ['front', 'front/image_raw', 'raw'],
      ['wrist', 'wrist/image_raw/compressed', 'compressed'],
    ]);
    expect(proprio).toMatchObject([
      { name: 'arm', type: 'sensor_msgs/msg/JointState', joints: ['x', 'y', 'opening'], field: 'position' },
    ]);
    expect(instructionTopic).toBe('instruction');
  });

  it('are put together from several sources in the order that is said', () => {
    const two = {
      ...without('proprio.arm.joints'),
      'proprio.arm.joints': ['x', 'y'],
      'proprio.hand.topic': 'hand',
      'proprio.hand.type': 'Float32MultiArray',
      'proprio.hand.joints': ['opening'],
    };
    const names = (values: Record<string, ParameterValue>): string[] =>
      mapping(values).proprio.map(({ name }) => name);
    expect(names({ ...two, 'proprio.sources': ['arm', 'hand'] })).toEqual(['arm', 'hand']);
    expect(names({ ...two, 'proprio.sources': ['hand', 'arm'] })).toEqual(['hand', 'arm']);
  });

  it('count an empty value as none, and follow a remapped instruction topic', () => {
    expect(() => mapping({ ...GOOD, 'cameras.wrist.topic': '' })).toThrow(/wrist/);
    expect(mapping({ ...GOOD, instruction_topic: 'task' }).instructionTopic).toBe('task');
  });

  it('are refused in a sentence that names the parameter, without the line of any file', () => {
    const messages = [
      without('cameras.wrist.topic'),
      { ...GOOD, 'cameras.side.topic': 'side' },
      { ...GOOD, 'proprio.arm.type': 'PointCloud2' },
      {
        ...without('proprio.arm.joints'),
        'proprio.hand.topic': 'hand',
        'proprio.sources': ['arm', 'hand'],
      },
      { ...GOOD, 'proprio.arm.joints': ['x', 'x', 'opening'] },
      { ...GOOD, 'proprio.sources': ['arm', 'leg'] },
    ].map((values) => {
      try {
        mapping(values);
        return 'accepted';
      } catch (error) {
        return (error as Error).message;
      }
    });
    expect(messages).toEqual([
      expect.stringMatching(/wrist.*cameras\.wrist\.topic/),
      expect.stringMatching(/side/),
      expect.stringMatching(/PointCloud2/),
      expect.stringMatching(/proprio\.arm\.joints is missing/),
      expect.stringMatching(/proprio\.arm\.joints has .*x.* twice/),
      expect.stringMatching(/leg/),
    ]);
    for (const message of messages) expect(message).not.toMatch(/:0|^parameters/);
  });

  it('must give as many numbers as the bundle takes, where their number is known', () => {
    expect(() => mapping({ ...GOOD, 'proprio.arm.joints': ['x', 'y'] })).toThrow(
      'the sources of proprioception give 2 numbers (x, y), the bundle takes 3 (x, y, opening)',
    );
    expect(() =>
      mapping({
        'cameras.front.topic': 'front/image_raw',
        'cameras.wrist.topic': 'wrist/image_raw',
      }),
    ).toThrow(/no source of proprioception: the bundle takes 3 numbers \(x, y, opening\); set proprio/);
    const array = { ...without('proprio.arm.joints'), 'proprio.arm.type': 'Float32MultiArray' };
    expect(mapping(array).proprio).toHaveLength(1);
    const { proprio } = mapping(
      { 'cameras.front.topic': 'front/image_raw', 'cameras.wrist.topic': 'wrist/image_raw' },
      { ...BUNDLE, proprio: { names: [] } },
    );
    expect(proprio).toEqual([]);
  });
});
