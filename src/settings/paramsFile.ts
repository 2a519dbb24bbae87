import { stringify } from 'yaml';
import { constraintText, defaultValue, dependsOnModel, descriptionText } from './Parameter';
import type { Parameter } from './Parameter';
import type { ParameterTable } from './ParameterTable';
import type { ParameterValue } from './parameterFile';

const WIDTH = 110;
const HEAD = '  ros__parameters:';

export interface ParamsFileOptions {
  /** comment lines at the top */
  readonly heading: readonly string[];
  /** lines that a user must adapt, placed before the parameters of the table */
  readonly example?: readonly string[];
}

/**
 * A params file that shows every parameter of a table with its text, limits and default. All but topics are commented
 * out: the file changes nothing until someone takes a `#` away, and defaults that come from the bundle stay the bundle's.
 */
export function paramsFile(table: ParameterTable, { heading, example = [] }: ParamsFileOptions): string {
  const lines = heading.flatMap((line) => (line === '' ? ['#'] : wrapped(line, '# ')));
  // Any name: a node may be given another one, and its file must still be for it. Each node gets a file of its own.
  lines.push('', '/**:', HEAD, ...example.map((line) => (line === '' ? '' : `    ${line}`)));
  for (const parameter of table.parameters) {
    if (example.some((line) => line.startsWith(`${parameter.name}:`))) continue;
    const indent = '    ';
    const constraint = constraintText(parameter);
    const text = `${descriptionText(parameter)}${constraint === '' ? '' : `. ${capital(constraint)}`}`;
    // Topics stand there as they are: a section without any parameter is an error to ROS.
    const isTopic = parameter.field.type === 'text' && parameter.field.default !== '';
    lines.push(
      ...(lines.at(-1) === HEAD ? [] : ['']),
      ...wrapped(capital(text), `${indent}# `),
      `${indent}${isTopic ? '' : '# '}${assignment(parameter)}`,
    );
  }
  return `${lines.join('\n')}\n`;
}

function assignment(parameter: Parameter): string {
  const from = dependsOnModel(parameter) ? "  # default: the bundle's" : '';
  return `${parameter.name}: ${yamlValue(parameter, defaultValue(parameter))}${from}`;
}

/** A value as ROS reads it: doubles with a point, since it takes 1 for an integer. */
function yamlValue({ field }: Parameter, value: ParameterValue): string {
  if (Array.isArray(value)) return `[${value.join(', ')}]`;
  if (field.type === 'number' && Number.isInteger(value)) return `${String(value)}.0`;
  return stringify(value).trim();
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Words in lines of limited length, each with a prefix. */
function wrapped(text: string, prefix: string): string[] {
  const lines: string[] = [];
  let line = prefix;
  for (const word of text.split(' ')) {
    if (line.length > prefix.length && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = prefix;
    }
    line += line.length > prefix.length ? ` ${word}` : word;
  }
  return [...lines, line];
}
