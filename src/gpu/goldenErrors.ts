import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Bundle } from '../bundle/Bundle';
import { UNMOVED } from '../cache/adaptive';
import { UNCACHED, readChoices } from '../cache/choice';
import type { Choice, Settings } from '../cache/choice';
import { policyNamed } from '../cache/registry';
import { relativeDistance } from '../cache/matrix';
import { messageOf } from '../errors';
import { exportBundle } from '../export/exportBundle';
import { readFloat32 } from '../formats/readTensor';
import { openSafetensors } from '../formats/safetensors';
import type { TensorFile } from '../formats/StoredTensor';
import { DEFAULT_EXECUTION } from '../model/execution';
import type { ExecutionOptions } from '../model/execution';
import { FastWamModel } from '../model/FastWamModel';
import type { Precision, Provider } from '../model/precisions';
import { CalibrationFile } from '../policy/CalibrationFile';
import { CalibrationRecorder } from '../policy/CalibrationRecorder';
import { Episode } from '../policy/Episode';
import { RecordedInputs } from '../policy/recordedEpisode';
import type { ActionChunk } from '../policy/types';
import { TemporaryFolder } from '../TemporaryFolder';
import type { GoldenError } from './types';

/** Small models whose actions the original PyTorch code computed in float32; they come with a checkout. */
const GOLDEN_FOLDER = resolve(__dirname, '..', '..', 'test', 'fixtures');

/** One with heads that no attention kernel with rotation takes, and one with heads that it does. */
const CASES = ['libero_micro', join('other_sizes', 'short_horizon')];

const SAMPLER = { noise: 'fixed', seed: 42 } as const;

/** What the actions may be off by: float32 in another order; 16-bit floats, which may also decide otherwise. */
const LIMITS: Readonly<Record<Precision, number>> = { fp32: 1e-4, bf16: 0.1, fp16: 0.02, int8: 0.2 };
/** Token groups of this policy lie so near to a quantile that any other rounding moves a token. */
const LOOSE: Readonly<Record<string, number>> = { worldcache_ht: 2e-2 };

/** What is to be computed of an episode, and what it should give. */
interface GoldenRun {
  readonly label: string;
  readonly choice: Choice;
  readonly actions: Float32Array;
  readonly decisions?: Float32Array;
}

export interface GoldenOptions {
  readonly provider: Provider;
  readonly precisions: readonly Precision[];
  readonly execution: ExecutionOptions;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Why golden vectors cannot be compared here; undefined where they can. */
export function goldenMissing(): string | undefined {
  if (CASES.every((name) => existsSync(join(GOLDEN_FOLDER, name, 'episode.safetensors')))) return undefined;
  return `there are no golden vectors in ${GOLDEN_FOLDER}: they come with a checkout of the project`;
}

/** Runs every golden episode under every policy in every precision, and compares with the original's actions. */
export async function goldenErrors(options: GoldenOptions): Promise<GoldenError[]> {
  const { precisions, provider, onProgress } = options;
  const errors: GoldenError[] = [];
  const total = CASES.length * precisions.length;
  for (const [c, golden] of CASES.entries()) {
    const folder = new TemporaryFolder('golden');
    try {
      const bundle = exportGolden(golden, folder.path);
      const runs = goldenRuns(golden);
      await learnSchedules(golden, bundle, runs);
      for (const [p, precision] of precisions.entries()) {
        const execution: ExecutionOptions = { ...options.execution, provider, precision };
        errors.push(...(await errorsOf(golden, bundle, runs, execution)));
        onProgress?.(c * precisions.length + p + 1, total);
      }
    } finally {
      folder.remove();
    }
  }
  return errors;
}

function exportGolden(name: string, out: string): Bundle {
  const source = join(GOLDEN_FOLDER, name);
  exportBundle({
    checkpoint: join(source, 'fastwam.pt'),
    vae: join(source, 'vae_encoder.pth'),
    textEmbeds: join(source, 'text_embeds'),
    config: join(source, 'config.json'),
    out,
  });
  return Bundle.open(out);
}

/** Every step of every chunk, C3ache as the original computes it, and what the other policies give by definition. */
function goldenRuns(name: string): GoldenRun[] {
  const episode = openSafetensors(join(GOLDEN_FOLDER, name, 'episode.safetensors'));
  const others = openSafetensors(join(GOLDEN_FOLDER, name, 'policies.safetensors'));
  const cases = JSON.parse(readFileSync(join(GOLDEN_FOLDER, name, 'policies.json'), 'utf8')) as Record<
    string,
    Record<string, unknown>
  >;
  const chunks = [...episode.tensors.keys()].filter((key) => /^chunk\d+\.action$/.test(key));
  const actions = joined(chunks.map((key) => float32(episode, key)));
  const timesteps = episode.tensors.get('timesteps');
  const steps = Array.from({ length: timesteps?.shape[0] ?? 0 }, (_, k) => k);
  const uncached: GoldenRun[] = [
    { label: 'none', choice: UNCACHED, actions },
    {
      label: `few_steps, all ${steps.length}`,
      choice: { ...UNCACHED, policy: 'few_steps', values: { steps } },
      actions,
    },
  ];
  const c3ache = [...episode.tensors.keys()].flatMap((key): GoldenRun[] => {
    const found = /^c3ache\.R(\d+)\.range(\d+)-(\d+)\.action$/.exec(key);
    if (!found) return [];
    const [interval = 0, start = 0, end = 0] = found.slice(1).map(Number);
    const values: Settings = { refresh_interval: interval, range: [start, end] };
    const actions = float32(episode, key);
    // With nothing to move it, adaptive computes what C3ache does, in two calls.
    return [
      { policy: 'c3ache', values },
      { policy: 'adaptive', values: { ...values, ...UNMOVED } },
    ].map((choice) => ({
      label: `${choice.policy} R=${interval} [${start},${end}]`,
      choice: { ...UNCACHED, ...choice },
      actions,
    }));
  });
  const rest = Object.entries(cases).map(([label, settings]): GoldenRun => {
    const [policy = ''] = label.split('.');
    const texts = Object.entries(settings).map(([key, value]) => `${key}=${String(value)}`);
    const [choice = UNCACHED] = readChoices({ policies: [policy], texts });
    const decisions = float32(others, `${label}.computed`);
    return { label, choice, actions: float32(others, `${label}.action`), decisions };
  });
  return [...uncached, ...c3ache, ...rest];
}

/** Makes the schedules that policies need beforehand, on the CPU in float32, so that every precision runs the same. */
async function learnSchedules(name: string, bundle: Bundle, runs: readonly GoldenRun[]): Promise<void> {
  const learned = runs.filter(({ choice }) => policyNamed(choice.policy).calibration?.looksAt === 'parts');
  if (learned.length === 0) return;
  const model = await FastWamModel.load(bundle, { ...DEFAULT_EXECUTION, threads: 1 }, 'block');
  try {
    const inputs = new RecordedInputs(join(GOLDEN_FOLDER, name, 'episode.safetensors'), bundle);
    for (const { choice } of learned) {
      const { calibration } = policyNamed(choice.policy);
      if (!calibration) continue;
      const recorder = new CalibrationRecorder(model, choice.policy);
      for (let c = 0; c < inputs.chunks; c++) {
        await recorder.learn(inputs.observation(c, taskOf(name)), SAMPLER, noiseOf(inputs, c));
      }
      const record = calibration.parse(recorder.solve(choice.values), 'the recorder');
      new CalibrationFile(bundle, calibration).add(record);
    }
  } finally {
    await model.release();
  }
}

/** The errors of one precision; where it cannot even be loaded, every run says why. */
async function errorsOf(
  golden: string,
  bundle: Bundle,
  runs: readonly GoldenRun[],
  execution: ExecutionOptions,
): Promise<GoldenError[]> {
  const { precision } = execution;
  const named = ({ label, choice }: GoldenRun): Omit<GoldenError, 'error'> => ({
    golden,
    precision,
    policy: label,
    limit: Math.max(LIMITS[precision], LOOSE[choice.policy] ?? 0),
  });
  let model: FastWamModel;
  try {
    model = await FastWamModel.load(bundle, execution);
  } catch (error) {
    return runs.map((run) => ({ ...named(run), failed: messageOf(error) }));
  }
  try {
    const errors: GoldenError[] = [];
    for (const run of runs) {
      try {
        const chunks = await chunksOf(golden, bundle, model, run.choice);
        const error = relativeDistance(joined(chunks.map(({ actions }) => actions)), run.actions);
        const same = run.decisions && agreement(chunks, run.decisions);
        errors.push({ ...named(run), error, ...(same === undefined ? {} : { sameDecisions: same }) });
      } catch (error) {
        errors.push({ ...named(run), failed: messageOf(error) });
      }
    }
    return errors;
  } finally {
    await model.release();
  }
}

async function chunksOf(
  golden: string,
  bundle: Bundle,
  model: FastWamModel,
  choice: Choice,
): Promise<ActionChunk[]> {
  const inputs = new RecordedInputs(join(GOLDEN_FOLDER, golden, 'episode.safetensors'), bundle);
  const episode = new Episode(model);
  const chunks: ActionChunk[] = [];
  for (let c = 0; c < inputs.chunks; c++) {
    const observation = inputs.observation(c, taskOf(golden));
    chunks.push(await episode.infer(observation, { ...choice, ...SAMPLER }, noiseOf(inputs, c)));
  }
  return chunks;
}

/** Share of equal decisions; a policy that decides once for all chunks has those of one. */
function agreement(chunks: readonly ActionChunk[], reference: Float32Array): number {
  const own = chunks.flatMap(({ report }) => [...report.computed]).slice(0, reference.length);
  const same = own.filter((decision, i) => decision === reference[i]);
  return same.length / reference.length;
}

function noiseOf(inputs: RecordedInputs, chunk: number): { noise?: Float32Array } {
  const noise = inputs.noise(chunk);
  return noise ? { noise } : {};
}

function taskOf(name: string): string {
  const text = readFileSync(join(GOLDEN_FOLDER, name, 'config.json'), 'utf8');
  const { prompt } = JSON.parse(text) as { prompt: string };
  return prompt.split('instruction: ')[1] ?? prompt;
}

function float32(file: TensorFile, name: string): Float32Array {
  const tensor = file.tensors.get(name);
  return tensor ? readFloat32(tensor) : new Float32Array(0);
}

function joined(parts: readonly Float32Array[]): Float32Array {
  return Float32Array.from(parts.flatMap((part) => [...part]));
}
