import type { Bundle } from '../bundle/Bundle';
import { recordHashes } from '../bundle/recordHashes';
import { ProgressBar } from '../report/ProgressBar';

/** Records the hashes of a bundle's files, with a bar: gigabytes take a while, and the bundle can be used meanwhile. */
export async function hashWeights(bundle: Bundle): Promise<void> {
  const total = bundle.weightFiles().reduce((sum, { size }) => sum + size, 0);
  const bar = new ProgressBar({ stream: process.stderr, label: 'percent of the weights hashed', total: 100 });
  let done = 0;
  try {
    await recordHashes(bundle, (bytes) => {
      done += bytes;
      bar.update(Math.floor((100 * done) / Math.max(total, 1)));
    });
  } finally {
    bar.finish();
  }
}
