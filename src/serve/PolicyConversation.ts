import type { Bundle } from '../bundle/Bundle';
import { InputError } from '../errors';
import { modelFacts } from '../policy/modelFacts';
import type { EpisodeHandle } from '../policy/PolicyClient';
import type { ActionChunk, InferOptions, StageTimes } from '../policy/types';
import type { ParameterValues } from '../settings/parameterValues';
import { ConnectionSettings } from './ConnectionSettings';
import type { Conversation } from './Conversation';
import type { WireMap, WireValue } from './message';
import { NdArray } from './NdArray';
import { expectedKeys, readObservation } from './observationKeys';
import type { ObservationKeys } from './observationKeys';

/** A client is told so many of the tasks that a bundle knows. */
const TOLD_INSTRUCTIONS = 200;

export interface PolicyConversationOptions {
  readonly bundle: Pick<Bundle, 'folder' | 'manifest' | 'dimensions'>;
  readonly keys: ObservationKeys;
  /** what the chunks of a client that sets nothing are computed with */
  readonly settings: ParameterValues;
  readonly infer: InferOptions;
  readonly episode: EpisodeHandle;
  /** version of this program */
  readonly version: string;
}

/**
 * A client that asks for action chunks, one at a time. A message has an observation; or settings of the cache, or
 * `reset`, which starts a new episode; or all of these, which then take effect before the observation is acted on.
 */
export class PolicyConversation implements Conversation {
  readonly #options: PolicyConversationOptions;
  readonly #settings: ConnectionSettings;
  readonly #began = performance.now();
  #previous: number | undefined;

  constructor(options: PolicyConversationOptions) {
    this.#options = options;
    this.#settings = new ConnectionSettings(options.settings, modelFacts(options.bundle));
  }

  get greeting(): WireMap {
    const { bundle, keys, version } = this.#options;
    const { name, weights, control, actions, instructions } = bundle.manifest;
    return {
      server: 'fast_wam_policy',
      version,
      bundle: name,
      weights: weights.policy.fingerprint,
      action_horizon: bundle.dimensions.horizon,
      action_dim: bundle.dimensions.actionDim,
      action_names: actions.items.map((item) => item.name),
      action_units: actions.items.map(({ unit }) => unit),
      replan_steps: control.replan_steps,
      control_rate: control.rate,
      observation: {
        cameras: Object.fromEntries(keys.cameras.map((camera) => [camera.name, camera.key])),
        state: keys.state.map(({ key, names }) => ({ key, names: names ?? [] })),
        prompt: keys.prompt[0] ?? '',
      },
      instructions: instructions.slice(0, TOLD_INSTRUCTIONS),
      settings: this.#settings.name,
    };
  }

  async answer(message: WireMap): Promise<WireMap> {
    const started = performance.now();
    const { settings, rest } = ConnectionSettings.take(message);
    const { reset = false, ...fields } = rest;
    if (typeof reset !== 'boolean') throw new InputError('reset: expected true or false');
    const { keys, episode, infer } = this.#options;
    const observes = Object.keys(fields).length > 0;
    if (!observes && !reset && settings.size === 0) {
      throw new InputError(`the message is empty; an observation has ${expectedKeys(keys).join(', ')}`);
    }
    // All of the message is looked at before any of it takes effect.
    const changes = this.#settings.check(settings);
    const observation = observes ? readObservation(fields, keys, (started - this.#began) / 1000) : undefined;
    this.#settings.apply(changes);
    if (reset) await episode.reset();
    if (!observation) return { settings: this.#settings.name, reset, ...this.#warning(settings.size > 0) };

    const asked = performance.now();
    const chunk = await episode.infer(observation, this.#settings.current, infer);
    const inferred = performance.now();
    const timing = {
      infer_ms: inferred - asked,
      ...(this.#previous !== undefined && { prev_total_ms: this.#previous }),
    };
    const reply = { ...this.#chunkFields(chunk), server_timing: timing, ...this.#warning(settings.size > 0) };
    this.#previous = performance.now() - started;
    return reply;
  }

  async close(): Promise<void> {
    await this.#options.episode.close();
  }

  /** openpi's action brokers cut every array of a reply along the horizon: only the actions are one. */
  #chunkFields({ actions, report, times, episode, chunk, clamped, still }: ActionChunk): WireMap {
    const { horizon, actionDim } = this.#options.bundle.dimensions;
    return {
      actions: NdArray.ofFloats([horizon, actionDim], actions),
      episode,
      chunk,
      clamped,
      notices: still.map(({ message }) => message),
      cache: {
        policy: report.policy,
        refreshed: report.refreshed,
        reason: report.reason,
        full_steps: report.fullSteps,
        reused_steps: report.reusedSteps,
        stack_evaluations: report.stackEvaluations,
      },
      policy_timing: milliseconds(times),
    };
  }

  #warning(includeWarning: boolean): WireMap {
    const warning = includeWarning ? this.#settings.warning : undefined;
    return warning === undefined ? {} : { warning };
  }
}

function milliseconds({ decode, vae, prefill, expert, total }: StageTimes): Record<string, WireValue> {
  return {
    decode_ms: 1000 * decode,
    vae_ms: 1000 * vae,
    prefill_ms: 1000 * prefill,
    expert_ms: 1000 * expert,
    infer_ms: 1000 * total,
  };
}
