import type { BundleManifest } from '../bundle/schema';
import { InputError } from '../errors';

/**
 * What one number of a command means, and so what it is to stand still:
 * `absolute`: a position; repeat the last one. `delta`: a displacement for this control step; zero.
 * `other`: nobody said; only silence is safe.
 */
export type CommandMode = 'absolute' | 'delta' | 'other';

/** One dimension of a command with its limits, in the units of the bundle. Absent limits do not apply. */
export interface CommandDimension {
  readonly name: string;
  readonly mode: CommandMode;
  /** A gripper's decision is taken over as it is: half open is not between open and shut. */
  readonly gripper: boolean;
  readonly min?: number;
  readonly max?: number;
  /** Largest displacement in one control step. */
  readonly maxStep?: number;
  /** Largest displacement in one second. */
  readonly maxVelocity?: number;
}

/**
 * Whether a dimension is a position that the robot must be known to be near before it is commanded. A gripper is told
 * open or shut from anywhere, and a displacement begins wherever the robot is.
 */
export function isPosition({ mode, gripper }: CommandDimension): boolean {
  return mode === 'absolute' && !gripper;
}

/**
 * The dimensions of a bundle's actions. Grippers of delta-pose bundles are absolute: they say open or shut, not how far.
 *
 * @throws InputError if the bundle does not state its limits: a robot is not driven on a guess
 */
export function commandDimensions(actions: BundleManifest['actions']): CommandDimension[] {
  const { items, kind, limits } = actions;
  if (limits === null) {
    throw new InputError(
      'the bundle states no action limits, so no robot is driven with it: export it with --robot, ' +
        'or set safety.limits to none if the robot enforces its own',
    );
  }
  const stated = limits === 'none' ? {} : limits;
  return items.map(({ name }, i) => {
    const gripper = actions.gripper.some(({ index }) => index === i);
    const min = stated.min?.[i] ?? undefined;
    const max = stated.max?.[i] ?? undefined;
    const maxStep = stated.max_step?.[i] ?? undefined;
    const maxVelocity = stated.max_velocity?.[i] ?? undefined;
    return {
      name,
      mode: gripper || kind === 'joint_position' ? 'absolute' : kind === 'delta_pose' ? 'delta' : 'other',
      gripper,
      ...(min !== undefined && { min }),
      ...(max !== undefined && { max }),
      ...(maxStep !== undefined && { maxStep }),
      ...(maxVelocity !== undefined && { maxVelocity }),
    };
  });
}
