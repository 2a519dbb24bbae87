import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { FileFormatError } from '../../src/errors';
import { Budget } from '../../src/formats/Budget';
import { readJson } from '../../src/formats/readJson';
import { readText } from '../../src/formats/readText';
import { readYaml, yamlValue } from '../../src/formats/readYaml';
import { unpickle } from '../../src/formats/unpickle';
import { removeFolders, temporaryFolder } from '../helpers';

afterAll(removeFolders);

function file(content: string | Uint8Array): string {
  const path = join(temporaryFolder(), 'x');
  writeFileSync(path, content);
  return path;
}

const problem = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(FileFormatError);
    return (error as Error).message;
  }
  return '';
};

describe('a budget', () => {
  it('counts all parts together, and says what was exceeded', () => {
    const budget = new Budget({ elements: 10 });
    budget.take('elements', 6);
    expect(() => budget.take('elements', 6)).toThrow('it asks for more than 10 values');
    expect(() => budget.take('bytes', 1e12)).not.toThrow();
  });
});

describe('YAML that others made', () => {
  const yaml = (text: string): unknown => {
    const path = file(text);
    return yamlValue(readYaml(path), path);
  };

  it('is refused where it nests, multiplies or repeats without bounds', () => {
    expect(problem(() => yaml('['.repeat(20_000)))).toMatch(/nested more than 64 levels/);
    expect(problem(() => yaml(`${'- '.repeat(20_000)}a`))).toMatch(/nested more than 64 levels/);
    expect(
      problem(() => yaml(Array.from({ length: 300 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'))),
    ).toMatch(/nested more than 64 levels/);
    const bomb = Array.from(
      { length: 12 },
      (_, i) =>
        `a${i}: &a${i} [${Array(10)
          .fill(i === 0 ? '1' : `*a${i - 1}`)
          .join()}]`,
    );
    expect(problem(() => yaml(bomb.join('\n')))).toMatch(/aliases .* stand for too much/);
    expect(problem(() => yaml('a,'.repeat(300_000).replace(/^/, '[')))).toMatch(
      /more than 200000 YAML tokens/,
    );
    expect(problem(() => yaml('a: 1\nb: 2\na: 3'))).toMatch(/:3: has the key "a" twice/);
    expect(yaml('a: &x 1\nb: *x')).toEqual({ a: 1, b: 1 });
  });

  it('with 20,000 keys is read: keys are looked up, not compared', () => {
    const keys = Array.from({ length: 20_000 }, (_, i) => `k${i}: 1`).join('\n');
    expect(Object.keys(yaml(keys) as object)).toHaveLength(20_000);
  });
});

describe('JSON that others made', () => {
  const limits = { bytes: 1000, elements: 20 };

  it('is refused without its source being quoted, by size and by the number of values', () => {
    expect(problem(() => readJson(file('{"a": \u001b]0;x\u0007}'), limits))).toMatch(
      /x: is not JSON: [a-z ,]+$/,
    );
    expect(problem(() => readJson(file(''), limits))).toMatch(/is not JSON: it is empty/);
    expect(problem(() => readJson(file(JSON.stringify(Array(30).fill(1))), limits))).toMatch(
      /more than 20 values/,
    );
    expect(problem(() => readJson(file(' '.repeat(2000)), limits))).toMatch(
      /expected a text of at most 1000/,
    );
    expect(problem(() => readText(file(Uint8Array.of(0xff, 0xfe)), 10))).toMatch(/not UTF-8/);
    expect(readJson(file('\ufeff{"a": 1}'), limits)).toEqual({ a: 1 });
  });

  it('is not waited for where it is a pipe', () => {
    const path = join(temporaryFolder(), 'pipe');
    execFileSync('mkfifo', [path]);
    expect(problem(() => readJson(path, limits))).toMatch(/not a regular file/);
  });
});

describe('a pickle', () => {
  const globals = new Map();
  const read = (bytes: Buffer): unknown =>
    unpickle(bytes, { path: 'p.pt', globals, persistentLoad: () => null });

  it('of millions of dictionaries, or memo entries, ends with what it asked for', () => {
    const start = Buffer.from([0x80, 2]);
    expect(problem(() => read(Buffer.concat([start, Buffer.alloc(2_000_000, '}')])))).toMatch(
      /more than 500000 values/,
    );
    expect(
      problem(() => read(Buffer.concat([start, Buffer.from('N'), Buffer.alloc(2_000_000, 0x94)]))),
    ).toMatch(/more than 500000 values/);
  });
});
