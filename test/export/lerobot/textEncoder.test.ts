import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Bundle } from '../../../src/bundle/Bundle';
import { parseCommandLine } from '../../../src/cli/program';
import { FileFormatError } from '../../../src/errors';
import { exportWithEncoder } from '../../../src/export/exportWithEncoder';
import { textContextFileName, writeTextContext } from '../../../src/formats/textContext';
import { relativeError, removeFolders, temporaryFolder } from '../../helpers';
import { PolicyFolder, VAE, golden } from './policyFolder';

afterAll(removeFolders);

const ENCODER = 'test/fixtures/umt5_micro';
/** `task` of the fixture's golden.json. */
const TASK = 'pick up the red block and place it on top of the small white plate';

describe('a LeRobot policy exported with a text encoder', () => {
  it('knows the instructions beside it, encoded as LeRobot does: without cleaning, in rows that it pads', async () => {
    const folder = new PolicyFolder();
    writeFileSync(join(folder.path, 'instructions.txt'), `${TASK}\n`);
    const out = join(temporaryFolder(), 'bundle');
    await parseCommandLine([
      ...['export', '--lerobot', folder.path, '--vae', VAE, '--text-encoder', ENCODER],
      ...['--hash', 'later', '--out', out],
    ]);
    const bundle = Bundle.open(out);
    expect(bundle.manifest.instructions).toEqual([TASK]);
    expect(bundle.cleaning).toBe('none');
    const { rows, tokens } = bundle.context(TASK);
    expect([tokens, rows.length]).toEqual([96, 96 * 40]);
    expect(relativeError(rows, golden('micro/bf16/golden.safetensors', 'fp32.text_context'))).toBeLessThan(
      2e-5,
    );
  });

  it('cuts prompts to the rows of its tokenizer, and keeps the end', async () => {
    const folder = new PolicyFolder().config({ tokenizer_max_len: 48 });
    const instructions = join(folder.path, 'tasks.txt');
    writeFileSync(instructions, `${TASK}\n`);
    const out = join(temporaryFolder(), 'bundle');
    const { contexts } = await exportWithEncoder(
      { lerobot: folder.path, vae: VAE, instructions, out },
      { textEncoder: ENCODER, threads: 1 },
    );
    expect(contexts.added).toMatchObject([{ task: TASK, tokens: 48 }]);
    expect(contexts.added[0]!.cut).toBeGreaterThan(0);
    const { rows } = Bundle.open(out).context(TASK);
    expect(rows).toHaveLength(48 * 40);
    expect(rows.subarray(47 * 40).some((value) => value !== 0)).toBe(true);
  });
});

describe('contexts of another encoder', () => {
  const contexts = (tokens: number, dim: number): string => {
    const folder = join(temporaryFolder(), 'contexts');
    mkdirSync(folder);
    for (const [task, rows] of [
      ['a', [96, 40]],
      ['b', [tokens, dim]],
    ] as const) {
      const [own, width] = rows;
      writeTextContext(join(folder, textContextFileName(task, own)), {
        ...{ tokens: own, dim: width, encoder: 'ab' },
        rows: new Float32Array(3 * width).fill(1),
      });
    }
    return folder;
  };

  it('are refused at export, by the key of the prompt', () => {
    const folder = new PolicyFolder();
    expect(() => folder.export({ textEmbeds: contexts(96, 24) })).toThrow(
      /[0-9a-f]{64}\.t5_len96.*: has rows of 24 values, the model takes 40: it was made by another text encoder/,
    );
    expect(() => folder.export({ textEmbeds: contexts(64, 40) })).toThrow(
      /[0-9a-f]{64}\.t5_len64.*: has 64 rows, the model was trained with 96/,
    );
    expect(() => folder.export({ textEmbeds: contexts(96, 40) })).not.toThrow();
  });

  it('are refused when they are used, where they came later', () => {
    const out = new PolicyFolder().export();
    const own = join(out, 'text_embeds');
    const task = 'wave';
    writeTextContext(join(own, textContextFileName(Bundle.open(out).prompt(task), 64)), {
      ...{ tokens: 64, dim: 40, encoder: 'ab' },
      rows: new Float32Array(40).fill(1),
    });
    expect(readdirSync(own)).toHaveLength(1);
    const bundle = Bundle.open(out);
    expect(() => bundle.context(task)).toThrow(/has 64 rows, the model was trained with 96/);
    expect(() => bundle.context(task)).toThrow(FileFormatError);
  });
});
