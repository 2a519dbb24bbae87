import type { Bundle } from '../../bundle/Bundle';
import type { Choice } from '../../cache/choice';
import type { EpisodeHandle } from '../../policy/PolicyClient';
import { PolicyClient } from '../../policy/PolicyClient';
import type { ExecutionOptions } from '../../model/execution';

/** What the node needs of a bundle. */
export type PolicyBundle = Pick<
  Bundle,
  'manifest' | 'knows' | 'folder' | 'dimensions' | 'prompt' | 'cleaning'
>;

/** What the node needs of a loaded policy: inference runs elsewhere, and no call blocks. */
export interface PolicyService {
  readonly bundle: PolicyBundle;
  /** what a user should know of the way it was loaded, one line each */
  readonly notices: readonly string[];
  /** Whether what is loaded serves these settings. */
  serves(choice: Choice): boolean;
  /** Loads what these settings need; @returns seconds */
  prepare(choice: Choice): Promise<number>;
  createEpisode(): Promise<EpisodeHandle>;
  /** Takes the context of a task, [n, text dim]; the bundle knows the task from then on. */
  learn(task: string, rows: Float32Array): Promise<void>;
  close(): Promise<void>;
}

/** @param choice what the policy begins with */
export type LoadPolicy = (
  folder: string,
  execution: ExecutionOptions,
  choice: Choice,
) => Promise<PolicyService>;

/** The policy of a bundle, in a worker thread. */
export const loadPolicy: LoadPolicy = async (folder, execution, choice) => {
  const client = await PolicyClient.load(folder, { execution, choice });
  const { loaded } = client;
  const notices = [...loaded.notices];
  return {
    bundle: client.bundle,
    notices,
    serves: (wanted) => client.serves(wanted),
    prepare: (wanted) => client.prepare(wanted),
    createEpisode: () => client.createEpisode(),
    learn: (task, rows) => client.learn(task, rows),
    close: () => client.close(),
  };
};

/** Instructions that are named in a sentence; the rest is counted. */
const NAMED = 5;

/** The instructions that a bundle knows, as part of a sentence; empty if it lists none. */
export function knownInstructions({ manifest: { instructions } }: PolicyBundle): string {
  const named = instructions.slice(0, NAMED).map((task) => JSON.stringify(task));
  const more =
    instructions.length > NAMED ? ` and ${instructions.length - NAMED} more (fastwam info lists them)` : '';
  return named.length === 0 ? '' : `the bundle knows ${named.join(', ')}${more}`;
}

/** The task of a bundle that knows only one; empty where there is a choice. */
export function onlyInstruction({ manifest: { instructions } }: PolicyBundle): string {
  return instructions.length === 1 ? (instructions[0] ?? '') : '';
}

/** The sentence for a task that the bundle has no text context for. */
export function unknownInstruction(bundle: PolicyBundle, instruction: string): string {
  const known = knownInstructions(bundle) || 'the bundle lists none';
  return `unknown instruction ${JSON.stringify(instruction)}; ${known}; to have it encoded, set text_encoder.path to a UMT5 encoder, or add it with fastwam encode`;
}
