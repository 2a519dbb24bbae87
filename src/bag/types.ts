import type { SourceAge } from '../observation/guards';
import type { Stamped } from '../observation/History';
import type { RawFrame } from '../observation/RawFrame';
import type { Refusal } from '../observation/Refusal';

/** How a recording is stored. */
export type BagStorage = 'mcap' | 'sqlite3' | 'lerobot';

/** Encodings of messages that can be decoded: ROS 2's, and the rows of a LeRobot dataset. */
export const READABLE_ENCODINGS: readonly string[] = ['cdr', 'lerobot'];

/** The text that describes a message type, as the recording carries it. */
export interface MessageDefinitionText {
  /** `ros2msg`: .msg text with the definitions it needs appended */
  readonly encoding: string;
  readonly text: string;
}

export interface BagTopic {
  readonly name: string;
  /** `sensor_msgs/msg/Image` */
  readonly type: string;
  /** of the messages; see {@link READABLE_ENCODINGS} */
  readonly encoding: string;
  /** undefined where the recording does not say and counting would mean reading all of it */
  readonly count?: number;
  /** absent in recordings of the oldest schema */
  readonly definition?: MessageDefinitionText;
  /** `offered_qos_profiles` of the recorded publishers as rosbag2 writes them, YAML; where the recording has it */
  readonly offeredQos?: string;
}

/** One message as recorded. `data` stays valid after the next one is read. */
export interface BagMessage {
  readonly topic: string;
  readonly type: string;
  /** of `data`; see {@link READABLE_ENCODINGS} */
  readonly encoding: string;
  /** when the recorder received it, nanoseconds */
  readonly logTime: bigint;
  /** when it was sent, nanoseconds; the log time where the storage does not have it */
  readonly publishTime: bigint;
  readonly data: Uint8Array;
}

export interface ReadOptions {
  /** only these; default all */
  readonly topics?: readonly string[];
  /** log time, inclusive */
  readonly start?: bigint;
  /** log time, inclusive */
  readonly end?: bigint;
}

/** One file of a recording. */
export interface BagFile {
  readonly path: string;
  readonly storage: BagStorage;
  readonly topics: readonly BagTopic[];
  /** log time of the first and last message; undefined where there is none */
  readonly start: bigint | undefined;
  readonly end: bigint | undefined;
  /** what could not be read, one line each; grows while messages are read */
  readonly warnings: readonly string[];
  /** In order of log time; a damaged file ends early, with a warning. */
  messages(options?: ReadOptions): AsyncIterable<BagMessage>;
  close(): Promise<void>;
}

/** What metadata.yaml says besides the list of files. */
export interface BagMetadata {
  readonly version: number;
  readonly rosDistro?: string;
  readonly messageCount?: number;
  readonly compression?: { readonly format: string; readonly mode: 'file' | 'message' | 'storage' };
  /** `offered_qos_profiles` by topic, YAML: older recorders wrote them here alone */
  readonly offeredQos: ReadonlyMap<string, string>;
}

/** A recording: one file or the files of a folder, in order. */
export interface BagReader extends Omit<BagFile, 'path'> {
  /** file or folder that was opened */
  readonly path: string;
  readonly metadata: BagMetadata | undefined;
  /**
   * The fields of a message as an object; arrays of numbers are typed arrays.
   * @throws InputError where the bytes do not fit the type, or nobody knows the type.
   */
  decode(message: BagMessage): unknown;
}

/** What the policy would have seen at one moment of a recording. */
export interface BagObservation {
  readonly kind: 'observation';
  /** from 0 over the whole recording, observations only */
  readonly index: number;
  /** from 0 */
  readonly episode: number;
  /** from 0 in its episode */
  readonly chunk: number;
  /** seconds since the start of the recording */
  readonly time: number;
  /** stamp of the observation, nanoseconds */
  readonly stamp: bigint;
  /** undefined where neither the recording nor the mapping has one */
  readonly instruction: string | undefined;
  /** by camera, in the order of the mapping */
  readonly frames: ReadonlyMap<string, Stamped<RawFrame>>;
  /** physical units */
  readonly proprio: Float64Array;
  /** cameras, then proprioception, seconds */
  readonly ages: readonly SourceAge[];
  /** between the cameras, seconds */
  readonly skew: number;
  /** what is used and can hardly be so, one line each */
  readonly doubts: readonly string[];
  /** what was executed at stamp + (k+1) * period, [horizon, a]; NaN where the recording has nothing */
  readonly recordedAction?: Float32Array;
}

/** A moment at which a chunk was due but the observation was not fit to act on. */
export interface SkippedSample {
  readonly kind: 'skipped';
  readonly episode: number;
  /** seconds since the start of the recording */
  readonly time: number;
  readonly refusals: readonly Refusal[];
}

export type BagSample = BagObservation | SkippedSample;
