import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PictureWatch } from '../../src/observation/PictureWatch';
import type { StillPicture } from '../../src/observation/PictureWatch';
import type { RgbImage } from '../../src/observation/types';

const picture = (value: number, width = 2): RgbImage => ({
  width,
  height: 2,
  data: new Uint8Array(width * 6).fill(value),
});
const AUTOMATIC = -1;

/** Pictures of one camera every half second; a number is what it shows. @returns what is said of the last one */
function show(
  pictures: readonly number[],
  maxFrozen: number,
  proprio: (i: number) => number[] = () => [0],
): StillPicture | undefined {
  const watch = new PictureWatch();
  return pictures.map((value, i) => watch.see('front', picture(value), i / 2, proprio(i), maxFrozen)).at(-1);
}

describe('the watch over pictures', () => {
  it('warns after half the time that a picture may stay the same, and refuses it after all of it', () => {
    expect(show([7, 7], 2)).toBeUndefined();
    expect(show([7, 7, 7], 2)).toMatchObject({ camera: 'front', seconds: 1, refused: false });
    expect(show([7, 7, 7, 7, 7], 2)).toMatchObject({ seconds: 2, refused: true });
    expect(show([7, 7, 7, 7, 7], 2)?.message).toBe(
      'front has repeated the same picture with new stamps for 2.0 s; no chunk is made from it: is its driver alive? (observation.max_frozen)',
    );
  });

  it('never refuses where that is switched off', () => {
    expect(show(new Array<number>(100).fill(7), 0)).toBeUndefined();
  });

  it('by itself has nothing to say of a picture that has always been the same', () => {
    expect(show(new Array<number>(100).fill(7), AUTOMATIC, (i) => [i])).toBeUndefined();
  });

  it('by itself warns of one that was seen to change, and refuses it once the robot has moved', () => {
    const stopped = [6, 7, 7, 7, 7, 7];
    expect(show(stopped.slice(0, 5), AUTOMATIC)).toBeUndefined();
    expect(show(stopped, AUTOMATIC)).toMatchObject({ seconds: 2, refused: false });
    expect(show(stopped, AUTOMATIC, (i) => [i * 0.1])).toMatchObject({ refused: true });
    expect(show(stopped, AUTOMATIC, (i) => [i * 0.001])).toMatchObject({ refused: false });
    // A robot that tells nothing of itself may have moved.
    expect(show(stopped, AUTOMATIC, () => [])).toMatchObject({ refused: true });
  });

  it('takes the same bytes of another size for another picture, and a time that runs back for a new beginning', () => {
    const watch = new PictureWatch();
    watch.see('front', { width: 2, height: 4, data: new Uint8Array(24) }, 0, [], 1);
    expect(watch.see('front', { width: 4, height: 2, data: new Uint8Array(24) }, 5, [], 1)).toBeUndefined();
    expect(watch.see('front', { width: 4, height: 2, data: new Uint8Array(24) }, 1, [], 1)).toBeUndefined();
  });

  it('refuses no picture that differs from the one before, whatever else comes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(3), { minLength: 2 }),
        fc.double({ min: -1, max: 5, noNaN: true }),
        (values, most) => {
          const said = show(values, most, (i) => [i]);
          if (values.at(-1) !== values.at(-2)) expect(said).toBeUndefined();
          else if (said) expect(said.seconds).toBeGreaterThan(0);
        },
      ),
    );
  });
});
