import type { Command } from 'commander';
import { bagCommand } from './bag';
import { auditCommand } from './audit';
import { benchCommand } from './bench';
import { calibrateCommand } from './calibrate';
import { cudaSetupCommand } from './cudaSetup';
import { demosCommand } from './demos';
import { doctorCommand } from './doctor';
import { encodeCommand } from './encode';
import { exportCommand } from './export';
import { gpuCheckCommand } from './gpuCheck';
import { inferCommand } from './infer';
import { infoCommand } from './info';
import { mergeCommand } from './merge';
import { paramsCommand } from './params';
import { playCommand } from './play';
import { recordCommand } from './record';
import { replayCommand } from './replay';
import { rosCommand, rosSetupCommand } from './rosSetup';
import { serveCommand } from './serve';
import { simulateCommand } from './simulate';
import { sweepCommand } from './sweep';
import { synthCommand } from './synth';
import { watchCommand } from './watch';

/** Every command of `fastwam`, in the order of its help. */
export const COMMANDS: readonly ((program: Command) => Command)[] = [
  exportCommand,
  auditCommand,
  encodeCommand,
  infoCommand,
  inferCommand,
  calibrateCommand,
  bagCommand,
  paramsCommand,
  replayCommand,
  sweepCommand,
  simulateCommand,
  mergeCommand,
  watchCommand,
  serveCommand,
  demosCommand,
  benchCommand,
  synthCommand,
  playCommand,
  recordCommand,
  doctorCommand,
  gpuCheckCommand,
  cudaSetupCommand,
  rosSetupCommand,
  rosCommand,
];
