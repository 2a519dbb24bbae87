import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { UsageError } from '../errors';
import { quoted } from '../words/quoted';

/** Folders with `<Name>.msg` by ROS package, for types that are not part of ROS 2's common interfaces. */
export type MessageFolders = Readonly<Record<string, string>>;

const SEPARATOR = '='.repeat(80);

const PRIMITIVES: ReadonlySet<string> = new Set(
  'bool byte char float32 float64 int8 uint8 int16 uint16 int32 uint32 int64 uint64 string wstring'.split(
    ' ',
  ),
);

/** The .msg files that come with the definitions library, those of ROS 2 Jazzy. */
function commonInterfaces(): string {
  return join(dirname(require.resolve('@foxglove/rosmsg-msgs-common')), '..', 'msgdefs', 'ros2jazzy');
}

/** `sensor_msgs/Image` of `sensor_msgs/msg/Image` */
function parts(type: string): { readonly pkg: string; readonly name: string } {
  const [pkg, ...rest] = type.split('/');
  const name = rest[rest.length - 1];
  if (pkg === undefined || name === undefined || !/^\w+$/.test(pkg) || !/^\w+$/.test(name)) {
    throw new UsageError(`${quoted(type)} is not a message type; expected package/msg/Name`);
  }
  return { pkg, name };
}

/** The text of one type alone. */
function ownText(type: string, folders: MessageFolders): string {
  const { pkg, name } = parts(type);
  const path = join(folders[pkg] ?? join(commonInterfaces(), pkg, 'msg'), `${name}.msg`);
  if (!existsSync(path))
    throw new UsageError(`there is no definition of the message type ${quoted(type)} (${path})`);
  // Files of the library have the types they need appended.
  const [text = ''] = readFileSync(path, 'utf8').split(/^=+$/m);
  return text.trimEnd() + '\n';
}

/** Types that a definition refers to, with their package. */
function references(text: string, pkg: string): string[] {
  return text.split('\n').flatMap((line) => {
    const [type] = line.replace(/#.*/, '').trim().split(/\s+/);
    const base = type?.replace(/\[.*$|<=.*$/g, '') ?? '';
    if (base === '' || PRIMITIVES.has(base)) return [];
    // The parser's old spelling of the header type.
    if (base === 'Header') return ['std_msgs/Header'];
    return [base.includes('/') ? base.replace('/msg/', '/') : `${pkg}/${base}`];
  });
}

/**
 * The definition of a message type with all types it needs appended, in the form that rosbag2 stores (`ros2msg`).
 * @throws UsageError for types nobody has a .msg file for.
 */
export function definitionText(type: string, folders: MessageFolders = {}): string {
  const { pkg, name } = parts(type);
  const root = ownText(type, folders);
  const sections = [root];
  const seen = new Set([`${pkg}/${name}`]);
  const pending = references(root, pkg);
  for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
    if (seen.has(next)) continue;
    seen.add(next);
    const text = ownText(next, folders);
    sections.push(`${SEPARATOR}\nMSG: ${next}\n${text}`);
    pending.push(...references(text, parts(next).pkg));
  }
  return sections.join('\n');
}
