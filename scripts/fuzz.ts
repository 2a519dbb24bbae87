/**
 * Gives made-up and damaged files to every reader: `npm run fuzz [-- COUNT [SEED [SECONDS]]]`, 20,000 inputs and 540
 * seconds if nothing is said. Inputs follow from their seed alone. An input that takes more than 10 s, or that ends
 * otherwise than with a result or a named error, is a finding: it is kept under `out/fuzz`, and becomes a test.
 */
import { fork } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeFolders, temporaryFolder } from '../test/helpers';
import { fuzz, inputOf } from '../test/fuzz/fuzz';
import { fuzzedReaders } from '../test/fuzz/readers';

const PROCESSES = 2;
const MOST_MS = 10_000;
const OUT = join('out', 'fuzz');

interface Report {
  readonly inputs: number;
  readonly peak: number;
  readonly slowest: readonly (readonly [string, { readonly ms: number; readonly seed: number }])[];
  readonly findings: readonly { readonly reader: string; readonly seed: number; readonly problem: string }[];
}

async function work(first: number, count: number, seconds: number): Promise<void> {
  const folder = temporaryFolder();
  try {
    const readers = await fuzzedReaders(folder);
    const result = await fuzz(readers, {
      first,
      count,
      seconds,
      folder,
      onInput: (reader, seed) => process.send?.({ reader, seed }),
    });
    mkdirSync(OUT, { recursive: true });
    for (const { reader, seed } of result.findings) {
      const found = readers.find(({ name }) => name === reader);
      if (found) writeFileSync(join(OUT, `${seed}`), inputOf(found, readers, seed));
    }
    process.send?.({ ...result, slowest: [...result.slowest] });
  } finally {
    removeFolders();
  }
}

/** Runs a share in a process of its own, ended where one input takes too long. */
function share(first: number, count: number, seconds: number): Promise<Report> {
  return new Promise((resolve) => {
    const child = fork(__filename, ['worker', String(first), String(count), String(seconds)]);
    let last = { reader: '', seed: -1 };
    let timer: NodeJS.Timeout | undefined;
    let report: Report | undefined;
    const ended = (problem: string): Report => ({
      inputs: Math.max(0, last.seed - first),
      peak: 0,
      slowest: [],
      findings: [{ ...last, problem }],
    });
    child.on('message', (message: Report | { reader: string; seed: number }) => {
      clearTimeout(timer);
      if ('inputs' in message) {
        report = message;
        return;
      }
      last = message;
      timer = setTimeout(() => {
        report = ended(`takes more than ${MOST_MS} ms`);
        child.kill('SIGKILL');
      }, MOST_MS);
    });
    child.on('exit', (code) => {
      clearTimeout(timer);
      resolve(report ?? ended(`ended the process (${code ?? 'by a signal'})`));
    });
  });
}

async function main(count: number, seed: number, seconds: number): Promise<void> {
  const each = Math.ceil(count / PROCESSES);
  const reports = await Promise.all(
    Array.from({ length: PROCESSES }, (_, i) => share(seed + i * each, each, seconds)),
  );
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  const slowest = new Map<string, { ms: number; seed: number }>();
  for (const [reader, one] of reports.flatMap((report) => report.slowest)) {
    if (one.ms > (slowest.get(reader)?.ms ?? 0)) slowest.set(reader, one);
  }
  for (const [reader, { ms, seed: slow }] of slowest)
    print(`${reader.padEnd(20)} slowest ${ms.toFixed(0)} ms (seed ${slow})`);
  print(
    `${reports.reduce((sum, { inputs }) => sum + inputs, 0)} inputs, peak memory ${(Math.max(...reports.map(({ peak }) => peak)) / 2 ** 20).toFixed(0)} MiB`,
  );
  const findings = reports.flatMap((report) => report.findings);
  for (const finding of findings)
    print(`FINDING ${finding.reader}, seed ${finding.seed}: ${JSON.stringify(finding.problem)}`);
  if (findings.length > 0) process.exitCode = 1;
}

const [first, ...rest] = process.argv.slice(2);
const number = (text: string | undefined, otherwise: number): number =>
  text === undefined ? otherwise : Number(text);
if (first === 'worker') void work(number(rest[0], 1), number(rest[1], 1), number(rest[2], 1));
else void main(number(first, 20_000), number(rest[0], 1), number(rest[1], 540));
