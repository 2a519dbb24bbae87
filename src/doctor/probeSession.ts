import { extname, join } from 'node:path';
import type { Provider } from '../model/precisions';
import type { ProbeResult } from './sessionProbe';
import { startChild } from './startChild';

/** CUDA opens more than a gigabyte of libraries at its first start, perhaps from a slow disk. */
const LONGEST_START = 120_000;

/** Whether a session really starts and computes, found out in a process of its own. */
export async function probeSession(
  provider: Provider,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<ProbeResult> {
  // From compiled code the probe is the compiled file beside this one; from TypeScript it goes through ts-node.
  const extension = extname(__filename);
  const loader = extension === '.ts' ? ['-r', 'ts-node/register/transpile-only'] : [];
  const args = [...loader, join(__dirname, `sessionProbe${extension}`), provider];
  const result = await startChild(process.execPath, args, LONGEST_START, environment);
  if (result.failed !== undefined) return { ok: false, message: result.failed };
  const line = result.stdout.trim().split('\n').at(-1) ?? '';
  try {
    return JSON.parse(line) as ProbeResult;
  } catch {
    const end = result.signal ? `was ended by ${result.signal}` : `ended with code ${result.code ?? '?'}`;
    const told = result.stderr.trim().split('\n')[0]?.slice(0, 200);
    return { ok: false, message: `the process ${end}${told ? `: ${told}` : ''}` };
  }
}
