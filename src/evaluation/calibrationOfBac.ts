import type { BacBudget } from '../cache/BacCalibration';
import type { BacSchedule } from '../cache/bacSchedule';
import { InputError } from '../errors';
import type { PolicyClient } from '../policy/PolicyClient';
import { BacScheduleFile } from '../policy/BacScheduleFile';
import type { CalibrationChunk } from './calibrationChunks';
import type { SamplerSettings } from './EngineRunner';

/**
 * Learns a schedule for `bac` from uncached chunks and puts it beside the bundle, where it is in force at once.
 * @throws InputError where there are no chunks
 */
export async function calibrateBac(
  client: PolicyClient,
  chunks: AsyncIterable<CalibrationChunk>,
  budget: BacBudget,
  sampler: SamplerSettings,
): Promise<{ readonly schedule: BacSchedule; readonly path: string }> {
  const recorder = await client.createBacRecorder();
  try {
    let count = 0;
    for await (const { observation, noise } of chunks) {
      await recorder.learn(observation, sampler, noise && { noise });
      count += 1;
    }
    if (count === 0) throw new InputError('nothing to calibrate with: no observation was fit for a chunk');
    const schedule = await recorder.solve(budget);
    const file = new BacScheduleFile(client.bundle);
    file.add([schedule]);
    return { schedule, path: file.path };
  } finally {
    await recorder.close();
  }
}
