import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Bundle } from '../../src/bundle/Bundle';
import { recordHashes } from '../../src/bundle/recordHashes';
import { openGraph } from '../../src/model/openGraph';
import type { OrtModule } from '../../src/model/runtime';
import { goldenCase, removeFolders } from '../helpers';
import { standIn } from '../standIn';

afterAll(removeFolders);

describe('a graph of a bundle', () => {
  it('that is not the one exported is refused by its file, before it is loaded', async () => {
    const { folder } = goldenCase('libero_micro');
    await recordHashes(Bundle.open(folder));
    const path = join(folder, 'expert.onnx');
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(path, bytes);
    const opened = openGraph({
      bundle: Bundle.open(folder),
      ort: standIn<OrtModule>({}),
      execution: { provider: 'cpu', precision: 'fp32', device: 0, threads: 1 },
      provider: 'cpu',
      name: 'expert',
      grain: 'stack',
    });
    await expect(opened).rejects.toThrow(/expert.onnx: is not the graph that was exported/);
  });
});
