import type { NamedWeights } from '../bundle/checkpointFiles';
import type { ModelDimensions } from '../bundle/layout';
import type { BundleManifest } from '../bundle/schema';
import type { FloatType } from '../formats/halfPrecision';
import type { RecordedScaling } from '../formats/scaling';
import type { Finding } from './Finding';
import type { RobotDescription } from './robot';

/** What is known of a checkpoint, whatever it comes as, before it becomes a bundle. */
export interface SourceCheckpoint {
  readonly policy: NamedWeights;
  readonly vae: NamedWeights;
  readonly dims: ModelDimensions;
  /** what is known of the robot; the user's own description comes on top */
  readonly robot: RobotDescription;
  /** no statistics: proprioception and actions stay in the network's units */
  readonly normalised: boolean;
  readonly proprio: RecordedScaling;
  readonly action: RecordedScaling;
  /** actions that count from the state of the same index */
  readonly relative: readonly number[];
  /** absent: the original's way of composing images */
  readonly image?: NonNullable<BundleManifest['image']>;
  readonly timestepDtype: FloatType;
  /** of the noise, where the checkpoint says it */
  readonly seed?: number;
  readonly promptTemplate: string;
  /** Hz, and actions of a chunk to execute, where the robot does not say */
  readonly rate?: number | undefined;
  readonly replanSteps?: number | undefined;
  /** what was found and decided, one line each */
  readonly notes: readonly string[];
  readonly findings: readonly Finding[];
}
