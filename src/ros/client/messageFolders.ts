import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { MessageFolders } from '../../bag/definitionText';
import { FastWamError, messageOf } from '../../errors';

/** Where the sourced ROS 2 environment has the definitions of its message types: the first on the path wins. */
export function sourcedMessageFolders(environment: NodeJS.ProcessEnv = process.env): MessageFolders {
  const folders: Record<string, string> = {};
  for (const prefix of (environment['AMENT_PREFIX_PATH'] ?? '').split(delimiter)) {
    const share = join(prefix, 'share');
    if (prefix === '' || !existsSync(share)) continue;
    try {
      for (const name of readdirSync(share)) {
        const folder = join(share, name, 'msg');
        if (!(name in folders) && existsSync(folder)) folders[name] = folder;
      }
    } catch (error) {
      throw new FastWamError(`${share} cannot be listed: ${messageOf(error)}`, { cause: error });
    }
  }
  return folders;
}
