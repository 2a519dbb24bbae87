import { readFileSync } from 'node:fs';
import { availableParallelism, freemem, totalmem } from 'node:os';
import { section } from './types';
import type { Finding, FindingParts } from './types';

/** First node release that runs this project; the `engines` of package.json. */
const OLDEST_NODE = [20, 20, 0] as const;

/** Processor instructions that matter to the speed of a model, and what for. */
const INSTRUCTIONS = [
  { flags: ['avx2'], name: 'AVX2' },
  { flags: ['avx512f'], name: 'AVX-512' },
  { flags: ['avx512_vnni', 'avx_vnni'], name: 'VNNI' },
  { flags: ['amx_int8'], name: 'AMX' },
] as const;

/** What `text` of /proc/cpuinfo says. */
export interface Processor {
  readonly model: string;
  readonly physicalCores: number;
  readonly logicalCores: number;
  readonly flags: ReadonlySet<string>;
}

/** node, the processor and the memory. */
export function examineMachine(): Finding[] {
  return section('machine', [examineNode(process.versions.node), examineProcessor(), examineMemory()]);
}

export function examineNode(version: string): FindingParts {
  const parts = version.split('.').map(Number);
  const at = OLDEST_NODE.findIndex((oldest, i) => parts[i] !== oldest);
  const enough = at < 0 || (parts[at] ?? 0) > (OLDEST_NODE[at] ?? 0);
  const name = 'node';
  if (enough) return { name, state: 'ok', text: version, needed: true };
  return {
    name,
    state: 'problem',
    text: version,
    remedy: `install node ${OLDEST_NODE.join('.')} or later: https://nodejs.org/en/download`,
    needed: true,
  };
}

function examineProcessor(): FindingParts {
  const name = 'processor';
  let processor: Processor;
  try {
    processor = readProcessor(readFileSync('/proc/cpuinfo', 'utf8'));
  } catch {
    return { name, state: 'ok', text: `${availableParallelism()} threads` };
  }
  return describeProcessor(processor);
}

/** Reads /proc/cpuinfo, of x86-64 or AArch64. */
export function readProcessor(text: string): Processor {
  const blocks = text.split(/\n\s*\n/).map((block) => {
    const fields = new Map<string, string>();
    for (const line of block.split('\n')) {
      const [key, value] = line.split(/\s*:\s?/);
      if (key && value !== undefined) fields.set(key.trim(), value.trim());
    }
    return fields;
  });
  const threads = blocks.filter((fields) => fields.has('processor'));
  const first = threads[0] ?? new Map<string, string>();
  // Without these two fields (AArch64) every thread counts as a core.
  const cores = new Set(
    threads.map(
      (f) => `${f.get('physical id') ?? ''}/${f.get('core id') ?? `thread ${f.get('processor') ?? ''}`}`,
    ),
  );
  return {
    model: first.get('model name') ?? 'processor of an unknown model',
    physicalCores: cores.size,
    logicalCores: threads.length,
    flags: new Set((first.get('flags') ?? first.get('Features') ?? '').split(/\s+/).filter(Boolean)),
  };
}

/** The finding about a processor: int8 is faster than fp32 on every one, and by far the most with VNNI. */
export function describeProcessor({ model, physicalCores, logicalCores, flags }: Processor): FindingParts {
  const has = INSTRUCTIONS.filter((set) => set.flags.some((flag) => flags.has(flag))).map((set) => set.name);
  const vnni = has.includes('VNNI') || flags.has('asimddp');
  const text = [
    model,
    `${physicalCores} ${physicalCores === 1 ? 'core' : 'cores'}` +
      (logicalCores === physicalCores ? '' : ` with ${logicalCores} threads`),
    flags.has('asimddp') ? 'dot product' : has.join(', ') || 'no AVX2',
    vnni ? 'int8 at full speed' : 'int8 without VNNI gains less over fp32',
  ].join(', ');
  const x86 = flags.has('sse2');
  if (x86 && !flags.has('avx2')) {
    return {
      name: 'processor',
      state: 'problem',
      text,
      remedy: 'models run, slowly; choose a machine (or a virtual CPU type) with AVX2',
    };
  }
  return { name: 'processor', state: 'ok', text };
}

function examineMemory(): FindingParts {
  // A container may have less than the machine; 0 and huge numbers mean that it is not limited.
  const limit = process.constrainedMemory();
  const total = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  const available = Math.min(availableMemory(), total);
  return {
    name: 'memory',
    state: 'ok',
    text: `${gigabytes(available)} GB of ${gigabytes(total)} GB available; a loaded model takes up to 1.2 times its weights`,
  };
}

/** bytes that can be had without swapping */
function availableMemory(): number {
  try {
    const kilobytes = /^MemAvailable:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
    return kilobytes === undefined ? freemem() : Number(kilobytes) * 1024;
  } catch {
    return freemem();
  }
}

function gigabytes(bytes: number): string {
  return (bytes / 1e9).toFixed(1);
}
