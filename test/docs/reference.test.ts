import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { INPUT_TENSORS, OUTPUT_TENSORS } from '../../scripts/reference/recordedTensors';
import { referencePages } from '../../scripts/reference/pages';
import { Bundle } from '../../src/bundle/Bundle';
import { openSafetensors, writeSafetensors } from '../../src/formats/safetensors';
import { inferRecorded } from '../../src/policy/inferRecorded';
import { RecordedInputs } from '../../src/policy/recordedEpisode';

const folder = mkdtempSync(join(tmpdir(), 'fast-wam-reference-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the reference', () => {
  it('is what the code says (npm run reference writes it)', async () => {
    const pages = await referencePages();
    expect(pages.size).toBeGreaterThan(5);
    for (const [path, text] of pages) expect(readFileSync(path, 'utf8'), path).toBe(text);
  });
});

describe('the tensors of fastwam infer, as the reference lists them', () => {
  const bundle = Bundle.open('bundles/tabletop');
  const { height, width, proprioDim, horizon, actionDim, textDim } = bundle.dimensions;
  const sizes: Readonly<Record<string, number>> = {
    ...{ C: 2, H: height, W: width, h: 48, w: 60, p: proprioDim, T: horizon, a: actionDim },
    ...{ length: 5, 'text dim': textDim },
  };
  const rows = INPUT_TENSORS.flatMap((row) =>
    row.name.includes('<camera>')
      ? bundle.manifest.cameras.map(({ name }) => ({ ...row, name: row.name.replace('<camera>', name) }))
      : [row],
  );
  const write = (names: readonly string[]): string => {
    const path = join(folder, `${names.length}.safetensors`);
    writeSafetensors(
      path,
      rows
        .filter(({ name }) => names.includes(name))
        .map(({ name, type, shape }) => {
          const numbers = shape
            .slice(1, -1)
            .split(', ')
            .map((word) => sizes[word] ?? Number(word));
          const count = numbers.reduce((a, b) => a * b, 1);
          return type === 'U8'
            ? { name, dtype: 'U8' as const, shape: numbers, data: new Uint8Array(count).fill(128) }
            : { name, dtype: 'F32' as const, shape: numbers, data: new Float32Array(count).fill(0.5) };
        }),
    );
    return path;
  };

  it('are read, composed or camera by camera, with noise and a context', () => {
    const all = rows.map(({ name }) => name);
    const composed = write(all.filter((name) => !name.startsWith('images.')));
    const apart = write(all.filter((name) => name !== 'images'));
    for (const path of [composed, apart]) {
      const inputs = new RecordedInputs(path, bundle);
      expect(inputs.chunks).toBe(2);
      expect(inputs.noise(1)).toHaveLength(horizon * actionDim);
      expect(inputs.observation(1, 'a task that nobody knows').context).toHaveLength(5 * textDim);
      expect(inputs.observation(1, 'x').proprio).toHaveLength(proprioDim);
    }
  });

  it('are written with the names and ranks that it has', async () => {
    const out = join(folder, 'out.safetensors');
    await inferRecorded({
      bundle: 'bundles/tabletop',
      inputs: write(['images', 'proprio']),
      instruction: bundle.manifest.instructions[0],
      settings: { policy: 'none', values: {}, companions: {}, noise: 'fixed', seed: 1 },
      execution: { provider: 'cpu', precision: 'fp32', device: 0, threads: 1 },
      out,
    });
    const written = openSafetensors(out).tensors;
    expect([...written.keys()].sort()).toEqual(OUTPUT_TENSORS.map(({ name }) => name).sort());
    for (const { name, shape } of OUTPUT_TENSORS) {
      const ranks = shape.split(' or ').map((form) => form.split(',').length);
      expect(ranks, name).toContain(written.get(name)!.shape.length);
    }
  });
});
