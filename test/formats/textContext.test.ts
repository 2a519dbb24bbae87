import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileFormatError } from '../../src/errors';
import { openSafetensors } from '../../src/formats/safetensors';
import { readFloat32 } from '../../src/formats/readTensor';
import {
  findTextContexts,
  openTextContext,
  promptHash,
  textContextFileName,
} from '../../src/formats/textContext';

const MICRO = 'test/fixtures/libero_micro';

describe('a cached text context', () => {
  it.each(['libero_micro', 'robotwin_micro'])(
    'of %s is found by its prompt and equals what the network gets',
    (name) => {
      const fixture = `test/fixtures/${name}`;
      const { prompt } = JSON.parse(readFileSync(`${fixture}/config.json`, 'utf8')) as { prompt: string };
      const file = findTextContexts(`${fixture}/text_embeds`).get(promptHash(prompt))!;
      const text = openTextContext(file);
      const golden = openSafetensors(`${fixture}/episode.safetensors`).tensors.get('context')!;
      expect([text.tokens, text.dim]).toEqual(golden.shape);
      expect(text.context).toEqual(readFloat32(golden));
      expect(text.trueRows).toBeLessThan(text.tokens);
    },
  );

  it('is there for every instruction of the table-top model', () => {
    const checkpoint = 'bundles/tabletop/checkpoint';
    const { prompt_template } = JSON.parse(readFileSync(`${checkpoint}/config.json`, 'utf8')) as {
      prompt_template: string;
    };
    const files = findTextContexts(`${checkpoint}/text_embeds`);
    const tasks = readFileSync(`${checkpoint}/instructions.txt`, 'utf8').trim().split('\n');
    expect(tasks).toHaveLength(24);
    for (const task of tasks) {
      const prompt = prompt_template.replace('{task}', task);
      expect(files.get(promptHash(prompt))).toBe(
        join(checkpoint, 'text_embeds', textContextFileName(prompt, 8)),
      );
    }
  });

  it('without a mask, or that is not a torch file, is refused', () => {
    expect(() => openTextContext(`${MICRO}/fastwam.pt`)).toThrow(/under "mot" where a tensor was expected/);
    expect(() => openTextContext(`${MICRO}/vae_encoder.pth`)).toThrow(/lacks context, expected/);
    expect(() => openTextContext(`${MICRO}/config.json`)).toThrow(FileFormatError);
  });
});

describe('a folder of text contexts', () => {
  let folder: string;
  beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'text-'))));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('may hold other files, and several lengths of one prompt', () => {
    const hash = promptHash('x');
    for (const n of [128, 16, 512]) writeFileSync(join(folder, `${hash}.t5_len${n}.wan22ti2v5b.pt`), '');
    copyFileSync('package.json', join(folder, 'package.json'));
    writeFileSync(join(folder, `${hash.toUpperCase()}.t5_len8.wan22ti2v5b.pt`), '');
    expect([...findTextContexts(folder)]).toEqual([[hash, join(folder, `${hash}.t5_len512.wan22ti2v5b.pt`)]]);
    expect(findTextContexts(folder, 16).get(hash)).toMatch(/len16/);
    expect(findTextContexts(folder, 17).size).toBe(0);
  });

  it('that does not exist is refused by name', () => {
    expect(() => findTextContexts(join(folder, 'none'))).toThrow(/none: cannot be listed/);
  });
});
