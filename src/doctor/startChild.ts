import { spawn } from 'node:child_process';

export interface ChildResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** that it ran longer than allowed, or could not be started */
  readonly failed: string | undefined;
}

/** More than this of a child's output is not kept. */
const LONGEST_OUTPUT = 64 * 1024;

/** Runs a program to its end, at most `limit` ms; never throws. */
export function startChild(
  program: string,
  args: readonly string[],
  limit: number,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<ChildResult> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    let failed: string | undefined;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (stdout.length < LONGEST_OUTPUT) stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (stderr.length < LONGEST_OUTPUT) stderr += text;
    });
    const timer = setTimeout(() => {
      failed = `no answer within ${limit / 1000} s`;
      child.kill('SIGKILL');
    }, limit);
    child.on('error', (error) => {
      clearTimeout(timer);
      resolve({ code: null, signal: null, stdout, stderr, failed: error.message });
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, stdout, stderr, failed });
    });
  });
}
