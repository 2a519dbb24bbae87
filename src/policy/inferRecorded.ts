import { dirname } from 'node:path';
import { fit } from '../cache/choice';
import type { PolicySettings } from '../cache/choice';
import { UsageError } from '../errors';
import { makeOutputFolder } from '../formats/outputFolder';
import type { ExecutionOptions } from '../model/execution';
import { RecordedInputs, writeChunks } from './recordedEpisode';
import { PolicyClient } from './PolicyClient';
import { modelFacts } from './modelFacts';
import type { ActionChunk } from './types';

export interface InferRecordedOptions {
  readonly bundle: string;
  readonly inputs: string;
  /** the bare task; may be left out where the inputs have a context */
  readonly instruction?: string | undefined;
  readonly settings: PolicySettings;
  readonly execution: ExecutionOptions;
  readonly out: string;
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
    const inputs = new RecordedInputs(options.inputs, client.bundle);
    const instruction = options.instruction ?? inputs.contextName;
    if (instruction === undefined) {
      throw new UsageError(
        `--instruction: name the task (or put its context [length, ${client.bundle.dimensions.textDim}] into ${options.inputs})`,
      );
    }
    const episode = await client.createEpisode();
    const chunks: ActionChunk[] = [];
    for (let i = 0; i < inputs.chunks; i++) {
      const noise = inputs.noise(i);
      const observation = inputs.observation(i, instruction);
      const recorded = { recordTrace: true, ...(noise ? { noise } : {}) };
      chunks.push(await episode.infer(observation, options.settings, recorded));
    }
    writeChunks(options.out, chunks, client.bundle.dimensions);
    return { chunks, notices };
  } finally {
    await client.close();
  }
}
