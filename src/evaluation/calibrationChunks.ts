import { sampleBag } from '../bag/observations';
import { openBag } from '../bag/openBag';
import type { BagReader } from '../bag/types';
import type { Bundle } from '../bundle/Bundle';
import { FileFormatError, Interrupted, UsageError } from '../errors';
import { chunksOfFile } from '../policy/inferRecorded';
import type { RecordedChunk } from '../policy/inferRecorded';
import { farFromTraining } from '../policy/farFromTraining';
import { modelFacts } from '../policy/modelFacts';
import { fitMapping } from '../settings/mapping';
import { number, observationLimits } from '../settings/parameterValues';
import { actionLayout } from './EngineRunner';
import { reasonLines } from './reasons';
import { recordedObservations } from './recordedObservations';
import { readRunParameters, useModel } from './runParameters';
import type { Warning } from './types';

/** One observation to calibrate with. */
export interface CalibrationChunk extends RecordedChunk {
  /** number of its episode, from 0: caches start empty with each */
  readonly episode: number;
}

/** Where observations to calibrate with come from. */
export interface CalibrationSource {
  /** rosbag2 recordings, read with the topics of `params` */
  readonly bags: readonly string[];
  readonly params?: string;
  /** a safetensors file as `fastwam infer` takes it */
  readonly inputs?: string;
  /** the bare task; recordings may say it themselves */
  readonly instruction?: string;
  /** stop after so many chunks */
  readonly limit?: number;
  /** told what of a recording could not be used, one line for each reason */
  readonly onWarning?: (message: string) => void;
  /** ends the reading between two chunks */
  readonly signal?: AbortSignal;
}

/**
 * The observations of a source, one after another: what a recording holds need not fit into memory.
 * @throws UsageError where the source is not said, or said twice; Interrupted where it is stopped
 */
export async function* calibrationChunks(
  source: CalibrationSource,
  bundle: Bundle,
): AsyncGenerator<CalibrationChunk, void, void> {
  const { bags, inputs } = source;
  if ((inputs === undefined) === (bags.length === 0)) {
    throw new UsageError('give recordings with --params FILE, or --inputs FILE.safetensors (one of them)');
  }
  let left = source.limit ?? Infinity;
  const chunks = inputs === undefined ? bagChunks(source, bundle) : inputChunks(source, inputs, bundle);
  for await (const chunk of chunks) {
    if (source.signal?.aborted) throw new Interrupted('nothing was calibrated', 130);
    if (left-- <= 0) return;
    yield chunk;
  }
}

// eslint-disable-next-line @typescript-eslint/require-await -- read at once, but of one type with recordings
async function* inputChunks(
  { instruction }: CalibrationSource,
  path: string,
  bundle: Bundle,
): AsyncGenerator<CalibrationChunk, void, void> {
  if (instruction === undefined) throw new UsageError('--inputs needs --instruction TEXT, the bare task');
  for (const chunk of chunksOfFile(path, instruction, bundle)) yield { episode: 0, ...chunk };
}

async function* bagChunks(
  { bags, params, instruction, onWarning, signal }: CalibrationSource,
  bundle: Bundle,
): AsyncGenerator<CalibrationChunk, void, void> {
  if (params === undefined) throw new UsageError('recordings need --params FILE, which names their topics');
  const parameters = readRunParameters(params);
  for (const warning of parameters.warnings) onWarning?.(warning);
  const own = actionLayout(bundle);
  useModel(parameters, modelFacts(bundle));
  const { set } = parameters;
  const { mapping, warnings: unlikely } = fitMapping(parameters.mapping, bundle.manifest);
  for (const warning of unlikely) onWarning?.(warning);
  const { values } = set;
  const { horizon } = own;
  let episodes = 0;
  let unopened = 0;
  for (const path of bags) {
    let bag: BagReader;
    try {
      bag = await openBag(path, signal && { signal });
    } catch (error) {
      // One recording that cannot be read does not take the others with it.
      unopened += 1;
      if (!(error instanceof FileFormatError) || unopened === bags.length) throw error;
      onWarning?.(error.message);
      continue;
    }
    const warnings: Warning[] = [];
    let reading: { readonly warnings: readonly string[] } = bag;
    try {
      const sampler = sampleBag(bag, mapping, {
        period: 1 / number(values, 'control.rate'),
        replanSteps: number(values, 'control.replan_steps'),
        horizon,
        limits: observationLimits(values),
        plausibility: farFromTraining(bundle),
      });
      reading = sampler;
      let last = -1;
      const observations = recordedObservations(sampler, {
        horizon,
        actionDim: own.names.length,
        tasks: bundle,
        maxFrozen: number(values, 'observation.max_frozen'),
        onWarning: (warning) => warnings.push(warning),
        ...(instruction !== undefined && { instruction }),
      });
      for await (const { facts, observation } of observations) {
        last = facts.episode;
        yield { episode: episodes + facts.episode, observation };
      }
      episodes += last + 1;
    } finally {
      const recording = reading.warnings.map((message): Warning => ({ kind: 'recording', message }));
      for (const line of reasonLines([...warnings, ...recording])) onWarning?.(`${path}: ${line}`);
      await bag.close();
    }
  }
}
