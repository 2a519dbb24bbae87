import { describe, expect, it } from 'vitest';
import type { BundleManifest } from '../../src/bundle/schema';
import { commandDimensions } from '../../src/executor/dimensions';

const actions: BundleManifest['actions'] = {
  kind: 'delta_pose',
  frame: 'base',
  items: [
    { name: 'dx', unit: 'm', group: 'translation' },
    { name: 'grip', unit: '1', group: 'gripper' },
  ],
  normaliser: { mode: 'z-score', scale: [1, 1], offset: [0, 0] },
  gripper: [{ index: 1, rule: 'none', binarize: false, threshold: 0 }],
  limits: { min: [-1, null], max: [1, null], max_step: [0.5, null] },
};

describe('The dimensions of a bundle', () => {
  it('are displacements in a delta-pose bundle, except the gripper', () => {
    expect(commandDimensions(actions)).toEqual([
      { name: 'dx', mode: 'delta', gripper: false, min: -1, max: 1, maxStep: 0.5 },
      { name: 'grip', mode: 'absolute', gripper: true },
    ]);
  });

  it('are absolute for joints, and of unknown meaning otherwise', () => {
    const modes = (kind: typeof actions.kind): string[] =>
      commandDimensions({ ...actions, kind }).map(({ mode }) => mode);
    expect(modes('joint_position')).toEqual(['absolute', 'absolute']);
    expect(modes('other')).toEqual(['other', 'absolute']);
  });

  it('have no limits where the bundle says there are none, and are refused where it says nothing', () => {
    expect(commandDimensions({ ...actions, limits: 'none' })[0]).toEqual({
      name: 'dx',
      mode: 'delta',
      gripper: false,
    });
    expect(() => commandDimensions({ ...actions, limits: null })).toThrow(/states no action limits/);
  });
});
