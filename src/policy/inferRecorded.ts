import { dirname } from 'node:path';
import { fit } from '../cache/choice';
import type { PolicySettings } from '../cache/choice';
import { UsageError } from '../errors';
import { makeOutputFolder } from '../formats/outputFolder';
import { MEASURED_DELAY } from '../settings/rtc';
import type { RtcFlag } from '../settings/rtc';
import type { ExecutionOptions } from '../model/execution';
import { RecordedInputs, writeChunks } from './recordedEpisode';
import { InferenceDelay } from './InferenceDelay';
import { PolicyClient } from './PolicyClient';
import { modelFacts } from './modelFacts';
import type { Bundle } from '../bundle/Bundle';
import type { ActionChunk, Observation } from './types';

/** One observation of an episode, with the starting noise [T, a] where the recording has it. */
export interface RecordedChunk {
  readonly observation: Observation;
  readonly noise?: Float32Array;
}

export interface InferRecordedOptions {
  readonly bundle: string;
  /** a safetensors file as {@link RecordedInputs} reads it, or the observations of one episode */
  readonly inputs: string | readonly RecordedChunk[];
  /** the bare task; may be left out where the inputs have a context */
  readonly instruction?: string | undefined;
  readonly settings: PolicySettings;
  readonly execution: ExecutionOptions;
  readonly out: string;
  /** real-time chunking; absent: none */
  readonly rtc?: RtcFlag;
}

/**
 * Runs one recorded episode through the policy and writes its chunks.
 * @throws UsageError, before the model is loaded, where nothing can be written; FileFormatError, InputError, ProviderError
 */
export async function inferRecorded(
  options: InferRecordedOptions,
): Promise<{ chunks: ActionChunk[]; notices: string[] }> {
  makeOutputFolder(dirname(options.out));
  const client = await PolicyClient.load(options.bundle, { execution: options.execution });
  try {
    const notices = [...client.loaded.notices];
    const { warning } = fit(options.settings, modelFacts(client.bundle));
    if (warning) notices.push(warning);
    if (options.rtc?.settings.inference_delay === MEASURED_DELAY) {
      notices.push(
        'rtc: the inference delay is measured, so a second run may give other numbers; name it to fix it (--rtc inference_delay=3)',
      );
    }
    const inputs =
      typeof options.inputs === 'string'
        ? chunksOfFile(options.inputs, options.instruction, client.bundle)
        : options.inputs;
    const episode = await client.createEpisode();
    const chunks: ActionChunk[] = [];
    const period = 1 / client.bundle.manifest.control.rate;
    const delay = new InferenceDelay();
    for (const { observation, noise } of inputs) {
      const measuredDelay = delay.steps(period);
      const rtc = options.rtc && {
        ...options.rtc,
        ...(measuredDelay === undefined ? {} : { measuredDelay }),
      };
      const chunk = await episode.infer(observation, options.settings, {
        recordTrace: true,
        ...(noise && { noise }),
        ...(rtc && { rtc }),
      });
      delay.add(chunk.times.total);
      chunks.push(chunk);
    }
    writeChunks(options.out, chunks, client.bundle.dimensions);
    return { chunks, notices };
  } finally {
    await client.close();
  }
}

/**
 * The observations of a safetensors file, see {@link RecordedInputs}.
 * @throws UsageError where neither `givenTask` nor the file tells the task; FileFormatError, InputError
 */
export function* chunksOfFile(
  path: string,
  givenTask: string | undefined,
  bundle: Bundle,
): Generator<RecordedChunk, void, void> {
  const inputs = new RecordedInputs(path, bundle);
  const instruction = givenTask ?? inputs.contextName;
  if (instruction === undefined) {
    throw new UsageError(
      `--instruction: name the task (or put its context [length, ${bundle.dimensions.textDim}] into ${path})`,
    );
  }
  for (let i = 0; i < inputs.chunks; i++) {
    const noise = inputs.noise(i);
    yield { observation: inputs.observation(i, instruction), ...(noise && { noise }) };
  }
}
