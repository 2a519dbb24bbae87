import { describe, expect, it } from 'vitest';
import { describeProcessor, examineMachine, examineNode, readProcessor } from '../../src/doctor/machine';

/** One thread of /proc/cpuinfo. */
function thread(number: number, socket: number, core: number, flags: string): string {
  return [
    `processor\t: ${number}`,
    'model name\t: Some CPU @ 2.00GHz',
    `physical id\t: ${socket}`,
    `core id\t\t: ${core}`,
    `flags\t\t: fpu sse2 ${flags}`,
    'power management:',
  ].join('\n');
}

describe('the node version', () => {
  it.each([
    ['20.20.0', 'ok'],
    ['20.20.3', 'ok'],
    ['20.21.0', 'ok'],
    ['22.0.0', 'ok'],
    ['20.19.5', 'problem'],
    ['18.30.9', 'problem'],
  ])('%s is %s', (version, state) => {
    expect(examineNode(version)).toMatchObject({ state, text: version, needed: true });
  });
});

describe('the processor', () => {
  it('counts cores, not threads, over all sockets', () => {
    const text = [thread(0, 0, 0, ''), thread(1, 0, 1, ''), thread(2, 1, 0, ''), thread(3, 0, 0, '')].join(
      '\n\n',
    );
    // sockets/cores 0/0 (twice), 0/1 and 1/0
    expect(readProcessor(text)).toMatchObject({
      physicalCores: 3,
      logicalCores: 4,
      model: 'Some CPU @ 2.00GHz',
    });
  });

  it('is described with the instructions that make int8 fast', () => {
    const fast = readProcessor(thread(0, 0, 0, 'avx2 avx512f avx512_vnni'));
    expect(describeProcessor(fast)).toEqual({
      name: 'processor',
      state: 'ok',
      text: 'Some CPU @ 2.00GHz, 1 core, AVX2, AVX-512, VNNI, int8 at full speed',
    });
    expect(describeProcessor(readProcessor(thread(0, 0, 0, 'avx2 avx_vnni'))).text).toContain(
      'VNNI, int8 at',
    );
    expect(describeProcessor(readProcessor(thread(0, 0, 0, 'avx2'))).text).toContain('int8 without VNNI');
  });

  it('without AVX2 is a problem', () => {
    expect(describeProcessor(readProcessor(thread(0, 0, 0, '')))).toMatchObject({
      state: 'problem',
      remedy: expect.stringContaining('AVX2'),
    });
  });

  it('of an AArch64 machine has a core for each thread, and no AVX2 to miss', () => {
    const core = (n: number): string => `processor\t: ${n}\nFeatures\t: fp asimd asimddp`;
    const arm = readProcessor(`${core(0)}\n\n${core(1)}\n`);
    expect(arm.physicalCores).toBe(2);
    expect(describeProcessor(arm)).toMatchObject({ state: 'ok', text: expect.stringContaining('2 cores') });
  });

  it('of this machine, its memory and node are found', () => {
    const findings = examineMachine();
    expect(findings.map(({ name }) => name)).toEqual(['node', 'processor', 'memory']);
    expect(findings[2]?.text).toMatch(/^\d+\.\d GB of \d+\.\d GB available/);
  });
});
