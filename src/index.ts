/**
 * The engine, to be embedded: load a bundle, ask for chunks, execute them. Nothing here needs ROS. What is exported here keeps
 * its meaning between minor versions; everything else of the package may change. `examples/embed.mjs` is a whole program.
 *
 * @packageDocumentation
 */
export { PolicyClient } from './policy/PolicyClient';
export type { EpisodeHandle, LoadOptions } from './policy/PolicyClient';
export { Episode } from './policy/Episode';
export { FastWamModel } from './model/FastWamModel';
export { DEFAULT_EXECUTION } from './model/execution';
export type { ExecutionOptions } from './model/execution';
export type { ActionChunk, ChunkTrace, InferOptions, Observation, StageTimes } from './policy/types';
export type { RawFrame } from './observation/RawFrame';
export type { ChunkReport } from './cache/types';

export { nameOf, readChoices, UNCACHED } from './cache/choice';
export type { Choice, ChoiceRequest, PolicySettings, Settings } from './cache/choice';
export type { Sampler } from './sampler/types';

export { ChunkExecutor } from './executor/ChunkExecutor';
export type {
  ChunkRefusal,
  Command,
  ExecutableChunk,
  ExecutorCounts,
  ExecutorSettings,
  HoldReason,
  RobotState,
} from './executor/ChunkExecutor';
export { commandDimensions } from './executor/dimensions';
export type { CommandDimension } from './executor/dimensions';

export { Bundle } from './bundle/Bundle';
export type { BundleManifest } from './bundle/schema';
export { readRunParameters } from './evaluation/runParameters';
export type { RunParameters } from './evaluation/runParameters';
export { openBag } from './bag/openBag';
export type { BagMessage, BagReader, BagTopic, ReadOptions } from './bag/types';
export { calibrationChunks as recordedChunks } from './evaluation/calibrationChunks';
export type { CalibrationChunk, CalibrationSource } from './evaluation/calibrationChunks';

export {
  ChunkDiscarded,
  FastWamError,
  FileFormatError,
  InputError,
  Interrupted,
  OutsideLimits,
  PictureRefused,
  ProviderError,
  UsageError,
} from './errors';
