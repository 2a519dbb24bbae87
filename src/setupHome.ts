import { resolve, sep } from 'node:path';

/**
 * Where the set-ups keep what they made (`.cuda`, `.ros`): the folder of this project, or, where it is installed as a
 * package, the folder of the project that it is installed in. A package's own folder is emptied by the next install.
 */
export function setupHome(root = resolve(__dirname, '..')): string {
  const installed = root.indexOf(`${sep}node_modules${sep}`);
  return installed < 0 ? root : root.slice(0, installed);
}
