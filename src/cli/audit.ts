import type { Command } from 'commander';
import { audit } from '../export/audit';
import type { Audit, AuditOptions } from '../export/audit';
import type { Finding } from '../export/Finding';
import { print, printJson } from '../terminal';

const EXIT_REFUSED = 1;

/** `fastwam audit` */
export function auditCommand(program: Command): Command {
  return program
    .command('audit')
    .description('look through a LeRobot policy, a checkpoint or a bundle for what goes wrong on robots')
    .argument('<path>', 'folder of a policy or bundle, or a checkpoint')
    .option('--stats <file>', 'dataset statistics of a checkpoint (JSON)')
    .option('--config <name|file>', 'libero, robotwin, or a file with the sizes of a checkpoint')
    .option('--json', 'print the findings as JSON')
    .action((path: string, { json, ...options }: AuditOptions & { json?: boolean }) => {
      const report = audit(path, options);
      if (json) printJson(report, 2);
      else print(auditText(report));
      if (report.findings.some(({ level }) => level === 'refused')) process.exitCode = EXIT_REFUSED;
    });
}

const LEVELS = ['refused', 'warning', 'note'] as const;
const ROWS: readonly (readonly [keyof Finding, string])[] = [
  ['where', 'where'],
  ['effect', 'what it does'],
  ['remedy', 'what to do'],
];

/** The findings of an audit as text, the worst first. */
export function auditText({ kind, path, findings }: Audit): string {
  const sorted = LEVELS.flatMap((level) => findings.filter((finding) => finding.level === level));
  const counts = LEVELS.map((level) => {
    const count = findings.filter((finding) => finding.level === level).length;
    return `${count} ${level}${level !== 'refused' && count !== 1 ? 's' : ''}`;
  });
  const blocks = sorted.map((finding) =>
    [
      `${finding.level}  ${finding.finding}  [${finding.id}]`,
      ...ROWS.flatMap(([key, title]) =>
        finding[key] === '' ? [] : [`  ${title.padEnd(12)}  ${finding[key]}`],
      ),
    ].join('\n'),
  );
  const head = `${kind} ${path}: ${counts.join(', ')}`;
  return `${[head, ...blocks].join('\n\n')}\n`;
}
