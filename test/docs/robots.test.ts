import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readRunParameters } from '../../src/evaluation/runParameters';
import { commandDimensions } from '../../src/executor/dimensions';
import { completeRobot, readRobot } from '../../src/export/robot';
import { fitMapping } from '../../src/settings/mapping';

const FOLDER = 'params/robots';
const robots = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.robot.yaml'))
  .map((file) => file.replace('.robot.yaml', ''));

const page = readFileSync('docs/how-to/your-robot.md', 'utf8');

describe('the robots that are described', () => {
  it('are on the page, both files of each', () => {
    expect(robots.length).toBeGreaterThan(4);
    for (const robot of robots) {
      for (const kind of ['robot', 'params']) expect(page).toContain(`params/robots/${robot}.${kind}.yaml`);
    }
  });

  it.each(robots)('%s: both files are read, fit each other, and let an executor drive', (name) => {
    const robot = readRobot(`${FOLDER}/${name}.robot.yaml`);
    const names = robot.actions!.names!;
    const proprio = robot.proprio!.names!;
    const cameras = robot.cameras!;
    const entries = completeRobot(robot, {
      actionDim: names.length,
      proprioDim: proprio.length,
      width: Math.max(...cameras.map(({ x, width }) => x + width)),
      height: Math.max(...cameras.map(({ y, height }) => y + height)),
      normalised: false,
      rate: undefined,
      replanSteps: undefined,
    });
    const { mapping, warnings } = readRunParameters(`${FOLDER}/${name}.params.yaml`);
    expect(warnings).toEqual([]);
    const fitted = fitMapping(mapping, entries);
    expect(fitted.warnings).toEqual([]);
    // The joints of the sources, one after the other, are the proprioception, in its order.
    expect(fitted.mapping.proprio.flatMap(({ joints }) => joints)).toEqual(proprio);
    const { limits } = robot.actions!;
    const { min, max, max_velocity } = limits as Record<string, readonly number[]>;
    for (const list of [min, max, max_velocity]) expect(list).toHaveLength(names.length);
    for (const [i, low] of min!.entries()) expect(low, names[i]).toBeLessThan(max![i]!);
    const normaliser = { mode: 'z-score', scale: names.map(() => 1), offset: names.map(() => 0) };
    const dimensions = commandDimensions({ ...entries.actions, normaliser });
    expect(dimensions.map((dimension) => dimension.name)).toEqual(names);
    expect(dimensions.every(({ mode }) => mode === 'absolute')).toBe(true);
  });
});
