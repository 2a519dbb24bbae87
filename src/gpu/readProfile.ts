import { readFileSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { FileFormatError } from '../errors';
import type { LongNode, Placement } from './types';

/** Events of onnxruntime's profile that say something here: runs, and the kernels in them. Times in microseconds. */
const event = z.object({
  cat: z.string(),
  name: z.string(),
  ts: z.number(),
  dur: z.number(),
  args: z.object({ op_name: z.string().optional(), provider: z.string().optional() }).default({}),
});

/** One kernel that ran. */
export interface ProfiledNode {
  readonly name: string;
  readonly op: string;
  readonly provider: string;
  readonly microseconds: number;
}

const KERNEL = '_kernel_time';
/** Operators that hold other graphs: their nodes are counted, they themselves compute nothing. */
const CONTROL = ['Loop', 'If'];
/** Operators that give a view of their input: a node, but no work for a device. */
const VIEWS = ['Reshape', 'Squeeze', 'Unsqueeze', 'Identity', 'Flatten'];
const COPIES = ['MemcpyToHost', 'MemcpyFromHost'];
const CPU = 'CPUExecutionProvider';
const LONGEST = 10;

/**
 * The kernels of each run of a session, in order.
 * @param prefix what the session was told to begin the profile's path with
 * @throws FileFormatError where there is no profile or it is not one
 */
export function readProfile(prefix: string): ProfiledNode[][] {
  const folder = dirname(prefix);
  const file = readdirSync(folder)
    .filter((name) => name.startsWith(`${basename(prefix)}_`))
    .sort()
    .at(-1);
  if (file === undefined) throw new FileFormatError(prefix, 'onnxruntime wrote no profile');
  const path = join(folder, file);
  let events: z.infer<typeof event>[];
  try {
    events = z.array(event).parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    throw new FileFormatError(path, 'is not a profile of onnxruntime', { cause: error });
  }
  const runs = events.filter(({ name }) => name === 'model_run').sort((a, b) => a.ts - b.ts);
  return runs.map(({ ts, dur }) =>
    events
      .filter((e) => e.cat === 'Node' && e.name.endsWith(KERNEL) && e.ts >= ts && e.ts <= ts + dur)
      .map(({ name, dur: microseconds, args }) => ({
        name: name.slice(0, -KERNEL.length),
        op: args.op_name ?? 'unknown',
        provider: args.provider ?? 'unknown',
        microseconds,
      }))
      .filter(({ op }) => !CONTROL.includes(op)),
  );
}

/** Where the nodes of one run were placed. @param foreign whether the model runs elsewhere than on the CPU */
export function placementOf(
  graph: Pick<Placement, 'graph' | 'precision'>,
  run: readonly ProfiledNode[],
  foreign: boolean,
): Placement {
  const computed = run.filter(({ op }) => !COPIES.includes(op));
  return {
    ...graph,
    nodes: countBy(computed, ({ provider }) => provider),
    onCpu: foreign ? countBy(computed.filter(onCpu), ({ op }) => op) : {},
    copies: run.length - computed.length,
    longest: longestOf(run),
  };
}

/**
 * What one more step of the expert's Loop costs in kernels.
 * @param few a run of one step
 * @param many a run of `more` steps beyond that
 */
export function perStep(
  few: readonly ProfiledNode[],
  many: readonly ProfiledNode[],
  more: number,
): Required<Placement>['perStep'] {
  const added = (of: (nodes: readonly ProfiledNode[]) => number): number => (of(many) - of(few)) / more;
  return {
    kernels: added((nodes) => nodes.filter(({ op }) => ![...VIEWS, ...COPIES].includes(op)).length),
    copies: added((nodes) => nodes.filter(({ op }) => COPIES.includes(op)).length),
    onCpu: added((nodes) => nodes.filter(onCpu).length),
  };
}

const onCpu = ({ provider }: ProfiledNode): boolean => provider === CPU;

/** Nodes by the time that all of their runs took together. */
function longestOf(run: readonly ProfiledNode[]): LongNode[] {
  const byName = new Map<string, LongNode>();
  for (const node of run) {
    const known = byName.get(node.name);
    byName.set(node.name, { ...node, microseconds: (known?.microseconds ?? 0) + node.microseconds });
  }
  return [...byName.values()].sort((a, b) => b.microseconds - a.microseconds).slice(0, LONGEST);
}

function countBy<T>(items: readonly T[], key: (item: T) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const item of items) counts[key(item)] = (counts[key(item)] ?? 0) + 1;
  return counts;
}
