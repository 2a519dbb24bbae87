import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseCommandLine } from '../../src/cli/program';
import { UsageError } from '../../src/errors';
import { UMT5_XXL, readEncoderSizes, synthesiseEncoder } from '../../src/export/synthEncoder';
import { elementCount } from '../../src/formats/StoredTensor';
import { encoderShapes } from '../../src/text/encoderLayout';
import { PromptEncoder } from '../../src/text/PromptEncoder';
import { removeFolders, temporaryFolder } from '../helpers';

afterAll(removeFolders);

describe('encoders of other sizes', () => {
  // Heads, layers, buckets, and an inner width that is not the model's, each unlike the golden encoder's.
  it.each([
    { dim: 64, heads: 2, headDim: 10, ffn: 30, layers: 1, buckets: 8, maxDistance: 16 },
    { dim: 24, heads: 6, headDim: 4, ffn: 96, layers: 5, buckets: 64, maxDistance: 256 },
  ])('of width $dim encode the same from float32 and, rounded, from bfloat16', async (sizes) => {
    const dims = { ...UMT5_XXL, ...sizes, vocabulary: 400 };
    const contexts = await Promise.all(
      (['F32', 'BF16'] as const).map(async (dtype) => {
        const folder = join(temporaryFolder(), dtype);
        synthesiseEncoder(dims, folder, { seed: 3, dtype });
        const encoder = PromptEncoder.open(folder);
        expect(encoder.dimensions).toEqual({ ...dims, maxDistance: 128 });
        const { prompts } = await encoder.encode(['pick up the red block', 'é'], {
          cleaning: 'none',
          contextLength: 128,
          threads: 1,
        });
        return prompts.map(({ rows, tokens }) => {
          expect(rows).toHaveLength(tokens * dims.dim);
          return rows;
        });
      }),
    );
    contexts[0]!.forEach((rows, i) => {
      const other = contexts[1]![i]!;
      const norm = Math.hypot(...rows);
      expect(norm).toBeGreaterThan(1);
      expect(Math.hypot(...rows.map((x, j) => x - other[j]!)) / norm).toBeLessThan(0.05);
    });
  });
});

it('the full-size encoder has 5,680,910,336 parameters in 242 tensors', () => {
  const shapes = [...encoderShapes(UMT5_XXL, 'original').values()];
  expect(shapes).toHaveLength(242);
  expect(shapes.reduce((n, shape) => n + elementCount(shape), 0)).toBe(5_680_910_336);
  expect(encoderShapes(UMT5_XXL, 'transformers').size).toBe(242);
});

describe('fastwam synth --text-encoder', () => {
  it('takes the sizes of a config.json, and leaves an encoder alone that is there', async () => {
    const out = join(temporaryFolder(), 'encoder');
    const config = 'test/fixtures/umt5_micro/config.json';
    const command = [
      'synth',
      '--text-encoder',
      '--config',
      config,
      '--out',
      out,
      '--dtype',
      'BF16',
      '--sparse',
    ];
    await parseCommandLine(command);
    expect(PromptEncoder.open(out).dimensions).toEqual(readEncoderSizes(config));
    await expect(parseCommandLine(command)).rejects.toThrow(/exists already/);
    await parseCommandLine([...command, '--overwrite']);
  });

  it('refuses a vocabulary without room for letters, and a task', async () => {
    const folder = temporaryFolder();
    const config = join(folder, 'config.json');
    const sizes = JSON.parse(readFileSync('test/fixtures/umt5_micro/config.json', 'utf8')) as object;
    writeFileSync(config, JSON.stringify({ ...sizes, vocab_size: 100 }));
    const command = ['synth', '--text-encoder', '--config', config, '--out', join(folder, 'out')];
    await expect(parseCommandLine(command)).rejects.toThrow(/vocab_size 100/);
    await expect(parseCommandLine([...command, '--task', 'pick up'])).rejects.toThrow(UsageError);
    await expect(parseCommandLine(['synth', '--out', join(folder, 'out')])).rejects.toThrow(/--config/);
  });
});
