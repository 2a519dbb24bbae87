import { runsOnCpu } from './examine';
import type { Finding, FindingState } from './types';

const MARKS: Readonly<Record<FindingState, string>> = { ok: 'ok', missing: 'missing', problem: 'PROBLEM' };

/** One line for each finding, with what to do beneath the ones that are not ok, and a verdict at the end. */
export function describeFindings(findings: readonly Finding[]): string {
  const names = Math.max(...findings.map(({ name }) => name.length));
  const lines: string[] = [];
  let current = '';
  for (const { section, name, state, text, remedy } of findings) {
    if (section !== current) lines.push(...(current ? [''] : []), section);
    current = section;
    const todo = state !== 'ok' && remedy ? ` -> ${remedy}` : '';
    lines.push(`  ${MARKS[state].padEnd(7)}  ${name.padEnd(names)}  ${oneLine(text + todo)}`);
  }
  return `${lines.join('\n')}\n\n${verdict(findings)}\n`;
}

function verdict(findings: readonly Finding[]): string {
  if (!runsOnCpu(findings)) {
    const names = findings.filter((f) => f.needed && f.state !== 'ok').map(({ name }) => name);
    return `This machine cannot run models yet: see ${names.join(', ')}.`;
  }
  const works = (section: string, name: string): boolean =>
    findings.some((f) => f.section === section && f.name === name && f.state === 'ok');
  const cuda = works('CUDA', 'CUDA session') ? 'and with CUDA' : 'not with CUDA';
  const parts = findings.filter(({ section }) => section === 'ROS 2');
  const ros = parts.length > 0 && parts.every(({ state }) => state === 'ok');
  return `Models run on the CPU, ${cuda}; ROS 2 is ${ros ? 'ready' : 'not ready in this shell'}.`;
}

/** Texts come from files, other programs and the environment: no control characters reach the terminal. */
function oneLine(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').trim();
}
