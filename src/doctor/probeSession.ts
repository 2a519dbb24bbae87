import type { Provider } from '../model/precisions';
import { ownProgram } from '../ownProgram';
import type { ProbeResult } from './sessionProbe';
import { startChild } from './startChild';

/** CUDA opens more than a gigabyte of libraries at its first start, perhaps from a slow disk. */
const LONGEST_START = 120_000;

/** Whether a session really starts and computes, found out in a process of its own. */
export async function probeSession(
  provider: Provider,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<ProbeResult> {
  const { file, execArgv } = ownProgram(__dirname, 'sessionProbe');
  const args = [...execArgv, file, provider];
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
