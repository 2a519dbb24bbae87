import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readParameterFile } from '../../src/settings/parameterFile';
import { removeFolders, temporaryFolder } from '../helpers';

afterAll(removeFolders);

function read(sections: Readonly<Record<string, string>>, node?: string): Record<string, unknown> {
  const path = join(temporaryFolder(), 'p.yaml');
  const text = Object.entries(sections).map(([name, body]) => `${name}:\n  ros__parameters: {${body}}\n`);
  writeFileSync(path, text.join(''));
  return Object.fromEntries(
    [...readParameterFile(path, node).entries.values()].map(({ name, value }) => [name, value]),
  );
}

describe('the sections of a params file', () => {
  it('hold for one level with *, for any with **', () => {
    const file = { '/**': 'a: 1', '/*': 'a: 2', '/left/*': 'b: 3', '/left/**': 'c: 4' };
    expect(read(file, '/fast_wam_policy')).toEqual({ a: 2 });
    expect(read(file, '/left/fast_wam_policy')).toEqual({ a: 1, b: 3, c: 4 });
    expect(read(file, '/left/arm/fast_wam_policy')).toEqual({ a: 1, c: 4 });
    expect(read(file, '/lefty/fast_wam_policy')).toEqual({ a: 1 });
  });

  it('are ambiguous where namespaces differ, with wildcards as with names', () => {
    expect(() => read({ '/left/**': 'a: 1', '/right/**': 'a: 2' })).toThrow(
      /different parameters for "\/left\/\*\*" and "\/right\/\*\*"/,
    );
    expect(read({ '/left/**': 'a: 1', '/right/**': 'a: 1' })).toEqual({ a: 1 });
    // The node by its name goes before sections for other nodes.
    expect(read({ '/**': 'ip: 1', '/camera/**': 'fps: 30', fast_wam_policy: 'a: 2' })).toEqual({
      ip: 1,
      a: 2,
    });
  });

  it('have the words for true and false that ROS reads, unless they are quoted', () => {
    expect(read({ '/**': 'a: yes, b: Off, c: "on", d: N, e: 010, f: 0x10' })).toEqual({
      a: true,
      b: false,
      c: 'on',
      d: false,
      e: 8,
      f: 16,
    });
  });
});
