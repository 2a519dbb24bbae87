import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = join(__dirname, '..', '..');
const guide = readFileSync(join(ROOT, 'docs', 'extending.md'), 'utf8');

describe('the guide to extending', () => {
  it('names files that exist', () => {
    const files = [...guide.matchAll(/`((?:src|test)\/[\w/.-]+)`/g)].map(([, file]) => file!);
    expect(files.length).toBeGreaterThan(12);
    for (const file of files) expect(existsSync(join(ROOT, file)), file).toBe(true);
  });
});

/** A copy of the sources with the page's patches, where their imports still find the packages. */
let copy = '';
beforeAll(() => {
  mkdirSync(join(ROOT, 'out'), { recursive: true });
  copy = mkdtempSync(join(ROOT, 'out', 'extended-'));
  cpSync(join(ROOT, 'src'), join(copy, 'src'), { recursive: true });
  const patches = [...guide.matchAll(/```diff\n([^]*?)```/g)].map(([, patch]) => patch!);
  expect(patches).toHaveLength(2);
  for (const input of patches) {
    execFileSync('git', ['apply', `--directory=${relative(ROOT, copy)}`, '-'], { cwd: ROOT, input });
  }
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

const patched = async <M>(module: string): Promise<M> => (await import(join(copy, 'src', module))) as M;

describe('its patches, applied', () => {
  it('give a camera encoding, in params files and in pixels', async () => {
    type Sources = typeof import('../../src/settings/sources');
    const { IMAGE_ENCODINGS } = await patched<Sources>('settings/sources.ts');
    expect(IMAGE_ENCODINGS).toContain('gbr8');
    const { decodeImage } = await patched<typeof import('../../src/observation/decodeImage')>(
      'observation/decodeImage.ts',
    );
    const picture = { width: 1, height: 1, encoding: 'gbr8', is_bigendian: 0, step: 3 };
    expect([...decodeImage({ ...picture, data: Uint8Array.of(2, 3, 1) }).data]).toEqual([1, 2, 3]);
  });

  it('give a live parameter, in the params file and where it acts', async () => {
    type Shipped = typeof import('../../src/settings/shippedParams');
    const { shippedParams } = await patched<Shipped>('settings/shippedParams.ts');
    expect(shippedParams()['policy.yaml']).toContain('# observation.clock_slack: 0.0');
    type Values = typeof import('../../src/settings/parameterValues');
    const { observationLimits } = await patched<Values>('settings/parameterValues.ts');
    const names = ['max_age', 'max_skew', 'max_deviation', 'clock_slack'];
    const limits = observationLimits(new Map(names.map((name) => [`observation.${name}`, 0.25])));
    const { checkAges } =
      await patched<typeof import('../../src/observation/guards')>('observation/guards.ts');
    expect(checkAges([{ name: 'front', age: -0.2 }], limits)).toEqual([]);
    expect(checkAges([{ name: 'front', age: -0.3 }], limits)).toMatchObject([{ kind: 'future' }]);
  });
});
