import type { Bundle } from '../bundle/Bundle';
import { scalingOf } from '../formats/scaling';

/** The network sees at most 5, so that what lies beyond looks alike to it. */
const FAR = 6;

/**
 * What of a proprioception lies further from the data of training than any robot goes: 6 standard deviations, or 6
 * times the half range. Undefined where all is near. Such a value is cut by the normaliser and acted on as if it were
 * its bound.
 */
export function farFromTraining({ manifest }: Bundle): (proprio: ArrayLike<number>) => string | undefined {
  const { normaliser, names, units } = manifest.proprio;
  const scaling = scalingOf(normaliser);
  const place = (values: ArrayLike<number>): ArrayLike<number> =>
    'statistics' in normaliser || normaliser.mode === 'none'
      ? scaling.normalise(values)
      : Float64Array.from(values, (x, i) => x * (normaliser.scale[i] ?? 1) + (normaliser.offset[i] ?? 0));
  return (proprio) => {
    if (normaliser.mode === 'none' || proprio.length !== names.length) return undefined;
    const places = Array.from(place(proprio));
    const far = places.findIndex((value) => Math.abs(value) > FAR);
    if (far < 0) return undefined;
    return `${names[far] ?? `value ${far}`} is ${proprio[far] ?? NaN} ${units[far] ?? ''}, ${Math.abs(places[far] ?? NaN).toPrecision(2)} times the spread of the data that the model was trained on: is its unit right?`;
  };
}
