import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readModelConfig } from '../../src/export/modelConfig';
import { readRobot } from '../../src/export/robot';
import { DEFAULT_NODE, readParameterFile } from '../../src/settings/parameterFile';
import { FIXTURES } from '../helpers';

describe('the example of a recorded robot', () => {
  const robot = readRobot(join(FIXTURES, 'g1', 'robot.yaml'));
  const { config } = readModelConfig(join(FIXTURES, 'g1', 'config.json'));
  const { entries } = readParameterFile(
    join(__dirname, '..', '..', 'params', 'g1_replay.yaml'),
    DEFAULT_NODE,
  );
  const value = (name: string): unknown => entries.get(name)?.value;

  it('takes its joints in the order in which the params file collects them', () => {
    const sources = value('proprio.sources') as string[];
    const joints = sources.flatMap((source) => value(`proprio.${source}.joints`) as string[]);
    expect(joints).toEqual(robot.proprio?.names);
    expect(joints).toHaveLength(config.proprio_dim!);
    expect(value('commands.joints')).toEqual(robot.actions?.names);
    expect(robot.actions?.groups).toHaveLength(config.action_dim!);
  });

  it('composes an image of the size that its model takes', () => {
    expect(robot.cameras).toEqual([
      expect.objectContaining({ name: 'cam_high', x: 0, y: 0, width: config.width, height: config.height }),
    ]);
    expect(value('cameras.cam_high.topic')).toBeDefined();
  });
});
