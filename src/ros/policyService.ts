import type { Bundle } from '../bundle/Bundle';
import type { EpisodeHandle } from '../policy/PolicyClient';
import { PolicyClient } from '../policy/PolicyClient';
import type { ExecutionOptions } from '../model/execution';

/** What the node needs of a bundle. */
export type PolicyBundle = Pick<Bundle, 'manifest' | 'knows' | 'folder'>;

/** What the node needs of a loaded policy: inference runs elsewhere, and no call blocks. */
export interface PolicyService {
  readonly bundle: PolicyBundle;
  /** what a user should know of the way it was loaded, one line each */
  readonly notices: readonly string[];
  createEpisode(): Promise<EpisodeHandle>;
  close(): Promise<void>;
}

export type LoadPolicy = (folder: string, execution: ExecutionOptions) => Promise<PolicyService>;

/** The policy of a bundle, in a worker thread. */
export const loadPolicy: LoadPolicy = async (folder, execution) => {
  const client = await PolicyClient.load(folder, { execution });
  const { loaded } = client;
  const notices = [...loaded.notices];
  return {
    bundle: client.bundle,
    notices,
    createEpisode: () => client.createEpisode(),
    close: () => client.close(),
  };
};

/** The sentence for a task that the bundle has no text context for. */
export function unknownInstruction({ manifest }: PolicyBundle, instruction: string): string {
  const known = manifest.instructions.map((text) => `"${text}"`).join(', ');
  return `unknown instruction ${JSON.stringify(instruction)}; ${known ? `the bundle knows ${known}` : 'the bundle lists none'}`;
}
