import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileFormatError, InputError } from '../../src/errors';
import { readFloat64 } from '../../src/formats/readTensor';
import { openSafetensors } from '../../src/formats/safetensors';
import { cleanPrompt } from '../../src/text/cleaning';
import { Tokenizer } from '../../src/text/Tokenizer';
import { removeFolders, temporaryFolder } from '../helpers';

const MICRO = 'test/fixtures/umt5_micro';
const golden = JSON.parse(readFileSync(`${MICRO}/golden.json`, 'utf8')) as {
  max_len: number;
  texts: string[];
  full_ids_untruncated: number[][];
};
const { tensors } = openSafetensors(`${MICRO}/golden.safetensors`);
/** Ids of 200 random texts by tokenizers 0.23.2 and sentencepiece 0.2.3, whole. */
const random = JSON.parse(readFileSync('test/fixtures/text_golden/tokens.json', 'utf8')) as {
  text: string;
  ids: number[];
  no_byte_fallback: number[];
  sentencepiece: number[];
}[];

/** What of tokenizer.json the tests change. */
interface TokenizerJson {
  normalizer: object | null;
  pre_tokenizer: object;
  post_processor: object | null;
  model: { type: string; vocab: object; byte_fallback?: boolean; merges?: unknown };
}

/** Rows of ids as the network gets them: cut to the length, filled with the pad's 0. */
function rows(name: string): number[][] {
  const tensor = tensors.get(name)!;
  const flat = [...readFloat64(tensor)];
  const [count = 0, length = 0] = tensor.shape;
  return Array.from({ length: count }, (_, i) => flat.slice(i * length, (i + 1) * length));
}

function padded(tokenizer: Tokenizer, text: string): number[] {
  const { ids } = tokenizer.encode(text, golden.max_len);
  return [...ids, ...new Array<number>(golden.max_len - ids.length).fill(0)];
}

let folder: string;
let json: Tokenizer;
let noBytes: Tokenizer;
let model: Tokenizer;

/** The fixture's tokenizer.json with a change. */
function variant(name: string, change: (tokenizer: TokenizerJson) => void): string {
  const tokenizer = JSON.parse(readFileSync(`${MICRO}/tokenizer.json`, 'utf8')) as TokenizerJson;
  change(tokenizer);
  const path = join(folder, `${name}.json`);
  writeFileSync(path, JSON.stringify(tokenizer));
  return path;
}

beforeAll(() => {
  folder = temporaryFolder();
  json = Tokenizer.open(MICRO);
  noBytes = Tokenizer.open(variant('no_bytes', (t) => (t.model.byte_fallback = false)));
  model = Tokenizer.open(`${MICRO}/spiece.model`);
});
afterAll(removeFolders);

const READINGS = [
  ['ids', 'ids', () => json],
  ['ids.no_byte_fallback', 'no_byte_fallback', () => noBytes],
  ['ids.sentencepiece', 'sentencepiece', () => model],
] as const;

describe('ids of the 40 texts', () => {
  it.each(READINGS)('are the golden %s', (name, _, tokenizer) => {
    expect(golden.texts.map((text) => padded(tokenizer(), text))).toEqual(rows(name));
  });

  it('are the golden ones before they are cut', () => {
    expect(golden.texts.map((text) => json.encode(text).ids)).toEqual(golden.full_ids_untruncated);
  });

  it("are the original's after its cleaning", () => {
    const ids = golden.texts.map((text) => padded(json, cleanPrompt(text, 'upstream')));
    expect(ids).toEqual(rows('upstream.ids'));
  });

  it('differ between the cleanings in the seven known texts', () => {
    const differ = golden.texts.flatMap((text, i) => {
      const ids = (cleaning: 'upstream' | 'none') => padded(json, cleanPrompt(text, cleaning)).join();
      return ids('upstream') === ids('none') ? [] : [i];
    });
    expect(differ).toEqual([21, 22, 26, 30, 31, 35, 36]);
  });
});

it.each(READINGS)('ids of random texts are those of the Python libraries: %s', (_, reading, tokenizer) => {
  for (const { text, [reading]: ids } of random) {
    expect([text, tokenizer().encode(text).ids]).toEqual([text, ids]);
  }
});

describe('what tokenizer.json says is what is done', () => {
  it('takes the normaliser from the file', () => {
    const none = Tokenizer.open(variant('no_normaliser', (t) => (t.normalizer = null)));
    // Fullwidth W becomes W by the file's table alone.
    expect(json.encode('Ｗ').ids).toEqual(json.encode('W').ids);
    expect(none.encode('Ｗ').ids).not.toEqual(none.encode('W').ids);
  });

  it('reads the older spelling of the prefix', () => {
    const spelled = (add: boolean) =>
      Tokenizer.open(
        variant(`prefix_${add}`, (t) => {
          t.pre_tokenizer = { type: 'Metaspace', replacement: '▁', add_prefix_space: add };
        }),
      );
    const ids = json.encode('pick up').ids;
    expect(spelled(true).encode('pick up').ids).toEqual(ids);
    expect(spelled(false).encode(' pick up').ids).toEqual(ids);
    expect(spelled(false).encode('pick up').ids).not.toEqual(ids);
  });

  it('splits at spaces unless the file says otherwise', () => {
    const withPhrase = (split: boolean) =>
      Tokenizer.open(
        variant(`split_${split}`, (t) => {
          (t.model.vocab as [string, number][]).push(['▁pick▁up', -0.5]);
          t.pre_tokenizer = { ...t.pre_tokenizer, split };
        }),
      );
    expect(withPhrase(true).encode('pick up').ids).toEqual(json.encode('pick up').ids);
    expect(withPhrase(false).encode('pick up').ids).toEqual([424, 1]);
  });
});

describe('special tokens', () => {
  it('are found in a text where they would be read as such', () => {
    expect(json.encode('pick </s> up <extra_id_0>').special).toEqual(['</s>', '<extra_id_0>']);
    expect(json.encode('a＜/s＞').special).toEqual(['</s>']);
    expect(json.encode('pick up').special).toEqual([]);
  });

  it('are plain text to sentencepiece', () => {
    expect(model.encode('pick </s> up').special).toEqual([]);
    expect(model.encode('pick </s> up').ids.filter((id) => id === 1)).toEqual([1]);
  });
});

it('refuses a length in which the end mark has no room', () => {
  expect(() => json.encode('pick up', 0)).toThrow(InputError);
});

describe('files that are no UMT5 tokenizer are refused in one sentence', () => {
  it.each<[string, (t: TokenizerJson) => void, RegExp]>([
    ['of another kind of model', (t) => (t.model = { type: 'BPE', vocab: {}, merges: [] }), /model\.type/],
    ['without a post-processor', (t) => (t.post_processor = null), /post_processor/],
    [
      'with a damaged table',
      (t) => (t.normalizer = { type: 'Precompiled', precompiled_charsmap: '/////w==' }),
      /precompiled_charsmap/,
    ],
    ['with an unknown step', (t) => (t.normalizer = { type: 'Rot13' }), /Rot13/],
  ])('%s', (_, change, words) => {
    const path = variant('refused', change);
    expect(() => Tokenizer.open(path)).toThrow(FileFormatError);
    expect(() => Tokenizer.open(path)).toThrow(words);
  });

  it('text that is not JSON, a cut sentencepiece model, an empty one, and something else', () => {
    const broken = join(folder, 'tokenizer.json');
    writeFileSync(broken, '{"model":');
    expect(() => Tokenizer.open(broken)).toThrow(/is not JSON/);
    const cut = join(folder, 'cut.model');
    writeFileSync(cut, readFileSync(`${MICRO}/spiece.model`).subarray(0, 3000));
    expect(() => Tokenizer.open(cut)).toThrow(/protobuf/);
    const empty = join(folder, 'empty.model');
    writeFileSync(empty, '');
    expect(() => Tokenizer.open(empty)).toThrow(/no pieces/);
    cpSync(`${MICRO}/config.json`, join(folder, 'config.model'));
    expect(() => Tokenizer.open(join(folder, 'config.model'))).toThrow(FileFormatError);
  });
});
