import { createHash } from 'node:crypto';
import { availableParallelism, hostname } from 'node:os';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { Bundle } from '../bundle/Bundle';
import { configurationOf, fit, readChoices } from '../cache/choice';
import type { Configuration } from '../cache/choice';
import { UsageError } from '../errors';
import { machineFacts, modelDescription, packageVersion } from '../evaluation/provenance';
import { withUncached } from '../evaluation/replay';
import { describePrecision } from '../model/execution';
import { lockFolder } from '../formats/folderLock';
import { makeOutputFolder } from '../formats/outputFolder';
import { modelFacts } from '../policy/modelFacts';
import { ProgressBar } from '../report/ProgressBar';
import { collectExhibits } from '../report/simulation/collectExhibits';
import { recommended, simulationFront } from '../report/simulation/Simulation';
import type { Facts } from '../report/simulation/Simulation';
import { simulationLine } from '../report/simulation/simulationLine';
import { simulationText } from '../report/simulation/simulationText';
import { writeSimulationReport } from '../report/simulation/writeSimulationReport';
import type { EpisodeSelection } from '../sim/episodes';
import type { Sampler } from '../sampler/types';
import { readShard } from '../sim/shards';
import { simulate } from '../sim/simulate';
import type { SimulationOutcome } from '../sim/simulate';
import { simulationFigures } from '../sim/simulationFigures';
import type { SimulatedFigures, SimulationFigures } from '../sim/simulationFigures';
import type { ModelFacts } from '../settings/Parameter';
import { SUITES } from '../sim/tasks';
import { print, printJson, printLine, progressStream, say } from '../terminal';
import { listed } from '../words/listed';
import { interruptible } from './interruption';
import type { Interruptible } from './interruption';
import { addExecutionOptions, readExecutionOptions, givenTexts } from './policyOptions';
import type { ExecutionFlags } from './policyOptions';
import { addWorldOptions, readWorldOptions } from './worldOptions';
import type { WorldFlags } from './worldOptions';
import { collect, oneOf, wholeNumber } from './flagValues';

interface SimulateFlags extends ExecutionFlags, WorldFlags {
  readonly bundle: string;
  readonly suite?: string;
  readonly episodes?: string;
  readonly policy: readonly string[];
  readonly refresh?: string;
  readonly range?: string;
  readonly replanSteps?: string;
  readonly set: readonly string[];
  readonly grid?: boolean;
  readonly initialStates?: string;
  readonly json?: boolean;
  readonly out?: string;
  readonly jobs?: string;
  readonly shard?: string;
  readonly resume?: boolean;
  readonly overwrite?: boolean;
}

/** `fastwam simulate` */
export function simulateCommand(program: Command): Command {
  const command = program
    .command('simulate')
    .description('run episodes in the simulated world and count successes, with and without a cache')
    .requiredOption('--bundle <dir>', 'a bundle trained in the simulated world')
    .option('--suite <names>', `${SUITES.join(', ')}; several separated by commas (default: all it knows)`)
    .option('--episodes <n>', 'episodes, over the tasks in turn (default: 40, or all initial states)')
    .option(
      '--policy <name>',
      'cache policy; with --grid several (default: none, with --grid c3ache)',
      (value: string, previous: readonly string[]) => [...previous, ...listed(value)],
      [] as readonly string[],
    )
    .option('--refresh <R>', 'refresh interval in chunks; with --grid a list, for instance 0,4,8')
    .option('--range <a:b>', 'first and last reused step; with --grid a list, for instance 0:6,0:7')
    .option(
      '--replan-steps <n>',
      "actions executed of each chunk (default: the bundle's); with --grid a list, for instance 10,20",
    )
    .option(
      '--set <name=value>',
      "one of the policies' settings, or policy.name=value; with --grid a list; may be repeated",
      collect,
      [] as readonly string[],
    )
    .option('--grid', 'every combination of the listed values, and no cache, on the same episodes')
    .option('--initial-states <file>', 'safetensors with init.*: start from these states')
    .option(
      '--json',
      'one JSON line for each configuration, and nothing else; only what was asked for is run',
    )
    .option('--out <dir>', 'folder for report.html, metrics.json, episodes.csv, tables.md and episodes.jsonl')
    .option('--shard <i/N>', 'only the i-th of N parts, into --out; fastwam merge puts them together')
    .option('--resume', 'continue the run that --out holds')
    .option('--overwrite', 'begin anew, whatever --out holds')
    .option('--jobs <n>', 'copies of the model, side by side (default: one for each core; on a GPU 1)');
  addWorldOptions(command);
  addExecutionOptions(command);
  return command.action((flags: SimulateFlags) =>
    interruptible(async (interruption) => {
      if (flags.out !== undefined) makeOutputFolder(flags.out);
      const release = flags.out === undefined ? undefined : lockFolder(flags.out);
      try {
        await runSimulateCommand(flags, interruption);
      } finally {
        release?.();
      }
    }),
  );
}

async function runSimulateCommand(
  flags: SimulateFlags,
  { signal, throwIfInterrupted }: Interruptible,
): Promise<void> {
  const startedAt = new Date();
  const bundle = Bundle.open(flags.bundle);
  const { selection, sampler } = readWorldOptions(flags);
  const facts = modelFacts(bundle);
  const configurations = simulatedConfigurations(flags, facts);
  for (const one of configurations) {
    const { warning } = fit(one, facts);
    if (warning !== undefined) say(`${one.name}: ${warning}`);
  }
  if (flags.resume && flags.out === undefined) {
    throw new UsageError('--resume: name the folder to continue with --out');
  }
  if (flags.resume && flags.overwrite) {
    throw new UsageError('--resume continues what --out holds, --overwrite begins anew: give one of them');
  }
  const shard = flags.shard === undefined ? undefined : readShard(flags.shard);
  if (shard && flags.out === undefined) {
    throw new UsageError(`--shard ${flags.shard ?? ''}: name a folder of its own for it with --out`);
  }
  const given = readExecutionOptions(flags);
  const jobs =
    flags.jobs === undefined
      ? given.provider === 'cpu'
        ? availableParallelism()
        : 1
      : wholeNumber('--jobs', flags.jobs, 1);
  // Several copies with a thread for every core each would only wait for one another.
  const execution = jobs > 1 && given.threads === 0 ? { ...given, threads: 1 } : given;

  let bar: ProgressBar | undefined;
  let outcome: SimulationOutcome;
  try {
    outcome = await simulate({
      bundle,
      execution,
      configurations,
      selection,
      sampler,
      jobs,
      signal,
      ...(flags.suite !== undefined && {
        suites: listed(flags.suite).map((name) => oneOf('--suite', name, SUITES)),
      }),
      ...(flags.episodes !== undefined && { episodes: wholeNumber('--episodes', flags.episodes, 1) }),
      ...(flags.initialStates !== undefined && { initialStates: flags.initialStates }),
      ...(shard && { shard: { ...shard, engine: engineOf(bundle, execution), machines: [machineLine()] } }),
      ...(flags.out !== undefined && {
        out: flags.out,
        resume: flags.resume === true,
        overwrite: flags.overwrite === true,
      }),
      onStart: (total, done) => {
        bar = new ProgressBar({ stream: progressStream, label: 'episodes', total });
        if (done > 0) say(`${done} of ${total} episodes are known already`);
      },
      onProgress: (done) => bar?.update(done),
      onNotice: (notice) => say(notice),
    });
  } finally {
    bar?.finish();
  }
  if (flags.json) printLines(outcome, flags.grid === true);

  if (shard) {
    const wanted = outcome.plans.length * outcome.configurations.length;
    if (!flags.json) {
      printLine(
        `shard ${shard.index}/${shard.of}: ${outcome.records.length} of ${wanted} episodes in ${flags.out ?? ''}`,
      );
    }
    throwIfInterrupted(`${outcome.records.length} of ${wanted} episodes; go on with --resume`);
    return;
  }
  const figures = simulationFigures(outcome.configurations, outcome.records);
  const choice = recommended(figures)?.configuration.name;
  const summary = { figures, pareto: simulationFront(figures), ...(choice !== undefined && { choice }) };
  if (!flags.json) print(simulationText(summary));
  if (flags.out === undefined || figures.episodes === 0) {
    throwIfInterrupted(
      flags.out === undefined
        ? `${figures.episodes} whole episodes were counted; nothing was written`
        : `no episode has ended; go on with --resume`,
    );
    return;
  }
  const shown = signal.aborted
    ? { exhibits: [] }
    : await collectExhibits({
        bundle: bundle.folder,
        execution,
        sampler,
        replanSteps: bundle.manifest.control.replan_steps,
        denoisingSteps: bundle.schedule.steps,
        plans: outcome.plans,
        configurations: filmed(figures, choice),
      });
  const files = await writeSimulationReport(flags.out, {
    ...summary,
    ...shown,
    records: outcome.records,
    origin: {
      command: ['fastwam', ...process.argv.slice(2)],
      startedAt: startedAt.toISOString(),
      model: { name: bundle.manifest.name, facts: modelDescription(bundle) },
      world: worldFacts(selection, sampler, bundle, flags),
      machine: [
        ...machineFacts(),
        ['execution', `${execution.provider}, ${describePrecision(execution)}`],
        [
          'copies of the model',
          `${jobs}, ${execution.threads === 0 ? 'all cores' : `threads: ${execution.threads}`}`,
        ],
      ],
      versions: [
        ['fast-wam-policy', packageVersion(join(__dirname, '..', '..', 'package.json'))],
        ['node', process.version],
        ['onnxruntime-node', packageVersion(require.resolve('onnxruntime-node/package.json'))],
      ],
    },
  });
  if (!flags.json) {
    print('\n');
    printLine(`report: ${resolve(files.page)}`);
  }
  throwIfInterrupted(
    `the report covers ${outcome.records.length} of ${outcome.plans.length * outcome.configurations.length} episodes; go on with --resume`,
  );
}

/** What computes, as far as it may change what happens; shards of other engines are not mixed. */
function engineOf(
  { manifest }: Bundle,
  execution: ReturnType<typeof readExecutionOptions>,
): Readonly<Record<string, string>> {
  return {
    'fast-wam-policy': packageVersion(join(__dirname, '..', '..', 'package.json')),
    'onnxruntime-node': packageVersion(require.resolve('onnxruntime-node/package.json')),
    graphs: createHash('sha256').update(JSON.stringify(manifest.graphs)).digest('hex').slice(0, 16),
    execution: `${execution.provider}, ${describePrecision(execution)}`,
  };
}

function machineLine(): string {
  return [hostname(), ...machineFacts().map(([, value]) => value)].join(', ');
}

function printLines({ configurations, records }: SimulationOutcome, named: boolean): void {
  for (const configuration of configurations) {
    const line = simulationLine(configuration, records);
    const shown = named ? { configuration: configuration.name, ...line } : line;
    printJson(shown);
  }
}

/** The uncached run, the choice, and the one of the others that fails most: what a reader wants to see side by side. */
function filmed({ configurations }: SimulationFigures, choice: string | undefined): readonly Configuration[] {
  const worst = configurations
    .filter(({ uncached }) => !uncached)
    .reduce<SimulatedFigures | undefined>(
      (found, one) => (found && found.success.value <= one.success.value ? found : one),
      undefined,
    );
  return configurations
    .filter((one) => one.uncached || one === worst || one.configuration.name === choice)
    .map(({ configuration }) => configuration);
}

function worldFacts(
  { seed, speed, condition }: EpisodeSelection,
  { noise, seed: noiseSeed }: Sampler,
  { manifest }: Bundle,
  { initialStates }: SimulateFlags,
): Facts {
  return [
    ['world', `${speed}, ${condition}`],
    ['seed', String(seed)],
    ...(initialStates === undefined ? [] : [['initial states', initialStates] as const]),
    ['noise', `${noise}, seed ${noiseSeed}${{ fixed: '', fresh: ' + chunk', episode: ' + episode' }[noise]}`],
    ['control', `${manifest.control.rate} Hz, ${manifest.control.replan_steps} actions of a chunk`],
  ];
}

/** What is run: the one configuration, with the uncached one to compare it with unless only a line is asked for. */
export function simulatedConfigurations(
  flags: Pick<SimulateFlags, 'policy' | 'refresh' | 'range' | 'replanSteps' | 'set' | 'grid' | 'json'>,
  model: ModelFacts,
): readonly Configuration[] {
  const policies = flags.policy.length > 0 ? flags.policy : [flags.grid ? 'c3ache' : 'none'];
  const choices = readChoices({ policies, texts: givenTexts(flags), lists: flags.grid === true });
  const paces = replanStepsOf(flags, model);
  const configurations = choices.flatMap((choice) =>
    paces.map((pace) => executedAt(configurationOf(choice, model), pace, model)),
  );
  if (configurations.length > 1 && !flags.grid) {
    throw new UsageError(`--policy names ${configurations.length} policies; add --grid to compare them`);
  }
  return flags.json && !flags.grid ? configurations : withUncached(configurations);
}

/** @throws UsageError for numbers that the model's chunks do not allow */
function replanStepsOf(
  { replanSteps, grid }: Pick<SimulateFlags, 'replanSteps' | 'grid'>,
  { control, shape }: ModelFacts,
): readonly number[] {
  if (replanSteps === undefined) return [control.replanSteps];
  const numbers = (grid ? listed(replanSteps) : [replanSteps]).map((text) =>
    wholeNumber('--replan-steps', text, 1),
  );
  const tooMany = numbers.find((steps) => steps > shape.horizon);
  if (tooMany === undefined) return numbers;
  throw new UsageError(
    `--replan-steps ${tooMany}: must be at most ${shape.horizon}, the model gives ${shape.horizon} actions in a chunk`,
  );
}

/** A configuration whose chunks are executed so far; its name says so where the bundle says otherwise. */
function executedAt(
  configuration: Configuration,
  replanSteps: number,
  { control }: ModelFacts,
): Configuration {
  if (replanSteps === control.replanSteps) return configuration;
  return { ...configuration, name: `${configuration.name} replan=${replanSteps}`, replanSteps };
}
