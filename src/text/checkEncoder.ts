import type { Bundle } from '../bundle/Bundle';
import { UsageError } from '../errors';
import type { PromptEncoder } from './PromptEncoder';

/** What a bundle expects of a text encoder. */
export interface ExpectedEncoder {
  /** folder of the bundle, for messages */
  readonly bundle: string;
  readonly textDim: number;
  /** of the encoder that made its contexts, where it is recorded */
  readonly fingerprint?: string;
}

export function expectedEncoder({
  folder,
  dimensions,
  manifest,
}: Pick<Bundle, 'folder' | 'dimensions' | 'manifest'>): ExpectedEncoder {
  const fingerprint = manifest.text?.encoder;
  return { bundle: folder, textDim: dimensions.textDim, ...(fingerprint !== undefined && { fingerprint }) };
}

/**
 * Refuses an encoder that does not make what a bundle takes.
 * @throws UsageError in words that say which to take
 */
export function checkEncoder(
  encoder: PromptEncoder,
  { bundle, textDim, fingerprint }: ExpectedEncoder,
): void {
  const { weights } = encoder.files;
  if (encoder.dimensions.dim !== textDim) {
    throw new UsageError(
      `${weights} makes contexts of ${encoder.dimensions.dim} values a token, but ${bundle} takes ${textDim}; it is the encoder of another model`,
    );
  }
  if (fingerprint !== undefined && fingerprint !== encoder.fingerprint) {
    throw new UsageError(
      `${weights} is not the encoder that made the contexts of ${bundle} (${fingerprint.slice(0, 8)}, this is ${encoder.fingerprint.slice(0, 8)}); take that one, or export the bundle again`,
    );
  }
}
