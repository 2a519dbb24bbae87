import type { Command } from 'commander';
import { describeFindings } from '../doctor/describeFindings';
import { examine, runsOnCpu } from '../doctor/examine';
import { print } from '../terminal';

/** `fastwam doctor` */
export function doctorCommand(program: Command): Command {
  return program
    .command('doctor')
    .description('show what is there and what is missing on this machine, and what to do')
    .option('--json', 'print the findings as JSON')
    .action(async (options: { json?: boolean }) => {
      const findings = await examine();
      const ready = runsOnCpu(findings);
      const text = options.json
        ? `${JSON.stringify({ ready, findings }, null, 2)}\n`
        : describeFindings(findings);
      print(text);
      if (!ready) process.exitCode = 1;
    });
}
