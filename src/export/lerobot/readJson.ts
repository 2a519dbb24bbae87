import type { z } from 'zod';
import { FileFormatError, messageOf } from '../../errors';
import { RangedFile } from '../../formats/RangedFile';

const LARGEST_JSON = 16 * 2 ** 20;

/** Reads and checks a JSON file. @throws FileFormatError naming the file and the key */
export function readJson<T>(path: string, schema: z.ZodType<T>): T {
  const text = RangedFile.reading(path, (file) => {
    if (file.size > LARGEST_JSON) {
      throw new FileFormatError(path, `has ${file.size} bytes, expected at most ${LARGEST_JSON}`);
    }
    return file.read(0, file.size, 'the JSON').toString('utf8');
  });
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw new FileFormatError(path, `is not JSON: ${messageOf(error)}`, { cause: error });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const steps = issue?.path ?? [];
  const key = steps.map(String).join('.') || 'the document';
  const found = steps.reduce<unknown>(memberOf, value);
  throw new FileFormatError(
    path,
    found === undefined ? `lacks ${key}` : `${key}: ${issue?.message ?? 'is not as expected'}`,
  );
}

function memberOf(value: unknown, key: PropertyKey): unknown {
  return typeof value === 'object' && value !== null
    ? (value as Record<PropertyKey, unknown>)[key]
    : undefined;
}
