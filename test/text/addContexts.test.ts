import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Bundle } from '../../src/bundle/Bundle';
import { FileFormatError, InputError, UsageError } from '../../src/errors';
import { openTextContext, writeTextContext } from '../../src/formats/textContext';
import { addContexts } from '../../src/text/addContexts';
import { PromptEncoder } from '../../src/text/PromptEncoder';
import { parseCommandLine } from '../../src/cli/program';
import { goldenCase, removeFolders, temporaryFolder } from '../helpers';

const ENCODER = 'test/fixtures/umt5_micro';
const NEW = 'put the white mug on the plate';

let bundle: Bundle;
let task: string;
beforeAll(() => {
  ({ bundle, task } = goldenCase('libero_micro'));
});
afterAll(removeFolders);

/** A bundle of its own, to be changed. */
const copy = (): string => goldenCase('libero_micro').folder;

/** Every file of a bundle with its content. */
const contents = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((file) => [file, readFileSync(file).toString('base64')]),
  );

describe('an instruction that is added to a bundle', () => {
  it('is known from then on, with the rows that the encoder makes and zeros after them', async () => {
    const folder = copy();
    expect(Bundle.open(folder).knows(NEW)).toBe(false);
    const encoder = PromptEncoder.open(ENCODER);
    const report = await addContexts(folder, encoder, [NEW, task, NEW], { threads: 1 });
    expect(report.added.map((one) => one.task)).toEqual([NEW]);
    expect(report.known).toEqual([task]);

    const taught = Bundle.open(folder);
    expect(taught.manifest.instructions).toEqual(expect.arrayContaining([NEW, task]));
    expect(taught.manifest.text).toEqual({ cleaning: 'upstream', encoder: encoder.fingerprint });
    const { rows, tokens } = taught.context(NEW);
    const { contextLength, textDim } = taught.dimensions;
    expect(tokens).toBe(contextLength);
    const { prompts } = await encoder.encode([taught.prompt(NEW)], {
      cleaning: 'upstream',
      contextLength,
      threads: 1,
    });
    expect(rows.subarray(0, prompts[0]!.rows.length)).toEqual(prompts[0]!.rows);
    expect(rows.subarray(prompts[0]!.rows.length).every((x) => x === 0)).toBe(true);
    expect(rows).toHaveLength(contextLength * textDim);
    // The folder beside the checkpoint is left alone.
    expect(existsSync(join(bundle.textFolder, 'encoder'))).toBe(false);
    expect(readdirSync(join(folder, 'text_embeds'))).toHaveLength(1);
  });

  it('that cannot be encoded leaves the bundle as it was', async () => {
    const folder = copy();
    const before = contents(folder);
    const encoder = PromptEncoder.open(ENCODER);
    await expect(addContexts(folder, encoder, [NEW, 'pick </s> up'])).rejects.toThrow(InputError);
    await expect(addContexts(folder, encoder, [`sha256:${'0'.repeat(64)}`])).rejects.toThrow(UsageError);
    expect(contents(folder)).toEqual(before);
  });

  it('by another encoder is refused', async () => {
    const folder = copy();
    const encoder = PromptEncoder.open(ENCODER);
    await addContexts(folder, encoder, [NEW], { threads: 1 });
    const path = join(folder, 'bundle.json');
    const manifest = JSON.parse(readFileSync(path, 'utf8')) as { text: { encoder: string } };
    manifest.text.encoder = 'ab'.repeat(32);
    writeFileSync(path, JSON.stringify(manifest));
    await expect(addContexts(folder, encoder, ['open the drawer'])).rejects.toThrow(
      /is not the encoder that made the contexts/,
    );
    expect(() => Bundle.open(folder).context(NEW)).toThrow(FileFormatError);
    expect(() => Bundle.open(folder).context(NEW)).toThrow(/another text encoder/);
  });

  it('by an encoder of another width is refused', async () => {
    const other = goldenCase('robotwin_micro');
    await expect(addContexts(other.folder, PromptEncoder.open(ENCODER), [NEW])).rejects.toThrow(
      /contexts of 40 values a token, but .* takes 24/,
    );
  });
});

describe('a context that comes while a bundle is open', () => {
  it('is known to it alone', () => {
    const opened = Bundle.open(copy());
    const { textDim, contextLength } = opened.dimensions;
    opened.learn(NEW, new Float32Array(3 * textDim).fill(0.5));
    expect(opened.knows(NEW)).toBe(true);
    expect(opened.context(NEW).rows.filter((x) => x !== 0)).toHaveLength(3 * textDim);
    expect(Bundle.open(opened.folder).knows(NEW)).toBe(false);
    expect(() => opened.learn(NEW, new Float32Array(textDim + 1))).toThrow(InputError);
    expect(() => opened.learn(NEW, new Float32Array((contextLength + 1) * textDim))).toThrow(InputError);
  });
});

it('a context is read back as it was written, with the mark of its encoder', () => {
  const file = join(temporaryFolder(), 'context.pt');
  const rows = Float32Array.of(1, 2, 3, 4, 5, 6);
  writeTextContext(file, { rows, tokens: 4, dim: 3, encoder: 'cd'.repeat(32) });
  expect(openTextContext(file)).toEqual({
    context: Float32Array.of(1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0, 0),
    tokens: 4,
    dim: 3,
    trueRows: 2,
    encoder: 'cd'.repeat(32),
  });
});

describe('fastwam export --text-encoder', () => {
  const micro = 'test/fixtures/libero_micro';
  const common = ['export', '--checkpoint', `${micro}/fastwam.pt`, '--vae', `${micro}/vae_encoder.pth`];

  it('encodes a file of instructions, with the cleaning that is asked for', async () => {
    const out = join(temporaryFolder(), 'bundle');
    const file = join(temporaryFolder(), 'instructions.txt');
    writeFileSync(file, 'open the top drawer\nturn on the stove\n');
    await parseCommandLine([
      ...common,
      ...['--config', `${micro}/config.json`, '--out', out, '--instructions', file],
      ...['--text-encoder', ENCODER, '--text-cleaning', 'none'],
    ]);
    const made = Bundle.open(out);
    expect(made.manifest.instructions).toEqual(['open the top drawer', 'turn on the stove']);
    expect(made.cleaning).toBe('none');
    for (const one of made.manifest.instructions)
      expect(made.context(one).tokens).toBe(made.dimensions.contextLength);
  });

  it('says that texts are needed, and refuses an encoder that is none before anything is written', async () => {
    const out = join(temporaryFolder(), 'bundle');
    const config = ['--config', `${micro}/config.json`, '--out', out];
    await expect(parseCommandLine([...common, ...config])).rejects.toThrow(
      /--text-embeds DIR .* --text-encoder DIR/,
    );
    await expect(
      parseCommandLine([...common, ...config, '--text-encoder', `${micro}/vae_encoder.pth`]),
    ).rejects.toThrow(FileFormatError);
    expect(existsSync(out)).toBe(false);
  });
});

describe('fastwam encode', () => {
  it('takes instructions from the command line and from a file', async () => {
    const folder = copy();
    const file = join(temporaryFolder(), 'instructions.txt');
    writeFileSync(file, '\uFEFFopen the top drawer\n\n  turn on the stove \r\nopen the top drawer\n');
    await parseCommandLine([
      'encode',
      folder,
      NEW,
      '--text-encoder',
      ENCODER,
      '--file',
      file,
      '--threads',
      '1',
    ]);
    const taught = Bundle.open(folder);
    for (const one of [NEW, 'open the top drawer', 'turn on the stove']) expect(taught.knows(one)).toBe(true);
  });

  it('asks for an instruction', async () => {
    const folder = copy();
    await expect(parseCommandLine(['encode', folder, '--text-encoder', ENCODER])).rejects.toThrow(UsageError);
    await expect(parseCommandLine(['encode', folder, ' ', '--text-encoder', ENCODER])).rejects.toThrow(
      /empty/,
    );
  });
});
