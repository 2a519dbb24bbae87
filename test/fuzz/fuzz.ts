import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FastWamError } from '../../src/errors';
import { mutate } from './mutate';
import { Random } from './Random';
import type { FuzzedReader } from './readers';

/** An input that ended otherwise than with a result or a named error of one plain line. */
export interface Finding {
  readonly reader: string;
  /** that gives the input again */
  readonly seed: number;
  readonly problem: string;
  readonly bytes: Uint8Array;
}

export interface FuzzResult {
  readonly inputs: number;
  readonly findings: readonly Finding[];
  /** slowest input of each reader, milliseconds */
  readonly slowest: ReadonlyMap<string, { readonly ms: number; readonly seed: number }>;
  /** resident memory at its peak, bytes */
  readonly peak: number;
}

// eslint-disable-next-line no-control-regex -- what must not be there
const RAW = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/;

/** The input of a seed. */
export function inputOf(reader: FuzzedReader, readers: readonly FuzzedReader[], seed: number): Uint8Array {
  const random = new Random(seed);
  if (reader.build && random.below(2) === 0) return reader.build(random);
  return mutate(random, random.pick(reader.seeds), random.pick(random.pick(readers).seeds));
}

/** Gives inputs to all readers in turn, those of the seeds from `first` on, until `count` or `seconds` are reached. */
export async function fuzz(
  readers: readonly FuzzedReader[],
  options: {
    readonly first: number;
    readonly count: number;
    readonly seconds: number;
    readonly folder: string;
    readonly onInput?: (reader: string, seed: number) => void;
  },
): Promise<FuzzResult> {
  const findings: Finding[] = [];
  const slowest = new Map<string, { ms: number; seed: number }>();
  const path = join(options.folder, `input-${options.first}`);
  const started = performance.now();
  let inputs = 0;
  let peak = 0;
  for (; inputs < options.count && performance.now() - started < 1000 * options.seconds; inputs++) {
    const seed = options.first + inputs;
    const reader = readers[seed % readers.length];
    if (reader === undefined) break;
    const bytes = inputOf(reader, readers, seed);
    writeFileSync(path, bytes);
    options.onInput?.(reader.name, seed);
    const begin = performance.now();
    try {
      await reader.read(path, bytes);
    } catch (error) {
      const { name, message } = error instanceof Error ? error : { name: 'a value', message: String(error) };
      if (!(error instanceof FastWamError))
        findings.push({ reader: reader.name, seed, bytes, problem: `${name}: ${message}` });
      else if (RAW.test(message))
        findings.push({ reader: reader.name, seed, bytes, problem: `raw text: ${JSON.stringify(message)}` });
    }
    const ms = performance.now() - begin;
    if (ms > (slowest.get(reader.name)?.ms ?? 0)) slowest.set(reader.name, { ms, seed });
    peak = Math.max(peak, process.memoryUsage.rss());
  }
  rmSync(path, { force: true });
  return { inputs, findings, slowest, peak };
}
