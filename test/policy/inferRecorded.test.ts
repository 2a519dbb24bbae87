import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { UsageError } from '../../src/errors';
import { readFloat32 } from '../../src/formats/readTensor';
import { openSafetensors } from '../../src/formats/safetensors';
import { DEFAULT_EXECUTION } from '../../src/model/execution';
import { readRtc } from '../../src/settings/rtc';
import { inferRecorded } from '../../src/policy/inferRecorded';
import {
  DEFAULT_SETTINGS,
  FIXTURES,
  goldenCase,
  relativeError,
  removeFolders,
  temporaryFolder,
} from '../helpers';

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

  it('are chained where real-time chunking is asked for, by their stamps or by what is said', async () => {
    const folder = temporaryFolder();
    const rtc = readRtc('inference_delay=3,executed=8');
    const { chunks, notices } = await inferRecorded({ ...options, out: join(folder, 'a'), rtc });
    const file = openSafetensors(join(FIXTURES, 'robotwin_micro', 'rtc.safetensors'));
    const expected = readFloat32(file.tensors.get('linear.d3.action')!);
    const actions = Float32Array.from(chunks.flatMap(({ normalised }) => [...normalised]));
    expect(relativeError(actions, expected)).toBeLessThan(1e-5);
    expect(notices).toEqual([]);
    const measured = await inferRecorded({ ...options, out: join(folder, 'b'), rtc: readRtc('') });
    expect(measured.chunks.map(({ guidance }) => guidance.reason).slice(0, 2)).toEqual([
      'first_chunk',
      'unmeasured',
    ]);
    expect(measured.chunks.slice(2).every(({ guidance }) => guidance.reason === '')).toBe(true);
    expect(measured.notices.join()).toMatch(/inference delay is measured/);
  });

  it('are not computed where they could not be written', async () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    const hopeless = { ...options, bundle: '/nowhere', out: join(file, 'chunks.safetensors') };
    await expect(inferRecorded(hopeless)).rejects.toThrow(UsageError);
    await expect(inferRecorded(hopeless)).rejects.toThrow(/file: no folder to write into/);
  });
});
