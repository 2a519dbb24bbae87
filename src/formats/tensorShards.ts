import { dirname, join } from 'node:path';
import { FileFormatError } from '../errors';
import { quoted } from '../words/quoted';
import { readJson } from './readJson';

const LARGEST_INDEX = { bytes: 64 * 2 ** 20, elements: 1_000_000 };

/** The index of a checkpoint in several files, as Hugging Face writes it beside them. */
export interface ShardIndex {
  /** paths of the shards, in the order in which the index first names them */
  readonly files: readonly string[];
  /** the shard of each tensor */
  readonly fileOf: ReadonlyMap<string, string>;
}

/** Whether a path is that of an index. */
export function isShardIndex(path: string): boolean {
  return path.endsWith('.index.json');
}

/**
 * Reads `<name>.safetensors.index.json` (or `.bin.index.json`): `{"weight_map": {"<tensor>": "<file>"}}`.
 * @throws FileFormatError where it is not such a file, or names a file outside its own folder
 */
export function readShardIndex(path: string): ShardIndex {
  const json = readJson(path, LARGEST_INDEX);
  const map = (json as { weight_map?: unknown } | null)?.weight_map;
  if (typeof map !== 'object' || map === null || Array.isArray(map)) {
    throw new FileFormatError(path, 'lacks "weight_map", which says in which file each tensor lies');
  }
  const fileOf = new Map<string, string>();
  for (const [tensor, file] of Object.entries(map)) {
    if (typeof file !== 'string' || file === '' || /[/\\]|^\.\.?$/.test(file)) {
      throw new FileFormatError(
        path,
        `weight_map names ${quoted(String(file))} for tensor ${quoted(tensor)}, expected the name of a file beside the index`,
      );
    }
    fileOf.set(tensor, join(dirname(path), file));
  }
  if (fileOf.size === 0) throw new FileFormatError(path, 'names no tensors in "weight_map"');
  return { files: [...new Set(fileOf.values())], fileOf };
}
