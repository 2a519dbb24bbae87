import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as door from '../../src/index';

const example = readFileSync('examples/embed.mjs', 'utf8');

describe('the public door', () => {
  it('has what the example takes from it, which is a program of 20 lines', () => {
    const [, names = ''] = /import \{([^}]+)\} from 'fast-wam-policy'/.exec(example) ?? [];
    const taken = names.split(',').map((name) => name.trim());
    expect(taken.length).toBeGreaterThan(3);
    for (const name of taken) expect(door).toHaveProperty(name);
    const lines = example.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('//'));
    expect(lines.length).toBeLessThanOrEqual(20);
  });

  it('is where package.json says, with types', () => {
    const { exports, main, types } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      exports: Readonly<Record<string, unknown>>;
      main: string;
      types: string;
    };
    expect(exports['.']).toEqual({ types: `./${types}`, default: `./${main}` });
    expect(JSON.parse(readFileSync('tsconfig.build.json', 'utf8'))).toMatchObject({
      compilerOptions: { declaration: true },
    });
  });
});
