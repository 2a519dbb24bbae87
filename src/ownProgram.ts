import { extname, join } from 'node:path';

/**
 * A module of this program, to be run in a process or thread of its own: from compiled code it is a compiled file, from
 * TypeScript it goes through ts-node.
 * @param path folders and name without extension
 */
export function ownProgram(...path: readonly string[]): {
  readonly file: string;
  readonly execArgv: readonly string[];
} {
  const extension = extname(__filename);
  return {
    file: `${join(...path)}${extension}`,
    execArgv: extension === '.ts' ? ['-r', 'ts-node/register/transpile-only'] : [],
  };
}
