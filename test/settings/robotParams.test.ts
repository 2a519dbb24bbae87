import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BUILTIN_CONFIGS } from '../../src/export/builtinConfigs';
import { completeRobot } from '../../src/export/robot';
import { readRunParameters } from '../../src/evaluation/runParameters';
import { fitMapping } from '../../src/settings/mapping';

const PARAMS = join(__dirname, '..', '..', 'params');

describe.each([
  ['libero', 7, 8],
  ['robotwin', 14, 14],
])('params/%s_replay.yaml', (name, actionDim, proprioDim) => {
  const robot = completeRobot(BUILTIN_CONFIGS[name]!.robot, {
    actionDim,
    proprioDim,
    width: 448,
    height: 224,
    normalised: false,
    rate: undefined,
    replanSteps: undefined,
  });

  it('names the cameras of a bundle exported with that --config, and as many numbers as it takes', () => {
    const { mapping, warnings } = readRunParameters(join(PARAMS, `${name}_replay.yaml`));
    expect(warnings).toEqual([]);
    const fitted = fitMapping(mapping, robot);
    expect(fitted.warnings).toEqual([]);
    expect(fitted.mapping.cameras.map((camera) => camera.name).sort()).toEqual(
      robot.cameras.map((camera) => camera.name).sort(),
    );
  });
});
