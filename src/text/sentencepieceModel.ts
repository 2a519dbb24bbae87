import { FileFormatError } from '../errors';
import { RangedFile } from '../formats/RangedFile';
import { readWire, wireFloat, wireText } from '../formats/WireReader';
import type { WireField } from '../formats/WireReader';

/** What a piece is, by its number in `sentencepiece_model.proto`. */
export const PIECE_KINDS = ['normal', 'unknown', 'control', 'user_defined', 'unused', 'byte'] as const;
export type PieceKind = (typeof PIECE_KINDS)[number];

export interface Piece {
  readonly text: string;
  readonly score: number;
  readonly kind: PieceKind;
}

/** The content of a `spiece.model`; the index of a piece is its id. */
export interface SentencepieceModel {
  readonly pieces: readonly Piece[];
  readonly eosId: number;
  readonly byteFallback: boolean;
  readonly suffixSpace: boolean;
  readonly charsmap: Uint8Array;
  readonly addDummyPrefix: boolean;
  readonly removeExtraWhitespaces: boolean;
  readonly escapeWhitespaces: boolean;
}

const UNIGRAM = 1;
/** umt5-xxl's has 4.5 MB. */
const LARGEST_MODEL = 2 ** 28;

/**
 * Reads a sentencepiece model (`sentencepiece_model.proto` of google/sentencepiece: ModelProto).
 * @throws FileFormatError where it is not a unigram model
 */
export function readSentencepieceModel(path: string): SentencepieceModel {
  const bytes = RangedFile.reading(path, (file) => {
    if (file.size > LARGEST_MODEL) {
      throw new FileFormatError(path, `has ${file.size} bytes; a sentencepiece model has some megabytes`);
    }
    return file.read(0, file.size, 'the sentencepiece model');
  });
  const pieces: Piece[] = [];
  const trainer = { type: UNIGRAM, eosId: 2, byteFallback: false, suffixSpace: false };
  const normalizer = {
    charsmap: new Uint8Array(),
    addDummyPrefix: true,
    removeExtraWhitespaces: true,
    escapeWhitespaces: true,
  };
  for (const field of readWire(bytes, path)) {
    if (typeof field.value === 'bigint') continue;
    if (field.number === 1) pieces.push(readPiece(field.value, path));
    if (field.number === 2) {
      for (const { number, value } of readWire(field.value, path)) {
        if (number === 3) trainer.type = count(value);
        if (number === 24) trainer.suffixSpace = count(value) !== 0;
        if (number === 35) trainer.byteFallback = count(value) !== 0;
        if (number === 42) trainer.eosId = count(value);
      }
    }
    if (field.number === 3) {
      for (const { number, value } of readWire(field.value, path)) {
        if (number === 2 && typeof value !== 'bigint') normalizer.charsmap = Uint8Array.from(value);
        if (number === 3) normalizer.addDummyPrefix = count(value) !== 0;
        if (number === 4) normalizer.removeExtraWhitespaces = count(value) !== 0;
        if (number === 5) normalizer.escapeWhitespaces = count(value) !== 0;
      }
    }
  }
  if (pieces.length === 0) throw new FileFormatError(path, 'has no pieces; it is not a sentencepiece model');
  if (trainer.type !== UNIGRAM) {
    throw new FileFormatError(path, 'is not a unigram model, which UMT5 has; it belongs to another model');
  }
  if (pieces[trainer.eosId]?.kind !== 'control') {
    throw new FileFormatError(path, `has no end mark: piece ${trainer.eosId} is not a control piece`);
  }
  const { eosId, byteFallback, suffixSpace } = trainer;
  return { pieces, eosId, byteFallback, suffixSpace, ...normalizer };
}

function readPiece(bytes: Uint8Array, path: string): Piece {
  let text = '';
  let score = 0;
  let kind = 1;
  for (const { number, value } of readWire(bytes, path)) {
    if (number === 1) text = wireText(value);
    if (number === 2) score = wireFloat(value);
    if (number === 3) kind = count(value);
  }
  const known = PIECE_KINDS[kind - 1];
  if (known === undefined || !Number.isFinite(score)) {
    throw new FileFormatError(path, `has a piece of kind ${kind} with score ${score}; the file is damaged`);
  }
  return { text, score, kind: known };
}

/** A number that fits; negative ones (no such id) become -1. */
function count(value: WireField['value']): number {
  return typeof value === 'bigint' ? Number(BigInt.asIntN(32, value)) : -1;
}
