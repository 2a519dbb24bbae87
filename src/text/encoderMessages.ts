import type { Cleaning } from '../bundle/schema';
import type { ExpectedEncoder } from './checkEncoder';

/** What the process that encodes is asked. */
export interface EncoderRequest {
  readonly id: number;
  /** with the template applied */
  readonly prompt: string;
  readonly encoder: string;
  readonly tokenizer?: string;
  readonly expected: ExpectedEncoder;
  readonly cleaning: Cleaning;
  readonly contextLength: number;
  readonly threads: number;
}

/** The context of a prompt, and what it took. */
export interface EncodedContext {
  /** [tokens, dim] */
  readonly rows: Float32Array;
  readonly tokens: number;
  /** tokens that had no room */
  readonly cut: number;
  readonly seconds: number;
  /** bytes; see `EncodeReport` */
  readonly memory: number;
}

export type EncoderResponse =
  | { readonly id: number; readonly context: EncodedContext }
  | { readonly id: number; readonly problem: string };
