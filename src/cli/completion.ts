import type { Command, Option } from 'commander';
import { POLICIES } from '../cache/registry';
import { NOISE_MODES } from '../sampler/types';
import { SPEED_NAMES } from '../sim/speeds';
import { CONDITIONS, SUITES } from '../sim/tasks';
import { print } from '../terminal';
import { oneOf } from './flagValues';

const SHELLS = ['bash', 'zsh', 'fish'] as const;

/** What an option takes, where that is one of a few words; everywhere else the shell completes files. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  '--policy': POLICIES.map(({ name }) => name),
  '--suite': SUITES,
  '--world-speed': SPEED_NAMES,
  '--condition': CONDITIONS,
  '--noise': NOISE_MODES,
  '--provider': ['cpu', 'cuda', 'auto'],
  '--precision': ['fp32', 'int8', 'fp16', 'bf16'],
  '--tolerance-measure': ['rmse', 'worst'],
  '--config': ['libero', 'robotwin'],
  '--dtype': ['F32', 'BF16'],
};

/** `fastwam completion` */
export function completionCommand(program: Command): Command {
  return program
    .command('completion')
    .description('print what makes a shell complete the commands and options of fastwam')
    .argument('<shell>', SHELLS.join(', '))
    .action((shell: string) => {
      print(completionScript(program, oneOf('completion', shell, SHELLS)));
    });
}

/** A script for the shell, written from the commands themselves. */
export function completionScript(program: Command, shell: (typeof SHELLS)[number]): string {
  const commands = program.commands.map((command) => ({
    name: command.name(),
    text: command.description(),
    options: [...command.options, helpOption],
  }));
  return { bash, zsh, fish }[shell](commands);
}

type Described = Pick<Option, 'description'> & {
  readonly long?: string | undefined;
  readonly required: boolean;
  readonly optional: boolean;
};

interface Completed {
  readonly name: string;
  readonly text: string;
  readonly options: readonly Described[];
}

const helpOption: Described = {
  long: '--help',
  description: 'display help for command',
  required: false,
  optional: false,
};

const takesValue = ({ required, optional }: Described): boolean => required || optional;
const longNames = (options: readonly Described[]): string[] => options.flatMap(({ long }) => long ?? []);

function bash(commands: readonly Completed[]): string {
  const cases = commands.map(
    ({ name, options }) => `    ${name}) words='${longNames(options).join(' ')}' ;;`,
  );
  const values = Object.entries(WORDS).map(
    ([option, words]) => `    ${option}) words='${words.join(' ')}' ;;`,
  );
  const files = new Set(commands.flatMap(({ options }) => longNames(options.filter(takesValue))));
  for (const option of Object.keys(WORDS)) files.delete(option);
  return `# bash completion of fastwam: source <(fastwam completion bash)
_fastwam() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} words=
  COMPREPLY=()
  case $previous in
${values.join('\n')}
    ${[...files].join(' | ')})
      compopt -o default 2>/dev/null
      return ;;
  esac
  if [ -z "$words" ]; then
    if [ "$COMP_CWORD" -eq 1 ]; then
      words='${commands.map(({ name }) => name).join(' ')} --help --version'
    elif [ "\${current#-}" = "$current" ] && [ "\${COMP_WORDS[1]}" != completion ]; then
      compopt -o default 2>/dev/null
      return
    else
      case \${COMP_WORDS[1]} in
${cases.map((line) => `    ${line}`).join('\n')}
      esac
      [ "\${COMP_WORDS[1]}" = completion ] && words="${SHELLS.join(' ')} $words"
    fi
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _fastwam fastwam
`;
}

function zsh(commands: readonly Completed[]): string {
  const plain = (text: string): string => text.replace(/[[\]:'\\]/g, ' ').replace(/\s+/g, ' ');
  const argument = (option: Described): string => {
    if (!takesValue(option)) return '';
    const words = WORDS[option.long ?? ''];
    return words === undefined ? ':file:_files' : `:value:(${words.join(' ')})`;
  };
  const cases = commands.map(({ name, options }) => {
    const specs = options.map(
      (option) => `        '*${option.long ?? ''}[${plain(option.description)}]${argument(option)}'`,
    );
    const operand = name === 'completion' ? `'*:shell:(${SHELLS.join(' ')})'` : "'*:file:_files'";
    return `      ${name}) _arguments \\\n${[...specs, `        ${operand}`].join(' \\\n')} ;;`;
  });
  const names = commands.map(({ name, text }) => `      '${name}:${plain(text)}'`);
  return `#compdef fastwam
# zsh completion of fastwam: source <(fastwam completion zsh)
_fastwam() {
  if (( CURRENT == 2 )); then
    local -a commands=(
${names.join('\n')}
    )
    _describe command commands
  else
    local command=$words[2]
    shift words
    (( CURRENT-- ))
    case $command in
${cases.join('\n')}
    esac
  fi
}
compdef _fastwam fastwam
`;
}

function fish(commands: readonly Completed[]): string {
  const quoted = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`;
  const lines = commands.flatMap(({ name, text, options }) => [
    `complete -c fastwam -n __fish_use_subcommand -f -a ${name} -d ${quoted(text)}`,
    ...options.flatMap((option) => {
      if (option.long === undefined) return [];
      const words = WORDS[option.long];
      const value = !takesValue(option)
        ? ''
        : words === undefined
          ? ' -r -F'
          : ` -x -a ${quoted(words.join(' '))}`;
      const where = quoted(`__fish_seen_subcommand_from ${name}`);
      return `complete -c fastwam -n ${where} -l ${option.long.slice(2)}${value} -d ${quoted(option.description)}`;
    }),
  ]);
  return [
    '# fish completion of fastwam: fastwam completion fish | source',
    ...lines,
    `complete -c fastwam -n '__fish_seen_subcommand_from completion' -f -a ${quoted(SHELLS.join(' '))}`,
    '',
  ].join('\n');
}
