import type { Bundle } from '../bundle/Bundle';
import { InputError, messageOf, UsageError } from '../errors';
import type { EpisodeHandle } from '../policy/PolicyClient';
import type { ActionChunk } from '../policy/types';
import { stepStates } from '../report/plots/stepStates';
import { REFERENCE_LOOP, runEpisode, type EpisodeResult } from '../sim/closedLoop';
import { planEpisodes, type EpisodePlan } from '../sim/episodes';
import { policySource } from '../sim/policySource';
import { knownSuites } from '../sim/simulate';
import { CONTROL_RATE } from '../sim/speeds';
import type { TabletopWorld } from '../sim/TabletopWorld';
import { stepLimit, type Suite } from '../sim/tasks';
import { readControlRequest } from './controlRequest';
import { TIMELINE_CHUNKS } from './messages';
import type {
  ChunkMessage,
  EpisodeEnd,
  PlanMessage,
  Snapshot,
  WatchEvents,
  WorldChoice,
  WorldMessage,
  WrittenSettings,
} from './messages';
import { Interrupted, Pacer } from './Pacer';
import { Tally } from './Tally';
import { settingsInUse, type SettingsInUse } from './settingsInUse';
import { worldMessage } from './worldMessage';

/** The end of an episode stays in sight for so long, seconds of the world. */
const REST = 1;
/** Pictures are not sent more often than a screen shows them, ms. */
const PICTURE_PERIOD = 25;
/** What an episode is counted under whose settings changed on the way. */
const MIXED = 'settings changed on the way';

export interface LiveLoopOptions {
  readonly bundle: Bundle;
  readonly settings: WrittenSettings;
  readonly choice: WorldChoice;
  readonly noiseSeed: number;
  /** times real time; 0: as fast as it goes */
  readonly pace: number;
  readonly paused?: boolean;
}

/** A stream of chunks of the loop's bundle. */
export type ChunkStream = Pick<EpisodeHandle, 'infer' | 'reset'>;

type Listener = <E extends keyof WatchEvents>(event: E, message: WatchEvents[E]) => void;

/**
 * Episode after episode in the simulated world, for people to look at and to interfere with. The same policy code as the
 * node; settings are read anew for each chunk.
 */
export class LiveLoop {
  /** told what happens; set by whoever shows it */
  listener: Listener = () => undefined;

  readonly #options: LiveLoopOptions;
  readonly #pacer = new Pacer();
  readonly #tally = new Tally();
  #inUse: SettingsInUse;
  #choice: WorldChoice;
  #suites: readonly Suite[];
  #pace: number;
  #stopped = false;
  #problem = '';

  /** number of the running episode in its choice of world, and since the page is served */
  #nextOfChoice = 0;
  #episode = -1;
  #plan: EpisodePlan | undefined;
  #last: EpisodeEnd | null = null;
  /** names of the settings that chunks of the running episode were computed with */
  readonly #used = new Set<string>();

  #chunks: readonly ChunkMessage[] = [];
  #chunkCount = 0;
  #chunkStep = 0;
  #actions: PlanMessage | null = null;
  #actionsBefore: PlanMessage | null = null;
  #world: TabletopWorld | undefined;
  #shown: WorldMessage | null = null;
  #shownAt = 0;

  /** @throws UsageError, InputError for settings and worlds that do not fit the bundle */
  constructor(options: LiveLoopOptions) {
    this.#options = options;
    this.#inUse = settingsInUse(options.bundle, options.settings, options.noiseSeed);
    this.#suites = suitesOf(options.bundle, options.choice.suite);
    this.#choice = options.choice;
    this.#pace = options.pace;
    this.#setPace(options.pace);
    if (options.paused) this.#pacer.pause();
  }

  /** Whether anybody watches; without that the world stands still. */
  set attended(attended: boolean) {
    this.#pacer.attended = attended;
  }

  /** Runs episodes until {@link stop}. */
  async run(stream: ChunkStream): Promise<void> {
    while (!this.#stopped) {
      this.#pacer.begin();
      try {
        await this.#runEpisode(stream);
      } catch (error) {
        if (error instanceof Interrupted) continue;
        // Settings may fit and still fail (a schedule that went away): say so, and wait for other ones.
        this.#problem = messageOf(error);
        this.#pacer.pause();
        this.#tellAll();
        await this.#pacer.turn().catch(() => undefined);
      }
    }
  }

  /** Ends {@link run} before its next step. */
  stop(): void {
    this.#stopped = true;
    this.#pacer.interrupt();
  }

  /**
   * Does what a page asks for.
   * @param json a `ControlRequest`
   * @throws UsageError, InputError with a sentence about what does not fit; nothing has changed then
   */
  control(json: unknown): void {
    const request = readControlRequest(json);
    switch (request.do) {
      case 'settings': {
        const { policy, values, noise } = request;
        const { bundle, noiseSeed } = this.#options;
        this.#inUse = settingsInUse(bundle, { policy, values, noise }, noiseSeed);
        this.#problem = '';
        break;
      }
      case 'world': {
        const { suite, speed, condition, seed } = request;
        this.#suites = suitesOf(this.#options.bundle, suite);
        this.#choice = { suite, speed, condition, seed };
        this.#nextOfChoice = 0;
        this.#pacer.interrupt();
        break;
      }
      case 'pace':
        this.#setPace(request.pace);
        break;
      case 'pause':
        this.#pacer.pause();
        break;
      case 'resume':
        this.#problem = '';
        this.#pacer.resume();
        break;
      case 'step':
        this.#pacer.allow(1);
        break;
      case 'chunk': {
        const { replan_steps } = this.#options.bundle.manifest.control;
        this.#pacer.allow(replan_steps - ((this.#shown?.step ?? 0) % replan_steps));
        break;
      }
      case 'next':
        this.#problem = '';
        this.#pacer.interrupt();
        break;
      case 'forget':
        this.#tally.clear();
        break;
    }
    this.#tellAll();
  }

  snapshot(): Snapshot {
    const plan = this.#plan;
    return {
      settings: this.#inUse.written,
      configuration: this.#inUse.name,
      warning: this.#inUse.warning,
      choice: this.#choice,
      worldName: worldName(this.#choice),
      paused: this.#pacer.paused,
      pace: this.#pace,
      instruction: plan?.task.instruction ?? '',
      suite: plan?.task.suite ?? '',
      stepLimit: plan ? stepLimit(plan.task, plan.condition, plan.speed) : 0,
      pairs: plan?.task.pairs.map(({ block, plate }) => [block, plate] as const) ?? [],
      tally: this.#tally.rows,
      lastEpisode: this.#last,
      problem: this.#problem,
      chunks: this.#chunks,
      plan: this.#actions,
      planBefore: this.#actionsBefore,
      world: this.#shown,
    };
  }

  async #runEpisode(stream: ChunkStream): Promise<void> {
    const { bundle } = this.#options;
    const choice = this.#choice;
    const plan = planEpisodes(this.#nextOfChoice + 1, this.#suites, choice).at(-1);
    if (!plan) return;
    this.#nextOfChoice += 1;
    this.#episode += 1;
    this.#plan = plan;
    this.#used.clear();
    this.#actions = null;
    this.#actionsBefore = null;
    this.#shownAt = 0;
    const source = policySource(
      {
        reset: () => stream.reset(),
        infer: async (observation, settings, options) => {
          const { name } = this.#inUse;
          const chunk = await stream.infer(observation, settings, options);
          this.#seeChunk(chunk, name);
          return chunk;
        },
      },
      () => this.#inUse.settings,
    );
    let begun = false;
    const result = await runEpisode(plan, source, {
      ...REFERENCE_LOOP,
      replanSteps: bundle.manifest.control.replan_steps,
      beforeStep: async (world, step) => {
        this.#see(world, step);
        if (!begun) this.#tellAll();
        begun = true;
        await this.#pacer.turn();
      },
    });
    await this.#end(choice, result);
  }

  async #end(choice: WorldChoice, result: EpisodeResult): Promise<void> {
    const { success, steps, chunks } = result;
    const [configuration = MIXED, ...others] = this.#used;
    this.#tally.add(others.length > 0 ? MIXED : configuration, worldName(choice), result);
    this.#last = { episode: this.#episode, success, steps, chunks };
    if (this.#world) this.#see(this.#world, steps);
    this.#tellAll();
    if (this.#pace > 0) await this.#pacer.rest(REST / this.#pace);
  }

  #see(world: TabletopWorld, step: number): void {
    this.#world = world;
    const sinceChunk = this.#actions ? step - this.#chunkStep : 0;
    this.#shown = worldMessage(world, { episode: this.#episode, step, sinceChunk });
    const now = performance.now();
    if (!this.#pacer.paused && now - this.#shownAt < PICTURE_PERIOD) return;
    this.#shownAt = now;
    this.listener('world', this.#shown);
  }

  #seeChunk(chunk: ActionChunk, configuration: string): void {
    const { bundle } = this.#options;
    const { actionDim, horizon } = bundle.dimensions;
    const { report, times } = chunk;
    const id = this.#chunkCount++;
    this.#used.add(configuration);
    this.#chunkStep = Math.round(chunk.stamp * CONTROL_RATE);
    const message: ChunkMessage = {
      id,
      episode: this.#episode,
      chunk: chunk.chunk,
      configuration,
      refreshed: report.refreshed,
      reason: report.reason,
      steps: stepStates(report, bundle.schedule.steps),
      stacks: rounded(report.stackEvaluations, 3),
      times: {
        decode: milliseconds(times.decode),
        vae: milliseconds(times.vae),
        prefill: milliseconds(times.prefill),
        expert: milliseconds(times.expert),
        total: milliseconds(times.total),
      },
    };
    this.#chunks = [...this.#chunks, message].slice(-TIMELINE_CHUNKS);
    this.#actionsBefore = this.#actions;
    const [x = 0, y = 0] = this.#world?.gripper ?? [];
    this.#actions = {
      id,
      from: [rounded(x, 4), rounded(y, 4)],
      actions: Array.from({ length: actionDim }, (_, column) =>
        Array.from({ length: horizon }, (__, row) =>
          rounded(chunk.actions[row * actionDim + column] ?? 0, 4),
        ),
      ),
    };
    this.listener('chunk', { chunk: message, plan: this.#actions });
  }

  #setPace(pace: number): void {
    this.#pace = pace;
    this.#pacer.period = pace === 0 ? 0 : 1 / (CONTROL_RATE * pace);
  }

  #tellAll(): void {
    this.listener('snapshot', this.snapshot());
  }
}

/** @throws UsageError for a suite whose instructions the bundle does not know */
function suitesOf(bundle: Bundle, suite: Suite | 'all'): readonly Suite[] {
  const known = knownSuites(bundle);
  if (known.length === 0) {
    throw new InputError(
      `${bundle.folder} knows no instruction of the simulated world; use a bundle trained in it, such as bundles/tabletop`,
    );
  }
  if (suite === 'all') return known;
  if (!known.includes(suite)) {
    throw new UsageError(
      `suite ${suite}: the bundle knows none or not all of its instructions; it knows ${known.join(', ')}`,
    );
  }
  return [suite];
}

function worldName({ suite, speed, condition, seed }: WorldChoice): string {
  return `${suite === 'all' ? 'all suites' : suite}, ${speed}, ${condition}, seed ${seed}`;
}

const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));
const milliseconds = (seconds: number): number => rounded(1000 * seconds, 2);
