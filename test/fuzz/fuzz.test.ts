import { afterAll, describe, expect, it } from 'vitest';
import { removeFolders, temporaryFolder } from '../helpers';
import { fuzz } from './fuzz';
import { fuzzedReaders } from './readers';

afterAll(removeFolders);

describe('every reader of files that others made', () => {
  it('ends with a result or a named error of one plain line, whatever it is given (npm run fuzz goes on)', async () => {
    const folder = temporaryFolder();
    const readers = await fuzzedReaders(folder);
    const { inputs, findings } = await fuzz(readers, { first: 1, count: 1500, seconds: 25, folder });
    expect(inputs).toBeGreaterThan(readers.length);
    expect(findings.map(({ reader, seed, problem }) => `${reader}, seed ${seed}: ${problem}`)).toEqual([]);
  }, 240_000);
});
