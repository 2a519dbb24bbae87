import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exportTabletopCheckpoint } from '../tabletop';

export const TASK = 'pick up the red block and place it on the white plate';
export const OTHER_TASK = 'pick up the green block and place it on the white plate';
export const JOINTS = { gripper_x: 0.4, gripper_y: 0.6, gripper_opening: 1.0 };

/** A robot for the table-top checkpoint whose actions count as joints, so that trajectories are published too. */
export const ROBOT = `
name: tabletop
control: { rate: 20, replan_steps: 5 }
cameras:
  - { name: front, x: 0, y: 0, width: 64, height: 64 }
  - { name: wrist, x: 64, y: 0, width: 64, height: 64 }
proprio: { names: [gripper_x, gripper_y, gripper_opening], units: [m, m, '1'] }
actions:
  kind: joint_position
  names: [dx, dy, grip]
  limits: { min: [-5, -5, -5], max: [5, 5, 5] }
`;

/** Exports the table-top checkpoint into a folder as a bundle that drives three joints. */
export function exportTabletop(folder: string, robot = ROBOT): string {
  const robotFile = join(folder, 'robot.yaml');
  writeFileSync(robotFile, robot);
  return exportTabletopCheckpoint({ robot: robotFile, out: join(folder, 'bundle') });
}

/** A params file for that bundle; cameras on cam/front, cam/wrist, joints on joint_states. */
export function writeParams(
  folder: string,
  parameters: Readonly<Record<string, string | number | boolean>>,
): string {
  const all = {
    'cameras.front.topic': 'cam/front',
    'cameras.wrist.topic': 'cam/wrist',
    'proprio.arm.topic': 'joint_states',
    'proprio.arm.joints': `[${Object.keys(JOINTS).join(', ')}]`,
    'execution.threads': 1,
    ...parameters,
  };
  const lines = Object.entries(all).map(([name, value]) => `    ${name}: ${value}`);
  const file = join(folder, 'params.yaml');
  writeFileSync(file, ['/**:', '  ros__parameters:', ...lines, ''].join('\n'));
  return file;
}
