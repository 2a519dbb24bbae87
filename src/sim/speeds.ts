/** How fast the gripper and everything that happens on the table are; the control rate is the same in both. */
export interface WorldSpeed {
  readonly name: SpeedName;
  /** Largest displacement of the gripper in one control step and axis, table units. */
  readonly step: number;
  /** Change of the gripper's opening in one control step. */
  readonly grip: number;
  /** Steps that a disturbance's waiting time of one unit lasts. */
  readonly stretch: number;
}

export const SPEED_NAMES = ['slow', 'fast'] as const;
export type SpeedName = (typeof SPEED_NAMES)[number];

/**
 * `slow` gives episodes of some 18 chunks of 10 steps, about as many as LIBERO's (15.95); `fast` gives 8, in which a
 * chunk covers so much of the task that little can be reused from the one before it.
 */
export const SPEEDS: Readonly<Record<SpeedName, WorldSpeed>> = {
  slow: { name: 'slow', step: 0.008, grip: 0.125, stretch: 2 },
  fast: { name: 'fast', step: 0.02, grip: 0.25, stretch: 1 },
};

/** Control steps per second. */
export const CONTROL_RATE = 10;
