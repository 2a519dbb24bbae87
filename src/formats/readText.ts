import { FileFormatError } from '../errors';
import { RangedFile } from './RangedFile';

/**
 * The text of a small file that somebody else made: a regular file of at most `limit` bytes, UTF-8, a byte order mark
 * at its start left out.
 * @throws FileFormatError for anything else (a pipe, a device, a folder, a file too large, bytes that are no UTF-8)
 */
export function readText(path: string, limit: number): string {
  const bytes = RangedFile.reading(path, (file) => {
    if (file.size > limit) {
      throw new FileFormatError(path, `has ${file.size} bytes, expected a text of at most ${limit}`);
    }
    return file.read(0, file.size, 'the text');
  });
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new FileFormatError(path, 'is not a text: its bytes are not UTF-8', { cause: error });
  }
}
