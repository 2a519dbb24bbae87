import type { Settings } from '../cache/choice';
import type { Calibration } from '../cache/types';
import { InputError } from '../errors';
import type { PolicyClient } from '../policy/PolicyClient';
import { CalibrationFile } from '../policy/CalibrationFile';
import type { Sampler } from '../sampler/types';
import type { CalibrationChunk } from './calibrationChunks';

/**
 * Learns for a policy from uncached chunks and puts the record beside the bundle, where it is in force at once.
 * @param values settings that the record is to serve; defaults for the rest
 * @throws InputError where there are no chunks
 */
export async function learn(
  client: PolicyClient,
  chunks: AsyncIterable<CalibrationChunk>,
  calibration: Calibration,
  values: Settings,
  sampler: Sampler,
): Promise<{ readonly record: unknown; readonly chunks: number; readonly path: string }> {
  const recorder = await client.createRecorder(calibration.policy);
  try {
    let count = 0;
    for await (const { observation, noise } of chunks) {
      await recorder.learn(observation, sampler, noise && { noise });
      count += 1;
    }
    if (count === 0) throw new InputError('nothing to calibrate with: no observation was fit for a chunk');
    const record = await recorder.solve(values);
    const file = new CalibrationFile(client.bundle, calibration);
    file.add(record);
    return { record, chunks: count, path: file.path };
  } finally {
    await recorder.close();
  }
}
