import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { UsageError } from '../../src/errors';
import { readFloat32 } from '../../src/formats/readTensor';
import { openSafetensors } from '../../src/formats/safetensors';
import { DEFAULT_EXECUTION } from '../../src/model/execution';
import { inferRecorded } from '../../src/policy/inferRecorded';
import { DEFAULT_SETTINGS, goldenCase, relativeError, removeFolders, temporaryFolder } from '../helpers';

describe('the chunks of a recorded episode', () => {
  const golden = goldenCase('robotwin_micro');
  const options = {
    bundle: golden.folder,
    inputs: golden.inputs,
    instruction: golden.task,
    settings: { ...DEFAULT_SETTINGS, policy: 'none' },
    execution: { ...DEFAULT_EXECUTION, threads: 1 },
  };
  afterAll(removeFolders);

  it('are written to a file, in a folder that is made', async () => {
    const out = join(temporaryFolder(), 'new', 'chunks.safetensors');
    const { chunks } = await inferRecorded({ ...options, out });
    const action = openSafetensors(out).tensors.get('action')!;
    expect(action.shape[0]).toBe(chunks.length);
    const first = readFloat32(action).subarray(0, chunks[0]!.actions.length);
    expect(relativeError(first, golden.tensor('chunk0.action'))).toBeLessThan(5e-6);
  });

  it('are not computed where they could not be written', async () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    const hopeless = { ...options, bundle: '/nowhere', out: join(file, 'chunks.safetensors') };
    await expect(inferRecorded(hopeless)).rejects.toThrow(UsageError);
    await expect(inferRecorded(hopeless)).rejects.toThrow(/file: no folder to write into/);
  });
});
