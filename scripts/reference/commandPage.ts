import type { Command, Option } from 'commander';
import { EXAMPLES } from '../../src/cli/examples';
import { buildProgram } from '../../src/cli/program';
import { code, plain, table } from './markdown';

/** Every command of `fastwam` with its options and examples, as its help has them. */
export function commandPage(): string {
  const { commands } = buildProgram({ out: () => undefined, err: () => undefined });
  const list = table(
    ['command', 'what it does'],
    commands.map((command) => [
      `[\`fastwam ${command.name()}\`](#fastwam-${command.name()})`,
      plain(command.description()),
    ]),
  );
  return `# Commands

\`fastwam COMMAND --help\` prints the same. Exit codes: 0 for a whole result, 1 for a run that failed, 2 for a command line or a
file that cannot be meant, 130 after Ctrl-C. \`--verbose\` shows the stack trace of an error.

${list}

${commands.map(section).join('\n\n')}
`;
}

function section(command: Command): string {
  const name = command.name();
  const words = command.registeredArguments.map((word) => {
    const shown = `${word.name()}${word.variadic ? '...' : ''}`;
    return word.required ? `<${shown}>` : `[${shown}]`;
  });
  const argumentRows = command.registeredArguments.map((word) => [
    code(word.name()),
    word.required ? 'yes' : '',
    '',
    plain(word.description),
  ]);
  const optionRows = command.options
    .filter((option) => option.long !== '--verbose' && !option.hidden)
    .map((option) => [
      code(option.flags),
      option.mandatory ? 'yes' : '',
      defaultText(option),
      plain(option.description),
    ]);
  const rows = [...argumentRows, ...optionRows];
  const examples = EXAMPLES[name] ?? [];
  return [
    `## fastwam ${name}`,
    `${plain(command.description())}: ${code(['fastwam', name, ...words, '[options]'].join(' '))}`,
    ...(rows.length === 0 ? [] : [table(['', 'required', 'default', 'what it is'], rows)]),
    ...(examples.length === 0 ? [] : [`\`\`\`text\n${examples.join('\n')}\n\`\`\``]),
  ].join('\n\n');
}

function defaultText({ defaultValue }: Option): string {
  if (typeof defaultValue === 'string') return code(defaultValue);
  return Array.isArray(defaultValue) && defaultValue.length > 0 ? code(defaultValue.join(',')) : '';
}
