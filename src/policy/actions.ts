import type { Bundle } from '../bundle/Bundle';
import type { BundleManifest } from '../bundle/schema';
import { InputError } from '../errors';
import { scalingOf } from '../formats/scaling';
import type { Scaling } from '../formats/scaling';

type GripperRule = BundleManifest['actions']['gripper'][number];

/** From the network's actions to the robot's: statistics, what they are relative to, gripper rule, limits. */
export class ActionTransform {
  readonly #scaling: Scaling;
  /** actions that count from the state of the same index */
  readonly #relative: readonly number[];
  readonly #gripper: readonly GripperRule[];
  readonly #min: Float32Array;
  readonly #max: Float32Array;

  constructor(bundle: Bundle) {
    const { normaliser, relative = [], gripper, limits } = bundle.manifest.actions;
    this.#scaling = scalingOf(normaliser);
    this.#relative = relative;
    this.#gripper = gripper;
    const bounds = limits === null || limits === 'none' ? {} : limits;
    const { actionDim } = bundle.dimensions;
    const filled = (values: readonly (number | null)[] | undefined, open: number): Float32Array =>
      Float32Array.from({ length: actionDim }, (_, i) => values?.[i] ?? open);
    this.#min = filled(bounds.min, -Infinity);
    this.#max = filled(bounds.max, Infinity);
  }

  /**
   * @param normalised [T, a]
   * @param state proprioception of the observation, physical units
   * @returns physical actions [T, a], and how many values the limits cut
   * @throws InputError if a value is not finite: such a chunk must never reach a robot
   */
  apply(normalised: Float32Array, state: ArrayLike<number>): { actions: Float32Array; clamped: number } {
    const actions = this.#scaling.denormalise(normalised);
    const width = this.#min.length;
    for (const index of this.#relative) {
      const base = Math.fround(state[index] ?? Number.NaN);
      for (let i = index; i < actions.length; i += width) actions[i] = (actions[i] ?? Number.NaN) + base;
    }
    for (const { index, rule, binarize } of this.#gripper) {
      for (let i = index; i < actions.length; i += width) {
        const g = actions[i] ?? Number.NaN;
        const turned = rule === 'libero' ? 1 - 2 * g : g;
        actions[i] = binarize ? Math.sign(turned) : turned;
      }
    }
    let clamped = 0;
    actions.forEach((value, i) => {
      if (!Number.isFinite(value)) {
        throw new InputError(
          `the model gave ${value} for action dimension ${i % width} of step ${Math.floor(i / width)}`,
        );
      }
      const [low, high] = [this.#min[i % width] ?? -Infinity, this.#max[i % width] ?? Infinity];
      const within = Math.min(Math.max(value, low), high);
      if (within !== value) {
        clamped += 1;
        actions[i] = within;
      }
      // Last of all: a limit that float32 cannot hold would be an infinity.
      if (!Number.isFinite(actions[i])) {
        throw new InputError(`the limits make ${within} of action dimension ${i % width}`);
      }
    });
    return { actions, clamped };
  }

  /**
   * A chunk as it would read had it been made in another state: where actions count from the state, the same places are
   * told from the new one.
   * @param normalised [T, a]
   * @param from state that it was made in, physical units
   * @param to the other state
   * @returns [T, a], normalised; the chunk itself where no action is relative
   */
  reanchored(normalised: Float32Array, from: ArrayLike<number>, to: ArrayLike<number>): Float32Array {
    if (this.#relative.length === 0) return normalised;
    const physical = this.#scaling.denormalise(normalised);
    const width = this.#min.length;
    for (const index of this.#relative) {
      const moved = (from[index] ?? Number.NaN) - (to[index] ?? Number.NaN);
      for (let i = index; i < physical.length; i += width) physical[i] = (physical[i] ?? Number.NaN) + moved;
    }
    const again = this.#scaling.normalise(physical);
    // What does not count from the state stays as predicted, bit for bit.
    return normalised.map((value, i) => (this.#relative.includes(i % width) ? (again[i] ?? value) : value));
  }
}

/** From the robot's proprioception to the network's. */
export class ProprioTransform {
  readonly #normalise: (x: ArrayLike<number>) => Float32Array;
  readonly #names: readonly string[];

  constructor(bundle: Bundle) {
    const { normaliser, names } = bundle.manifest.proprio;
    const scaling = scalingOf(normaliser);
    this.#normalise = (x) => scaling.normalise(x);
    this.#names = names;
  }

  /** @throws InputError for a wrong length or a value that is not finite, by name */
  apply(physical: ArrayLike<number>): Float32Array {
    if (physical.length !== this.#names.length) {
      throw new InputError(`proprioception: expected ${this.#names.length} values, got ${physical.length}`);
    }
    for (let i = 0; i < physical.length; i++) {
      if (!Number.isFinite(physical[i])) {
        throw new InputError(`proprioception: ${this.#names[i] ?? i} is ${physical[i] ?? 'missing'}`);
      }
    }
    return this.#normalise(physical);
  }
}
