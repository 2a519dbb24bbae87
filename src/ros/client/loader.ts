import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { messageOf } from '../../errors';
import type { Rclnodejs } from './rclnodejs';

/** ROS 2 as this process can use it, or one line that says what is lacking and what to do. */
export type RosAvailability =
  { readonly rclnodejs: Rclnodejs } | { readonly rclnodejs: undefined; readonly lacking: string };

/**
 * Loads rclnodejs where a ROS 2 environment is sourced. Never otherwise: imported without one, rclnodejs tries to
 * build itself anew and begins by deleting what was built.
 *
 * It is taken from where RCLNODEJS_PATH says, else from the project's packages.
 */
export function loadRos(environment: NodeJS.ProcessEnv = process.env): RosAvailability {
  if (!environment['AMENT_PREFIX_PATH'] || !environment['ROS_DISTRO']) {
    return lacking(
      'no ROS 2 environment is sourced; source one, or where none is installed: npx fastwam ros-setup, then npx fastwam ros COMMAND',
    );
  }
  const path = environment['RCLNODEJS_PATH'];
  try {
    const from = path && existsSync(path) ? join(path, 'dist', 'index.cjs') : 'rclnodejs';
    const loaded = createRequire(__filename)(from) as Rclnodejs & { readonly default?: Rclnodejs };
    return { rclnodejs: loaded.default ?? loaded };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND') {
      return lacking('the package rclnodejs is not installed; run: npx fastwam ros-setup');
    }
    return lacking(`rclnodejs does not load (${messageOf(error)}); run: npx fastwam ros-setup`);
  }
}

function lacking(reason: string): RosAvailability {
  return { rclnodejs: undefined, lacking: reason };
}
