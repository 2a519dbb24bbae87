import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer as Pipeline } from '@huggingface/tokenizers';
import { z } from 'zod';
import { FileFormatError, InputError, messageOf } from '../errors';
import { readJson } from '../formats/readJson';
import { Charsmap } from './Charsmap';
import { readSentencepieceModel } from './sentencepieceModel';
import type { SentencepieceModel } from './sentencepieceModel';

const METASPACE = '\u2581';
/** umt5-xxl's has 17 MB, and three values for each of 256,000 pieces. */
const LARGEST_TOKENIZER = { bytes: 2 ** 27, elements: 2 ** 24 };
/** What sentencepiece calls the bytes of unknown characters. */
const byteToken = (byte: number): string => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;

/** Files of a tokenizer, the one that says more first. */
export const TOKENIZER_FILES = ['tokenizer.json', 'spiece.model'] as const;

export interface TokenizedText {
  /** ends with the end mark */
  readonly ids: readonly number[];
  /** special tokens that stand in the text, and would be read as commands to the model */
  readonly special: readonly string[];
}

/** What the pipeline does not know by itself. */
interface Extras {
  /** ids of the pieces of bytes, if unknown characters become them */
  readonly bytes?: readonly number[];
  readonly unknownId: number;
  readonly vocabulary: number;
}

/**
 * A UMT5 tokenizer: `tokenizer.json` as the `tokenizers` library reads it, or `spiece.model` as sentencepiece does. They
 * differ: the second strips the end and knows no special tokens inside a text.
 *
 * The pipeline is `@huggingface/tokenizers`. Three things it does not do as the library it follows are done here: it
 * normalises by a table of its own in place of the file's, does not split at `▁`, and has no byte fallback.
 */
export class Tokenizer {
  readonly #pipeline: Pipeline;
  readonly #extras: Extras;
  readonly #special: ReadonlySet<string>;

  private constructor(
    readonly path: string,
    pipeline: Pipeline,
    extras: Extras,
  ) {
    this.#pipeline = pipeline;
    this.#extras = extras;
    this.#special = new Set(
      [...pipeline.get_added_tokens_decoder().values()].filter((t) => t.special).map((t) => t.content),
    );
  }

  /**
   * Opens `tokenizer.json` or `spiece.model`, or the folder of one.
   * @throws FileFormatError
   */
  static open(path: string): Tokenizer {
    const found = TOKENIZER_FILES.map((name) => join(path, name)).find((file) => existsSync(file));
    const file = found ?? path;
    const { pipeline, extras } = file.endsWith('.json') ? openJson(file) : openModel(file);
    return new Tokenizer(file, pipeline, extras);
  }

  /** Largest id and one more. */
  get vocabulary(): number {
    return this.#extras.vocabulary;
  }

  /**
   * The ids of a text.
   * @param limit the most ids, the end mark included; the text is cut for it
   * @throws InputError for a limit in which nothing has room
   */
  encode(text: string, limit = Number.MAX_SAFE_INTEGER): TokenizedText {
    const wellFormed = Buffer.from(text, 'utf8').toString('utf8');
    const own = this.#pipeline.tokenize(wellFormed, { add_special_tokens: false });
    const all = this.#pipeline.tokenize(wellFormed, { add_special_tokens: true });
    const end = all.slice(own.length).flatMap((token) => this.#idsOf(token));
    if (end.length > limit) throw new InputError(`a context of ${limit} tokens has no room for the end mark`);
    const ids = own.flatMap((token) => this.#idsOf(token));
    return {
      ids: [...ids.slice(0, limit - end.length), ...end],
      special: [...new Set(own.filter((token) => this.#special.has(token)))],
    };
  }

  /** A token that is not in the vocabulary is a run of unknown characters. */
  #idsOf(token: string): readonly number[] {
    const known = this.#pipeline.token_to_id(token);
    if (known !== undefined) return [known];
    const { bytes, unknownId } = this.#extras;
    return bytes ? [...Buffer.from(token, 'utf8')].map((byte) => bytes[byte] ?? unknownId) : [unknownId];
  }
}

interface Opened {
  readonly pipeline: Pipeline;
  readonly extras: Extras;
}

/** @param tokenizer as `tokenizer.json` has it */
function createPipeline(tokenizer: object, path: string): Pipeline {
  try {
    // What tokenizer_config.json says is for Python; the pipeline is whole without it.
    return new Pipeline(tokenizer, {});
  } catch (error) {
    throw new FileFormatError(path, `cannot be used as a tokenizer: ${messageOf(error)}`, { cause: error });
  }
}

/** A part of the pipeline: a function that has its own name as a method, too. */
type Part<T> = ((text: string, options?: object) => T) & { normalize: (text: string) => T };

function part<T>(work: (text: string, options?: object) => T): Part<T> {
  return Object.assign((text: string, options?: object) => work(text, options), { normalize: work });
}

// ---- tokenizer.json ----

/** A step of `normalizer` or `pre_tokenizer`. */
type Step = Readonly<Record<string, unknown>>;

const step = z
  .looseObject({ type: z.string() })
  .nullish()
  .transform((value) => value ?? null);

const tokenizerJson = z.looseObject({
  added_tokens: z
    .array(z.looseObject({ id: z.number().int().nonnegative(), content: z.string().min(1) }))
    .nullish()
    .transform((tokens) => tokens ?? []),
  normalizer: step,
  pre_tokenizer: step,
  post_processor: z.looseObject({ type: z.string() }),
  decoder: step,
  model: z.looseObject({
    type: z.literal('Unigram').default('Unigram'),
    unk_id: z.number().int().nonnegative(),
    byte_fallback: z.boolean().default(false),
    vocab: z.array(z.tuple([z.string(), z.number()])).min(1),
  }),
});

function openJson(path: string): Opened {
  const parsed = tokenizerJson.safeParse(readJson(path, LARGEST_TOKENIZER));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const place = issue?.path.map(String).join('.') || 'the document';
    throw new FileFormatError(
      path,
      `is not the tokenizer of a UMT5 (unigram): ${place}: ${issue?.message ?? 'does not fit'}; it belongs to another model or is damaged`,
    );
  }
  const tokenizer = parsed.data;
  const { model, added_tokens: added } = tokenizer;
  const splits = splitsAtMetaspace(tokenizer.pre_tokenizer);
  const pipeline = createPipeline(
    { ...tokenizer, pre_tokenizer: withPrependScheme(tokenizer.pre_tokenizer) },
    path,
  );
  pipeline.normalizer = withCharsmaps(
    tokenizer.normalizer,
    pipeline.normalizer,
    path,
  ) as Pipeline['normalizer'];
  const before = pipeline.pre_tokenizer as ((text: string, options?: object) => string[]) | null;
  if (splits && before) {
    // "merged with next": every ▁ begins a piece.
    const split = part((text, options) =>
      before(text, options).flatMap((piece) => piece.split(new RegExp(`(?=${splits})`, 'u'))),
    );
    pipeline.pre_tokenizer = split as unknown as Pipeline['pre_tokenizer'];
  }
  const idOf = new Map(model.vocab.map(([token], id) => [token, id]));
  return {
    pipeline,
    extras: {
      ...(model.byte_fallback && byteIds((token) => idOf.get(token))),
      unknownId: model.unk_id,
      vocabulary: Math.max(model.vocab.length, ...added.map(({ id }) => id + 1)),
    },
  };
}

/** Byte fallback needs a piece for every byte. */
function byteIds(idOf: (token: string) => number | undefined): { bytes?: readonly number[] } {
  const bytes = Array.from({ length: 256 }, (_, byte) => idOf(byteToken(byte)));
  return bytes.every((id) => id !== undefined) ? { bytes } : {};
}

/** The steps of a sequence, or the only one. */
function stepsOf(config: Step | null, key: 'normalizers' | 'pretokenizers'): readonly Step[] {
  if (config === null) return [];
  const steps = config.type === 'Sequence' ? config[key] : [config];
  return Array.isArray(steps) ? (steps as Step[]) : [];
}

/** The normaliser with the file's own tables in place of what the pipeline takes for them. */
function withCharsmaps(config: Step | null, made: unknown, path: string): unknown {
  if (config?.type === 'Sequence') {
    const sequence = made as { normalizers: unknown[] };
    const steps = stepsOf(config, 'normalizers');
    sequence.normalizers = sequence.normalizers.map((one, i) => withCharsmaps(steps[i] ?? null, one, path));
    return sequence;
  }
  if (config?.type !== 'Precompiled') return made;
  const table = config.precompiled_charsmap;
  if (typeof table !== 'string' || table === '') return part((text) => text);
  const charsmap = new Charsmap(Buffer.from(table, 'base64'), path);
  return part((text) => charsmap.byGraphemes(text));
}

/** The older spelling `add_prefix_space` as today's `prepend_scheme`. */
function withPrependScheme(config: Step | null): Step | null {
  if (config?.type === 'Sequence') {
    return { ...config, pretokenizers: stepsOf(config, 'pretokenizers').map(withPrependScheme) };
  }
  if (config?.type !== 'Metaspace') return config;
  const scheme = config.prepend_scheme ?? (config.add_prefix_space === false ? 'never' : 'always');
  return { ...config, prepend_scheme: scheme };
}

/** The character at which a Metaspace step splits; undefined if none does. */
function splitsAtMetaspace(config: Step | null): string | undefined {
  const metaspace = stepsOf(config, 'pretokenizers').find(({ type }) => type === 'Metaspace');
  if (!metaspace || metaspace.split === false) return undefined;
  const { replacement } = metaspace;
  return typeof replacement === 'string' && replacement !== '' ? replacement : METASPACE;
}

// ---- spiece.model ----

/** What no text holds: marks names of pieces that sentencepiece never finds in a text. */
const HIDDEN = '\ud800';

/** The score of user-defined pieces is that of their bytes as the likeliest pieces, less this. Source: `unigram_model.cc`. */
const USER_DEFINED_MARGIN = 0.1;

function openModel(path: string): Opened {
  const model = readSentencepieceModel(path);
  const { pieces } = model;
  const hidden = (text: string): string => `${HIDDEN}${text}`;
  const highest = pieces.reduce(
    (best, { kind, score }) => (kind === 'normal' ? Math.max(best, score) : best),
    -Infinity,
  );
  const vocab = pieces.map(({ text, score, kind }): [string, number] => {
    if (kind === 'normal') return [text, score];
    if (kind === 'user_defined') return [text, Buffer.byteLength(text) * highest - USER_DEFINED_MARGIN];
    return [hidden(text), 0];
  });
  const unknownId = pieces.findIndex(({ kind }) => kind === 'unknown');
  if (unknownId < 0)
    throw new FileFormatError(path, 'has no piece for unknown characters; the file is damaged');
  const end = hidden(pieces[model.eosId]?.text ?? '');
  const pipeline = createPipeline(
    {
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: null,
      decoder: null,
      post_processor: {
        type: 'TemplateProcessing',
        single: [{ Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: end, type_id: 0 } }],
        pair: [],
        special_tokens: { [end]: { id: end, ids: [model.eosId], tokens: [end] } },
      },
      model: { type: 'Unigram', unk_id: unknownId, vocab },
    },
    path,
  );
  const normalise = sentencepieceNormaliser(model, path);
  pipeline.normalizer = part(normalise) as unknown as Pipeline['normalizer'];
  const idOf = new Map(pieces.map(({ text, kind }, id) => [kind === 'byte' ? text : hidden(text), id]));
  return {
    pipeline,
    extras: {
      ...(model.byteFallback && byteIds((token) => idOf.get(token))),
      unknownId,
      vocabulary: pieces.length,
    },
  };
}

/** Source: `Normalizer::Normalize` in `normalizer.cc` of google/sentencepiece. */
function sentencepieceNormaliser(model: SentencepieceModel, path: string): (text: string) => string {
  const charsmap = model.charsmap.length > 0 ? new Charsmap(model.charsmap, path) : undefined;
  const kept = model.pieces.filter(({ kind }) => kind === 'user_defined').map(({ text }) => text);
  const space = model.escapeWhitespaces ? METASPACE : ' ';
  return (text) => {
    let out = '';
    for (const part of cutOut(text, kept)) {
      const replaced = kept.includes(part) || !charsmap ? part : [...charsmap.byLongestPrefix(part)].join('');
      out += replaced;
    }
    if (model.removeExtraWhitespaces) out = out.replace(/^ +/, '').replace(/ {2,}/g, ' ');
    if (out === '') return '';
    out = out.replaceAll(' ', space);
    // A ▁ that somebody typed counts as a space here.
    while (model.removeExtraWhitespaces && out.endsWith(space)) out = out.slice(0, -space.length);
    if (!model.addDummyPrefix) return out;
    return model.suffixSpace ? out + space : space + out;
  };
}

/** The text in pieces, of which those in `words` stand alone; the longest is taken. */
function cutOut(text: string, words: readonly string[]): readonly string[] {
  if (words.length === 0) return [text];
  const longestFirst = [...words].sort((a, b) => b.length - a.length);
  const escaped = longestFirst.map((word) => word.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&'));
  return text.split(new RegExp(`(${escaped.join('|')})`, 'u')).filter((piece) => piece !== '');
}
