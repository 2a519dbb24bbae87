import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Bundle } from '../../src/bundle/Bundle';
import { readBytes, readFloat32 } from '../../src/formats/readTensor';
import { openSafetensors } from '../../src/formats/safetensors';
import { DEFAULT_EXECUTION } from '../../src/model/execution';
import { FastWamModel } from '../../src/model/FastWamModel';
import { Episode } from '../../src/policy/Episode';
import { DEFAULT_SETTINGS, FIXTURES, relativeError, removeFolders } from '../helpers';
import { REFERENCE_CHECKPOINT, TABLETOP_CHECKPOINT, exportTabletopCheckpoint } from '../tabletop';

const CHUNKS = 20;
const WORLDS = 4;

/** Models, and what PyTorch did with each: the reference one in the original's classes, the bundled one in ours. */
describe.each([
  ['the reference model', REFERENCE_CHECKPOINT, 'closed_loop.safetensors'],
  ['the bundled model', TABLETOP_CHECKPOINT, 'bundled_closed_loop.safetensors'],
])('%s', (_, checkpoint, recorded) => {
  let model: FastWamModel;
  const golden = openSafetensors(join(FIXTURES, 'toy', recorded));
  const floats = (name: string) => readFloat32(golden.tensors.get(name)!);

  beforeAll(async () => {
    const bundle = Bundle.open(exportTabletopCheckpoint({}, checkpoint));
    model = await FastWamModel.load(bundle, { ...DEFAULT_EXECUTION, threads: 1 });
  });
  afterAll(async () => {
    await model.release();
    removeFolders();
  });

  it('gives the actions that PyTorch gave in closed loop, in physical units', async () => {
    const images = golden.tensors.get('images')!;
    const size = images.byteLength / (WORLDS * CHUNKS);
    const [proprio, action] = [floats('proprio'), floats('action')];
    const tasks = readBytes(golden.tensors.get('task')!);
    for (let world = 0; world < WORLDS; world++) {
      const episode = new Episode(model);
      for (let c = 0; c < CHUNKS; c++) {
        const at = world * CHUNKS + c;
        const chunk = await episode.infer(
          {
            image: readBytes(images, at * size, size),
            proprio: proprio.subarray(at * 3, at * 3 + 3),
            stamp: c,
            instruction: model.bundle.manifest.instructions[tasks[world * 8]!]!,
          },
          { ...DEFAULT_SETTINGS, policy: 'none' },
        );
        const expected = action.subarray(at * 96, (at + 1) * 96);
        // On another processor the original's own code repeats its recording to 1.8e-5.
        expect(relativeError(chunk.actions, expected), `world ${world} chunk ${c}`).toBeLessThan(2e-5);
      }
    }
  });

  it('answers an unknown instruction with the known ones', () => {
    expect(() => model.bundle.context('juggle')).toThrow(
      /unknown instruction "juggle".*known instructions: "pick up the left red block/,
    );
  });
});
