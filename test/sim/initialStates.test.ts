import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileFormatError } from '../../src/errors';
import { readBytes } from '../../src/formats/readTensor';
import { openSafetensors, writeSafetensors, type TensorData } from '../../src/formats/safetensors';
import { readInitialStates } from '../../src/sim/initialStates';
import { SPEEDS } from '../../src/sim/speeds';
import { TabletopWorld } from '../../src/sim/TabletopWorld';

const outcomes = join(__dirname, '../fixtures/toy/outcomes.safetensors');

/** The tensors of the fixture, some replaced (or left out, where undefined). */
function fixtureWith(changes: Readonly<Record<string, TensorData['data'] | undefined>>): TensorData[] {
  return [...openSafetensors(outcomes).tensors.values()]
    .filter(({ name }) => !(name in changes && changes[name] === undefined))
    .map((tensor) => ({ ...tensor, data: changes[tensor.name] ?? readBytes(tensor) }));
}

describe('Initial states from a file', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'initial-states-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('are 200 episodes of the 16 static tasks in turn, each a world in which nothing is done yet', () => {
    const episodes = readInitialStates(outcomes);
    expect(episodes.map(({ task }) => task.index)).toEqual(Array.from({ length: 200 }, (_, i) => i % 16));
    for (const { task, initial } of episodes) {
      const world = new TabletopWorld(task, SPEEDS.slow, initial);
      expect([world.opening, world.held, world.subTask, world.success]).toEqual([1, -1, 0, false]);
    }
  });

  it('are refused with the tensor that is missing', () => {
    const path = join(folder, 'missing.safetensors');
    writeSafetensors(path, fixtureWith({ 'init.g': undefined }));
    expect(() => readInitialStates(path)).toThrow(
      new FileFormatError(path, 'tensor init.g is missing; initial states need it as [200, 2]'),
    );
  });

  it('are refused with the task that does not exist', () => {
    const path = join(folder, 'task.safetensors');
    writeSafetensors(path, fixtureWith({ 'init.task': new BigInt64Array(200).fill(24n, 7) }));
    expect(() => readInitialStates(path)).toThrow(/init\.task\[7\] is 24; expected 0 to 23/);
  });

  it('are refused when a sequence is not that of its task', () => {
    const path = join(folder, 'sequence.safetensors');
    writeSafetensors(path, fixtureWith({ 'init.seq': new BigInt64Array(1200).fill(2n) }));
    expect(() => readInitialStates(path)).toThrow(
      /init\.seq\[0\] asks for the pairs 2,2, but task 0 .* is 0,0/,
    );
  });
});
