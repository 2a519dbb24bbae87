import { existsSync } from 'node:fs';
import { isAbsolute, join, normalize, basename } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import { FileFormatError } from '../errors';
import { readYaml, yamlValue } from '../formats/readYaml';
import { quoted } from '../words/quoted';
import type { BagMetadata } from './types';

export const METADATA_FILE = 'metadata.yaml';
/** Of a recording with thousands of topics and splits. */
const MAX_BYTES = 2 ** 22;

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
  /** listed files that are not there, one line each */
  readonly missing: readonly string[];
}

/**
 * Where a listed file is: in the folder, under its path or under its name alone. The first versions wrote paths from
 * the parent folder, other tools absolute ones of the machine that recorded. Nothing outside the folder is read.
 */
function locate(folder: string, listed: string): string | undefined {
  const relative = normalize(listed);
  const inside = !isAbsolute(relative) && !relative.startsWith('..');
  const candidates = [...(inside ? [join(folder, relative)] : []), join(folder, basename(relative))];
  return candidates.find((path) => existsSync(path));
}

const MODES: ReadonlyMap<string, 'file' | 'message' | 'storage'> = new Map([
  ['FILE', 'file'],
  ['MESSAGE', 'message'],
  ['STORAGE', 'storage'],
]);

/**
 * Reads `metadata.yaml` of a recording's folder.
 * @throws FileFormatError where it is not what rosbag2 writes.
 */
export function readFolderMetadata(folder: string): FolderMetadata {
  const path = join(folder, METADATA_FILE);
  const content = yamlValue(readYaml(path, { bytes: MAX_BYTES, bigIntegers: true }), path);
  const result = schema.safeParse(content);
  if (!result.success) {
    const [issue] = result.error.issues;
    const where =
      issue === undefined ? '' : `${issue.path.map(String).join('.') || 'the document'}: ${issue.message}`;
    throw new FileFormatError(path, `is not a rosbag2 metadata file: ${where}`, { cause: result.error });
  }
  const info = result.data.rosbag2_bagfile_information;
  const mode = MODES.get((info.compression_mode ?? '').toUpperCase());
  const listed = [...new Set(info.relative_file_paths)];
  const found = listed.map((name) => ({ name, file: locate(folder, name) }));
  return {
    version: info.version,
    files: [...new Set(found.flatMap(({ file }) => file ?? []))],
    missing: found.flatMap(({ name, file }) =>
      file === undefined ? [`${path}: lists the file ${quoted(name)}, which is not in ${folder}`] : [],
    ),
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
