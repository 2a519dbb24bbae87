import { readFileSync, statSync } from 'node:fs';
import { isAbsolute, join, normalize, basename } from 'node:path';
import { existsSync } from 'node:fs';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { FileFormatError, messageOf } from '../errors';
import { quoted } from '../formats/quoted';
import type { BagMetadata } from './types';

export const METADATA_FILE = 'metadata.yaml';
const MAX_BYTES = 2 ** 24;

const integer = z.union([z.bigint(), z.number().int()]).transform(Number);

/** The part of rosbag2's metadata.yaml (versions 1 to 9) that is used here. */
const schema = z.object({
  rosbag2_bagfile_information: z.object({
    version: integer,
    storage_identifier: z.string(),
    relative_file_paths: z.array(z.string()),
    message_count: integer.optional(),
    compression_format: z.string().nullish(),
    compression_mode: z.string().nullish(),
    ros_distro: z.string().nullish(),
    topics_with_message_count: z.array(z.object({ topic_metadata: z.unknown() })).catch([]),
  }),
});

/** Kept as text up to version 8, written out as a list since. */
const topicQos = z.object({
  name: z.string(),
  offered_qos_profiles: z.union([
    z.string(),
    z.array(z.unknown()).transform((profiles) => stringify(profiles)),
  ]),
});

/** A folder's metadata.yaml: the files in order, as existing paths, and what else is used of it. */
export interface FolderMetadata extends BagMetadata {
  readonly files: readonly string[];
}

function locate(folder: string, listed: string, metadataFile: string): string {
  const relative = normalize(listed);
  if (isAbsolute(relative) || relative.startsWith('..')) {
    throw new FileFormatError(
      metadataFile,
      `lists the file ${quoted(listed)} outside the recording's folder`,
    );
  }
  // The first versions wrote paths from the parent folder.
  const candidates = [join(folder, relative), join(folder, basename(relative))];
  const found = candidates.find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new FileFormatError(metadataFile, `lists the file ${quoted(listed)}, which is not in ${folder}`);
}

const MODES: ReadonlyMap<string, 'file' | 'message' | 'storage'> = new Map([
  ['FILE', 'file'],
  ['MESSAGE', 'message'],
  ['STORAGE', 'storage'],
]);

/**
 * Reads `metadata.yaml` of a recording's folder.
 * @throws FileFormatError where it is not what rosbag2 writes, or a listed file is missing or elsewhere.
 */
export function readFolderMetadata(folder: string): FolderMetadata {
  const path = join(folder, METADATA_FILE);
  let content: unknown;
  try {
    if (statSync(path).size > MAX_BYTES) throw new Error('it is too large');
    content = parse(readFileSync(path, 'utf8'), { intAsBigInt: true, maxAliasCount: 0 });
  } catch (error) {
    throw new FileFormatError(path, `cannot be read: ${messageOf(error)}`, { cause: error });
  }
  const result = schema.safeParse(content);
  if (!result.success) {
    const [issue] = result.error.issues;
    const where = issue === undefined ? '' : `${issue.path.map(String).join('.')}: ${issue.message}`;
    throw new FileFormatError(path, `is not a rosbag2 metadata file: ${where}`, { cause: result.error });
  }
  const info = result.data.rosbag2_bagfile_information;
  const mode = MODES.get((info.compression_mode ?? '').toUpperCase());
  return {
    version: info.version,
    files: info.relative_file_paths.map((listed) => locate(folder, listed, path)),
    offeredQos: new Map(
      info.topics_with_message_count.flatMap(({ topic_metadata: topic }): [string, string][] => {
        const { data } = topicQos.safeParse(topic);
        return data === undefined || data.offered_qos_profiles.trim() === ''
          ? []
          : [[data.name, data.offered_qos_profiles]];
      }),
    ),
    ...(info.ros_distro && { rosDistro: info.ros_distro }),
    ...(info.message_count !== undefined && { messageCount: info.message_count }),
    ...(mode !== undefined && { compression: { format: info.compression_format ?? '', mode } }),
  };
}
