import { InputError } from '../errors';
import { roundTo } from '../formats/halfPrecision';
import type { FloatType } from '../formats/halfPrecision';
import type { Schedule } from './types';

/**
 * The flow-matching Euler schedule of Fast-WAM: u_k = 1 - k/N, sigma = s u / (1 + (s - 1) u), timestep = 1000 sigma.
 * Every operation is rounded to float32 as in the original, because the time embedding multiplies a timestep's last
 * bit by up to 1000. Source: `build_inference_schedule` in `scheduler_continuous.py`, which also gives timesteps and step
 * sizes the type that the model runs in: in bfloat16 t = 978.26 becomes 980.
 */
export function createSchedule(steps: number, shift: number, dtype: FloatType = 'float32'): Schedule {
  if (!Number.isInteger(steps) || steps < 1) {
    throw new InputError(`sampler steps: expected a whole number of at least 1, got ${steps}`);
  }
  if (!Number.isFinite(shift) || shift <= 0) {
    throw new InputError(`sampler shift: expected a number above 0, got ${shift}`);
  }
  const sigma = linspaceDown(steps).map((u) => f32(f32(shift * u) / f32(1 + f32(f32(shift - 1) * u))));
  return {
    steps,
    shift,
    dtype,
    sigma,
    timesteps: sigma.slice(0, steps).map((s) => roundTo(dtype, f32(1000 * s))),
    delta: sigma.slice(0, steps).map((s, k) => roundTo(dtype, f32((sigma[k + 1] ?? 0) - s))),
  };
}

const f32 = Math.fround;

/** `torch.linspace(1, 0, steps + 1)` in float32: counted from both ends towards the middle. */
function linspaceDown(steps: number): Float64Array {
  const step = f32(-1 / steps);
  const count = steps + 1;
  return Float64Array.from({ length: count }, (_, i) =>
    i < Math.floor(count / 2) ? f32(1 + f32(step * i)) : f32(-f32(step * (steps - i))),
  );
}
