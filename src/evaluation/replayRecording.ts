import { readLiveChunks } from '../bag/liveChunks';
import { LiveSampler } from '../bag/liveObservations';
import { sampleBag } from '../bag/observations';
import { openBag } from '../bag/openBag';
import type { RawFrame } from '../observation/RawFrame';
import { toSeconds } from '../observation/stamp';
import { Bundle } from '../bundle/Bundle';
import { configurationOf, fit, readChoices } from '../cache/choice';
import type { ChoiceRequest, Configuration } from '../cache/choice';
import { UsageError } from '../errors';
import type { ExecutionOptions } from '../model/execution';
import { PolicyClient } from '../policy/PolicyClient';
import { farFromTraining } from '../policy/farFromTraining';
import { modelFacts } from '../policy/modelFacts';
import {
  executionOptions,
  number,
  observationLimits,
  samplerOf,
  settingsOf,
  text,
} from '../settings/parameterValues';
import { fitMapping } from '../settings/mapping';
import type { FittedMapping } from '../settings/mapping';
import { actionLayout, EngineRunner } from './EngineRunner';
import { evaluate } from './evaluate';
import type { Figures } from './evaluate';
import { findings } from './findings';
import { MomentPictures } from './MomentPictures';
import { LIVE, liveRun } from './liveRun';
import { provenanceOf } from './provenance';
import { readTolerance } from './readTolerance';
import { reasonLines } from './reasons';
import { recordedObservations } from './recordedObservations';
import { ReplayMcap } from './ReplayMcap';
import { replay, withUncached } from './replay';
import { readRunParameters, useModel } from './runParameters';
import type { RunParameters } from './runParameters';
import { looksUntrained } from './untrainedWeights';
import type { ActionLayout, ConfigurationRun, Evaluation, Provenance, Tolerance, Warning } from './types';

export interface ReplayRequest {
  /** folder or file of a rosbag2 recording */
  readonly bag: string;
  /** default: the params file's `bundle` */
  readonly bundle?: string;
  readonly params: string;
  /** policies and settings to compare; where no policy is named, the params file's */
  readonly choices: Omit<ChoiceRequest, 'base'>;
  /** over the params file's */
  readonly execution: Partial<ExecutionOptions>;
  readonly instruction?: string;
  /** a recording of the chunks that a node made of this one: its observations are used, and it is a run of its own */
  readonly live?: string;
  /** a file to write cameras, actions and cache reports into, for viewers */
  readonly mcap?: string;
  /** stop after so many chunks */
  readonly chunks?: number;
  /** record the residuals of adjacent chunks too, in an extra pass that is not measured */
  readonly residuals: boolean;
  readonly tolerance: { readonly texts: readonly string[]; readonly measure: Tolerance['measure'] };
  /** the command line, for the report */
  readonly command: readonly string[];
  /** told once, when the model is loaded, how many chunks to expect (about) and how many configurations each */
  readonly onStart?: (chunks: number, configurations: number) => void;
  readonly onProgress?: (done: number) => void;
  /** told of everything that was not used, one line for each reason, where the run ends without an outcome */
  readonly onReason?: (line: string) => void;
  readonly signal?: AbortSignal;
}

export interface ReplayOutcome {
  readonly evaluation: Evaluation;
  readonly figures: Figures;
  readonly provenance: Provenance;
}

/**
 * Replays a recording through a bundle with several cache configurations, and evaluates them.
 *
 * @throws UsageError for what was asked wrongly, before the model is loaded; FileFormatError, InputError,
 *   ProviderError for what cannot be run
 */
export async function replayRecording(request: ReplayRequest): Promise<ReplayOutcome> {
  const startedAt = new Date();
  const started = performance.now();
  const parameters = readRunParameters(request.params);
  const folder = bundleFolder(request, parameters);
  const bundle = Bundle.open(folder);
  const { layout, mapping, warnings: mappingWarnings } = prepare(bundle, parameters);
  const { values } = parameters.set;
  const tolerance = readTolerance(request.tolerance.texts, request.tolerance.measure, layout);
  const configurations = replayConfigurations(request.choices, parameters);
  const facts = modelFacts(bundle);
  const warnings: Warning[] = [
    ...otherRate(bundle, parameters).map((message): Warning => ({ kind: 'other', message })),
    ...parameters.warnings.map((message): Warning => ({ kind: 'other', message })),
    ...mappingWarnings.map((message): Warning => ({ kind: 'recording', message })),
  ];
  for (const one of configurations) {
    const { warning } = fit(one, facts);
    if (warning !== undefined) warnings.push({ kind: 'range', configuration: one.name, message: warning });
  }
  const randomWeights = looksUntrained(bundle.policyWeights);
  if (randomWeights) {
    warnings.push({
      kind: 'random_weights',
      message: 'the weights of this model are random numbers: nobody trained it',
    });
  }

  const bag = await openBag(request.bag, request.signal && { signal: request.signal });
  try {
    const limits = observationLimits(values);
    const plausibility = farFromTraining(bundle);
    const period = 1 / layout.controlRate;
    const { replanSteps, horizon } = layout;
    const cameras = mapping.cameras.map(({ name }) => name);
    const live =
      request.live === undefined
        ? undefined
        : new LiveSampler(bag, mapping, await readLiveChunks(request.live, cameras), {
            period,
            horizon,
            plausibility,
          });
    const sampler = live ?? sampleBag(bag, mapping, { period, replanSteps, horizon, limits, plausibility });
    const execution = { ...executionOptions(values), ...request.execution };
    const client = await PolicyClient.load(bundle.folder, { execution });
    let whole = false;
    /** the samples that were used: their numbers and their stamps */
    const used: number[] = [];
    const stamps: bigint[] = [];
    let mcap: ReplayMcap | undefined;
    try {
      const length = bag.start !== undefined && bag.end !== undefined ? toSeconds(bag.end - bag.start) : 0;
      const expected = Math.max(1, Math.ceil(length / (replanSteps * period)));
      request.onStart?.(Math.min(expected, request.chunks ?? expected), configurations.length);
      const moments = new MomentPictures(layout);
      const runner = await EngineRunner.create(client, configurations, samplerOf(values), {
        period,
        replanSteps,
      });
      mcap =
        request.mcap === undefined
          ? undefined
          : await ReplayMcap.create({
              path: request.mcap,
              configurations,
              layout,
              manifest: bundle.manifest,
            });
      const measured = await replay({
        layout,
        configurations,
        observations: recordedObservations(sampler, {
          horizon,
          actionDim: layout.names.length,
          tasks: bundle,
          maxFrozen: number(values, 'observation.max_frozen'),
          onUsed: ({ index, stamp }) => {
            used.push(index);
            stamps.push(stamp);
          },
          onWarning: (warning) => warnings.push(warning),
          ...(request.instruction !== undefined && { instruction: request.instruction }),
          ...(request.chunks !== undefined && { limit: request.chunks }),
        }),
        runner,
        recordResiduals: request.residuals,
        onObservation: async (index, { facts, observation }, results) => {
          await moments.see(index, observation, results);
          await mcap?.write({
            facts,
            stamp: stamps[index] ?? 0n,
            cameras: observation.cameras ?? new Map<string, RawFrame>(),
            chunks: runner.newest,
          });
        },
        ...(request.onProgress && { onProgress: request.onProgress }),
        ...(request.signal && { signal: request.signal }),
      });
      const evaluation = live ? withLive(measured, liveRun(chosen(live.matched, used), bundle)) : measured;
      if (live) {
        warnings.push({
          kind: 'other',
          configuration: LIVE,
          message: `${LIVE} is what the node did: its times were taken while ROS ran beside it, those of the others in this run, so that its speed-up also says how busy the two were`,
        });
      }
      const recording = sampler.warnings.map((message): Warning => ({ kind: 'recording', message }));
      const notices = client.loaded.notices.map((message): Warning => ({ kind: 'other', message }));
      const stopped: Warning[] = request.signal?.aborted
        ? [{ kind: 'other', message: 'stopped by the user: the figures cover the recording up to here' }]
        : [];
      await mcap?.close();
      mcap = undefined;
      whole = true;
      const complete = {
        ...evaluation,
        pictures: moments.pictures,
        warnings: [
          ...stopped,
          ...warnings,
          ...notices,
          ...recording,
          ...findings(evaluation.observations, evaluation.runs),
        ],
      };
      return {
        evaluation: complete,
        figures: evaluate(complete, tolerance, { recommend: !randomWeights }),
        provenance: provenanceOf({
          command: request.command,
          startedAt,
          duration: (performance.now() - started) / 1000,
          bundle,
          bundlePath: folder,
          randomWeights,
          loaded: client.loaded,
          bag,
          execution,
          settings: settingsShown(parameters),
        }),
      };
    } finally {
      await mcap?.discard();
      // Whatever ended the run, what was found out about the recording until then is said.
      if (!whole) {
        const recording = sampler.warnings.map((message): Warning => ({ kind: 'recording', message }));
        for (const line of reasonLines([...warnings, ...recording])) request.onReason?.(line);
      }
      await client.close();
    }
  } finally {
    await bag.close();
  }
}

/** The entries at some indices, in their order. */
function chosen<T>(list: readonly T[], indices: readonly number[]): readonly T[] {
  return indices.flatMap((index) => list.slice(index, index + 1));
}

/** Adds what the node did; where the replay was stopped early, as far as that went. */
function withLive(evaluation: Evaluation, run: ConfigurationRun): Evaluation {
  const { layout, observations, runs } = evaluation;
  const chunks = run.chunks.slice(0, observations.length);
  const size = layout.horizon * layout.names.length;
  const odd = chunks.find(({ actions }) => actions.length !== size);
  if (odd) {
    throw new UsageError(
      `the live chunks have ${odd.actions.length} action values, this bundle's have ${size}: they are another model's`,
    );
  }
  return { ...evaluation, runs: [...runs, { ...run, chunks }] };
}

function bundleFolder({ bundle, params }: ReplayRequest, { set }: RunParameters): string {
  const folder = bundle ?? text(set.values, 'bundle');
  if (folder !== '') return folder;
  throw new UsageError(`no bundle: give --bundle DIR, or set \`bundle\` in ${params}`);
}

/** Fits the parameters and the topics to the bundle; its actions are laid out at the control rate in force. */
function prepare(
  bundle: Bundle,
  parameters: RunParameters,
): FittedMapping<RunParameters['mapping']> & { readonly layout: ActionLayout } {
  const own = actionLayout(bundle);
  useModel(parameters, modelFacts(bundle));
  const { values } = parameters.set;
  const layout = {
    ...own,
    controlRate: number(values, 'control.rate'),
    replanSteps: number(values, 'control.replan_steps'),
  };
  return { layout, ...fitMapping(parameters.mapping, bundle.manifest) };
}

/** A control rate that the model was not trained for is the cause of much that is reported after it. */
function otherRate({ manifest }: Bundle, { mapping, set }: RunParameters): readonly string[] {
  const { rate: trained } = manifest.control;
  const rate = number(set.values, 'control.rate');
  const factor = rate / trained;
  if (Math.abs(factor - 1) < 1e-6) return [];
  return [
    `${mapping.file} says control.rate ${rate}, the bundle was trained at ${trained} Hz: actions are then meant ${factor.toPrecision(2)} times as fast as the model learnt them, and chunks fall due as much sooner; leave it out, or export the bundle with the rate of its training data`,
  ];
}

/**
 * What is replayed, the uncached run first: the choices over what the params file says, which must have been held
 * against a model.
 */
export function replayConfigurations(
  { policies, ...asked }: ReplayRequest['choices'],
  { set, mapping }: RunParameters,
): readonly Configuration[] {
  const { model, values } = set;
  if (!model) throw new UsageError(`${mapping.file}: holds no model`);
  const explicit = set.explicitValues;
  const choices = readChoices({
    ...asked,
    policies: policies.length > 0 ? policies : [text(values, 'cache.policy')],
    base: (policy) => settingsOf(policy, explicit),
  });
  return withUncached(choices.map((choice) => configurationOf(choice, model)));
}

/** The settings that hold for all configurations alike. */
function settingsShown({ set }: RunParameters): [string, string][] {
  const units = {
    'sampler.noise': '',
    'sampler.seed': '',
    'control.rate': ' Hz',
    'control.replan_steps': ' steps',
    'observation.max_age': ' s',
    'observation.max_skew': ' s',
    'observation.max_frozen': ' s',
    'observation.max_deviation': '',
  };
  return Object.entries(units).map(([name, unit]) => [name, `${String(set.values.get(name))}${unit}`]);
}
