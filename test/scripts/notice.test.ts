import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { productionPackages } from '../../scripts/productionPackages';
import { pageScript, uPlotStyle } from '../../src/report/inlined';

const ROOT = join(__dirname, '..', '..');
const notice = readFileSync(join(ROOT, 'NOTICE'), 'utf8');

/** Licences that ask for no more than to be passed on. */
const PERMISSIVE = ['MIT', 'ISC', 'Apache-2.0', '0BSD', 'BSD-2-Clause', 'BSD-3-Clause', '(MIT OR CC0-1.0)'];

/** Everything of a family of packages is named by `@scope/*` or `name-<platform>`. */
function isNamed(name: string): boolean {
  const family = name.replace(/^(@img\/sharp-libvips)-.*/, '$1-<platform>');
  const scope = name.replace(/^(@[^/]+)\/.*/, '$1/*');
  return [name, family, scope].some((one) => notice.includes(one));
}

describe('NOTICE', () => {
  const packages = productionPackages(ROOT);

  it('is held against everything that users install', () => {
    expect(packages.length).toBeGreaterThan(40);
    expect(packages.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['sharp', 'uplot', 'onnxruntime-node']),
    );
  });

  it('names every package whose licence is not a permissive one, with that licence', () => {
    const others = packages.filter(({ license }) => !PERMISSIVE.includes(license));
    for (const { name, license } of others) {
      expect(isNamed(name) || name.startsWith('@img/sharp-'), `${name} has ${license || 'no licence'}`).toBe(
        true,
      );
      for (const one of license.split(/ AND | OR |[()]/).filter((part) => /GPL|MPL/.test(part)))
        expect(notice).toContain(one);
    }
  });

  it('names every permissive one that is not under MIT', () => {
    for (const { name, license } of packages) {
      if (license === 'MIT' || name.startsWith('@img/')) continue;
      expect(isNamed(name), `${name} has ${license}`).toBe(true);
    }
  });
});

describe('what is copied into pages', () => {
  it.each([pageScript('report'), pageScript('watch'), uPlotStyle()])('has its licence beside it', (text) => {
    expect(text).toContain('Copyright (c) 2022 Leon Sorokin');
    expect(text).toContain('The above copyright notice and this permission notice shall be included');
    expect(text).toContain('u-over');
  });
});
