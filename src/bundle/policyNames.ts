/*
 * A Fast-WAM's tensors have had many names: the original's, three layouts of LeRobot's policy, and whatever training
 * code puts around them. Here every one of them becomes the original's.
 */

/** What training code puts into names, anywhere in them: torch.compile, FSDP, activation checkpoints, DDP. */
const WRAPPERS = ['_orig_mod', '_fsdp_wrapped_module', '_checkpoint_wrapped_module', 'module'];

/** First parts of a Fast-WAM's names in any layout; what stands before them is a wrapper. */
const ROOTS = ['mot', 'dit', 'mixtures', 'action_expert', 'video_expert', 'proprio_encoder'];

/** State of the training itself, which may repeat the names of the tensors that it belongs to. */
const TRAINING_STATE = /^(optim|opt_|lr_sched|sched|grad|scaler|rng|random|callbacks|loops|amp)/;

/** A moving average of the weights, by any of its names. */
const AVERAGED = /^(ema|.*_ema|ema_.*|averaged.*|shadow.*)$/;

/** The layouts, by their description for people. */
export const LAYOUTS = {
  original: 'the original’s names',
  lerobot: 'LeRobot’s names (mot.layers.<i>.blocks.<expert>)',
  experts: 'names of LeRobot’s first branch (action_expert, dit.mixtures.video)',
} as const;
export type PolicyLayout = keyof typeof LAYOUTS;

export interface PolicyName {
  /** the original's: `mixtures.<expert>.…` or `proprio_encoder.…` */
  readonly name: string;
  readonly layout: PolicyLayout;
  /** what stood before it, with its last dot; may be empty */
  readonly prefix: string;
  /** wrappers inside it that were left out */
  readonly inner: readonly string[];
  /** the prefix says that it is a moving average */
  readonly averaged: boolean;
}

/** Reads the name of a Fast-WAM's tensor in any layout; undefined for everything else. */
export function policyName(raw: string): PolicyName | undefined {
  const parts = raw.split('.');
  const root = parts.findIndex((part) => ROOTS.includes(part));
  if (root < 0 || TRAINING_STATE.test(raw)) return undefined;
  const rest = parts.slice(root).filter((part) => !WRAPPERS.includes(part));
  const inner = parts.slice(root).filter((part) => WRAPPERS.includes(part));
  const original = originalName(rest);
  if (original === undefined) return undefined;
  const before = parts.slice(0, root);
  return {
    ...original,
    prefix: before.map((part) => `${part}.`).join(''),
    inner,
    averaged: before.some((part) => AVERAGED.test(part)),
  };
}

const EXPERT_NAMES: readonly string[] = ['video', 'action'];

function originalName(parts: readonly string[]): Pick<PolicyName, 'name' | 'layout'> | undefined {
  const [first = '', ...rest] = parts;
  if (first === 'mot' || first === 'dit') {
    const [layers, index, blocks, expert, ...tail] = rest;
    if (layers === 'layers' && index !== undefined && blocks === 'blocks' && isExpert(expert)) {
      return { name: ['mixtures', expert, 'blocks', index, ...tail].join('.'), layout: 'lerobot' };
    }
    // The module's own name may be repeated by the dictionary that holds it.
    const inside = originalName(rest);
    return inside && first === 'dit' ? { ...inside, layout: 'experts' } : inside;
  }
  if (first === 'mixtures' && isExpert(rest[0])) return { name: parts.join('.'), layout: 'original' };
  if (first === 'action_expert' || first === 'video_expert') {
    return { name: ['mixtures', first.replace('_expert', ''), ...rest].join('.'), layout: 'experts' };
  }
  if (first === 'proprio_encoder') return { name: parts.join('.'), layout: 'original' };
  return undefined;
}

function isExpert(part: string | undefined): part is string {
  return part !== undefined && EXPERT_NAMES.includes(part);
}

/** The reverse of `policyName` for a layout of LeRobot's, for files that it can load; the prefix is `model.`. */
export function lerobotName(name: string): string {
  const [, expert, index, rest] = /^mixtures\.(video|action)\.blocks\.(\d+)\.(.*)$/.exec(name) ?? [];
  if (rest !== undefined) return `model.mot.layers.${index}.blocks.${expert}.${rest}`;
  return name.startsWith('mixtures.') ? `model.mot.${name}` : `model.${name}`;
}
