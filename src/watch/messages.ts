import type { Field } from '../cache/fields';
import type { ChunkReport } from '../cache/types';
import type { StageTimes } from '../policy/types';
import type { Sampler } from '../sampler/types';
import type { Suite, Condition } from '../sim/tasks';
import type { SpeedName } from '../sim/speeds';
import type { StepState } from '../report/plots/stepStates';

/** Chunks that the timeline reaches back. */
export const TIMELINE_CHUNKS = 72;
/** Slider of the refresh interval; settings beyond it are given on the command line or in the field beside it. */
export const LARGEST_SLIDER_REFRESH = 16;
/** Header that carries the token of a page that this program has served. */
export const TOKEN_HEADER = 'x-fastwam-token';

/** What the page needs to know before anything happens; it carries this itself. */
export interface WatchSetup {
  /** proves to the program that a control request comes from a page that it served */
  readonly token: string;
  readonly policies: readonly PolicySetup[];
  /** N, denoising steps */
  readonly denoisingSteps: number;
  /** T, actions of a chunk */
  readonly horizon: number;
  /** actions executed before the next chunk */
  readonly replanSteps: number;
}

/** A cache policy that can be chosen, with its settings. */
export interface PolicySetup {
  readonly name: string;
  readonly title: string;
  readonly fields: readonly FieldSetup[];
}

export interface FieldSetup {
  readonly name: string;
  readonly type: Field['type'];
  readonly description: string;
  readonly unit: string;
  /** words to choose from; empty where any text may be written */
  readonly values: readonly string[];
  readonly default: string;
}

/** Where episodes come from. */
export interface WorldChoice {
  /** one suite, or all that the bundle knows */
  readonly suite: Suite | 'all';
  readonly speed: SpeedName;
  readonly condition: Condition;
  readonly seed: number;
}

/** What chunks are computed with, as a person writes it on a command line. */
export interface WrittenSettings {
  readonly policy: string;
  /** by field of the policy, or `policy.field` of one that it hands work to; what is absent has its default */
  readonly values: Readonly<Record<string, string>>;
  readonly noise: Sampler['noise'];
}

/** The table as it is before a step. Positions in table units, [x, y]. */
export interface WorldMessage {
  /** counts episodes from 0 since the page is served */
  readonly episode: number;
  readonly step: number;
  /** steps since the newest chunk's observation */
  readonly sinceChunk: number;
  /** both cameras as palette indices, uint8 [64, 128], base64 */
  readonly frame: string;
  readonly gripper: readonly [number, number];
  readonly opening: number;
  /** colour -1: no object in this slot */
  readonly blocks: readonly ObjectMessage[];
  readonly plates: readonly ObjectMessage[];
  /** block slot in the gripper, -1 if none */
  readonly held: number;
  /** number of the pair that the task is at, -1 when all are placed */
  readonly pair: number;
}

export interface ObjectMessage {
  readonly x: number;
  readonly y: number;
  readonly colour: number;
  readonly moving: boolean;
}

/** What the cache did in one chunk: a column of the timeline. */
export interface ChunkMessage extends Pick<ChunkReport, 'refreshed' | 'reason'> {
  /** counts chunks from 0 since the page is served */
  readonly id: number;
  readonly episode: number;
  readonly chunk: number;
  /** what it was computed with: `c3ache R=4 [0,6]` */
  readonly configuration: string;
  readonly steps: readonly StepState[];
  /** full-stack equivalents */
  readonly stacks: number;
  /** milliseconds */
  readonly times: StageTimes;
}

/** The newest chunk's actions. */
export interface PlanMessage {
  readonly id: number;
  /** where the gripper was when the chunk's observation was made */
  readonly from: readonly [number, number];
  /** each dimension over the horizon, [a][T] */
  readonly actions: readonly (readonly number[])[];
}

/** One line of the table of what was counted. */
export interface TallyRow {
  readonly configuration: string;
  readonly world: string;
  readonly episodes: number;
  readonly successes: number;
  /** per cent with its 95 % Wilson interval, for people */
  readonly success: string;
  readonly chunksPerEpisode: number;
  readonly stacksPerChunk: number;
  readonly stacksPerEpisode: number;
  readonly millisecondsPerChunk: number;
}

export interface EpisodeEnd {
  readonly episode: number;
  readonly success: boolean;
  readonly steps: number;
  readonly chunks: number;
}

/** Everything a page needs that opens now. */
export interface Snapshot {
  readonly settings: WrittenSettings;
  /** name of the settings that the next chunk will be computed with */
  readonly configuration: string;
  /** a sentence about settings that are allowed but unwise */
  readonly warning: string;
  readonly choice: WorldChoice;
  /** the choice as the tally names it */
  readonly worldName: string;
  readonly paused: boolean;
  /** times real time; 0: as fast as it goes */
  readonly pace: number;
  readonly instruction: string;
  readonly suite: string;
  readonly stepLimit: number;
  /** objects of the task's pairs by slot: [block, plate] */
  readonly pairs: readonly (readonly [number, number])[];
  readonly tally: readonly TallyRow[];
  readonly lastEpisode: EpisodeEnd | null;
  /** why the loop stopped by itself; empty if it did not */
  readonly problem: string;
  readonly chunks: readonly ChunkMessage[];
  readonly plan: PlanMessage | null;
  /** the plan before that one */
  readonly planBefore: PlanMessage | null;
  readonly world: WorldMessage | null;
}

/** What is told while the loop runs, by name of the event. */
export interface WatchEvents {
  readonly snapshot: Snapshot;
  readonly chunk: { readonly chunk: ChunkMessage; readonly plan: PlanMessage };
  readonly world: WorldMessage;
}
