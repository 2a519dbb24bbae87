import { plainText } from './plainText';

/**
 * The errors of this product. Each message is one line for a person: what is wrong, where, what was expected
 * and what to do; whatever it quotes, it has no control character. `cause` keeps the rest.
 */
export class FastWamError extends Error {
  override readonly name: string = 'FastWamError';

  constructor(message: string, options?: ErrorOptions) {
    super(plainText(message), options);
  }
}

/** A file is not what it should be (truncated, wrong magic, hostile length, forbidden content). */
export class FileFormatError extends FastWamError {
  override readonly name = 'FileFormatError';
  constructor(
    readonly file: string,
    problem: string,
    options?: ErrorOptions,
  ) {
    super(`${file}: ${problem}`, options);
  }
}

/** The user asked for something that cannot be meant (unknown option, bad value); exit code 2. */
export class UsageError extends FastWamError {
  override readonly name = 'UsageError';
}

/** An observation, a setting or a tensor given at run time does not fit the model. */
export class InputError extends FastWamError {
  override readonly name = 'InputError';
}

/** A picture of an observation cannot be acted on; the next one may be good. */
export class PictureRefused extends FastWamError {
  override readonly name = 'PictureRefused';

  constructor(
    readonly reason: 'undecodable' | 'frozen',
    readonly camera: string,
    problem: string,
    options?: ErrorOptions,
  ) {
    super(problem, options);
  }
}

/** A chunk was thrown away because its episode was reset while it was computed; it left no trace. */
export class ChunkDiscarded extends FastWamError {
  override readonly name = 'ChunkDiscarded';

  constructor(message = 'the episode was reset while this chunk was computed') {
    super(message);
  }
}

/** A chunk was dropped because its actions lie outside the limits and that was to be refused; it left no trace. */
export class OutsideLimits extends FastWamError {
  override readonly name = 'OutsideLimits';
}

/** An execution provider or a native library cannot start; the message says what to install. */
export class ProviderError extends FastWamError {
  override readonly name = 'ProviderError';
}

/** The work was stopped from outside before it was whole; the message says what is there and what is not. */
export class Interrupted extends FastWamError {
  override readonly name = 'Interrupted';

  constructor(
    message: string,
    /** of the process that ends by it: 130 after Ctrl-C */
    readonly exitCode: number,
  ) {
    super(message);
  }
}

/** The sentence of an unknown thrown value, one line: libraries write several, and quote what they read. */
export function messageOf(error: unknown): string {
  return plainText(error instanceof Error ? error.message : String(error)).trim();
}
