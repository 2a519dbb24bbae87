import type { BundleManifest } from '../bundle/schema';
import { scalingOf } from '../formats/scaling';
import type { Plausibility } from '../observation/plausibility';

/**
 * Says how far a proprioception lies from the data of training, by the statistics of the bundle. What is far off is cut by
 * the normaliser, or grows beyond what the network has ever seen, and is acted on all the same. A bundle without
 * statistics cannot tell.
 */
export function farFromTraining({
  manifest,
}: {
  readonly manifest: Pick<BundleManifest, 'proprio'>;
}): Plausibility {
  const { normaliser, names, units } = manifest.proprio;
  if (normaliser.mode === 'none') return () => undefined;
  const scaling = scalingOf(normaliser);
  // The linear map cuts at 5, so it is followed here without that.
  const place = (whole: Float64Array): ArrayLike<number> =>
    'statistics' in normaliser
      ? scaling.normalise(whole)
      : whole.map((x, i) => x * (normaliser.scale[i] ?? 1) + (normaliser.offset[i] ?? 0));
  return (values, offset = 0) => {
    if (offset + values.length > names.length) return undefined;
    const whole = new Float64Array(names.length);
    for (let i = 0; i < values.length; i++) whole[offset + i] = values[i] ?? NaN;
    const places = place(whole);
    let far = -1;
    let spreads = -1;
    for (let i = offset; i < offset + values.length; i++) {
      const spread = Math.abs(places[i] ?? NaN);
      if (spread > spreads) [far, spreads] = [i, spread];
    }
    if (far < 0) return undefined;
    return {
      spreads,
      get message() {
        return `${names[far] ?? `value ${far}`} is ${whole[far] ?? NaN} ${units[far] ?? ''}, ${spreads.toPrecision(2)} times the spread of the data that the model was trained on: is its unit right?`;
      },
    };
  };
}
