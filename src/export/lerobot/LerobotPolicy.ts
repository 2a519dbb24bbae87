import type { LerobotConfig } from './lerobotConfig';
import type { Processors } from './processors';

/** A LeRobot policy's files, read and checked, without its weights. */
export interface LerobotPolicy {
  readonly folder: string;
  readonly config: LerobotConfig;
  readonly processors: Processors;
  readonly shift: { readonly shift: number; readonly where: string };
}
