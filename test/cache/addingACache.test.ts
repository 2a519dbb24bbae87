import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { POLICIES } from '../../src/cache/registry';
import { ToyExpert } from './ToyExpert';
import { holdVelocity } from './holdVelocity';
import { ToyEpisode, relativeError } from './runEpisode';

const guide = readFileSync(join(__dirname, '../../docs/adding-a-cache.md'), 'utf8');

describe('the guide to adding a cache', () => {
  it('shows the example as it is tested here', () => {
    const tested = readFileSync(join(__dirname, 'holdVelocity.ts'), 'utf8').replaceAll(
      '../../src/cache/',
      './',
    );
    expect(guide).toContain(tested);
  });

  it('names every policy there is, and only files that exist', () => {
    for (const { name } of POLICIES) expect(guide).toContain(`\`${name}\``);
    const files = [...guide.matchAll(/`((?:src|test|docs)\/[\w/.-]+\.\w+)`/g)].map((match) => match[1]!);
    expect(files.length).toBeGreaterThan(8);
    const mentioned = files.filter((file) => file !== 'src/cache/holdVelocity.ts');
    for (const file of mentioned) expect(() => readFileSync(join(__dirname, '../..', file))).not.toThrow();
  });

  it('shows a policy that keeps the rules of the house', async () => {
    const expert = new ToyExpert();
    const plain = await new ToyEpisode(expert, 'none').chunk({ chunk: 0 });
    const never = await new ToyEpisode(expert, holdVelocity, { held_steps: 0 }).chunk({ chunk: 0 });
    expect([...never.x]).toEqual([...plain.x]);
    const held = await new ToyEpisode(expert, holdVelocity, { held_steps: 2 }).chunk({ chunk: 0 });
    expect([...held.computed]).toEqual([1, 0, 0, 1, 0, 0, 1, 0, 0, 1]);
    expect(relativeError(held.x, plain.x)).toBeLessThan(0.5);
  });
});
